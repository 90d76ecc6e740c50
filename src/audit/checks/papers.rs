//! Papers: their numbers are gap-free, order numbers stay below their counter, and no counter stands alone.
//! A number is `ST-341823-2026-000123`: its first 14 characters name the series, the rest after a hyphen counts.

use super::super::dialect::Dialect;
use super::{Check, Pair, as_last_worded, as_last_written, only_of_table};
use crate::numbers;

/// The series of papers.
const SERIES: [&str; 8] = ["DN", "ST", "PM", "DU", "PB", "SS", "MS", "PS"];

/// The tables that carry their numbers.
const TABLES: [&str; 6] = ["delivery", "settlement", "payment", "deposit_use", "payout_batch", "paper"];

pub fn checks(dialect: Dialect) -> Vec<Check> {
    let mut checks = vec![gap_free(dialect), blocks_of_orders(), known_series()];
    checks.extend(TABLES.into_iter().chain(["purchase_order"]).map(|table| counted(dialect, table)));
    for column in ["number", "digest"] {
        checks.push(as_last_worded(
            dialect,
            "paper",
            column,
            "a paper is as the trail says that it was issued",
        ));
    }
    checks.extend([of_its_kind(dialect), corrected(dialect), copies(dialect)]);
    checks.push(as_last_written(
        dialect,
        "paper_print",
        "copy_no",
        "a copy has the number that the trail says",
    ));
    checks
}

/// Series and county stand in the number.
fn of_its_kind(dialect: Dialect) -> Check {
    Check {
        invariant: 3,
        table: "paper",
        what: "the number of a paper is of its kind and county",
        key: dialect.id_text("p.id"),
        pairs: vec![
            Pair::new(
                "kind",
                "p.kind",
                "case substr(p.number, 1, 2) when 'SS' then 'settlement_statement' when 'MS' then 'monthly_statement'
                                             when 'PS' then 'payment_slip' end",
            ),
            Pair::new("county_code", "p.county_code", "substr(p.number, 4, 6)"),
        ],
        source: format!("paper p where {}", only_of_table(dialect, "paper", "p.id")),
    }
}

fn corrected(dialect: Dialect) -> Check {
    let same = |column: &'static str| {
        Pair::new(
            column,
            dialect.id_text(&format!("p.{column}")),
            dialect.id_text(&format!("older.{column}")),
        )
    };
    let mut pairs = vec![Pair::new("month", "p.month", "older.month")];
    pairs.extend(["settlement_id", "institution_id", "payout_id"].map(same));
    Check {
        invariant: 3,
        table: "paper",
        what: "a paper corrects one about the same",
        key: dialect.id_text("p.id"),
        pairs,
        source: format!(
            "paper p join paper older on older.id = p.replaces_id where {}",
            only_of_table(dialect, "paper", "p.id")
        ),
    }
}

/// Copies of a paper are unique, so as many as there are, none above their count, are all of them.
fn copies(dialect: Dialect) -> Check {
    Check {
        invariant: 3,
        table: "paper_print",
        what: "the copies of a paper are counted without a gap",
        key: dialect.id_text("p.id"),
        pairs: vec![Pair::new(
            "copy_no",
            "p.copy_no",
            "case when p.copy_no <= (select count(*) from paper_print other where other.paper_id = p.paper_id)
                  then p.copy_no end",
        )],
        source: format!("paper_print p where {}", only_of_table(dialect, "paper_print", "p.id")),
    }
}

/// Numbers are unique, so as many as the counter says, none above it and none below one, are all of them.
fn gap_free(dialect: Dialect) -> Check {
    let place = dialect.digits("substr(paper.number, 16)");
    let all: Vec<String> = TABLES.iter().map(|table| format!("select number from {table}")).collect();
    let series: Vec<String> = SERIES.iter().map(|prefix| format!("'{prefix}'")).collect();
    Check {
        invariant: 3,
        table: "counter",
        what: "a series of papers has as many papers as its counter says, numbered without a gap",
        key: "c.name".to_owned(),
        pairs: vec![
            Pair::new("value", "c.value", "coalesce(t.papers, 0)"),
            Pair::new("value", "c.value", "coalesce(t.highest, 0)"),
        ],
        source: format!(
            "counter c left join (
                select substr(paper.number, 1, 14) as name, count(*) as papers,
                       max({place}) as highest
                from ({}) paper group by substr(paper.number, 1, 14)
             ) t on t.name = c.name where substr(c.name, 1, 2) in ({})",
            all.join(" union all "),
            series.join(", ")
        ),
    }
}

fn blocks_of_orders() -> Check {
    Check {
        invariant: 3,
        table: "counter",
        what: "order numbers are taken in whole blocks",
        key: "c.name".to_owned(),
        pairs: vec![Pair::new("value", "c.value", format!("c.value - c.value % {}", numbers::BLOCK))],
        source: "counter c where substr(c.name, 1, 2) = 'PO'".to_owned(),
    }
}

fn known_series() -> Check {
    let known: Vec<String> = SERIES.iter().map(|prefix| format!("'{prefix}'")).collect();
    Check {
        invariant: 3,
        table: "counter",
        what: "a counter counts a series of numbers there is",
        key: "c.name".to_owned(),
        pairs: vec![Pair::new("name", "c.name", "cast(null as text)")],
        source: format!("counter c where substr(c.name, 1, 2) not in ('PO', {})", known.join(", ")),
    }
}

fn counted(dialect: Dialect, table: &'static str) -> Check {
    let place = dialect.digits("substr(p.number, 16)");
    Check {
        invariant: 3,
        table,
        what: "a number is between one and the counter of its series",
        key: dialect.id_text("p.id"),
        pairs: vec![Pair::new(
            "number",
            "p.number",
            format!(
                "case when {place} between 1 and c.value then p.number else c.name || '-' || c.value end"
            ),
        )],
        source: format!(
            "{table} p left join counter c on c.name = substr(p.number, 1, 14) where {}",
            only_of_table(dialect, table, "p.id")
        ),
    }
}
