//! SQL of the demo: what a database holds already, and the figures of the summary. Reads only.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::db;

/// A note of the demo in the trail.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Note {
    pub action: String,
    pub after_json: Option<Json>,
}

/// A figure with a name.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Named {
    pub name: String,
    pub count: i64,
}

/// Households of one status, and how many of them earned.
#[derive(Clone, Debug, FromQueryResult)]
pub struct StatusRow {
    pub status: String,
    pub households: i64,
    pub earned: i64,
}

/// What a lot offers and has sold.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LotRow {
    pub price_fen: i64,
    pub pricing_unit: String,
    pub offered_base: i64,
    pub open_base: i64,
}

/// One household's income.
#[derive(Clone, Debug, FromQueryResult)]
pub struct IncomeRow {
    pub amount_fen: i64,
}

/// The sums of money.
#[derive(Clone, Debug, FromQueryResult)]
#[expect(clippy::struct_field_names, reason = "a figure says its unit")]
pub struct MoneyRow {
    pub settled_fen: i64,
    pub received_fen: i64,
    pub deposited_fen: i64,
    pub paid_out_fen: i64,
}

/// What was accepted and refused.
#[derive(Clone, Debug, FromQueryResult)]
pub struct DeliveryRow {
    pub deliveries: i64,
    pub lines: i64,
    pub refused_lines: i64,
    pub reshared: i64,
}

/// A settled line, for the digest.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LineRow {
    pub id: Uuid,
    pub amount_fen: i64,
    pub paid_out_fen: i64,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

/// The notes that a demo leaves, oldest first.
pub async fn notes(connection: &impl ConnectionTrait) -> Result<Vec<Note>, DbErr> {
    let sql = "select action, after_json from audit_event where subject_kind = 'demo' order by id";
    db::rows(connection, sql, []).await
}

/// Whether anything was ever written.
pub async fn is_empty(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let sql = "select (select count(*) from region) + (select count(*) from principal)
                    + (select count(*) from audit_event) as count";
    Ok(db::row::<Count>(connection, sql, []).await?.is_none_or(|row| row.count == 0))
}

/// Rows of the tables that the summary counts.
pub async fn counts(connection: &impl ConnectionTrait) -> Result<Vec<Named>, DbErr> {
    let sql = "select 'townships' as name, count(*) as count from region where level = 'township'
               union all select 'villages', count(*) from region where level = 'village'
               union all select 'products', count(*) from product
               union all select 'visits', count(*) from survey_visit
               union all select 'helpers', count(*) from principal where role = 'helper'
               union all select 'cooperatives', count(*) from cooperative
               union all select 'institutions', count(*) from institution
               union all select 'lots', count(*) from lot
               union all select 'payments', count(*) from payment
               union all select 'payout_batches', count(*) from payout_batch
               union all select 'payouts_paid', count(*) from payout where state = 'paid'
               union all select 'payouts_returned', count(*) from payout where state = 'returned'";
    db::rows(connection, sql, []).await
}

/// Households by present status.
pub async fn statuses(connection: &impl ConnectionTrait) -> Result<Vec<StatusRow>, DbErr> {
    let sql = "select household.status, count(*) as households,
                      count(distinct income.household_id) as earned
               from household
               left join (select distinct household_id from settlement_line where amount_fen > 0) as income
                      on income.household_id = household.id
               group by household.status order by household.status";
    db::rows(connection, sql, []).await
}

pub async fn orders_by_state(connection: &impl ConnectionTrait) -> Result<Vec<Named>, DbErr> {
    let sql = "select state as name, count(*) as count from purchase_order group by state order by state";
    db::rows(connection, sql, []).await
}

pub async fn lots(connection: &impl ConnectionTrait, today: chrono::NaiveDate) -> Result<Vec<LotRow>, DbErr> {
    let sql = "select price_fen, pricing_unit, offered_base,
                      case when state = 'on_sale' and sell_by >= $1
                           then offered_base - held_base - confirmed_base - delivered_base else 0 end as open_base
               from lot order by id";
    db::rows(connection, sql, [today.into()]).await
}

/// What each household that earned has earned, smallest first.
pub async fn incomes(connection: &impl ConnectionTrait) -> Result<Vec<IncomeRow>, DbErr> {
    let sql = "select cast(sum(amount_fen) as bigint) as amount_fen from settlement_line
               where amount_fen > 0 group by household_id order by amount_fen";
    db::rows(connection, sql, []).await
}

pub async fn money(connection: &impl ConnectionTrait) -> Result<Option<MoneyRow>, DbErr> {
    let sum = |expression: &str, table: &str, condition: &str| {
        format!("coalesce((select cast(sum({expression}) as bigint) from {table} where {condition}), 0)")
    };
    let sql = format!(
        "select {} as settled_fen, {} as received_fen, {} as deposited_fen, {} as paid_out_fen",
        sum("amount_fen", "settlement", "true"),
        sum("amount_fen", "payment", "state = 'recorded'"),
        sum("deposited_fen", "payment", "state = 'recorded'"),
        sum("amount_fen", "payout", "state = 'paid'"),
    );
    db::row(connection, &sql, []).await
}

pub async fn deliveries(connection: &impl ConnectionTrait) -> Result<Option<DeliveryRow>, DbErr> {
    let sql = "select (select count(*) from delivery) as deliveries,
                      (select count(*) from delivery_line) as lines,
                      (select count(*) from delivery_line where refused_base > 0) as refused_lines,
                      (select count(*) from allocation where round > 1) as reshared";
    db::row(connection, sql, []).await
}

pub async fn settled_lines(connection: &impl ConnectionTrait) -> Result<Vec<LineRow>, DbErr> {
    db::rows(connection, "select id, amount_fen, paid_out_fen from settlement_line order by id", []).await
}
