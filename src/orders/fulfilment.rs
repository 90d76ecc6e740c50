//! What deliveries need of orders: which allocations go out, and what becomes of stock and order when they are accepted.
//! Every function takes the open transaction of its caller.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use super::plan::{self, Plan};
use super::rules::{self, LineRequest, OrderRequest, PaymentMode, RawAmount};
use super::views::stored_price;
use super::{move_stock, order_event, part_figures, store};
use crate::app::App;
use crate::db::WriteTxn;
use crate::lots::stock::{self, Shift};
use crate::money::Price;
use crate::quantity::{Measure, show_base};
use crate::refusal::{Failure, Outcome};
use crate::trail::{self, Actor};
use crate::{orders::allocation::Policy, settlement, webhooks};

/// An order as deliveries see it.
#[derive(Clone, Debug)]
pub struct OrderFacts {
    pub id: Uuid,
    pub county_code: String,
    pub number: String,
    pub institution_id: Uuid,
    pub payment_mode: PaymentMode,
    pub state: String,
    pub placed_at: DateTime<Utc>,
}

/// An allocation as deliveries see it.
#[derive(Clone, Debug)]
pub struct AllocationFacts {
    pub id: Uuid,
    pub line_id: Uuid,
    pub lot_id: Uuid,
    pub household_id: Uuid,
    pub product_id: Uuid,
    /// Pickup village of the lot.
    pub village_code: String,
    pub quantity_base: i64,
    pub measure: Measure,
    pub price: Price,
    pub state: String,
}

/// What was accepted of one allocation.
#[derive(Clone, Copy, Debug)]
pub struct AcceptedAllocation {
    pub allocation_id: Uuid,
    pub lot_id: Uuid,
    pub line_id: Uuid,
    pub allocated_base: i64,
    pub accepted_base: i64,
}

/// The order, whoever asks; the caller checks whose it is.
pub async fn for_delivery(connection: &impl ConnectionTrait, order_id: Uuid) -> Outcome<Option<OrderFacts>> {
    let Some(row) = store::find_any(connection, order_id).await? else { return Ok(None) };
    Ok(Some(OrderFacts {
        id: row.id,
        county_code: row.county_code,
        number: row.number,
        institution_id: row.institution_id,
        payment_mode: stored_mode(&row.payment_mode)?,
        state: row.state,
        placed_at: row.placed_at,
    }))
}

/// All allocations of an order, by id.
pub async fn allocations_of(
    connection: &impl ConnectionTrait,
    order_id: Uuid,
) -> Outcome<Vec<AllocationFacts>> {
    let rows = store::allocations(connection, order_id).await?;
    rows.into_iter()
        .map(|row| {
            let price = stored_price(row.price_fen, &row.pricing_unit)?;
            Ok(AllocationFacts {
                id: row.id,
                line_id: row.line_id,
                lot_id: row.lot_id,
                household_id: row.household_id,
                product_id: row.product_id,
                village_code: row.village_code,
                quantity_base: row.quantity_base,
                measure: row
                    .measure
                    .parse()
                    .map_err(|()| Failure::Broken("unreadable measure".to_owned()))?,
                price,
                state: row.state,
            })
        })
        .collect()
}

/// Marks confirmed allocations as dispatched and the order as delivering. Refused unless every one was confirmed.
pub async fn mark_dispatched(
    txn: &WriteTxn,
    app: &App,
    order_id: Uuid,
    allocation_ids: &[Uuid],
) -> Outcome<()> {
    let moved = store::move_single(txn, order_id, allocation_ids, "confirmed", "dispatched").await?;
    if moved != allocation_ids.len() {
        return Err(rules::wrong_state("without that much left to dispatch", "dispatch").into());
    }
    let is_first = store::advance(txn, order_id, "confirmed", "delivering").await?;
    if is_first {
        announce(txn, app, order_id, &[webhooks::Event::OrderDelivering]).await?;
    } else {
        let state = store::find_any(txn, order_id).await?.map(|order| order.state);
        if state.as_deref() != Some("delivering") {
            return Err(rules::wrong_state(state.as_deref().unwrap_or("gone"), "dispatch").into());
        }
    }
    Ok(())
}

/// Books an acceptance in stock: what was accepted is delivered, what was missing or refused leaves the lot, and, when
/// `must_replace`, what is missing of a line is shared again over the lots that are left. The order is settled when
/// nothing of it is open any more.
pub async fn record_acceptance(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    order_id: Uuid,
    accepted: &[AcceptedAllocation],
    must_replace: bool,
) -> Outcome<()> {
    let ids: Vec<Uuid> = accepted.iter().map(|part| part.allocation_id).collect();
    if store::move_single(txn, order_id, &ids, "dispatched", "accepted").await? != ids.len() {
        return Err(rules::wrong_state("not dispatched", "accept").into());
    }
    move_stock(txn, delivered(accepted)).await?;
    if must_replace {
        replace_missing(txn, app, actor, order_id, accepted).await?;
    }
    if !store::has_open_allocations(txn, order_id).await? {
        store::advance(txn, order_id, "delivering", "accepted").await?;
        store::advance(txn, order_id, "accepted", "settled").await?;
        let events = [webhooks::Event::OrderAccepted, webhooks::Event::OrderSettled];
        announce(txn, app, order_id, &events).await?;
    }
    Ok(())
}

/// What the buyer's own systems are told of an order.
async fn announce(txn: &WriteTxn, app: &App, order_id: Uuid, events: &[webhooks::Event]) -> Outcome<()> {
    let Some(order) = store::find_any(txn, order_id).await? else { return Ok(()) };
    let told: Vec<webhooks::News> = events.iter().map(|event| super::news(*event, &order)).collect();
    webhooks::announce(txn, app, &told).await
}

/// Closes the orders of settlements that are now paid in full, when they are rated too.
pub async fn close_finished(txn: &WriteTxn, settlement_ids: &[Uuid], now: DateTime<Utc>) -> Outcome<()> {
    let order_ids = settlement::orders_of(txn, settlement_ids).await?;
    store::close_paid(txn, &order_ids, now).await?;
    Ok(())
}

/// The reverse of [`close_finished`], for a payment that is taken back: what is owed again is not closed.
pub async fn reopen_unpaid(txn: &WriteTxn, settlement_ids: &[Uuid]) -> Outcome<()> {
    let order_ids = settlement::orders_of(txn, settlement_ids).await?;
    store::reopen_unpaid(txn, &order_ids).await?;
    Ok(())
}

fn stored_mode(name: &str) -> Outcome<PaymentMode> {
    PaymentMode::parse(name).ok_or_else(|| Failure::Broken(format!("unknown payment mode {name}")))
}

fn delivered(accepted: &[AcceptedAllocation]) -> Vec<Shift> {
    let mut parts = accepted.to_vec();
    parts.sort_unstable_by_key(|part| part.lot_id);
    let mut shifts: Vec<Shift> = Vec::with_capacity(parts.len());
    for part in parts {
        if shifts.last().is_none_or(|last| last.lot_id != part.lot_id) {
            shifts.push(Shift { lot_id: part.lot_id, ..Shift::default() });
        }
        if let Some(shift) = shifts.last_mut() {
            shift.offered_base -= part.allocated_base - part.accepted_base;
            shift.confirmed_base -= part.allocated_base;
            shift.delivered_base += part.accepted_base;
        }
    }
    shifts
}

/// Shares what is missing over the lots that are left, as far as they reach, and promises it at once: the buyer has
/// already confirmed that much.
async fn replace_missing(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    order_id: Uuid,
    accepted: &[AcceptedAllocation],
) -> Outcome<()> {
    let Some(order) = store::find_any(txn, order_id).await? else { return Ok(()) };
    let rows = store::lines(txn, order_id).await?;
    let now = app.clock.now();
    let today = crate::clock::business_day(now);
    let missing_of = |line_id: Uuid| -> i64 {
        let parts = accepted.iter().filter(|part| part.line_id == line_id);
        parts.map(|part| part.allocated_base - part.accepted_base).sum()
    };
    let short: Vec<&store::LineRow> =
        rows.iter().filter(|line| missing_of(line.id) > 0 && line.needed_by >= today).collect();
    if short.is_empty() {
        return Ok(());
    }
    let requests: Outcome<Vec<LineRequest>> =
        short.iter().map(|line| missing_request(line, missing_of(line.id))).collect();
    let policy = Policy::parse(&order.policy).ok_or_else(|| Failure::Broken("unknown policy".to_owned()))?;
    let payment_mode = stored_mode(&order.payment_mode)?;
    let request =
        OrderRequest { institution_id: order.institution_id, policy, payment_mode, lines: requests? };
    let plan = plan::make_locked(app, txn, &request, &order.county_code, now).await?;
    if plan.needs_expired_holds {
        super::expire_due(app, txn, now).await?;
    }
    promise(txn, app, actor, &order, &short, &plan).await
}

async fn promise(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    order: &store::OrderRow,
    lines: &[&store::LineRow],
    plan: &Plan,
) -> Outcome<()> {
    let shifts: Vec<Shift> = super::holds(plan)
        .into_iter()
        .map(|hold| Shift { held_base: 0, confirmed_base: hold.held_base, ..hold })
        .collect();
    if shifts.is_empty() {
        return Ok(());
    }
    if !stock::shift(txn, &shifts, true).await? {
        return Err(Failure::LostRace);
    }
    let now = app.clock.now();
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for (planned, line) in plan.lines.iter().zip(lines) {
        let ids: Vec<Uuid> = planned.parts.iter().map(|_| app.ids.next(now)).collect();
        let drawn = planned.parts.iter().zip(&ids);
        rows.extend(
            drawn
                .clone()
                .map(|(part, id)| store::allocation_row(*id, line.id, part, planned, "confirmed", 2)),
        );
        figures.push(json!({ "id": line.id, "allocations": drawn.map(part_figures).collect::<Vec<_>>() }));
    }
    store::insert_allocations(txn, order.id, &order.county_code, rows).await?;
    let event = order_event("replace_missing", &order.county_code, order.id, json!({ "lines": figures }));
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(())
}

fn missing_request(line: &store::LineRow, missing_base: i64) -> Outcome<LineRequest> {
    let measure: Measure =
        line.measure.parse().map_err(|()| Failure::Broken("unreadable measure".to_owned()))?;
    let max_price = stored_price(line.max_price_fen, &line.max_price_unit)?;
    Ok(LineRequest {
        product_id: line.product_id,
        quantity: RawAmount { amount: show_base(missing_base, measure), unit: measure.shown_in() },
        max_price_fen: max_price.fen,
        max_price_per: max_price.per,
        needed_by: line.needed_by,
        region: Some(line.region_code.clone()),
        grade: line.grade.clone(),
        min_share: None,
        max_households: None,
        allow_partial: true,
    })
}
