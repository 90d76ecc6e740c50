//! Helpers paired with households, from a day to a day. A helper may list and edit for a household while paired; being
//! paired never makes anybody a payee.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role};
use crate::members::households;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
mod store;

pub use store::{Filter, Row as PairingView};

/// Pairings written by one statement.
const CHUNK: usize = 1_000;

const READERS: [Role; 5] = [Role::Household, Role::Helper, Role::Officer, Role::Finance, Role::Auditor];

/// A pairing that is to be made.
#[derive(Clone, Debug)]
pub struct NewPairing {
    pub county_code: String,
    pub helper_id: Uuid,
    pub household_id: Uuid,
    pub from_on: NaiveDate,
}

/// Whether a helper is paired with a household on a day.
pub async fn is_paired(
    connection: &impl ConnectionTrait,
    helper_id: Uuid,
    household_id: Uuid,
    day: NaiveDate,
) -> Outcome<bool> {
    Ok(store::is_paired(connection, helper_id, household_id, day).await?)
}

/// Makes pairings inside an open transaction and answers their ids in the same order. The caller has checked that the
/// helpers are helpers. Refused when two are paired already.
pub async fn insert_many(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    new: Vec<NewPairing>,
) -> Outcome<Vec<Uuid>> {
    let now = app.clock.now();
    let rows: Vec<PairingView> = new.into_iter().map(|one| row_of(app, one, now)).collect();
    for chunk in rows.chunks(CHUNK) {
        store::insert(txn, chunk, now).await.map_err(paired_already)?;
        trail::record(txn, &app.ids, now, actor, chunk.iter().map(made).collect()).await?;
    }
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Pairs a helper with a household of the officer's region, from a day on that is not in the future.
///
/// Refused when the helper is not a helper of the county, and when the two are paired already.
pub async fn create(
    app: &App,
    caller: &Caller,
    helper_id: Uuid,
    household_id: Uuid,
    from_on: Option<NaiveDate>,
) -> Outcome<PairingView> {
    caller.allow(&[Role::Officer])?;
    let (now, today) = (app.clock.now(), app.clock.today());
    let from_on = from_on.unwrap_or(today);
    if from_on > today {
        return Err(Refusal::invalid("/from_on", "must not lie in the future").into());
    }
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let household = households::visible(&txn, &caller.scope, household_id, today).await?;
            if !store::is_helper(&txn, helper_id, &household.county_code).await? {
                return Err(Refusal::invalid("/helper_id", "is not a helper of this county").into());
            }
            let new = NewPairing { county_code: household.county_code, helper_id, household_id, from_on };
            let row = row_of(app, new, now);
            store::insert(&txn, std::slice::from_ref(&row), now).await.map_err(paired_already)?;
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![made(&row)]).await?;
            txn.commit(row).await
        })
        .await
}

/// The caller's pairings, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    request: PageRequest,
) -> Outcome<Page<PairingView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), &caller.scope, filter, request).await?;
    Ok(Page::cut(rows, request, |row| row.id))
}

/// Ends a pairing. `last_on` is its last day; without it the pairing ends at once, that is with yesterday. One that
/// began today then covers no day at all.
pub async fn end(app: &App, caller: &Caller, id: Uuid, last_on: Option<NaiveDate>) -> Outcome<PairingView> {
    caller.allow(&[Role::Officer])?;
    let (now, today) = (app.clock.now(), app.clock.today());
    let yesterday = today.pred_opt().unwrap_or(today);
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let before = store::find(&txn, &caller.scope, id).await?.ok_or(Refusal::NotFound("pairing"))?;
            let last_on = last_on.unwrap_or(yesterday);
            if last_on > today || last_on < before.from_on.pred_opt().unwrap_or(before.from_on) {
                let detail = "must lie between the first day of the pairing and today";
                return Err(Refusal::invalid("/last_on", detail).into());
            }
            if !store::end(&txn, id, last_on).await? {
                let from = "ended".to_owned();
                return Err(Refusal::WrongState { what: "pairing", from, attempted: "end" }.into());
            }
            let after = PairingView { to_on: Some(last_on), ..before };
            let event = Event { action: "end_pairing", ..made(&after) };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(after).await
        })
        .await
}

fn row_of(app: &App, new: NewPairing, now: DateTime<Utc>) -> PairingView {
    PairingView {
        id: app.ids.next(now),
        county_code: new.county_code,
        helper_id: new.helper_id,
        household_id: new.household_id,
        from_on: new.from_on,
        to_on: None,
        created_at: now,
    }
}

fn made(row: &PairingView) -> Event {
    Event {
        county_code: Some(row.county_code.clone()),
        household_id: Some(row.household_id),
        action: "create_pairing",
        subject_kind: "pairing",
        subject_id: row.id,
        before: None,
        after: Some(json!({ "helper_id": row.helper_id, "from_on": row.from_on, "to_on": row.to_on })),
    }
}

fn paired_already(error: sea_orm::DbErr) -> Failure {
    if crate::db::is_duplicate(&error) {
        Refusal::Duplicate { detail: "This helper and this household are paired already.".to_owned() }.into()
    } else {
        error.into()
    }
}
