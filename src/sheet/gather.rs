//! Collects the cells of one sheet in reading order, finds the header among its first rows and keeps the rows
//! below it. It must never keep more than the limits allow, whatever a reader hands it.

use super::{Column, Limits, Row, SheetError, Table};

/// The header stands within this many non-blank rows; titles and instructions above it are skipped.
pub(super) const HEADER_SEARCH: usize = 30;

/// Spreadsheet programs allow 31; a forged name must not fill every row of a report.
const SHEET_NAME_CHARS: usize = 100;

/// The wanted columns with their titles made comparable, once.
pub(super) struct Titles {
    columns: Vec<(Column, Vec<String>)>,
}

/// How well a row serves as the header.
pub(super) struct Match {
    places: Vec<(&'static str, usize)>,
    missing: Vec<&'static str>,
    twice: Option<&'static str>,
}

impl Match {
    pub(super) fn found(&self) -> usize {
        self.places.len()
    }
}

impl Titles {
    pub(super) fn new(wanted: &[Column]) -> Self {
        let comparable = |column: &Column| {
            let titles = column.titles.iter().copied().chain([column.key]);
            // A title that has parentheses itself, `金额(收入)`, is told from others by them.
            let titles = titles.map(|title| comparable_title(title, in_parentheses(title).is_some()));
            titles.filter(|title| !title.is_empty()).collect::<Vec<_>>()
        };
        Self { columns: wanted.iter().map(|column| (*column, comparable(column))).collect() }
    }

    fn match_row(&self, cells: &[String]) -> Match {
        let cells: Vec<[String; 2]> =
            cells.iter().map(|cell| [false, true].map(|whole| comparable_title(cell, whole))).collect();
        let mut result = Match { places: Vec::new(), missing: Vec::new(), twice: None };
        for (column, titles) in &self.columns {
            let name = column.titles.first().copied().unwrap_or(column.key);
            let mut hits =
                cells.iter().enumerate().filter(|(_, cell)| cell.iter().any(|cell| titles.contains(cell)));
            match hits.next() {
                Some((place, _)) => result.places.push((column.key, place)),
                None if column.required => result.missing.push(name),
                None => {}
            }
            if hits.next().is_some() {
                result.twice = result.twice.or(Some(name));
            }
        }
        result
    }

    /// The row that matches the most columns, the first of equals.
    pub(super) fn best(&self, rows: &[Row]) -> Option<(usize, Match)> {
        let mut best: Option<(usize, Match)> = None;
        for (index, row) in rows.iter().enumerate() {
            let this = self.match_row(&row.cells);
            if best.as_ref().is_none_or(|(_, most)| this.found() > most.found()) {
                best = Some((index, this));
            }
        }
        best
    }
}

/// Header texts differ by spaces, line breaks, width, case, marks for "required" and, unless the `whole` is
/// compared, the unit in parentheses.
fn comparable_title(text: &str, whole: bool) -> String {
    let mut depth = 0_usize;
    let mut result = String::new();
    for letter in text.chars().map(narrow) {
        match letter {
            '(' | '[' | '【' if !whole => depth = depth.saturating_add(1),
            ')' | ']' | '】' if !whole => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '*' | ':' | '_' | '\u{feff}' | '\u{200b}' => {}
            _ if letter.is_whitespace() => {}
            _ => result.extend(letter.to_lowercase()),
        }
    }
    result
}

pub(super) fn in_parentheses(title: &str) -> Option<String> {
    let title: String = title.chars().map(narrow).collect();
    let (_, rest) = title.split_once('(')?;
    let (unit, _) = rest.split_once(')')?;
    let unit = unit.trim();
    (!unit.is_empty()).then(|| unit.to_owned())
}

/// Full-width ASCII to ASCII: U+FF01..=U+FF5E lie 0xFEE0 above it.
fn narrow(letter: char) -> char {
    let code = u32::from(letter);
    if (0xFF01..=0xFF5E).contains(&code) {
        char::from_u32(code.saturating_sub(0xFEE0)).unwrap_or(letter)
    } else {
        letter
    }
}

/// Whether a reader should go on with this sheet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    More,
    /// The first rows hold no header: the rest of the sheet is of no interest.
    Enough,
}

/// What came of one sheet.
enum Outcome {
    Found(Table),
    Missed { sheet: String, row: usize, found: Match },
    Blank,
}

pub(super) struct Gather<'a> {
    titles: &'a Titles,
    limits: &'a Limits,
    sheet: String,
    head: Vec<Row>,
    header: Option<(Row, Match)>,
    above: Vec<Row>,
    rows: Vec<Row>,
    open: Option<Row>,
    closed: usize,
    text_bytes: u64,
}

impl<'a> Gather<'a> {
    pub(super) fn new(sheet: &str, titles: &'a Titles, limits: &'a Limits) -> Self {
        Self {
            titles,
            limits,
            sheet: sheet.chars().take(SHEET_NAME_CHARS).collect(),
            head: Vec::new(),
            header: None,
            above: Vec::new(),
            rows: Vec::new(),
            open: None,
            closed: 0,
            text_bytes: 0,
        }
    }

    /// `number` counts from 1, `column` from 0. Rows come in ascending order, cells of a row in any.
    pub(super) fn put(&mut self, number: usize, column: usize, text: &str) -> Result<Flow, SheetError> {
        let text = trimmed(text);
        if text.is_empty() {
            return Ok(Flow::More);
        }
        self.check(number, column, text)?;
        if self.open.as_ref().is_some_and(|row| row.number != number) && self.close_row()? == Flow::Enough {
            return Ok(Flow::Enough);
        }
        if number <= self.closed {
            return Err(SheetError::Corrupt("its rows are not in order"));
        }
        let row = self.open.get_or_insert_with(|| Row { number, cells: Vec::new() });
        if row.cells.len() <= column {
            row.cells.resize(column.saturating_add(1), String::new());
        }
        if let Some(cell) = row.cells.get_mut(column) {
            text.clone_into(cell);
        }
        Ok(Flow::More)
    }

    fn check(&mut self, row: usize, column: usize, text: &str) -> Result<(), SheetError> {
        let Limits { columns, cell_chars, unpacked_bytes, .. } = *self.limits;
        let sheet = || self.sheet.clone();
        if column >= columns {
            let column = column_letters(column);
            return Err(SheetError::TooManyColumns { sheet: sheet(), row, column, limit: columns });
        }
        // A text has at least as many bytes as characters, so most need no counting.
        if text.len() > cell_chars && text.chars().count() > cell_chars {
            let column = column_letters(column);
            return Err(SheetError::CellTooLong { sheet: sheet(), row, column, limit: cell_chars });
        }
        if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r')) {
            return Err(SheetError::ControlCharacter { sheet: sheet(), row, column: column_letters(column) });
        }
        // One long shared string may be named by every cell, so what is kept is counted as well.
        self.text_bytes = self.text_bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        if self.text_bytes > unpacked_bytes {
            return Err(SheetError::UnpackedTooLarge { limit: unpacked_bytes });
        }
        Ok(())
    }

    fn close_row(&mut self) -> Result<Flow, SheetError> {
        let Some(row) = self.open.take() else { return Ok(Flow::More) };
        self.closed = row.number;
        if self.header.is_some() {
            self.keep(row)?;
            return Ok(Flow::More);
        }
        self.head.push(row);
        if self.head.len() < HEADER_SEARCH || self.find_header()? { Ok(Flow::More) } else { Ok(Flow::Enough) }
    }

    fn keep(&mut self, mut row: Row) -> Result<(), SheetError> {
        if self.rows.len() >= self.limits.rows {
            return Err(SheetError::TooManyRows { sheet: self.sheet.clone(), limit: self.limits.rows });
        }
        let width = self.header.as_ref().map_or(0, |(header, _)| header.cells.len());
        if row.cells.len() < width {
            row.cells.resize(width, String::new());
        }
        self.rows.push(row);
        Ok(())
    }

    fn find_header(&mut self) -> Result<bool, SheetError> {
        let Some((index, found)) = self.titles.best(&self.head) else { return Ok(false) };
        if found.found() == 0 || !found.missing.is_empty() {
            return Ok(false);
        }
        let mut rest = self.head.split_off(index).into_iter();
        let Some(header) = rest.next() else { return Ok(false) };
        if let Some(column) = found.twice {
            return Err(SheetError::DuplicateHeader {
                sheet: self.sheet.clone(),
                row: header.number,
                column,
            });
        }
        self.above = std::mem::take(&mut self.head);
        self.header = Some((header, found));
        rest.try_for_each(|row| self.keep(row))?;
        Ok(true)
    }

    fn finish(mut self) -> Result<Outcome, SheetError> {
        self.close_row()?;
        if self.header.is_none() {
            self.find_header()?;
        }
        if let Some((header, found)) = self.header {
            return Ok(Outcome::Found(Table {
                sheet: self.sheet,
                header: header.cells,
                header_row: header.number,
                rows: self.rows,
                above: self.above,
                places: found.places,
            }));
        }
        Ok(match self.titles.best(&self.head) {
            Some((index, found)) => {
                let row = self.head.get(index).map_or(1, |row| row.number);
                Outcome::Missed { sheet: self.sheet, row, found }
            }
            None => Outcome::Blank,
        })
    }
}

/// Goes over the sheets of a workbook until one has the header, and remembers the closest miss.
#[derive(Default)]
pub(super) struct Search {
    closest: Option<(usize, SheetError)>,
}

impl Search {
    pub(super) fn offer(&mut self, sheet: Gather<'_>) -> Result<Option<Table>, SheetError> {
        match sheet.finish()? {
            Outcome::Found(table) => return Ok(Some(table)),
            Outcome::Missed { sheet, row, found } => {
                if self.closest.as_ref().is_none_or(|(most, _)| found.found() > *most) {
                    let missing = found.missing;
                    let count = found.places.len();
                    self.closest = Some((count, SheetError::MissingColumns { sheet, row, missing }));
                }
            }
            Outcome::Blank => {}
        }
        Ok(None)
    }

    pub(super) fn refusal(self) -> SheetError {
        self.closest.map_or(SheetError::Empty, |(_, error)| error)
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{200b}'))
}

/// 0 is `A`, 25 `Z`, 26 `AA`.
pub(super) fn column_letters(column: usize) -> String {
    let mut rest = Some(column);
    let mut letters = Vec::new();
    while let Some(number) = rest {
        letters.push(char::from(b'A'.saturating_add(u8::try_from(number % 26).unwrap_or(0))));
        rest = (number / 26).checked_sub(1);
    }
    letters.iter().rev().collect()
}
