//! Papers: their numbers are gap-free, order numbers stay below their counter, and no counter stands alone.
//! A number is `ST-341823-2026-000123`: its first 14 characters name the series, the rest after a hyphen counts.

use super::super::dialect::Dialect;
use super::{Check, Pair, only_of_table};
use crate::numbers;

/// The series of papers and the tables that carry them.
const PAPERS: [(&str, &str); 5] = [
    ("DN", "delivery"),
    ("ST", "settlement"),
    ("PM", "payment"),
    ("DU", "deposit_use"),
    ("PB", "payout_batch"),
];

pub fn checks(dialect: Dialect) -> Vec<Check> {
    let mut checks = vec![gap_free(dialect), blocks_of_orders(), known_series()];
    let orders = ("PO", "purchase_order");
    checks.extend(PAPERS.into_iter().chain([orders]).map(|(_, table)| counted(dialect, table)));
    checks
}

/// Numbers are unique, so as many as the counter says, none above it and none below one, are all of them.
fn gap_free(dialect: Dialect) -> Check {
    let place = dialect.digits("substr(paper.number, 16)");
    let all: Vec<String> = PAPERS.iter().map(|(_, table)| format!("select number from {table}")).collect();
    let series: Vec<String> = PAPERS.iter().map(|(prefix, _)| format!("'{prefix}'")).collect();
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
    let known: Vec<String> = PAPERS.iter().map(|(prefix, _)| format!("'{prefix}'")).collect();
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
