//! Endpoints: Webhooks of an institution's own systems.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use uuid::Uuid;

use super::rules::Event;
use super::{DeliveryView, WebhookView};
use crate::app::App;
use crate::http::answers::Created;
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::refusal::Failure;
use crate::routes::Tag;

/// Webhooks of an institution's own systems.
#[derive(Debug)]
pub struct Api(pub App);

/// What a webhook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum WebhookEvent {
    #[oai(rename = "order.confirmed")]
    OrderConfirmed,
    #[oai(rename = "order.delivering")]
    OrderDelivering,
    /// All of it was accepted or refused.
    #[oai(rename = "order.accepted")]
    OrderAccepted,
    #[oai(rename = "order.settled")]
    OrderSettled,
    #[oai(rename = "order.cancelled")]
    OrderCancelled,
    #[oai(rename = "paper.issued")]
    PaperIssued,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum WebhookDeliveryState {
    Pending,
    Delivered,
    /// Given up, or the webhook was deleted.
    Failed,
}

/// A webhook to be added.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct WebhookToAdd {
    /// Begins with `https://`, names no user, and leads to the public internet.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub url: String,
    /// All of them when absent.
    #[oai(validator(min_items = 1, max_items = 6, unique_items = true))]
    pub events: Option<Vec<WebhookEvent>>,
}

/// An address of your own that is told what happens.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Webhook {
    pub id: Uuid,
    pub institution_id: Uuid,
    pub url: String,
    pub events: Vec<WebhookEvent>,
    /// Attempts that failed since the last one that did not.
    pub failures: i32,
    pub created_by: Uuid,
    pub created_at: DateTime<Utc>,
    /// Present when it was deleted.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A webhook with its secret.
#[derive(Debug, Object)]
pub struct WebhookAdded {
    pub webhook: Webhook,
    /// Signs what is sent. Keep it now: nobody is told it again.
    pub secret: String,
}

/// Something that a webhook was or is to be told.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookDelivery {
    /// As sent in `webhook-id`, the same in every attempt.
    pub id: Uuid,
    pub event: WebhookEvent,
    /// The order or paper that it is about.
    pub subject_id: Uuid,
    pub state: WebhookDeliveryState,
    pub attempts: i32,
    /// When it is attempted next.
    pub next_at: Option<DateTime<Utc>>,
    /// What the last attempt was answered.
    pub last_status: Option<i32>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// It is told nothing more.
#[derive(Debug, ApiResponse)]
pub enum WebhookDeleted {
    /// Gone.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Webhooks")]
impl Api {
    /// Add a webhook
    ///
    /// An address of your own system that is told what becomes of your orders and papers, signed as Standard Webhooks
    /// describes (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`). Answers its secret, once. At most 10 of
    /// an institution. Anything but 2xx within 15 seconds counts as failed, a redirect too, and is tried again for about
    /// 32 hours. By buyers and approvers.
    #[oai(path = "/webhooks", method = "post", operation_id = "create_webhook")]
    async fn create_webhook(
        &self,
        caller: Signed,
        body: Body<WebhookToAdd>,
    ) -> Answer<Created<WebhookAdded>> {
        let events: Vec<Event> = body.0.events.into_iter().flatten().map(Event::from).collect();
        let (webhook, secret) = super::create(&self.0, &caller, &body.0.url, &events).await?;
        let location = format!("/v1/webhooks/{}", webhook.id);
        Ok(Created::at(location, WebhookAdded { webhook: webhook.into(), secret }))
    }

    /// List webhooks
    ///
    /// Of your institution, newest first, without those that were deleted.
    #[oai(path = "/webhooks", method = "get", operation_id = "list_webhooks")]
    async fn list_webhooks(
        &self,
        caller: Signed,
        request: &poem::Request,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Webhook>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let webhooks = super::list(&self.0, &caller, page).await?;
        Ok(Listed::new(webhooks.map(Webhook::from), request.uri()))
    }

    /// Get a webhook
    ///
    /// Of your institution, also one that was deleted. Its secret is not told again.
    #[oai(path = "/webhooks/:id", method = "get", operation_id = "get_webhook")]
    async fn get_webhook(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<Webhook>> {
        Ok(Json(super::find(&self.0, &caller, id.0).await?.into()))
    }

    /// Delete a webhook
    ///
    /// It is told nothing more, not even what waits for it. Its deliveries can still be read.
    #[oai(path = "/webhooks/:id", method = "delete", operation_id = "delete_webhook")]
    async fn delete_webhook(&self, caller: Signed, id: Path<Uuid>) -> Answer<WebhookDeleted> {
        super::end(&self.0, &caller, id.0).await?;
        Ok(WebhookDeleted::Deleted)
    }

    /// List what a webhook was told
    ///
    /// And what waits to be told, newest first. What ended 30 days ago is forgotten.
    #[oai(path = "/webhooks/:id/deliveries", method = "get", operation_id = "list_webhook_deliveries")]
    async fn list_webhook_deliveries(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        request: &poem::Request,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<WebhookDelivery>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let deliveries = super::deliveries(&self.0, &caller, id.0, page).await?;
        let shaped =
            deliveries.try_map(WebhookDelivery::try_from).map_err(crate::http::problem::Problem::from)?;
        Ok(Listed::new(shaped, request.uri()))
    }
}

impl From<WebhookEvent> for Event {
    fn from(event: WebhookEvent) -> Self {
        match event {
            WebhookEvent::OrderConfirmed => Self::OrderConfirmed,
            WebhookEvent::OrderDelivering => Self::OrderDelivering,
            WebhookEvent::OrderAccepted => Self::OrderAccepted,
            WebhookEvent::OrderSettled => Self::OrderSettled,
            WebhookEvent::OrderCancelled => Self::OrderCancelled,
            WebhookEvent::PaperIssued => Self::PaperIssued,
        }
    }
}

impl From<Event> for WebhookEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::OrderConfirmed => Self::OrderConfirmed,
            Event::OrderDelivering => Self::OrderDelivering,
            Event::OrderAccepted => Self::OrderAccepted,
            Event::OrderSettled => Self::OrderSettled,
            Event::OrderCancelled => Self::OrderCancelled,
            Event::PaperIssued => Self::PaperIssued,
        }
    }
}

impl From<WebhookView> for Webhook {
    fn from(view: WebhookView) -> Self {
        Self {
            id: view.id,
            institution_id: view.institution_id,
            url: view.url,
            events: view.events.into_iter().map(WebhookEvent::from).collect(),
            failures: view.failures,
            created_by: view.created_by,
            created_at: view.created_at,
            ended_at: view.ended_at,
        }
    }
}

impl TryFrom<DeliveryView> for WebhookDelivery {
    type Error = Failure;

    fn try_from(view: DeliveryView) -> Result<Self, Failure> {
        let state = match view.state.as_str() {
            "pending" => WebhookDeliveryState::Pending,
            "delivered" => WebhookDeliveryState::Delivered,
            "failed" => WebhookDeliveryState::Failed,
            other => return Err(Failure::Broken(format!("unknown state {other} of a delivery"))),
        };
        Ok(Self {
            id: view.id,
            event: view.event.into(),
            subject_id: view.subject_id,
            state,
            attempts: view.attempts,
            next_at: view.next_at,
            last_status: view.last_status,
            last_error: view.last_error,
            created_at: view.created_at,
            ended_at: view.ended_at,
        })
    }
}
