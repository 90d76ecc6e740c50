//! Endpoints: Reminders of what is due.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::ReminderView;
use crate::app::App;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::Yuan;
use crate::members::access::Signed;
use crate::routes::Tag;

/// Reminders of what is due.
#[derive(Debug)]
pub struct Api(pub App);

/// That a settlement is due soon, today, or since some weeks.
#[derive(Debug, Object)]
pub struct PaymentReminder {
    pub id: Uuid,
    pub settlement_id: Uuid,
    pub settlement_number: String,
    pub institution_id: Uuid,
    pub institution_name: String,
    /// Days after the due day: -7, -3, 0, 7, 14 and so on.
    pub step: i64,
    pub due_on: NaiveDate,
    /// What was open when it was raised, fee included.
    pub open: Yuan,
    pub raised_on: NaiveDate,
    pub created_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Settlements")]
impl Api {
    /// List payment reminders
    ///
    /// Raised 7 and 3 days before a settlement is due, on the day, and every week after it while something is open; newest
    /// first. Buyers see those of their institution, officials those of the institutions of their region. They are listed
    /// here and not sent to anybody.
    #[oai(path = "/payment_reminders", method = "get", operation_id = "list_payment_reminders")]
    async fn list_payment_reminders(
        &self,
        caller: Signed,
        request: &poem::Request,
        /// Only those of this institution.
        institution_id: Query<Option<Uuid>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<PaymentReminder>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let reminders = super::list(&self.0, &caller, institution_id.0, page).await?;
        Ok(Listed::new(reminders.map(PaymentReminder::from), request.uri()))
    }
}

impl From<ReminderView> for PaymentReminder {
    fn from(view: ReminderView) -> Self {
        Self {
            id: view.id,
            settlement_id: view.settlement_id,
            settlement_number: view.settlement_number,
            institution_id: view.institution_id,
            institution_name: view.institution_name,
            step: view.step,
            due_on: view.due_on,
            open: Yuan(view.open),
            raised_on: view.raised_on,
            created_at: view.created_at,
        }
    }
}
