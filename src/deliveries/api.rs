//! Endpoints: Goods handed over and accepted.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{AcceptanceLine, DeliveryView, DispatchLine, LineView};
use crate::app::App;
use crate::http::answers::{Created, Done, idempotency_key};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::Amount;
use crate::members::access::Signed;
use crate::orders::RawAmount;
use crate::routes::Tag;

/// Goods handed over and accepted.
#[derive(Debug)]
pub struct Api(pub App);

/// Goods that go out.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewDelivery {
    #[oai(validator(min_items = 1, max_items = 2000))]
    pub lines: Vec<NewDeliveryLine>,
    /// Such as the driver or the place of handing over.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub note: Option<String>,
}

/// What goes out of one confirmed allocation: all of it, or less when there is less.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewDeliveryLine {
    pub allocation_id: Uuid,
    /// Above zero, at most what was allocated.
    pub quantity: Amount,
}

/// What the buyer accepts and refuses.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewAcceptance {
    /// Every line of the delivery, once.
    #[oai(validator(min_items = 1, max_items = 2000))]
    pub lines: Vec<NewAcceptanceLine>,
    /// The account of the second person: another buyer or approver of the same institution.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub witness_account: String,
    /// Whether what is missing is shared again over the lots that are left; yes when absent.
    pub replace_missing: Option<bool>,
}

/// What is accepted and refused of one line; together exactly what was dispatched.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewAcceptanceLine {
    pub delivery_line_id: Uuid,
    /// May be zero.
    pub accepted: Amount,
    /// Nothing when absent.
    pub refused: Option<Amount>,
    /// Needed when something is refused.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub refusal_reason: Option<String>,
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum DeliveryState {
    Dispatched,
    Accepted,
}

/// A delivery with the lines the caller sees.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Delivery {
    pub id: Uuid,
    /// Gap-free per county and year, such as `DN-341823-2027-000012`.
    pub number: String,
    pub order_id: Uuid,
    pub state: DeliveryState,
    pub dispatched_at: DateTime<Utc>,
    pub note: Option<String>,
    /// Once it is accepted.
    pub accepted_on: Option<NaiveDate>,
    /// What the acceptance made owed; absent when nothing was accepted.
    pub settlement_id: Option<Uuid>,
    pub settlement_number: Option<String>,
    pub lines: Vec<DeliveryLine>,
}

/// What one allocation delivered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct DeliveryLine {
    pub id: Uuid,
    pub allocation_id: Uuid,
    pub household_id: Uuid,
    pub product_id: Uuid,
    /// Where the goods came from, 12 digits.
    pub village: String,
    pub dispatched: Amount,
    /// Once it is accepted.
    pub accepted: Option<Amount>,
    /// Once it is accepted.
    pub refused: Option<Amount>,
    pub refusal_reason: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Deliveries")]
impl Api {
    /// Dispatch a delivery
    ///
    /// By an officer of the villages, the helper of all its households, or the household itself. An allocation is
    /// dispatched once, in full or with less.
    #[oai(path = "/orders/:id/deliveries", method = "post", operation_id = "dispatch_delivery")]
    async fn dispatch_delivery(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<String>>,
        body: Body<NewDelivery>,
    ) -> Answer<Created<Delivery>> {
        let operation = format!("dispatch_delivery:{}", id.0);
        let key = idempotency_key(caller.principal_id, key.0.as_deref(), &operation, &body.0)?;
        let done = super::dispatch(&self.0, &caller, &key, id.0, &body.0.into()).await?;
        let location = format!("/v1/deliveries/{}", done.value.id);
        Ok(Created::once(location, done.is_replay, done.value.into()))
    }

    /// List the deliveries of an order
    ///
    /// Newest first, with the lines the caller sees: households and helpers their own.
    #[oai(path = "/orders/:id/deliveries", method = "get", operation_id = "list_deliveries")]
    async fn list_deliveries(
        &self,
        caller: Signed,
        request: &poem::Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Delivery>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let deliveries = super::list(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(deliveries.map(Delivery::from), request.uri()))
    }

    /// Get a delivery
    ///
    /// With the lines the caller sees: households and helpers their own.
    #[oai(path = "/deliveries/:id", method = "get", operation_id = "get_delivery")]
    async fn get_delivery(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<Delivery>> {
        Ok(Json(super::find(&self.0, &caller, id.0).await?.into()))
    }

    /// Accept a delivery
    ///
    /// By a buyer or approver before a second one, line by line, with actual weights. What is accepted is settled at
    /// once; what is missing is shared again over the lots that are left, unless the buyer does not want that.
    #[oai(path = "/deliveries/:id/acceptance", method = "post", operation_id = "accept_delivery")]
    async fn accept_delivery(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<String>>,
        body: Body<NewAcceptance>,
    ) -> Answer<Done<Delivery>> {
        let operation = format!("accept_delivery:{}", id.0);
        let key = idempotency_key(caller.principal_id, key.0.as_deref(), &operation, &body.0)?;
        let done = super::accept(&self.0, &caller, &key, id.0, &body.0.into()).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }
}

impl From<NewDelivery> for super::NewDelivery {
    fn from(new: NewDelivery) -> Self {
        let line = |line: NewDeliveryLine| DispatchLine {
            allocation_id: line.allocation_id,
            quantity: raw(line.quantity),
        };
        Self { lines: new.lines.into_iter().map(line).collect(), note: new.note }
    }
}

impl From<NewAcceptance> for super::NewAcceptance {
    fn from(new: NewAcceptance) -> Self {
        let line = |line: NewAcceptanceLine| AcceptanceLine {
            delivery_line_id: line.delivery_line_id,
            accepted: raw(line.accepted),
            refused: line.refused.map(raw),
            refusal_reason: line.refusal_reason,
        };
        Self {
            lines: new.lines.into_iter().map(line).collect(),
            witness_account: new.witness_account,
            must_replace: new.replace_missing.unwrap_or(true),
        }
    }
}

fn raw(amount: Amount) -> RawAmount {
    RawAmount { amount: amount.amount.0, unit: amount.unit.into() }
}

impl From<DeliveryView> for Delivery {
    fn from(view: DeliveryView) -> Self {
        Self {
            id: view.id,
            number: view.number,
            order_id: view.order_id,
            state: if view.is_accepted { DeliveryState::Accepted } else { DeliveryState::Dispatched },
            dispatched_at: view.dispatched_at,
            note: view.note,
            accepted_on: view.accepted_on,
            settlement_id: view.settlement_id,
            settlement_number: view.settlement_number,
            lines: view.lines.into_iter().map(DeliveryLine::from).collect(),
        }
    }
}

impl From<LineView> for DeliveryLine {
    fn from(line: LineView) -> Self {
        let shown = |base: i64| Amount::new(base, line.measure);
        Self {
            id: line.id,
            allocation_id: line.allocation_id,
            household_id: line.household_id,
            product_id: line.product_id,
            village: line.village_code,
            dispatched: shown(line.dispatched_base),
            accepted: line.accepted_base.map(shown),
            refused: line.refused_base.map(shown),
            refusal_reason: line.refusal_reason,
        }
    }
}
