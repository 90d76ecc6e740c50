//! What the endpoints of payouts read and answer.

use chrono::{DateTime, NaiveDate, Utc};
use poem::Body;
use poem_openapi::payload::Binary;
use poem_openapi::{ApiResponse, Enum, Object, ResponseContent};
use uuid::Uuid;

use crate::http::scalars::Yuan;
use crate::payouts::bank_file::{self, BankFile};
use crate::payouts::results::Imported;
use crate::payouts::{
    self, BankResult, BatchState, BatchView, LeftOutView, PayoutView, ReturnCode, Tally, end_to_end_id,
};
use crate::refusal::Refusal;

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
    /// The same as a code; for `returned` only. When it is absent the words of the reason decide, and words that are not
    /// known mean `other`.
    pub return_code: Option<PayoutReturnCode>,
}

/// Whether the household has the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PayoutResultKind {
    Paid,
    Returned,
}

/// Payouts of a batch.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PayoutsToMark {
    /// At most 5000; send the others in another request.
    #[oai(validator(min_items = 1, max_items = 5000))]
    pub payout_ids: Vec<Uuid>,
}

/// Payouts that came back and are to go out to the same account again.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PayoutsToRetry {
    /// At most 5000; send the others in another request.
    #[oai(validator(min_items = 1, max_items = 5000))]
    pub payout_ids: Vec<Uuid>,
    /// Why the account is right after all.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub reason: String,
}

/// What a file of the bank changed.
#[derive(Debug, Object)]
pub struct PayoutResultImport {
    pub batch: PayoutBatch,
    /// Payouts that are paid since this file.
    pub paid: u64,
    /// Payouts that came back by this file; the households are owed again.
    pub returned: u64,
    /// Payouts that are unknown since this file, as it said so or did not name them.
    pub unknown: u64,
    /// Payouts that the bank is still at; they stay as they are.
    pub pending: u64,
    /// Answers that said what was recorded already.
    pub unchanged: u64,
}

/// The forms of a file for the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum BankFileFormat {
    /// ISO 20022 pain.001.001.09.
    Pain001,
    Xlsx,
    Csv,
}

/// A file for the bank.
#[derive(ResponseContent)]
pub enum BankFileBody {
    #[oai(content_type = "application/xml")]
    Pain001(Binary<Body>),
    #[oai(content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    Xlsx(Binary<Body>),
    #[oai(content_type = "text/csv; charset=utf-8")]
    Csv(Binary<Body>),
}

/// A written file.
#[derive(ApiResponse)]
pub enum BankFileAnswer {
    /// The file. It is sent while it is written: an answer that breaks off is not whole.
    #[oai(status = 200)]
    Sent(
        BankFileBody,
        /// The name of the file.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

impl BankFileAnswer {
    /// Sends a file piece by piece.
    #[must_use]
    pub fn new(file: BankFile, format: BankFileFormat) -> Self {
        let stream = futures_util::stream::unfold(file.pieces, |mut pieces| async {
            pieces.recv().await.map(|piece| (piece, pieces))
        });
        let body = Binary(Body::from_bytes_stream(stream));
        let body = match format {
            BankFileFormat::Pain001 => BankFileBody::Pain001(body),
            BankFileFormat::Xlsx => BankFileBody::Xlsx(body),
            BankFileFormat::Csv => BankFileBody::Csv(body),
        };
        Self::Sent(body, format!("attachment; filename=\"{}\"", file.name))
    }
}

/// Why money came back. All but `other` are about the account: until the household's account is changed, or finance
/// allows another try, the household is left out of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PayoutReturnCode {
    WrongAccount,
    ClosedAccount,
    BlockedAccount,
    NameMismatch,
    Other,
}

/// How far a batch is: `approved` when the bank is instructed, `executed` when every payout has its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PayoutBatchState {
    Drafted,
    Approved,
    Executed,
}

/// How far a payout is; `unknown` was instructed, and the bank did not say what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PayoutState {
    Drafted,
    Instructed,
    Unknown,
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
    /// At most 100000.
    pub payout_count: i64,
    /// Whether more is payable than one batch holds: make another. Said when the batch is made.
    pub has_rest: Option<bool>,
    pub made_by: Uuid,
    pub made_at: DateTime<Utc>,
    pub approved_by: Option<Uuid>,
    pub approved_at: Option<DateTime<Utc>>,
    pub executed_by: Option<Uuid>,
    pub executed_at: Option<DateTime<Utc>>,
    /// Counts and sums of its payouts; not in lists.
    pub states: Option<Vec<PayoutTally>>,
    /// Households that money waits for and that this batch could not pay; not in lists.
    pub left_out_count: Option<i64>,
    /// What waits for them.
    pub left_out_amount: Option<Yuan>,
}

/// The payouts of a batch that are in one state.
#[derive(Debug, Object)]
pub struct PayoutTally {
    pub state: PayoutState,
    pub count: i64,
    pub amount: Yuan,
}

/// A household that a batch could not pay.
#[derive(Debug, Object)]
pub struct LeftOutHousehold {
    pub household_id: Uuid,
    /// Of its head, masked.
    pub household_name: String,
    /// Twelve digits.
    pub village: String,
    /// What waited for it when the batch was made.
    pub amount: Yuan,
    pub reason: LeftOutReason,
}

/// Why a batch could not pay a household: it has no registered bank account, or money came back from it and the account
/// is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum LeftOutReason {
    NoAccount,
    AccountReturned,
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
    /// How the bank is told of it, in files and in their answers.
    pub end_to_end_id: String,
    /// The account it goes to, masked, such as ****1234; fixed when the batch is approved.
    pub account: Option<String>,
    /// Since when the bank owes an answer.
    pub unknown_since: Option<DateTime<Utc>>,
    pub return_code: Option<PayoutReturnCode>,
    /// Why the money came back.
    pub return_reason: Option<String>,
    /// When finance allowed another try to the same account.
    pub retry_allowed_at: Option<DateTime<Utc>>,
    /// The ledger entry of the instruction.
    pub instruction_entry_id: Option<Uuid>,
    /// The ledger entry of the result.
    pub result_entry_id: Option<Uuid>,
}

/// Reads results as a person records them.
pub fn parse_results(results: Vec<PayoutResult>) -> Result<Vec<(Uuid, BankResult)>, Refusal> {
    let parsed = results.into_iter().enumerate().map(|(index, result)| {
        let pointer = |member: &str| format!("/results/{index}/{member}");
        let only_returned = "only a payout that was returned has one";
        match (result.result, result.reason, result.return_code) {
            (PayoutResultKind::Paid, None, None) => Ok((result.payout_id, BankResult::Paid)),
            (PayoutResultKind::Paid, Some(_), _) => Err(Refusal::invalid(pointer("reason"), only_returned)),
            (PayoutResultKind::Paid, None, Some(_)) => {
                Err(Refusal::invalid(pointer("return_code"), only_returned))
            }
            (PayoutResultKind::Returned, None, _) => {
                Err(Refusal::invalid(pointer("reason"), "say why the money came back"))
            }
            (PayoutResultKind::Returned, Some(reason), code) => {
                let code = code.map_or_else(|| ReturnCode::of_words(&reason), ReturnCode::from);
                Ok((result.payout_id, BankResult::Returned { code, reason }))
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
            left_out_count: batch.counted.as_ref().map(|counted| counted.left_out.count),
            left_out_amount: batch.counted.as_ref().map(|counted| Yuan(counted.left_out.amount)),
            states: batch
                .counted
                .map(|counted| counted.by_state.into_iter().map(PayoutTally::from).collect()),
            made_by: batch.made.by,
            made_at: batch.made.at,
            approved_by: batch.approved.as_ref().map(|step| step.by),
            approved_at: batch.approved.map(|step| step.at),
            executed_by: batch.executed.as_ref().map(|step| step.by),
            executed_at: batch.executed.map(|step| step.at),
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
            end_to_end_id: end_to_end_id(payout.id),
            account: payout.masked_account,
            unknown_since: payout.unknown_since,
            return_code: payout.return_code.map(PayoutReturnCode::from),
            return_reason: payout.return_reason,
            retry_allowed_at: payout.retry_allowed_at,
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

impl From<payouts::PayoutState> for PayoutState {
    fn from(state: payouts::PayoutState) -> Self {
        match state {
            payouts::PayoutState::Drafted => Self::Drafted,
            payouts::PayoutState::Instructed => Self::Instructed,
            payouts::PayoutState::Unknown => Self::Unknown,
            payouts::PayoutState::Paid => Self::Paid,
            payouts::PayoutState::Returned => Self::Returned,
        }
    }
}

impl From<PayoutState> for payouts::PayoutState {
    fn from(state: PayoutState) -> Self {
        match state {
            PayoutState::Drafted => Self::Drafted,
            PayoutState::Instructed => Self::Instructed,
            PayoutState::Unknown => Self::Unknown,
            PayoutState::Paid => Self::Paid,
            PayoutState::Returned => Self::Returned,
        }
    }
}

impl From<(payouts::PayoutState, Tally)> for PayoutTally {
    fn from((state, tally): (payouts::PayoutState, Tally)) -> Self {
        Self { state: state.into(), count: tally.count, amount: Yuan(tally.amount) }
    }
}

impl From<LeftOutView> for LeftOutHousehold {
    fn from(left_out: LeftOutView) -> Self {
        Self {
            household_id: left_out.household_id,
            household_name: left_out.masked_name,
            village: left_out.village_code,
            amount: Yuan(left_out.amount),
            reason: match left_out.reason {
                payouts::LeftOutReason::NoAccount => LeftOutReason::NoAccount,
                payouts::LeftOutReason::AccountReturned => LeftOutReason::AccountReturned,
            },
        }
    }
}

impl From<ReturnCode> for PayoutReturnCode {
    fn from(code: ReturnCode) -> Self {
        match code {
            ReturnCode::WrongAccount => Self::WrongAccount,
            ReturnCode::ClosedAccount => Self::ClosedAccount,
            ReturnCode::BlockedAccount => Self::BlockedAccount,
            ReturnCode::NameMismatch => Self::NameMismatch,
            ReturnCode::Other => Self::Other,
        }
    }
}

impl From<PayoutReturnCode> for ReturnCode {
    fn from(code: PayoutReturnCode) -> Self {
        match code {
            PayoutReturnCode::WrongAccount => Self::WrongAccount,
            PayoutReturnCode::ClosedAccount => Self::ClosedAccount,
            PayoutReturnCode::BlockedAccount => Self::BlockedAccount,
            PayoutReturnCode::NameMismatch => Self::NameMismatch,
            PayoutReturnCode::Other => Self::Other,
        }
    }
}

impl From<BankFileFormat> for bank_file::Format {
    fn from(format: BankFileFormat) -> Self {
        match format {
            BankFileFormat::Pain001 => Self::Pain001,
            BankFileFormat::Xlsx => Self::Xlsx,
            BankFileFormat::Csv => Self::Csv,
        }
    }
}

impl From<Imported> for PayoutResultImport {
    fn from(imported: Imported) -> Self {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            batch: imported.batch.into(),
            paid: number(imported.paid),
            returned: number(imported.returned),
            unknown: number(imported.unknown),
            pending: number(imported.pending),
            unchanged: number(imported.unchanged),
        }
    }
}
