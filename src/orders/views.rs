//! Orders as operations answer them: what is stored under an Idempotency-Key and what `api.rs` shapes for HTTP.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::plan::{Part, Plan, PlannedLine};
use super::{reason_of, store};
use crate::money::{Fen, Price};
use crate::quantity::Measure;
use crate::refusal::{Failure, Outcome};

/// What an order would get.
#[derive(Clone, Debug)]
pub struct PreviewView {
    pub lines: Vec<LineView>,
    pub amount: Fen,
    /// Whether placing it now would succeed.
    pub is_placeable: bool,
}

/// An order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderView {
    pub id: Uuid,
    pub number: String,
    pub institution_id: Uuid,
    pub policy: String,
    /// Absent in answers that were stored before orders had one.
    #[serde(default)]
    pub payment_mode: String,
    pub state: String,
    pub amount: Fen,
    pub placed_at: DateTime<Utc>,
    pub hold_expires_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub rating: Option<i64>,
    pub rating_comment: Option<String>,
    pub lines: Vec<LineView>,
}

/// A line of an order. Allocations are there when the order is previewed or placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LineView {
    pub id: Option<Uuid>,
    pub product_id: Uuid,
    pub product_name: String,
    pub measure: Measure,
    pub quantity_base: i64,
    pub max_price: Price,
    pub needed_by: NaiveDate,
    pub region_code: String,
    pub grade: Option<String>,
    pub allocations: Option<Vec<AllocationView>>,
    pub shortfall_base: i64,
    pub amount: Fen,
}

/// One share of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocationView {
    pub id: Option<Uuid>,
    pub line_no: Option<i64>,
    pub lot_id: Uuid,
    pub household_id: Uuid,
    pub village_code: Option<String>,
    pub measure: Measure,
    pub quantity_base: i64,
    pub price: Price,
    pub amount: Fen,
    pub tier: u8,
    pub reason: String,
    pub state: Option<String>,
}

/// An allocation and whom to ask for. Never stored: a phone in the clear must not outlive the delivery.
#[derive(Clone)]
pub struct PickupView {
    pub allocation: AllocationView,
    /// Masked.
    pub household_name: Option<String>,
    /// A phone, for the buyer while it is to be picked up.
    pub pickup_contact: Option<String>,
}

impl PreviewView {
    pub(super) fn of(plan: &Plan, has_credit: bool) -> Self {
        Self {
            lines: plan.lines.iter().map(|line| LineView::of_plan(line, None)).collect(),
            amount: plan.amount(),
            is_placeable: has_credit && plan.refused_shortfalls().is_empty(),
        }
    }
}

impl OrderView {
    pub(super) fn placed(order: &store::NewOrder<'_>, plan: &Plan) -> Self {
        let lines = plan.lines.iter().zip(&order.ids.lines);
        Self {
            id: order.ids.order_id,
            number: order.number.to_owned(),
            institution_id: order.request.institution_id,
            policy: order.request.policy.as_str().to_owned(),
            payment_mode: order.request.payment_mode.as_str().to_owned(),
            state: "placed".to_owned(),
            amount: plan.amount(),
            placed_at: order.placed_at,
            hold_expires_at: order.hold_expires_at,
            confirmed_at: None,
            ended_at: None,
            rating: None,
            rating_comment: None,
            lines: lines.map(|(line, ids)| LineView::of_plan(line, Some(ids))).collect(),
        }
    }

    pub(super) fn of_row(row: store::OrderRow, lines: Vec<LineView>) -> Self {
        Self {
            id: row.id,
            number: row.number,
            institution_id: row.institution_id,
            policy: row.policy,
            payment_mode: row.payment_mode,
            state: row.state,
            amount: Fen::new(row.amount_fen),
            placed_at: row.placed_at,
            hold_expires_at: row.hold_expires_at,
            confirmed_at: row.confirmed_at,
            ended_at: row.ended_at,
            rating: row.rating,
            rating_comment: row.rating_comment,
            lines,
        }
    }
}

impl LineView {
    fn of_plan(planned: &PlannedLine, ids: Option<&(Uuid, Vec<Uuid>)>) -> Self {
        let measure = planned.line.product.measure;
        let id_of = |index: usize| ids.and_then(|(_, parts)| parts.get(index).copied());
        let parts = planned.parts.iter().enumerate();
        Self {
            id: ids.map(|(line_id, _)| *line_id),
            product_id: planned.line.product.id,
            product_name: planned.line.product.name.clone(),
            measure,
            quantity_base: planned.line.quantity_base,
            max_price: planned.line.max_price,
            needed_by: planned.line.needed_by,
            region_code: planned.region_code.clone(),
            grade: planned.line.grade.clone(),
            allocations: Some(
                parts.map(|(index, part)| AllocationView::of_part(part, id_of(index), measure)).collect(),
            ),
            shortfall_base: planned.shortfall_base,
            amount: planned.amount,
        }
    }

    pub(super) fn of_row(row: store::LineRow) -> Outcome<Self> {
        Ok(Self {
            id: Some(row.id),
            product_id: row.product_id,
            product_name: row.product_name,
            measure: stored_measure(&row.measure)?,
            quantity_base: row.quantity_base,
            max_price: stored_price(row.max_price_fen, &row.max_price_unit)?,
            needed_by: row.needed_by,
            region_code: row.region_code,
            grade: row.grade,
            allocations: None,
            shortfall_base: row.shortfall_base,
            amount: Fen::new(row.amount_fen),
        })
    }
}

impl AllocationView {
    fn of_part(part: &Part, id: Option<Uuid>, measure: Measure) -> Self {
        Self {
            id,
            line_no: None,
            lot_id: part.share.lot_id,
            household_id: part.share.household_id,
            village_code: None,
            measure,
            quantity_base: part.share.quantity_base,
            price: part.price,
            amount: part.amount,
            tier: part.share.tier.number(),
            reason: reason_of(part, measure),
            state: None,
        }
    }

    pub(super) fn of_row(row: store::AllocationRow) -> Outcome<Self> {
        Ok(Self {
            id: Some(row.id),
            line_no: Some(row.line_no),
            lot_id: row.lot_id,
            household_id: row.household_id,
            village_code: Some(row.village_code),
            measure: stored_measure(&row.measure)?,
            quantity_base: row.quantity_base,
            price: stored_price(row.price_fen, &row.pricing_unit)?,
            amount: Fen::new(row.amount_fen),
            tier: u8::try_from(row.tier).unwrap_or(u8::MAX),
            reason: row.reason,
            state: Some(row.state),
        })
    }
}

/// A price read back from two columns.
pub fn stored_price(fen: i64, unit: &str) -> Outcome<Price> {
    let unreadable = || Failure::Broken(format!("unreadable price {fen} per {unit}"));
    let per = unit.parse().map_err(|()| unreadable())?;
    Price::new(Fen::new(fen), per).map_err(|_| unreadable())
}

fn stored_measure(name: &str) -> Outcome<Measure> {
    name.parse().map_err(|()| Failure::Broken(format!("unreadable measure {name}")))
}
