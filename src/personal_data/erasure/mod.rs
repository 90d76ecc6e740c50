//! Erasure by pseudonymising what the books must keep: a household asks, an officer of its region decides. Accounting
//! archives are kept for thirty years (《会计档案管理办法》, order 79 of 2015, of vouchers and ledgers), so entries, papers
//! with masked names, and the sealed names and accounts that banks were told stay; what is personal about the household
//! itself goes, and nothing in the audit trail held it.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role, Scope};
use crate::members::{households, principals};
use crate::refusal::{Outcome, Refusal};
use crate::trail::{self, Event};

pub mod api;
mod rules;
mod store;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Requested,
    Approved,
    Refused,
}

impl State {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Requested, Self::Approved, Self::Refused].into_iter().find(|state| state.as_str() == name)
    }
}

/// A request and what was decided.
#[derive(Clone, Debug)]
pub struct RequestView {
    pub id: Uuid,
    pub county_code: String,
    pub household_id: Uuid,
    pub state: State,
    pub reason: Option<String>,
    pub requested_by: Uuid,
    pub requested_at: DateTime<Utc>,
    pub decided_by: Option<Uuid>,
    pub decided_at: Option<DateTime<Utc>>,
    pub refusal_reason: Option<String>,
}

/// What an officer decides.
#[derive(Clone, Debug)]
pub struct Decision {
    state: State,
    by: Uuid,
    at: DateTime<Utc>,
    refusal_reason: Option<String>,
}

/// Asks that the caller's household be erased. Refused while it has an open request.
pub async fn request(app: &App, caller: &Caller, reason: Option<String>) -> Outcome<RequestView> {
    caller.allow(&[Role::Household])?;
    let Scope::Household(household_id) = caller.scope else { return Err(Refusal::NotAllowed.into()) };
    let (now, county) = (app.clock.now(), caller.county()?);
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let made = RequestView {
                id: app.ids.next(now),
                county_code: county.to_owned(),
                household_id,
                state: State::Requested,
                reason: reason.clone(),
                requested_by: caller.principal_id,
                requested_at: now,
                decided_by: None,
                decided_at: None,
                refusal_reason: None,
            };
            if !store::insert(&txn, &made).await? {
                let detail = "Your household has asked already; wait for the answer.".to_owned();
                return Err(Refusal::Duplicate { detail }.into());
            }
            let event = told("request_erasure", &made, None, State::Requested);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(made).await
        })
        .await
}

/// The requests of the officer's region, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    state: Option<State>,
    request: PageRequest,
) -> Outcome<Page<RequestView>> {
    caller.allow(&[Role::Officer])?;
    let rows = store::list(app.db.reader(), caller.region()?, state, request).await?;
    let views = rows.into_iter().map(RequestView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |view| view.id))
}

/// Erases the household of a request.
///
/// Refused with [`Refusal::StillBound`] while it has lots on sale, open parts of orders, or money to come.
pub async fn approve(app: &App, caller: &Caller, id: Uuid) -> Outcome<RequestView> {
    decide(app, caller, id, State::Approved, None).await
}

/// Refuses a request, for a reason that the household reads in its export.
pub async fn refuse(app: &App, caller: &Caller, id: Uuid, reason: String) -> Outcome<RequestView> {
    decide(app, caller, id, State::Refused, Some(reason)).await
}

async fn decide(
    app: &App,
    caller: &Caller,
    id: Uuid,
    state: State,
    refusal_reason: Option<String>,
) -> Outcome<RequestView> {
    caller.allow(&[Role::Officer])?;
    let (region, now) = (caller.region()?, app.clock.now());
    let decision = Decision { state, by: caller.principal_id, at: now, refusal_reason };
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let found = store::find(&txn, region, id).await?.ok_or(Refusal::NotFound("erasure request"))?;
            let before = RequestView::try_from(found)?;
            if !store::decide(&txn, id, &decision).await? {
                let from = before.state.as_str().to_owned();
                return Err(Refusal::WrongState { what: "request", from, attempted: "decide" }.into());
            }
            let action = if state == State::Approved { "approve_erasure" } else { "refuse_erasure" };
            let mut events = vec![told(action, &before, Some(State::Requested), state)];
            if state == State::Approved {
                events.push(erase(app, &txn, &before).await?);
            }
            trail::record(&txn, &app.ids, now, &caller.actor(), events).await?;
            let after = RequestView {
                state,
                decided_by: Some(decision.by),
                decided_at: Some(now),
                refusal_reason: decision.refusal_reason.clone(),
                ..before
            };
            txn.commit(after).await
        })
        .await
}

/// Takes out of the household what is personal, and ends its sign-in.
async fn erase(app: &App, txn: &WriteTxn, request: &RequestView) -> Outcome<Event> {
    let (now, household_id) = (app.clock.now(), request.household_id);
    households::erase(txn, household_id, &rules::pseudonym(household_id), now).await?;
    // After the household is marked: who offers a lot of it now waits for this and then finds it erased.
    rules::refuse_tied(store::ties(txn, household_id, app.clock.today()).await?)?;
    let signed_out = principals::retire_of_household(txn, household_id, now).await?;
    Ok(Event {
        county_code: Some(request.county_code.clone()),
        household_id: Some(household_id),
        action: "erase_household",
        subject_kind: "household",
        subject_id: household_id,
        before: None,
        after: Some(json!({ "erased_at": now, "principals_retired": signed_out })),
    })
}

fn told(action: &'static str, request: &RequestView, before: Option<State>, after: State) -> Event {
    Event {
        county_code: Some(request.county_code.clone()),
        household_id: Some(request.household_id),
        action,
        subject_kind: "erasure_request",
        subject_id: request.id,
        before: before.map(|state| json!({ "state": state.as_str() })),
        after: Some(json!({ "state": after.as_str() })),
    }
}
