//! SQL of payouts. A batch and its payouts change state only where the `WHERE` says from what; the caller counts the rows.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::rules::{BankResult, BatchState, Instructed, PayoutState, Share};
use super::{BatchView, PayoutView, Step};
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::CountyScope;
use crate::members::households::mask_name;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome};
use crate::settlement::receipts::PayableLine;

const BATCH_COLUMNS: &str =
    "id, county_code, number, state, up_to, amount_fen, payout_count, made_by, made_at,
    approved_by, approved_at, executed_by, executed_at";

#[derive(Debug, FromQueryResult)]
pub struct BatchRow {
    id: Uuid,
    county_code: String,
    number: String,
    state: String,
    up_to: NaiveDate,
    amount_fen: i64,
    payout_count: i64,
    made_by: Uuid,
    made_at: DateTime<Utc>,
    approved_by: Option<Uuid>,
    approved_at: Option<DateTime<Utc>>,
    executed_by: Option<Uuid>,
    executed_at: Option<DateTime<Utc>>,
}

impl TryFrom<BatchRow> for BatchView {
    type Error = Failure;

    fn try_from(row: BatchRow) -> Outcome<Self> {
        let step = |(by, at)| Step { by, at };
        Ok(Self {
            state: BatchState::parse(&row.state)
                .ok_or_else(|| Failure::Broken(format!("unknown payout batch state {}", row.state)))?,
            id: row.id,
            county_code: row.county_code,
            number: row.number,
            up_to: row.up_to,
            amount: Fen::new(row.amount_fen),
            payout_count: row.payout_count,
            made: Step { by: row.made_by, at: row.made_at },
            approved: row.approved_by.zip(row.approved_at).map(step),
            executed: row.executed_by.zip(row.executed_at).map(step),
            has_rest: None,
        })
    }
}

fn payout_state(name: &str) -> Outcome<PayoutState> {
    PayoutState::parse(name).ok_or_else(|| Failure::Broken(format!("unknown payout state {name}")))
}

pub async fn insert_batch(txn: &WriteTxn, batch: &BatchView) -> Result<(), DbErr> {
    let sql = "insert into payout_batch (id, county_code, number, state, up_to, amount_fen, payout_count, made_by, made_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values: [Value; 9] = [
        batch.id.into(),
        batch.county_code.clone().into(),
        batch.number.clone().into(),
        batch.state.as_str().into(),
        batch.up_to.into(),
        batch.amount.get().into(),
        batch.payout_count.into(),
        batch.made.by.into(),
        batch.made.at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// Adds the drafted payouts of a batch and their parts, in two statements.
pub async fn insert_payouts(
    txn: &WriteTxn,
    batch: &BatchView,
    payouts: &[(Uuid, Share)],
) -> Result<(), DbErr> {
    let backend = txn.get_database_backend();
    let columns =
        [("id", ColumnType::Uuid), ("household_id", ColumnType::Uuid), ("amount_fen", ColumnType::Integer)];
    let sql = format!(
        "insert into payout (id, batch_id, county_code, household_id, amount_fen, state)
         select id, $2, $3, household_id, amount_fen, 'drafted' from ({}) as new",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = payouts
        .iter()
        .map(|(id, share)| vec![db::set_id(*id), db::set_id(share.household_id), json!(share.amount)]);
    let values = [db::set_parameter(rows.collect()), batch.id.into(), batch.county_code.clone().into()];
    db::change(txn, &sql, values).await?;
    let columns = [
        ("payout_id", ColumnType::Uuid),
        ("settlement_line_id", ColumnType::Uuid),
        ("amount_fen", ColumnType::Integer),
    ];
    let sql = format!(
        "insert into payout_part (payout_id, settlement_line_id, amount_fen)
         select payout_id, settlement_line_id, amount_fen from ({}) as part",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = payouts.iter().flat_map(|(id, share)| {
        share
            .parts
            .iter()
            .map(|part| vec![db::set_id(*id), db::set_id(part.settlement_line_id), json!(part.amount)])
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await?;
    Ok(())
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    request: PageRequest,
) -> Result<Vec<BatchRow>, DbErr> {
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> =
        vec![counties.from.clone().into(), counties.before.clone().into(), limit.into()];
    let mut before = "";
    if let Some(cursor) = request.before {
        values.push(cursor.into());
        before = "and id < $4";
    }
    let sql = format!(
        "select {BATCH_COLUMNS} from payout_batch
         where county_code >= $1 and county_code < $2 {before} order by id desc limit $3"
    );
    db::rows(connection, &sql, values).await
}

pub async fn find(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    id: Uuid,
) -> Result<Option<BatchRow>, DbErr> {
    let sql = format!(
        "select {BATCH_COLUMNS} from payout_batch where id = $1 and county_code >= $2 and county_code < $3"
    );
    db::row(connection, &sql, in_counties(id, counties)).await
}

/// A batch of the counties, locked: the steps of one batch follow each other.
pub async fn lock(txn: &WriteTxn, counties: &CountyScope, id: Uuid) -> Result<Option<BatchRow>, DbErr> {
    let sql = format!(
        "select {BATCH_COLUMNS} from payout_batch where id = $1 and county_code >= $2 and county_code < $3 {}",
        db::for_update(txn.get_database_backend())
    );
    db::row(txn, &sql, in_counties(id, counties)).await
}

fn in_counties(id: Uuid, counties: &CountyScope) -> [Value; 3] {
    [id.into(), counties.from.clone().into(), counties.before.clone().into()]
}

/// Every payout of a batch, village by village, with the names of the households masked.
pub async fn payouts_of(connection: &impl ConnectionTrait, batch_id: Uuid) -> Outcome<Vec<PayoutView>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        household_id: Uuid,
        head_name: String,
        village_code: String,
        amount_fen: i64,
        state: String,
        return_reason: Option<String>,
        instruction_entry_id: Option<Uuid>,
        result_entry_id: Option<Uuid>,
    }
    let sql = "select payout.id, payout.household_id, household.head_name, household.village_code,
                      payout.amount_fen, payout.state, payout.return_reason, payout.instruction_entry_id,
                      payout.result_entry_id
               from payout join household on household.id = payout.household_id
               where payout.batch_id = $1 order by household.village_code, payout.id";
    let rows: Vec<Row> = db::rows(connection, sql, [batch_id.into()]).await?;
    let view = |row: Row| {
        Ok(PayoutView {
            state: payout_state(&row.state)?,
            id: row.id,
            household_id: row.household_id,
            masked_name: mask_name(&row.head_name),
            village_code: row.village_code,
            amount: Fen::new(row.amount_fen),
            return_reason: row.return_reason,
            instruction_entry_id: row.instruction_entry_id,
            result_entry_id: row.result_entry_id,
        })
    };
    rows.into_iter().map(view).collect()
}

#[derive(FromQueryResult)]
struct InstructedRow {
    id: Uuid,
    household_id: Uuid,
    amount_fen: i64,
    state: String,
}

impl TryFrom<InstructedRow> for Instructed {
    type Error = Failure;

    fn try_from(row: InstructedRow) -> Outcome<Self> {
        Ok(Self {
            state: payout_state(&row.state)?,
            id: row.id,
            household_id: row.household_id,
            amount: Fen::new(row.amount_fen),
        })
    }
}

/// What every household of a batch gets.
pub async fn amounts_of(txn: &WriteTxn, batch_id: Uuid) -> Outcome<Vec<Instructed>> {
    let sql = "select id, household_id, amount_fen, state from payout where batch_id = $1 order by id";
    let rows: Vec<InstructedRow> = db::rows(txn, sql, [batch_id.into()]).await?;
    rows.into_iter().map(Instructed::try_from).collect()
}

/// Those of `ids` that are payouts of the batch.
pub async fn find_payouts(txn: &WriteTxn, batch_id: Uuid, ids: &[Uuid]) -> Outcome<Vec<Instructed>> {
    let sql = format!(
        "select payout.id, payout.household_id, payout.amount_fen, payout.state
         from payout where payout.batch_id = $2 and payout.id in ({}) order by payout.id",
        db::set_rows(txn.get_database_backend(), "$1", &[("id", ColumnType::Uuid)])
    );
    let ids = ids.iter().map(|id| vec![db::set_id(*id)]).collect();
    let rows: Vec<InstructedRow> = db::rows(txn, &sql, [db::set_parameter(ids), batch_id.into()]).await?;
    rows.into_iter().map(Instructed::try_from).collect()
}

/// Approves a drafted batch that somebody else made; `false` when it is not that any more.
pub async fn approve(txn: &WriteTxn, id: Uuid, step: &Step) -> Result<bool, DbErr> {
    let sql = "update payout_batch set state = 'approved', approved_by = $2, approved_at = $3
               where id = $1 and state = 'drafted' and made_by <> $2";
    Ok(db::change(txn, sql, [id.into(), step.by.into(), step.at.into()]).await? == 1)
}

/// Marks every drafted payout of a batch as instructed and answers how many there were.
pub async fn instruct(txn: &WriteTxn, batch_id: Uuid, entry_id: Uuid) -> Result<u64, DbErr> {
    let sql = "update payout set state = 'instructed', instruction_entry_id = $2
               where batch_id = $1 and state = 'drafted'";
    db::change(txn, sql, [batch_id.into(), entry_id.into()]).await
}

/// What the bank did with a payout, and the entry that says so.
pub struct ResultRow<'a> {
    pub payout_id: Uuid,
    pub result: &'a BankResult,
    pub entry_id: Uuid,
}

/// Stores results of payouts that have none and answers how many there were. They are of a batch that is locked.
pub async fn store_results(txn: &WriteTxn, results: &[ResultRow<'_>]) -> Result<u64, DbErr> {
    let columns = [
        ("id", ColumnType::Uuid),
        ("state", ColumnType::Text),
        ("entry_id", ColumnType::Uuid),
        ("reason", ColumnType::Text),
    ];
    // Without the batch: SQLite would take its index and read the whole set again for each of its payouts.
    let sql = format!(
        "update payout as kept set state = told.state, result_entry_id = told.entry_id, return_reason = told.reason
         from ({}) as told where kept.id = told.id and kept.state = 'instructed'",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = results.iter().map(|row| {
        vec![
            db::set_id(row.payout_id),
            json!(row.result.state().as_str()),
            db::set_id(row.entry_id),
            json!(row.result.reason()),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
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
         where payout.id in ({}) order by part.settlement_line_id",
        db::set_rows(txn.get_database_backend(), "$1", &[("id", ColumnType::Uuid)])
    );
    let ids = payout_ids.iter().map(|id| vec![db::set_id(*id)]).collect();
    let rows: Vec<Row> = db::rows(txn, &sql, [db::set_parameter(ids)]).await?;
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
