//! Webhooks: institutions' own systems are told what becomes of their orders and papers. What is to be told is written in
//! the transaction of what happened ([`announce`]) and sent afterwards, by `deliver.rs`, at least once and in no promised
//! order; a receiver tells repetitions by `webhook-id`.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::outbound::Refused;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role};
use crate::members::sealed::Sealed;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail;

pub mod api;
pub mod deliver;
pub mod rules;
mod store;

pub use rules::{Event, News, TOLERANCE, is_secret, is_signed};
use store::{DeliveryRow, NewDelivery, WebhookRow};

/// Live webhooks of an institution at most.
const WEBHOOKS_MAX: i64 = 10;

const USERS: [Role; 2] = [Role::Buyer, Role::Approver];

/// A webhook as its institution sees it.
#[derive(Clone, Debug)]
pub struct WebhookView {
    pub id: Uuid,
    pub institution_id: Uuid,
    pub url: String,
    pub events: Vec<Event>,
    /// Attempts that failed since the last one that did not.
    pub failures: i32,
    pub created_by: Uuid,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A delivery as its institution sees it.
#[derive(Clone, Debug)]
pub struct DeliveryView {
    pub id: Uuid,
    pub event: Event,
    pub subject_id: Uuid,
    pub state: String,
    pub attempts: i32,
    /// When the next attempt is made, while there is one.
    pub next_at: Option<DateTime<Utc>>,
    pub last_status: Option<i32>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// Adds a webhook, and answers it with its secret, which nobody is told again. No event named means all of them.
///
/// Refused with [`Refusal::Invalid`] for an address that would not be called, and when there are [`WEBHOOKS_MAX`] already.
pub async fn create(
    app: &App,
    caller: &Caller,
    url: &str,
    events: &[Event],
) -> Outcome<(WebhookView, String)> {
    caller.allow(&USERS)?;
    let institution_id = caller.institution()?;
    app.outbound.check(url).await.map_err(unacceptable)?;
    let now = app.clock.now();
    let id = app.ids.next(now);
    let mut bytes = [0_u8; rules::SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Broken(error.to_string()))?;
    let secret = rules::secret_text(&bytes);
    let row = WebhookRow {
        id,
        county_code: caller.county()?.to_owned(),
        institution_id,
        url: url.to_owned(),
        events: rules::stored(events),
        secret_sealed: app.keys.seal(Sealed::WebhookSecret, id, &secret)?,
        failures: 0,
        created_by: caller.principal_id,
        created_at: now,
        ended_at: None,
    };
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            if !store::insert(&txn, &row, WEBHOOKS_MAX).await? {
                let detail = format!("you have {WEBHOOKS_MAX} webhooks; delete one first");
                return Err(Refusal::invalid("/url", detail).into());
            }
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event("create_webhook", &row)]).await?;
            txn.commit(()).await
        })
        .await?;
    Ok((view(row), secret))
}

/// The live webhooks of the caller's institution, newest first.
pub async fn list(app: &App, caller: &Caller, page: PageRequest) -> Outcome<Page<WebhookView>> {
    caller.allow(&USERS)?;
    let rows = store::list(app.db.reader(), caller.institution()?, page).await?;
    Ok(Page::cut(rows, page, |row| row.id).map(view))
}

/// A webhook of the caller's institution, also one that has ended.
pub async fn find(app: &App, caller: &Caller, id: Uuid) -> Outcome<WebhookView> {
    Ok(view(found(app, caller, id).await?))
}

/// Ends a webhook: it is told nothing more. Ending it again changes nothing.
pub async fn end(app: &App, caller: &Caller, id: Uuid) -> Outcome<()> {
    let row = found(app, caller, id).await?;
    app.db
        .write(|| async {
            let now = app.clock.now();
            let txn = app.db.begin().await?;
            if store::end(&txn, id, row.institution_id, now).await? {
                let events = vec![event("delete_webhook", &row)];
                trail::record(&txn, &app.ids, now, &caller.actor(), events).await?;
            }
            txn.commit(()).await
        })
        .await
}

/// What a webhook was and is to be told, newest first.
pub async fn deliveries(
    app: &App,
    caller: &Caller,
    id: Uuid,
    page: PageRequest,
) -> Outcome<Page<DeliveryView>> {
    found(app, caller, id).await?;
    let rows = store::deliveries(app.db.reader(), id, page).await?;
    Page::cut(rows, page, |row| row.id).try_map(delivery_view)
}

/// Writes what the webhooks of the institutions concerned are to be told, in the transaction of what happened.
pub async fn announce(txn: &WriteTxn, app: &App, news: &[News]) -> Outcome<()> {
    let institutions: Vec<Uuid> = news.iter().map(|one| one.institution_id).collect();
    if institutions.is_empty() {
        return Ok(());
    }
    let webhooks = store::of_institutions(txn, &institutions).await?;
    let now = app.clock.now();
    let mut deliveries = Vec::new();
    for one in news {
        let told = webhooks.iter().filter(|webhook| {
            webhook.institution_id == one.institution_id
                && rules::wanted(&webhook.events).contains(&one.event)
        });
        deliveries.extend(told.map(|webhook| NewDelivery {
            id: app.ids.next(now),
            webhook_id: webhook.id,
            event: one.event.as_str(),
            subject_id: one.subject_id,
            payload: rules::payload(one, now),
        }));
    }
    if !deliveries.is_empty() {
        store::insert_deliveries(txn, &deliveries, now).await?;
    }
    Ok(())
}

async fn found(app: &App, caller: &Caller, id: Uuid) -> Outcome<WebhookRow> {
    caller.allow(&USERS)?;
    let row = store::find(app.db.reader(), caller.institution()?, id).await?;
    Ok(row.ok_or(Refusal::NotFound("webhook"))?)
}

fn unacceptable(refused: Refused) -> Failure {
    Refusal::invalid("/url", refused).into()
}

fn view(row: WebhookRow) -> WebhookView {
    WebhookView {
        id: row.id,
        institution_id: row.institution_id,
        events: rules::wanted(&row.events),
        url: row.url,
        failures: row.failures,
        created_by: row.created_by,
        created_at: row.created_at,
        ended_at: row.ended_at,
    }
}

fn delivery_view(row: DeliveryRow) -> Outcome<DeliveryView> {
    let event = Event::parse(&row.event)
        .ok_or_else(|| Failure::Broken(format!("unknown event {} of a delivery", row.event)))?;
    Ok(DeliveryView {
        id: row.id,
        event,
        subject_id: row.subject_id,
        next_at: (row.state == "pending").then_some(row.next_at),
        state: row.state,
        attempts: row.attempts,
        last_status: row.last_status,
        last_error: row.last_error,
        created_at: row.created_at,
        ended_at: row.ended_at,
    })
}

/// Without what stands behind a question mark, where some put a password.
fn event(action: &'static str, row: &WebhookRow) -> trail::Event {
    let url = row.url.split('?').next().unwrap_or_default();
    trail::Event {
        county_code: Some(row.county_code.clone()),
        household_id: None,
        action,
        subject_kind: "webhook",
        subject_id: row.id,
        before: None,
        after: Some(json!({ "institution_id": row.institution_id, "url": url, "events": row.events })),
    }
}
