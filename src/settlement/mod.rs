//! What an acceptance makes an institution owe and each household be owed. Every line is rounded once; the sum of the
//! lines and the operator's fee, if there is one, are what the institution owes, to the fen. Nothing here takes a fee from
//! a household.
#![deny(clippy::arithmetic_side_effects)]

use chrono::{Datelike, NaiveDate};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::ledger::{self, AccountKey, AccountKind, NewEntry};
use crate::members::access::{Caller, CountyScope, RegionScope, Scope};
use crate::money::{Fen, Price};
use crate::numbers::{self, Series};
use crate::quantity::Measure;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
pub mod deposits;
mod facts;
pub mod fees;
pub mod late;
pub mod receipts;
pub mod reminders;
mod rules;
mod store;
pub mod terms;

pub use facts::{income_since, is_unpaid, orders_of};
pub use rules::{FeePart, Received, ReceivedPart, SettlementState, TARGETS_MAX, Target, Targets};

/// Lateness is told for so many days ahead, for those who plan when to pay.
const AS_OF_DAYS_AHEAD_MAX: i64 = 366;

/// What was accepted, all of it on one day.
#[derive(Clone, Debug)]
pub struct NewSettlement {
    /// Six digits.
    pub county_code: String,
    pub order_id: Uuid,
    pub acceptance_id: Uuid,
    pub institution_id: Uuid,
    /// The day of the acceptance, which is the day of the sale.
    pub settled_on: NaiveDate,
    pub lines: Vec<AcceptedLine>,
}

/// What was accepted of one allocation.
#[derive(Clone, Debug)]
pub struct AcceptedLine {
    pub delivery_line_id: Uuid,
    pub allocation_id: Uuid,
    pub household_id: Uuid,
    pub product_id: Uuid,
    /// Grams or pieces; a line of which nothing was accepted settles nothing.
    pub accepted_base: i64,
    pub price: Price,
}

/// A settlement that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub id: Uuid,
    pub number: String,
    /// What the households are owed together.
    pub amount: Fen,
    /// What the institution owes on top of it.
    pub fee: Fen,
    /// The institution pays until this day.
    pub due_on: NaiveDate,
}

/// A settlement as its reader sees it: the sums of those who see some lines only are the sums of these lines, and no fee
/// stands beside them.
#[derive(Clone, Debug)]
pub struct SettlementView {
    pub id: Uuid,
    pub number: String,
    pub county_code: String,
    pub order_id: Uuid,
    pub acceptance_id: Uuid,
    pub institution_id: Uuid,
    /// What the households are owed.
    pub amount: Fen,
    /// Received for the households.
    pub received: Fen,
    /// What the institution owes the operator on top.
    pub fee: Fen,
    pub fee_received: Fen,
    pub state: SettlementState,
    pub settled_on: NaiveDate,
    pub due_on: NaiveDate,
    /// As of the day that was asked about, as the interest.
    pub days_overdue: i64,
    /// Shown, never posted.
    pub interest: Fen,
}

impl SettlementView {
    /// All that the institution owes for the acceptance: the goods and the fee.
    #[must_use]
    pub fn owed(&self) -> Fen {
        [self.amount, self.fee].into_iter().sum()
    }

    /// All that was received of it.
    #[must_use]
    pub fn paid(&self) -> Fen {
        [self.received, self.fee_received].into_iter().sum()
    }
}

/// What one household is owed for what was accepted of one allocation.
#[derive(Clone, Debug)]
pub struct LineView {
    pub id: Uuid,
    pub allocation_id: Uuid,
    pub household_id: Uuid,
    pub village_code: String,
    pub product_id: Uuid,
    pub sold_on: NaiveDate,
    pub measure: Measure,
    pub quantity_base: i64,
    pub price: Price,
    pub amount: Fen,
    pub received: Fen,
    pub paid_out: Fen,
}

/// Which settlements are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettlementFilter {
    pub id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub state: Option<SettlementState>,
    /// The day as of which lateness is told; today when none is named.
    pub as_of: Option<NaiveDate>,
}

/// The settlements, or the lines of settlements, that exist for a caller.
#[derive(Clone, Debug)]
enum Sight {
    /// Whole settlements of counties.
    Counties(CountyScope),
    /// Whole settlements of one institution.
    Institution(Uuid),
    /// Lines of households of a township or village.
    Villages(RegionScope),
    /// Lines of one household.
    Household(Uuid),
    /// Lines of the households paired with a helper on a day.
    Paired { helper_id: Uuid, on: NaiveDate },
}

/// Settles an acceptance: a paper with a gap-free number, a line per accepted allocation, the fee and the due day by what
/// is in force on that day, and the ledger entry by which the institution owes the sum and the fee and each household is
/// owed its own. `None` when nothing was accepted.
pub async fn settle(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    new: NewSettlement,
) -> Outcome<Option<Settled>> {
    let now = app.clock.now();
    let accepted = new.lines.iter().filter(|line| line.accepted_base > 0);
    let lines: Vec<store::NewLine<'_>> = accepted
        .map(|line| store::NewLine {
            id: app.ids.next(now),
            amount: line.price.amount(line.accepted_base),
            line,
        })
        .collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let amount = rules::total(lines.iter().map(|line| line.amount))
        .ok_or_else(|| Failure::Broken("a settlement is beyond what a figure can hold".to_owned()))?;
    let id = app.ids.next(now);
    let number = numbers::next_of_paper(txn, Series::Settlement, &new.county_code, new.settled_on).await?;
    let conditions = terms::conditions_on(txn, &new.county_code, new.institution_id, new.settled_on).await?;
    let due_on = terms::due_on(new.settled_on, conditions.days.unwrap_or(app.settings.payment_days))
        .ok_or_else(|| Failure::Broken("payment_days leave the calendar".to_owned()))?;
    let settled = Settled { id, number, amount, fee: conditions.fee.of(amount), due_on };
    store::insert_settlement(txn, &new, &settled, now).await?;
    store::insert_lines(txn, &new, id, &lines).await?;
    if amount != Fen::ZERO {
        ledger::post(txn, app, entry(&new, &settled, &lines)?).await?;
    }
    trail::record(txn, &app.ids, now, actor, vec![settled_event(&new, &settled, &lines)]).await?;
    Ok(Some(settled))
}

/// The settlements the caller sees, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: SettlementFilter,
    request: PageRequest,
) -> Outcome<Page<SettlementView>> {
    let sight = sight_of(app, caller)?;
    let on = day_of(app, filter.as_of)?;
    let rows = store::list(app.db.reader(), &sight, filter, request).await?;
    let mut page = Page::cut(rows, request, |settlement| settlement.id);
    late::judge(app.db.reader(), &sight, &mut page.items, on).await?;
    Ok(page)
}

/// A settlement and its lines, as far as the caller sees them; how late it is, as of a day or today.
pub async fn find(
    app: &App,
    caller: &Caller,
    id: Uuid,
    as_of: Option<NaiveDate>,
) -> Outcome<(SettlementView, Vec<LineView>)> {
    let sight = sight_of(app, caller)?;
    let on = day_of(app, as_of)?;
    let filter = SettlementFilter { id: Some(id), ..SettlementFilter::default() };
    let one = PageRequest { limit: 1, before: None };
    let mut found = store::list(app.db.reader(), &sight, filter, one).await?;
    late::judge(app.db.reader(), &sight, &mut found, on).await?;
    let settlement = found.pop().ok_or(Refusal::NotFound("settlement"))?;
    let lines = store::lines_of(app.db.reader(), &sight, id).await?;
    Ok((settlement, lines))
}

/// The day as of which lateness is told. Refused beyond a year from today: nothing is known of it.
fn day_of(app: &App, as_of: Option<NaiveDate>) -> Result<NaiveDate, Refusal> {
    let today = app.clock.today();
    let day = as_of.unwrap_or(today);
    if day.signed_duration_since(today).num_days() > AS_OF_DAYS_AHEAD_MAX || day.year() < 1900 {
        return Err(Refusal::invalid("", "as_of: name a day since 1900 and at most a year ahead."));
    }
    Ok(day)
}

fn sight_of(app: &App, caller: &Caller) -> Result<Sight, Refusal> {
    if caller.role.is_administration() {
        return Err(Refusal::NotAllowed);
    }
    Ok(match &caller.scope {
        Scope::Household(id) => Sight::Household(*id),
        Scope::Helper(id) => Sight::Paired { helper_id: *id, on: app.clock.today() },
        Scope::Institution(id) => Sight::Institution(*id),
        Scope::Region(region) => {
            let counties = region.counties();
            if counties.is_empty() { Sight::Villages(region.clone()) } else { Sight::Counties(counties) }
        }
    })
}

/// Dr receivable for the goods and the fee; Cr payable per household for the goods, Cr fee.
fn entry(new: &NewSettlement, settled: &Settled, lines: &[store::NewLine<'_>]) -> Outcome<NewEntry> {
    let receivable = AccountKey { kind: AccountKind::Receivable, owner: Some(new.institution_id) };
    let fee = AccountKey { kind: AccountKind::Fee, owner: None };
    let owed = settled.amount.checked_add(settled.fee);
    let owed = owed.ok_or_else(|| Failure::Broken("a fee is beyond what a figure can hold".to_owned()))?;
    let mut postings = vec![(receivable, owed), (fee, settled.fee.negated())];
    postings.extend(lines.iter().map(|line| {
        let payable = AccountKey { kind: AccountKind::Payable, owner: Some(line.line.household_id) };
        (payable, line.amount.negated())
    }));
    Ok(NewEntry {
        county_code: new.county_code.clone(),
        kind: "acceptance",
        source_kind: "settlement",
        source_id: settled.id,
        occurred_on: new.settled_on,
        postings,
    })
}

fn settled_event(new: &NewSettlement, settled: &Settled, lines: &[store::NewLine<'_>]) -> Event {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            json!({
                "id": line.id, "household_id": line.line.household_id,
                "quantity_base": line.line.accepted_base, "price_fen": line.line.price.fen,
                "pricing_unit": line.line.price.per, "amount_fen": line.amount,
            })
        })
        .collect();
    Event {
        county_code: Some(new.county_code.clone()),
        household_id: None,
        action: "settle",
        subject_kind: "settlement",
        subject_id: settled.id,
        before: None,
        after: Some(json!({
            "number": settled.number, "institution_id": new.institution_id,
            "acceptance_id": new.acceptance_id, "amount_fen": settled.amount, "received_fen": 0,
            "fee_fen": settled.fee, "settled_on": new.settled_on, "due_on": settled.due_on, "lines": lines,
        })),
    }
}
