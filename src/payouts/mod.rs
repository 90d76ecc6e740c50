//! Money out to households: what was received for them and not yet paid is gathered into a batch, approved by a second
//! person, instructed, and confirmed payout by payout. Nobody is paid here what was not received for them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Key, Once};
use crate::ledger::{self, AccountKey, AccountKind, NewEntry};
use crate::members::access::{Caller, CountyScope, Role};
use crate::money::Fen;
use crate::numbers::{self, Series};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::settlement::receipts::{self, PayableLine};
use crate::trail::{self, Event};

pub mod api;
mod rules;
mod store;

pub use rules::{BankResult, BatchState, PayoutState};
use rules::{Due, Instructed, Share};

/// Payouts of a batch at most; the other households go into the next one.
pub const PAYOUTS_MAX: usize = 10_000;

/// Settlement lines looked at for one batch; what is beyond them goes into the next one.
const LINES_MAX: u64 = 50_000;

const CLEARING: AccountKey = AccountKey { kind: AccountKind::Clearing, owner: None };
const ESCROW: AccountKey = AccountKey { kind: AccountKind::Escrow, owner: None };

/// A batch of payouts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchView {
    pub id: Uuid,
    pub county_code: String,
    pub number: String,
    pub state: BatchState,
    pub up_to: NaiveDate,
    pub amount: Fen,
    pub payout_count: i64,
    pub made: Step,
    pub approved: Option<Step>,
    pub executed: Option<Step>,
    /// Whether something payable was left for the next batch; known when the batch is made.
    pub has_rest: Option<bool>,
}

/// Who took a step, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    pub by: Uuid,
    pub at: DateTime<Utc>,
}

/// Money out to one household.
#[derive(Clone, Debug)]
pub struct PayoutView {
    pub id: Uuid,
    pub household_id: Uuid,
    pub masked_name: String,
    pub village_code: String,
    pub amount: Fen,
    pub state: PayoutState,
    pub return_reason: Option<String>,
    pub instruction_entry_id: Option<Uuid>,
    pub result_entry_id: Option<Uuid>,
}

/// Gathers what is payable out of sales up to a day into a batch, one payout per household, and reserves it.
///
/// Refused with [`Refusal::Invalid`] when nothing is payable.
pub async fn make(app: &App, caller: &Caller, key: &Key, up_to: NaiveDate) -> Outcome<Once<BatchView>> {
    caller.allow(&[Role::Finance])?;
    let county = caller.county()?;
    if !caller.region()?.counties().contains(county) {
        return Err(Refusal::NotAllowed.into());
    }
    let today = app.clock.today();
    if up_to > today {
        return Err(Refusal::invalid("/up_to", "this day is to come; name today or a day before").into());
    }
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        // The number comes first: its counter makes two batches of a county follow each other.
        let number = numbers::next_of_paper(&txn, Series::PayoutBatch, county, today).await?;
        let (shares, has_rest) = shares_due(&txn, county, up_to).await?;
        let batch = BatchView {
            id: app.ids.next(now),
            county_code: county.to_owned(),
            number,
            state: BatchState::Drafted,
            up_to,
            amount: rules::total(shares.iter().map(|share| share.amount)).ok_or_else(too_large)?,
            payout_count: i64::try_from(shares.len()).map_err(|_| too_large())?,
            made: Step { by: caller.principal_id, at: now },
            approved: None,
            executed: None,
            has_rest: Some(has_rest),
        };
        let payouts: Vec<(Uuid, Share)> =
            shares.into_iter().map(|share| (app.ids.next(now), share)).collect();
        store::insert_batch(&txn, &batch).await?;
        store::insert_payouts(&txn, &batch, &payouts).await?;
        let parts: Vec<PayableLine> =
            payouts.iter().flat_map(|(_, share)| &share.parts).map(payable_line).collect();
        receipts::mark_paid_out(&txn, &parts).await?;
        trail::record(&txn, &app.ids, now, &caller.actor(), events_of_making(&batch, &payouts)).await?;
        idempotency::commit(txn, key, now, batch).await
    })
    .await
}

/// The batches of the caller's counties, newest first.
pub async fn list(app: &App, caller: &Caller, request: PageRequest) -> Outcome<Page<BatchView>> {
    let counties = readable_counties(caller)?;
    let rows = store::list(app.db.reader(), &counties, request).await?;
    let views = rows.into_iter().map(BatchView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |batch| batch.id))
}

/// A batch with its payouts, at most [`PAYOUTS_MAX`].
pub async fn find(app: &App, caller: &Caller, id: Uuid) -> Outcome<(BatchView, Vec<PayoutView>)> {
    let counties = readable_counties(caller)?;
    let found = store::find(app.db.reader(), &counties, id).await?;
    let batch = found.ok_or(Refusal::NotFound("payout batch"))?.try_into()?;
    Ok((batch, store::payouts_of(app.db.reader(), id).await?))
}

/// Approves a batch, by somebody else than its maker: the bank is instructed, and the households are owed no more.
///
/// Refused with [`Refusal::SecondPersonNeeded`] for the maker, with [`Refusal::WrongState`] when it is approved already.
pub async fn approve(app: &App, caller: &Caller, key: &Key, id: Uuid) -> Outcome<Once<BatchView>> {
    caller.allow(&[Role::Finance])?;
    let counties = caller.region()?.counties();
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let mut batch = locked(&txn, &counties, id).await?;
        let before = batch.state;
        batch.state = batch.state.approve(batch.made.by, caller.principal_id)?;
        let step = Step { by: caller.principal_id, at: now };
        if !store::approve(&txn, id, &step).await? {
            return Err(changed_under_lock(id));
        }
        batch.approved = Some(step);
        let payouts = store::amounts_of(&txn, id).await?;
        let postings = [(CLEARING, batch.amount.negated())]
            .into_iter()
            .chain(payouts.iter().map(|payout| (payable(payout.household_id), payout.amount)));
        let entry = entry_of(&batch, "payout_instruction", app.clock.today(), postings.collect());
        let entry_id = ledger::post(&txn, app, entry).await?;
        if usize::try_from(store::instruct(&txn, id, entry_id).await?).ok() != Some(payouts.len()) {
            return Err(changed_under_lock(id));
        }
        let steps = payouts.iter().map(|payout| (payout, PayoutState::Instructed, None)).collect();
        let events = events_of_step("approve_payout_batch", &batch, Some(before), steps);
        trail::record(&txn, &app.ids, now, &caller.actor(), events).await?;
        idempotency::commit(txn, key, now, batch).await
    })
    .await
}

/// Records what the bank did with payouts. What was returned is owed to the household again and goes out in a later
/// batch; the batch is executed when every payout has its result.
pub async fn record_results(
    app: &App,
    caller: &Caller,
    key: &Key,
    id: Uuid,
    results: &[(Uuid, BankResult)],
) -> Outcome<Once<BatchView>> {
    caller.allow(&[Role::Finance])?;
    let counties = caller.region()?.counties();
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let mut batch = locked(&txn, &counties, id).await?;
        batch.state.take_results()?;
        let before = batch.state;
        let ids: Vec<Uuid> = results.iter().map(|result| result.0).collect();
        let told = rules::matched(results, &store::find_payouts(&txn, id, &ids).await?)?;
        settle_results(&txn, app, &batch, &told).await?;
        let step = Step { by: caller.principal_id, at: now };
        if store::execute(&txn, id, &step).await? {
            batch.state = BatchState::Executed;
            batch.executed = Some(step);
        }
        let is_executed = batch.state == BatchState::Executed;
        let steps = told.iter().map(|(payout, result)| (payout, result.state(), result.reason())).collect();
        let events = events_of_step("record_payout_results", &batch, is_executed.then_some(before), steps);
        trail::record(&txn, &app.ids, now, &caller.actor(), events).await?;
        idempotency::commit(txn, key, now, batch).await
    })
    .await
}

/// Paid: Dr clearing, Cr escrow. Returned: Dr clearing, Cr payable, and the lines are payable again.
async fn settle_results(
    txn: &WriteTxn,
    app: &App,
    batch: &BatchView,
    told: &[(Instructed, BankResult)],
) -> Outcome<()> {
    let (paid, returned): (Vec<_>, Vec<_>) =
        told.iter().partition(|(_, result)| matches!(result, BankResult::Paid));
    if !returned.is_empty() {
        let ids: Vec<Uuid> = returned.iter().map(|(payout, _)| payout.id).collect();
        // Lines before accounts, as a payment locks them.
        receipts::unmark_paid_out(txn, &store::parts_of(txn, &ids).await?).await?;
    }
    let today = app.clock.today();
    let mut rows = Vec::with_capacity(told.len());
    for (kind, group) in [("payout_paid", &paid), ("payout_returned", &returned)] {
        if group.is_empty() {
            continue;
        }
        let total = rules::total(group.iter().map(|(payout, _)| payout.amount)).ok_or_else(too_large)?;
        let credits = group.iter().map(|(payout, result)| match result {
            BankResult::Paid => (ESCROW, payout.amount.negated()),
            BankResult::Returned { .. } => (payable(payout.household_id), payout.amount.negated()),
        });
        let postings = [(CLEARING, total)].into_iter().chain(credits).collect();
        let entry_id = ledger::post(txn, app, entry_of(batch, kind, today, postings)).await?;
        rows.extend(group.iter().map(|(payout, result)| store::ResultRow {
            payout_id: payout.id,
            result,
            entry_id,
        }));
    }
    if usize::try_from(store::store_results(txn, &rows).await?).ok() != Some(rows.len()) {
        return Err(changed_under_lock(batch.id));
    }
    Ok(())
}

/// The shares of a new batch, and whether something is left for the next one.
async fn shares_due(txn: &WriteTxn, county: &str, up_to: NaiveDate) -> Outcome<(Vec<Share>, bool)> {
    let lines = receipts::payable(txn, county, up_to, LINES_MAX.saturating_add(1)).await?;
    let lines_max = usize::try_from(LINES_MAX).map_err(|_| too_large())?;
    let due: Vec<Due> = lines
        .iter()
        .take(lines_max)
        .map(|line| Due {
            settlement_line_id: line.settlement_line_id,
            household_id: line.household_id,
            amount: line.amount,
        })
        .collect();
    if due.is_empty() {
        let detail = "nothing that was received for sales up to this day waits to be paid out";
        return Err(Refusal::invalid("/up_to", detail).into());
    }
    let (shares, has_rest) = rules::gather(&due, PAYOUTS_MAX).ok_or_else(too_large)?;
    Ok((shares, has_rest || lines.len() > lines_max))
}

async fn locked(txn: &WriteTxn, counties: &CountyScope, id: Uuid) -> Outcome<BatchView> {
    store::lock(txn, counties, id).await?.ok_or(Refusal::NotFound("payout batch"))?.try_into()
}

/// A batch holds households of the whole county, so whoever sees less than a county sees none.
fn readable_counties(caller: &Caller) -> Result<CountyScope, Refusal> {
    caller.allow(&[Role::Finance, Role::Auditor, Role::Officer])?;
    Ok(caller.region()?.counties())
}

fn entry_of(
    batch: &BatchView,
    kind: &'static str,
    occurred_on: NaiveDate,
    postings: Vec<(AccountKey, Fen)>,
) -> NewEntry {
    NewEntry {
        county_code: batch.county_code.clone(),
        kind,
        source_kind: "payout_batch",
        source_id: batch.id,
        occurred_on,
        postings,
    }
}

const fn payable(household_id: Uuid) -> AccountKey {
    AccountKey { kind: AccountKind::Payable, owner: Some(household_id) }
}

fn payable_line(part: &Due) -> PayableLine {
    PayableLine {
        settlement_line_id: part.settlement_line_id,
        household_id: part.household_id,
        amount: part.amount,
    }
}

fn events_of_making(batch: &BatchView, payouts: &[(Uuid, Share)]) -> Vec<Event> {
    let after = json!({
        "number": batch.number,
        "state": batch.state.as_str(),
        "up_to": batch.up_to,
        "amount_fen": batch.amount,
        "payout_count": batch.payout_count,
    });
    let of_batch = event_of_batch("make_payout_batch", batch, None, after);
    let of_payouts = payouts.iter().map(|(id, share)| {
        let parts: Vec<Json> = share
            .parts
            .iter()
            .map(|part| json!({ "settlement_line_id": part.settlement_line_id, "amount_fen": part.amount }))
            .collect();
        Event {
            county_code: Some(batch.county_code.clone()),
            household_id: Some(share.household_id),
            action: "make_payout_batch",
            subject_kind: "payout",
            subject_id: *id,
            before: None,
            after: Some(json!({
                "batch_id": batch.id,
                "state": PayoutState::Drafted.as_str(),
                "amount_fen": share.amount,
                "parts": parts,
            })),
        }
    });
    std::iter::once(of_batch).chain(of_payouts).collect()
}

/// Events of payouts that moved to a state, with the reason when the money came back, and of the batch when it moved.
fn events_of_step(
    action: &'static str,
    batch: &BatchView,
    batch_before: Option<BatchState>,
    payouts: Vec<(&Instructed, PayoutState, Option<&str>)>,
) -> Vec<Event> {
    let of_batch = batch_before.map(|before| {
        let after = json!({ "state": batch.state.as_str(), "amount_fen": batch.amount });
        let before = json!({ "state": before.as_str(), "amount_fen": batch.amount });
        event_of_batch(action, batch, Some(before), after)
    });
    let of_payouts = payouts.into_iter().map(|(payout, state, reason)| Event {
        county_code: Some(batch.county_code.clone()),
        household_id: Some(payout.household_id),
        action,
        subject_kind: "payout",
        subject_id: payout.id,
        before: Some(json!({ "state": payout.state.as_str(), "amount_fen": payout.amount })),
        after: Some(json!({ "state": state.as_str(), "amount_fen": payout.amount, "reason": reason })),
    });
    of_batch.into_iter().chain(of_payouts).collect()
}

fn event_of_batch(action: &'static str, batch: &BatchView, before: Option<Json>, after: Json) -> Event {
    Event {
        county_code: Some(batch.county_code.clone()),
        household_id: None,
        action,
        subject_kind: "payout_batch",
        subject_id: batch.id,
        before,
        after: Some(after),
    }
}

fn changed_under_lock(batch_id: Uuid) -> Failure {
    Failure::Broken(format!("payout batch {batch_id} changed under its lock"))
}

fn too_large() -> Failure {
    Failure::Broken("an amount is beyond what a figure can hold".to_owned())
}
