//! SQL of money against settlements. Guards stand in the `where`; the caller counts the rows.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::{PayableLine, Source, Waiting};
use crate::db::{self, ColumnType, WriteTxn};
use crate::money::Fen;
use crate::settlement::rules::{FeePart, OpenLine, OpenSettlement, Payable, Received, ReceivedPart};

/// Two payments of one institution are shared one after the other. New settlements of it do not wait.
pub async fn lock_institutions(txn: &WriteTxn, ids: &[Uuid]) -> Result<(), DbErr> {
    lock(txn, "institution", ids, "for no key update").await
}

/// Locks rows of lines in the order of their ids, so that two sets never wait for each other in a circle.
pub async fn lock_lines(txn: &WriteTxn, ids: &[Uuid]) -> Result<(), DbErr> {
    lock(txn, "settlement_line", ids, "for update").await
}

/// The same for settlements, locked after lines.
pub async fn lock_settlements(txn: &WriteTxn, ids: &[Uuid]) -> Result<(), DbErr> {
    lock(txn, "settlement", ids, "for update").await
}

#[derive(FromQueryResult)]
struct Locked {}

async fn lock(txn: &WriteTxn, table: &'static str, ids: &[Uuid], how: &'static str) -> Result<(), DbErr> {
    let backend = txn.get_database_backend();
    if backend != DbBackend::Postgres || ids.is_empty() {
        return Ok(());
    }
    let wanted = db::set_rows(backend, "$1", &[("id", ColumnType::Uuid)]);
    let sql = format!("select id from {table} where id = any(array({wanted})) order by id {how}");
    db::rows::<Locked>(txn, &sql, [set_of(ids)]).await?;
    Ok(())
}

/// The tables of what was received, of lines and of fees, and the column that names by what.
const fn tables(by: Source) -> (&'static str, &'static str, &'static str) {
    match by {
        Source::Payment => ("payment_part", "payment_fee_part", "payment_id"),
        Source::DepositUse => ("deposit_use_part", "deposit_use_fee_part", "deposit_use_id"),
    }
}

pub async fn insert_parts(txn: &WriteTxn, by: Source, id: Uuid, received: &Received) -> Result<(), DbErr> {
    let (part_table, fee_table, by_column) = tables(by);
    let backend = txn.get_database_backend();
    let columns = [
        ("settlement_line_id", ColumnType::Uuid),
        ("settlement_id", ColumnType::Uuid),
        ("amount_fen", ColumnType::Integer),
    ];
    let sql = format!(
        "insert into {part_table} ({by_column}, settlement_line_id, settlement_id, amount_fen)
         select $2, settlement_line_id, settlement_id, amount_fen from ({}) as part",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = received.parts.iter().map(|part| {
        vec![db::set_id(part.settlement_line_id), db::set_id(part.settlement_id), json!(part.amount)]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect()), id.into()]).await?;
    if received.fees.is_empty() {
        return Ok(());
    }
    let columns = [("settlement_id", ColumnType::Uuid), ("amount_fen", ColumnType::Integer)];
    let sql = format!(
        "insert into {fee_table} ({by_column}, settlement_id, amount_fen)
         select $2, settlement_id, amount_fen from ({}) as part",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = received.fees.iter().map(|fee| vec![db::set_id(fee.settlement_id), json!(fee.amount)]);
    db::change(txn, &sql, [db::set_parameter(rows.collect()), id.into()]).await?;
    Ok(())
}

/// What was received, in the order of lines and of settlements.
pub async fn parts_of(connection: &impl ConnectionTrait, by: Source, id: Uuid) -> Result<Received, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        settlement_id: Uuid,
        settlement_line_id: Uuid,
        household_id: Uuid,
        amount_fen: i64,
    }
    #[derive(FromQueryResult)]
    struct FeeRow {
        settlement_id: Uuid,
        amount_fen: i64,
    }
    let (part_table, fee_table, by_column) = tables(by);
    let sql = format!(
        "select part.settlement_id, part.settlement_line_id, line.household_id, part.amount_fen
         from {part_table} part join settlement_line line on line.id = part.settlement_line_id
         where part.{by_column} = $1 order by part.settlement_line_id"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, [id.into()]).await?;
    let part = |row: Row| ReceivedPart {
        settlement_id: row.settlement_id,
        settlement_line_id: row.settlement_line_id,
        household_id: row.household_id,
        amount: Fen::new(row.amount_fen),
    };
    let sql = format!(
        "select settlement_id, amount_fen from {fee_table} where {by_column} = $1 order by settlement_id"
    );
    let fees: Vec<FeeRow> = db::rows(connection, &sql, [id.into()]).await?;
    let fee = |row: FeeRow| FeePart { settlement_id: row.settlement_id, amount: Fen::new(row.amount_fen) };
    Ok(Received { parts: rows.into_iter().map(part).collect(), fees: fees.into_iter().map(fee).collect() })
}

/// What moves on one settlement: on its lines together, and on its fee.
#[derive(Clone, Copy, Debug, Default)]
pub struct Move {
    pub goods: Fen,
    pub fee: Fen,
}

#[derive(FromQueryResult)]
struct OpenRow {
    settlement_id: Uuid,
    fee_open_fen: i64,
    settlement_line_id: Option<Uuid>,
    household_id: Option<Uuid>,
    open_fen: Option<i64>,
}

/// The oldest open settlements that `amount` reaches, with their open lines, in the order in which they are paid.
pub async fn open_settlements(
    txn: &WriteTxn,
    institution_id: Uuid,
    amount: Fen,
) -> Result<Vec<OpenSettlement>, DbErr> {
    let sql = "with unpaid as (
                   select id, settled_on, amount_fen + fee_fen - received_fen - fee_received_fen as open_fen,
                          fee_fen - fee_received_fen as fee_open_fen
                   from settlement
                   where institution_id = $1 and received_fen + fee_received_fen < amount_fen + fee_fen),
               reached as (
                   select id, settled_on, fee_open_fen,
                          sum(open_fen) over (order by settled_on, id) - open_fen as open_before
                   from unpaid)
               select reached.id as settlement_id, reached.fee_open_fen, line.id as settlement_line_id,
                      line.household_id, line.amount_fen - line.received_fen as open_fen
               from reached left join settlement_line line
                 on line.settlement_id = reached.id and line.received_fen < line.amount_fen
               where reached.open_before < $2
               order by reached.settled_on, reached.id, line.id";
    Ok(gathered(db::rows(txn, sql, [institution_id.into(), amount.get().into()]).await?))
}

/// Some settlements with their open lines, in the order in which they are paid.
pub async fn open_settlements_of(
    txn: &WriteTxn,
    settlement_ids: &[Uuid],
) -> Result<Vec<OpenSettlement>, DbErr> {
    let sql = format!(
        "select s.id as settlement_id, s.fee_fen - s.fee_received_fen as fee_open_fen,
                line.id as settlement_line_id, line.household_id,
                line.amount_fen - line.received_fen as open_fen
         from settlement s left join settlement_line line
           on line.settlement_id = s.id and line.received_fen < line.amount_fen
         where {} order by s.settled_on, s.id, line.id",
        db::in_ids(txn.get_database_backend(), "s.id", "$1")
    );
    Ok(gathered(db::rows(txn, &sql, [set_of(settlement_ids)]).await?))
}

/// Rows of one settlement stand together.
fn gathered(rows: Vec<OpenRow>) -> Vec<OpenSettlement> {
    let mut open: Vec<OpenSettlement> = Vec::new();
    for row in rows {
        if open.last().is_none_or(|last| last.id != row.settlement_id) {
            let fee_open = Fen::new(row.fee_open_fen);
            open.push(OpenSettlement { id: row.settlement_id, lines: Vec::new(), fee_open });
        }
        let line = row.settlement_line_id.zip(row.household_id).zip(row.open_fen);
        if let (Some(settlement), Some(((settlement_line_id, household_id), open))) = (open.last_mut(), line)
        {
            settlement.lines.push(OpenLine { settlement_line_id, household_id, open: Fen::new(open) });
        }
    }
    open
}

/// Those of some settlements that are the institution's, with what is open of each.
pub async fn payables(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    settlement_ids: &[Uuid],
) -> Result<Vec<Payable>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        open_fen: i64,
    }
    let sql = format!(
        "select id, amount_fen + fee_fen - received_fen - fee_received_fen as open_fen from settlement
         where {} and institution_id = $2",
        db::in_ids(connection.get_database_backend(), "id", "$1")
    );
    let rows: Vec<Row> = db::rows(connection, &sql, [set_of(settlement_ids), institution_id.into()]).await?;
    let payable = |row: Row| Payable { settlement_id: row.id, open: Fen::new(row.open_fen) };
    Ok(rows.into_iter().map(payable).collect())
}

fn set_of(ids: &[Uuid]) -> Value {
    db::set_parameter(ids.iter().map(|id| vec![db::set_id(*id)]).collect())
}

pub async fn add_to_lines(txn: &WriteTxn, parts: &[(Uuid, Fen)]) -> Result<u64, DbErr> {
    let set = "received_fen = kept.received_fen + part.amount_fen";
    move_amounts(txn, "settlement_line", set, "kept.received_fen + part.amount_fen <= kept.amount_fen", parts)
        .await
}

pub async fn add_to_settlements(txn: &WriteTxn, moves: &[(Uuid, Move)]) -> Result<u64, DbErr> {
    let set = "received_fen = kept.received_fen + moved.goods_fen,
               fee_received_fen = kept.fee_received_fen + moved.fee_fen";
    let guard = "kept.received_fen + moved.goods_fen <= kept.amount_fen
                 and kept.fee_received_fen + moved.fee_fen <= kept.fee_fen";
    move_settlements(txn, set, guard, moves).await
}

pub async fn subtract_from_lines(txn: &WriteTxn, parts: &[(Uuid, Fen)]) -> Result<u64, DbErr> {
    let set = "received_fen = kept.received_fen - part.amount_fen";
    let guard = "kept.received_fen - part.amount_fen >= kept.paid_out_fen";
    move_amounts(txn, "settlement_line", set, guard, parts).await
}

pub async fn subtract_from_settlements(txn: &WriteTxn, moves: &[(Uuid, Move)]) -> Result<u64, DbErr> {
    let set = "received_fen = kept.received_fen - moved.goods_fen,
               fee_received_fen = kept.fee_received_fen - moved.fee_fen";
    let guard = "kept.received_fen >= moved.goods_fen and kept.fee_received_fen >= moved.fee_fen";
    move_settlements(txn, set, guard, moves).await
}

/// Moves what was received of settlements where `guard` holds, and answers how many moved.
async fn move_settlements(
    txn: &WriteTxn,
    set: &'static str,
    guard: &'static str,
    moves: &[(Uuid, Move)],
) -> Result<u64, DbErr> {
    if moves.is_empty() {
        return Ok(0);
    }
    let columns =
        [("id", ColumnType::Uuid), ("goods_fen", ColumnType::Integer), ("fee_fen", ColumnType::Integer)];
    let sql = format!(
        "update settlement as kept set {set} from ({}) as moved where kept.id = moved.id and {guard}",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = moves.iter().map(|(id, part)| vec![db::set_id(*id), json!(part.goods), json!(part.fee)]);
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
}

pub async fn add_paid_out(txn: &WriteTxn, parts: &[PayableLine]) -> Result<u64, DbErr> {
    let set = "paid_out_fen = kept.paid_out_fen + part.amount_fen";
    let guard = "kept.paid_out_fen + part.amount_fen <= kept.received_fen";
    move_amounts(txn, "settlement_line", set, guard, &amounts(parts)).await
}

pub async fn subtract_paid_out(txn: &WriteTxn, parts: &[PayableLine]) -> Result<u64, DbErr> {
    let set = "paid_out_fen = kept.paid_out_fen - part.amount_fen";
    move_amounts(txn, "settlement_line", set, "kept.paid_out_fen >= part.amount_fen", &amounts(parts)).await
}

/// Sales whose money came and has not gone out, up to a day, with the household they are owed to.
const UNPAID: &str = "settlement_line line join household on household.id = line.household_id
    where line.county_code = $1 and line.paid_out_fen < line.received_fen and line.sold_on <= $2";

pub async fn payable(
    connection: &impl ConnectionTrait,
    county_code: &str,
    up_to: NaiveDate,
    held: &[Uuid],
    limit: u64,
) -> Result<Vec<PayableLine>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        household_id: Uuid,
        open_fen: i64,
    }
    let sql = format!(
        "select line.id, line.household_id, line.received_fen - line.paid_out_fen as open_fen from {UNPAID}
           and household.bank_account_sealed is not null and line.household_id not in ({})
         order by line.household_id, line.id limit $4",
        db::set_rows(connection.get_database_backend(), "$3", &[("id", ColumnType::Uuid)])
    );
    let rows: Vec<Row> = db::rows(connection, &sql, unpaid_values(county_code, up_to, held, limit)).await?;
    let line = |row: Row| PayableLine {
        settlement_line_id: row.id,
        household_id: row.household_id,
        amount: Fen::new(row.open_fen),
    };
    Ok(rows.into_iter().map(line).collect())
}

pub async fn waiting(
    connection: &impl ConnectionTrait,
    county_code: &str,
    up_to: NaiveDate,
    held: &[Uuid],
    limit: u64,
) -> Result<Vec<Waiting>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        household_id: Uuid,
        open_fen: i64,
        has_account: bool,
    }
    let sql = format!(
        "select line.household_id, household.bank_account_sealed is not null as has_account,
                cast(sum(line.received_fen - line.paid_out_fen) as bigint) as open_fen
         from {UNPAID} and (household.bank_account_sealed is null or line.household_id in ({}))
         group by line.household_id, household.bank_account_sealed is not null
         order by line.household_id limit $4",
        db::set_rows(connection.get_database_backend(), "$3", &[("id", ColumnType::Uuid)])
    );
    let rows: Vec<Row> = db::rows(connection, &sql, unpaid_values(county_code, up_to, held, limit)).await?;
    let waiting = |row: Row| Waiting {
        household_id: row.household_id,
        amount: Fen::new(row.open_fen),
        has_account: row.has_account,
    };
    Ok(rows.into_iter().map(waiting).collect())
}

fn unpaid_values(county_code: &str, up_to: NaiveDate, held: &[Uuid], limit: u64) -> [Value; 4] {
    let held = held.iter().map(|id| vec![db::set_id(*id)]).collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    [county_code.into(), up_to.into(), db::set_parameter(held), limit.into()]
}

/// Moves one figure of the rows named by `parts` where `guard` holds, and answers how many moved. A row named twice
/// moves once, so that the count gives it away.
async fn move_amounts(
    txn: &WriteTxn,
    table: &'static str,
    set: &'static str,
    guard: &'static str,
    parts: &[(Uuid, Fen)],
) -> Result<u64, DbErr> {
    if parts.is_empty() {
        return Ok(0);
    }
    let columns = [("id", ColumnType::Uuid), ("amount_fen", ColumnType::Integer)];
    let sql = format!(
        "update {table} as kept set {set} from ({}) as part
         where kept.id = part.id and part.amount_fen > 0 and {guard}",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = parts.iter().map(|(id, amount)| vec![db::set_id(*id), json!(amount)]);
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
}

fn amounts(parts: &[PayableLine]) -> Vec<(Uuid, Fen)> {
    parts.iter().map(|part| (part.settlement_line_id, part.amount)).collect()
}
