//! SQL of the audit: runs the checks and reads the trail. Never writes.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value};
use serde_json::json;
use uuid::Uuid;

use super::checks::Check;
use super::touched::{self, Touched};
use super::{FINDINGS_PER_CHECK_MAX, Finding};
use crate::db::{self, ColumnType, Reader};
use crate::http::page::PageRequest;
use crate::id;
use crate::members::access::RegionScope;

/// One event of the trail.
#[derive(Clone, Debug, FromQueryResult)]
pub struct EventRow {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub actor_id: Option<Uuid>,
    pub actor_role: String,
    pub household_id: Option<Uuid>,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub before_json: Option<serde_json::Value>,
    pub after_json: Option<serde_json::Value>,
    pub request_id: Option<String>,
    pub peer: Option<String>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub subject_kind: Option<String>,
    pub subject_id: Option<Uuid>,
    pub actor_id: Option<Uuid>,
}

/// The differing rows of one check, and whether there were more than are answered.
pub async fn differing_rows(
    reader: &Reader,
    check: &Check,
    since: Option<DateTime<Utc>>,
) -> Result<(Vec<Finding>, bool), DbErr> {
    let limit = u64::try_from(FINDINGS_PER_CHECK_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let values: Vec<Value> = since
        .filter(|_| check.is_narrowed())
        .map_or_else(Vec::new, |since| vec![since.into(), id::first_of(since).into()]);
    let statement = Statement::from_sql_and_values(reader.get_database_backend(), check.sql(limit), values);
    let rows = reader.query_all_raw(statement).await.map_err(|error| {
        DbErr::Custom(format!("the check of {} that {} could not run: {error}", check.table, check.what))
    })?;
    let mut findings = Vec::new();
    for row in rows.iter().take(FINDINGS_PER_CHECK_MAX) {
        findings.extend(differences(row, check)?);
    }
    Ok((findings, rows.len() > FINDINGS_PER_CHECK_MAX))
}

/// One finding for every pair of the row that differs.
fn differences(row: &QueryResult, check: &Check) -> Result<Vec<Finding>, DbErr> {
    let row_id: Option<String> = row.try_get("", "row_id")?;
    let mut findings = Vec::new();
    for (at, pair) in check.pairs.iter().enumerate() {
        let stored: Option<String> = row.try_get("", &format!("s{at}"))?;
        let recomputed: Option<String> = row.try_get("", &format!("r{at}"))?;
        if stored != recomputed {
            findings.push(Finding {
                invariant: check.invariant,
                table: check.table,
                row_id: row_id.clone().unwrap_or_else(|| "none".to_owned()),
                column: pair.column,
                stored,
                recomputed,
                what: check.what,
            });
        }
    }
    Ok(findings)
}

/// A page of the trail of a region. Events carry their county, so a region below a county sees none.
pub async fn list_events(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Vec<EventRow>, DbErr> {
    let county = |code: &str| code.get(..6).unwrap_or(code).to_owned();
    let mut values: Vec<Value> = vec![county(&region.from).into(), county(&region.before).into()];
    let mut conditions = vec!["county_code >= $1 and county_code < $2".to_owned()];
    let filters = [
        ("subject_kind =", filter.subject_kind.clone().map(Value::from)),
        ("subject_id =", filter.subject_id.map(Value::from)),
        ("actor_id =", filter.actor_id.map(Value::from)),
        ("id <", page.before.map(Value::from)),
    ];
    for (comparison, value) in filters {
        if let Some(value) = value {
            values.push(value);
            conditions.push(format!("{comparison} ${}", values.len()));
        }
    }
    values.push(i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX).into());
    let sql = format!(
        "select id, at, actor_id, actor_role, household_id, action, subject_kind, subject_id, before_json, after_json,
                request_id, peer
         from audit_event where {} order by id desc limit ${}",
        conditions.join(" and "),
        values.len()
    );
    db::rows(connection, &sql, values).await
}

/// A paper as it is stored.
#[derive(Debug, FromQueryResult)]
pub struct PaperRow {
    pub id: Uuid,
    pub county_code: String,
    pub kind: String,
    pub number: String,
    pub settlement_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub payout_id: Option<Uuid>,
    pub content: String,
    pub digest: String,
    pub is_in_force: bool,
}

/// A page of papers in the order of their ids, of all or of those touched since a moment.
pub async fn papers_after(
    reader: &Reader,
    since: Option<DateTime<Utc>>,
    after: Uuid,
    limit: u64,
) -> Result<Vec<PaperRow>, DbErr> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (sets, narrowed, mut values): (String, String, Vec<Value>) = match since {
        Some(since) => {
            let holds = format!("and {}", Touched::Paper.holds("p.id"));
            (touched::sets(), holds, vec![since.into(), id::first_of(since).into()])
        }
        None => (String::new(), String::new(), Vec::new()),
    };
    values.extend([after.into(), limit.into()]);
    let (first, second) = (values.len().saturating_sub(1), values.len());
    let sql = format!(
        "{sets} select p.id, p.county_code, p.kind, p.number, p.settlement_id, p.institution_id, p.payout_id, p.content,
                p.digest, not exists (select 1 from paper newer where newer.replaces_id = p.id) as is_in_force
         from paper p where p.id > ${first} {narrowed} order by p.id limit ${second}"
    );
    db::rows(reader, &sql, values).await
}

/// The figures of a line that a paper freezes.
#[derive(Debug, FromQueryResult)]
pub struct LineFigures {
    pub settlement_id: Uuid,
    pub id: Uuid,
    pub quantity_base: i64,
    pub price_fen: i64,
    pub amount_fen: i64,
}

/// The lines of settlements, by settlement.
pub async fn lines_of(
    reader: &Reader,
    settlement_ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<LineFigures>>, DbErr> {
    let sql = format!(
        "select settlement_id, id, quantity_base, price_fen, amount_fen from settlement_line where {}",
        db::in_ids(reader.get_database_backend(), "settlement_id", "$1")
    );
    let rows: Vec<LineFigures> = db::rows(reader, &sql, [ids(settlement_ids)]).await?;
    Ok(by(rows, |line| line.settlement_id))
}

/// The figures of a part of a payout that a paper freezes.
#[derive(Debug, FromQueryResult)]
pub struct PartFigures {
    pub payout_id: Uuid,
    pub settlement_line_id: Uuid,
    pub amount_fen: i64,
}

/// The parts of payouts, by payout.
pub async fn payout_parts_of(
    reader: &Reader,
    payout_ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<PartFigures>>, DbErr> {
    let sql = format!(
        "select payout_id, settlement_line_id, amount_fen from payout_part where {}",
        db::in_ids(reader.get_database_backend(), "payout_id", "$1")
    );
    let rows: Vec<PartFigures> = db::rows(reader, &sql, [ids(payout_ids)]).await?;
    Ok(by(rows, |part| part.payout_id))
}

/// A month of an institution, as a paper knew it.
#[derive(Debug)]
pub struct MonthAsked {
    pub paper_id: Uuid,
    pub county_code: String,
    pub institution_id: Uuid,
    pub first_on: NaiveDate,
    pub last_on: NaiveDate,
    pub known_until: DateTime<Utc>,
}

/// The balances of a month by the ledger.
#[derive(Debug, FromQueryResult)]
pub struct MonthFigures {
    pub paper_id: Uuid,
    pub opening_receivable: i64,
    pub closing_receivable: i64,
    pub opening_deposit: i64,
    pub closing_deposit: i64,
}

/// Balances before the first and at the end of the last day, by the entries that were written by then.
pub async fn frozen_rows(
    reader: &Reader,
    asked: &[MonthAsked],
) -> Result<HashMap<Uuid, MonthFigures>, DbErr> {
    let backend = reader.get_database_backend();
    let columns = [
        ("paper_id", ColumnType::Uuid),
        ("county_code", ColumnType::Text),
        ("institution_id", ColumnType::Uuid),
        ("first_on", ColumnType::Date),
        ("last_on", ColumnType::Date),
        ("known_until", ColumnType::Text),
    ];
    // SQLite keeps moments as text, written just like this one.
    let known = if backend == DbBackend::Postgres {
        "cast(asked.known_until as timestamptz)"
    } else {
        "asked.known_until"
    };
    let sum = |kind: &str, sign: &str, until: &str| {
        format!(
            "cast(coalesce(sum(case when account.kind = '{kind}' and posting.occurred_on {until}
                               then {sign}posting.amount_fen else 0 end), 0) as bigint)"
        )
    };
    let (before, within) = ("< asked.first_on", "<= asked.last_on");
    let sql = format!(
        "select asked.paper_id, {} as opening_receivable, {} as closing_receivable, {} as opening_deposit,
                {} as closing_deposit
         from ({}) asked
         join ledger_account account on account.county_code = asked.county_code
              and account.kind in ('receivable','deposit') and account.owner_id = asked.institution_id
         join ledger_posting posting on posting.account_id = account.id
         join ledger_entry entry on entry.id = posting.entry_id and entry.created_at <= {known}
         group by asked.paper_id",
        sum("receivable", "", before),
        sum("receivable", "", within),
        sum("deposit", "-", before),
        sum("deposit", "-", within),
        db::set_rows(backend, "$1", &columns)
    );
    let rows = asked.iter().map(|one| {
        vec![
            db::set_id(one.paper_id),
            json!(one.county_code),
            db::set_id(one.institution_id),
            json!(one.first_on),
            json!(one.last_on),
            json!(one.known_until.to_rfc3339()),
        ]
    });
    let found: Vec<MonthFigures> = db::rows(reader, &sql, [db::set_parameter(rows.collect())]).await?;
    Ok(found.into_iter().map(|row| (row.paper_id, row)).collect())
}

fn ids(ids: &[Uuid]) -> Value {
    db::set_parameter(ids.iter().map(|id| vec![db::set_id(*id)]).collect())
}

fn by<T>(rows: Vec<T>, key: impl Fn(&T) -> Uuid) -> HashMap<Uuid, Vec<T>> {
    let mut grouped: HashMap<Uuid, Vec<T>> = HashMap::new();
    for row in rows {
        grouped.entry(key(&row)).or_default().push(row);
    }
    grouped
}
