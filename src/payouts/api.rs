//! Endpoints: Money out to households.

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Binary, Json};
use uuid::Uuid;

use super::bank_file;
use super::results::{self, ResultFile};
use crate::app::App;
use crate::http::answers::{self, Created, Done};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::id::content_hash;
use crate::members::access::Signed;
use crate::routes::Tag;

mod shapes;

use shapes::{
    BankFileAnswer, BankFileFormat, LeftOutHousehold, Payout, PayoutBatch, PayoutBatchToMake,
    PayoutResultImport, PayoutResults, PayoutState, PayoutsToMark, PayoutsToRetry, parse_results,
};

/// Money out to households.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payouts")]
impl Api {
    /// Make a payout batch
    ///
    /// For finance of the county: everything that was received for sales up to a day and not yet paid out, one payout per
    /// household, at most 100000; `has_rest` says that another batch is needed. Households without a registered bank
    /// account, or whose account returned money, are left out and counted. The money is reserved until somebody else
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
    /// With counts and sums of its payouts, for finance, auditors and officers of a county or above.
    #[oai(path = "/payout_batches/:id", method = "get", operation_id = "get_payout_batch")]
    async fn get_payout_batch(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<PayoutBatch>> {
        Ok(Json(super::find(&self.0, &caller, id.0).await?.into()))
    }

    /// List the payouts of a batch
    ///
    /// Newest first, for finance, auditors and officers of a county or above. Names and accounts are masked.
    #[oai(path = "/payout_batches/:id/payouts", method = "get", operation_id = "list_payouts")]
    async fn list_payouts(
        &self,
        caller: Signed,
        request: &poem::Request,
        id: Path<Uuid>,
        /// Only payouts in this state.
        state: Query<Option<PayoutState>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Payout>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let state = state.0.map(super::PayoutState::from);
        let payouts = super::list_payouts(&self.0, &caller, id.0, state, page).await?;
        Ok(Listed::new(payouts.map(Payout::from), request.uri()))
    }

    /// List whom a batch left out
    ///
    /// The households that money waited for and that could not be paid when the batch was made, and why. For finance,
    /// auditors and officers of a county or above. Names are masked.
    #[oai(path = "/payout_batches/:id/left_out", method = "get", operation_id = "list_left_out_households")]
    async fn list_left_out_households(
        &self,
        caller: Signed,
        request: &poem::Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<LeftOutHousehold>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let left_out = super::list_left_out(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(left_out.map(LeftOutHousehold::from), request.uri()))
    }

    /// Approve a payout batch
    ///
    /// By somebody of finance who did not make it: the bank is instructed, and names and accounts are fixed as they are
    /// now. Needs an `Idempotency-Key`.
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
        let told = parse_results(body.0.results)?;
        let done = results::record(&self.0, &caller, &key, id.0, &told).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }

    /// Get the file for the bank
    ///
    /// For finance: an approved batch as ISO 20022 pain.001.001.09, or as a bank form in xlsx or csv. The same batch gives
    /// the same bytes every time, and every time the trail says who asked. Names and accounts are in the clear. Needs the
    /// settings of the account that is paid from. Two at a time.
    #[oai(path = "/payout_batches/:id/file", method = "get", operation_id = "get_payout_file")]
    async fn get_payout_file(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        format: Query<BankFileFormat>,
    ) -> Answer<BankFileAnswer> {
        let file = bank_file::write(&self.0, &caller, id.0, format.0.into()).await?;
        Ok(BankFileAnswer::new(file, format.0))
    }

    /// Import payout results
    ///
    /// For finance: the file in which the bank says what became of the batch, pain.002.001.10, or csv or xlsx with the
    /// columns 业务参考号, 金额 and 处理结果, and optionally 失败原因. Settled is paid, rejected is returned, what is under way
    /// stays, and what the file does not name is unknown from now on. All of the file or nothing; the same file again
    /// changes nothing. Needs an `Idempotency-Key`.
    #[oai(
        path = "/payout_batches/:id/results/import",
        method = "post",
        operation_id = "import_payout_results"
    )]
    async fn import_payout_results(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        /// The file is about some payouts of the batch only: those it does not name stay as they are.
        is_partial: Query<Option<bool>>,
        file: Binary<Vec<u8>>,
    ) -> Answer<Done<PayoutResultImport>> {
        let is_partial = is_partial.0.unwrap_or(false);
        let operation = format!("import_payout_results:{}:{is_partial}", id.0);
        let (header, hash) = (idempotency_key.0.as_deref(), content_hash(&file.0));
        let key = answers::idempotency_key(caller.principal_id, header, &operation, &hash)?;
        let file = ResultFile { bytes: file.0, hash, is_partial };
        let done = results::import(&self.0, &caller, &key, id.0, file).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }

    /// Mark payouts as unknown
    ///
    /// For finance: the bank did not say what became of them. They stay so until a result is recorded, and are not paid
    /// again meanwhile. Needs an `Idempotency-Key`.
    #[oai(path = "/payout_batches/:id/mark_unknown", method = "post", operation_id = "mark_payouts_unknown")]
    async fn mark_payouts_unknown(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PayoutsToMark>,
    ) -> Answer<Done<PayoutBatch>> {
        let operation = format!("mark_payouts_unknown:{}", id.0);
        let header = idempotency_key.0.as_deref();
        let key = answers::idempotency_key(caller.principal_id, header, &operation, &body.0)?;
        let done = results::mark_unknown(&self.0, &caller, &key, id.0, &body.0.payout_ids).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }

    /// Allow another try of returned payouts
    ///
    /// For finance: the account from which money came back is right after all, so that the household is in the next
    /// batch again without a change of its account. Needs an `Idempotency-Key`.
    #[oai(path = "/payout_batches/:id/allow_retry", method = "post", operation_id = "allow_payout_retry")]
    async fn allow_payout_retry(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PayoutsToRetry>,
    ) -> Answer<Done<PayoutBatch>> {
        let operation = format!("allow_payout_retry:{}", id.0);
        let header = idempotency_key.0.as_deref();
        let key = answers::idempotency_key(caller.principal_id, header, &operation, &body.0)?;
        let retry = (body.0.payout_ids.as_slice(), body.0.reason.as_str());
        let done = results::allow_retry(&self.0, &caller, &key, id.0, retry).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }
}
