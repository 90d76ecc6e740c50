//! What households offer. A lot is never deleted; withdrawn, it keeps what it has promised.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Key, Once};
use crate::members::access::{Caller, Role, Scope};
use crate::members::households;
use crate::money::{Fen, Price};
use crate::products;
use crate::quantity::Measure;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::regions;
use crate::trail::{self, Actor, Event};

pub mod api;
mod import;
mod public;
mod rules;
pub mod stock;
mod store;

pub use import::{LotImport, import};
pub use public::{PublicLotView, PublicPage, list_public};
pub use rules::{Certificate, Changes, NewLot, Offer, Place, State, accept, certified_until};
pub use store::Filters;
use store::LotRow;

/// Who offers for households, edits and withdraws.
const SELLERS: [Role; 3] = [Role::Household, Role::Helper, Role::Officer];

/// A lot with everything its household may know. Buyers are shown less.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LotView {
    pub id: Uuid,
    pub county_code: String,
    pub household_id: Uuid,
    pub product_id: Uuid,
    pub product_name: String,
    pub measure: Measure,
    pub village_code: String,
    pub township_code: Option<String>,
    pub township_name: Option<String>,
    pub external_ref: Option<String>,
    pub grade: Option<String>,
    pub price: Price,
    pub offered_base: i64,
    pub held_base: i64,
    pub confirmed_base: i64,
    pub delivered_base: i64,
    pub ready_from: NaiveDate,
    pub sell_by: NaiveDate,
    pub certificates: Vec<Certificate>,
    pub certified_until: Option<NaiveDate>,
    pub state: State,
    pub created_at: DateTime<Utc>,
    pub version: i64,
}

impl LotView {
    /// Held, confirmed and delivered together.
    #[must_use]
    pub fn promised_base(&self) -> i64 {
        self.held_base.saturating_add(self.confirmed_base).saturating_add(self.delivered_base)
    }

    /// What can still be ordered.
    #[must_use]
    pub fn available_base(&self) -> i64 {
        self.offered_base.saturating_sub(self.promised_base())
    }
}

/// Offers a lot: a household its own, a helper or officer for a household named in `household_id`. The pickup village
/// is the household's own when none is named.
pub async fn offer(
    app: &App,
    caller: &Caller,
    key: &Key,
    household_id: Option<Uuid>,
    village_code: Option<String>,
    offer: Offer,
) -> Outcome<Once<LotView>> {
    caller.allow(&SELLERS)?;
    let household_id = seller(caller, household_id)?;
    let today = app.clock.today();
    let once = idempotency::once(app, key, || async {
        let txn = app.db.begin().await?;
        let place = place_of(&txn, caller, household_id, village_code.as_deref(), today).await?;
        let facts = products::find_many(&txn, &[offer.product_id]).await?;
        let product = facts.get(&offer.product_id).filter(|facts| facts.county_code == place.county_code);
        let product = product.ok_or(Refusal::NotFound("product"))?;
        let lot = accept(offer.clone(), place, product, today)?;
        let ids = insert_many(&txn, app, &caller.actor(), vec![lot]).await?;
        let id = ids.first().copied().ok_or_else(|| Failure::Broken("no lot was made".to_owned()))?;
        let view = read_back(&txn, id).await?;
        idempotency::commit(txn, key, app.clock.now(), view).await
    });
    once.await
}

/// Writes lots inside an open transaction, in one statement, and answers their ids in the same order. Whoever commits
/// drops the cached answers afterwards.
///
/// Refused when the number of one is borne by another lot of the county.
pub async fn insert_many(txn: &WriteTxn, app: &App, actor: &Actor, lots: Vec<NewLot>) -> Outcome<Vec<Uuid>> {
    let now = app.clock.now();
    let identified: Vec<(Uuid, &NewLot)> = lots.iter().map(|lot| (app.ids.next(now), lot)).collect();
    let inserted = store::insert_many(txn, &identified, now).await?;
    if usize::try_from(inserted) != Ok(lots.len()) {
        return Err(Refusal::Duplicate { detail: "a lot of this number exists already".to_owned() }.into());
    }
    let events = identified.iter().map(|(id, lot)| Event {
        county_code: Some(lot.place.county_code.clone()),
        household_id: Some(lot.place.household_id),
        action: "offer_lot",
        subject_kind: "lot",
        subject_id: *id,
        before: None,
        after: Some(told_new(lot)),
    });
    trail::record(txn, &app.ids, now, actor, events.collect()).await?;
    Ok(identified.into_iter().map(|(id, _)| id).collect())
}

/// One lot that exists for the caller.
pub async fn get(app: &App, caller: &Caller, id: Uuid) -> Outcome<LotView> {
    refuse_outsiders(caller)?;
    find(app.db.reader(), caller, id, app.clock.today()).await
}

/// The lots that exist for the caller, newest first. For buyers those on sale in the county.
pub async fn list(
    app: &App,
    caller: &Caller,
    filters: &Filters,
    page: PageRequest,
) -> Outcome<Page<LotView>> {
    refuse_outsiders(caller)?;
    // Whose a lot is, is not for buyers to find out: for them no household has any.
    if !sees_all(caller) && filters.household_id.is_some() {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let today = app.clock.today();
    let county = caller.county_code.as_deref();
    let rows = store::list(app.db.reader(), &caller.scope, county, filters, today, page).await?;
    let views: Outcome<Vec<LotView>> = rows.into_iter().map(view_of).collect();
    Ok(Page::cut(views?, page, |view| view.id))
}

/// Changes price, quantity or last day of a lot as it was at `version`. What is promised stays promised.
pub async fn edit(app: &App, caller: &Caller, id: Uuid, version: i64, changes: Changes) -> Outcome<LotView> {
    caller.allow(&SELLERS)?;
    let edited = app.db.write(|| async {
        let txn = app.db.begin().await?;
        let (now, today) = (app.clock.now(), app.clock.today());
        find(&txn, caller, id, today).await?;
        let before = lock(&txn, id).await?;
        rules::check_changes(&standing_of(&before), version, &changes, today)?;
        if !store::update(&txn, id, version, &changes, now).await? {
            return Err(Refusal::Stale.into());
        }
        let after = read_back(&txn, id).await?;
        record_change(&txn, app, caller, "edit_lot", &before, &after).await?;
        txn.commit(after).await
    });
    edited.await
}

/// Takes a lot off sale. What is held or confirmed stays promised.
pub async fn withdraw(app: &App, caller: &Caller, id: Uuid) -> Outcome<LotView> {
    caller.allow(&SELLERS)?;
    let withdrawn = app.db.write(|| async {
        let txn = app.db.begin().await?;
        let (now, today) = (app.clock.now(), app.clock.today());
        find(&txn, caller, id, today).await?;
        let before = lock(&txn, id).await?;
        if !store::withdraw(&txn, id, now).await? {
            return Err(rules::wrong_state(before.state, "withdraw").into());
        }
        let after = read_back(&txn, id).await?;
        record_change(&txn, app, caller, "withdraw_lot", &before, &after).await?;
        txn.commit(after).await
    });
    withdrawn.await
}

/// Whether the caller is shown whose a lot is and how much of it is promised.
#[must_use]
pub fn sees_all(caller: &Caller) -> bool {
    !matches!(caller.scope, Scope::Institution(_))
}

/// Finance has no business with lots, and administrators with none at all.
fn refuse_outsiders(caller: &Caller) -> Result<(), Refusal> {
    caller.allow(&[Role::Household, Role::Helper, Role::Buyer, Role::Approver, Role::Officer, Role::Auditor])
}

/// The household that a caller offers for.
fn seller(caller: &Caller, named: Option<Uuid>) -> Result<Uuid, Refusal> {
    match (&caller.scope, named) {
        (Scope::Household(own), Some(named)) if named != *own => {
            Err(Refusal::invalid("/household_id", "you offer for your own household only; leave it out"))
        }
        (Scope::Household(own), _) => Ok(*own),
        (_, Some(named)) => Ok(named),
        (_, None) => Err(Refusal::invalid("/household_id", "is missing: say whose lot it is")),
    }
}

/// Where a household's lot is picked up, when the household exists for the caller.
async fn place_of(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    household_id: Uuid,
    village_code: Option<&str>,
    today: NaiveDate,
) -> Outcome<Place> {
    let household = households::visible(connection, &caller.scope, household_id, today).await?;
    household.refuse_erased("offer a lot of it")?;
    let village_code = village_code.unwrap_or(&household.village_code);
    let village_code = regions::require_village(connection, village_code, today, "/village").await?.code;
    if !village_code.starts_with(&household.county_code) {
        let detail = "must lie in the county of the household";
        return Err(Refusal::invalid("/village", detail).into());
    }
    Ok(Place { county_code: household.county_code, household_id, village_code })
}

async fn find(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    id: Uuid,
    today: NaiveDate,
) -> Outcome<LotView> {
    let row = store::find(connection, &caller.scope, caller.county_code.as_deref(), id, today).await?;
    view_of(row.ok_or(Refusal::NotFound("lot"))?)
}

async fn lock(txn: &WriteTxn, id: Uuid) -> Outcome<LotView> {
    view_of(store::lock(txn, id).await?.ok_or(Refusal::NotFound("lot"))?)
}

/// The lot as this transaction has just written it.
async fn read_back(txn: &WriteTxn, id: Uuid) -> Outcome<LotView> {
    view_of(
        store::lock(txn, id)
            .await?
            .ok_or_else(|| Failure::Broken(format!("lot {id} was written and is gone")))?,
    )
}

async fn record_change(
    txn: &WriteTxn,
    app: &App,
    caller: &Caller,
    action: &'static str,
    before: &LotView,
    after: &LotView,
) -> Outcome<()> {
    let event = Event {
        county_code: Some(after.county_code.clone()),
        household_id: Some(after.household_id),
        action,
        subject_kind: "lot",
        subject_id: after.id,
        before: Some(told(before)),
        after: Some(told(after)),
    };
    Ok(trail::record(txn, &app.ids, app.clock.now(), &caller.actor(), vec![event]).await?)
}

fn standing_of(lot: &LotView) -> rules::Standing {
    rules::Standing {
        state: lot.state,
        version: lot.version,
        measure: lot.measure,
        ready_from: lot.ready_from,
        promised_base: lot.promised_base(),
    }
}

fn view_of(row: LotRow) -> Outcome<LotView> {
    let broken = || Failure::Broken(format!("lot {} cannot be read", row.id));
    let per = row.pricing_unit.parse().map_err(|()| broken())?;
    Ok(LotView {
        price: Price::new(Fen::new(row.price_fen), per).map_err(|_| broken())?,
        measure: row.measure.parse().map_err(|()| broken())?,
        state: State::parse(&row.state).ok_or_else(broken)?,
        certificates: serde_json::from_value(row.certificates).map_err(|_| broken())?,
        id: row.id,
        county_code: row.county_code,
        household_id: row.household_id,
        product_id: row.product_id,
        product_name: row.product_name,
        village_code: row.village_code,
        township_code: row.township_code,
        township_name: row.township_name,
        external_ref: row.external_ref,
        grade: row.grade,
        offered_base: row.offered_base,
        held_base: row.held_base,
        confirmed_base: row.confirmed_base,
        delivered_base: row.delivered_base,
        ready_from: row.ready_from,
        sell_by: row.sell_by,
        certified_until: row.certified_until,
        created_at: row.created_at,
        version: row.version,
    })
}

/// A lot as the audit trail tells it.
fn told(lot: &LotView) -> Json {
    json!({
        "household_id": lot.household_id, "product_id": lot.product_id, "village_code": lot.village_code,
        "external_ref": lot.external_ref, "grade": lot.grade, "price_fen": lot.price.fen.get(),
        "pricing_unit": lot.price.per.as_str(), "offered_base": lot.offered_base, "held_base": lot.held_base,
        "confirmed_base": lot.confirmed_base, "delivered_base": lot.delivered_base,
        "ready_from": lot.ready_from, "sell_by": lot.sell_by, "certificates": lot.certificates,
        "certified_until": lot.certified_until, "state": lot.state.as_str(),
    })
}

fn told_new(lot: &NewLot) -> Json {
    json!({
        "household_id": lot.place.household_id, "product_id": lot.product_id,
        "village_code": lot.place.village_code, "external_ref": lot.external_ref, "grade": lot.grade,
        "price_fen": lot.price.fen.get(), "pricing_unit": lot.price.per.as_str(),
        "offered_base": lot.offered_base, "held_base": 0, "confirmed_base": 0, "delivered_base": 0,
        "ready_from": lot.ready_from, "sell_by": lot.sell_by, "certificates": lot.certificates,
        "certified_until": lot.certified_until, "state": State::OnSale.as_str(),
    })
}
