//! Goods handed over and accepted. An acceptance is the work of two people of the buying institution; it books the
//! stock, settles and replaces what is missing in one transaction, or does nothing at all.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Key, Once};
use crate::members::access::{Caller, Role, Scope};
use crate::numbers::{self, Series};
use crate::orders::{self, AcceptedAllocation, AllocationFacts, OrderFacts};
use crate::quantity::Measure;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::settlement::{self, AcceptedLine, NewSettlement};
use crate::trail::{self, Event};

pub mod api;
mod prepaid;
mod rules;
mod store;

pub use rules::{AcceptanceLine, DispatchLine};
use rules::{Dispatched, Weighed};
use store::{AcceptanceRow, DeliveryRow, LineRow};

/// What goes out to the buyer.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub lines: Vec<DispatchLine>,
    pub note: Option<String>,
}

/// What the buyer accepts and refuses.
#[derive(Clone, Debug)]
pub struct NewAcceptance {
    pub lines: Vec<AcceptanceLine>,
    /// The account of the second person.
    pub witness_account: String,
    /// Whether what is missing is shared again over the lots that are left.
    pub must_replace: bool,
}

/// A delivery with the lines its reader sees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeliveryView {
    pub id: Uuid,
    pub number: String,
    pub order_id: Uuid,
    pub is_accepted: bool,
    pub dispatched_at: DateTime<Utc>,
    pub note: Option<String>,
    pub accepted_on: Option<NaiveDate>,
    /// None also when nothing was accepted.
    pub settlement_id: Option<Uuid>,
    pub settlement_number: Option<String>,
    pub lines: Vec<LineView>,
}

/// What one allocation delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LineView {
    pub id: Uuid,
    pub allocation_id: Uuid,
    pub household_id: Uuid,
    pub product_id: Uuid,
    pub village_code: String,
    pub measure: Measure,
    pub dispatched_base: i64,
    pub accepted_base: Option<i64>,
    pub refused_base: Option<i64>,
    pub refusal_reason: Option<String>,
}

/// Sends goods of confirmed allocations out: an officer of the villages, the households' helper, or the household.
///
/// Refused unless every allocation is confirmed and gives at most what was allocated, and, of a prepaid order, unless the
/// institution's deposit covers all of it that is still to be accepted.
pub async fn dispatch(
    app: &App,
    caller: &Caller,
    key: &Key,
    order_id: Uuid,
    new: &NewDelivery,
) -> Outcome<Once<DeliveryView>> {
    caller.allow(&[Role::Officer, Role::Helper, Role::Household])?;
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let (order, reach) = reachable(app, &txn, caller, order_id).await?;
        if !["confirmed", "delivering"].contains(&order.state.as_str()) {
            return Err(wrong_state("order", &order.state, "dispatch a delivery"));
        }
        prepaid::require_cover(&txn, &order).await?;
        let by_id: HashMap<Uuid, &AllocationFacts> = reach.iter().map(|part| (part.id, part)).collect();
        let lines = rules::dispatched(&new.lines, &by_id)?;
        let lines: Vec<_> = lines.into_iter().map(|line| (app.ids.next(now), line)).collect();
        let allocation_ids: Vec<Uuid> = lines.iter().map(|(_, line)| line.allocation_id).collect();
        orders::mark_dispatched(&txn, app, order_id, &allocation_ids).await?;
        let county_code = &order.county_code;
        let today = crate::clock::business_day(now);
        let delivery = DeliveryRow {
            id: app.ids.next(now),
            county_code: county_code.clone(),
            order_id,
            number: numbers::next_of_paper(&txn, Series::Delivery, county_code, today).await?,
            state: "dispatched".to_owned(),
            dispatched_by: caller.principal_id,
            dispatched_at: now,
            note: new.note.clone(),
            accepted_on: None,
            settlement_id: None,
            settlement_number: None,
        };
        store::insert_delivery(&txn, &delivery).await?;
        store::insert_lines(&txn, delivery.id, &lines).await?;
        let told = lines.iter().map(|(id, line)| {
            json!({ "id": id, "allocation_id": line.allocation_id, "dispatched_base": line.dispatched_base })
        });
        let after = json!({
            "number": delivery.number, "order_id": order_id, "lines": told.collect::<Vec<_>>(),
        });
        let event = event_of(&delivery, "dispatch_delivery", "delivery", delivery.id, after);
        trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
        let rows = lines.iter().map(|(id, line)| fresh_line(*id, delivery.id, *line)).collect();
        let view = view_of(delivery, rows, &by_id);
        idempotency::commit(txn, key, now, view).await
    })
    .await
}

/// Accepts a delivery line by line, before a witness of the same institution. Books the stock, settles, and pays the
/// settlement of a prepaid order from the deposit.
///
/// Refused unless accepted and refused add up to what was dispatched on every line.
pub async fn accept(
    app: &App,
    caller: &Caller,
    key: &Key,
    delivery_id: Uuid,
    new: &NewAcceptance,
) -> Outcome<Once<DeliveryView>> {
    caller.allow(&[Role::Buyer, Role::Approver])?;
    let institution_id = caller.institution()?;
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let not_found = || Refusal::NotFound("delivery");
        let delivery = store::find(&txn, delivery_id).await?.ok_or_else(not_found)?;
        let order = orders::for_delivery(&txn, delivery.order_id).await?;
        let order = order.filter(|order| order.institution_id == institution_id).ok_or_else(not_found)?;
        prepaid::lock_deposit(&txn, &order).await?;
        store::lock_order(&txn, order.id).await?;
        if !store::accept(&txn, delivery_id).await? {
            return Err(wrong_state("delivery", "accepted", "accept it"));
        }
        let witness =
            store::find_witness(&txn, institution_id, &new.witness_account, caller.principal_id).await?;
        let acceptance = AcceptanceRow {
            id: app.ids.next(now),
            delivery_id,
            accepted_by: caller.principal_id,
            witnessed_by: witness.ok_or(Refusal::SecondPersonNeeded)?,
            accepted_on: crate::clock::business_day(now),
            created_at: now,
        };
        book(app, &txn, caller, &order, &delivery, &acceptance, new).await?;
        let view = whole_view(&txn, delivery_id).await?;
        idempotency::commit(txn, key, now, view).await
    })
    .await
}

/// The deliveries of an order, newest first, with the lines the caller sees.
pub async fn list(
    app: &App,
    caller: &Caller,
    order_id: Uuid,
    request: PageRequest,
) -> Outcome<Page<DeliveryView>> {
    let reader = app.db.reader();
    let (_, reach) = reachable(app, reader, caller, order_id).await?;
    let by_id: HashMap<Uuid, &AllocationFacts> = reach.iter().map(|part| (part.id, part)).collect();
    let allocation_ids: Vec<Uuid> = reach.iter().map(|part| part.id).collect();
    let rows = store::list(reader, order_id, &allocation_ids, request).await?;
    let page = Page::cut(rows, request, |delivery| delivery.id);
    let delivery_ids: Vec<Uuid> = page.items.iter().map(|delivery| delivery.id).collect();
    let mut lines: HashMap<Uuid, Vec<LineRow>> = HashMap::new();
    for line in store::lines_of(reader, &delivery_ids).await? {
        lines.entry(line.delivery_id).or_default().push(line);
    }
    Ok(page.map(|delivery| {
        let own = lines.remove(&delivery.id).unwrap_or_default();
        view_of(delivery, own, &by_id)
    }))
}

/// A delivery with the lines the caller sees; without any it does not exist for them.
pub async fn find(app: &App, caller: &Caller, delivery_id: Uuid) -> Outcome<DeliveryView> {
    if caller.role.is_administration() {
        return Err(Refusal::NotAllowed.into());
    }
    let reader = app.db.reader();
    let not_found = || Refusal::NotFound("delivery");
    let delivery = store::find(reader, delivery_id).await?.ok_or_else(not_found)?;
    let (_, reach) =
        reachable(app, reader, caller, delivery.order_id).await.map_err(|failure| match failure {
            Failure::Refused(Refusal::NotFound(_)) => not_found().into(),
            other => other,
        })?;
    let by_id: HashMap<Uuid, &AllocationFacts> = reach.iter().map(|part| (part.id, part)).collect();
    let view = view_of(delivery, store::lines_of(reader, &[delivery_id]).await?, &by_id);
    if view.lines.is_empty() { Err(not_found().into()) } else { Ok(view) }
}

/// Writes the acceptance, settles it and books it in stock and order.
async fn book(
    app: &App,
    txn: &WriteTxn,
    caller: &Caller,
    order: &OrderFacts,
    delivery: &DeliveryRow,
    acceptance: &AcceptanceRow,
    new: &NewAcceptance,
) -> Outcome<()> {
    let actor = caller.actor();
    let allocations = orders::allocations_of(txn, order.id).await?;
    let by_id: HashMap<Uuid, &AllocationFacts> = allocations.iter().map(|part| (part.id, part)).collect();
    let rows = store::lines_of(txn, &[delivery.id]).await?;
    let weighed = weighed_lines(&rows, &by_id, &new.lines)?;
    store::insert_acceptance(txn, acceptance).await?;
    let written = store::weigh_lines(txn, delivery.id, &new_weights(&weighed)).await?;
    if usize::try_from(written).ok() != Some(rows.len()) {
        return Err(Failure::LostRace);
    }
    let settlement = NewSettlement {
        county_code: order.county_code.clone(),
        order_id: order.id,
        acceptance_id: acceptance.id,
        institution_id: order.institution_id,
        settled_on: acceptance.accepted_on,
        lines: weighed.iter().map(accepted_line).collect(),
    };
    let settled = settlement::settle(txn, app, &actor, settlement).await?;
    prepaid::pay(txn, app, &actor, order, settled.as_ref()).await?;
    let told: Vec<_> = weighed
        .iter()
        .map(|(line, _)| {
            json!({ "id": line.delivery_line_id, "accepted_base": line.accepted_base,
                    "refused_base": line.refused_base })
        })
        .collect();
    let after = json!({ "delivery_id": delivery.id, "witnessed_by": acceptance.witnessed_by, "lines": told });
    let event = event_of(delivery, "accept_delivery", "acceptance", acceptance.id, after);
    trail::record(txn, &app.ids, acceptance.created_at, &actor, vec![event]).await?;
    let booked: Vec<AcceptedAllocation> = weighed.iter().map(accepted_allocation).collect();
    orders::record_acceptance(txn, app, &actor, order.id, &booked, new.must_replace).await
}

/// The order and those of its allocations that exist for the caller; without any, the order does not.
async fn reachable(
    app: &App,
    connection: &impl ConnectionTrait,
    caller: &Caller,
    order_id: Uuid,
) -> Outcome<(OrderFacts, Vec<AllocationFacts>)> {
    if caller.role.is_administration() {
        return Err(Refusal::NotAllowed.into());
    }
    let found = orders::for_delivery(connection, order_id).await?;
    let order = found.ok_or(Refusal::NotFound("order"))?;
    let mut allocations = orders::allocations_of(connection, order_id).await?;
    match &caller.scope {
        Scope::Institution(id) if *id == order.institution_id => {}
        Scope::Institution(_) => allocations.clear(),
        Scope::Region(region) if region.counties().contains(&order.county_code) => {}
        Scope::Region(region) => allocations.retain(|part| region.contains(&part.village_code)),
        Scope::Household(id) => allocations.retain(|part| part.household_id == *id),
        Scope::Helper(id) => {
            let households: HashSet<Uuid> = allocations.iter().map(|part| part.household_id).collect();
            let households: Vec<Uuid> = households.into_iter().collect();
            let paired = store::paired(connection, *id, app.clock.today(), &households).await?;
            allocations.retain(|part| paired.contains(&part.household_id));
        }
    }
    if allocations.is_empty() { Err(Refusal::NotFound("order").into()) } else { Ok((order, allocations)) }
}

/// What was weighed of each line, with the allocation it came from.
fn weighed_lines<'a>(
    rows: &[LineRow],
    allocations: &HashMap<Uuid, &'a AllocationFacts>,
    said: &[AcceptanceLine],
) -> Outcome<Vec<(Weighed, &'a AllocationFacts)>> {
    let mut waiting = Vec::with_capacity(rows.len());
    let mut source = HashMap::with_capacity(rows.len());
    for row in rows {
        let allocation = *allocations
            .get(&row.allocation_id)
            .ok_or_else(|| Failure::Broken(format!("delivery line {} has no allocation", row.id)))?;
        source.insert(row.id, allocation);
        waiting.push(rules::WaitingLine {
            id: row.id,
            dispatched_base: row.dispatched_base,
            measure: allocation.measure,
        });
    }
    let weighed = rules::weighed(said, &waiting)?;
    Ok(weighed
        .into_iter()
        .filter_map(|line| source.get(&line.delivery_line_id).map(|allocation| (line, *allocation)))
        .collect())
}

fn fresh_line(id: Uuid, delivery_id: Uuid, line: Dispatched) -> LineRow {
    LineRow {
        id,
        delivery_id,
        allocation_id: line.allocation_id,
        dispatched_base: line.dispatched_base,
        accepted_base: None,
        refused_base: None,
        refusal_reason: None,
    }
}

fn new_weights(weighed: &[(Weighed, &AllocationFacts)]) -> Vec<Weighed> {
    weighed.iter().map(|(line, _)| line.clone()).collect()
}

fn accepted_line((line, allocation): &(Weighed, &AllocationFacts)) -> AcceptedLine {
    AcceptedLine {
        delivery_line_id: line.delivery_line_id,
        allocation_id: allocation.id,
        household_id: allocation.household_id,
        product_id: allocation.product_id,
        accepted_base: line.accepted_base,
        price: allocation.price,
    }
}

fn accepted_allocation((line, allocation): &(Weighed, &AllocationFacts)) -> AcceptedAllocation {
    AcceptedAllocation {
        allocation_id: allocation.id,
        lot_id: allocation.lot_id,
        line_id: allocation.line_id,
        allocated_base: allocation.quantity_base,
        accepted_base: line.accepted_base,
    }
}

/// The delivery with all its lines, for the institution it was made to.
async fn whole_view(txn: &WriteTxn, delivery_id: Uuid) -> Outcome<DeliveryView> {
    let delivery = store::find(txn, delivery_id).await?.ok_or(Refusal::NotFound("delivery"))?;
    let allocations = orders::allocations_of(txn, delivery.order_id).await?;
    let by_id: HashMap<Uuid, &AllocationFacts> = allocations.iter().map(|part| (part.id, part)).collect();
    let lines = store::lines_of(txn, &[delivery_id]).await?;
    Ok(view_of(delivery, lines, &by_id))
}

fn view_of(
    delivery: DeliveryRow,
    lines: Vec<LineRow>,
    allocations: &HashMap<Uuid, &AllocationFacts>,
) -> DeliveryView {
    let seen = lines.into_iter().filter_map(|line| {
        let allocation = allocations.get(&line.allocation_id)?;
        Some(LineView {
            id: line.id,
            allocation_id: line.allocation_id,
            household_id: allocation.household_id,
            product_id: allocation.product_id,
            village_code: allocation.village_code.clone(),
            measure: allocation.measure,
            dispatched_base: line.dispatched_base,
            accepted_base: line.accepted_base,
            refused_base: line.refused_base,
            refusal_reason: line.refusal_reason,
        })
    });
    DeliveryView {
        lines: seen.collect(),
        id: delivery.id,
        number: delivery.number,
        order_id: delivery.order_id,
        is_accepted: delivery.state == "accepted",
        dispatched_at: delivery.dispatched_at,
        note: delivery.note,
        accepted_on: delivery.accepted_on,
        settlement_id: delivery.settlement_id,
        settlement_number: delivery.settlement_number,
    }
}

fn event_of(
    delivery: &DeliveryRow,
    action: &'static str,
    subject_kind: &'static str,
    subject_id: Uuid,
    after: serde_json::Value,
) -> Event {
    Event {
        county_code: Some(delivery.county_code.clone()),
        household_id: None,
        action,
        subject_kind,
        subject_id,
        before: None,
        after: Some(after),
    }
}

fn wrong_state(what: &'static str, from: &str, attempted: &'static str) -> Failure {
    Refusal::WrongState { what, from: from.to_owned(), attempted }.into()
}
