//! The report an import gives back, one row per bad cell.
//! It must never hand a spreadsheet program a cell that it would run as a formula.

use serde::Serialize;

use super::table::is_risky;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadCell {
    pub sheet: String,
    /// As the user's program numbers it, from 1.
    pub row: usize,
    /// The header text as the file writes it.
    pub column: String,
    pub value: String,
    pub reason: String,
}

/// UTF-8 with its mark, so that spreadsheet programs show Chinese; RFC 4180 quoting and line ends.
#[must_use]
pub fn report_csv(bad: &[BadCell]) -> String {
    let mut csv = String::from("\u{feff}sheet,row,column,value,reason\r\n");
    for cell in bad {
        let row = cell.row.to_string();
        for (index, text) in [&cell.sheet, &row, &cell.column, &cell.value, &cell.reason].iter().enumerate() {
            if index > 0 {
                csv.push(',');
            }
            push_field(&mut csv, text);
        }
        csv.push_str("\r\n");
    }
    csv
}

/// A leading `'` makes spreadsheet programs take the cell as text.
fn push_field(csv: &mut String, text: &str) {
    csv.push('"');
    if is_risky(text) {
        csv.push('\'');
    }
    csv.push_str(&text.replace('"', "\"\""));
    csv.push('"');
}

/// What an import did, or would do. When a cell was refused, nothing of the file was imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Rows of the table, blank ones left out.
    pub rows: usize,
    /// Rows that became, or would become, something new.
    pub created: u64,
    /// Rows that are there already, from an earlier import.
    pub existing: u64,
    pub refused: Vec<BadCell>,
}
