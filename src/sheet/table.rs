//! A table as a file: csv for any program, xlsx with typed cells for people. Never a cell that a spreadsheet program
//! runs as a formula, except the sums of the last row of an xlsx file, which we write ourselves.

use chrono::{Datelike, NaiveDate};
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, Formula, Workbook, Worksheet, XlsxError};

use crate::money::Fen;
use crate::quantity::{Measure, show_base};
use crate::refusal::{Failure, Outcome};

/// Rows and columns that somebody downloads.
#[derive(Clone, Debug)]
pub struct Table {
    /// Of the file, without ending: ASCII letters, digits, `-` and `_`.
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// The last row, one cell per column; empty when there is none.
    pub total: Vec<Cell>,
}

/// What stands around a table in a workbook: rows above its header and below its total.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub above: Vec<Vec<Cell>>,
    pub below: Vec<Vec<Cell>>,
}

/// A column; the title is Chinese and names the unit.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    /// Whether the total is the sum of the cells above it.
    pub is_summed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Empty,
    Text(String),
    Number(i64),
    /// Fen, shown as yuan with two decimals.
    Yuan(i64),
    /// Grams, shown as kilos.
    Kilos(i64),
    /// Exact decimal text without the sign.
    Percent(String),
    Day(NaiveDate),
}

impl Cell {
    /// A text, or nothing.
    #[must_use]
    pub fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.to_owned()))
    }

    /// Whether people expect it at the right edge of its column.
    #[must_use]
    pub const fn is_figure(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Yuan(_) | Self::Kilos(_) | Self::Percent(_))
    }

    /// What a person reads, exact.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Percent(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Yuan(fen) => Fen::new(*fen).to_string(),
            Self::Kilos(grams) => show_base(*grams, Measure::Mass),
            Self::Day(day) => day.to_string(),
        }
    }

    /// The one place where a figure becomes a binary float, as the file format knows no other number: the float nearest to
    /// the exact decimal. `None` beyond the 15 digits a float keeps; such a figure is written as text rather than wrong.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        let shown = self.shown();
        let digits = shown.bytes().filter(u8::is_ascii_digit).count();
        if digits > 15 { None } else { shown.parse().ok() }
    }
}

impl Column {
    /// A column whose total, if any, is not the sum of its cells.
    #[must_use]
    pub const fn of(title: &'static str) -> Self {
        Self { title, is_summed: false }
    }

    /// A column that adds up.
    #[must_use]
    pub const fn summed(title: &'static str) -> Self {
        Self { title, is_summed: true }
    }
}

/// UTF-8 with its mark, so that spreadsheet programs show Chinese; RFC 4180 quoting and line ends.
pub fn csv(table: &Table) -> Outcome<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let written = (|| {
        writer.write_record(table.columns.iter().map(|column| column.title))?;
        for row in table.rows.iter().chain(Some(&table.total).filter(|total| !total.is_empty())) {
            writer.write_record(row.iter().map(guarded))?;
        }
        writer.flush().map_err(csv::Error::from)
    })();
    written.map_err(|error: csv::Error| Failure::Broken(error.to_string()))?;
    let bytes = writer.into_inner().map_err(|error| Failure::Broken(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(format!("\u{feff}{text}"))
}

/// A leading `'` makes spreadsheet programs take a text as text. Our own numbers need none, also negative ones.
#[must_use]
pub fn guarded(cell: &Cell) -> String {
    let shown = cell.shown();
    if matches!(cell, Cell::Text(_)) && is_risky(&shown) { format!("'{shown}") } else { shown }
}

/// Whether a spreadsheet program might run a text: a sign that begins a formula comes first, of either width, or after
/// nothing but blanks and marks that programs skip.
#[must_use]
pub fn is_risky(text: &str) -> bool {
    let is_skipped = |letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || matches!(letter, '\u{feff}' | '\u{200b}'..='\u{200f}')
    };
    let begins_formula = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    text.starts_with(['\t', '\r', '\n']) || text.trim_start_matches(is_skipped).starts_with(begins_formula)
}

/// A workbook of one sheet with a frozen header; summed columns end in a formula whose stored result is our own total.
pub fn xlsx(table: &Table) -> Outcome<Vec<u8>> {
    xlsx_within(table, &Frame::default())
}

/// The same with rows above and below the table; those above are frozen with the header.
pub fn xlsx_within(table: &Table, frame: &Frame) -> Outcome<Vec<u8>> {
    write_xlsx(table, frame).map_err(|error| Failure::Broken(error.to_string()))
}

fn write_xlsx(table: &Table, frame: &Frame) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let formats = Formats::new();
    let header_row = write_rows(sheet, 0, &frame.above, &formats)?;
    let header = Format::new().set_bold().set_align(FormatAlign::Center);
    let first_row = header_row.saturating_add(1);
    sheet.set_freeze_panes(first_row, 0)?;
    for (place, column) in (0_u16..).zip(&table.columns) {
        sheet.set_column_width(place, 18)?;
        sheet.write_string_with_format(header_row, place, column.title, &header)?;
    }
    let total_row = write_rows(sheet, first_row, &table.rows, &formats)?;
    write_total(sheet, table, (first_row, total_row), &formats)?;
    let after_total = if table.total.is_empty() { total_row } else { total_row.saturating_add(1) };
    write_rows(sheet, after_total, &frame.below, &formats)?;
    workbook.save_to_buffer()
}

/// Writes rows from `next_row` on and answers the row behind them.
fn write_rows(
    sheet: &mut Worksheet,
    mut next_row: u32,
    rows: &[Vec<Cell>],
    formats: &Formats,
) -> Result<u32, XlsxError> {
    for row in rows {
        for (place, cell) in (0_u16..).zip(row) {
            write_cell(sheet, (next_row, place), cell, formats)?;
        }
        next_row = next_row.saturating_add(1);
    }
    Ok(next_row)
}

/// Sums over the rows from the first one to the one before the total. Rows count from 0 here and from 1 in a formula.
fn write_total(
    sheet: &mut Worksheet,
    table: &Table,
    (first_row, total_row): (u32, u32),
    formats: &Formats,
) -> Result<(), XlsxError> {
    for ((place, cell), column) in (0_u16..).zip(&table.total).zip(&table.columns) {
        if column.is_summed && total_row > first_row {
            let letter = rust_xlsxwriter::utility::column_number_to_name(place);
            let first = first_row.saturating_add(1);
            let sum =
                Formula::new(format!("=SUM({letter}{first}:{letter}{total_row})")).set_result(cell.shown());
            sheet.write_formula_with_format(total_row, place, sum, formats.of(cell))?;
        } else {
            write_cell(sheet, (total_row, place), cell, formats)?;
        }
    }
    Ok(())
}

struct Formats {
    plain: Format,
    whole: Format,
    yuan: Format,
    day: Format,
}

impl Formats {
    fn new() -> Self {
        Self {
            plain: Format::new(),
            whole: Format::new().set_num_format("0"),
            yuan: Format::new().set_num_format("0.00"),
            day: Format::new().set_num_format("yyyy-mm-dd"),
        }
    }

    const fn of(&self, cell: &Cell) -> &Format {
        match cell {
            Cell::Empty | Cell::Text(_) | Cell::Kilos(_) => &self.plain,
            Cell::Number(_) => &self.whole,
            Cell::Yuan(_) | Cell::Percent(_) => &self.yuan,
            Cell::Day(_) => &self.day,
        }
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    (row, place): (u32, u16),
    cell: &Cell,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            sheet.write_string(row, place, text)?;
        }
        Cell::Number(_) | Cell::Yuan(_) | Cell::Kilos(_) | Cell::Percent(_) => match cell.as_float() {
            Some(number) => {
                sheet.write_number_with_format(row, place, number, formats.of(cell))?;
            }
            None => {
                sheet.write_string(row, place, cell.shown())?;
            }
        },
        Cell::Day(day) => match as_serial_day(*day) {
            Some(serial) => {
                sheet.write_datetime_with_format(row, place, serial, formats.of(cell))?;
            }
            None => {
                sheet.write_string(row, place, cell.shown())?;
            }
        },
    }
    Ok(())
}

fn as_serial_day(day: NaiveDate) -> Option<ExcelDateTime> {
    let year = u16::try_from(day.year()).ok()?;
    ExcelDateTime::from_ymd(year, u8::try_from(day.month()).ok()?, u8::try_from(day.day()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: Vec<Vec<Cell>>, total: Vec<Cell>) -> Table {
        let columns = vec![Column::of("村"), Column::summed("销售额(元)")];
        Table { name: "test".to_owned(), columns, rows, total }
    }

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_guarded_and_a_negative_number_is_not() {
        let rows: Vec<Vec<Cell>> = ["=1+1", "+1", "-1", "@a", "\ta", "\ra", "a,\"b\""]
            .map(|text| vec![Cell::Text(text.to_owned()), Cell::Number(-3)])
            .into();
        let text = csv(&table(rows, vec![])).unwrap();
        assert!(
            text.starts_with(
                "\u{feff}村,销售额(元)\r\n'=1+1,-3\r\n'+1,-3\r\n'-1,-3\r\n'@a,-3\r\n'\ta,-3\r\n"
            )
        );
        assert!(text.ends_with("\"'\ra\",-3\r\n\"a,\"\"b\"\"\",-3\r\n"), "{text}");
    }

    #[test]
    fn a_figure_beyond_what_a_float_keeps_is_written_as_text() {
        assert_eq!(Cell::Yuan(123_456_789_012_345).as_float(), Some(1_234_567_890_123.45));
        assert_eq!(Cell::Yuan(1_234_567_890_123_456).as_float(), None);
    }
}
