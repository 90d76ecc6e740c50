//! Bulk orders: previewed, placed, confirmed, cancelled, expired, rated. Every step that moves stock moves it in the same
//! transaction as the order's state; no step looks at stock and then updates it by id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::clock::business_day;
use crate::db::{Change, Committed, WriteTxn};
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Kept, Key, Once};
use crate::lots::stock::{self, Shift};
use crate::members::access::{Caller, Role, Scope};
use crate::members::households::{self, Contact};
use crate::numbers::Series;
use crate::quantity::{Measure, show_base};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::settlement::late;
use crate::trail::{self, Actor, Event};
use crate::webhooks::{self, News};

pub mod allocation;
pub mod api;
mod fulfilment;
pub mod plan;
pub mod prepaid;
pub mod rules;
mod store;
mod views;

pub use fulfilment::{
    AcceptedAllocation, AllocationFacts, OrderFacts, allocations_of, close_finished, for_delivery,
    mark_dispatched, record_acceptance, reopen_unpaid,
};
use plan::Plan;
pub use rules::{LineRequest, OrderRequest, PaymentMode, RawAmount, State};
pub use views::{AllocationView, LineView, OrderView, PickupView, PreviewView};

/// Expired orders that one sweep releases at most; the next sweep takes the rest.
const SWEEP_MAX: u32 = 500;

/// Who reads orders.
const READERS: [Role; 5] = [Role::Buyer, Role::Approver, Role::Officer, Role::Finance, Role::Auditor];

/// What a list of orders is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<State>,
    pub institution_id: Option<Uuid>,
}

/// Ids drawn for an order before it is written, so that a repeated attempt writes the same ones.
#[derive(Clone, Debug)]
pub struct PlacedIds {
    pub order_id: Uuid,
    /// Per line its id and the ids of its allocations.
    pub lines: Vec<(Uuid, Vec<Uuid>)>,
}

/// What placing the order would do, now. Writes nothing.
pub async fn preview(app: &App, caller: &Caller, request: &OrderRequest) -> Outcome<PreviewView> {
    let county_code = buyers_county(caller, request)?;
    let plan = plan::make(app, app.db.reader(), request, county_code, app.clock.now()).await?;
    let debt = debt_of(app, app.db.reader(), request).await?;
    Ok(PreviewView::of(&plan, debt.is_none()))
}

/// Shares the order over the lots and holds what it takes until it is confirmed or the hold expires.
///
/// Refused with the shortfall per line when a line cannot be filled and does not allow a partial order.
pub async fn place(
    app: &App,
    caller: &Caller,
    key: &Key,
    request: &OrderRequest,
) -> Outcome<Once<OrderView>> {
    caller.allow(&[Role::Buyer, Role::Approver])?;
    let attempt = AtomicU32::new(0);
    idempotency::once(app, key, || async {
        let must_lock = attempt.fetch_add(1, Ordering::Relaxed) > 0;
        place_once(app, caller, key, request, must_lock).await
    })
    .await
}

/// One attempt: the first reads before its transaction and relies on the guard, so that what it holds is locked for the
/// shortest time there is; later ones lock what they read.
async fn place_once(
    app: &App,
    caller: &Caller,
    key: &Key,
    request: &OrderRequest,
    must_lock: bool,
) -> Outcome<Committed<Kept<OrderView>>> {
    let now = app.clock.now();
    let county_code = buyers_county(caller, request)?;
    let next_number = || app.numbers.next(&app.db, Series::PurchaseOrder, county_code, business_day(now));
    // A number is drawn before the transaction, which may be the only writer there can be, and not for a refused order.
    if must_lock {
        let number = next_number().await?;
        let txn = app.db.begin().await?;
        if let Some(debt) = debt_of(app, &txn, request).await? {
            return Err(debt.into());
        }
        let plan = placeable(plan::make_locked(app, &txn, request, county_code, now).await?)?;
        return place_in(txn, app, key, Placing { caller, request, county_code, number, now }, &plan).await;
    }
    let plan = placeable(plan::make(app, app.db.reader(), request, county_code, now).await?)?;
    let placing = Placing { caller, request, county_code, number: next_number().await?, now };
    if plan.needs_expired_holds {
        return place_in(app.db.begin().await?, app, key, placing, &plan).await;
    }
    let (changes, view) = placing.changes(app, &plan)?;
    idempotency::commit_at_once(app, changes, key, now, view).await
}

/// Places in a transaction that has done something already, or must.
async fn place_in(
    txn: WriteTxn,
    app: &App,
    key: &Key,
    placing: Placing<'_>,
    plan: &Plan,
) -> Outcome<Committed<Kept<OrderView>>> {
    if plan.needs_expired_holds {
        expire_due(app, &txn, placing.now).await?;
    }
    let (changes, view) = placing.changes(app, plan)?;
    idempotency::commit_with(txn, changes, key, placing.now, view).await
}

/// An order that is about to be placed.
struct Placing<'a> {
    caller: &'a Caller,
    request: &'a OrderRequest,
    county_code: &'a str,
    number: String,
    now: DateTime<Utc>,
}

impl Placing<'_> {
    /// All that placing writes, and the order as it then is.
    fn changes(&self, app: &App, plan: &Plan) -> Outcome<(Vec<Change>, OrderView)> {
        let ids = draw_ids(app, plan, self.now);
        let order = store::NewOrder {
            ids: &ids,
            county_code: self.county_code,
            number: &self.number,
            request: self.request,
            placed_by: self.caller.principal_id,
            placed_at: self.now,
            hold_expires_at: self.now + TimeDelta::minutes(app.settings.hold_minutes),
        };
        let event = order_event(
            "place_order",
            self.county_code,
            ids.order_id,
            placed_figures(self.request, &ids, plan),
        );
        let backend = app.db.backend();
        // Nothing is added for who owes too long, which loses the race; the next attempt says why.
        let debts_before = (self.request.payment_mode == PaymentMode::GoodsFirst)
            .then(|| late::too_old_before(business_day(self.now), app.settings.overdue_block_days));
        // The lots first: whoever waits for them has nothing that somebody else waits for.
        let mut changes = vec![stock::movement(backend, &holds(plan), true)];
        changes.extend(store::additions(backend, &order, plan, debts_before)?);
        changes.push(trail::addition(backend, &app.ids, self.now, &self.caller.actor(), vec![event]));
        Ok((changes, OrderView::placed(&order, plan)))
    }
}

/// Why an institution may not buy on credit, if it may not. An order that is paid before delivery is none on credit.
async fn debt_of(
    app: &App,
    connection: &impl ConnectionTrait,
    request: &OrderRequest,
) -> Outcome<Option<Refusal>> {
    if request.payment_mode == PaymentMode::Prepaid {
        return Ok(None);
    }
    let days_max = app.settings.overdue_block_days;
    let due_before = late::too_old_before(app.clock.today(), days_max);
    let (settlements, total) = late::debts(connection, request.institution_id, due_before).await?;
    Ok((!settlements.is_empty()).then_some(Refusal::OverdueDebt { settlements, total, days_max }))
}

/// Refuses a plan that leaves a line short which does not allow it.
fn placeable(plan: Plan) -> Outcome<Plan> {
    let short = plan.refused_shortfalls();
    if short.is_empty() { Ok(plan) } else { Err(Refusal::StockShort { lines: short }.into()) }
}

/// The orders that exist for the caller, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    page: PageRequest,
) -> Outcome<Page<OrderView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), caller, app.clock.today(), filter, page).await?;
    Ok(Page::cut(rows, page, |row| row.id).map(|row| OrderView::of_row(row, Vec::new())))
}

/// One order with its lines; its allocations are a list of their own.
pub async fn get(app: &App, caller: &Caller, order_id: Uuid) -> Outcome<OrderView> {
    if caller.role.is_administration() {
        return Err(Refusal::NotAllowed.into());
    }
    if !READERS.contains(&caller.role) {
        return Err(Refusal::NotFound("order").into());
    }
    view(app.db.reader(), app, caller, order_id).await
}

/// The allocations of an order that exist for the caller, newest first: a household sees its own. The buyer learns whom to
/// call for what is to be picked up, as long as it is.
pub async fn list_allocations(
    app: &App,
    caller: &Caller,
    order_id: Uuid,
    page: PageRequest,
) -> Outcome<Page<PickupView>> {
    if caller.role.is_administration() {
        return Err(Refusal::NotAllowed.into());
    }
    let (reader, today) = (app.db.reader(), app.clock.today());
    let order = found(reader, app, caller, order_id).await?;
    let rows = store::list_allocations(reader, caller, today, order_id, page).await?;
    let is_buyers = matches!(caller.scope, Scope::Institution(_));
    let is_open =
        |row: &store::AllocationRow| is_buyers && rules::is_to_be_picked_up(&order.state, &row.state);
    let households: Vec<Uuid> = rows.iter().map(|row| row.household_id).collect();
    let open = rows.iter().filter(|row| is_open(row)).map(|row| row.household_id).collect();
    let contacts = households::contacts(app, reader, &households, &open).await?;
    let contacts: HashMap<Uuid, Contact> =
        contacts.into_iter().map(|contact| (contact.id, contact)).collect();
    Page::cut(rows, page, |row| row.id).try_map(|row| {
        let contact = contacts.get(&row.household_id);
        Ok(PickupView {
            household_name: contact.map(|contact| contact.masked_name.clone()),
            pickup_contact: contact.filter(|_| is_open(&row)).and_then(|contact| contact.phone.clone()),
            allocation: AllocationView::of_row(row)?,
        })
    })
}

/// Confirms a placed order: what it holds is promised. Refused once the hold has expired.
pub async fn confirm(app: &App, caller: &Caller, key: &Key, order_id: Uuid) -> Outcome<Once<OrderView>> {
    caller.allow(&[Role::Approver])?;
    let institution_id = caller.institution()?;
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let order = found(&txn, app, caller, order_id).await?;
        if !store::confirm(&txn, order_id, institution_id, caller.principal_id, now).await? {
            let has_expired = order.state == "placed";
            let from = if has_expired { "expired" } else { order.state.as_str() };
            return Err(rules::wrong_state(from, "confirm").into());
        }
        let parts = store::move_allocations(&txn, &[order_id], "held", "confirmed").await?;
        let shifts = parts.iter().map(|part| Shift {
            lot_id: part.lot_id,
            held_base: -part.base,
            confirmed_base: part.base,
            ..Shift::default()
        });
        move_stock(&txn, shifts.collect()).await?;
        webhooks::announce(&txn, app, &[news(webhooks::Event::OrderConfirmed, &order)]).await?;
        finish_step(app, caller, key, txn, &order, "confirm_order").await
    })
    .await
}

/// Cancels an order of which nothing has been dispatched; what it held or was promised is on sale again.
pub async fn cancel(app: &App, caller: &Caller, key: &Key, order_id: Uuid) -> Outcome<Once<OrderView>> {
    caller.allow(&[Role::Buyer, Role::Approver])?;
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let order = found(&txn, app, caller, order_id).await?;
        let is_promised = match order.state.as_str() {
            "placed" => false,
            "confirmed" => true,
            other => return Err(rules::wrong_state(other, "cancel").into()),
        };
        if !store::end(&txn, order_id, &order.state, "cancelled", now).await? {
            return Err(Failure::LostRace);
        }
        let from = if is_promised { "confirmed" } else { "held" };
        let parts = store::move_allocations(&txn, &[order_id], from, "released").await?;
        move_stock(&txn, parts.iter().map(|part| release(part, is_promised)).collect()).await?;
        webhooks::announce(&txn, app, &[news(webhooks::Event::OrderCancelled, &order)]).await?;
        finish_step(app, caller, key, txn, &order, "cancel_order").await
    })
    .await
}

/// Rates a settled order, once: one to five stars. A rated order that is paid in full is closed.
pub async fn rate(
    app: &App,
    caller: &Caller,
    order_id: Uuid,
    stars: u8,
    comment: Option<&str>,
) -> Outcome<OrderView> {
    caller.allow(&[Role::Buyer, Role::Approver])?;
    let institution_id = caller.institution()?;
    app.db
        .write(|| async {
            let now = app.clock.now();
            let txn = app.db.begin().await?;
            let order = found(&txn, app, caller, order_id).await?;
            if !store::rate(&txn, order_id, institution_id, i64::from(stars), comment, now).await? {
                let from = if order.rating.is_some() { "rated already" } else { &order.state };
                return Err(rules::wrong_state(from, "rate").into());
            }
            store::close_paid(&txn, &[order_id], now).await?;
            let after = json!({ "rating": stars });
            let event = order_event("rate_order", &order.county_code, order_id, after);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            let view = view(&txn, app, caller, order_id).await?;
            txn.commit(view).await
        })
        .await
}

/// Releases holds that have expired, at most [`SWEEP_MAX`] orders; answers how many. Any number of processes may sweep.
pub async fn sweep(app: &App) -> Outcome<usize> {
    let swept = app
        .db
        .write(|| async {
            let txn = app.db.begin().await?;
            let expired = expire_due(app, &txn, app.clock.now()).await?;
            txn.commit(expired).await
        })
        .await?;
    if swept > 0 {
        app.cache.drop_all().await;
    }
    Ok(swept)
}

/// Shares a line again from the inputs stored with it.
pub async fn replay(connection: &impl ConnectionTrait, line_id: Uuid) -> Outcome<allocation::Outcome> {
    let stored = store::replay_of(connection, line_id).await?.ok_or(Refusal::NotFound("order line"))?;
    plan::replay(&stored)
}

async fn expire_due(app: &App, txn: &WriteTxn, now: DateTime<Utc>) -> Outcome<usize> {
    let expired = store::expire_due(txn, now, SWEEP_MAX).await?;
    let ids: Vec<Uuid> = expired.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let parts = store::move_allocations(txn, &ids, "held", "released").await?;
    move_stock(txn, parts.iter().map(|part| release(part, false)).collect()).await?;
    let events = expired.iter().map(|(id, county)| order_event("expire_order", county, *id, json!({})));
    trail::record(txn, &app.ids, now, &Actor::service("sweeper"), events.collect()).await?;
    Ok(ids.len())
}

/// Stock of our own orders that is not where the books say is a fault of ours, never the caller's.
async fn move_stock(txn: &WriteTxn, shifts: Vec<Shift>) -> Outcome<()> {
    if stock::shift(txn, &shifts, false).await? {
        Ok(())
    } else {
        Err(Failure::Broken("stock of an order is not where its allocations say".to_owned()))
    }
}

async fn finish_step(
    app: &App,
    caller: &Caller,
    key: &Key,
    txn: WriteTxn,
    order: &store::OrderRow,
    action: &'static str,
) -> Outcome<Committed<Kept<OrderView>>> {
    let now = app.clock.now();
    let event = order_event(action, &order.county_code, order.id, json!({ "from": order.state }));
    trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
    let view = view(&txn, app, caller, order.id).await?;
    idempotency::commit(txn, key, now, view).await
}

/// The order, when it exists for the caller.
async fn found(
    connection: &impl ConnectionTrait,
    app: &App,
    caller: &Caller,
    order_id: Uuid,
) -> Outcome<store::OrderRow> {
    let row = store::find(connection, caller, app.clock.today(), order_id).await?;
    Ok(row.ok_or(Refusal::NotFound("order"))?)
}

async fn view(
    connection: &impl ConnectionTrait,
    app: &App,
    caller: &Caller,
    order_id: Uuid,
) -> Outcome<OrderView> {
    let order = found(connection, app, caller, order_id).await?;
    let lines = store::lines(connection, order_id).await?;
    let lines: Outcome<Vec<LineView>> = lines.into_iter().map(LineView::of_row).collect();
    Ok(OrderView::of_row(order, lines?))
}

/// The county whose books the order is in: that of the buyer's own institution, which the request must name.
fn buyers_county<'a>(caller: &'a Caller, request: &OrderRequest) -> Result<&'a str, Refusal> {
    caller.allow(&[Role::Buyer, Role::Approver])?;
    if caller.institution()? == request.institution_id {
        caller.county()
    } else {
        Err(Refusal::NotFound("institution"))
    }
}

/// What the plan takes of each lot; several lines may share one.
fn holds(plan: &Plan) -> Vec<Shift> {
    let parts = plan.lines.iter().flat_map(|line| &line.parts);
    let hold = |part: &plan::Part| Shift {
        lot_id: part.share.lot_id,
        held_base: part.share.quantity_base,
        ..Shift::default()
    };
    parts.map(hold).collect()
}

fn release(part: &store::LotPart, is_promised: bool) -> Shift {
    let (held_base, confirmed_base) = if is_promised { (0, -part.base) } else { (-part.base, 0) };
    Shift { lot_id: part.lot_id, held_base, confirmed_base, ..Shift::default() }
}

fn draw_ids(app: &App, plan: &Plan, now: DateTime<Utc>) -> PlacedIds {
    let order_id = app.ids.next(now);
    let lines = plan.lines.iter().map(|line| {
        let line_id = app.ids.next(now);
        (line_id, line.parts.iter().map(|_| app.ids.next(now)).collect())
    });
    PlacedIds { order_id, lines: lines.collect() }
}

/// Every figure of a placed order, for the trail: what an audit compares the rows with.
fn placed_figures(request: &OrderRequest, ids: &PlacedIds, plan: &Plan) -> serde_json::Value {
    let lines: Vec<serde_json::Value> = plan
        .lines
        .iter()
        .zip(&ids.lines)
        .map(|(planned, (line_id, part_ids))| {
            json!({
                "id": line_id,
                "quantity_base": planned.line.quantity_base,
                "max_price_fen": planned.line.max_price.fen,
                "min_share_base": planned.line.min_share_base,
                "max_households": planned.line.max_households,
                "shortfall_base": planned.shortfall_base,
                "amount_fen": planned.amount,
                "allocations": planned.parts.iter().zip(part_ids).map(part_figures).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "amount_fen": plan.amount(), "payment_mode": request.payment_mode.as_str(), "lines": lines })
}

fn part_figures((part, id): (&plan::Part, &Uuid)) -> serde_json::Value {
    json!({
        "id": id,
        "quantity_base": part.share.quantity_base,
        "price_fen": part.price.fen,
        "amount_fen": part.amount,
    })
}

/// What the buyer's own systems are told.
fn news(event: webhooks::Event, order: &store::OrderRow) -> News {
    News { event, institution_id: order.institution_id, subject_id: order.id, number: order.number.clone() }
}

fn order_event(action: &'static str, county_code: &str, order_id: Uuid, after: serde_json::Value) -> Event {
    Event {
        county_code: Some(county_code.to_owned()),
        household_id: None,
        action,
        subject_kind: "purchase_order",
        subject_id: order_id,
        before: None,
        after: Some(after),
    }
}

/// The sentence that says why a lot got its share.
fn reason_of(part: &plan::Part, measure: Measure) -> String {
    let unit = measure.shown_in();
    part.share.reason.describe(part.share.tier, |base| format!("{} {unit}", show_base(base, measure)))
}
