//! Reminders of what is due: raised once per settlement and step, for finance and for the institution to read. Nothing is
//! sent from here: there is no gateway yet, so whoever is to be reminded looks at the list.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role, Scope};
use crate::money::Fen;
use crate::refusal::{Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
mod rules;
mod store;

pub use store::Debtors;

/// Reminders that one transaction raises; the next one takes the rest.
const RAISED_MAX: usize = 500;

const READERS: [Role; 5] = [Role::Buyer, Role::Approver, Role::Officer, Role::Finance, Role::Auditor];

/// A reminder that was raised.
#[derive(Clone, Debug)]
pub struct ReminderView {
    pub id: Uuid,
    pub settlement_id: Uuid,
    pub settlement_number: String,
    pub institution_id: Uuid,
    pub institution_name: String,
    /// Days after the due day; negative before it.
    pub step: i64,
    pub due_on: NaiveDate,
    /// What was open when it was raised, fee included.
    pub open: Fen,
    pub raised_on: NaiveDate,
    pub created_at: DateTime<Utc>,
}

/// Raises the reminders that are due and not raised yet, at most [`RAISED_MAX`]; answers how many. Any number of processes
/// may sweep: each step of a settlement is raised once. After a pause only the latest step is.
pub async fn sweep(app: &App) -> Outcome<usize> {
    let today = app.clock.today();
    let last = today.checked_add_days(Days::new(rules::DAYS_AHEAD_MAX)).unwrap_or(today);
    let reader = app.db.reader();
    let days = store::unpaid_due_days(reader, last).await?;
    let steps: Vec<(NaiveDate, i64)> =
        days.into_iter().filter_map(|due_on| Some((due_on, rules::step_on(due_on, today)?))).collect();
    if store::missing(reader, &steps, 1).await?.is_empty() {
        return Ok(0);
    }
    let raised = app.db.write(|| async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let missing = store::missing(&txn, &steps, RAISED_MAX).await?;
        let reminders: Vec<(Uuid, store::Missing)> =
            missing.into_iter().map(|missing| (app.ids.next(now), missing)).collect();
        // Of two processes the second adds nothing that the first did.
        let added: BTreeSet<Uuid> = store::insert(&txn, &reminders, today, now).await?.into_iter().collect();
        let events = reminders.iter().filter(|(id, _)| added.contains(id));
        let events = events.map(|(id, missing)| raised_event(*id, missing, today)).collect();
        trail::record(&txn, &app.ids, now, &Actor::service("sweeper"), events).await?;
        txn.commit(added.len()).await
    });
    raised.await
}

/// The reminders of the caller's institution or of the institutions of the caller's region, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    institution_id: Option<Uuid>,
    request: PageRequest,
) -> Outcome<Page<ReminderView>> {
    caller.allow(&READERS)?;
    let debtors = match &caller.scope {
        Scope::Region(region) => Debtors::In(region.clone()),
        Scope::Institution(id) => Debtors::One(*id),
        Scope::Household(_) | Scope::Helper(_) => return Err(Refusal::NotAllowed.into()),
    };
    let rows = store::list(app.db.reader(), &debtors, institution_id, request).await?;
    Ok(Page::cut(rows, request, |reminder| reminder.id))
}

fn raised_event(id: Uuid, missing: &store::Missing, today: NaiveDate) -> Event {
    Event {
        county_code: Some(missing.county_code.clone()),
        household_id: None,
        action: "raise_payment_reminder",
        subject_kind: "payment_reminder",
        subject_id: id,
        before: None,
        after: Some(json!({
            "settlement_id": missing.settlement_id, "institution_id": missing.institution_id,
            "step": missing.step, "due_on": missing.due_on, "open_fen": missing.open_fen, "raised_on": today,
        })),
    }
}
