//! What invoices of a settlement need: codes, names, amounts and how each line is taxed by the rules of its day. Writes
//! nothing and issues no invoice; whoever does takes the figures from here.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use uuid::Uuid;

use super::rules::LINES_MAX;
use crate::app::App;
use crate::members::access::{Caller, Role, Scope};
use crate::members::households::mask_name;
use crate::money::{Fen, Price};
use crate::quantity::{Measure, Unit};
use crate::refusal::{Failure, Outcome, Refusal};

pub mod api;
mod rules;
mod store;

pub use rules::{TaxRate, Treatment};

/// Invoice data of a settlement.
#[derive(Debug)]
pub struct InvoiceData {
    pub settlement_number: String,
    pub settled_on: NaiveDate,
    pub buyer: String,
    pub credit_code: String,
    /// Lines that are invoiced in one way are together.
    pub groups: Vec<Group>,
}

/// Lines of one treatment with their sums.
#[derive(Debug)]
pub struct Group {
    pub rate: TaxRate,
    pub amount: Fen,
    pub tax: Fen,
    pub deduction: Option<Fen>,
    pub lines: Vec<Line>,
}

/// One line of an invoice.
#[derive(Debug)]
pub struct Line {
    pub settlement_line_id: Uuid,
    /// Masked.
    pub seller: String,
    pub tax_code: String,
    pub goods: String,
    pub measure: Measure,
    pub quantity_base: i64,
    pub price: Price,
    /// With the tax that is in it.
    pub amount: Fen,
    pub tax: Fen,
    pub deduction: Option<Fen>,
}

/// The invoice data of a settlement, for its institution and for officials of the whole county.
///
/// Refused with [`Refusal::WrongState`] when no rate is known for the day of the sale.
pub async fn data(app: &App, caller: &Caller, settlement_id: Uuid) -> Outcome<InvoiceData> {
    caller.allow(&[Role::Buyer, Role::Approver, Role::Officer, Role::Finance, Role::Auditor])?;
    let reader = app.db.reader();
    let found = store::head(reader, settlement_id).await?.filter(|head| is_seen(&caller.scope, head));
    let head = found.ok_or(Refusal::NotFound("settlement"))?;
    let limit = i64::try_from(LINES_MAX).unwrap_or(i64::MAX).saturating_add(1);
    let rows = store::lines(reader, settlement_id, limit).await?;
    if rows.len() > LINES_MAX {
        return Err(Refusal::invalid("", format!("at most {LINES_MAX} lines are invoiced together")).into());
    }
    let rates = store::rates(reader).await?;
    let is_to_enterprise = head.institution_kind == "enterprise";
    let mut ways: BTreeMap<Treatment, Vec<store::LineRow>> = BTreeMap::new();
    for row in rows {
        let treatment = Treatment::of(&row.tax_code, row.is_of_cooperative, is_to_enterprise);
        ways.entry(treatment).or_default().push(row);
    }
    let groups = ways.into_iter().map(|(treatment, rows)| {
        let rate =
            rules::rate_on(&rates, treatment, head.settled_on).ok_or_else(|| no_rate(head.settled_on))?;
        group(rate.clone(), rows)
    });
    Ok(InvoiceData {
        groups: groups.collect::<Outcome<_>>()?,
        settlement_number: head.number,
        settled_on: head.settled_on,
        buyer: head.institution,
        credit_code: head.credit_code,
    })
}

fn is_seen(scope: &Scope, head: &store::HeadRow) -> bool {
    match scope {
        Scope::Institution(id) => *id == head.institution_id,
        Scope::Region(region) => region.counties().contains(&head.county_code),
        Scope::Household(_) | Scope::Helper(_) => false,
    }
}

fn group(rate: TaxRate, rows: Vec<store::LineRow>) -> Outcome<Group> {
    let amounts: Vec<Fen> = rows.iter().map(|row| Fen::new(row.amount_fen)).collect();
    let split = rules::split(&rate, &amounts);
    let has_deduction = rate.deduction.is_some();
    let mut deductions = split.deductions.iter().copied();
    let lines =
        rows.into_iter().zip(split.taxes.iter().copied()).map(|(row, tax)| line(row, tax, deductions.next()));
    Ok(Group {
        lines: lines.collect::<Outcome<_>>()?,
        amount: amounts.into_iter().sum(),
        tax: split.taxes.iter().copied().sum(),
        deduction: has_deduction.then(|| split.deductions.iter().copied().sum()),
        rate,
    })
}

fn line(row: store::LineRow, tax: Fen, deduction: Option<Fen>) -> Outcome<Line> {
    let unreadable = || Failure::Broken(format!("settlement line {} cannot be read", row.id));
    let unit: Unit = row.pricing_unit.parse().map_err(|()| unreadable())?;
    Ok(Line {
        measure: row.measure.parse().map_err(|()| unreadable())?,
        price: Price::new(Fen::new(row.price_fen), unit).map_err(|_| unreadable())?,
        settlement_line_id: row.id,
        seller: mask_name(&row.head_name),
        tax_code: row.tax_code,
        goods: row.product,
        quantity_base: row.quantity_base,
        amount: Fen::new(row.amount_fen),
        tax,
        deduction,
    })
}

fn no_rate(day: NaiveDate) -> Refusal {
    Refusal::WrongState {
        what: "settlement",
        from: format!("of {day}, for which no rate of tax is known"),
        attempted: "make invoice data of it",
    }
}
