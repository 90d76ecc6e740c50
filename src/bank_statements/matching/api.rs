//! Endpoints: which payment a line of a bank statement is.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{CandidateView, ExplanationView, MatchView, NewMatch, Reason};
use crate::app::App;
use crate::http::answers::{self, Done};
use crate::http::body::Body;
use crate::http::problem::Answer;
use crate::http::scalars::Yuan;
use crate::members::access::Signed;
use crate::payments::api::{Payment, SettlementToPay, targets};
use crate::routes::Tag;

/// Which payment a line of a bank statement is.
#[derive(Debug)]
pub struct Api(pub App);

/// Why a line may be a payment of an institution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum MatchReason {
    /// The remark names an order or a settlement of it.
    NumberNamed,
    /// The amount is what is open of what the remark names.
    AmountOfNamed,
    /// It paid from this account before.
    AccountKnown,
    /// The payer has its name.
    NameEqual,
    /// The payer has a similar name.
    NameSimilar,
    /// The amount is what is open of one of its settlements.
    AmountOfOne,
    /// The amount is what is open of several of its oldest settlements.
    AmountOfSeveral,
}

/// A settlement that a line may pay.
#[derive(Debug, Object)]
pub struct CandidateSettlement {
    pub settlement_id: Uuid,
    pub number: String,
    /// What is open of it.
    pub open: Yuan,
    /// What it would get.
    pub amount: Yuan,
}

/// What a line of a bank statement may pay.
#[derive(Debug, Object)]
pub struct MatchCandidate {
    pub institution_id: Uuid,
    pub institution_name: String,
    pub settlements: Vec<CandidateSettlement>,
    /// What would stay on the institution's deposit.
    pub deposited: Yuan,
    /// The higher, the likelier: the sum of what its reasons weigh.
    pub score: u32,
    pub reasons: Vec<MatchReason>,
}

/// What a line of a bank statement may pay, the likeliest first.
#[derive(Debug, Object)]
pub struct MatchCandidates {
    /// At most ten.
    pub items: Vec<MatchCandidate>,
}

/// What a line of a bank statement pays.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct LineToMatch {
    /// Of the county of the statement.
    pub institution_id: Uuid,
    /// Pay these settlements and no others; whatever is owed, the oldest first, when it is left out.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub settlements: Option<Vec<SettlementToPay>>,
    /// Pay nothing yet: all of it stays on the deposit account. No when it is left out.
    pub as_deposit: Option<bool>,
}

/// A line of a bank statement and the payment it is.
#[derive(Debug, Object)]
pub struct BankStatementMatch {
    pub line_id: Uuid,
    pub payment: Payment,
}

/// What a line of a bank statement is that is no payment of an institution.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct LineToExplain {
    #[oai(validator(min_length = 1, max_length = 500))]
    pub note: String,
}

/// What somebody said a line of a bank statement is.
#[derive(Debug, Object)]
pub struct BankStatementExplanation {
    pub line_id: Uuid,
    pub note: String,
    pub explained_by: Uuid,
    pub explained_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payments")]
impl Api {
    /// List what a line of a bank statement may pay
    ///
    /// The likeliest first, at most ten, each with its reasons; none for a line that is matched or did not come in as
    /// CNY. For finance and auditors of whole counties.
    #[oai(
        path = "/bank_statement_lines/:id/candidates",
        method = "get",
        operation_id = "list_match_candidates"
    )]
    async fn list_match_candidates(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<MatchCandidates>> {
        let candidates = super::candidates(&self.0, &caller, id.0).await?;
        Ok(Json(MatchCandidates { items: candidates.into_iter().map(MatchCandidate::from).collect() }))
    }

    /// Match a line of a bank statement
    ///
    /// Books what came in as a payment of an institution, for finance of the county: for the settlements that are named,
    /// for whatever is owed, or onto its deposit. A wrong match is taken back by reversing the payment; the line is then
    /// open again. Needs an `Idempotency-Key`.
    #[oai(
        path = "/bank_statement_lines/:id/match",
        method = "post",
        operation_id = "match_bank_statement_line"
    )]
    async fn match_bank_statement_line(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<LineToMatch>,
    ) -> Answer<Done<BankStatementMatch>> {
        let key = answers::idempotency_key(
            caller.principal_id,
            idempotency_key.0.as_deref(),
            &format!("match_bank_statement_line:{}", id.0),
            &body.0,
        )?;
        let targets = targets(body.0.settlements, body.0.as_deposit.unwrap_or(false))?;
        let new = NewMatch { institution_id: body.0.institution_id, targets };
        let done = super::match_line(&self.0, &caller, &key, id.0, new).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }

    /// Explain a line of a bank statement
    ///
    /// Says what a line is that is no payment of an institution, such as interest or a fee of the bank, for finance of the
    /// county. The last explanation counts, and a match counts more.
    #[oai(
        path = "/bank_statement_lines/:id/explain",
        method = "post",
        operation_id = "explain_bank_statement_line"
    )]
    async fn explain_bank_statement_line(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<LineToExplain>,
    ) -> Answer<Json<BankStatementExplanation>> {
        Ok(Json(super::explain(&self.0, &caller, id.0, &body.0.note).await?.into()))
    }
}

impl From<CandidateView> for MatchCandidate {
    fn from(view: CandidateView) -> Self {
        let score = view.candidate.score();
        let candidate = view.candidate;
        let settlement = |(debt, amount): (super::rules::Debt, crate::money::Fen)| CandidateSettlement {
            settlement_id: debt.settlement_id,
            number: debt.number,
            open: Yuan(debt.open),
            amount: Yuan(amount),
        };
        Self {
            institution_id: candidate.institution_id,
            institution_name: view.institution_name,
            settlements: candidate.pays.into_iter().map(settlement).collect(),
            deposited: Yuan(candidate.deposited),
            score,
            reasons: candidate.reasons.into_iter().map(MatchReason::from).collect(),
        }
    }
}

impl From<Reason> for MatchReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::NumberNamed => Self::NumberNamed,
            Reason::AmountOfNamed => Self::AmountOfNamed,
            Reason::AccountKnown => Self::AccountKnown,
            Reason::NameEqual => Self::NameEqual,
            Reason::NameSimilar => Self::NameSimilar,
            Reason::AmountOfOne => Self::AmountOfOne,
            Reason::AmountOfSeveral => Self::AmountOfSeveral,
        }
    }
}

impl From<MatchView> for BankStatementMatch {
    fn from(view: MatchView) -> Self {
        Self { line_id: view.line_id, payment: view.payment.into() }
    }
}

impl From<ExplanationView> for BankStatementExplanation {
    fn from(view: ExplanationView) -> Self {
        Self {
            line_id: view.line_id,
            note: view.note,
            explained_by: view.explained_by,
            explained_at: view.explained_at,
        }
    }
}
