//! Reads one table out of a csv or xlsx file that somebody uploads, as the text a person sees in it.
//! It must never trust a size the file states, allocate by it, run a formula, or guess at a value: whatever
//! does not fit the limits is refused, and every cell is text until the importer's own types parse it.
//!
//! Numbers become text by one rule, the one spreadsheets show: the binary float rounded to 15 significant
//! digits, trailing zeros dropped (2087.0249999999996 is `2087.025`). From 1e15 on the digits a person typed
//! are gone, so such a number is left in scientific notation and [`looks_like_lost_digits`] tells it.
//! Date cells become `YYYY-MM-DD`. Formulas give the value the spreadsheet program stored last.

mod delimited;
mod gather;
mod number;
mod report;
pub mod table;
mod xlsx;

use std::borrow::Cow;

use thiserror::Error;
use tokio::sync::Semaphore;

pub use number::{looks_like_lost_digits, parse_date};
pub use report::{BadCell, ImportReport, report_csv};

use crate::refusal::{Failure, Outcome, Refusal};
use gather::Titles;

/// How files of Excel 97 to 2003, and workbooks with a password, begin.
const OLE_MAGIC: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

/// Files that one process reads at the same time; the others wait their turn.
const READ_AT_ONCE: usize = 2;

/// How much of a file is read before it is refused.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Of the file as it came.
    pub bytes: usize,
    /// Of all parts of the workbook after decompression, and of all text kept.
    pub unpacked_bytes: u64,
    /// Below the header.
    pub rows: usize,
    /// Counted to the last one that holds text.
    pub columns: usize,
    pub cell_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 20_000_000, unpacked_bytes: 200_000_000, rows: 50_000, columns: 100, cell_chars: 2_000 }
    }
}

/// A column the importer knows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub key: &'static str,
    /// Header texts that mean this column, the one named in messages first. The key is accepted as well.
    pub titles: &'static [&'static str],
    pub required: bool,
}

/// One line of the table, blank lines left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// As the user's program numbers it, from 1; in csv the line where the record begins.
    pub number: usize,
    /// In the order of the file, trimmed, at least as many as the header has.
    pub cells: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Table {
    /// `csv` for text.
    pub sheet: String,
    pub header: Vec<String>,
    /// From 1.
    pub header_row: usize,
    pub rows: Vec<Row>,
    /// What stands above the header: titles, names of accounts, instructions.
    pub above: Vec<Row>,
    places: Vec<(&'static str, usize)>,
}

impl Table {
    /// The first sheet whose header has every required column. The kind of file is told by its content.
    pub fn read(bytes: &[u8], wanted: &[Column]) -> Result<Self, SheetError> {
        Self::read_within(bytes, wanted, &Limits::default())
    }

    pub fn read_within(bytes: &[u8], wanted: &[Column], limits: &Limits) -> Result<Self, SheetError> {
        Self::read_any(bytes, &[wanted], limits).map(|(_, table)| table)
    }

    /// Reads a table that may be one of several kinds: answers the first kind whose required columns a sheet has.
    pub fn read_any(bytes: &[u8], kinds: &[&[Column]], limits: &Limits) -> Result<(usize, Self), SheetError> {
        if bytes.len() > limits.bytes {
            return Err(SheetError::TooLarge { limit: limits.bytes });
        }
        let kinds: Vec<Titles> = kinds.iter().map(|wanted| Titles::new(wanted)).collect();
        if is_workbook(bytes) {
            xlsx::read(bytes, &kinds, limits)
        } else if bytes.starts_with(OLE_MAGIC) {
            Err(SheetError::OldOrProtected)
        } else {
            delimited::read(bytes, &kinds, limits)
        }
    }

    /// [`Table::read`] with [`beside`].
    pub async fn read_beside(bytes: Vec<u8>, wanted: &'static [Column]) -> Outcome<Self> {
        Ok(beside(move || Self::read(&bytes, wanted)).await?.map_err(Refusal::from)?)
    }

    /// The cell's text, empty when the cell or the whole column is missing.
    #[must_use]
    pub fn get<'r>(&self, row: &'r Row, key: &str) -> &'r str {
        self.place(key).and_then(|place| row.cells.get(place)).map_or("", String::as_str)
    }

    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// The header text of a column as the file writes it, `数量(斤)`.
    #[must_use]
    pub fn title(&self, key: &str) -> Option<&str> {
        self.place(key).and_then(|place| self.header.get(place)).map(String::as_str)
    }

    /// What stands in parentheses in the header of a column: `斤` for `数量(斤)`. Matching a header leaves it
    /// out, so an importer of amounts must look at it.
    #[must_use]
    pub fn unit(&self, key: &str) -> Option<String> {
        self.title(key).and_then(gather::in_parentheses)
    }

    /// Headers that no wanted column claims; their cells are read but mean nothing to the importer.
    pub fn unknown_titles(&self) -> impl Iterator<Item = &str> {
        self.header.iter().enumerate().filter_map(|(place, title)| {
            let known = title.is_empty() || self.places.iter().any(|(_, taken)| *taken == place);
            (!known).then_some(title.as_str())
        })
    }

    /// The report row for one cell of this table.
    #[must_use]
    pub fn bad_cell(&self, row: &Row, key: &str, reason: impl Into<String>) -> BadCell {
        BadCell {
            sheet: self.sheet.clone(),
            row: row.number,
            column: self.title(key).unwrap_or(key).to_owned(),
            value: self.get(row, key).to_owned(),
            reason: reason.into(),
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.places.iter().find(|(known, _)| *known == key).map(|(_, place)| *place)
    }
}

/// Reads a file beside the threads that serve requests, as a large workbook takes a second of work, and few files at a
/// time, as each is held unpacked meanwhile.
pub async fn beside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    static READING: Semaphore = Semaphore::const_new(READ_AT_ONCE);
    let permit = READING.acquire().await.map_err(|error| Failure::Broken(error.to_string()))?;
    let reading = tokio::task::spawn_blocking(move || {
        // Kept until the work is done, also when nobody waits for it any more.
        let _permit = permit;
        read()
    });
    reading.await.map_err(|error| Failure::Broken(error.to_string()))
}

fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Every part of a workbook or of another zip file, as its bytes, unpacked within the limits.
pub fn each_part(bytes: &[u8], limits: &Limits, look: impl FnMut(&str, &[u8])) -> Result<(), SheetError> {
    if bytes.len() > limits.bytes {
        return Err(SheetError::TooLarge { limit: limits.bytes });
    }
    xlsx::each_part(bytes, limits, look)
}

/// The text of a file, in whichever of the encodings of tables; nothing when it is a workbook.
pub fn text_of(bytes: &[u8]) -> Result<Option<Cow<'_, str>>, SheetError> {
    if is_workbook(bytes) || bytes.starts_with(OLE_MAGIC) {
        return Ok(None);
    }
    delimited::text(bytes).map(Some)
}

/// Why a file was refused as a whole. The texts are for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SheetError {
    #[error("the file is larger than {limit} bytes; split it")]
    TooLarge { limit: usize },
    #[error(
        "the workbook unpacks to more than {limit} bytes; split it, or remove pictures and unused sheets"
    )]
    UnpackedTooLarge { limit: u64 },
    #[error("sheet \"{sheet}\" has more than {limit} rows; split it")]
    TooManyRows { sheet: String, limit: usize },
    #[error("row {row} of sheet \"{sheet}\" has text in column {column}; at most {limit} columns are read")]
    TooManyColumns { sheet: String, row: usize, column: String, limit: usize },
    #[error("cell {column}{row} of sheet \"{sheet}\" is longer than {limit} characters")]
    CellTooLong { sheet: String, row: usize, column: String, limit: usize },
    #[error("cell {column}{row} of sheet \"{sheet}\" contains a control character; remove it")]
    ControlCharacter { sheet: String, row: usize, column: String },
    #[error("the file is not a csv or xlsx table; save it as xlsx or csv and send it again")]
    NotASheet,
    #[error("the workbook is protected by a password; save it without one and send it again")]
    PasswordProtected,
    #[error(
        "the workbook is of Excel 97 to 2003 or protected by a password; save it as xlsx or csv without one and send it again"
    )]
    OldOrProtected,
    #[error("the workbook holds macros; save it as xlsx, without them, and send it again")]
    Macros,
    #[error("the text is neither UTF-8 nor GB18030; save it as \"CSV UTF-8\" and send it again")]
    Encoding,
    #[error("no header row with the columns {}; the closest is row {row} of sheet \"{sheet}\"", .missing.join(", "))]
    MissingColumns { sheet: String, row: usize, missing: Vec<&'static str> },
    #[error("the header in row {row} of sheet \"{sheet}\" names \"{column}\" twice")]
    DuplicateHeader { sheet: String, row: usize, column: &'static str },
    #[error("the file is damaged ({0}); open it, save it as a new file and send that")]
    Corrupt(&'static str),
    #[error("the file holds no text")]
    Empty,
}

impl From<SheetError> for Refusal {
    fn from(error: SheetError) -> Self {
        match error {
            SheetError::TooLarge { limit } => Self::BodyTooLarge { limit_bytes: limit },
            other => Self::invalid("", other),
        }
    }
}

#[cfg(test)]
mod tests;
