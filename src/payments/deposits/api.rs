//! Endpoints: What institutions paid ahead.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use crate::app::App;
use crate::http::answers::{self, Created, Done};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::Yuan;
use crate::members::access::Signed;
use crate::payments::api::{PaymentReversalReason, PaymentState, SettlementToPay, targets};
use crate::routes::Tag;
use crate::settlement::deposits::{Deposit, UseView};

/// What institutions paid ahead.
#[derive(Debug)]
pub struct Api(pub App);

/// What an institution has on deposit.
#[derive(Debug, Object)]
pub struct InstitutionDeposit {
    pub balance: Yuan,
    /// What its prepaid orders under way still need.
    pub reserved: Yuan,
    /// What may be used for anything else.
    pub free: Yuan,
}

/// What of a deposit is to pay what.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct DepositToUse {
    /// All that is free, as far as something is owed, when it is left out.
    pub amount: Option<Yuan>,
    /// Pay these settlements and no others; whatever is owed, the oldest first, when it is left out.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub settlements: Option<Vec<SettlementToPay>>,
}

/// A deposit that paid settlements.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct DepositUse {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// Gap-free per county and year, such as `DU-341823-2027-000001`.
    pub number: String,
    pub institution_id: Uuid,
    /// The prepaid order whose acceptance used it.
    pub order_id: Option<Uuid>,
    pub amount: Yuan,
    pub used_on: NaiveDate,
    pub state: PaymentState,
    /// Absent when the service used it by itself.
    pub used_by: Option<Uuid>,
    pub used_at: DateTime<Utc>,
    /// Its entry in the ledger.
    pub entry_id: Uuid,
    pub reversed_by: Option<Uuid>,
    pub reversed_at: Option<DateTime<Utc>>,
    pub reversal_reason: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payments")]
impl Api {
    /// Get the deposit of an institution
    ///
    /// For finance and auditors of its region, and for its own buyers and approvers.
    #[oai(path = "/institutions/:id/deposit", method = "get", operation_id = "get_deposit")]
    async fn get_deposit(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<InstitutionDeposit>> {
        Ok(Json(super::get(&self.0, &caller, id.0).await?.into()))
    }

    /// Use the deposit of an institution
    ///
    /// Pays settlements from what was paid ahead, for finance. What prepaid orders under way need is not used. Needs an
    /// `Idempotency-Key`.
    #[oai(path = "/institutions/:id/deposit/uses", method = "post", operation_id = "use_deposit")]
    async fn use_deposit(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<DepositToUse>,
    ) -> Answer<Created<DepositUse>> {
        let key = answers::idempotency_key(
            caller.principal_id,
            idempotency_key.0.as_deref(),
            &format!("use_deposit:{}", id.0),
            &body.0,
        )?;
        let amount = body.0.amount.map(|amount| amount.0);
        let targets = targets(body.0.settlements, false)?;
        let done = super::apply(&self.0, &caller, &key, id.0, amount, &targets).await?;
        let location = format!("/v1/institutions/{}/deposit/uses", id.0);
        Ok(Created::once(location, done.is_replay, done.value.into()))
    }

    /// List the uses of the deposit of an institution
    ///
    /// Newest first, for whoever may see the deposit.
    #[oai(path = "/institutions/:id/deposit/uses", method = "get", operation_id = "list_deposit_uses")]
    async fn list_deposit_uses(
        &self,
        caller: Signed,
        request: &poem::Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<DepositUse>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let uses = super::list(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(uses.map(DepositUse::from), request.uri()))
    }

    /// Reverse the use of a deposit
    ///
    /// Takes it back, for finance: what it paid is owed again and the money is on deposit again. Not possible when a part
    /// of it is in a payout already. Needs an `Idempotency-Key`.
    #[oai(path = "/deposit_uses/:id/reverse", method = "post", operation_id = "reverse_deposit_use")]
    async fn reverse_deposit_use(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PaymentReversalReason>,
    ) -> Answer<Done<DepositUse>> {
        let key = answers::idempotency_key(
            caller.principal_id,
            idempotency_key.0.as_deref(),
            &format!("reverse_deposit_use:{}", id.0),
            &body.0,
        )?;
        let done = super::reverse(&self.0, &caller, &key, id.0, &body.0.reason).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }
}

impl From<Deposit> for InstitutionDeposit {
    fn from(deposit: Deposit) -> Self {
        Self { balance: Yuan(deposit.balance), reserved: Yuan(deposit.reserved), free: Yuan(deposit.free()) }
    }
}

impl From<UseView> for DepositUse {
    fn from(used: UseView) -> Self {
        let reversal = used.reversal;
        Self {
            id: used.id,
            county: used.county_code,
            number: used.number,
            institution_id: used.institution_id,
            order_id: used.order_id,
            amount: Yuan(used.amount),
            used_on: used.used_on,
            state: if reversal.is_some() { PaymentState::Reversed } else { PaymentState::Recorded },
            used_by: used.used_by,
            used_at: used.created_at,
            entry_id: used.entry_id,
            reversed_by: reversal.as_ref().map(|reversal| reversal.by),
            reversed_at: reversal.as_ref().map(|reversal| reversal.at),
            reversal_reason: reversal.map(|reversal| reversal.reason),
        }
    }
}
