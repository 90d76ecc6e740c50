//! Families that offer produce, their statuses and survey visits. What leaves this slice is masked; what is personal
//! leaves it in the clear through [`payees`] for payouts, [`contacts`] for open deliveries, and [`personal`] alone.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, Value};
use serde_json::json;
use uuid::Uuid;

use self::sealing::Written;
use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, RegionScope, Role, Scope};
use crate::members::one_time_codes;
use crate::members::sealed::Sealed;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::regions;
use crate::sheet::{ImportReport, Table};
use crate::trail::{self, Event};

pub mod api;
mod bulk;
mod clear;
mod rules;
mod sealing;
mod store;
mod table;

pub use bulk::{NewHousehold, insert_many};
pub use clear::{Contact, Payee, Personal, Wanted, contacts, find, payees, personal};
pub use rules::{
    Status, VisitOutcome, check_letter, hidden_cells, identity_number, mask_bank_account,
    mask_identity_number, mask_name, mask_phone, phone, published_until,
};
pub use store::Filter;
pub use table::{COLUMNS, HouseholdImport, import};

/// Who may read households; buyers and administrators have no business with them.
const READERS: [Role; 5] = [Role::Household, Role::Helper, Role::Officer, Role::Finance, Role::Auditor];

/// What other slices need to know of a household.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HouseholdFacts {
    pub id: Uuid,
    pub county_code: String,
    pub village_code: String,
    pub status: Status,
    pub is_erased: bool,
}

impl HouseholdFacts {
    /// Refuses a step with a household that was erased.
    pub fn refuse_erased(&self, attempted: &'static str) -> Result<(), Refusal> {
        if self.is_erased { Err(erased(attempted)) } else { Ok(()) }
    }
}

/// A household as a caller may see it.
#[derive(Clone, Debug)]
pub struct HouseholdView {
    pub id: Uuid,
    pub county_code: String,
    pub village_code: String,
    pub external_ref: Option<String>,
    /// Masked for finance and auditors.
    pub head_name: String,
    /// Masked.
    pub identity_number: Option<String>,
    /// Masked.
    pub phone: Option<String>,
    /// Masked.
    pub bank_account: Option<String>,
    /// Masked.
    pub address: Option<String>,
    pub status: Status,
    pub consent_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
}

/// A status and its days.
#[derive(Clone, Debug)]
pub struct StatusSpan {
    pub status: Status,
    pub from_on: NaiveDate,
    /// The last day; absent for the present status.
    pub to_on: Option<NaiveDate>,
}

/// A household with its history.
#[derive(Clone, Debug)]
pub struct HouseholdDetail {
    pub household: HouseholdView,
    /// Newest first.
    pub statuses: Vec<StatusSpan>,
    /// The last survey visit: its day and what it found.
    pub last_visit: Option<(NaiveDate, VisitOutcome)>,
}

/// What an edit changes; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct HouseholdEdit {
    pub head_name: Option<String>,
    pub external_ref: Option<String>,
    pub identity_number: Option<String>,
    pub phone: Option<String>,
    pub bank_account: Option<String>,
    pub address: Option<String>,
    pub consent_on: Option<NaiveDate>,
    /// Sent to the phone of a household that signs in by it, before it changes its bank account.
    pub one_time_code: Option<String>,
}

/// A visit: asked on this day, with what outcome.
#[derive(Clone, Debug)]
pub struct NewVisit {
    pub visited_on: NaiveDate,
    pub outcome: VisitOutcome,
    pub note: Option<String>,
}

/// A recorded visit.
#[derive(Clone, Debug)]
pub struct VisitView {
    pub id: Uuid,
    pub household_id: Uuid,
    pub visit: NewVisit,
    pub created_at: DateTime<Utc>,
}

/// The condition that keeps a query to the households of a scope, with its parameters numbered from `first`. `alias`
/// names the `household` table in that query.
#[must_use]
pub fn scope_condition(scope: &Scope, alias: &str, today: NaiveDate, first: usize) -> (String, Vec<Value>) {
    store::scope_condition(scope, alias, today, first)
}

/// The household, when it is one of the scope: a helper's while paired today, an institution's never.
pub async fn visible(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
    today: NaiveDate,
) -> Outcome<HouseholdFacts> {
    let row = store::find(connection, scope, id, today).await?.ok_or(Refusal::NotFound("household"))?;
    Ok(HouseholdFacts {
        id: row.id,
        status: status_of(&row.status)?,
        county_code: row.county_code,
        village_code: row.village_code,
        is_erased: row.erased_at.is_some(),
    })
}

/// Makes a household.
///
/// Refused when its village does not exist, is revoked or lies outside the officer's region, or when its external
/// reference is taken in the county.
pub async fn create(app: &App, caller: &Caller, new: NewHousehold) -> Outcome<HouseholdDetail> {
    caller.allow(&[Role::Officer])?;
    let region = caller.region()?;
    let today = app.clock.today();
    if let Some(day) = new.consent_on {
        rules::not_later(day, today, "/consent_on")?;
    }
    let id = app
        .db
        .write(|| async {
            let txn = app.db.begin().await?;
            let village = regions::require_village(&txn, &new.village_code, today, "/village").await?;
            refuse_outside(region, &village.code)?;
            let one = NewHousehold { village_code: village.code, ..new.clone() };
            let made = insert_many(&txn, app, &caller.actor(), vec![one]).await.map_err(ref_taken)?;
            let id =
                made.first().copied().ok_or_else(|| Failure::Broken("no household was made".to_owned()))?;
            txn.commit(id).await
        })
        .await?;
    get(app, caller, id).await
}

/// One household with its history.
pub async fn get(app: &App, caller: &Caller, id: Uuid) -> Outcome<HouseholdDetail> {
    caller.allow(&READERS)?;
    let reader = app.db.reader();
    let row = store::find(reader, &caller.scope, id, app.clock.today()).await?;
    let household = view(app, caller, row.ok_or(Refusal::NotFound("household"))?)?;
    let spans = store::statuses(reader, id).await?.into_iter().map(|row| {
        Ok(StatusSpan { status: status_of(&row.status)?, from_on: row.from_on, to_on: row.to_on })
    });
    let last_visit = match store::last_visit(reader, id).await? {
        Some(row) => Some((row.visited_on, outcome_of(&row.outcome)?)),
        None => None,
    };
    Ok(HouseholdDetail { household, statuses: spans.collect::<Outcome<_>>()?, last_visit })
}

/// The caller's households, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    request: PageRequest,
) -> Outcome<Page<HouseholdView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), &caller.scope, filter, app.clock.today(), request).await?;
    let page = Page::cut(rows, request, |row| row.id);
    let items = page.items.into_iter().map(|row| view(app, caller, row)).collect::<Outcome<_>>()?;
    Ok(Page { items, next: page.next })
}

/// Changes a household that is still at `version`. Households change phone, address and bank account only, helpers
/// phone and address only.
///
/// Refused when another household of the county has the identity number.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: Uuid,
    version: i64,
    edit: HouseholdEdit,
) -> Outcome<HouseholdDetail> {
    caller.allow(&[Role::Household, Role::Helper, Role::Officer])?;
    let is_of_officers = edit.head_name.is_some() || edit.external_ref.is_some() || edit.consent_on.is_some();
    if is_of_officers || edit.identity_number.is_some() {
        caller.allow(&[Role::Officer])?;
    }
    // Whoever helps a household must not come to be paid in its place.
    if edit.bank_account.is_some() {
        caller.allow(&[Role::Household, Role::Officer])?;
        let purpose = one_time_codes::Purpose::ChangeBankAccount;
        one_time_codes::confirm(app, caller, purpose, edit.one_time_code.as_deref()).await?;
    }
    let (now, today) = (app.clock.now(), app.clock.today());
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let found = store::find(&txn, &caller.scope, id, today).await?;
            let before = found.ok_or(Refusal::NotFound("household"))?;
            if before.erased_at.is_some() {
                return Err(erased("edit").into());
            }
            let changes = changes(app, id, &edit)?;
            refuse_taken(&txn, &before, &changes).await?;
            if !store::update(&txn, id, version, &changes, now)
                .await
                .map_err(|error| ref_taken(error.into()))?
            {
                return Err(Refusal::Stale.into());
            }
            let event = edited(&before, &changes);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await?;
    get(app, caller, id).await
}

/// Gives a household another status from a day on; the one before ends the day before.
///
/// Refused when the day lies in the future, when the present status begins on it or later, or when it is the same.
pub async fn change_status(
    app: &App,
    caller: &Caller,
    id: Uuid,
    status: Status,
    from_on: NaiveDate,
) -> Outcome<HouseholdDetail> {
    caller.allow(&[Role::Officer])?;
    let (now, today) = (app.clock.now(), app.clock.today());
    rules::not_later(from_on, today, "/from_on")?;
    let previous_to_on =
        from_on.pred_opt().ok_or_else(|| Refusal::invalid("/from_on", "is not a day of our time"))?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let before = visible(&txn, &caller.scope, id, today).await?;
            before.refuse_erased("change its status")?;
            let next = store::NextStatus {
                id: app.ids.next(now),
                household_id: id,
                status,
                from_on,
                previous_to_on,
            };
            if !store::follow_status(&txn, &next, now).await? {
                return Err(why_not(&store::statuses(&txn, id).await?, status).into());
            }
            let event = Event {
                county_code: Some(before.county_code),
                household_id: Some(id),
                action: "change_household_status",
                subject_kind: "household",
                subject_id: id,
                before: Some(json!({ "status": before.status.as_str() })),
                after: Some(json!({ "status": status.as_str(), "status_from": from_on })),
            };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await?;
    get(app, caller, id).await
}

/// Records that somebody asked a household what it has unsold.
pub async fn record_visit(app: &App, caller: &Caller, id: Uuid, visit: NewVisit) -> Outcome<VisitView> {
    caller.allow(&[Role::Helper, Role::Officer])?;
    let (now, today) = (app.clock.now(), app.clock.today());
    rules::not_later(visit.visited_on, today, "/visited_on")?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let household = visible(&txn, &caller.scope, id, today).await?;
            household.refuse_erased("visit it")?;
            let row = store::Visit {
                id: app.ids.next(now),
                county_code: household.county_code.clone(),
                household_id: id,
                visited_on: visit.visited_on,
                outcome: visit.outcome,
                note: visit.note.clone(),
                visited_by: caller.principal_id,
            };
            store::insert_visit(&txn, &row, now).await?;
            let event = Event {
                county_code: Some(household.county_code),
                household_id: Some(id),
                action: "record_survey_visit",
                subject_kind: "survey_visit",
                subject_id: row.id,
                before: None,
                after: Some(json!({ "visited_on": visit.visited_on, "outcome": visit.outcome.as_str() })),
            };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            let made = VisitView { id: row.id, household_id: id, visit: visit.clone(), created_at: now };
            txn.commit(made).await
        })
        .await
}

/// Takes out of a household what is personal, notes of visits included; its name becomes `pseudonym`. It stays erased.
pub async fn erase(txn: &WriteTxn, id: Uuid, pseudonym: &str, now: DateTime<Utc>) -> Outcome<()> {
    if store::erase(txn, id, pseudonym, now).await? { Ok(()) } else { Err(erased("erase").into()) }
}

/// Imports a csv or xlsx file of households of the officer's region. See [`import`].
pub async fn import_file(
    app: &App,
    caller: &Caller,
    file: Vec<u8>,
    is_dry_run: bool,
) -> Outcome<ImportReport> {
    caller.allow(&[Role::Officer])?;
    let how = HouseholdImport { within: caller.region()?.clone(), is_dry_run };
    let table = Table::read_beside(file, &COLUMNS).await?;
    import(app, &caller.actor(), &table, &how, &|_| {}).await
}

/// Refuses a village outside the region of an officer.
fn refuse_outside(region: &RegionScope, village: &str) -> Result<(), Refusal> {
    if region.contains(village) {
        Ok(())
    } else {
        Err(Refusal::invalid("/village", "lies outside your region"))
    }
}

fn view(app: &App, caller: &Caller, row: store::Row) -> Outcome<HouseholdView> {
    let masked = |column, mask: fn(&str) -> String| {
        Ok::<_, Failure>(sealing::open(app, &row, column)?.map(|clear| mask(&clear)))
    };
    let identity_number = masked(Sealed::HouseholdIdentityNumber, mask_identity_number)?;
    let phone = masked(Sealed::HouseholdPhone, mask_phone)?;
    let bank_account = masked(Sealed::HouseholdBankAccount, mask_bank_account)?;
    let address = masked(Sealed::HouseholdAddress, rules::mask_address)?;
    let knows_them = matches!(caller.role, Role::Household | Role::Helper | Role::Officer);
    Ok(HouseholdView {
        id: row.id,
        county_code: row.county_code,
        village_code: row.village_code,
        external_ref: row.external_ref,
        head_name: if knows_them { row.head_name } else { mask_name(&row.head_name) },
        identity_number,
        phone,
        bank_account,
        address,
        status: status_of(&row.status)?,
        consent_on: row.consent_on,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

fn changes(app: &App, id: Uuid, edit: &HouseholdEdit) -> Outcome<store::Changes> {
    let head_name = edit.head_name.as_deref().map(rules::head_name).transpose();
    if let Some(day) = edit.consent_on {
        rules::not_later(day, app.clock.today(), "/consent_on")?;
    }
    let written = Written {
        identity_number: edit.identity_number.as_deref(),
        phone: edit.phone.as_deref(),
        bank_account: edit.bank_account.as_deref(),
        address: edit.address.as_deref(),
    };
    Ok(store::Changes {
        head_name: head_name.map_err(|reason| Refusal::invalid("/head_name", reason))?,
        external_ref: edit.external_ref.clone(),
        sealed: sealing::seal(app, id, written)?,
        consent_on: edit.consent_on,
    })
}

async fn refuse_taken(txn: &WriteTxn, before: &store::Row, changes: &store::Changes) -> Outcome<()> {
    let Some(fingerprint) = &changes.sealed.identity_fingerprint else { return Ok(()) };
    if store::other_with_identity(txn, &before.county_code, fingerprint, before.id).await? {
        let masked = changes.sealed.identity_number_masked.as_deref().unwrap_or_default();
        return Err(bulk::identity_taken(masked).into());
    }
    Ok(())
}

fn edited(before: &store::Row, changes: &store::Changes) -> Event {
    let (mut after, sealed) = (before.clone(), changes.sealed.clone());
    after.external_ref = changes.external_ref.clone().or(after.external_ref);
    after.identity_number_sealed = sealed.identity_number_sealed.clone().or(after.identity_number_sealed);
    after.phone_sealed = sealed.phone_sealed.clone().or(after.phone_sealed);
    after.bank_account_sealed = sealed.bank_account_sealed.clone().or(after.bank_account_sealed);
    after.address_sealed = sealed.address_sealed.clone().or(after.address_sealed);
    after.consent_on = changes.consent_on.or(after.consent_on);
    let touched = json!({
        "head_name_changed": changes.head_name.is_some(),
        "external_ref_changed": changes.external_ref.is_some(),
        "identity_number_changed": sealed.identity_number_sealed.is_some(),
        "phone_changed": sealed.phone_sealed.is_some(),
        "bank_account_changed": sealed.bank_account_sealed.is_some(),
        "address_changed": sealed.address_sealed.is_some(),
    });
    Event {
        county_code: Some(before.county_code.clone()),
        household_id: Some(before.id),
        action: "update_household",
        subject_kind: "household",
        subject_id: before.id,
        before: Some(bulk::facts(before, json!({}))),
        after: Some(bulk::facts(&after, touched)),
    }
}

/// The refusal of a step with a household that was erased.
fn erased(attempted: &'static str) -> Refusal {
    Refusal::WrongState { what: "household", from: "erased".to_owned(), attempted }
}

fn why_not(statuses: &[store::StatusRow], status: Status) -> Refusal {
    match statuses.iter().find(|row| row.to_on.is_none()) {
        Some(present) if present.status == status.as_str() => {
            Refusal::invalid("/status", "is the present status already")
        }
        Some(present) => Refusal::invalid(
            "/from_on",
            format!("must be later than {}, when the present status began", present.from_on),
        ),
        None => Refusal::NotFound("household"),
    }
}

fn ref_taken(failure: Failure) -> Failure {
    match failure {
        Failure::Database(error) if crate::db::is_duplicate(&error) => {
            let detail = "The county has a household with this external_ref or this identity number.";
            Refusal::Duplicate { detail: detail.to_owned() }.into()
        }
        other => other,
    }
}

fn status_of(name: &str) -> Outcome<Status> {
    Status::parse(name).ok_or_else(|| Failure::Broken(format!("unknown household status {name}")))
}

fn outcome_of(name: &str) -> Outcome<VisitOutcome> {
    VisitOutcome::parse(name).ok_or_else(|| Failure::Broken(format!("unknown visit outcome {name}")))
}
