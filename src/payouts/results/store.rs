//! SQL of results. A payout gets one only where the `WHERE` says that it has none; the caller counts the rows.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

use super::super::Step;
use super::super::rules::{BankResult, Instructed, ReturnCode};
use super::super::store::{InstructedRow, SEEN_STATE};
use crate::db::{self, ColumnType, WriteTxn};
use crate::money::Fen;
use crate::refusal::Outcome;
use crate::settlement::receipts::PayableLine;

/// Those of `ids` that are payouts of the batch.
pub async fn find(txn: &WriteTxn, batch_id: Uuid, ids: &[Uuid]) -> Outcome<Vec<Instructed>> {
    let sql = format!(
        "select payout.id, payout.household_id, payout.amount_fen, {SEEN_STATE} as state
         from payout where payout.batch_id = $2 and {} order by payout.id",
        db::in_ids(txn.get_database_backend(), "payout.id", "$1")
    );
    let rows: Vec<InstructedRow> = db::rows(txn, &sql, [parameter(ids), batch_id.into()]).await?;
    rows.into_iter().map(Instructed::try_from).collect()
}

/// Stores results of payouts that have none, with the entry that says so, and answers how many there were. They are of a
/// batch that is locked.
pub async fn store_results(
    txn: &WriteTxn,
    entry_id: Uuid,
    results: &[&(Instructed, BankResult)],
) -> Result<u64, DbErr> {
    let columns = [
        ("id", ColumnType::Uuid),
        ("state", ColumnType::Text),
        ("code", ColumnType::Text),
        ("reason", ColumnType::Text),
    ];
    // Without the batch: SQLite would take its index and read the whole set again for each of its payouts.
    let sql = format!(
        "update payout as kept set state = told.state, result_entry_id = $2, return_code = told.code,
                                   return_reason = told.reason, unknown_since = null
         from ({}) as told where kept.id = told.id and kept.state = 'instructed'",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = results.iter().map(|(payout, result)| {
        vec![
            db::set_id(payout.id),
            json!(result.state().as_str()),
            json!(result.return_code().map(ReturnCode::as_str)),
            json!(result.reason()),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect()), entry_id.into()]).await
}

/// Notes since when payouts are unknown that have no result, and answers how many there were.
pub async fn mark_unknown(txn: &WriteTxn, ids: &[Uuid], since: DateTime<Utc>) -> Result<u64, DbErr> {
    let sql = format!(
        "update payout set unknown_since = $2
         where {} and state = 'instructed' and unknown_since is null",
        db::in_ids(txn.get_database_backend(), "id", "$1")
    );
    db::change(txn, &sql, [parameter(ids), since.into()]).await
}

/// Allows another try of payouts that came back for their account, and answers how many there were.
pub async fn allow_retry(txn: &WriteTxn, ids: &[Uuid], step: &Step) -> Result<u64, DbErr> {
    let sql = format!(
        "update payout set retry_allowed_by = $2, retry_allowed_at = $3
         where {} and state = 'returned' and return_code <> 'other' and retry_allowed_at is null",
        db::in_ids(txn.get_database_backend(), "id", "$1")
    );
    db::change(txn, &sql, [parameter(ids), step.by.into(), step.at.into()]).await
}

/// The settlement lines that payouts pay.
pub async fn parts_of(txn: &WriteTxn, payout_ids: &[Uuid]) -> Result<Vec<PayableLine>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        settlement_line_id: Uuid,
        household_id: Uuid,
        amount_fen: i64,
    }
    let sql = format!(
        "select part.settlement_line_id, payout.household_id, part.amount_fen
         from payout join payout_part part on part.payout_id = payout.id
         where {} order by part.settlement_line_id",
        db::in_ids(txn.get_database_backend(), "payout.id", "$1")
    );
    let rows: Vec<Row> = db::rows(txn, &sql, [parameter(payout_ids)]).await?;
    let line = |row: Row| PayableLine {
        settlement_line_id: row.settlement_line_id,
        household_id: row.household_id,
        amount: Fen::new(row.amount_fen),
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Ends an approved batch when every payout has its result; `false` while one has none.
pub async fn execute(txn: &WriteTxn, id: Uuid, step: &Step) -> Result<bool, DbErr> {
    let sql = "update payout_batch set state = 'executed', executed_by = $2, executed_at = $3
               where id = $1 and state = 'approved'
                 and not exists (select 1 from payout where batch_id = $1 and state = 'instructed')";
    Ok(db::change(txn, sql, [id.into(), step.by.into(), step.at.into()]).await? == 1)
}

fn parameter(ids: &[Uuid]) -> sea_orm::Value {
    db::set_parameter(ids.iter().map(|id| vec![db::set_id(*id)]).collect())
}
