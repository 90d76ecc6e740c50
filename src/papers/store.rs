//! SQL of papers and their copies. Rows are only added: nothing here updates or deletes a paper.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::rules::{Current, Kind, Subject};
use super::{PaperFilter, PaperView, Replacement, Sight};
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;
use crate::refusal::{Failure, Outcome};

/// A paper to be written.
#[derive(Debug)]
pub struct NewRow<'a> {
    pub id: Uuid,
    pub county_code: &'a str,
    pub subject: Subject,
    pub number: &'a str,
    pub institution_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    pub content: &'a str,
    pub digest: &'a str,
    pub issued_by: Uuid,
    pub issued_at: DateTime<Utc>,
    pub replaces_id: Option<Uuid>,
    pub reason: Option<&'a str>,
}

/// One copy.
#[derive(Debug)]
pub struct NewPrint {
    pub id: Uuid,
    pub paper_id: Uuid,
    pub copy_no: i64,
    pub printed_by: Uuid,
    pub printed_at: DateTime<Utc>,
}

pub async fn insert(txn: &WriteTxn, new: &NewRow<'_>) -> Result<(), DbErr> {
    let (settlement_id, month, payout_id) = match new.subject {
        Subject::Settlement(id) => (Some(id), None, None),
        Subject::Month { month, .. } => (None, Some(month.text()), None),
        Subject::Payout(id) => (None, None, Some(id)),
    };
    let sql =
        "insert into paper (id, county_code, kind, number, settlement_id, institution_id, month, payout_id,
                                  household_id, content, digest, issued_by, issued_at, replaces_id, reason)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let values: [Value; 15] = [
        new.id.into(),
        new.county_code.into(),
        new.subject.kind().as_str().into(),
        new.number.into(),
        settlement_id.into(),
        new.institution_id.into(),
        month.into(),
        payout_id.into(),
        new.household_id.into(),
        new.content.into(),
        new.digest.into(),
        new.issued_by.into(),
        new.issued_at.into(),
        new.replaces_id.into(),
        new.reason.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// The paper in force about a subject.
pub async fn current(connection: &impl ConnectionTrait, subject: Subject) -> Result<Option<Current>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        number: String,
    }
    let (condition, values): (&str, Vec<Value>) = match subject {
        Subject::Settlement(id) => ("p.settlement_id = $1", vec![id.into()]),
        Subject::Month { institution_id, month } => {
            ("p.institution_id = $1 and p.month = $2", vec![institution_id.into(), month.text().into()])
        }
        Subject::Payout(id) => ("p.payout_id = $1", vec![id.into()]),
    };
    let sql = format!(
        "select p.id, p.number from paper p
         where {condition} and not exists (select 1 from paper newer where newer.replaces_id = p.id)"
    );
    let row: Option<Row> = db::row(connection, &sql, values).await?;
    Ok(row.map(|row| Current { id: row.id, number: row.number }))
}

/// One row more than the page holds, newest first. Contents are left out.
pub async fn list(
    connection: &impl ConnectionTrait,
    sight: &Sight,
    filter: &PaperFilter,
    request: PageRequest,
) -> Outcome<Vec<PaperView>> {
    let mut bound = sight.values.clone();
    let mut name = |value: Value| {
        bound.push(value);
        format!("${}", bound.len())
    };
    let mut conditions = vec![sight.condition.clone()];
    let ids = [
        ("p.settlement_id", filter.settlement_id),
        ("p.institution_id", filter.institution_id),
        ("p.payout_id", filter.payout_id),
        ("p.household_id", filter.household_id),
    ];
    for (column, id) in ids {
        if let Some(id) = id {
            conditions.push(format!("{column} = {}", name(id.into())));
        }
    }
    if let Some(kind) = filter.kind {
        conditions.push(format!("p.kind = {}", name(kind.as_str().into())));
    }
    if let Some(month) = filter.month {
        conditions.push(format!("p.month = {}", name(month.text().into())));
    }
    if let Some(before) = request.before {
        conditions.push(format!("p.id < {}", name(before.into())));
    }
    let limit = name(i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX).into());
    let sql = format!(
        "{} where {} order by p.id desc limit {limit}",
        select("cast(null as text)"),
        conditions.join(" and ")
    );
    let rows: Vec<PaperRow> = db::rows(connection, &sql, bound).await?;
    rows.into_iter().map(PaperView::try_from).collect()
}

/// One paper with its content, when the caller sees it.
pub async fn find(connection: &impl ConnectionTrait, sight: &Sight, id: Uuid) -> Outcome<Option<PaperView>> {
    let mut values = sight.values.clone();
    values.push(id.into());
    let sql = format!("{} where {} and p.id = ${}", select("p.content"), sight.condition, values.len());
    let row: Option<PaperRow> = db::row(connection, &sql, values).await?;
    row.map(PaperView::try_from).transpose()
}

/// How many copies of a paper there are. The paper is locked, so that two copies get two numbers.
pub async fn copies_under_lock(txn: &WriteTxn, paper_id: Uuid) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        copies: i64,
    }
    if txn.get_database_backend() == DbBackend::Postgres {
        #[derive(FromQueryResult)]
        struct Locked {}
        let sql = "select id from paper where id = $1 for no key update";
        db::row::<Locked>(txn, sql, [paper_id.into()]).await?;
    }
    let sql = "select count(*) as copies from paper_print where paper_id = $1";
    let row: Option<Row> = db::row(txn, sql, [paper_id.into()]).await?;
    Ok(row.map_or(0, |row| row.copies))
}

pub async fn insert_print(txn: &WriteTxn, new: &NewPrint) -> Result<(), DbErr> {
    let sql = "insert into paper_print (id, paper_id, copy_no, printed_by, printed_at)
               values ($1, $2, $3, $4, $5)";
    let values: [Value; 5] = [
        new.id.into(),
        new.paper_id.into(),
        new.copy_no.into(),
        new.printed_by.into(),
        new.printed_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

fn select(content: &str) -> String {
    format!(
        "select p.id, p.county_code, p.kind, p.number, p.settlement_id, p.institution_id, p.month, p.payout_id,
                p.household_id, {content} as content, p.digest, p.issued_by, p.issued_at, p.reason,
                older.id as older_id, older.number as older_number, newer.id as newer_id,
                newer.number as newer_number,
                (select count(*) from paper_print print where print.paper_id = p.id) as copies
         from paper p left join paper older on older.id = p.replaces_id
         left join paper newer on newer.replaces_id = p.id"
    )
}

#[derive(FromQueryResult)]
struct PaperRow {
    id: Uuid,
    county_code: String,
    kind: String,
    number: String,
    settlement_id: Option<Uuid>,
    institution_id: Option<Uuid>,
    month: Option<String>,
    payout_id: Option<Uuid>,
    household_id: Option<Uuid>,
    content: Option<String>,
    digest: String,
    issued_by: Uuid,
    issued_at: DateTime<Utc>,
    reason: Option<String>,
    older_id: Option<Uuid>,
    older_number: Option<String>,
    newer_id: Option<Uuid>,
    newer_number: Option<String>,
    copies: i64,
}

impl TryFrom<PaperRow> for PaperView {
    type Error = Failure;

    fn try_from(row: PaperRow) -> Outcome<Self> {
        let kind = Kind::parse(&row.kind)
            .ok_or_else(|| Failure::Broken(format!("unknown kind of paper {}", row.kind)))?;
        let named = |(id, number)| Replacement { id, number };
        Ok(Self {
            id: row.id,
            county_code: row.county_code,
            kind,
            number: row.number,
            settlement_id: row.settlement_id,
            institution_id: row.institution_id,
            month: row.month,
            payout_id: row.payout_id,
            household_id: row.household_id,
            content: row.content,
            digest: row.digest,
            issued_by: row.issued_by,
            issued_at: row.issued_at,
            reason: row.reason,
            replaces: row.older_id.zip(row.older_number).map(named),
            replaced_by: row.newer_id.zip(row.newer_number).map(named),
            copies: row.copies,
        })
    }
}
