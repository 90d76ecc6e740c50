//! SQL of orders, lines and allocations. Lines and allocations are written and moved as sets, never one by one.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::plan::{self, Plan};
use super::rules::OrderRequest;
use super::{Filter, PlacedIds};
use crate::db::ColumnType::{Boolean, Date, Integer, Text, Time, Uuid as Id};
use crate::db::{self, Change, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::{Caller, Scope};
use crate::money::Fen;
use crate::refusal::Outcome;
use crate::settlement::{self, late};

/// An order as it is stored.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OrderRow {
    pub id: Uuid,
    pub county_code: String,
    pub number: String,
    pub institution_id: Uuid,
    pub policy: String,
    pub payment_mode: String,
    pub state: String,
    pub amount_fen: i64,
    pub placed_at: DateTime<Utc>,
    pub hold_expires_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub rating: Option<i64>,
    pub rating_comment: Option<String>,
}

/// A line as it is stored, with what its product says.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LineRow {
    pub id: Uuid,
    pub product_id: Uuid,
    pub product_name: String,
    pub measure: String,
    pub quantity_base: i64,
    pub max_price_fen: i64,
    pub max_price_unit: String,
    pub needed_by: NaiveDate,
    pub region_code: String,
    pub grade: Option<String>,
    pub shortfall_base: i64,
    pub amount_fen: i64,
}

/// An allocation as it is stored, with its measure and village.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AllocationRow {
    pub id: Uuid,
    pub line_id: Uuid,
    pub line_no: i64,
    pub lot_id: Uuid,
    pub household_id: Uuid,
    pub product_id: Uuid,
    pub village_code: String,
    pub measure: String,
    pub quantity_base: i64,
    pub price_fen: i64,
    pub pricing_unit: String,
    pub amount_fen: i64,
    pub tier: i64,
    pub reason: String,
    pub state: String,
}

const ORDER_COLUMNS: &str = "purchase_order.id, purchase_order.county_code, purchase_order.number,
    purchase_order.institution_id, purchase_order.policy, purchase_order.payment_mode, purchase_order.state,
    purchase_order.amount_fen, purchase_order.placed_at, purchase_order.hold_expires_at, purchase_order.confirmed_at,
    purchase_order.ended_at, purchase_order.rating, purchase_order.rating_comment";

/// The head of an order that is placed.
#[derive(Clone, Debug)]
pub struct NewOrder<'a> {
    pub ids: &'a PlacedIds,
    pub county_code: &'a str,
    pub number: &'a str,
    pub request: &'a OrderRequest,
    pub placed_by: Uuid,
    pub placed_at: DateTime<Utc>,
    pub hold_expires_at: DateTime<Utc>,
}

/// The statements that add an order with its lines and allocations: three, whatever their number. None is added for an
/// institution that owes something from before `debts_before`.
pub fn additions(
    backend: DbBackend,
    order: &NewOrder<'_>,
    plan: &Plan,
    debts_before: Option<NaiveDate>,
) -> Outcome<[Change; 3]> {
    let rows = plan.lines.iter().zip(&order.ids.lines).flat_map(|(line, (line_id, part_ids))| {
        line.parts.iter().zip(part_ids).map(|(part, id)| allocation_row(*id, *line_id, part, line, "held", 1))
    });
    Ok([
        head_addition(backend, order, plan, debts_before),
        lines_addition(backend, order.ids, plan)?,
        allocations_addition(backend, order.ids.order_id, order.county_code, rows.collect()),
    ])
}

fn head_addition(
    backend: DbBackend,
    order: &NewOrder<'_>,
    plan: &Plan,
    debts_before: Option<NaiveDate>,
) -> Change {
    let columns = [
        ("id", Id),
        ("county_code", Text),
        ("number", Text),
        ("institution_id", Id),
        ("policy", Text),
        ("amount_fen", Integer),
        ("placed_by", Id),
        ("placed_at", Time),
        ("hold_expires_at", Time),
        ("payment_mode", Text),
    ];
    let row = vec![
        db::set_id(order.ids.order_id),
        json!(order.county_code),
        json!(order.number),
        db::set_id(order.request.institution_id),
        json!(order.request.policy.as_str()),
        json!(plan.amount().get()),
        db::set_id(order.placed_by),
        db::set_time(order.placed_at),
        db::set_time(order.hold_expires_at),
        json!(order.request.payment_mode.as_str()),
        json!(debts_before),
    ];
    let names = columns.map(|(name, _)| name).join(", ");
    let columns: Vec<_> = columns.into_iter().chain([("debts_before", Date)]).collect();
    let sql = format!(
        "insert into purchase_order ({names}, state, version) select {names}, 'placed', 1 from ({}) as head where {}",
        db::set_rows(backend, "$1", &columns),
        late::owes_nothing("head.institution_id", "head.debts_before")
    );
    Change::adding(sql, vec![row])
}

fn lines_addition(backend: DbBackend, ids: &PlacedIds, plan: &Plan) -> Outcome<Change> {
    let columns = [
        ("order_id", Id),
        ("id", Id),
        ("line_no", Integer),
        ("product_id", Id),
        ("quantity_base", Integer),
        ("max_price_fen", Integer),
        ("max_price_unit", Text),
        ("needed_by", Date),
        ("region_code", Text),
        ("grade", Text),
        ("min_share_base", Integer),
        ("max_households", Integer),
        ("allow_partial", Boolean),
        ("shortfall_base", Integer),
        ("amount_fen", Integer),
        ("replay", Text),
    ];
    let mut rows = Vec::with_capacity(plan.lines.len());
    for (index, (planned, (line_id, _))) in plan.lines.iter().zip(&ids.lines).enumerate() {
        let line = &planned.line;
        rows.push(vec![
            db::set_id(ids.order_id),
            db::set_id(*line_id),
            json!(index + 1),
            db::set_id(line.product.id),
            json!(line.quantity_base),
            json!(line.max_price.fen.get()),
            json!(line.max_price.per.as_str()),
            json!(line.needed_by),
            json!(planned.region_code),
            json!(line.grade),
            json!(line.min_share_base),
            json!(line.max_households),
            json!(line.allow_partial),
            json!(planned.shortfall_base),
            json!(planned.amount.get()),
            json!(plan::record(planned)?),
        ]);
    }
    let names = columns.map(|(name, _)| name).join(", ");
    let source = db::set_rows(backend, "$1", &columns);
    let sql = format!("insert into order_line ({names}) select {names} from ({source}) as line");
    Ok(Change::adding(sql, rows))
}

const ALLOCATION_COLUMNS: [(&str, db::ColumnType); 12] = [
    ("id", Id),
    ("line_id", Id),
    ("lot_id", Id),
    ("household_id", Id),
    ("quantity_base", Integer),
    ("price_fen", Integer),
    ("pricing_unit", Text),
    ("amount_fen", Integer),
    ("tier", Integer),
    ("reason", Text),
    ("state", Text),
    ("round", Integer),
];

/// One row for [`insert_allocations`].
pub fn allocation_row(
    id: Uuid,
    line_id: Uuid,
    part: &plan::Part,
    line: &plan::PlannedLine,
    state: &str,
    round: i64,
) -> Vec<serde_json::Value> {
    vec![
        db::set_id(id),
        db::set_id(line_id),
        db::set_id(part.share.lot_id),
        db::set_id(part.share.household_id),
        json!(part.share.quantity_base),
        json!(part.price.fen.get()),
        json!(part.price.per.as_str()),
        json!(part.amount.get()),
        json!(part.share.tier.number()),
        json!(super::reason_of(part, line.line.product.measure)),
        json!(state),
        json!(round),
    ]
}

/// Inserts allocations of one order as a set.
pub async fn insert_allocations(
    txn: &WriteTxn,
    order_id: Uuid,
    county_code: &str,
    rows: Vec<Vec<serde_json::Value>>,
) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    allocations_addition(txn.get_database_backend(), order_id, county_code, rows).send(txn).await?;
    Ok(())
}

fn allocations_addition(
    backend: DbBackend,
    order_id: Uuid,
    county_code: &str,
    mut rows: Vec<Vec<serde_json::Value>>,
) -> Change {
    for row in &mut rows {
        row.extend([db::set_id(order_id), json!(county_code)]);
    }
    let columns: Vec<_> =
        ALLOCATION_COLUMNS.into_iter().chain([("order_id", Id), ("county_code", Text)]).collect();
    let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let source = db::set_rows(backend, "$1", &columns);
    Change::adding(format!("insert into allocation ({names}) select {names} from ({source}) as part"), rows)
}

/// The condition that keeps a query to the orders that exist for a caller; its parameters begin at `$first`.
fn scope(caller: &Caller, today: NaiveDate, first: usize) -> (String, Vec<Value>) {
    let (second, third) = (first + 1, first + 2);
    match &caller.scope {
        Scope::Institution(id) => (format!("purchase_order.institution_id = ${first}"), vec![(*id).into()]),
        // A county and what is above it sees every order; a township the orders that its villages take part in.
        Scope::Region(region) => (
            format!(
                "(purchase_order.county_code || '000000' >= ${first} and purchase_order.county_code || '000000' < ${second}
                  or purchase_order.county_code = ${third} and exists (
                     select 1 from allocation join lot on lot.id = allocation.lot_id
                     where allocation.order_id = purchase_order.id
                       and lot.village_code >= ${first} and lot.village_code < ${second}))"
            ),
            vec![
                region.from.clone().into(),
                region.before.clone().into(),
                region.code.get(..6).unwrap_or_default().to_owned().into(),
            ],
        ),
        Scope::Household(id) => (
            format!(
                "exists (select 1 from allocation where allocation.order_id = purchase_order.id
                         and allocation.household_id = ${first})"
            ),
            vec![(*id).into()],
        ),
        Scope::Helper(id) => (
            format!(
                "exists (select 1 from allocation join pairing on pairing.household_id = allocation.household_id
                         where allocation.order_id = purchase_order.id and pairing.helper_id = ${first}
                           and pairing.from_on <= ${second}
                           and (pairing.to_on is null or pairing.to_on >= ${second}))"
            ),
            vec![(*id).into(), today.into()],
        ),
    }
}

/// The order, if it exists for the caller.
pub async fn find(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    today: NaiveDate,
    order_id: Uuid,
) -> Result<Option<OrderRow>, DbErr> {
    let (condition, values) = scope(caller, today, 2);
    let sql = format!("select {ORDER_COLUMNS} from purchase_order where id = $1 and {condition}");
    db::row(connection, &sql, std::iter::once(order_id.into()).chain(values)).await
}

/// The order, whoever asks.
pub async fn find_any(connection: &impl ConnectionTrait, order_id: Uuid) -> Result<Option<OrderRow>, DbErr> {
    let sql = format!("select {ORDER_COLUMNS} from purchase_order where id = $1");
    db::row(connection, &sql, [order_id.into()]).await
}

/// A page of the orders that exist for the caller, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    today: NaiveDate,
    filter: &Filter,
    page: PageRequest,
) -> Result<Vec<OrderRow>, DbErr> {
    let (condition, mut values) = scope(caller, today, 1);
    let mut sql = format!("select {ORDER_COLUMNS} from purchase_order where {condition}");
    let mut narrow = |column: &str, value: Value| {
        values.push(value);
        let _ = write!(sql, " and {column} ${}", values.len());
    };
    if let Some(state) = filter.state {
        narrow("purchase_order.state =", state.as_str().into());
    }
    if let Some(institution_id) = filter.institution_id {
        narrow("purchase_order.institution_id =", institution_id.into());
    }
    if let Some(before) = page.before {
        narrow("purchase_order.id <", before.into());
    }
    values.push(i64::try_from(page.limit + 1).unwrap_or(i64::MAX).into());
    let _ = write!(sql, " order by purchase_order.id desc limit ${}", values.len());
    db::rows(connection, &sql, values).await
}

/// The lines of an order, in the buyer's order.
pub async fn lines(connection: &impl ConnectionTrait, order_id: Uuid) -> Result<Vec<LineRow>, DbErr> {
    let sql = "select order_line.id, order_line.product_id, product.name as product_name, product.measure,
                      order_line.quantity_base, order_line.max_price_fen, order_line.max_price_unit,
                      order_line.needed_by, order_line.region_code, order_line.grade, order_line.shortfall_base,
                      order_line.amount_fen
               from order_line join product on product.id = order_line.product_id
               where order_line.order_id = $1 order by order_line.line_no";
    db::rows(connection, sql, [order_id.into()]).await
}

/// The stored inputs of a line's allocation.
pub async fn replay_of(connection: &impl ConnectionTrait, line_id: Uuid) -> Result<Option<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        replay: String,
    }
    let row: Option<Row> =
        db::row(connection, "select replay from order_line where id = $1", [line_id.into()]).await?;
    Ok(row.map(|row| row.replay))
}

const ALLOCATION_SELECT: &str = "select allocation.id, allocation.line_id, order_line.line_no, allocation.lot_id,
    allocation.household_id, order_line.product_id, lot.village_code, product.measure, allocation.quantity_base,
    allocation.price_fen, allocation.pricing_unit, allocation.amount_fen, allocation.tier, allocation.reason,
    allocation.state
    from allocation
    join order_line on order_line.id = allocation.line_id
    join product on product.id = order_line.product_id
    join lot on lot.id = allocation.lot_id";

/// All allocations of an order, by id.
pub async fn allocations(
    connection: &impl ConnectionTrait,
    order_id: Uuid,
) -> Result<Vec<AllocationRow>, DbErr> {
    let sql = format!("{ALLOCATION_SELECT} where allocation.order_id = $1 order by allocation.id");
    db::rows(connection, &sql, [order_id.into()]).await
}

/// A page of those allocations of an order that exist for the caller, newest first.
pub async fn list_allocations(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    today: NaiveDate,
    order_id: Uuid,
    page: PageRequest,
) -> Result<Vec<AllocationRow>, DbErr> {
    let mut values: Vec<Value> = vec![order_id.into()];
    let condition = match &caller.scope {
        Scope::Institution(_) => "",
        Scope::Region(region) => {
            values.extend([region.from.clone().into(), region.before.clone().into()]);
            "and lot.village_code >= $2 and lot.village_code < $3"
        }
        Scope::Household(id) => {
            values.push((*id).into());
            "and allocation.household_id = $2"
        }
        Scope::Helper(id) => {
            values.extend([(*id).into(), today.into()]);
            "and allocation.household_id in (select household_id from pairing where helper_id = $2
                                                and from_on <= $3 and (to_on is null or to_on >= $3))"
        }
    };
    let mut sql = format!("{ALLOCATION_SELECT} where allocation.order_id = $1 {condition}");
    if let Some(before) = page.before {
        values.push(before.into());
        let _ = write!(sql, " and allocation.id < ${}", values.len());
    }
    values.push(i64::try_from(page.limit + 1).unwrap_or(i64::MAX).into());
    let _ = write!(sql, " order by allocation.id desc limit ${}", values.len());
    db::rows(connection, &sql, values).await
}

/// Confirms a placed order whose hold has not expired; `false` when it is not that any more.
pub async fn confirm(
    txn: &WriteTxn,
    order_id: Uuid,
    institution_id: Uuid,
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "update purchase_order set state = 'confirmed', confirmed_by = $3, confirmed_at = $4, version = version + 1
               where id = $1 and institution_id = $2 and state = 'placed' and hold_expires_at > $4";
    Ok(db::change(txn, sql, [order_id.into(), institution_id.into(), by.into(), now.into()]).await? == 1)
}

/// Ends an order that is in one of `from`; `false` when it is in another state.
pub async fn end(
    txn: &WriteTxn,
    order_id: Uuid,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "update purchase_order set state = $3, ended_at = $4, version = version + 1 where id = $1 and state = $2";
    Ok(db::change(txn, sql, [order_id.into(), from.into(), to.into(), now.into()]).await? == 1)
}

/// Claims placed orders whose hold has expired, at most `limit`, and marks them expired. Two sweepers never claim the
/// same one.
pub async fn expire_due(
    txn: &WriteTxn,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<(Uuid, String)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        county_code: String,
    }
    let lock = if txn.get_database_backend() == DbBackend::Postgres { "for update skip locked" } else { "" };
    let sql = format!(
        "update purchase_order set state = 'expired', ended_at = $1, version = version + 1
         where id in (select id from purchase_order where state = 'placed' and hold_expires_at <= $1
                      order by hold_expires_at limit $2 {lock})
         returning id, county_code"
    );
    let rows: Vec<Row> = db::rows(txn, &sql, [now.into(), i64::from(limit).into()]).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.county_code)).collect())
}

/// Stock that orders in a set have in allocations of one state, per lot.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct LotPart {
    pub lot_id: Uuid,
    pub base: i64,
}

/// Moves the allocations of some orders from one state to another and answers how much that is per lot.
pub async fn move_allocations(
    txn: &WriteTxn,
    order_ids: &[Uuid],
    from: &str,
    to: &str,
) -> Result<Vec<LotPart>, DbErr> {
    let source = db::set_rows(txn.get_database_backend(), "$1", &[("id", Id)]);
    let ids = || db::set_parameter(order_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let sql = format!(
        "select lot_id, cast(sum(quantity_base) as bigint) as base from allocation
         where state = $2 and order_id in ({source}) group by lot_id"
    );
    let parts = db::rows(txn, &sql, [ids(), from.into()]).await?;
    let sql = format!("update allocation set state = $3 where state = $2 and order_id in ({source})");
    db::change(txn, &sql, [ids(), from.into(), to.into()]).await?;
    Ok(parts)
}

/// Moves single allocations of an order from one state to another; answers how many were in it.
pub async fn move_single(
    txn: &WriteTxn,
    order_id: Uuid,
    allocation_ids: &[Uuid],
    from: &str,
    to: &str,
) -> Result<usize, DbErr> {
    let source = db::set_rows(txn.get_database_backend(), "$1", &[("id", Id)]);
    let ids = db::set_parameter(allocation_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let sql =
        format!("update allocation set state = $4 where order_id = $2 and state = $3 and id in ({source})");
    let moved = db::change(txn, &sql, [ids, order_id.into(), from.into(), to.into()]).await?;
    Ok(usize::try_from(moved).unwrap_or(usize::MAX))
}

/// Sets the order's state when it is in `from`.
pub async fn advance(txn: &WriteTxn, order_id: Uuid, from: &str, to: &str) -> Result<bool, DbErr> {
    let sql = "update purchase_order set state = $3, version = version + 1 where id = $1 and state = $2";
    Ok(db::change(txn, sql, [order_id.into(), from.into(), to.into()]).await? == 1)
}

/// Whether the order has allocations that are neither accepted nor released.
pub async fn has_open_allocations(connection: &impl ConnectionTrait, order_id: Uuid) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        count: i64,
    }
    let sql = "select count(*) as count from allocation
               where order_id = $1 and state in ('held', 'confirmed', 'dispatched')";
    Ok(db::row::<Row>(connection, sql, [order_id.into()]).await?.is_some_and(|row| row.count > 0))
}

#[derive(FromQueryResult)]
struct AmountRow {
    amount_fen: i64,
}

/// What is allocated and neither accepted nor released of the institution's prepaid orders under way, but for one order.
pub async fn reserved(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    except: Option<Uuid>,
) -> Result<Fen, DbErr> {
    let (but_for, values) = match except {
        Some(order_id) => ("and purchase_order.id <> $2", vec![institution_id.into(), order_id.into()]),
        None => ("", vec![institution_id.into()]),
    };
    let sql = format!(
        "select cast(coalesce(sum(allocation.amount_fen), 0) as bigint) as amount_fen
         from purchase_order join allocation on allocation.order_id = purchase_order.id
         where purchase_order.institution_id = $1 and purchase_order.payment_mode = 'prepaid'
           and purchase_order.state = 'delivering' and allocation.state in ('confirmed', 'dispatched') {but_for}"
    );
    let row: Option<AmountRow> = db::row(connection, &sql, values).await?;
    Ok(row.map_or(Fen::ZERO, |row| Fen::new(row.amount_fen)))
}

/// What is allocated and neither accepted nor released of an order.
pub async fn open_amount(connection: &impl ConnectionTrait, order_id: Uuid) -> Result<Fen, DbErr> {
    let sql = "select cast(coalesce(sum(amount_fen), 0) as bigint) as amount_fen from allocation
               where order_id = $1 and state in ('held', 'confirmed', 'dispatched')";
    let row: Option<AmountRow> = db::row(connection, sql, [order_id.into()]).await?;
    Ok(row.map_or(Fen::ZERO, |row| Fen::new(row.amount_fen)))
}

/// Stores the rating of an order that has been settled, once.
pub async fn rate(
    txn: &WriteTxn,
    order_id: Uuid,
    institution_id: Uuid,
    stars: i64,
    comment: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql =
        "update purchase_order set rating = $3, rating_comment = $4, rated_at = $5, version = version + 1
               where id = $1 and institution_id = $2 and state = 'settled' and rating is null";
    let values =
        [order_id.into(), institution_id.into(), stars.into(), comment.map(str::to_owned).into(), now.into()];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// Takes those of the orders that were closed, and of which something is owed again, back to settled.
pub async fn reopen_unpaid(txn: &WriteTxn, order_ids: &[Uuid]) -> Result<(), DbErr> {
    let source = db::set_rows(txn.get_database_backend(), "$1", &[("id", Id)]);
    let unpaid = settlement::is_unpaid("settlement");
    let sql = format!(
        "update purchase_order set state = 'settled', ended_at = null, version = version + 1
         where id in ({source}) and state = 'closed'
           and exists (select 1 from settlement where settlement.order_id = purchase_order.id and {unpaid})"
    );
    let ids = db::set_parameter(order_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    db::change(txn, &sql, [ids]).await?;
    Ok(())
}

/// Closes those of the orders that are settled, rated and paid in full; answers which.
pub async fn close_paid(txn: &WriteTxn, order_ids: &[Uuid], now: DateTime<Utc>) -> Result<Vec<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let source = db::set_rows(txn.get_database_backend(), "$1", &[("id", Id)]);
    let unpaid = settlement::is_unpaid("settlement");
    let sql = format!(
        "update purchase_order set state = 'closed', ended_at = $2, version = version + 1
         where id in ({source}) and state = 'settled' and rating is not null
           and not exists (select 1 from settlement where settlement.order_id = purchase_order.id and {unpaid})
         returning id"
    );
    let ids = db::set_parameter(order_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let rows: Vec<Row> = db::rows(txn, &sql, [ids, now.into()]).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
