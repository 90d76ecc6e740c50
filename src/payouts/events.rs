//! What the trail says about batches and payouts. Names and accounts never go into it.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::BatchView;
use super::payees::{self, Debtor};
use super::rules::{BankResult, BatchState, Instructed, PayoutState, ReturnCode, Share};
use crate::app::App;
use crate::db::WriteTxn;
use crate::refusal::Outcome;
use crate::settlement::receipts::Waiting;
use crate::trail::{self, Actor, Event};

/// The trail of one operation on a batch.
#[derive(Clone, Copy)]
pub struct Trail<'a> {
    pub txn: &'a WriteTxn,
    pub app: &'a App,
    pub actor: &'a Actor,
    pub batch: &'a BatchView,
}

/// What an event tells, about which row.
pub struct Told {
    household_id: Option<Uuid>,
    subject_kind: &'static str,
    subject_id: Uuid,
    before: Option<Json>,
    after: Json,
}

impl Trail<'_> {
    /// Adds events in one statement.
    pub async fn record(&self, action: &'static str, told: Vec<Told>) -> Outcome<()> {
        let events = told.into_iter().map(|told| told.of(self.batch, action));
        let (app, now) = (self.app, self.app.clock.now());
        Ok(trail::record(self.txn, &app.ids, now, self.actor, events.collect()).await?)
    }
}

impl Told {
    /// As an event of an operation on a batch.
    pub fn of(self, batch: &BatchView, action: &'static str) -> Event {
        Event {
            county_code: Some(batch.county_code.clone()),
            household_id: self.household_id,
            action,
            subject_kind: self.subject_kind,
            subject_id: self.subject_id,
            before: self.before,
            after: Some(self.after),
        }
    }
}

pub fn batch_made(batch: &BatchView) -> Told {
    let after = json!({
        "number": batch.number,
        "state": batch.state.as_str(),
        "up_to": batch.up_to,
        "amount_fen": batch.amount,
        "payout_count": batch.payout_count,
    });
    of_batch(batch, None, after)
}

/// The bank is instructed to pay so many payees, from an account if one is set.
pub fn batch_approved(batch: &BatchView, before: BatchState, payees: u64, debtor: Option<&Debtor>) -> Told {
    let after = json!({
        "state": batch.state.as_str(),
        "amount_fen": batch.amount,
        "frozen_payees": payees,
        "debtor_name": debtor.map(|debtor| &debtor.name),
        "debtor_bank": debtor.map(|debtor| &debtor.bank),
    });
    of_batch(batch, Some(before), after)
}

/// Somebody asked for the file for the bank. The first one may have fixed the account it is paid from.
pub fn file_written(batch: &BatchView, form: &str, debtor: &Debtor) -> Told {
    let after = json!({ "form": form, "debtor_name": debtor.name, "debtor_bank": debtor.bank });
    of_batch(batch, None, after)
}

/// A file of the bank changed something.
pub fn file_read(batch: &BatchView, file_hash: &str) -> Told {
    of_batch(batch, None, json!({ "file_sha256": file_hash }))
}

pub fn batch_executed(batch: &BatchView, before: BatchState) -> Told {
    of_batch(batch, Some(before), json!({ "state": batch.state.as_str(), "amount_fen": batch.amount }))
}

pub fn payout_made(batch: &BatchView, id: Uuid, share: &Share) -> Told {
    let parts: Vec<Json> = share
        .parts
        .iter()
        .map(|part| json!({ "settlement_line_id": part.settlement_line_id, "amount_fen": part.amount }))
        .collect();
    Told {
        household_id: Some(share.household_id),
        subject_kind: "payout",
        subject_id: id,
        before: None,
        after: json!({
            "batch_id": batch.id,
            "state": PayoutState::Drafted.as_str(),
            "amount_fen": share.amount,
            "parts": parts,
        }),
    }
}

pub fn left_out(batch: &BatchView, id: Uuid, waiting: &Waiting) -> Told {
    Told {
        household_id: Some(waiting.household_id),
        subject_kind: "payout_left_out",
        subject_id: id,
        before: None,
        after: json!({
            "batch_id": batch.id,
            "household_id": waiting.household_id,
            "amount_fen": waiting.amount,
            "reason": payees::why_left_out(waiting).as_str(),
        }),
    }
}

pub fn payout_instructed(payout: &Instructed) -> Told {
    of_payout(payout, PayoutState::Instructed, json!({}))
}

pub fn payout_answered(payout: &Instructed, result: &BankResult) -> Told {
    let more = json!({
        "reason": result.reason(),
        "return_code": result.return_code().map(ReturnCode::as_str),
    });
    of_payout(payout, result.state(), more)
}

/// The bank did not say what became of a payout.
pub fn payout_unknown(payout: &Instructed) -> Told {
    of_payout(payout, PayoutState::Instructed, json!({ "certainty": "unknown" }))
}

/// Somebody of finance says that the account that money came back from is right.
pub fn retry_allowed(payout: &Instructed, reason: &str) -> Told {
    of_payout(payout, PayoutState::Returned, json!({ "retry": "allowed", "retry_reason": reason }))
}

fn of_payout(payout: &Instructed, state: PayoutState, more: Json) -> Told {
    let mut after = json!({ "state": state.as_str(), "amount_fen": payout.amount });
    if let (Json::Object(after), Json::Object(more)) = (&mut after, more) {
        after.extend(more);
    }
    Told {
        household_id: Some(payout.household_id),
        subject_kind: "payout",
        subject_id: payout.id,
        before: Some(json!({ "state": payout.state.stored().as_str(), "amount_fen": payout.amount })),
        after,
    }
}

fn of_batch(batch: &BatchView, before: Option<BatchState>, after: Json) -> Told {
    Told {
        household_id: None,
        subject_kind: "payout_batch",
        subject_id: batch.id,
        before: before.map(|state| json!({ "state": state.as_str(), "amount_fen": batch.amount })),
        after,
    }
}
