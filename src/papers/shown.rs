//! What endpoints show of papers: the head of a paper, and what each kind says. Only shapes; it reads and decides nothing.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Enum, Object};
use uuid::Uuid;

use super::content::{
    Content, MonthlyStatement, Movement, PaidLine, PaymentSlip, SettlementStatement, SoldLine,
};
use super::{Kind, PaperView};
use crate::http::scalars::{Amount, UnitPrice, Yuan};

/// The kinds of papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PaperKind {
    SettlementStatement,
    MonthlyStatement,
    PaymentSlip,
}

/// A paper. Once issued, its content never changes; see `replaced_by_number` before relying on it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Paper {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    pub kind: PaperKind,
    /// Gap-free per kind, county and year, such as `SS-341823-2027-000012`.
    pub number: String,
    pub settlement_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub month: Option<String>,
    pub payout_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    pub issued_by: Uuid,
    pub issued_at: DateTime<Utc>,
    /// SHA-256 over the number, a line feed and the content as issued.
    pub digest: String,
    /// The paper that this one corrects.
    pub replaces_id: Option<Uuid>,
    pub replaces_number: Option<String>,
    /// Why it corrects it.
    pub reason: Option<String>,
    /// The paper that corrects this one; it is in force instead.
    pub replaced_by_id: Option<Uuid>,
    pub replaced_by_number: Option<String>,
    /// Copies that were printed.
    pub copies: i64,
    /// What it says; only when one paper is asked for.
    pub content: Option<PaperContent>,
}

/// What a paper says: one of the three.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PaperContent {
    pub settlement_statement: Option<SettlementStatementBody>,
    pub monthly_statement: Option<MonthlyStatementBody>,
    pub payment_slip: Option<PaymentSlipBody>,
}

/// What one acceptance makes an institution owe.
#[derive(Debug, Object)]
pub struct SettlementStatementBody {
    pub county_name: String,
    pub institution_name: String,
    pub credit_code: String,
    pub settlement_number: String,
    pub order_number: String,
    pub delivery_number: String,
    pub settled_on: NaiveDate,
    pub due_on: NaiveDate,
    pub lines: Vec<SettlementStatementLine>,
    /// The sum of the lines, which is what the households are owed.
    pub amount: Yuan,
    /// What the institution owes the operator on top.
    pub fee: Yuan,
    /// All that the institution owes.
    pub owed: Yuan,
    /// All that the institution owes, 人民币大写.
    pub amount_in_capitals: String,
}

/// What was accepted of one household's produce.
#[derive(Debug, Object)]
pub struct SettlementStatementLine {
    pub settlement_line_id: Uuid,
    pub village_name: String,
    /// Masked.
    pub household_name: String,
    pub product_name: String,
    pub quantity: Amount,
    pub price: UnitPrice,
    pub amount: Yuan,
}

/// What moved between an institution and the county in a month.
#[derive(Debug, Object)]
pub struct MonthlyStatementBody {
    pub county_name: String,
    pub institution_name: String,
    pub credit_code: String,
    pub first_on: NaiveDate,
    pub last_on: NaiveDate,
    /// What the institution owed before the first day.
    pub opening: Yuan,
    /// What it had paid ahead before the first day.
    pub opening_deposit: Yuan,
    pub movements: Vec<MonthlyMovement>,
    /// What it owed at the end of the last day.
    pub closing: Yuan,
    /// What it had paid ahead at the end of the last day.
    pub closing_deposit: Yuan,
    /// What it owed at the end, 人民币大写.
    pub closing_in_capitals: String,
}

/// One ledger entry as the institution sees it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct MonthlyMovement {
    pub entry_id: Uuid,
    pub occurred_on: NaiveDate,
    /// What happened, such as `acceptance`.
    pub kind: String,
    pub is_reversal: bool,
    /// Of the settlement or payment.
    pub number: Option<String>,
    /// By how much the institution owes more; negative when less.
    pub amount: Yuan,
    /// By how much it has paid ahead more; negative when less.
    pub deposit: Yuan,
}

/// What a household was paid, and for what.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PaymentSlipBody {
    pub county_name: String,
    pub village_name: String,
    /// Masked.
    pub household_name: String,
    /// The last four digits.
    pub account: Option<String>,
    pub batch_number: String,
    pub paid_on: NaiveDate,
    pub lines: Vec<PaymentSlipLine>,
    pub amount: Yuan,
    /// 人民币大写.
    pub amount_in_capitals: String,
}

/// What a payout pays of one settlement line.
#[derive(Debug, Object)]
pub struct PaymentSlipLine {
    pub settlement_line_id: Uuid,
    pub institution_name: String,
    pub order_number: String,
    pub settlement_number: String,
    pub product_name: String,
    pub sold_on: NaiveDate,
    pub quantity: Amount,
    /// What the household is owed for the line in all.
    pub owed: Yuan,
    /// What this payout pays of it.
    pub paid: Yuan,
}

impl From<PaperView> for Paper {
    fn from(view: PaperView) -> Self {
        let (replaces_id, replaces_number) = view.replaces.map(|older| (older.id, older.number)).unzip();
        let (replaced_by_id, replaced_by_number) =
            view.replaced_by.map(|newer| (newer.id, newer.number)).unzip();
        Self {
            id: view.id,
            county: view.county_code,
            kind: view.kind.into(),
            number: view.number,
            settlement_id: view.settlement_id,
            institution_id: view.institution_id,
            month: view.month,
            payout_id: view.payout_id,
            household_id: view.household_id,
            issued_by: view.issued_by,
            issued_at: view.issued_at,
            digest: view.digest,
            replaces_id,
            replaces_number,
            reason: view.reason,
            replaced_by_id,
            replaced_by_number,
            copies: view.copies,
            content: None,
        }
    }
}

impl From<Content> for PaperContent {
    fn from(content: Content) -> Self {
        let none = Self { settlement_statement: None, monthly_statement: None, payment_slip: None };
        match content {
            Content::SettlementStatement(statement) => {
                Self { settlement_statement: Some(statement.into()), ..none }
            }
            Content::MonthlyStatement(statement) => {
                Self { monthly_statement: Some(statement.into()), ..none }
            }
            Content::PaymentSlip(slip) => Self { payment_slip: Some(slip.into()), ..none },
        }
    }
}

impl From<SettlementStatement> for SettlementStatementBody {
    fn from(statement: SettlementStatement) -> Self {
        let owed = statement.owed();
        Self {
            county_name: statement.county,
            institution_name: statement.institution.name,
            credit_code: statement.institution.credit_code,
            settlement_number: statement.settlement_number,
            order_number: statement.order_number,
            delivery_number: statement.delivery_number,
            settled_on: statement.settled_on,
            due_on: statement.due_on,
            fee: Yuan(statement.fee),
            owed: Yuan(owed),
            lines: statement.lines.into_iter().map(SettlementStatementLine::from).collect(),
            amount: Yuan(statement.amount),
            amount_in_capitals: owed.in_capitals(),
        }
    }
}

impl From<SoldLine> for SettlementStatementLine {
    fn from(line: SoldLine) -> Self {
        Self {
            settlement_line_id: line.settlement_line_id,
            village_name: line.village,
            household_name: line.household,
            product_name: line.product,
            quantity: Amount::new(line.quantity_base, line.measure),
            price: line.price.into(),
            amount: Yuan(line.amount),
        }
    }
}

impl From<MonthlyStatement> for MonthlyStatementBody {
    fn from(statement: MonthlyStatement) -> Self {
        Self {
            county_name: statement.county,
            institution_name: statement.institution.name,
            credit_code: statement.institution.credit_code,
            first_on: statement.first_on,
            last_on: statement.last_on,
            opening: Yuan(statement.opening.receivable),
            opening_deposit: Yuan(statement.opening.deposit),
            movements: statement.movements.into_iter().map(MonthlyMovement::from).collect(),
            closing: Yuan(statement.closing.receivable),
            closing_deposit: Yuan(statement.closing.deposit),
            closing_in_capitals: statement.closing.receivable.in_capitals(),
        }
    }
}

impl From<Movement> for MonthlyMovement {
    fn from(movement: Movement) -> Self {
        Self {
            entry_id: movement.entry_id,
            occurred_on: movement.occurred_on,
            kind: movement.kind,
            is_reversal: movement.is_reversal,
            number: movement.number,
            amount: Yuan(movement.receivable),
            deposit: Yuan(movement.deposit),
        }
    }
}

impl From<PaymentSlip> for PaymentSlipBody {
    fn from(slip: PaymentSlip) -> Self {
        Self {
            county_name: slip.county,
            village_name: slip.village,
            household_name: slip.household,
            account: slip.account,
            batch_number: slip.batch_number,
            paid_on: slip.paid_on,
            lines: slip.lines.into_iter().map(PaymentSlipLine::from).collect(),
            amount: Yuan(slip.amount),
            amount_in_capitals: slip.amount.in_capitals(),
        }
    }
}

impl From<PaidLine> for PaymentSlipLine {
    fn from(line: PaidLine) -> Self {
        Self {
            settlement_line_id: line.settlement_line_id,
            institution_name: line.institution,
            order_number: line.order_number,
            settlement_number: line.settlement_number,
            product_name: line.product,
            sold_on: line.sold_on,
            quantity: Amount::new(line.quantity_base, line.measure),
            owed: Yuan(line.owed),
            paid: Yuan(line.paid),
        }
    }
}

impl From<PaperKind> for Kind {
    fn from(kind: PaperKind) -> Self {
        match kind {
            PaperKind::SettlementStatement => Self::SettlementStatement,
            PaperKind::MonthlyStatement => Self::MonthlyStatement,
            PaperKind::PaymentSlip => Self::PaymentSlip,
        }
    }
}

impl From<Kind> for PaperKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::SettlementStatement => Self::SettlementStatement,
            Kind::MonthlyStatement => Self::MonthlyStatement,
            Kind::PaymentSlip => Self::PaymentSlip,
        }
    }
}
