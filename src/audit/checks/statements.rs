//! Bank statements: totals against lines, balances against each other, and figures against what was written.

use super::super::dialect::{Dialect, sum};
use super::super::touched::Touched;
use super::{Check, Pair, as_last_written};

/// Figures that the trail tells of a statement.
const TOLD: [&str; 5] = ["line_count", "in_minor", "out_minor", "opening_minor", "closing_minor"];

pub fn checks(dialect: Dialect) -> Vec<Check> {
    let told = TOLD.map(|column| {
        as_last_written(
            dialect,
            "bank_statement",
            column,
            "a bank statement has the figures written to the trail",
        )
    });
    [totals(dialect), balances(dialect), line_figures(dialect)].into_iter().chain(told).collect()
}

/// The lines of a statement are its own and those that an earlier one had brought.
fn totals(dialect: Dialect) -> Check {
    let (incoming, outgoing) = (
        sum("case when l.amount_minor > 0 then l.amount_minor end"),
        sum("case when l.amount_minor < 0 then -l.amount_minor end"),
    );
    Check {
        invariant: 10,
        table: "bank_statement",
        what: "a bank statement's totals are the sums of its lines",
        key: dialect.id_text("s.id"),
        pairs: vec![
            Pair::new("line_count", "s.line_count", "coalesce(t.line_count, 0)"),
            Pair::new("in_minor", "s.in_minor", "coalesce(t.in_minor, 0)"),
            Pair::new("out_minor", "s.out_minor", "coalesce(t.out_minor, 0)"),
        ],
        source: format!(
            "bank_statement s left join (
                select l.statement_id, count(*) as line_count, {incoming} as in_minor, {outgoing} as out_minor
                from (select statement_id, currency, amount_minor from bank_statement_line where {}
                      union all
                      select r.statement_id, l.currency, l.amount_minor from bank_statement_repeat r
                      join bank_statement_line l on l.id = r.line_id where {}) l
                group by l.statement_id
             ) t on t.statement_id = s.id where {}",
            dialect.only(Touched::BankStatement, "statement_id"),
            dialect.only(Touched::BankStatement, "r.statement_id"),
            dialect.only(Touched::BankStatement, "s.id")
        ),
    }
}

fn balances(dialect: Dialect) -> Check {
    Check {
        invariant: 10,
        table: "bank_statement",
        what: "a bank statement's lines lead from its opening to its closing balance",
        key: dialect.id_text("s.id"),
        pairs: vec![Pair::new(
            "closing_minor",
            "s.closing_minor",
            "s.opening_minor + s.in_minor - s.out_minor",
        )],
        source: format!(
            "bank_statement s where s.opening_currency = s.currency and s.closing_currency = s.currency and {}",
            dialect.only(Touched::BankStatement, "s.id")
        ),
    }
}

/// The identity of a line begins with its day, amount and balance.
fn line_figures(dialect: Dialect) -> Check {
    let figures = "cast(l.booked_on as text) || '/' || l.amount_minor || '/'
                   || coalesce(cast(l.balance_minor as text), '') || '/'";
    Check {
        invariant: 10,
        table: "bank_statement_line",
        what: "a line of a bank statement is of the day, amount, balance and currency it was identified by",
        key: dialect.id_text("l.id"),
        pairs: vec![
            Pair::new("amount_minor", format!("substr(l.identity, 1, length({figures}))"), figures),
            Pair::new("currency", "l.currency", "s.currency"),
            Pair::new("county_code", "l.county_code", "s.county_code"),
        ],
        source: format!(
            "bank_statement_line l left join bank_statement s on s.id = l.statement_id where {}",
            dialect.only(Touched::BankStatement, "l.statement_id")
        ),
    }
}
