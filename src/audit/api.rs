//! Endpoints of the audit trail. Reads only.

use chrono::{DateTime, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::{EventFilter, EventRow};
use crate::app::App;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::routes::Tag;

/// Endpoints of the audit trail.
#[derive(Debug)]
pub struct Api(pub App);

/// One thing that was written: who, for whom, what, before and after.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct AuditEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    /// Who acted; absent when the service acted by itself.
    pub actor_id: Option<Uuid>,
    /// The role they acted in, or the part of the service.
    pub actor_role: String,
    /// The household on whose behalf it was written.
    pub household_id: Option<Uuid>,
    /// The operation, such as `place_order`.
    pub action: String,
    /// The kind of thing written, such as `purchase_order`.
    pub subject_kind: String,
    pub subject_id: Uuid,
    /// Its figures before, in fen, grams and pieces.
    pub before: Option<serde_json::Value>,
    /// Its figures after, in fen, grams and pieces.
    pub after: Option<serde_json::Value>,
    /// The request that wrote it.
    pub request_id: Option<String>,
    /// The address it came from.
    pub peer: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Audit")]
impl Api {
    /// List what was written
    ///
    /// The audit trail of your county or of all counties in your region, newest first. Only auditors read it.
    #[oai(path = "/audit_events", method = "get", operation_id = "list_audit_events")]
    async fn list_audit_events(
        &self,
        caller: Signed,
        request: &poem::Request,
        /// Only events about this kind of thing, such as `lot`.
        #[oai(validator(min_length = 1, max_length = 50))]
        subject_kind: Query<Option<String>>,
        /// Only events about this thing.
        subject_id: Query<Option<Uuid>>,
        /// Only what this person wrote.
        actor_id: Query<Option<Uuid>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<AuditEvent>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let filter =
            EventFilter { subject_kind: subject_kind.0, subject_id: subject_id.0, actor_id: actor_id.0 };
        let events = super::list_events(&self.0, &caller, &filter, page).await?;
        Ok(Listed::new(events.map(AuditEvent::from), request.uri()))
    }
}

impl From<EventRow> for AuditEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor_id: row.actor_id,
            actor_role: row.actor_role,
            household_id: row.household_id,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            before: row.before_json,
            after: row.after_json,
            request_id: row.request_id,
            peer: row.peer,
        }
    }
}
