//! Until when an institution pays: dated terms per institution, the day of the acceptance and the norm's limits. The term
//! in force on the day of an acceptance bears on it for good.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role};
use crate::members::institutions;
use crate::money::Rate;
use crate::refusal::{Outcome, Refusal};
use crate::trail::{self, Event};

pub mod api;
mod rules;
mod store;

pub use rules::{NORMS, Norm, check_dated, due_on, norm_on};

/// Institutions read their own terms, officials those of their region.
const READERS: [Role; 5] = [Role::Buyer, Role::Approver, Role::Officer, Role::Finance, Role::Auditor];

/// A term to be set.
#[derive(Clone, Debug)]
pub struct NewPaymentTerm {
    pub from_on: NaiveDate,
    /// Days after the acceptance.
    pub days: i64,
    /// The contract or decision it comes from.
    pub source: String,
}

/// A term of an institution, in force from a day on until another one is.
#[derive(Clone, Debug)]
pub struct PaymentTermView {
    pub id: Uuid,
    pub institution_id: Uuid,
    pub set: NewPaymentTerm,
    pub set_by: Uuid,
    pub created_at: DateTime<Utc>,
}

/// What bears on a settlement of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// None when the institution has no term of its own.
    pub days: Option<i64>,
    pub fee: Rate,
}

/// The term of the institution and the fee rate of the county in force on a day. One statement.
pub async fn conditions_on(
    connection: &impl ConnectionTrait,
    county_code: &str,
    institution_id: Uuid,
    on: NaiveDate,
) -> Outcome<Conditions> {
    Ok(store::conditions_on(connection, county_code, institution_id, on).await?)
}

/// Sets the term of an institution of the caller's region from a day to come on. Of two terms of one day the later one
/// counts.
pub async fn create(
    app: &App,
    caller: &Caller,
    institution_id: Uuid,
    new: NewPaymentTerm,
) -> Outcome<PaymentTermView> {
    caller.allow(&[Role::Finance])?;
    app.db
        .write(|| async {
            let now = app.clock.now();
            let txn = app.db.begin().await?;
            let institution = institutions::visible(&txn, &caller.scope, institution_id).await?;
            rules::check(&new, app.clock.today())?;
            let view = PaymentTermView {
                id: app.ids.next(now),
                institution_id,
                set: new.clone(),
                set_by: caller.principal_id,
                created_at: now,
            };
            store::insert(&txn, &institution.county_code, &view).await?;
            let event = Event {
                county_code: Some(institution.county_code),
                household_id: None,
                action: "create_payment_term",
                subject_kind: "payment_term",
                subject_id: view.id,
                before: None,
                after: Some(json!({
                    "institution_id": institution_id, "from_on": new.from_on, "days": new.days,
                    "source": new.source,
                })),
            };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(view).await
        })
        .await
}

/// The terms of an institution, the one set last first.
pub async fn list(
    app: &App,
    caller: &Caller,
    institution_id: Uuid,
    request: PageRequest,
) -> Outcome<Page<PaymentTermView>> {
    if !READERS.contains(&caller.role) {
        return Err(Refusal::NotAllowed.into());
    }
    institutions::visible(app.db.reader(), &caller.scope, institution_id).await?;
    let rows = store::list(app.db.reader(), institution_id, request).await?;
    Ok(Page::cut(rows, request, |term| term.id))
}
