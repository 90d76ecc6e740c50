//! SQL of payouts. A batch and its payouts change state only where the `WHERE` says from what; the caller counts the rows.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::payees::why_left_out;
use super::rules::{BatchState, Instructed, LeftOutReason, PayoutState, ReturnCode, Share};
use super::{BatchView, Counted, LeftOutView, PayoutView, Step, Tally};
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::CountyScope;
use crate::members::households::mask_name;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome};
use crate::settlement::receipts::Waiting;

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
            counted: None,
        })
    }
}

/// The state of a payout as people see it.
pub const SEEN_STATE: &str =
    "case when payout.unknown_since is not null then 'unknown' else payout.state end";

pub fn payout_state(name: &str) -> Outcome<PayoutState> {
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

/// A payout as it is stored.
#[derive(FromQueryResult)]
pub struct PayoutRow {
    pub id: Uuid,
    pub account_sealed: Option<String>,
    household_id: Uuid,
    head_name: String,
    village_code: String,
    amount_fen: i64,
    state: String,
    unknown_since: Option<DateTime<Utc>>,
    return_code: Option<String>,
    return_reason: Option<String>,
    retry_allowed_at: Option<DateTime<Utc>>,
    instruction_entry_id: Option<Uuid>,
    result_entry_id: Option<Uuid>,
}

impl PayoutRow {
    /// With the name masked, beside an account that the caller has masked.
    pub fn view(self, masked_account: Option<String>) -> Outcome<PayoutView> {
        let code = |name: String| {
            ReturnCode::parse(&name).ok_or_else(|| Failure::Broken(format!("unknown return code {name}")))
        };
        Ok(PayoutView {
            state: payout_state(&self.state)?,
            return_code: self.return_code.map(code).transpose()?,
            masked_name: mask_name(&self.head_name),
            masked_account,
            id: self.id,
            household_id: self.household_id,
            village_code: self.village_code,
            amount: Fen::new(self.amount_fen),
            unknown_since: self.unknown_since,
            return_reason: self.return_reason,
            retry_allowed_at: self.retry_allowed_at,
            instruction_entry_id: self.instruction_entry_id,
            result_entry_id: self.result_entry_id,
        })
    }
}

/// One row more than the page holds, newest first.
pub async fn list_payouts(
    connection: &impl ConnectionTrait,
    batch_id: Uuid,
    state: Option<PayoutState>,
    request: PageRequest,
) -> Result<Vec<PayoutRow>, DbErr> {
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![batch_id.into(), limit.into()];
    let mut conditions = vec!["payout.batch_id = $1".to_owned()];
    if let Some(before) = request.before {
        values.push(before.into());
        conditions.push(format!("payout.id < ${}", values.len()));
    }
    if let Some(state) = state {
        values.push(state.as_str().into());
        conditions.push(format!("{SEEN_STATE} = ${}", values.len()));
    }
    let sql = format!(
        "select payout.id, payout.household_id, household.head_name, household.village_code, payee.account_sealed,
                payout.amount_fen, {SEEN_STATE} as state, payout.unknown_since, payout.return_code,
                payout.return_reason, payout.retry_allowed_at, payout.instruction_entry_id, payout.result_entry_id
         from payout join household on household.id = payout.household_id
         left join payout_payee payee on payee.payout_id = payout.id
         where {} order by payout.id desc limit $2",
        conditions.join(" and ")
    );
    db::rows(connection, &sql, values).await
}

/// Adds the households that a new batch leaves out.
pub async fn insert_left_out(
    txn: &WriteTxn,
    batch: &BatchView,
    left_out: &[(Uuid, Waiting)],
) -> Result<(), DbErr> {
    let columns = [
        ("id", ColumnType::Uuid),
        ("household_id", ColumnType::Uuid),
        ("amount_fen", ColumnType::Integer),
        ("reason", ColumnType::Text),
    ];
    let sql = format!(
        "insert into payout_left_out (id, batch_id, county_code, household_id, amount_fen, reason)
         select id, $2, $3, household_id, amount_fen, reason from ({}) as new",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = left_out.iter().map(|(id, waiting)| {
        let reason = why_left_out(waiting).as_str();
        vec![db::set_id(*id), db::set_id(waiting.household_id), json!(waiting.amount), json!(reason)]
    });
    let values = [db::set_parameter(rows.collect()), batch.id.into(), batch.county_code.clone().into()];
    db::change(txn, &sql, values).await?;
    Ok(())
}

/// One row more than the page holds, newest first.
pub async fn list_left_out(
    connection: &impl ConnectionTrait,
    batch_id: Uuid,
    request: PageRequest,
) -> Outcome<Vec<LeftOutView>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        household_id: Uuid,
        head_name: String,
        village_code: String,
        amount_fen: i64,
        reason: String,
    }
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![batch_id.into(), limit.into()];
    let mut before = "";
    if let Some(cursor) = request.before {
        values.push(cursor.into());
        before = "and left_out.id < $3";
    }
    let sql = format!(
        "select left_out.id, left_out.household_id, household.head_name, household.village_code,
                left_out.amount_fen, left_out.reason
         from payout_left_out left_out join household on household.id = left_out.household_id
         where left_out.batch_id = $1 {before} order by left_out.id desc limit $2"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, values).await?;
    let view = |row: Row| {
        Ok(LeftOutView {
            reason: LeftOutReason::parse(&row.reason)
                .ok_or_else(|| Failure::Broken(format!("unknown reason {}", row.reason)))?,
            masked_name: mask_name(&row.head_name),
            id: row.id,
            household_id: row.household_id,
            village_code: row.village_code,
            amount: Fen::new(row.amount_fen),
        })
    };
    rows.into_iter().map(view).collect()
}

/// The payouts of a batch by state, and whom it left out.
pub async fn counted(connection: &impl ConnectionTrait, batch_id: Uuid) -> Outcome<Counted> {
    #[derive(FromQueryResult)]
    struct Row {
        state: String,
        count: i64,
        amount_fen: i64,
    }
    let sql = format!(
        "select {SEEN_STATE} as state, count(*) as count, cast(sum(payout.amount_fen) as bigint) as amount_fen
         from payout where payout.batch_id = $1 group by 1
         union all
         select 'left_out', count(*), cast(sum(amount_fen) as bigint) from payout_left_out
         where batch_id = $1 having count(*) > 0"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, [batch_id.into()]).await?;
    let mut counted = Counted::default();
    for row in rows {
        let tally = Tally { count: row.count, amount: Fen::new(row.amount_fen) };
        if row.state == "left_out" {
            counted.left_out = tally;
        } else {
            counted.by_state.push((payout_state(&row.state)?, tally));
        }
    }
    counted.by_state.sort_unstable_by_key(|(state, _)| *state);
    Ok(counted)
}

/// A returned payout and the account it went to.
#[derive(FromQueryResult)]
pub struct ReturnedRow {
    pub payout_id: Uuid,
    pub household_id: Uuid,
    pub account_sealed: String,
}

/// The payouts of a county that came back for a reason of the account, after which the household was not paid and nobody
/// allowed another try.
pub async fn returned_accounts(
    connection: &impl ConnectionTrait,
    county_code: &str,
) -> Result<Vec<ReturnedRow>, DbErr> {
    let sql = "select payout.id as payout_id, payout.household_id, payee.account_sealed
               from payout join payout_payee payee on payee.payout_id = payout.id
               where payout.county_code = $1 and payout.state = 'returned' and payout.return_code <> 'other'
                 and payout.retry_allowed_at is null
                 and not exists (select 1 from payout later
                                 where later.household_id = payout.household_id and later.id > payout.id
                                   and later.state = 'paid')
               order by payout.household_id, payout.id";
    db::rows(connection, sql, [county_code.into()]).await
}

/// The next payouts of a batch behind one, in the order of their ids.
pub async fn payouts_after(
    connection: &impl ConnectionTrait,
    batch_id: Uuid,
    after: Uuid,
    limit: usize,
) -> Outcome<Vec<Instructed>> {
    let sql = format!(
        "select payout.id, payout.household_id, payout.amount_fen, {SEEN_STATE} as state
         from payout where payout.batch_id = $1 and payout.id > $2 order by payout.id limit $3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<InstructedRow> =
        db::rows(connection, &sql, [batch_id.into(), after.into(), limit.into()]).await?;
    rows.into_iter().map(Instructed::try_from).collect()
}

/// A payee as it was when the bank was instructed.
pub struct FrozenPayee {
    pub payout_id: Uuid,
    pub name_sealed: String,
    pub account_sealed: String,
}

/// Adds payees and answers how many there are.
pub async fn insert_payees(txn: &WriteTxn, payees: &[FrozenPayee]) -> Result<u64, DbErr> {
    let columns =
        [("payout_id", ColumnType::Uuid), ("name", ColumnType::Text), ("account", ColumnType::Text)];
    let sql = format!(
        "insert into payout_payee (payout_id, name_sealed, account_sealed)
         select payout_id, name, account from ({}) as new",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = payees.iter().map(|payee| {
        vec![db::set_id(payee.payout_id), json!(payee.name_sealed), json!(payee.account_sealed)]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
}

/// The account that a batch is paid from, sealed.
#[derive(FromQueryResult)]
pub struct FrozenDebtor {
    pub name: String,
    pub bank: String,
    pub account_sealed: String,
}

pub async fn debtor(txn: &WriteTxn, batch_id: Uuid) -> Result<Option<FrozenDebtor>, DbErr> {
    let sql = "select debtor_name as name, debtor_bank as bank, debtor_account_sealed as account_sealed
               from payout_batch where id = $1 and debtor_account_sealed is not null";
    db::row(txn, sql, [batch_id.into()]).await
}

/// Fixes the account of a batch that has none; `false` when it has one.
pub async fn set_debtor(txn: &WriteTxn, batch_id: Uuid, debtor: &FrozenDebtor) -> Result<bool, DbErr> {
    let sql = "update payout_batch set debtor_name = $2, debtor_bank = $3, debtor_account_sealed = $4
               where id = $1 and debtor_account_sealed is null";
    let values = [
        batch_id.into(),
        debtor.name.clone().into(),
        debtor.bank.clone().into(),
        debtor.account_sealed.clone().into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

#[derive(FromQueryResult)]
pub struct InstructedRow {
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
    payouts_after(txn, batch_id, Uuid::nil(), usize::MAX).await
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

/// The batch that a bank's message is about: by its number, or by one of its payouts.
pub async fn batch_told(
    connection: &impl ConnectionTrait,
    number: Option<&str>,
    payout_id: Option<Uuid>,
) -> Result<Option<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Told {
        id: Uuid,
    }
    let found: Option<Told> = match (number, payout_id) {
        (Some(number), _) => {
            db::row(connection, "select id from payout_batch where number = $1", [number.into()]).await?
        }
        (None, Some(payout_id)) => {
            let sql = "select batch_id as id from payout where id = $1";
            db::row(connection, sql, [payout_id.into()]).await?
        }
        (None, None) => None,
    };
    Ok(found.map(|told| told.id))
}
