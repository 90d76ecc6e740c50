//! Endpoints: Money out to households.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{BankResult, BatchState, BatchView, PayoutView};
use crate::app::App;
use crate::http::answers::{self, Created, Done};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::Yuan;
use crate::members::access::Signed;
use crate::refusal::Refusal;
use crate::routes::Tag;

/// Money out to households.
#[derive(Debug)]
pub struct Api(pub App);

/// What a batch is to hold.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PayoutBatchToMake {
    /// Everything received for sales up to this day; not to come.
    pub up_to: NaiveDate,
}

/// What the bank did with payouts of a batch.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PayoutResults {
    /// At most 5000; send the others in another request.
    #[oai(validator(min_items = 1, max_items = 5000))]
    pub results: Vec<PayoutResult>,
}

/// What the bank did with one payout.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PayoutResult {
    pub payout_id: Uuid,
    pub result: PayoutResultKind,
    /// Why the money came back; for `returned` only.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub reason: Option<String>,
}

/// Whether the household has the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PayoutResultKind {
    Paid,
    Returned,
}

/// How far a batch is: `approved` when the bank is instructed, `executed` when every payout has its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PayoutBatchState {
    Drafted,
    Approved,
    Executed,
}

/// How far a payout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PayoutState {
    Drafted,
    Instructed,
    Paid,
    Returned,
}

/// Payouts that go to the bank together.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PayoutBatch {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// Such as `PB-341823-2027-000001`.
    pub number: String,
    pub state: PayoutBatchState,
    pub up_to: NaiveDate,
    pub amount: Yuan,
    /// At most 10000.
    pub payout_count: i64,
    /// Whether more is payable than one batch holds: make another. Said when the batch is made.
    pub has_rest: Option<bool>,
    pub made_by: Uuid,
    pub made_at: DateTime<Utc>,
    pub approved_by: Option<Uuid>,
    pub approved_at: Option<DateTime<Utc>>,
    pub executed_by: Option<Uuid>,
    pub executed_at: Option<DateTime<Utc>>,
    /// All of them, village by village; only when one batch is asked for.
    pub payouts: Option<Vec<Payout>>,
}

/// Money out to one household.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Payout {
    pub id: Uuid,
    pub household_id: Uuid,
    /// Of its head, masked.
    pub household_name: String,
    /// Twelve digits.
    pub village: String,
    pub amount: Yuan,
    pub state: PayoutState,
    /// Why the money came back.
    pub return_reason: Option<String>,
    /// The ledger entry of the instruction.
    pub instruction_entry_id: Option<Uuid>,
    /// The ledger entry of the result.
    pub result_entry_id: Option<Uuid>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payouts")]
impl Api {
    /// Make a payout batch
    ///
    /// For finance of the county: everything that was received for sales up to a day and not yet paid out, one payout per
    /// household, at most 10000; `has_rest` says that another batch is needed. The money is reserved until somebody else
    /// approves. Needs an `Idempotency-Key`.
    #[oai(path = "/payout_batches", method = "post", operation_id = "make_payout_batch")]
    async fn make_payout_batch(
        &self,
        caller: Signed,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PayoutBatchToMake>,
    ) -> Answer<Created<PayoutBatch>> {
        let header = idempotency_key.0.as_deref();
        let key = answers::idempotency_key(caller.principal_id, header, "make_payout_batch", &body.0)?;
        let done = super::make(&self.0, &caller, &key, body.0.up_to).await?;
        let location = format!("/v1/payout_batches/{}", done.value.id);
        Ok(Created::once(location, done.is_replay, done.value.into()))
    }

    /// List payout batches
    ///
    /// Newest first, for finance, auditors and officers of a county or above.
    #[oai(path = "/payout_batches", method = "get", operation_id = "list_payout_batches")]
    async fn list_payout_batches(
        &self,
        caller: Signed,
        request: &poem::Request,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<PayoutBatch>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let batches = super::list(&self.0, &caller, page).await?;
        Ok(Listed::new(batches.map(PayoutBatch::from), request.uri()))
    }

    /// Get a payout batch
    ///
    /// With all its payouts, for finance, auditors and officers of a county or above. Names are masked.
    #[oai(path = "/payout_batches/:id", method = "get", operation_id = "get_payout_batch")]
    async fn get_payout_batch(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<PayoutBatch>> {
        let (batch, payouts) = super::find(&self.0, &caller, id.0).await?;
        let payouts = payouts.into_iter().map(Payout::from).collect();
        Ok(Json(PayoutBatch { payouts: Some(payouts), ..batch.into() }))
    }

    /// Approve a payout batch
    ///
    /// By somebody of finance who did not make it: the bank is instructed. Needs an `Idempotency-Key`.
    #[oai(path = "/payout_batches/:id/approve", method = "post", operation_id = "approve_payout_batch")]
    async fn approve_payout_batch(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
    ) -> Answer<Done<PayoutBatch>> {
        let operation = format!("approve_payout_batch:{}", id.0);
        let header = idempotency_key.0.as_deref();
        // There is no body: the path says it all.
        let key = answers::idempotency_key(caller.principal_id, header, &operation, &id.0)?;
        let done = super::approve(&self.0, &caller, &key, id.0).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }

    /// Record payout results
    ///
    /// What the bank did, confirmed by hand, for finance. Every payout gets one result. What was returned is owed to the
    /// household again and goes out in a later batch; the batch is executed when every payout has its result. Needs an
    /// `Idempotency-Key`.
    #[oai(path = "/payout_batches/:id/results", method = "post", operation_id = "record_payout_results")]
    async fn record_payout_results(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PayoutResults>,
    ) -> Answer<Done<PayoutBatch>> {
        let operation = format!("record_payout_results:{}", id.0);
        let header = idempotency_key.0.as_deref();
        let key = answers::idempotency_key(caller.principal_id, header, &operation, &body.0)?;
        let results = parse_results(body.0.results)?;
        let done = super::record_results(&self.0, &caller, &key, id.0, &results).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }
}

fn parse_results(results: Vec<PayoutResult>) -> Result<Vec<(Uuid, BankResult)>, Refusal> {
    let parsed = results.into_iter().enumerate().map(|(index, result)| {
        let pointer = format!("/results/{index}/reason");
        match (result.result, result.reason) {
            (PayoutResultKind::Paid, None) => Ok((result.payout_id, BankResult::Paid)),
            (PayoutResultKind::Returned, Some(reason)) => {
                Ok((result.payout_id, BankResult::Returned { reason }))
            }
            (PayoutResultKind::Paid, Some(_)) => {
                Err(Refusal::invalid(pointer, "only a payout that was returned has a reason"))
            }
            (PayoutResultKind::Returned, None) => {
                Err(Refusal::invalid(pointer, "say why the money came back"))
            }
        }
    });
    parsed.collect()
}

impl From<BatchView> for PayoutBatch {
    fn from(batch: BatchView) -> Self {
        Self {
            id: batch.id,
            county: batch.county_code,
            number: batch.number,
            state: batch.state.into(),
            up_to: batch.up_to,
            amount: Yuan(batch.amount),
            payout_count: batch.payout_count,
            has_rest: batch.has_rest,
            made_by: batch.made.by,
            made_at: batch.made.at,
            approved_by: batch.approved.as_ref().map(|step| step.by),
            approved_at: batch.approved.map(|step| step.at),
            executed_by: batch.executed.as_ref().map(|step| step.by),
            executed_at: batch.executed.map(|step| step.at),
            payouts: None,
        }
    }
}

impl From<PayoutView> for Payout {
    fn from(payout: PayoutView) -> Self {
        Self {
            id: payout.id,
            household_id: payout.household_id,
            household_name: payout.masked_name,
            village: payout.village_code,
            amount: Yuan(payout.amount),
            state: payout.state.into(),
            return_reason: payout.return_reason,
            instruction_entry_id: payout.instruction_entry_id,
            result_entry_id: payout.result_entry_id,
        }
    }
}

impl From<BatchState> for PayoutBatchState {
    fn from(state: BatchState) -> Self {
        match state {
            BatchState::Drafted => Self::Drafted,
            BatchState::Approved => Self::Approved,
            BatchState::Executed => Self::Executed,
        }
    }
}

impl From<super::PayoutState> for PayoutState {
    fn from(state: super::PayoutState) -> Self {
        match state {
            super::PayoutState::Drafted => Self::Drafted,
            super::PayoutState::Instructed => Self::Instructed,
            super::PayoutState::Paid => Self::Paid,
            super::PayoutState::Returned => Self::Returned,
        }
    }
}
