//! The form in which people hand payments to a bank, as a workbook and as csv: a row for every payout. Accounts are text in
//! both, as a spreadsheet's numbers keep 15 digits only; no cell is ever run as a formula.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::{Line, Order};
use crate::refusal::{Failure, Outcome};
use crate::sheet::table::{Cell, guarded};

/// What a payment is for, as the household reads it on its statement.
pub const PURPOSE: &str = "助销货款";

const TITLES: [&str; 7] = ["序号", "付款账号", "收款户名", "收款账号", "金额(元)", "用途", "业务参考号"];

/// The columns that hold numbers.
const NUMBERED: [usize; 2] = [0, 4];

/// UTF-8 with its mark, so that spreadsheet programs show Chinese; every cell quoted, RFC 4180 line ends.
pub fn csv_head() -> Outcome<Vec<u8>> {
    let mut head = "\u{feff}".as_bytes().to_vec();
    head.extend(csv_text(std::iter::once(TITLES.map(str::to_owned)))?);
    Ok(head)
}

/// The rows of payouts, of which so many were written before.
pub fn csv_lines(order: &Order, lines: &[Line], written: usize) -> Outcome<Vec<u8>> {
    let rows = (written.saturating_add(1)..)
        .zip(lines)
        .map(|(number, line)| cells(order, line, number).map(|cell| guarded(&cell)));
    csv_text(rows)
}

fn csv_text(rows: impl Iterator<Item = [String; 7]>) -> Outcome<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|error| Failure::Broken(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| Failure::Broken(error.to_string()))
}

fn cells(order: &Order, line: &Line, number: usize) -> [Cell; 7] {
    [
        Cell::Number(i64::try_from(number).unwrap_or(i64::MAX)),
        Cell::Text(order.debtor.account.clone()),
        Cell::Text(line.name.clone()),
        Cell::Text(line.account.clone()),
        Cell::Yuan(line.amount.get()),
        Cell::Text(format!("{PURPOSE} {}", order.batch.number)),
        Cell::Text(line.end_to_end_id.clone()),
    ]
}

/// A workbook under way: the rows on one sheet, payer and totals on another.
pub struct Book {
    rows: Worksheet,
    text: Format,
    yuan: Format,
    written: usize,
}

/// What stands beside the rows.
pub struct Totals {
    facts: [(&'static str, String); 7],
    made_at: chrono::DateTime<chrono::Utc>,
}

impl Totals {
    pub fn of(order: &Order) -> Self {
        let (batch, debtor) = (&order.batch, &order.debtor);
        let facts = [
            ("批次号", batch.number.clone()),
            ("付款户名", debtor.name.clone()),
            ("付款账号", debtor.account.clone()),
            ("付款行", debtor.bank.clone()),
            ("笔数", batch.payout_count.to_string()),
            ("总金额(元)", batch.amount.to_string()),
            ("日期", order.day().to_string()),
        ];
        Self { facts, made_at: order.approved.at }
    }
}

impl Book {
    pub fn begin() -> Outcome<Self> {
        let mut rows = Worksheet::new();
        let header = Format::new().set_bold();
        (|| {
            rows.set_name("明细")?.set_freeze_panes(1, 0)?;
            for (place, title) in (0_u16..).zip(TITLES) {
                rows.set_column_width(place, 22)?.write_string_with_format(0, place, title, &header)?;
            }
            Ok(())
        })()
        .map_err(broken)?;
        // The format of text keeps a spreadsheet program from reading an account as a number when a cell is edited.
        let (text, yuan) = (Format::new().set_num_format("@"), Format::new().set_num_format("0.00"));
        Ok(Self { rows, text, yuan, written: 0 })
    }

    pub fn add(&mut self, order: &Order, lines: &[Line]) -> Outcome<()> {
        for line in lines {
            self.written = self.written.saturating_add(1);
            let row = u32::try_from(self.written).map_err(|_| Failure::Broken("too many rows".to_owned()))?;
            self.add_row(row, &cells(order, line, self.written)).map_err(broken)?;
        }
        Ok(())
    }

    fn add_row(&mut self, row: u32, cells: &[Cell; 7]) -> Result<(), XlsxError> {
        for ((place, cell), column) in (0_usize..).zip(cells).zip(0_u16..) {
            match cell.as_float().filter(|_| NUMBERED.contains(&place)) {
                Some(number) if place == 0 => self.rows.write_number(row, column, number)?,
                Some(number) => self.rows.write_number_with_format(row, column, number, &self.yuan)?,
                None => self.rows.write_string_with_format(row, column, cell.shown(), &self.text)?,
            };
        }
        Ok(())
    }

    /// The bytes of the workbook: the same for the same rows, whenever it is written.
    pub fn finish(self, totals: &Totals) -> Outcome<Vec<u8>> {
        self.finish_book(totals).map_err(broken)
    }

    fn finish_book(self, totals: &Totals) -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        let made_at = ExcelDateTime::from_timestamp(totals.made_at.timestamp())?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&made_at));
        book.push_worksheet(self.rows);
        let sheet = book.add_worksheet();
        sheet.set_name("汇总")?.set_column_width(1, 40)?;
        for (row, (title, value)) in (0_u32..).zip(&totals.facts) {
            sheet.write_string(row, 0, *title)?.write_string_with_format(row, 1, value, &self.text)?;
        }
        book.save_to_buffer()
    }
}

fn broken(error: XlsxError) -> Failure {
    Failure::Broken(error.to_string())
}
