//! What was touched since a moment, as sets of rows that an audit since then reads. A row was touched when the trail has
//! an event about it, when it was made since (ids carry their moment), when it says itself that it was written since
//! (confirmed, reversed, approved …), so that an event taken out of the trail does not hide its row, or when what it is
//! made of was touched: money that came for a settlement touches its lines, its order and its accounts.
//!
//! A check narrows itself by naming the column that must be in a set. One that names none is read whole.

/// A set of ids, in the statement a table of one column `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    Household,
    Institution,
    Product,
    ReferencePrice,
    Lot,
    Order,
    Delivery,
    Acceptance,
    Settlement,
    SettlementLine,
    /// The households of settlement lines.
    Payee,
    Payment,
    DepositUse,
    PayoutBatch,
    Payout,
    PayoutLeftOut,
    BankStatement,
    FeeRate,
    PaymentTerm,
    PaymentReminder,
    /// Papers about what was touched, too.
    Paper,
    PaperPrint,
    Problem,
    ErasureRequest,
    Entry,
    Account,
    /// Events of the trail itself.
    Event,
}

impl Touched {
    /// The set of a table whose rows are announced in the trail.
    #[must_use]
    pub fn of_table(table: &str) -> Option<Self> {
        Some(match table {
            "household" => Self::Household,
            "institution" => Self::Institution,
            "product" => Self::Product,
            "reference_price" => Self::ReferencePrice,
            "lot" => Self::Lot,
            "purchase_order" => Self::Order,
            "delivery" => Self::Delivery,
            "acceptance" => Self::Acceptance,
            "settlement" => Self::Settlement,
            "payment" => Self::Payment,
            "deposit_use" => Self::DepositUse,
            "payout_batch" => Self::PayoutBatch,
            "payout" => Self::Payout,
            "payout_left_out" => Self::PayoutLeftOut,
            "bank_statement" => Self::BankStatement,
            "fee_rate" => Self::FeeRate,
            "payment_term" => Self::PaymentTerm,
            "payment_reminder" => Self::PaymentReminder,
            "paper" => Self::Paper,
            "paper_print" => Self::PaperPrint,
            "problem" => Self::Problem,
            "erasure_request" => Self::ErasureRequest,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Household => "touched_household",
            Self::Institution => "touched_institution",
            Self::Product => "touched_product",
            Self::ReferencePrice => "touched_reference_price",
            Self::Lot => "touched_lot",
            Self::Order => "touched_purchase_order",
            Self::Delivery => "touched_delivery",
            Self::Acceptance => "touched_acceptance",
            Self::Settlement => "touched_settlement",
            Self::SettlementLine => "touched_settlement_line",
            Self::Payee => "touched_payee",
            Self::Payment => "touched_payment",
            Self::DepositUse => "touched_deposit_use",
            Self::PayoutBatch => "touched_payout_batch",
            Self::Payout => "touched_payout",
            Self::PayoutLeftOut => "touched_payout_left_out",
            Self::BankStatement => "touched_bank_statement",
            Self::FeeRate => "touched_fee_rate",
            Self::PaymentTerm => "touched_payment_term",
            Self::PaymentReminder => "touched_payment_reminder",
            Self::Paper => "touched_paper",
            Self::PaperPrint => "touched_paper_print",
            Self::Problem => "touched_problem",
            Self::ErasureRequest => "touched_erasure_request",
            Self::Entry => "touched_entry",
            Self::Account => "touched_account",
            Self::Event => "touched_event",
        }
    }

    /// The condition that `column` is in the set.
    #[must_use]
    pub fn holds(self, column: &str) -> String {
        format!("{column} in (select id from {})", self.name())
    }
}

/// Whether a statement reads what was touched.
#[must_use]
pub fn is_narrowed(sql: &str) -> bool {
    sql.contains("(select id from touched_")
}

/// The sets, for a statement that takes the moment as `$1` and its [first id](crate::id::first_of) as `$2`. Engines
/// compute those that the statement names, once each.
#[must_use]
#[expect(
    clippy::too_many_lines,
    reason = "one set after the other, in the order in which they build on each other"
)]
pub fn sets() -> String {
    let told = |kind: &str| format!("select subject_id from touched_event where subject_kind = '{kind}'");
    let own = |table: &str| format!("select id from {table} where id >= $2 union {}", told(table));
    let plain = |table: &str| (format!("touched_{table}"), own(table));
    let within = |set: &str| format!("in (select id from {set})");
    // Rows that say themselves when they were written are touched also when their event is gone.
    let timed = |table: &str, times: &[&str]| {
        let written: Vec<String> = times.iter().map(|time| format!("{time} >= $1")).collect();
        format!("select id from {table} where {}", written.join(" or "))
    };
    let widened = |table: &str, more: String| {
        let (name, rows) = plain(table);
        (name, format!("{rows} union {more}"))
    };
    let sets = [
        plain("household"),
        plain("institution"),
        plain("product"),
        plain("reference_price"),
        widened("payment", timed("payment", &["reversed_at"])),
        plain("payout_left_out"),
        plain("deposit_use"),
        plain("bank_statement"),
        plain("fee_rate"),
        plain("payment_term"),
        plain("payment_reminder"),
        widened("problem", timed("problem", &["closed_at"])),
        widened("erasure_request", timed("erasure_request", &["decided_at"])),
        widened(
            "payout_batch",
            format!(
                "select batch_id from payout where id in ({}) union {}",
                told("payout"),
                timed("payout_batch", &["approved_at", "executed_at"])
            ),
        ),
        (
            "touched_payout".to_owned(),
            format!("select id from payout where batch_id {}", within("touched_payout_batch")),
        ),
        widened(
            "settlement",
            format!(
                "select settlement_id from payment_part where payment_id {paid}
                 union select settlement_id from payment_fee_part where payment_id {paid}
                 union select settlement_id from deposit_use_part where deposit_use_id {used}
                 union select settlement_id from deposit_use_fee_part where deposit_use_id {used}
                 union select settlement_id from settlement_line where id in (
                     select settlement_line_id from payout_part where payout_id {sent})",
                paid = within("touched_payment"),
                used = within("touched_deposit_use"),
                sent = within("touched_payout")
            ),
        ),
        widened(
            "delivery",
            format!(
                "select delivery_id from acceptance where id >= $2
                 union select delivery_id from acceptance where id in ({})",
                told("acceptance")
            ),
        ),
        widened(
            "acceptance",
            format!("select id from acceptance where delivery_id {}", within("touched_delivery")),
        ),
        widened(
            "purchase_order",
            format!(
                "select order_id from delivery where id {}
                 union select order_id from settlement where id {} union {}",
                within("touched_delivery"),
                within("touched_settlement"),
                timed("purchase_order", &["confirmed_at", "ended_at", "rated_at"])
            ),
        ),
        widened(
            "lot",
            format!("select lot_id from allocation where order_id {}", within("touched_purchase_order")),
        ),
        (
            "touched_settlement_line".to_owned(),
            format!("select id from settlement_line where settlement_id {}", within("touched_settlement")),
        ),
        (
            "touched_payee".to_owned(),
            format!(
                "select household_id from settlement_line where settlement_id {}",
                within("touched_settlement")
            ),
        ),
        ("touched_entry".to_owned(), entries()),
        (
            "touched_account".to_owned(),
            format!(
                "select id from ledger_account where id >= $2
                 union select account_id from ledger_posting where entry_id {}",
                within("touched_entry")
            ),
        ),
        widened(
            "paper",
            format!(
                "select id from paper where settlement_id {}
                 union select id from paper where payout_id {}
                 union select paper.id from paper join ledger_account account on account.owner_id = paper.institution_id
                       where paper.month is not null and account.id {}",
                within("touched_settlement"),
                within("touched_payout"),
                within("touched_account")
            ),
        ),
        plain("paper_print"),
    ];
    let event =
        "touched_event as materialized (select id, subject_kind, subject_id from audit_event where at >= $1)";
    let named = sets.iter().map(|(name, rows)| format!("{name} (id) as materialized ({rows})"));
    format!("with {}", std::iter::once(event.to_owned()).chain(named).collect::<Vec<_>>().join(", "))
}

/// New entries, and all entries of whatever was touched.
fn entries() -> String {
    let of = |source: &str| {
        format!(
            "select id from ledger_entry where source_kind = '{source}'
             and source_id in (select id from touched_{source})"
        )
    };
    let sources = ["settlement", "payment", "deposit_use", "payout_batch"].map(of);
    format!("select id from ledger_entry where id >= $2 union {}", sources.join(" union "))
}
