//! Reads camt.053.001.02 and .08 (ISO 20022, bank to customer statement) into statements. It reads one child of a
//! statement at a time, so that the memory it takes does not grow with the file, and it must never follow an entity or a
//! document type: a file that declares one is refused.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::file::Parsed;
use super::rules::{self, Amount, Currency, Line, Statement};
use super::xml::{Fault, Node, Step, Walk};
use crate::clock;
use crate::sheet::BadCell;

/// Namespaces of the versions that are read, and what the version is called.
const VERSIONS: [(&str, &str); 2] = [
    ("urn:iso:std:iso:20022:tech:xsd:camt.053.001.02", "camt.053.001.02"),
    ("urn:iso:std:iso:20022:tech:xsd:camt.053.001.08", "camt.053.001.08"),
];

/// Where the parts of a statement stand, from the root.
const MESSAGE: &str = "BkToCstmrStmt";

/// A statement that is being read.
#[derive(Debug)]
struct Open {
    line: usize,
    parts: HashMap<&'static str, Node>,
    balances: Vec<Node>,
    currency: Option<Currency>,
    lines: Vec<Line>,
}

/// Everything the text holds; what cannot be read is named by its line and element.
pub fn read(text: &str, lines_max: usize) -> Parsed {
    let mut parsed = Parsed { sheet: "xml".to_owned(), ..Parsed::default() };
    if let Err(fault) = read_into(text, lines_max, &mut parsed) {
        parsed.refused.push(cell(fault));
    }
    parsed
}

fn read_into(text: &str, lines_max: usize, parsed: &mut Parsed) -> Result<(), Fault> {
    let mut walk = Walk::new(text);
    let format = open_document(&mut walk)?;
    let mut message = None;
    let mut statement: Option<Open> = None;
    let mut left = lines_max;
    // The statement is the third level, its children the fourth.
    while let Some(step) = walk.next(3)? {
        match step {
            Step::Opened { level: 2, name, line } if name == MESSAGE => message = Some(line),
            Step::Opened { level: 2, name, line } => {
                return Err(Fault::new(line, name, "", "a camt.053 file holds BkToCstmrStmt"));
            }
            Step::Opened { level: 3, name, line } if name == "Stmt" => statement = Some(Open::at(line)),
            Step::Child(node) => {
                if let Some(open) = &mut statement {
                    take(open, node, &mut left, parsed);
                }
            }
            Step::Closed { level: 3 } => {
                if let Some(open) = statement.take() {
                    match open.finish(format) {
                        Ok(statement) => parsed.statements.push(statement),
                        Err(fault) => parsed.refused.push(cell(fault)),
                    }
                }
            }
            Step::Opened { .. } | Step::Closed { .. } => {}
        }
    }
    let line = message.unwrap_or(1);
    if message.is_none() {
        return Err(Fault::new(line, "Document", "", "BkToCstmrStmt is missing"));
    }
    if parsed.statements.is_empty() && parsed.refused.is_empty() {
        return Err(Fault::new(line, MESSAGE, "", "it holds no statement: Stmt is missing"));
    }
    Ok(())
}

/// The version, by the namespace of the root.
fn open_document(walk: &mut Walk<'_>) -> Result<&'static str, Fault> {
    let (name, namespace, line) = walk.root()?;
    let known = VERSIONS.iter().find(|(known, _)| *known == namespace);
    match known {
        Some((_, format)) if name == "Document" => Ok(format),
        _ => {
            let reason = "write a Document of camt.053.001.02 or camt.053.001.08, or send the statement as csv or xlsx";
            Err(Fault::new(line, name, namespace, reason))
        }
    }
}

/// Takes one child of a statement.
fn take(open: &mut Open, node: Node, left: &mut usize, parsed: &mut Parsed) {
    match node.name.as_str() {
        "Ntry" => {
            let Some(one_less) = left.checked_sub(1) else {
                // Told once: the reading goes on only to find where the file ends.
                if parsed.refused.iter().all(|bad| bad.column != "Ntry") {
                    let reason =
                        format!("the file has more than {} entries; split it", super::file::LINES_MAX);
                    parsed.refused.push(cell(Fault::new(node.line, "Ntry", "", reason)));
                }
                return;
            };
            *left = one_less;
            match open.entry(&node) {
                Ok(Some(line)) => open.lines.push(line),
                Ok(None) => parsed.leave_out(status(&node).to_owned()),
                Err(fault) => parsed.refused.push(cell(fault)),
            }
        }
        "Bal" => open.balances.push(node),
        "Acct" => drop(open.parts.insert("Acct", node)),
        "FrToDt" => drop(open.parts.insert("FrToDt", node)),
        "CreDtTm" => drop(open.parts.insert("CreDtTm", node)),
        _ => {}
    }
}

impl Open {
    fn at(line: usize) -> Self {
        Self { line, parts: HashMap::new(), balances: Vec::new(), currency: None, lines: Vec::new() }
    }

    /// A booked entry as a line; nothing for one that is only announced.
    fn entry(&mut self, entry: &Node) -> Result<Option<Line>, Fault> {
        let is_booked = match status(entry) {
            "BOOK" => true,
            "" => return Err(entry.fault("Sts", "the status is missing")),
            _ => false,
        };
        if !is_booked {
            return Ok(None);
        }
        let amount = signed_amount(entry)?;
        let currency = *self.currency.get_or_insert(amount.currency);
        if currency != amount.currency {
            return Err(entry.fault("Amt", format!("an account is kept in one currency, here {currency}")));
        }
        let (booked, value) = (entry.child("BookgDt"), entry.child("ValDt"));
        let value_on = value.map(moment).transpose()?.map(|(day, _)| day);
        let (booked_on, booked_at) = match booked {
            Some(booked) => moment(booked)?,
            None => (value_on.ok_or_else(|| entry.fault("BookgDt", "the booking date is missing"))?, None),
        };
        let details: Vec<&Node> = entry.all("NtryDtls").flat_map(|details| details.all("TxDtls")).collect();
        let (payer_name, payer_account) = match details.as_slice() {
            [one] => party(one, amount.minor >= 0),
            _ => (None, None),
        };
        Ok(Some(Line {
            row: entry.line,
            amount_minor: amount.minor,
            booked_on,
            booked_at,
            value_on,
            payer_name,
            payer_account,
            remark: remark(entry, &details),
            bank_reference: reference(entry, &details),
            balance_minor: None,
        }))
    }

    fn finish(mut self, format: &'static str) -> Result<Statement, Fault> {
        let missing =
            |name: &str, what: &str| Fault::new(self.line, "Stmt", "", format!("{name} ({what}) is missing"));
        let account = self.parts.get("Acct").ok_or_else(|| missing("Acct", "the account"))?;
        let number = account.text_at(&["Id", "IBAN"]).or_else(|| account.text_at(&["Id", "Othr", "Id"]));
        let number = number.ok_or_else(|| account.fault("Id", "the number of the account is missing"))?;
        if self.balances.is_empty() {
            return Err(missing("Bal", "a balance"));
        }
        let stated = account.child("Ccy").map(|ccy| {
            Currency::parse(&ccy.text).ok_or_else(|| ccy.fault("", "write a currency, such as CNY"))
        });
        let stated = stated.transpose()?;
        if let (Some(stated), Some(of_lines)) = (stated, self.currency)
            && stated != of_lines
        {
            return Err(
                account.fault("Ccy", format!("the account is kept in {stated}, its entries in {of_lines}"))
            );
        }
        let opening = self.balance(&["OPBD", "PRCD"])?;
        let closing = self.balance(&["CLBD"])?;
        let currency = stated.or(self.currency).or(opening.map(|(amount, _)| amount.currency));
        let currency = currency.or(closing.map(|(amount, _)| amount.currency));
        let currency = currency.ok_or_else(|| missing("Ccy", "the currency of the account"))?;
        let (from_on, to_on) = self.period(closing.map(|(_, day)| day))?;
        Ok(Statement {
            bank: bank(account),
            format,
            account: Some(number.to_owned()),
            currency,
            from_on,
            to_on,
            opening: opening.map(|(amount, _)| amount),
            closing: closing.map(|(amount, _)| amount),
            lines: std::mem::take(&mut self.lines),
        })
    }

    /// The first balance of the first of these types that the statement has, with its day.
    fn balance(&self, types: &[&str]) -> Result<Option<(Amount, NaiveDate)>, Fault> {
        let of = |wanted: &&str| {
            self.balances.iter().find(|one| one.text_at(&["Tp", "CdOrPrtry", "Cd"]) == Some(*wanted))
        };
        let Some(balance) = types.iter().find_map(of) else { return Ok(None) };
        let amount = signed_amount(balance)?;
        let day = balance.child("Dt").ok_or_else(|| balance.fault("Dt", "the day is missing"))?;
        Ok(Some((amount, moment(day)?.0)))
    }

    /// The days of the lines; without lines the stated period, the day of the closing balance, or that of the file.
    fn period(&self, closing: Option<NaiveDate>) -> Result<(NaiveDate, NaiveDate), Fault> {
        let days = || self.lines.iter().map(|line| line.booked_on);
        if let Some(both) = days().min().zip(days().max()) {
            return Ok(both);
        }
        let bound = |name: &str| {
            let node = self.parts.get("FrToDt").and_then(|period| period.child(name));
            node.map(day_of).transpose()
        };
        if let Some((from, to)) = bound("FrDtTm")?.zip(bound("ToDtTm")?).filter(|(from, to)| from <= to) {
            return Ok((from, to));
        }
        let made = self.parts.get("CreDtTm").map(day_of).transpose()?;
        let day = closing.or(made);
        day.map(|day| (day, day))
            .ok_or_else(|| Fault::new(self.line, "Stmt", "", "it names no day: CreDtTm is missing"))
    }
}

/// `BOOK`, `PDNG` or `INFO`: in version 2 the text itself, in version 8 a code below it.
fn status(entry: &Node) -> &str {
    let status = entry.child("Sts");
    status.map_or("", |status| status.text_at(&["Cd"]).unwrap_or(status.text.trim()))
}

/// An amount with its currency, below zero for a debit.
fn signed_amount(of: &Node) -> Result<Amount, Fault> {
    let node = of.child("Amt").ok_or_else(|| of.fault("Amt", "the amount is missing"))?;
    let currency = node.currency.as_deref().and_then(Currency::parse);
    let currency = currency.ok_or_else(|| node.fault("", "its attribute Ccy must name a currency"))?;
    let text = node.text.trim();
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(node.fault("", "write an amount such as 1234.00, its side in CdtDbtInd"));
    }
    let amount = Amount::parse(text, currency).map_err(|error| node.fault("", error.to_string()))?;
    match of.text_at(&["CdtDbtInd"]) {
        Some("CRDT") => Ok(amount),
        Some("DBIT") => Ok(Amount::new(amount.minor.saturating_neg(), currency)),
        _ => Err(of.fault("CdtDbtInd", "write CRDT or DBIT")),
    }
}

/// The day that stands below a choice of `Dt` and `DtTm`, and the moment when it is one.
fn moment(choice: &Node) -> Result<(NaiveDate, Option<DateTime<Utc>>), Fault> {
    if let Some(date) = choice.child("Dt") {
        return Ok((day_of(date)?, None));
    }
    let node = choice.child("DtTm").ok_or_else(|| choice.fault("", "Dt or DtTm is missing"))?;
    let (day, text) = (day_of(node)?, node.text.trim());
    let at = match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Some(at.to_utc()),
        // Without an offset it is the time of the bank, which is that of Shanghai.
        Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().and_then(|local| {
            clock::day_start(local.date())?.checked_add_signed(local.time() - chrono::NaiveTime::MIN)
        }),
    };
    let at = at.ok_or_else(|| node.fault("", "write a moment such as 2027-03-20T13:15:00+08:00"))?;
    Ok((day, DateTime::from_timestamp_micros(at.timestamp_micros())))
}

/// The day as it is written, whatever the offset behind it.
fn day_of(node: &Node) -> Result<NaiveDate, Fault> {
    let day = node.text.trim().get(..10).and_then(|day| day.parse().ok());
    day.ok_or_else(|| node.fault("", "write a day such as 2027-03-20"))
}

/// Who paid what came in, who was paid what went out. Version 8 puts the name one level deeper.
fn party(details: &Node, is_incoming: bool) -> (Option<String>, Option<String>) {
    let (who, account) = if is_incoming { ("Dbtr", "DbtrAcct") } else { ("Cdtr", "CdtrAcct") };
    let Some(parties) = details.child("RltdPties") else { return (None, None) };
    let name = parties.text_at(&[who, "Nm"]).or_else(|| parties.text_at(&[who, "Pty", "Nm"]));
    let number =
        parties.text_at(&[account, "Id", "IBAN"]).or_else(|| parties.text_at(&[account, "Id", "Othr", "Id"]));
    (name.and_then(rules::some).map(|name| rules::without_cards(&name)), number.and_then(rules::some))
}

/// What the payer wrote, free or structured, the payer's own reference, and what the bank added.
fn remark(entry: &Node, details: &[&Node]) -> String {
    let mut texts: Vec<&str> = Vec::new();
    for one in details {
        for written in one.all("RmtInf") {
            texts.extend(written.all("Ustrd").map(|text| text.text.trim()));
            texts.extend(written.all("Strd").filter_map(|strd| strd.text_at(&["CdtrRefInf", "Ref"])));
        }
        texts.extend(one.text_at(&["Refs", "EndToEndId"]).filter(|id| *id != "NOTPROVIDED"));
        texts.extend(one.text_at(&["AddtlTxInf"]));
    }
    texts.extend(entry.text_at(&["AddtlNtryInf"]));
    texts.retain(|text| !text.is_empty());
    let joined: String = texts.join(" ").chars().take(rules::TEXT_CHARS_MAX).collect();
    rules::without_cards(&joined)
}

/// The bank's own reference of the entry, or the closest to it that there is.
fn reference(entry: &Node, details: &[&Node]) -> Option<String> {
    let first = details.first();
    let of_details = |path: &[&str]| first.and_then(|one| one.text_at(path));
    let text = entry
        .text_at(&["AcctSvcrRef"])
        .or_else(|| of_details(&["Refs", "AcctSvcrRef"]))
        .or_else(|| entry.text_at(&["NtryRef"]))
        .or_else(|| of_details(&["Refs", "TxId"]))
        .or_else(|| of_details(&["Refs", "Prtry", "Ref"]));
    text.and_then(rules::some)
}

/// The servicer's identifier or name.
fn bank(account: &Node) -> String {
    let of = |name: &str| account.text_at(&["Svcr", "FinInstnId", name]);
    let text = of("BICFI").or_else(|| of("BIC")).or_else(|| of("Nm")).and_then(rules::some);
    text.unwrap_or_else(|| "unnamed".to_owned())
}

fn cell(fault: Fault) -> BadCell {
    BadCell {
        sheet: "xml".to_owned(),
        row: fault.line,
        column: fault.element,
        value: fault.value,
        reason: fault.reason,
    }
}
