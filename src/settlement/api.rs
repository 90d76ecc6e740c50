//! Endpoints: What acceptances make owed.

use chrono::NaiveDate;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{LineView, SettlementFilter, SettlementState, SettlementView};
use crate::app::App;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::{Amount, UnitPrice, Yuan};
use crate::members::access::Signed;
use crate::routes::Tag;

/// What acceptances make owed.
#[derive(Debug)]
pub struct Api(pub App);

/// How far a settlement is paid by the institution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum SettlementProgress {
    Open,
    PartPaid,
    Paid,
}

/// What one acceptance makes an institution owe. Households and their helpers see their own part only: amounts and
/// state are then those of their own lines.
#[derive(Debug, Object)]
pub struct Settlement {
    pub id: Uuid,
    /// Gap-free per county and year, such as `ST-341823-2027-000012`.
    pub number: String,
    /// Six digits.
    pub county: String,
    pub order_id: Uuid,
    pub institution_id: Uuid,
    /// What households are owed.
    pub amount: Yuan,
    /// What the institution pays on top, if the county charges a fee.
    pub fee: Yuan,
    /// What the institution owes: amount and fee.
    pub total: Yuan,
    /// Received from the institution so far, of the total. Households come before the fee.
    pub received: Yuan,
    pub state: SettlementProgress,
    pub settled_on: NaiveDate,
    /// The institution pays until this day.
    pub due_on: NaiveDate,
    /// Days since the due day while something is open, as of today or of `as_of`.
    pub days_overdue: i64,
    /// What accrued since the due day on what was open for households, 0.05 % a day. Shown, not booked.
    pub interest: Yuan,
}

/// A settlement with its lines, as far as the caller sees them.
#[derive(Debug, Object)]
pub struct SettlementWithLines {
    pub id: Uuid,
    /// Gap-free per county and year, such as `ST-341823-2027-000012`.
    pub number: String,
    /// Six digits.
    pub county: String,
    pub order_id: Uuid,
    pub acceptance_id: Uuid,
    pub institution_id: Uuid,
    /// What households are owed.
    pub amount: Yuan,
    /// The amount as papers of account write it (人民币大写).
    pub amount_in_capitals: String,
    /// What the institution pays on top, if the county charges a fee.
    pub fee: Yuan,
    /// What the institution owes: amount and fee.
    pub total: Yuan,
    /// Received from the institution so far, of the total. Households come before the fee.
    pub received: Yuan,
    /// What of it was received as fee.
    pub fee_received: Yuan,
    pub state: SettlementProgress,
    pub settled_on: NaiveDate,
    /// The institution pays until this day.
    pub due_on: NaiveDate,
    /// Days since the due day while something is open, as of today or of `as_of`.
    pub days_overdue: i64,
    /// What accrued since the due day on what was open for households, 0.05 % a day. Shown, not booked.
    pub interest: Yuan,
    pub lines: Vec<SettlementLine>,
}

/// What one household is owed for what was accepted of one allocation.
#[derive(Debug, Object)]
pub struct SettlementLine {
    pub id: Uuid,
    pub allocation_id: Uuid,
    pub household_id: Uuid,
    /// The household's village, 12 digits.
    pub village: String,
    pub product_id: Uuid,
    pub sold_on: NaiveDate,
    /// Accepted.
    pub quantity: Amount,
    pub price: UnitPrice,
    /// Price times quantity, rounded once, half up.
    pub amount: Yuan,
    /// Received from the institution so far.
    pub received: Yuan,
    /// Paid out to the household so far, or on its way.
    pub paid_out: Yuan,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Settlements")]
impl Api {
    /// List settlements
    ///
    /// Newest first. Buyers see those of their institution, households and helpers those with a line of theirs,
    /// officials those of their region.
    #[oai(path = "/settlements", method = "get", operation_id = "list_settlements")]
    async fn list_settlements(
        &self,
        caller: Signed,
        request: &poem::Request,
        /// Only those of this institution.
        institution_id: Query<Option<Uuid>>,
        /// Only those paid so far.
        state: Query<Option<SettlementProgress>>,
        /// The day as of which days overdue and interest are told, at most a year ahead; today without it.
        as_of: Query<Option<NaiveDate>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Settlement>> {
        let state = state.0.map(SettlementState::from);
        let filter = SettlementFilter { id: None, institution_id: institution_id.0, state, as_of: as_of.0 };
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let settlements = super::list(&self.0, &caller, filter, page).await?;
        Ok(Listed::new(settlements.map(Settlement::from), request.uri()))
    }

    /// Get a settlement
    ///
    /// With the lines the caller sees.
    #[oai(path = "/settlements/:id", method = "get", operation_id = "get_settlement")]
    async fn get_settlement(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        /// The day as of which days overdue and interest are told, at most a year ahead; today without it.
        as_of: Query<Option<NaiveDate>>,
    ) -> Answer<Json<SettlementWithLines>> {
        let (settlement, lines) = super::find(&self.0, &caller, id.0, as_of.0).await?;
        Ok(Json(with_lines(settlement, lines)))
    }
}

impl From<SettlementView> for Settlement {
    fn from(view: SettlementView) -> Self {
        let (total, received) = (Yuan(view.owed()), Yuan(view.paid()));
        Self {
            id: view.id,
            number: view.number,
            county: view.county_code,
            order_id: view.order_id,
            institution_id: view.institution_id,
            amount: Yuan(view.amount),
            fee: Yuan(view.fee),
            total,
            received,
            state: view.state.into(),
            settled_on: view.settled_on,
            due_on: view.due_on,
            days_overdue: view.days_overdue,
            interest: Yuan(view.interest),
        }
    }
}

fn with_lines(view: SettlementView, lines: Vec<LineView>) -> SettlementWithLines {
    let (total, received) = (Yuan(view.owed()), Yuan(view.paid()));
    SettlementWithLines {
        id: view.id,
        number: view.number,
        county: view.county_code,
        order_id: view.order_id,
        acceptance_id: view.acceptance_id,
        institution_id: view.institution_id,
        amount: Yuan(view.amount),
        amount_in_capitals: view.amount.in_capitals(),
        fee: Yuan(view.fee),
        total,
        received,
        fee_received: Yuan(view.fee_received),
        state: view.state.into(),
        settled_on: view.settled_on,
        due_on: view.due_on,
        days_overdue: view.days_overdue,
        interest: Yuan(view.interest),
        lines: lines.into_iter().map(SettlementLine::from).collect(),
    }
}

impl From<LineView> for SettlementLine {
    fn from(line: LineView) -> Self {
        Self {
            id: line.id,
            allocation_id: line.allocation_id,
            household_id: line.household_id,
            village: line.village_code,
            product_id: line.product_id,
            sold_on: line.sold_on,
            quantity: Amount::new(line.quantity_base, line.measure),
            price: line.price.into(),
            amount: Yuan(line.amount),
            received: Yuan(line.received),
            paid_out: Yuan(line.paid_out),
        }
    }
}

impl From<SettlementState> for SettlementProgress {
    fn from(state: SettlementState) -> Self {
        match state {
            SettlementState::Open => Self::Open,
            SettlementState::PartPaid => Self::PartPaid,
            SettlementState::Paid => Self::Paid,
        }
    }
}

impl From<SettlementProgress> for SettlementState {
    fn from(progress: SettlementProgress) -> Self {
        match progress {
            SettlementProgress::Open => Self::Open,
            SettlementProgress::PartPaid => Self::PartPaid,
            SettlementProgress::Paid => Self::Paid,
        }
    }
}
