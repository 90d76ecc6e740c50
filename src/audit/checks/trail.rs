//! The trail: everything that was written has its event, and personal data is not stored in the clear.

use super::super::dialect::Dialect;
use super::super::touched::Touched;
use super::{Check, Pair, as_last_worded, only_of_table};

/// Tables whose every row was announced by an event about it.
const ANNOUNCED: [&str; 20] = [
    "household",
    "institution",
    "product",
    "reference_price",
    "lot",
    "purchase_order",
    "delivery",
    "acceptance",
    "settlement",
    "payment",
    "payout_batch",
    "payout",
    "fee_rate",
    "payment_term",
    "payment_reminder",
    "payout_left_out",
    "paper",
    "paper_print",
    "problem",
    "erasure_request",
];

/// A sealed value holds a nonce of 12 bytes and a tag of 16 besides the value: anything shorter is not sealed.
const SEALED_CHARS_MIN: u8 = 38;

pub fn checks(dialect: Dialect) -> Vec<Check> {
    let mut checks: Vec<Check> = ANNOUNCED.into_iter().map(|table| announced(dialect, table)).collect();
    checks.push(as_last_worded(
        dialect,
        "problem",
        "state",
        "a problem is open or closed as last written to the trail",
    ));
    checks.push(told_before(dialect));
    checks.push(sealed(dialect));
    checks.push(sealed_payees(dialect));
    checks
}

fn announced(dialect: Dialect, table: &'static str) -> Check {
    Check {
        invariant: 8,
        table,
        what: "every row that was written has an event in the trail",
        key: dialect.id_text("written.id"),
        pairs: vec![Pair::new(
            "id",
            format!(
                "case when exists (select 1 from audit_event event where event.subject_kind = '{table}'
                                   and event.subject_id = written.id) then 'in the trail' else 'no event' end"
            ),
            "'in the trail'",
        )],
        source: format!("{table} written where {}", only_of_table(dialect, table, "written.id")),
    }
}

/// An event that is taken out of the middle leaves one behind that begins where nothing ended.
fn told_before(dialect: Dialect) -> Check {
    Check {
        invariant: 8,
        table: "audit_event",
        what: "the state that an event says was before was written by an event before it",
        key: dialect.id_text("later.id"),
        pairs: vec![Pair::new(
            "before_json",
            "(later.before_json->>'state')",
            "(select max(earlier.after_json->>'state') from audit_event earlier
              where earlier.subject_kind = later.subject_kind and earlier.subject_id = later.subject_id
                and earlier.at <= later.at and earlier.id <> later.id
                and earlier.after_json->>'state' = later.before_json->>'state')",
        )],
        source: format!(
            "audit_event later where later.before_json->>'state' is not null and {}",
            dialect.only(Touched::Event, "later.id")
        ),
    }
}

/// Names the row and never shows the value.
fn sealed(dialect: Dialect) -> Check {
    Check {
        invariant: 9,
        table: "household",
        what: "identity numbers, phones, addresses and bank accounts are encrypted at rest",
        key: dialect.id_text("h.id"),
        pairs: vec![
            is_sealed("identity_number_sealed", "h"),
            is_sealed("phone_sealed", "h"),
            is_sealed("address_sealed", "h"),
            is_sealed("bank_account_sealed", "h"),
        ],
        source: format!("household h where {}", dialect.only(Touched::Household, "h.id")),
    }
}

fn sealed_payees(dialect: Dialect) -> Check {
    Check {
        invariant: 9,
        table: "payout_payee",
        what: "names and accounts of payees are encrypted at rest",
        key: dialect.id_text("f.payout_id"),
        pairs: vec![is_sealed("name_sealed", "f"), is_sealed("account_sealed", "f")],
        source: format!("payout_payee f where {}", dialect.only(Touched::Payout, "f.payout_id")),
    }
}

fn is_sealed(column: &'static str, table: &str) -> Pair {
    let length = format!("length({table}.{column})");
    let stored = format!("case when {length} < {SEALED_CHARS_MIN} then 'in the clear' else 'sealed' end");
    Pair::new(column, stored, "'sealed'")
}
