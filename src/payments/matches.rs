//! Payments that are lines of bank statements. A line has one standing match at most; reversing the payment ends it. Lines
//! themselves are read and chosen by `bank_statements`.

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{NewPayment, PaymentView, book, store};
use crate::app::App;
use crate::db::WriteTxn;
use crate::members::access::RegionScope;
use crate::refusal::Outcome;
use crate::trail::{self, Actor, Event};

/// The line of a bank statement that a payment is.
#[derive(Clone, Copy, Debug)]
pub struct BankLine {
    pub line_id: Uuid,
    pub kind: MatchKind,
}

/// How a line found its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// Beyond doubt, when it was imported.
    Exact,
    /// By somebody.
    Manual,
}

impl MatchKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Manual => "manual",
        }
    }
}

/// A match as it is stored.
#[derive(Clone, Debug)]
pub struct Match {
    pub id: Uuid,
    pub county_code: String,
    pub line: BankLine,
    pub payment_id: Uuid,
    pub matched_by: Option<Uuid>,
    pub matched_at: DateTime<Utc>,
}

/// Books a line of a bank statement, which the caller has locked, as a payment. See [`book`].
pub async fn book_line(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    region: &RegionScope,
    new: NewPayment,
    line: BankLine,
) -> Outcome<PaymentView> {
    let payment = book(txn, app, actor, region, new).await?;
    let now = app.clock.now();
    let made = Match {
        id: app.ids.next(now),
        county_code: payment.county_code.clone(),
        line,
        payment_id: payment.id,
        matched_by: actor.principal_id,
        matched_at: now,
    };
    store::insert_match(txn, &made).await?;
    let after = json!({
        "line_id": line.line_id, "payment_id": payment.id, "kind": line.kind.as_str(), "state": "standing",
    });
    let event = event("match_bank_statement_line", &payment, made.id, None, after);
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(payment)
}

/// Opens the line of a payment that is taken back, if it has one.
pub(super) async fn undo(txn: &WriteTxn, app: &App, actor: &Actor, payment: &PaymentView) -> Outcome<()> {
    let now = app.clock.now();
    let Some(id) = store::end_match(txn, payment.id, now).await? else { return Ok(()) };
    let before = json!({ "state": "standing" });
    let event =
        event("unmatch_bank_statement_line", payment, id, Some(before), json!({ "state": "reversed" }));
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(())
}

fn event(action: &'static str, payment: &PaymentView, id: Uuid, before: Option<Json>, after: Json) -> Event {
    Event {
        county_code: Some(payment.county_code.clone()),
        household_id: None,
        action,
        subject_kind: "bank_statement_match",
        subject_id: id,
        before,
        after: Some(after),
    }
}
