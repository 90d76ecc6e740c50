//! The list of checks: what is recomputed, from which rows. A check is one set-based, read-only statement that answers
//! only the rows that differ, so that its memory is bounded whatever the size of the database.

mod deposits;
mod ledger;
mod matches;
mod orders;
mod papers;
mod payments;
mod payouts;
mod settlements;
mod statements;
mod stock;
mod terms;
mod trail;

use super::dialect::{Dialect, integer};
use super::touched::{self, Touched};

/// One comparison of rows with what they must be.
#[derive(Debug)]
pub struct Check {
    /// The number of the invariant in the design, 1 to 12.
    pub invariant: u8,
    pub table: &'static str,
    /// What a difference means, as a statement that should hold.
    pub what: &'static str,
    /// The row's key as a text expression.
    pub key: String,
    /// What is compared; one statement compares all of them.
    pub pairs: Vec<Pair>,
    /// What stands behind `from`.
    pub source: String,
}

/// A stored value and the same value recomputed, both as expressions over the source.
#[derive(Debug)]
pub struct Pair {
    pub column: &'static str,
    pub stored: String,
    pub recomputed: String,
}

impl Pair {
    fn new(column: &'static str, stored: impl Into<String>, recomputed: impl Into<String>) -> Self {
        Self { column, stored: stored.into(), recomputed: recomputed.into() }
    }
}

impl Check {
    /// Whether it reads only what was touched.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        touched::is_narrowed(&self.source)
    }

    /// The statement: differing rows with the texts of every pair as `s0, r0, s1, r1 …`. A narrowed one takes the moment
    /// and its first id.
    #[must_use]
    pub fn sql(&self, limit: u64) -> String {
        let columns = |shape: &dyn Fn(usize, &Pair) -> String, joint: &str| {
            let parts: Vec<String> =
                self.pairs.iter().enumerate().map(|(position, pair)| shape(position, pair)).collect();
            parts.join(joint)
        };
        let compared =
            columns(&|at, pair| format!("{} as s{at}, {} as r{at}", pair.stored, pair.recomputed), ", ");
        let told =
            columns(&|at, _| format!("cast(s{at} as text) as s{at}, cast(r{at} as text) as r{at}"), ", ");
        let differs = columns(&|at, _| format!("s{at} is distinct from r{at}"), " or ");
        let sets = if self.is_narrowed() { touched::sets() } else { String::new() };
        // The inner limit is none. Without it SQLite expects the outer one to end the reading soon, makes no index for what
        // the rows are compared with, and reads that once for each of them.
        format!(
            "{sets} select row_id, {told} from (select {} as row_id, {compared} from {} limit {}) as compared
             where {differs} order by row_id limit {limit}",
            self.key,
            self.source,
            i64::MAX
        )
    }
}

/// Every check, in the order of the goods: stock, orders, settlements, payments, deposits, payouts, statements, matches,
/// terms, ledger, papers, trail.
#[must_use]
pub fn all(dialect: Dialect) -> Vec<Check> {
    [
        stock::checks(dialect),
        orders::checks(dialect),
        settlements::checks(dialect),
        payments::checks(dialect),
        deposits::checks(dialect),
        payouts::checks(dialect),
        statements::checks(dialect),
        matches::checks(dialect),
        terms::checks(dialect),
        ledger::checks(dialect),
        papers::checks(dialect),
        trail::checks(dialect),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Columns of `row` that equal the columns of the same name of `claim`.
fn as_claimed(row: &str, claim: &str, columns: &[&'static str]) -> Vec<Pair> {
    columns
        .iter()
        .map(|column| Pair::new(column, format!("{row}.{column}"), format!("{claim}.{column}")))
        .collect()
}

/// A query of what the trail says was written: for every item of `items` (a join that names it `item`) in the events
/// about `subject_kind`, its id and the given figures. `mark` is a member that only the right items have.
fn claims(dialect: Dialect, subject_kind: &str, items: &str, figures: &[&str], mark: &str) -> String {
    let figures: Vec<String> =
        figures.iter().map(|name| format!("{} as {name}", integer("item.value", name))).collect();
    format!(
        "select {} as id, {} from audit_event event {items}
         where event.subject_kind = '{subject_kind}' and {} is not null and {}",
        dialect.id("item.value", "id"),
        figures.join(", "),
        integer("item.value", mark),
        only_of_table(dialect, subject_kind, "event.subject_id")
    )
}

/// Narrows to the rows of an announced table.
fn only_of_table(dialect: Dialect, table: &str, column: &str) -> String {
    Touched::of_table(table).map_or_else(|| "true".to_owned(), |set| dialect.only(set, column))
}

/// A row figure that must equal the latest event about the row that names it.
fn as_last_written(dialect: Dialect, table: &'static str, column: &'static str, what: &'static str) -> Check {
    let figure = |event: &str| integer(&format!("{event}.after_json"), column);
    let row = format!("written.{column}");
    as_last_told(dialect, table, (column, &row), figure, what)
}

/// The same for a text.
fn as_last_worded(dialect: Dialect, table: &'static str, column: &'static str, what: &'static str) -> Check {
    let word = |event: &str| format!("({event}.after_json->>'{column}')");
    let row = format!("cast(written.{column} as text)");
    as_last_told(dialect, table, (column, &row), word, what)
}

/// The same for an id.
fn as_last_named(dialect: Dialect, table: &'static str, column: &'static str, what: &'static str) -> Check {
    let word = |event: &str| format!("({event}.after_json->>'{column}')");
    let row = dialect.id_text(&format!("written.{column}"));
    as_last_told(dialect, table, (column, &row), word, what)
}

/// A row that must agree with the latest event about it that tells. Two events of one moment are both the latest: their
/// ids do not say which came second, so the row may agree with either.
fn as_last_told(
    dialect: Dialect,
    table: &'static str,
    (column, row): (&'static str, &str),
    told: impl Fn(&str) -> String,
    what: &'static str,
) -> Check {
    let about = |event: &str| format!("{event}.subject_kind = '{table}' and {event}.subject_id = written.id");
    let newest = format!(
        "(select max(older.at) from audit_event older where {} and {} is not null)",
        about("older"),
        told("older")
    );
    let latest = |more: &str| {
        format!(
            "(select max({}) from audit_event newer where {} and newer.at = {newest} {more})",
            told("newer"),
            about("newer")
        )
    };
    let agreeing = latest(&format!("and {} = {row}", told("newer")));
    Check {
        invariant: 8,
        table,
        what,
        key: dialect.id_text("written.id"),
        pairs: vec![Pair::new(column, row, format!("coalesce({agreeing}, {})", latest("")))],
        source: format!("{table} written where {}", only_of_table(dialect, table, "written.id")),
    }
}
