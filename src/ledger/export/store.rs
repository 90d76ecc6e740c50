//! SQL of the export: everything in batches of bounded size, in the order in which it is written. Never writes.

use chrono::NaiveDate;
use sea_orm::{DbErr, FromQueryResult, Value};
use uuid::Uuid;

use crate::db::{self, Snapshot};
use crate::members::access::CountyScope;

/// Rows read at a time.
pub const BATCH: usize = 2_000;

/// An account, with what the ledger says about its balance.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AccountRow {
    pub id: Uuid,
    pub county_code: String,
    pub kind: String,
    pub owner_id: Option<Uuid>,
    pub balance_fen: i64,
}

/// A posting with its entry and its account.
#[derive(Clone, Debug, FromQueryResult)]
pub struct PostingRow {
    pub entry_id: Uuid,
    pub entry_county: String,
    pub entry_kind: String,
    pub source_kind: String,
    pub source_id: Uuid,
    pub occurred_on: NaiveDate,
    pub reverses_id: Option<Uuid>,
    pub line_no: i64,
    pub account_county: String,
    pub account_kind: String,
    pub owner_id: Option<Uuid>,
    pub amount_fen: i64,
}

/// Where the last batch of postings of a day ended.
#[derive(Clone, Debug)]
pub struct Place {
    pub county_code: String,
    pub entry_id: Uuid,
    pub line_no: i64,
}

/// Which figure of an account is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// The one kept with the account.
    Stored,
    /// The sum of its postings before a day.
    Before(NaiveDate),
    /// The sum of its postings to the end of a day, for the accounts that moved on it.
    AtEndOf(NaiveDate),
}

/// The days on which something happened, in order.
pub async fn days(
    snapshot: &Snapshot,
    counties: &CountyScope,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Result<Vec<NaiveDate>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        occurred_on: NaiveDate,
    }
    let mut values: Vec<Value> = vec![counties.from.clone().into(), counties.before.clone().into()];
    let mut bounds = vec!["county_code >= $1 and county_code < $2".to_owned()];
    for (comparison, day) in [(">=", from), ("<=", to)] {
        if let Some(day) = day {
            values.push(day.into());
            bounds.push(format!("occurred_on {comparison} ${}", values.len()));
        }
    }
    let sql = format!(
        "select distinct occurred_on from ledger_entry where {} order by occurred_on",
        bounds.join(" and ")
    );
    let rows: Vec<Row> = db::rows(snapshot, &sql, values).await?;
    Ok(rows.into_iter().map(|row| row.occurred_on).collect())
}

/// A batch of accounts after `after`, in the order of their ids.
pub async fn accounts(
    snapshot: &Snapshot,
    counties: &CountyScope,
    figure: Figure,
    after: Option<Uuid>,
) -> Result<Vec<AccountRow>, DbErr> {
    let mut values: Vec<Value> = vec![
        counties.from.clone().into(),
        counties.before.clone().into(),
        after.unwrap_or(Uuid::nil()).into(),
        i64::try_from(BATCH).unwrap_or(i64::MAX).into(),
    ];
    let summed = |comparison: &str| {
        format!(
            "(select cast(coalesce(sum(posting.amount_fen), 0) as bigint) from ledger_posting posting
              where posting.account_id = account.id and posting.occurred_on {comparison} $5)"
        )
    };
    let (balance, moved) = match figure {
        Figure::Stored => ("account.balance_fen".to_owned(), ""),
        Figure::Before(day) => {
            values.push(day.into());
            (summed("<"), "")
        }
        Figure::AtEndOf(day) => {
            values.push(day.into());
            let moved = "and account.id in (
                select posting.account_id from ledger_entry entry
                join ledger_posting posting on posting.entry_id = entry.id
                where entry.occurred_on = $5 and entry.county_code >= $1 and entry.county_code < $2)";
            (summed("<="), moved)
        }
    };
    let sql = format!(
        "select account.id, account.county_code, account.kind, account.owner_id, {balance} as balance_fen
         from ledger_account account
         where account.county_code >= $1 and account.county_code < $2 and account.id > $3 {moved}
         order by account.id limit $4"
    );
    db::rows(snapshot, &sql, values).await
}

/// A batch of the postings of one day after a place, entry by entry.
pub async fn postings(
    snapshot: &Snapshot,
    counties: &CountyScope,
    day: NaiveDate,
    after: Option<&Place>,
) -> Result<Vec<PostingRow>, DbErr> {
    let mut values: Vec<Value> = vec![
        counties.from.clone().into(),
        counties.before.clone().into(),
        day.into(),
        i64::try_from(BATCH).unwrap_or(i64::MAX).into(),
    ];
    let mut beyond = "";
    if let Some(place) = after {
        values.extend([place.county_code.clone().into(), place.entry_id.into(), place.line_no.into()]);
        beyond = "and (entry.county_code, entry.id, posting.line_no) > ($5, $6, $7)";
    }
    let sql = format!(
        "select entry.id as entry_id, entry.county_code as entry_county, entry.kind as entry_kind,
                entry.source_kind, entry.source_id, entry.occurred_on, entry.reverses_id, posting.line_no,
                account.county_code as account_county, account.kind as account_kind, account.owner_id,
                posting.amount_fen
         from ledger_entry entry join ledger_posting posting on posting.entry_id = entry.id
         join ledger_account account on account.id = posting.account_id
         where entry.occurred_on = $3 and entry.county_code >= $1 and entry.county_code < $2 {beyond}
         order by entry.county_code, entry.id, posting.line_no limit $4"
    );
    db::rows(snapshot, &sql, values).await
}
