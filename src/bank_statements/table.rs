//! Reads the tables that banks export, csv and xlsx, into statements, by the [`Layout`] whose columns a file has. It must
//! never guess on which side an amount stands: a row that does not say so is refused.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::file::Parsed;
use super::layouts::{Direction, LAYOUTS, Layout};
use super::rules::{self, Amount, Currency, Line, Statement};
use crate::clock;
use crate::sheet::{BadCell, Limits, Row, SheetError, Table, parse_date};

/// What an own account above a table may be at most.
const ACCOUNT_CHARS_MAX: usize = 100;

/// What a row of the table is.
enum Kind {
    Line(Currency, Line),
    /// Says what others sum to.
    Totals(StatedSums),
    /// Moved no money, and why.
    LeftOut(String),
}

/// What a row of totals states, where it can be read.
#[derive(Clone, Copy, Debug, Default)]
struct StatedSums {
    incoming: Option<i64>,
    outgoing: Option<i64>,
}

/// The first table of the file that has the columns of a layout.
pub fn read(bytes: &[u8], format: &'static str, limits: &Limits) -> Result<Parsed, SheetError> {
    let columns = LAYOUTS.map(|layout| layout.columns);
    let (place, table) = Table::read_any(bytes, &columns, limits)?;
    let layout = LAYOUTS.get(place).copied().ok_or(SheetError::Empty)?;
    let mut parsed = Parsed { sheet: table.sheet.clone(), ..Parsed::default() };
    let mut lines: Vec<(Currency, Line)> = Vec::new();
    let mut totals = Vec::new();
    for row in &table.rows {
        match read_row(layout, &table, row) {
            Ok(Kind::Line(currency, line)) => lines.push((currency, line)),
            Ok(Kind::LeftOut(why)) => parsed.leave_out(why),
            Ok(Kind::Totals(stated)) => totals.push((row.number, stated)),
            Err(bad) => parsed.refused.push(bad),
        }
    }
    parsed.statements = by_currency(layout, &table, format, lines);
    if parsed.refused.is_empty() {
        match read_balances(layout, &table, &mut parsed.statements) {
            Ok(()) if parsed.statements.is_empty() => parsed.refused.push(no_line(&table)),
            Ok(()) => compare_totals(&totals, &mut parsed),
            Err(bad) => parsed.refused.push(bad),
        }
    }
    Ok(parsed)
}

/// A statement per currency, in the order in which the currencies appear: an account of several has as many.
fn by_currency(
    layout: &Layout,
    table: &Table,
    format: &'static str,
    lines: Vec<(Currency, Line)>,
) -> Vec<Statement> {
    let account = labelled(table, layout.account).map(|(_, text)| text).filter(|text| !text.is_empty());
    let account = account.map(|text| text.chars().take(ACCOUNT_CHARS_MAX).collect::<String>());
    let mut statements: Vec<Statement> = Vec::new();
    for (currency, line) in lines {
        let day = line.booked_on;
        match statements.iter_mut().find(|statement| statement.currency == currency) {
            Some(statement) => {
                statement.from_on = statement.from_on.min(day);
                statement.to_on = statement.to_on.max(day);
                statement.lines.push(line);
            }
            None => statements.push(Statement {
                bank: layout.bank.to_owned(),
                format,
                account: account.clone(),
                currency,
                from_on: day,
                to_on: day,
                opening: None,
                closing: None,
                lines: vec![line],
            }),
        }
    }
    statements
}

fn read_row(layout: &Layout, table: &Table, row: &Row) -> Result<Kind, BadCell> {
    let first = row.cells.iter().find(|cell| !cell.is_empty()).map_or("", String::as_str);
    if layout.totals.iter().any(|label| first.starts_with(label)) {
        return Ok(Kind::Totals(read_totals(layout, table, row)));
    }
    let status = table.get(row, "status");
    if !status.is_empty() && layout.not_booked.contains(&status) {
        return Ok(Kind::LeftOut(status.to_owned()));
    }
    let (booked_on, time) = read_moment(table, row)?;
    let currency = read_currency(table, row)?;
    let Some(amount_minor) = read_amount(layout, table, row, currency)? else {
        return Ok(Kind::LeftOut(table.get(row, "direction").to_owned()));
    };
    let (payer_name, payer_account) = read_party(table, row);
    let line = Line {
        row: row.number,
        amount_minor,
        booked_on,
        booked_at: time.and_then(|time| moment(booked_on, time)),
        value_on: None,
        payer_name,
        payer_account,
        remark: read_remark(table, row),
        bank_reference: rules::some(table.get(row, "reference")),
        balance_minor: read_balance(table, row, currency)?,
    };
    Ok(Kind::Line(currency, line))
}

/// The day, and the time of day behind it or in its own column.
fn read_moment(table: &Table, row: &Row) -> Result<(NaiveDate, Option<NaiveTime>), BadCell> {
    let text = table.get(row, "booked_on");
    let (day, time) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let day = parse_date(day)
        .ok_or_else(|| table.bad_cell(row, "booked_on", "write a day of the calendar, such as 2027-03-20"))?;
    let (key, time) = match time.trim() {
        "" => ("booked_time", table.get(row, "booked_time")),
        behind => ("booked_on", behind),
    };
    if rules::some(time).is_none() {
        return Ok((day, None));
    }
    let read = ["%H:%M:%S", "%H:%M", "%H%M%S"]
        .into_iter()
        .find_map(|form| NaiveTime::parse_from_str(time, form).ok());
    let read = read.ok_or_else(|| table.bad_cell(row, key, "write a time of day, such as 13:15:12"))?;
    Ok((day, Some(read)))
}

/// Banks write the time of Shanghai.
fn moment(day: NaiveDate, time: NaiveTime) -> Option<DateTime<Utc>> {
    clock::day_start(day)?.checked_add_signed(time.signed_duration_since(NaiveTime::MIN))
}

fn read_currency(table: &Table, row: &Row) -> Result<Currency, BadCell> {
    match rules::some(table.get(row, "currency")) {
        None => Ok(Currency::CNY),
        Some(text) => Currency::parse(&text)
            .ok_or_else(|| table.bad_cell(row, "currency", "write a currency, such as CNY or 人民币")),
    }
}

/// In minor units, above zero for what came in; nothing for a row that says it is neither.
fn read_amount(
    layout: &Layout,
    table: &Table,
    row: &Row,
    currency: Currency,
) -> Result<Option<i64>, BadCell> {
    let figure = |key: &'static str| -> Result<Option<i64>, BadCell> {
        let Some(text) = rules::some(table.get(row, key)) else { return Ok(None) };
        let amount = Amount::parse(&text, currency);
        amount.map(|amount| Some(amount.minor)).map_err(|error| table.bad_cell(row, key, error.to_string()))
    };
    let needed =
        |key: &'static str| figure(key)?.ok_or_else(|| table.bad_cell(row, key, "the amount is missing"));
    match layout.direction {
        Direction::Signed => needed("amount").map(Some),
        Direction::TwoColumns => match (figure("in")?, figure("out")?) {
            (Some(amount), None | Some(0)) => Ok(Some(amount)),
            (None | Some(0), Some(amount)) => Ok(Some(amount.saturating_neg())),
            (Some(_), Some(_)) => {
                Err(table.bad_cell(row, "out", "both sides are filled; a row moves money one way"))
            }
            (None, None) => Err(table.bad_cell(row, "in", "neither side is filled")),
        },
        Direction::Words { incoming, outgoing, neither } => {
            let word = table.get(row, "direction");
            let is_one_of = |words: &[&str]| words.iter().any(|known| word.starts_with(known));
            if is_one_of(neither) {
                Ok(None)
            } else if is_one_of(incoming) {
                needed("amount").map(Some)
            } else if is_one_of(outgoing) {
                needed("amount").map(|amount| Some(amount.saturating_neg()))
            } else {
                let known: Vec<&str> = [incoming, outgoing, neither].concat();
                let reason = format!("begin it with one of {}", known.join(", "));
                Err(table.bad_cell(row, "direction", reason))
            }
        }
    }
}

/// Some banks' exports mask balances (`xx,yyyy.zz`), which then say nothing.
fn read_balance(table: &Table, row: &Row, currency: Currency) -> Result<Option<i64>, BadCell> {
    let Some(text) = rules::some(table.get(row, "balance")) else { return Ok(None) };
    if text.chars().all(|letter| matches!(letter, 'x' | 'y' | 'z' | 'X' | '*' | ',' | '.')) {
        return Ok(None);
    }
    let amount = Amount::parse(&text, currency);
    amount.map(|amount| Some(amount.minor)).map_err(|error| table.bad_cell(row, "balance", error.to_string()))
}

fn read_party(table: &Table, row: &Row) -> (Option<String>, Option<String>) {
    let (name, account) = match rules::some(table.get(row, "party")) {
        Some(both) => rules::name_and_account(&both),
        None => (rules::some(table.get(row, "name")), rules::some(table.get(row, "account"))),
    };
    (name.map(|name| rules::without_cards(&name)), account)
}

/// What stands in the columns of remarks, each text once.
fn read_remark(table: &Table, row: &Row) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in
        ["remark", "remark_2", "remark_3"].into_iter().filter_map(|key| rules::some(table.get(row, key)))
    {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let joined: String = texts.join(" ").chars().take(rules::TEXT_CHARS_MAX).collect();
    rules::without_cards(&joined)
}

fn read_totals(layout: &Layout, table: &Table, row: &Row) -> StatedSums {
    if !matches!(layout.direction, Direction::TwoColumns) {
        return StatedSums::default();
    }
    let figure = |key| Amount::parse(table.get(row, key), Currency::CNY).ok().map(|amount| amount.minor);
    StatedSums { incoming: figure("in"), outgoing: figure("out") }
}

/// A row of totals is no balance, and exports of a part of an account state those of the whole: told, not refused.
fn compare_totals(totals: &[(usize, StatedSums)], parsed: &mut Parsed) {
    let [statement] = parsed.statements.as_slice() else { return };
    let (Some(sums), currency) = (statement.totals(), statement.currency) else { return };
    for (row, stated) in totals {
        let sides = [("in", stated.incoming, sums.in_minor), ("out", stated.outgoing, sums.out_minor)];
        for (side, stated, summed) in sides {
            if let Some(stated) = stated.filter(|stated| *stated != summed) {
                let (stated, summed) = (Amount::new(stated, currency), Amount::new(summed, currency));
                parsed.notes.push(format!(
                    "row {row} states {stated} {currency} {side} in total; the lines of the file sum to {summed}"
                ));
            }
        }
    }
}

/// Opening and closing balance above the table, for an account of one currency.
fn read_balances(layout: &Layout, table: &Table, statements: &mut [Statement]) -> Result<(), BadCell> {
    let [statement] = statements else { return Ok(()) };
    let currency = statement.currency;
    let read = |labels: &[&str]| -> Result<Option<Amount>, BadCell> {
        let Some((row, text)) = labelled(table, labels) else { return Ok(None) };
        let amount = Amount::parse(&text, currency).map_err(|error| BadCell {
            sheet: table.sheet.clone(),
            row,
            column: labels.first().copied().unwrap_or_default().to_owned(),
            value: text,
            reason: error.to_string(),
        })?;
        Ok(Some(amount))
    };
    statement.opening = read(layout.opening)?;
    statement.closing = read(layout.closing)?;
    Ok(())
}

/// What stands behind one of the labels above the table, in the same cell or the next: `卡号: 1234****9876`.
fn labelled(table: &Table, labels: &[&str]) -> Option<(usize, String)> {
    for row in &table.above {
        for (place, cell) in row.cells.iter().enumerate() {
            for label in labels {
                let Some(rest) = cell.strip_prefix(label) else { continue };
                let rest = rest.trim_start();
                let value = rest.strip_prefix([':', '：']).map(str::trim);
                match value {
                    Some(value) if !value.is_empty() => return Some((row.number, value.to_owned())),
                    None if !rest.is_empty() => {}
                    _ => {
                        let next =
                            row.cells.iter().skip(place.saturating_add(1)).find(|next| !next.is_empty());
                        return next.map(|next| (row.number, next.clone()));
                    }
                }
            }
        }
    }
    None
}

fn no_line(table: &Table) -> BadCell {
    BadCell {
        sheet: table.sheet.clone(),
        row: table.header_row,
        column: String::new(),
        value: String::new(),
        reason: "no row below the header moved money".to_owned(),
    }
}
