//! What a paper says: the facts as they were when it was issued, frozen as one JSON text. Later facts never find their way
//! into it. A field that is added here has a default, so that older papers go on being read.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::{Fen, Price};
use crate::quantity::Measure;

/// The facts of one paper. Names of households are masked and accounts are their last digits already: papers are handed
/// around, and nothing in the clear is worth keeping twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    SettlementStatement(SettlementStatement),
    MonthlyStatement(MonthlyStatement),
    PaymentSlip(PaymentSlip),
}

/// What one acceptance makes an institution owe, line by line (结算单).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementStatement {
    pub county: String,
    pub institution: Party,
    pub settlement_number: String,
    pub order_number: String,
    pub delivery_number: String,
    /// The day of the acceptance.
    pub settled_on: NaiveDate,
    pub due_on: NaiveDate,
    pub lines: Vec<SoldLine>,
    /// The sum of the lines.
    pub amount: Fen,
    /// What the institution owes the operator on top; papers of before there were fees name none.
    #[serde(default)]
    pub fee: Fen,
}

impl SettlementStatement {
    /// All that the institution owes: the goods and the fee.
    #[must_use]
    pub fn owed(&self) -> Fen {
        [self.amount, self.fee].into_iter().sum()
    }
}

/// An institution as papers name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub name: String,
    pub credit_code: String,
}

/// What was accepted of one household's produce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoldLine {
    pub settlement_line_id: Uuid,
    pub village: String,
    pub household: String,
    pub product: String,
    pub measure: Measure,
    /// Grams or pieces.
    pub quantity_base: i64,
    pub price: Price,
    pub amount: Fen,
}

/// What moved between an institution and the county in one month (对账单).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthlyStatement {
    pub county: String,
    pub institution: Party,
    pub first_on: NaiveDate,
    pub last_on: NaiveDate,
    /// At the end of the day before `first_on`.
    pub opening: Balances,
    pub movements: Vec<Movement>,
    /// At the end of `last_on`.
    pub closing: Balances,
    /// When the newest of the entries that the statement knows was written; none when there is none at all. An entry
    /// that is written later and counts for an earlier day belongs into a correction.
    pub known_until: Option<DateTime<Utc>>,
}

/// What an institution owes, and what it has paid ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances {
    pub receivable: Fen,
    /// Positive: the institution's money.
    pub deposit: Fen,
}

/// One ledger entry as the institution sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    pub entry_id: Uuid,
    pub occurred_on: NaiveDate,
    /// What happened, as the ledger calls it.
    pub kind: String,
    pub is_reversal: bool,
    /// Of the paper or payment that made the entry, where it has one.
    pub number: Option<String>,
    /// By how much the institution owes more; negative when less.
    pub receivable: Fen,
    /// By how much it has paid ahead more; negative when less.
    pub deposit: Fen,
}

/// What a household was paid, and for what (付款单).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentSlip {
    pub county: String,
    pub village: String,
    pub household: String,
    /// The last digits of the account, such as `****0018`; none when the household has none on file.
    pub account: Option<String>,
    pub batch_number: String,
    pub paid_on: NaiveDate,
    pub lines: Vec<PaidLine>,
    /// The sum of what was paid.
    pub amount: Fen,
}

/// What a payout pays of one settlement line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidLine {
    pub settlement_line_id: Uuid,
    pub institution: String,
    pub order_number: String,
    pub settlement_number: String,
    pub product: String,
    pub sold_on: NaiveDate,
    pub measure: Measure,
    /// Grams or pieces.
    pub quantity_base: i64,
    /// What the household is owed for the line in all.
    pub owed: Fen,
    /// What this payout pays of it.
    pub paid: Fen,
}
