//! Money out to households: what was received for them and not yet paid is gathered into a batch, approved by a second
//! person, instructed, and confirmed payout by payout. Nobody is paid here what was not received for them, and nobody but
//! the household itself, on its own registered account.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
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
use crate::settlement::receipts::{self, PayableLine, Waiting};

mod answers;
pub mod api;
pub mod bank_file;
pub mod callback;
mod events;
mod payees;
pub mod results;
mod rules;
mod store;

pub use rules::{BankResult, BatchState, LeftOutReason, PayoutState, ReturnCode, end_to_end_id};
use rules::{Due, Share};

/// Payouts of a batch at most; the other households go into the next one.
pub const PAYOUTS_MAX: usize = 100_000;

/// Settlement lines paid by one batch at most; what is beyond them goes into the next one.
const LINES_MAX: usize = 300_000;

/// Households that a batch tells it left out at most.
const LEFT_OUT_MAX: u64 = 100_000;

/// Rows that go to the database in one parameter.
const CHUNK: usize = 10_000;

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
    /// Not in lists.
    #[serde(default)]
    pub counted: Option<Counted>,
}

/// The payouts of a batch by state, and the households it left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    pub by_state: Vec<(PayoutState, Tally)>,
    pub left_out: Tally,
}

/// How many, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub count: i64,
    pub amount: Fen,
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
    /// Where it goes to, masked; frozen when the batch is approved.
    pub masked_account: Option<String>,
    pub amount: Fen,
    pub state: PayoutState,
    pub unknown_since: Option<DateTime<Utc>>,
    pub return_code: Option<ReturnCode>,
    pub return_reason: Option<String>,
    pub retry_allowed_at: Option<DateTime<Utc>>,
    pub instruction_entry_id: Option<Uuid>,
    pub result_entry_id: Option<Uuid>,
}

/// A household that a batch could not pay.
#[derive(Clone, Debug)]
pub struct LeftOutView {
    pub id: Uuid,
    pub household_id: Uuid,
    pub masked_name: String,
    pub village_code: String,
    pub amount: Fen,
    pub reason: LeftOutReason,
}

/// What a new batch holds and whom it leaves out, each with its new id.
struct Drafted {
    payouts: Vec<(Uuid, Share)>,
    left_out: Vec<(Uuid, Waiting)>,
    has_rest: bool,
}

/// Gathers what is payable out of sales up to a day into a batch, one payout per household, and reserves it. Households
/// that cannot be paid are told beside it.
///
/// Refused with [`Refusal::Invalid`] when nothing can be paid.
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
        let drafted = draft(&txn, app, county, up_to).await?;
        let paid = tally(drafted.payouts.iter().map(|(_, share)| share.amount))?;
        let batch = BatchView {
            id: app.ids.next(now),
            county_code: county.to_owned(),
            number,
            state: BatchState::Drafted,
            up_to,
            amount: paid.amount,
            payout_count: paid.count,
            made: Step { by: caller.principal_id, at: now },
            approved: None,
            executed: None,
            has_rest: Some(drafted.has_rest),
            counted: Some(Counted {
                by_state: vec![(PayoutState::Drafted, paid)],
                left_out: tally(drafted.left_out.iter().map(|(_, waiting)| waiting.amount))?,
            }),
        };
        store::insert_batch(&txn, &batch).await?;
        reserve(&txn, app, caller, &batch, drafted).await?;
        idempotency::commit(txn, key, now, batch).await
    })
    .await
}

/// Everything payable and everybody who is left out, read for a new batch.
async fn draft(txn: &WriteTxn, app: &App, county: &str, up_to: NaiveDate) -> Outcome<Drafted> {
    let now = app.clock.now();
    let held = payees::held(txn, app, county).await?;
    let lines_max = u64::try_from(LINES_MAX).map_err(|_| too_large())?;
    let lines = receipts::payable(txn, county, up_to, &held, lines_max.saturating_add(1)).await?;
    let (due, is_cut) = rules::cut(lines.into_iter().map(due).collect(), LINES_MAX);
    let left_out = receipts::waiting(txn, county, up_to, &held, LEFT_OUT_MAX).await?;
    if due.is_empty() {
        return Err(nothing_to_pay(&left_out)?.into());
    }
    let (shares, is_full) = rules::gather(&due, PAYOUTS_MAX).ok_or_else(too_large)?;
    Ok(Drafted {
        payouts: shares.into_iter().map(|share| (app.ids.next(now), share)).collect(),
        left_out: left_out.into_iter().map(|waiting| (app.ids.next(now), waiting)).collect(),
        has_rest: is_full || is_cut,
    })
}

/// Writes the payouts of a new batch, chunk by chunk, takes their money out of what is payable, and notes who is left out.
async fn reserve(
    txn: &WriteTxn,
    app: &App,
    caller: &Caller,
    batch: &BatchView,
    drafted: Drafted,
) -> Outcome<()> {
    let trail = events::Trail { txn, app, actor: &caller.actor(), batch };
    trail.record("make_payout_batch", vec![events::batch_made(batch)]).await?;
    for payouts in drafted.payouts.chunks(CHUNK) {
        store::insert_payouts(txn, batch, payouts).await?;
        let parts: Vec<PayableLine> =
            payouts.iter().flat_map(|(_, share)| &share.parts).map(payable_line).collect();
        receipts::mark_paid_out(txn, &parts).await?;
        let told = payouts.iter().map(|(id, share)| events::payout_made(batch, *id, share));
        trail.record("make_payout_batch", told.collect()).await?;
    }
    for left_out in drafted.left_out.chunks(CHUNK) {
        store::insert_left_out(txn, batch, left_out).await?;
        let told = left_out.iter().map(|(id, waiting)| events::left_out(batch, *id, waiting));
        trail.record("make_payout_batch", told.collect()).await?;
    }
    Ok(())
}

/// The batches of the caller's counties, newest first.
pub async fn list(app: &App, caller: &Caller, request: PageRequest) -> Outcome<Page<BatchView>> {
    let counties = readable_counties(caller)?;
    let rows = store::list(app.db.reader(), &counties, request).await?;
    let views = rows.into_iter().map(BatchView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |batch| batch.id))
}

/// A batch with counts and sums of its payouts.
pub async fn find(app: &App, caller: &Caller, id: Uuid) -> Outcome<BatchView> {
    let mut batch = readable(app, caller, id).await?;
    batch.counted = Some(store::counted(app.db.reader(), id).await?);
    Ok(batch)
}

/// The payouts of a batch, of one state if one is named, newest first.
pub async fn list_payouts(
    app: &App,
    caller: &Caller,
    id: Uuid,
    state: Option<PayoutState>,
    request: PageRequest,
) -> Outcome<Page<PayoutView>> {
    readable(app, caller, id).await?;
    let rows = store::list_payouts(app.db.reader(), id, state, request).await?;
    let views = rows.into_iter().map(|row| payees::view(app, row)).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |payout| payout.id))
}

/// The households that a batch could not pay, newest first.
pub async fn list_left_out(
    app: &App,
    caller: &Caller,
    id: Uuid,
    request: PageRequest,
) -> Outcome<Page<LeftOutView>> {
    readable(app, caller, id).await?;
    let views = store::list_left_out(app.db.reader(), id, request).await?;
    Ok(Page::cut(views, request, |left_out| left_out.id))
}

/// Approves a batch, by somebody else than its maker: the bank is instructed, the households are owed no more, and names
/// and accounts of payees and payer are frozen as they are now.
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
        let frozen = payees::freeze(&txn, app, &batch).await?;
        let debtor = payees::freeze_debtor_if_set(&txn, app, id).await?;
        let payouts = store::amounts_of(&txn, id).await?;
        let postings = [(CLEARING, batch.amount.negated())]
            .into_iter()
            .chain(payouts.iter().map(|payout| (payable(payout.household_id), payout.amount)));
        let entry = entry_of(&batch, "payout_instruction", app.clock.today(), postings.collect());
        let entry_id = ledger::post(&txn, app, entry).await?;
        if usize::try_from(store::instruct(&txn, id, entry_id).await?).ok() != Some(payouts.len()) {
            return Err(changed_under_lock(id));
        }
        let trail = events::Trail { txn: &txn, app, actor: &caller.actor(), batch: &batch };
        let approved = events::batch_approved(&batch, before, frozen, debtor.as_ref());
        trail.record("approve_payout_batch", vec![approved]).await?;
        for chunk in payouts.chunks(CHUNK) {
            let told = chunk.iter().map(events::payout_instructed);
            trail.record("approve_payout_batch", told.collect()).await?;
        }
        batch.counted = Some(store::counted(&txn, id).await?);
        idempotency::commit(txn, key, now, batch).await
    })
    .await
}

async fn locked(txn: &WriteTxn, counties: &CountyScope, id: Uuid) -> Outcome<BatchView> {
    store::lock(txn, counties, id).await?.ok_or(Refusal::NotFound("payout batch"))?.try_into()
}

async fn readable(app: &App, caller: &Caller, id: Uuid) -> Outcome<BatchView> {
    let counties = readable_counties(caller)?;
    let found = store::find(app.db.reader(), &counties, id).await?;
    found.ok_or(Refusal::NotFound("payout batch"))?.try_into()
}

/// A batch holds households of the whole county, so whoever sees less than a county sees none.
fn readable_counties(caller: &Caller) -> Result<CountyScope, Refusal> {
    caller.allow(&[Role::Finance, Role::Auditor, Role::Officer])?;
    Ok(caller.region()?.counties())
}

fn nothing_to_pay(left_out: &[Waiting]) -> Outcome<Refusal> {
    let waiting = tally(left_out.iter().map(|waiting| waiting.amount))?;
    let detail = if waiting.count == 0 {
        "nothing that was received for sales up to this day waits to be paid out".to_owned()
    } else {
        format!(
            "{} households with {} cannot be paid: they have no registered bank account, or money to it came back",
            waiting.count, waiting.amount
        )
    };
    Ok(Refusal::invalid("/up_to", detail))
}

fn tally(amounts: impl ExactSizeIterator<Item = Fen>) -> Outcome<Tally> {
    let count = i64::try_from(amounts.len()).map_err(|_| too_large())?;
    Ok(Tally { count, amount: rules::total(amounts).ok_or_else(too_large)? })
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

fn due(line: PayableLine) -> Due {
    Due { settlement_line_id: line.settlement_line_id, household_id: line.household_id, amount: line.amount }
}

fn payable_line(part: &Due) -> PayableLine {
    PayableLine {
        settlement_line_id: part.settlement_line_id,
        household_id: part.household_id,
        amount: part.amount,
    }
}

fn changed_under_lock(batch_id: Uuid) -> Failure {
    Failure::Broken(format!("payout batch {batch_id} changed under its lock"))
}

fn too_large() -> Failure {
    Failure::Broken("an amount is beyond what a figure can hold".to_owned())
}
