//! SQL of deliveries and acceptances.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::rules::{Dispatched, Weighed};
use crate::db::ColumnType::{Integer, Text, Uuid as Id};
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;

#[derive(Clone, Debug, FromQueryResult)]
pub struct DeliveryRow {
    pub id: Uuid,
    pub county_code: String,
    pub order_id: Uuid,
    pub number: String,
    pub state: String,
    pub dispatched_by: Uuid,
    pub dispatched_at: DateTime<Utc>,
    pub note: Option<String>,
    pub accepted_on: Option<NaiveDate>,
    pub settlement_id: Option<Uuid>,
    pub settlement_number: Option<String>,
}

#[derive(Clone, Debug, FromQueryResult)]
pub struct LineRow {
    pub id: Uuid,
    pub delivery_id: Uuid,
    pub allocation_id: Uuid,
    pub dispatched_base: i64,
    pub accepted_base: Option<i64>,
    pub refused_base: Option<i64>,
    pub refusal_reason: Option<String>,
}

#[derive(Debug)]
pub struct AcceptanceRow {
    pub id: Uuid,
    pub delivery_id: Uuid,
    pub accepted_by: Uuid,
    pub witnessed_by: Uuid,
    pub accepted_on: NaiveDate,
    pub created_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Found {
    id: Uuid,
}

const DELIVERY: &str = "
    select delivery.id, delivery.county_code, delivery.order_id, delivery.number, delivery.state,
           delivery.dispatched_by, delivery.dispatched_at, delivery.note, acceptance.accepted_on,
           settlement.id as settlement_id, settlement.number as settlement_number
    from delivery
    left join acceptance on acceptance.delivery_id = delivery.id
    left join settlement on settlement.acceptance_id = acceptance.id";

pub async fn insert_delivery(txn: &WriteTxn, new: &DeliveryRow) -> Result<(), DbErr> {
    let sql =
        "insert into delivery (id, county_code, order_id, number, state, dispatched_by, dispatched_at, note)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values: [Value; 8] = [
        new.id.into(),
        new.county_code.clone().into(),
        new.order_id.into(),
        new.number.clone().into(),
        new.state.clone().into(),
        new.dispatched_by.into(),
        new.dispatched_at.into(),
        new.note.clone().into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

pub async fn insert_lines(
    txn: &WriteTxn,
    delivery_id: Uuid,
    lines: &[(Uuid, Dispatched)],
) -> Result<(), DbErr> {
    let columns = [("id", Id), ("allocation_id", Id), ("dispatched_base", Integer)];
    let sql = format!(
        "insert into delivery_line (id, delivery_id, allocation_id, dispatched_base)
         select id, $2, allocation_id, dispatched_base from ({}) as line",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = lines
        .iter()
        .map(|(id, line)| vec![db::set_id(*id), db::set_id(line.allocation_id), json!(line.dispatched_base)]);
    db::change(txn, &sql, [db::set_parameter(rows.collect()), delivery_id.into()]).await?;
    Ok(())
}

/// Two acceptances of one order are booked one after the other, so that the last one finds nothing open.
pub async fn lock_order(txn: &WriteTxn, order_id: Uuid) -> Result<(), DbErr> {
    if txn.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = "select id from purchase_order where id = $1 for no key update";
    db::row::<Found>(txn, sql, [order_id.into()]).await?;
    Ok(())
}

/// Marks a dispatched delivery as accepted; `false` when it is accepted already.
pub async fn accept(txn: &WriteTxn, delivery_id: Uuid) -> Result<bool, DbErr> {
    let sql = "update delivery set state = 'accepted' where id = $1 and state = 'dispatched'";
    Ok(db::change(txn, sql, [delivery_id.into()]).await? == 1)
}

/// Writes what was accepted and refused of lines that were not weighed before, and answers how many there were.
pub async fn weigh_lines(txn: &WriteTxn, delivery_id: Uuid, lines: &[Weighed]) -> Result<u64, DbErr> {
    // The delivery with every line: for one of them all SQLite would take its index and read the set again for each line.
    let columns = [
        ("id", Id),
        ("delivery_id", Id),
        ("accepted_base", Integer),
        ("refused_base", Integer),
        ("reason", Text),
    ];
    let sql = format!(
        "update delivery_line as line set accepted_base = weighed.accepted_base,
                refused_base = weighed.refused_base, refusal_reason = weighed.reason
         from ({}) as weighed
         where line.id = weighed.id and line.delivery_id = weighed.delivery_id and line.accepted_base is null
           and line.dispatched_base = weighed.accepted_base + weighed.refused_base",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = lines.iter().map(|line| {
        vec![
            db::set_id(line.delivery_line_id),
            db::set_id(delivery_id),
            json!(line.accepted_base),
            json!(line.refused_base),
            json!(line.refusal_reason),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
}

pub async fn insert_acceptance(txn: &WriteTxn, new: &AcceptanceRow) -> Result<(), DbErr> {
    let sql = "insert into acceptance (id, delivery_id, accepted_by, witnessed_by, accepted_on, created_at)
               values ($1, $2, $3, $4, $5, $6)";
    let values: [Value; 6] = [
        new.id.into(),
        new.delivery_id.into(),
        new.accepted_by.into(),
        new.witnessed_by.into(),
        new.accepted_on.into(),
        new.created_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// The active buyer or approver of an institution behind an account, other than `but_not`.
pub async fn find_witness(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    account: &str,
    but_not: Uuid,
) -> Result<Option<Uuid>, DbErr> {
    let sql = "select id from principal where account = $1 and institution_id = $2 and is_active and id <> $3
                 and role in ('buyer', 'approver')";
    let values = [account.into(), institution_id.into(), but_not.into()];
    Ok(db::row::<Found>(connection, sql, values).await?.map(|row| row.id))
}

/// Those of `household_ids` that are paired with a helper on a day.
pub async fn paired(
    connection: &impl ConnectionTrait,
    helper_id: Uuid,
    on: NaiveDate,
    household_ids: &[Uuid],
) -> Result<Vec<Uuid>, DbErr> {
    let sql = format!(
        "select distinct household_id as id from pairing
         where helper_id = $2 and from_on <= $3 and (to_on is null or to_on >= $3) and household_id in ({})",
        db::set_rows(connection.get_database_backend(), "$1", &[("id", Id)])
    );
    let rows: Vec<Found> =
        db::rows(connection, &sql, [ids(household_ids), helper_id.into(), on.into()]).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub async fn find(
    connection: &impl ConnectionTrait,
    delivery_id: Uuid,
) -> Result<Option<DeliveryRow>, DbErr> {
    db::row(connection, &format!("{DELIVERY} where delivery.id = $1"), [delivery_id.into()]).await
}

/// One row more than the page holds, newest first: deliveries of an order with a line of one of the allocations.
pub async fn list(
    connection: &impl ConnectionTrait,
    order_id: Uuid,
    allocation_ids: &[Uuid],
    request: PageRequest,
) -> Result<Vec<DeliveryRow>, DbErr> {
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values = vec![ids(allocation_ids), order_id.into(), limit.into()];
    let mut before = "";
    if let Some(cursor) = request.before {
        values.push(cursor.into());
        before = "and delivery.id < $4";
    }
    let sql = format!(
        "{DELIVERY} where delivery.order_id = $2 {before} and delivery.id in (
             select line.delivery_id from delivery_line line where line.allocation_id in ({}))
         order by delivery.id desc limit $3",
        db::set_rows(connection.get_database_backend(), "$1", &[("id", Id)])
    );
    db::rows(connection, &sql, values).await
}

/// The lines of deliveries, by id.
pub async fn lines_of(
    connection: &impl ConnectionTrait,
    delivery_ids: &[Uuid],
) -> Result<Vec<LineRow>, DbErr> {
    let sql = format!(
        "select id, delivery_id, allocation_id, dispatched_base, accepted_base, refused_base, refusal_reason
         from delivery_line where delivery_id in ({}) order by id",
        db::set_rows(connection.get_database_backend(), "$1", &[("id", Id)])
    );
    db::rows(connection, &sql, [ids(delivery_ids)]).await
}

fn ids(ids: &[Uuid]) -> Value {
    db::set_parameter(ids.iter().map(|id| vec![db::set_id(*id)]).collect())
}
