//! The search for personal data in the clear: identity numbers, phones and cards in every column of text of every table,
//! and in files. Reads only, also from a database that is being served; shows what it found masked.

use std::path::Path;

use serde::Serialize;

use crate::db::Reader;
use crate::refusal::Outcome;

mod files;
mod rules;
mod store;

use rules::Found;
pub use rules::Kind;

/// Findings that are listed; behind them the search ends, and says so.
pub const FINDINGS_MAX: usize = 1_000;

/// Where a number stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Where {
    Column {
        table: String,
        column: String,
        row: String,
    },
    Line {
        file: String,
        line: u64,
    },
    /// Of a workbook or another zip file.
    Part {
        file: String,
        part: String,
    },
}

/// A number that should not stand there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: &'static str,
    /// As much of it as may be shown.
    pub masked: String,
    #[serde(flatten)]
    pub place: Where,
}

/// What was found so far.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    pub findings: Vec<Finding>,
    /// There is more than is listed.
    pub is_cut: bool,
    pub tables: usize,
    pub rows: usize,
    pub files: usize,
}

impl Findings {
    fn is_full(&self) -> bool {
        self.is_cut
    }

    fn put(&mut self, found: Found, place: Where) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { kind: found.kind.as_str(), masked: found.masked, place });
        } else {
            self.is_cut = true;
        }
    }
}

/// Searches every table, and tells the name of each before it is read.
pub async fn search_database(reader: &Reader, findings: &mut Findings, tell: impl Fn(&str)) -> Outcome<()> {
    for table in store::tables(reader).await? {
        tell(&table.name);
        let mut next = Some(store::Place::default());
        while let Some(place) = next.filter(|_| !findings.is_full()) {
            let (rows, after) = store::page(reader, &table, place).await?;
            next = after;
            for row in &rows {
                look_at(&table, row, findings);
            }
            findings.rows = findings.rows.saturating_add(rows.len());
        }
        findings.tables = findings.tables.saturating_add(1);
    }
    Ok(())
}

/// Searches a file. It reads with the thread that calls it.
pub fn search_file(path: &Path, findings: &mut Findings) -> Result<(), String> {
    files::search(path, findings)?;
    findings.files = findings.files.saturating_add(1);
    Ok(())
}

fn look_at(table: &store::TextTable, row: &store::TextRow, findings: &mut Findings) {
    for (column, text) in table.columns.iter().zip(&row.texts) {
        let Some(text) = text else { continue };
        findings.add(text, || Where::Column {
            table: table.name.clone(),
            column: column.clone(),
            row: row.key.clone(),
        });
    }
}
