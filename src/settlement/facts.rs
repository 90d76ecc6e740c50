//! What orders ask of settlements: a household's sales income, which orders settlements belong to, what is unpaid.

use std::collections::HashMap;

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use crate::db::{self, ColumnType};
use crate::money::Fen;
use crate::refusal::Outcome;

/// Sales income per household since a day; households without any are left out. One statement.
pub async fn income_since(
    connection: &impl ConnectionTrait,
    household_ids: &[Uuid],
    from: NaiveDate,
) -> Outcome<HashMap<Uuid, Fen>> {
    #[derive(FromQueryResult)]
    struct Row {
        household_id: Uuid,
        amount_fen: i64,
    }
    let source = db::set_rows(connection.get_database_backend(), "$1", &[("id", ColumnType::Uuid)]);
    let sql = format!(
        "select household_id, cast(sum(amount_fen) as bigint) as amount_fen from settlement_line
         where household_id in ({source}) and sold_on >= $2 group by household_id"
    );
    let ids = db::set_parameter(household_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let rows: Vec<Row> = db::rows(connection, &sql, [ids, from.into()]).await?;
    Ok(rows.into_iter().map(|row| (row.household_id, Fen::new(row.amount_fen))).collect())
}

/// The condition that something of a settlement is still owed, be it to households or as a fee.
#[must_use]
pub fn is_unpaid(settlement: &str) -> String {
    format!(
        "{settlement}.received_fen + {settlement}.fee_received_fen < {settlement}.amount_fen + {settlement}.fee_fen"
    )
}

/// The orders that settlements belong to.
pub async fn orders_of(connection: &impl ConnectionTrait, settlement_ids: &[Uuid]) -> Outcome<Vec<Uuid>> {
    #[derive(FromQueryResult)]
    struct Row {
        order_id: Uuid,
    }
    let source = db::set_rows(connection.get_database_backend(), "$1", &[("id", ColumnType::Uuid)]);
    let sql = format!("select distinct order_id from settlement where id in ({source}) order by order_id");
    let ids = db::set_parameter(settlement_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let rows: Vec<Row> = db::rows(connection, &sql, [ids]).await?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}
