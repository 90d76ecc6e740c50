//! Endpoints of orders: preview, place, confirm, cancel, rate, and what was allocated.

use chrono::{DateTime, NaiveDate, Utc};
use poem::Request;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::allocation::Policy;
use super::{
    AllocationView, Filter, LineRequest, LineView, OrderRequest, OrderView, PaymentMode, PickupView,
    PreviewView, RawAmount, State,
};
use crate::app::App;
use crate::http::answers::{Created, Done, idempotency_key};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::{Amount, UnitPrice, Yuan};
use crate::members::access::Signed;
use crate::routes::Tag;

/// Endpoints of orders.
#[derive(Debug)]
pub struct Api(pub App);

/// How lots are chosen inside a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum AllocationPolicy {
    MaxMin,
    IncomeLevelling,
    Proportional,
    FewestPickups,
    Cheapest,
}

/// Whether goods or money move first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum OrderPaymentMode {
    /// Delivered, then paid until the settlement is due (先货后款).
    GoodsFirst,
    /// Dispatched once the institution's deposit covers it, and paid from that when it is accepted (先款后货).
    Prepaid,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum OrderState {
    Placed,
    Confirmed,
    Delivering,
    Accepted,
    Settled,
    Closed,
    Cancelled,
    Expired,
}

/// What an institution wants to buy. It names products, not sellers.
#[derive(Clone, Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewOrder {
    /// Your institution.
    pub institution_id: Uuid,
    /// `max_min` when it is left out.
    pub policy: Option<AllocationPolicy>,
    /// `goods_first` when it is left out.
    pub payment_mode: Option<OrderPaymentMode>,
    #[oai(validator(min_items = 1, max_items = 50))]
    pub lines: Vec<NewOrderLine>,
}

/// One product of an order.
#[derive(Clone, Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewOrderLine {
    pub product_id: Uuid,
    pub quantity: Amount,
    pub max_price: UnitPrice,
    /// From today to two years ahead.
    pub needed_by: NaiveDate,
    /// Code of the region the produce may come from, 2 to 12 digits; your county when it is left out.
    #[oai(validator(min_length = 2, max_length = 12, pattern = r"^[0-9]+$"))]
    pub region: Option<String>,
    /// Any grade when it is left out.
    #[oai(validator(min_length = 1, max_length = 50))]
    pub grade: Option<String>,
    /// No household is to get less than this.
    pub min_share: Option<Amount>,
    /// At most so many households.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub max_households: Option<u32>,
    /// Take what there is when it is not enough; no when it is left out.
    pub allow_partial: Option<bool>,
}

/// What an order would get if it were placed now.
#[derive(Clone, Debug, Object)]
pub struct OrderPreview {
    pub lines: Vec<OrderLine>,
    pub amount: Yuan,
    /// Whether placing it now would succeed.
    pub is_placeable: bool,
}

/// An order.
#[derive(Clone, Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Order {
    pub id: Uuid,
    /// Read it aloud: `PO-341823-2026-000123`.
    pub number: String,
    pub institution_id: Uuid,
    pub policy: AllocationPolicy,
    pub payment_mode: OrderPaymentMode,
    pub state: OrderState,
    pub amount: Yuan,
    pub placed_at: DateTime<Utc>,
    /// Confirm it before.
    pub hold_expires_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When it was cancelled, expired or closed.
    pub ended_at: Option<DateTime<Utc>>,
    /// One to five.
    pub rating: Option<i64>,
    pub rating_comment: Option<String>,
    /// Left out in lists.
    pub lines: Option<Vec<OrderLine>>,
}

/// One line of an order and who fills it.
#[derive(Clone, Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct OrderLine {
    pub id: Option<Uuid>,
    pub product_id: Uuid,
    pub product_name: String,
    pub quantity: Amount,
    pub max_price: UnitPrice,
    pub needed_by: NaiveDate,
    pub region: String,
    pub grade: Option<String>,
    /// There when the order is previewed or placed; afterwards see `/v1/orders/{id}/allocations`.
    pub allocations: Option<Vec<Allocation>>,
    /// What could not be filled; zero when nothing is missing.
    pub shortfall: Amount,
    pub amount: Yuan,
}

/// The part of a line that one lot fills.
#[derive(Clone, Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Allocation {
    pub id: Option<Uuid>,
    /// Counted from 1.
    pub line_no: Option<i64>,
    pub lot_id: Uuid,
    pub household_id: Uuid,
    /// Of its head, masked, such as 仲*妮; there in the list of allocations.
    pub household_name: Option<String>,
    /// The household's phone, for the buyer, from the confirmation to the acceptance.
    pub pickup_contact: Option<String>,
    /// Where it is picked up.
    pub village: Option<String>,
    pub quantity: Amount,
    pub price: UnitPrice,
    pub amount: Yuan,
    /// 1 spoiling, 2 monitored, 3 registered, 4 others.
    pub tier: u8,
    /// Why it got this share.
    pub reason: String,
    pub state: Option<String>,
}

/// How satisfied you are.
#[derive(Clone, Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewRating {
    /// One to five.
    #[oai(validator(minimum(value = "1"), maximum(value = "5")))]
    pub stars: u8,
    #[oai(validator(min_length = 1, max_length = 500))]
    pub comment: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Orders")]
impl Api {
    /// Preview an order
    ///
    /// Answers exactly what placing it now would do, also when not everything can be filled, and writes nothing.
    #[oai(path = "/orders/preview", method = "post", operation_id = "preview_order")]
    async fn preview_order(&self, caller: Signed, body: Body<NewOrder>) -> Answer<Json<OrderPreview>> {
        let preview = super::preview(&self.0, &caller, &body.0.into()).await?;
        Ok(Json(preview.into()))
    }

    /// Place an order
    ///
    /// Shares it over the lots on sale and holds its part of them until an approver confirms or the hold expires.
    /// Refused with the shortfall per line when it cannot be filled and a partial order is not allowed.
    #[oai(path = "/orders", method = "post", operation_id = "place_order")]
    async fn place_order(
        &self,
        caller: Signed,
        #[oai(name = "Idempotency-Key")] key: Header<Option<String>>,
        body: Body<NewOrder>,
    ) -> Answer<Created<Order>> {
        let key = idempotency_key(caller.principal_id, key.0.as_deref(), "place_order", &body.0)?;
        let placed = super::place(&self.0, &caller, &key, &body.0.into()).await?;
        let location = format!("/v1/orders/{}", placed.value.id);
        Ok(Created::once(location, placed.is_replay, placed.value.into()))
    }

    /// List orders
    ///
    /// Your institution's, or those of your region; newest first.
    #[oai(path = "/orders", method = "get", operation_id = "list_orders")]
    async fn list_orders(
        &self,
        caller: Signed,
        request: &Request,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
        state: Query<Option<OrderState>>,
        institution_id: Query<Option<Uuid>>,
    ) -> Answer<Listed<Order>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let filter = Filter { state: state.0.map(State::from), institution_id: institution_id.0 };
        let orders = super::list(&self.0, &caller, &filter, page).await?;
        Ok(Listed::new(orders.map(Order::from), request.uri()))
    }

    /// Get an order
    ///
    /// With its lines; the allocations are a list of their own.
    #[oai(path = "/orders/:id", method = "get", operation_id = "get_order")]
    async fn get_order(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<Order>> {
        Ok(Json(super::get(&self.0, &caller, id.0).await?.into()))
    }

    /// List who fills an order
    ///
    /// Newest first. A household sees its own part, a helper that of paired households. Buyers see of a household what a
    /// delivery needs: its village, its masked name and, from the confirmation to the acceptance, its phone.
    #[oai(path = "/orders/:id/allocations", method = "get", operation_id = "list_allocations")]
    async fn list_allocations(
        &self,
        caller: Signed,
        request: &Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Allocation>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let allocations = super::list_allocations(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(allocations.map(Allocation::from), request.uri()))
    }

    /// Confirm an order
    ///
    /// By an approver, before the hold expires. What it holds is then promised.
    #[oai(path = "/orders/:id/confirm", method = "post", operation_id = "confirm_order")]
    async fn confirm_order(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<String>>,
    ) -> Answer<Done<Order>> {
        let operation = format!("confirm_order:{}", id.0);
        let key = idempotency_key(caller.principal_id, key.0.as_deref(), &operation, &String::new())?;
        let done = super::confirm(&self.0, &caller, &key, id.0).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }

    /// Cancel an order
    ///
    /// As long as nothing has been dispatched. What it held is on sale again.
    #[oai(path = "/orders/:id/cancel", method = "post", operation_id = "cancel_order")]
    async fn cancel_order(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<String>>,
    ) -> Answer<Done<Order>> {
        let operation = format!("cancel_order:{}", id.0);
        let key = idempotency_key(caller.principal_id, key.0.as_deref(), &operation, &String::new())?;
        let done = super::cancel(&self.0, &caller, &key, id.0).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }

    /// Rate an order
    ///
    /// Once it is settled, once. Only a rated purchase counts toward the reserved share.
    #[oai(path = "/orders/:id/rating", method = "post", operation_id = "rate_order")]
    async fn rate_order(&self, caller: Signed, id: Path<Uuid>, body: Body<NewRating>) -> Answer<Json<Order>> {
        let rating = body.0;
        let order = super::rate(&self.0, &caller, id.0, rating.stars, rating.comment.as_deref()).await?;
        Ok(Json(order.into()))
    }
}

impl From<NewOrder> for OrderRequest {
    fn from(body: NewOrder) -> Self {
        Self {
            institution_id: body.institution_id,
            policy: body.policy.map_or(Policy::MaxMin, Policy::from),
            payment_mode: body.payment_mode.map(PaymentMode::from).unwrap_or_default(),
            lines: body.lines.into_iter().map(LineRequest::from).collect(),
        }
    }
}

impl From<NewOrderLine> for LineRequest {
    fn from(line: NewOrderLine) -> Self {
        Self {
            product_id: line.product_id,
            quantity: line.quantity.into(),
            max_price_fen: line.max_price.amount.0,
            max_price_per: line.max_price.per.into(),
            needed_by: line.needed_by,
            region: line.region,
            grade: line.grade,
            min_share: line.min_share.map(RawAmount::from),
            max_households: line.max_households,
            allow_partial: line.allow_partial.unwrap_or(false),
        }
    }
}

impl From<Amount> for RawAmount {
    fn from(amount: Amount) -> Self {
        Self { amount: amount.amount.0, unit: amount.unit.into() }
    }
}

impl From<PreviewView> for OrderPreview {
    fn from(view: PreviewView) -> Self {
        Self {
            lines: view.lines.into_iter().map(OrderLine::from).collect(),
            amount: Yuan(view.amount),
            is_placeable: view.is_placeable,
        }
    }
}

impl From<OrderView> for Order {
    fn from(view: OrderView) -> Self {
        Self {
            id: view.id,
            number: view.number,
            institution_id: view.institution_id,
            policy: Policy::parse(&view.policy).unwrap_or_default().into(),
            payment_mode: PaymentMode::parse(&view.payment_mode).unwrap_or_default().into(),
            state: State::parse(&view.state).unwrap_or(State::Placed).into(),
            amount: Yuan(view.amount),
            placed_at: view.placed_at,
            hold_expires_at: view.hold_expires_at,
            confirmed_at: view.confirmed_at,
            ended_at: view.ended_at,
            rating: view.rating,
            rating_comment: view.rating_comment,
            lines: Some(view.lines.into_iter().map(OrderLine::from).collect::<Vec<_>>())
                .filter(|lines| !lines.is_empty()),
        }
    }
}

impl From<LineView> for OrderLine {
    fn from(view: LineView) -> Self {
        Self {
            id: view.id,
            product_id: view.product_id,
            product_name: view.product_name,
            quantity: Amount::new(view.quantity_base, view.measure),
            max_price: view.max_price.into(),
            needed_by: view.needed_by,
            region: view.region_code,
            grade: view.grade,
            allocations: view.allocations.map(|parts| parts.into_iter().map(Allocation::from).collect()),
            shortfall: Amount::new(view.shortfall_base, view.measure),
            amount: Yuan(view.amount),
        }
    }
}

impl From<AllocationView> for Allocation {
    fn from(view: AllocationView) -> Self {
        Self {
            id: view.id,
            line_no: view.line_no,
            lot_id: view.lot_id,
            household_id: view.household_id,
            household_name: None,
            pickup_contact: None,
            village: view.village_code,
            quantity: Amount::new(view.quantity_base, view.measure),
            price: view.price.into(),
            amount: Yuan(view.amount),
            tier: view.tier,
            reason: view.reason,
            state: view.state,
        }
    }
}

impl From<PickupView> for Allocation {
    fn from(view: PickupView) -> Self {
        let PickupView { allocation, household_name, pickup_contact } = view;
        Self { household_name, pickup_contact, ..allocation.into() }
    }
}

impl From<AllocationPolicy> for Policy {
    fn from(policy: AllocationPolicy) -> Self {
        match policy {
            AllocationPolicy::MaxMin => Self::MaxMin,
            AllocationPolicy::IncomeLevelling => Self::IncomeLevelling,
            AllocationPolicy::Proportional => Self::Proportional,
            AllocationPolicy::FewestPickups => Self::FewestPickups,
            AllocationPolicy::Cheapest => Self::Cheapest,
        }
    }
}

impl From<Policy> for AllocationPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::MaxMin => Self::MaxMin,
            Policy::IncomeLevelling => Self::IncomeLevelling,
            Policy::Proportional => Self::Proportional,
            Policy::FewestPickups => Self::FewestPickups,
            Policy::Cheapest => Self::Cheapest,
        }
    }
}

impl From<OrderPaymentMode> for PaymentMode {
    fn from(mode: OrderPaymentMode) -> Self {
        match mode {
            OrderPaymentMode::GoodsFirst => Self::GoodsFirst,
            OrderPaymentMode::Prepaid => Self::Prepaid,
        }
    }
}

impl From<PaymentMode> for OrderPaymentMode {
    fn from(mode: PaymentMode) -> Self {
        match mode {
            PaymentMode::GoodsFirst => Self::GoodsFirst,
            PaymentMode::Prepaid => Self::Prepaid,
        }
    }
}

impl From<OrderState> for State {
    fn from(state: OrderState) -> Self {
        match state {
            OrderState::Placed => Self::Placed,
            OrderState::Confirmed => Self::Confirmed,
            OrderState::Delivering => Self::Delivering,
            OrderState::Accepted => Self::Accepted,
            OrderState::Settled => Self::Settled,
            OrderState::Closed => Self::Closed,
            OrderState::Cancelled => Self::Cancelled,
            OrderState::Expired => Self::Expired,
        }
    }
}

impl From<State> for OrderState {
    fn from(state: State) -> Self {
        match state {
            State::Placed => Self::Placed,
            State::Confirmed => Self::Confirmed,
            State::Delivering => Self::Delivering,
            State::Accepted => Self::Accepted,
            State::Settled => Self::Settled,
            State::Closed => Self::Closed,
            State::Cancelled => Self::Cancelled,
            State::Expired => Self::Expired,
        }
    }
}
