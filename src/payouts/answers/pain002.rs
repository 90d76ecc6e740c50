//! ISO 20022 customer payment status report, `pain.002.001.10`. Read in one pass; no entity is expanded but those that XML
//! itself has, nesting is bounded, and whatever the report says besides is passed over.

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::rules::{Answer, Answers, Message, Told};
use super::{ROWS_MAX, Why, amount, named, refuse, status};
use crate::refusal::Refusal;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10";

/// Elements inside each other at most; the schema needs about twelve.
const DEPTH_MAX: usize = 40;

/// Bytes of one value at most.
const VALUE_BYTES_MAX: usize = 2_000;

/// A status and its reason.
#[derive(Clone, Default)]
struct Reported {
    status: String,
    why: Why,
}

/// A transfer as far as it is read.
#[derive(Default)]
struct Transfer {
    end_to_end_id: String,
    reported: Reported,
    amount: Option<String>,
}

/// A report as far as it is read.
#[derive(Default)]
struct Report {
    message: Message,
    group: Reported,
    payment: Reported,
    transfer: Transfer,
    transfers: usize,
    answers: Vec<Answer>,
}

pub fn read(bytes: &[u8]) -> Result<Answers, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("the report", "is not UTF-8"))?;
    let mut reader = NsReader::from_str(text);
    let mut report = Report::default();
    let (mut path, mut value) = (Vec::<String>::new(), String::new());
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| refuse("the report", error))?;
        match event {
            Event::Start(element) => {
                begin(&path, &namespace, &element)?;
                path.push(element.local_name().into_inner().to_owned());
                value.clear();
            }
            Event::Empty(element) => begin(&path, &namespace, &element)?,
            Event::Text(text) => value.push_str(&text.xml10_content()),
            Event::CData(text) => value.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => value.push_str(&resolved(&reference)?),
            Event::End(_) => {
                report.take(&path, value.trim())?;
                path.pop();
                value.clear();
            }
            Event::DocType(_) => {
                return Err(refuse("the report", "declares a document type; none is needed"));
            }
            Event::Eof if path.is_empty() => break,
            Event::Eof => return Err(refuse("the report", "breaks off before its end")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(refuse(&path.join("/"), "is too long"));
        }
    }
    report.finish()
}

/// Refuses what is no report, another currency than ours, and nesting without end.
fn begin(path: &[String], namespace: &ResolveResult<'_>, element: &BytesStart<'_>) -> Result<(), Refusal> {
    let name = element.local_name().into_inner();
    if path.is_empty() && (name != "Document" || *namespace != ResolveResult::Bound(Namespace(NAMESPACE))) {
        return Err(refuse("the file", "is not a pain.002.001.10 report"));
    }
    if path.len() >= DEPTH_MAX {
        return Err(refuse(&path.join("/"), "is nested too deep"));
    }
    if name == "InstdAmt" {
        let currency = element.try_get_attribute("Ccy").map_err(|error| refuse("InstdAmt", error))?;
        if currency.is_none_or(|currency| currency.value != "CNY") {
            return Err(refuse(&path.join("/"), "is not an amount in CNY"));
        }
    }
    Ok(())
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, Refusal> {
    let letter = reference.resolve_char_ref().map_err(|error| refuse("the report", error))?;
    let known = letter.map(String::from).or_else(|| resolve_predefined_entity(reference).map(str::to_owned));
    known
        .ok_or_else(|| refuse("the report", format_args!("uses &{};, which XML does not have", &**reference)))
}

impl Report {
    /// Takes the value of an element that ends. `path` leads to it.
    fn take(&mut self, path: &[String], value: &str) -> Result<(), Refusal> {
        let parts: Vec<&str> = path.iter().skip(2).map(String::as_str).collect();
        match parts.as_slice() {
            ["OrgnlGrpInfAndSts", "OrgnlMsgId"] => value.clone_into(&mut self.message.id),
            ["OrgnlGrpInfAndSts", "OrgnlNbOfTxs"] => self.message.count = Some(value.to_owned()),
            ["OrgnlGrpInfAndSts", "OrgnlCtrlSum"] => self.message.sum = Some(value.to_owned()),
            ["OrgnlGrpInfAndSts", "GrpSts"] => value.clone_into(&mut self.group.status),
            ["OrgnlGrpInfAndSts", "StsRsnInf", rest @ ..] => self.group.why.take(rest, value),
            ["OrgnlPmtInfAndSts", "PmtInfSts"] => value.clone_into(&mut self.payment.status),
            ["OrgnlPmtInfAndSts", "StsRsnInf", rest @ ..] => self.payment.why.take(rest, value),
            ["OrgnlPmtInfAndSts", "TxInfAndSts"] => self.answer()?,
            ["OrgnlPmtInfAndSts", "TxInfAndSts", rest @ ..] => self.transfer.take(rest, value),
            _ => {}
        }
        Ok(())
    }

    /// A transfer has ended. Without a status of its own it has that of its payment or of the group.
    fn answer(&mut self) -> Result<(), Refusal> {
        self.transfers = self.transfers.saturating_add(1);
        let place = format!("transaction {}", self.transfers);
        if self.transfers > ROWS_MAX {
            return Err(refuse(&place, format_args!("a report has at most {ROWS_MAX}; send it in parts")));
        }
        let transfer = std::mem::take(&mut self.transfer);
        let reports = [transfer.reported, self.payment.clone(), self.group.clone()];
        let reported = reports.into_iter().find(|reported| !reported.status.is_empty());
        let Reported { status: code, why } = reported.ok_or_else(|| refuse(&place, "has no status"))?;
        self.answers.push(Answer {
            payout_id: named(&place, &transfer.end_to_end_id)?,
            told: status(&place, &code, why)?,
            amount: transfer.amount.map(|text| amount(&place, &text)).transpose()?,
            place,
        });
        Ok(())
    }

    fn finish(self) -> Result<Answers, Refusal> {
        if self.message.id.is_empty() {
            return Err(refuse("the report", "does not say which message it answers (OrgnlMsgId)"));
        }
        let others = if self.answers.is_empty() { self.told_of_all()? } else { None };
        Ok(Answers { message: Some(self.message), answers: self.answers, others })
    }

    /// A status of the whole, when no transfer is named.
    fn told_of_all(&self) -> Result<Option<Told>, Refusal> {
        let reported = [&self.payment, &self.group].into_iter().find(|reported| !reported.status.is_empty());
        match reported {
            None => Err(refuse("the report", "has no status")),
            Some(reported) if reported.status == "PART" => Ok(None),
            Some(reported) => status("the group", &reported.status, reported.why.clone()).map(Some),
        }
    }
}

impl Transfer {
    fn take(&mut self, parts: &[&str], value: &str) {
        match parts {
            ["OrgnlEndToEndId"] => value.clone_into(&mut self.end_to_end_id),
            ["TxSts"] => value.clone_into(&mut self.reported.status),
            ["StsRsnInf", rest @ ..] => self.reported.why.take(rest, value),
            ["OrgnlTxRef", "Amt", "InstdAmt"] => self.amount = Some(value.to_owned()),
            _ => {}
        }
    }
}

impl Why {
    /// The first code, and all words.
    fn take(&mut self, parts: &[&str], value: &str) {
        match parts {
            ["Rsn", "Cd"] if self.code.is_empty() => value.clone_into(&mut self.code),
            ["Rsn", "Prtry"] | ["AddtlInf"] if self.words.len() < VALUE_BYTES_MAX => {
                if !self.words.is_empty() {
                    self.words.push(' ');
                }
                self.words.push_str(value);
            }
            _ => {}
        }
    }
}
