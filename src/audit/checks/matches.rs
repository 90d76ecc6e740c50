//! Matches: every line of a bank statement that is a payment, against both and the trail.

use super::super::dialect::Dialect;
use super::super::touched::Touched;
use super::{Check, Pair, as_last_named, as_last_worded};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        match_of_payment(dialect),
        match_stands_with_payment(dialect),
        match_stands_once(dialect),
        as_last_named(
            dialect,
            "bank_statement_match",
            "line_id",
            "a match is of the bank line written to the trail",
        ),
        as_last_named(
            dialect,
            "bank_statement_match",
            "payment_id",
            "a match is of the payment written to the trail",
        ),
        as_last_worded(dialect, "bank_statement_match", "kind", "a match was made the way the trail says"),
    ]
}

fn match_of_payment(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "bank_statement_match",
        what: "a matched bank line and its payment are the same money: amount, day, county, in CNY",
        key: dialect.id_text("m.id"),
        pairs: vec![
            Pair::new("amount_minor", "line.amount_minor", "p.amount_fen"),
            Pair::new("booked_on", "line.booked_on", "p.received_on"),
            Pair::new("county_code", "line.county_code", "p.county_code"),
            Pair::new("county_code", "m.county_code", "p.county_code"),
            Pair::new("currency", "line.currency", "'CNY'"),
        ],
        source: format!(
            "bank_statement_match m left join bank_statement_line line on line.id = m.line_id
             left join payment p on p.id = m.payment_id where {}",
            dialect.only(Touched::Payment, "m.payment_id")
        ),
    }
}

fn match_stands_with_payment(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "bank_statement_match",
        what: "a match stands exactly as long as its payment",
        key: dialect.id_text("m.id"),
        pairs: vec![Pair::new(
            "reversed_at",
            "case when m.reversed_at is null then 'recorded' else 'reversed' end",
            "p.state",
        )],
        source: format!(
            "bank_statement_match m left join payment p on p.id = m.payment_id where {}",
            dialect.only(Touched::Payment, "m.payment_id")
        ),
    }
}

fn match_stands_once(dialect: Dialect) -> Check {
    Check {
        invariant: 6,
        table: "bank_statement_match",
        what: "a bank line is one payment that stands at most",
        key: dialect.id_text("m.id"),
        pairs: vec![Pair::new(
            "line_id",
            "(select count(*) from bank_statement_match other
              where other.line_id = m.line_id and other.reversed_at is null)",
            "1",
        )],
        source: format!(
            "bank_statement_match m where m.reversed_at is null and {}",
            dialect.only(Touched::Payment, "m.payment_id")
        ),
    }
}
