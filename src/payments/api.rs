//! Endpoints: Money in.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{NewPayment, PaymentView, State};
use crate::app::App;
use crate::http::answers::{self, Created, Done};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::Yuan;
use crate::members::access::Signed;
use crate::refusal::Refusal;
use crate::routes::Tag;
use crate::settlement::{Target, Targets};

/// Money in.
#[derive(Debug)]
pub struct Api(pub App);

/// Money that an institution paid.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PaymentToRecord {
    pub institution_id: Uuid,
    /// Above zero.
    pub amount: Yuan,
    /// A business day, not to come.
    pub received_on: NaiveDate,
    /// What the bank or the payer wrote on it.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub reference: String,
    /// Pay these settlements and no others; whatever is owed, the oldest first, when it is left out.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub settlements: Option<Vec<SettlementToPay>>,
    /// Pay nothing yet: all of it stays on the deposit account. No when it is left out.
    pub as_deposit: Option<bool>,
}

/// A settlement that money is for.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct SettlementToPay {
    pub settlement_id: Uuid,
    /// Exactly so much of it. Those without an amount share what is left, the oldest first.
    pub amount: Option<Yuan>,
}

/// Why something is taken back.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PaymentReversalReason {
    #[oai(validator(min_length = 1, max_length = 500))]
    pub reason: String,
}

/// Whether a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PaymentState {
    Recorded,
    Reversed,
}

/// Money in from an institution.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Payment {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// Such as `PM-341823-2027-000001`.
    pub number: String,
    pub institution_id: Uuid,
    pub institution_name: String,
    pub amount: Yuan,
    /// What it paid of settlements.
    pub settled: Yuan,
    /// What was over and stays on the institution's deposit account.
    pub deposited: Yuan,
    pub received_on: NaiveDate,
    pub reference: String,
    pub state: PaymentState,
    /// Absent when the service booked it by itself.
    pub recorded_by: Option<Uuid>,
    pub recorded_at: DateTime<Utc>,
    /// Its entry in the ledger.
    pub entry_id: Uuid,
    pub reversed_by: Option<Uuid>,
    pub reversed_at: Option<DateTime<Utc>>,
    pub reversal_reason: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payments")]
impl Api {
    /// Record a payment
    ///
    /// Money received by hand, for finance. It pays the settlements that are named, or else whatever the institution owes,
    /// the oldest first; what is over stays on its deposit account. Needs an `Idempotency-Key`.
    #[oai(path = "/payments", method = "post", operation_id = "record_payment")]
    async fn record_payment(
        &self,
        caller: Signed,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PaymentToRecord>,
    ) -> Answer<Created<Payment>> {
        let key = answers::idempotency_key(
            caller.principal_id,
            idempotency_key.0.as_deref(),
            "record_payment",
            &body.0,
        )?;
        let done = super::record(&self.0, &caller, &key, body.0.try_into()?).await?;
        let location = format!("/v1/payments?institution_id={}", done.value.institution_id);
        Ok(Created::once(location, done.is_replay, done.value.into()))
    }

    /// List payments
    ///
    /// Newest first. Finance, auditors and officers see those of the institutions of their region, buyers and approvers
    /// those of their own institution.
    #[oai(path = "/payments", method = "get", operation_id = "list_payments")]
    async fn list_payments(
        &self,
        caller: Signed,
        request: &poem::Request,
        /// Only payments of this institution.
        institution_id: Query<Option<Uuid>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Payment>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let payments = super::list(&self.0, &caller, institution_id.0, page).await?;
        Ok(Listed::new(payments.map(Payment::from), request.uri()))
    }

    /// Reverse a payment
    ///
    /// Takes back a payment that was wrong, for finance: what it paid is owed again. Not possible when a part of it is
    /// in a payout already. Needs an `Idempotency-Key`.
    #[oai(path = "/payments/:id/reverse", method = "post", operation_id = "reverse_payment")]
    async fn reverse_payment(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PaymentReversalReason>,
    ) -> Answer<Done<Payment>> {
        let key = answers::idempotency_key(
            caller.principal_id,
            idempotency_key.0.as_deref(),
            &format!("reverse_payment:{}", id.0),
            &body.0,
        )?;
        let done = super::reverse(&self.0, &caller, &key, id.0, &body.0.reason).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }
}

impl TryFrom<PaymentToRecord> for NewPayment {
    type Error = Refusal;

    fn try_from(new: PaymentToRecord) -> Result<Self, Refusal> {
        Ok(Self {
            institution_id: new.institution_id,
            amount: new.amount.0,
            received_on: new.received_on,
            reference: new.reference,
            targets: targets(new.settlements, new.as_deposit.unwrap_or(false))?,
        })
    }
}

/// What money is for, as a body says it.
pub fn targets(chosen: Option<Vec<SettlementToPay>>, is_deposit: bool) -> Result<Targets, Refusal> {
    match (chosen, is_deposit) {
        (Some(_), true) => {
            Err(Refusal::invalid("/as_deposit", "either name settlements or leave all of it on the deposit"))
        }
        (None, true) => Ok(Targets::Deposit),
        (None, false) => Ok(Targets::OldestFirst),
        (Some(chosen), false) => {
            let target = |one: SettlementToPay| Target {
                settlement_id: one.settlement_id,
                amount: one.amount.map(|amount| amount.0),
            };
            Ok(Targets::Chosen(chosen.into_iter().map(target).collect()))
        }
    }
}

impl From<PaymentView> for Payment {
    fn from(payment: PaymentView) -> Self {
        let settled = payment.settled();
        let reversal = payment.reversal;
        Self {
            id: payment.id,
            county: payment.county_code,
            number: payment.number,
            institution_id: payment.institution_id,
            institution_name: payment.institution_name,
            amount: Yuan(payment.amount),
            settled: Yuan(settled),
            deposited: Yuan(payment.deposited),
            received_on: payment.received_on,
            reference: payment.reference,
            state: payment.state.into(),
            recorded_by: payment.recorded_by,
            recorded_at: payment.created_at,
            entry_id: payment.entry_id,
            reversed_by: reversal.as_ref().map(|reversal| reversal.by),
            reversed_at: reversal.as_ref().map(|reversal| reversal.at),
            reversal_reason: reversal.map(|reversal| reversal.reason),
        }
    }
}

impl From<State> for PaymentState {
    fn from(state: State) -> Self {
        match state {
            State::Recorded => Self::Recorded,
            State::Reversed => Self::Reversed,
        }
    }
}
