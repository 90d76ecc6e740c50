//! What a file of a bank holds, whatever its kind, which is told by its content. A file is taken whole or not at all:
//! whatever cannot be read is named, and nothing is guessed.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::rules::{Amount, Statement};
use super::{camt, table};
use crate::refusal::{Outcome, Refusal};
use crate::sheet::{self, BadCell, Limits};

/// Lines of a file at most.
pub const LINES_MAX: usize = 200_000;

/// How much of a file is read before it is refused.
fn limits() -> Limits {
    Limits { rows: LINES_MAX, ..Limits::default() }
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// As refused cells name the place: `xml`, `csv` or the tab of a workbook.
    pub sheet: String,
    pub statements: Vec<Statement>,
    /// Rows that moved no money, by the file's own word for why.
    pub left_out: BTreeMap<String, u64>,
    /// What a person should know and what does not refuse the file.
    pub notes: Vec<String>,
    /// Where the file cannot be read or contradicts itself; when there is any, nothing of it is taken.
    pub refused: Vec<BadCell>,
}

impl Parsed {
    pub fn leave_out(&mut self, why: String) {
        let count = self.left_out.entry(why).or_default();
        *count = count.saturating_add(1);
    }

    #[must_use]
    pub fn line_count(&self) -> usize {
        self.statements.iter().map(|statement| statement.lines.len()).sum()
    }

    /// Holds statements to what no kind of file may break: lines of days that have come, figures within bounds, and
    /// balances that follow.
    fn check(&mut self, today: NaiveDate) {
        let sheet = self.sheet.as_str();
        let mut found = Vec::new();
        let bad = |row: usize, column: &str, value: String, reason: String| BadCell {
            sheet: sheet.to_owned(),
            row,
            column: column.to_owned(),
            value,
            reason,
        };
        for statement in &self.statements {
            for line in statement.lines.iter().filter(|line| line.booked_on > today) {
                let reason = format!("booked on a day to come; today is {today}");
                found.push(bad(line.row, "date", line.booked_on.to_string(), reason));
            }
            let row = statement.lines.last().map_or(1, |line| line.row);
            let Some(totals) = statement.totals() else {
                let reason = "its lines sum to more than any account holds".to_owned();
                found.push(bad(row, "amount", String::new(), reason));
                continue;
            };
            let Some((computed, above)) = statement.closing_difference(totals) else { continue };
            let currency = statement.currency;
            let of = |amount: Option<Amount>| amount.map(|amount| amount.to_string()).unwrap_or_default();
            let reason = format!(
                "opening balance {} and the lines ({} in, {} out) lead to {computed} {currency}; the closing balance \
                 differs by {above}",
                of(statement.opening),
                Amount::new(totals.in_minor, currency),
                Amount::new(totals.out_minor, currency),
            );
            found.push(bad(row, "closing balance", of(statement.closing), reason));
        }
        self.refused = found;
    }
}

/// Reads a file, beside the threads that serve requests: a large one takes a second of work.
pub async fn read_beside(bytes: Vec<u8>, today: NaiveDate) -> Outcome<(Vec<u8>, Parsed)> {
    Ok(sheet::beside(move || read(&bytes, today).map(|parsed| (bytes, parsed))).await??)
}

/// XML when it begins like it, a table otherwise. `today` is the last day a line may be of.
pub fn read(bytes: &[u8], today: NaiveDate) -> Result<Parsed, Refusal> {
    let limits = limits();
    if bytes.len() > limits.bytes {
        return Err(Refusal::BodyTooLarge { limit_bytes: limits.bytes });
    }
    let mut parsed = match sheet::text_of(bytes)? {
        Some(text) if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') => {
            camt::read(&text, LINES_MAX)
        }
        Some(_) => table::read(bytes, "csv", &limits)?,
        None => table::read(bytes, "xlsx", &limits)?,
    };
    if parsed.refused.is_empty() {
        parsed.check(today);
    }
    Ok(parsed)
}
