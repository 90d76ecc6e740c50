//! SQL of what is paid late.

use std::collections::HashMap;

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::{Receipt, Receipts};
use crate::db::{self, ColumnType};
use crate::money::Fen;
use crate::refusal::OverdueSettlement;
use crate::settlement::store::Bound;
use crate::settlement::{Sight, is_unpaid};

/// The debts of an institution that are looked at to refuse it; beyond them the sum is not of all.
const DEBTS_MAX: u16 = 10_000;

/// Which lines are looked at, as a condition on `line` with its values from `$3` on, and whether the fee is.
pub struct Seen {
    lines: String,
    values: Vec<Value>,
    has_fee: bool,
}

impl Seen {
    pub fn all() -> Self {
        Self { lines: "true".to_owned(), values: Vec::new(), has_fee: true }
    }

    pub fn of(sight: &Sight) -> Self {
        let mut bound = Bound::after(2);
        let has_fee = matches!(sight, Sight::Counties(_) | Sight::Institution(_));
        Self { lines: sight.of_line(&mut bound), values: bound.into_values(), has_fee }
    }
}

/// What came for settlements, by the payments and the uses of deposits that stood at the end of a day.
pub async fn receipts(
    connection: &impl ConnectionTrait,
    settlement_ids: &[Uuid],
    seen: &Seen,
    on: NaiveDate,
) -> Result<HashMap<Uuid, Receipts>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        settlement_id: Uuid,
        came_on: NaiveDate,
        goods_fen: i64,
        fee_fen: i64,
    }
    let wanted = db::set_rows(connection.get_database_backend(), "$1", &[("id", ColumnType::Uuid)]);
    let (paid, taken) = (payment_stood("$2"), use_stood("$2"));
    let fees = if seen.has_fee {
        format!(
            "union all
             select part.settlement_id, payment.received_on, 0, part.amount_fen
             from wanted join payment_fee_part part on part.settlement_id = wanted.id
             join payment on payment.id = part.payment_id where {paid}
             union all
             select part.settlement_id, used.used_on, 0, part.amount_fen
             from wanted join deposit_use_fee_part part on part.settlement_id = wanted.id
             join deposit_use used on used.id = part.deposit_use_id where {taken}"
        )
    } else {
        String::new()
    };
    let sql = format!(
        "with wanted as ({wanted}),
              came as (select line.settlement_id, payment.received_on as came_on, part.amount_fen as goods_fen,
                              0 as fee_fen
                       from wanted join settlement_line line on line.settlement_id = wanted.id
                       join payment_part part on part.settlement_line_id = line.id
                       join payment on payment.id = part.payment_id where ({lines}) and {paid}
                       union all
                       select line.settlement_id, used.used_on, part.amount_fen, 0
                       from wanted join settlement_line line on line.settlement_id = wanted.id
                       join deposit_use_part part on part.settlement_line_id = line.id
                       join deposit_use used on used.id = part.deposit_use_id where ({lines}) and {taken} {fees})
         select settlement_id, came_on, cast(sum(goods_fen) as bigint) as goods_fen,
                cast(sum(fee_fen) as bigint) as fee_fen
         from came group by settlement_id, came_on",
        lines = seen.lines
    );
    let ids = db::set_parameter(settlement_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let values = [ids, on.into()].into_iter().chain(seen.values.iter().cloned());
    let rows: Vec<Row> = db::rows(connection, &sql, values).await?;
    let mut found: HashMap<Uuid, Receipts> = HashMap::new();
    for row in rows {
        let came = found.entry(row.settlement_id).or_default();
        came.goods.push(Receipt { on: row.came_on, amount: Fen::new(row.goods_fen) });
        came.fee = [came.fee, Fen::new(row.fee_fen)].into_iter().sum();
    }
    Ok(found)
}

/// The condition that a `payment` had come by the end of a day and had not been taken back by then.
#[must_use]
pub fn payment_stood(day: &str) -> String {
    stood("payment", "received_on", day)
}

/// The same of `used`, the use of a deposit, which pays on its own day.
#[must_use]
pub fn use_stood(day: &str) -> String {
    stood("used", "used_on", day)
}

fn stood(row: &str, came_on: &str, day: &str) -> String {
    format!(
        "{row}.{came_on} <= {day}
         and not exists (select 1 from ledger_entry undone
                         where undone.reverses_id = {row}.entry_id and undone.occurred_on <= {day})"
    )
}

pub fn owes_nothing(institution_id: &str, due_before: &str) -> String {
    let unpaid = is_unpaid("debt");
    format!(
        "not exists (select 1 from settlement debt
                     where debt.institution_id = {institution_id} and debt.due_on < {due_before} and {unpaid})"
    )
}

/// The longest overdue first.
pub async fn debts(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    due_before: NaiveDate,
) -> Result<Vec<OverdueSettlement>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        number: String,
        due_on: NaiveDate,
        open_fen: i64,
    }
    let unpaid = is_unpaid("debt");
    let sql = format!(
        "select debt.number, debt.due_on,
                debt.amount_fen + debt.fee_fen - debt.received_fen - debt.fee_received_fen as open_fen
         from settlement debt where debt.institution_id = $1 and debt.due_on < $2 and {unpaid}
         order by debt.due_on, debt.id limit {DEBTS_MAX}"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, [institution_id.into(), due_before.into()]).await?;
    let debt =
        |row: Row| OverdueSettlement { number: row.number, due_on: row.due_on, open: Fen::new(row.open_fen) };
    Ok(rows.into_iter().map(debt).collect())
}
