//! What became of payouts: paid, returned, or not known. A payout that the bank did not answer stays unknown until a
//! result or a person says otherwise; nothing here guesses, and nothing pays it again.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rules::{self, BankResult, BatchState, Instructed};
use super::{BatchView, CHUNK, CLEARING, ESCROW, Step, changed_under_lock, entry_of, locked, too_large};
use super::{answers, events, payable};
use crate::app::App;
use crate::db::WriteTxn;
use crate::idempotency::{self, Key, Once};
use crate::ledger;
use crate::members::access::{Caller, CountyScope, Role};
use crate::refusal::{Outcome, Refusal};
use crate::settlement::receipts;
use crate::trail::Actor;

mod store;

/// Records what the bank did with payouts. What was returned is owed to the household again and goes out in a later
/// batch; the batch is executed when every payout has its result.
pub async fn record(
    app: &App,
    caller: &Caller,
    key: &Key,
    id: Uuid,
    results: &[(Uuid, BankResult)],
) -> Outcome<Once<BatchView>> {
    let teller = &Teller::of(caller)?;
    idempotency::once(app, key, || async {
        let txn = app.db.begin().await?;
        let mut batch = locked(&txn, &teller.counties, id).await?;
        batch.state.take_results()?;
        let ids: Vec<Uuid> = results.iter().map(|result| result.0).collect();
        let told = rules::matched(results, &store::find(&txn, id, &ids).await?)?;
        let step = Answering { txn: &txn, app, teller, action: "record_payout_results" };
        step.settle(&batch, &told).await?;
        step.execute(&mut batch).await?;
        batch.counted = Some(super::store::counted(&txn, id).await?);
        idempotency::commit(txn, key, app.clock.now(), batch).await
    })
    .await
}

/// Who tells what became of payouts: a person of finance, or the bank itself.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    pub id: Uuid,
    pub actor: Actor,
    pub counties: CountyScope,
}

impl Teller {
    fn of(caller: &Caller) -> Result<Self, Refusal> {
        caller.allow(&[Role::Finance])?;
        let counties = caller.region()?.counties();
        Ok(Self { id: caller.principal_id, actor: caller.actor(), counties })
    }
}

/// A file of the bank that was read, and how it is meant.
#[derive(Debug)]
pub(super) struct File {
    pub told: answers::Answers,
    pub hash: String,
    pub is_partial: bool,
}

/// A file of the bank, and how it is meant.
#[derive(Debug)]
pub struct ResultFile {
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes in hexadecimal.
    pub hash: String,
    /// It is about some payouts of the batch only; those it does not name stay as they are.
    pub is_partial: bool,
}

/// What a file of the bank changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Imported {
    pub batch: BatchView,
    pub paid: usize,
    pub returned: usize,
    /// Payouts whose result is not known since this file.
    pub unknown: usize,
    pub pending: usize,
    pub unchanged: usize,
}

/// Records what a file of the bank says. All of it or nothing: an answer that does not fit is refused with its place. The
/// same file again changes nothing.
pub async fn import(
    app: &App,
    caller: &Caller,
    key: &Key,
    id: Uuid,
    file: ResultFile,
) -> Outcome<Once<Imported>> {
    let teller = Teller::of(caller)?;
    let ResultFile { bytes, hash, is_partial } = file;
    // Before the file is read: about a batch that does not exist for the caller nothing else is said.
    let found = super::store::find(app.db.reader(), &teller.counties, id).await?;
    found.ok_or(Refusal::NotFound("payout batch"))?;
    let told = answers::read(bytes).await?;
    take(app, &teller, key, id, File { told, hash, is_partial }).await
}

/// Records what a file says that was read.
pub(super) async fn take(
    app: &App,
    teller: &Teller,
    key: &Key,
    id: Uuid,
    file: File,
) -> Outcome<Once<Imported>> {
    let File { told, hash, is_partial } = file;
    idempotency::once(app, key, || async {
        let txn = app.db.begin().await?;
        let mut batch = locked(&txn, &teller.counties, id).await?;
        batch.state.take_file()?;
        if let Some(message) = &told.message {
            message.is_of(&batch.number, batch.payout_count, batch.amount)?;
        }
        let all = super::store::amounts_of(&txn, id).await?;
        let weighed = answers::weigh(&told, is_partial, &all)?;
        let step = Answering { txn: &txn, app, teller, action: "import_payout_results" };
        step.settle(&batch, &weighed.told).await?;
        step.leave_unknown(&batch, &weighed.unknown).await?;
        step.execute(&mut batch).await?;
        if !weighed.told.is_empty() || !weighed.unknown.is_empty() {
            step.trail(&batch).record(step.action, vec![events::file_read(&batch, &hash)]).await?;
        }
        batch.counted = Some(super::store::counted(&txn, id).await?);
        let paid = weighed.told.iter().filter(|(_, result)| *result == BankResult::Paid).count();
        let imported = Imported {
            batch,
            paid,
            returned: weighed.told.len().saturating_sub(paid),
            unknown: weighed.unknown.len(),
            pending: weighed.pending,
            unchanged: weighed.unchanged,
        };
        idempotency::commit(txn, key, app.clock.now(), imported).await
    })
    .await
}

/// Says that the bank did not tell what became of payouts.
///
/// Refused with [`Refusal::WrongState`] for a payout that has its result or is unknown already.
pub async fn mark_unknown(
    app: &App,
    caller: &Caller,
    key: &Key,
    id: Uuid,
    payout_ids: &[Uuid],
) -> Outcome<Once<BatchView>> {
    let teller = &Teller::of(caller)?;
    idempotency::once(app, key, || async {
        let txn = app.db.begin().await?;
        let mut batch = locked(&txn, &teller.counties, id).await?;
        batch.state.take_results()?;
        let found = store::find(&txn, id, payout_ids).await?;
        let named = rules::named_once(payout_ids, &found, |index| format!("/payout_ids/{index}"))?;
        if let Some(payout) = named.iter().find(|payout| payout.state != rules::PayoutState::Instructed) {
            return Err(payout.refuse("mark unknown").into());
        }
        let step = Answering { txn: &txn, app, teller, action: "mark_payouts_unknown" };
        step.leave_unknown(&batch, &named).await?;
        batch.counted = Some(super::store::counted(&txn, id).await?);
        idempotency::commit(txn, key, app.clock.now(), batch).await
    })
    .await
}

/// Says that the account from which money came back is right after all: the household is in the next batch again.
///
/// Refused with [`Refusal::WrongState`] for a payout that did not come back for its account, or was allowed already.
pub async fn allow_retry(
    app: &App,
    caller: &Caller,
    key: &Key,
    id: Uuid,
    (payout_ids, reason): (&[Uuid], &str),
) -> Outcome<Once<BatchView>> {
    caller.allow(&[Role::Finance])?;
    let counties = caller.region()?.counties();
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let mut batch = locked(&txn, &counties, id).await?;
        let found = store::find(&txn, id, payout_ids).await?;
        let named = rules::named_once(payout_ids, &found, |index| format!("/payout_ids/{index}"))?;
        let step = Step { by: caller.principal_id, at: now };
        if !is_all(store::allow_retry(&txn, payout_ids, &step).await?, named.len()) {
            return Err(Refusal::WrongState {
                what: "payout",
                from: "not held back for its account, or allowed already".to_owned(),
                attempted: "allow another try",
            }
            .into());
        }
        let trail = events::Trail { txn: &txn, app, actor: &caller.actor(), batch: &batch };
        let told = named.iter().map(|payout| events::retry_allowed(payout, reason));
        trail.record("allow_payout_retry", told.collect()).await?;
        batch.counted = Some(super::store::counted(&txn, id).await?);
        idempotency::commit(txn, key, now, batch).await
    })
    .await
}

/// One operation that answers payouts of a batch that is locked.
#[derive(Clone, Copy)]
struct Answering<'a> {
    txn: &'a WriteTxn,
    app: &'a App,
    teller: &'a Teller,
    action: &'static str,
}

impl Answering<'_> {
    /// Paid: Dr clearing, Cr escrow. Returned: Dr clearing, Cr payable, and the lines are payable again.
    async fn settle(&self, batch: &BatchView, told: &[(Instructed, BankResult)]) -> Outcome<()> {
        let (paid, returned): (Vec<_>, Vec<_>) =
            told.iter().partition(|(_, result)| matches!(result, BankResult::Paid));
        for chunk in returned.chunks(CHUNK) {
            let ids: Vec<Uuid> = chunk.iter().map(|(payout, _)| payout.id).collect();
            // Lines before accounts, as a payment locks them.
            receipts::unmark_paid_out(self.txn, &store::parts_of(self.txn, &ids).await?).await?;
        }
        for (kind, group) in [("payout_paid", &paid), ("payout_returned", &returned)] {
            if !group.is_empty() {
                self.settle_group(batch, kind, group).await?;
            }
        }
        Ok(())
    }

    async fn settle_group(
        &self,
        batch: &BatchView,
        kind: &'static str,
        group: &[&(Instructed, BankResult)],
    ) -> Outcome<()> {
        let total = rules::total(group.iter().map(|(payout, _)| payout.amount)).ok_or_else(too_large)?;
        let credits = group.iter().map(|(payout, result)| match result {
            BankResult::Paid => (ESCROW, payout.amount.negated()),
            BankResult::Returned { .. } => (payable(payout.household_id), payout.amount.negated()),
        });
        let postings = [(CLEARING, total)].into_iter().chain(credits).collect();
        let entry = entry_of(batch, kind, self.app.clock.today(), postings);
        let entry_id = ledger::post(self.txn, self.app, entry).await?;
        let trail = self.trail(batch);
        for chunk in group.chunks(CHUNK) {
            if !is_all(store::store_results(self.txn, entry_id, chunk).await?, chunk.len()) {
                return Err(changed_under_lock(batch.id));
            }
            let told = chunk.iter().map(|(payout, result)| events::payout_answered(payout, result));
            trail.record(self.action, told.collect()).await?;
        }
        Ok(())
    }

    /// Notes that the result of payouts is not known.
    async fn leave_unknown(&self, batch: &BatchView, payouts: &[Instructed]) -> Outcome<()> {
        let now = self.app.clock.now();
        for chunk in payouts.chunks(CHUNK) {
            let ids: Vec<Uuid> = chunk.iter().map(|payout| payout.id).collect();
            if !is_all(store::mark_unknown(self.txn, &ids, now).await?, ids.len()) {
                return Err(changed_under_lock(batch.id));
            }
            let told = chunk.iter().map(events::payout_unknown);
            self.trail(batch).record(self.action, told.collect()).await?;
        }
        Ok(())
    }

    /// Ends the batch when every payout has its result.
    async fn execute(&self, batch: &mut BatchView) -> Outcome<()> {
        let step = Step { by: self.teller.id, at: self.app.clock.now() };
        if store::execute(self.txn, batch.id, &step).await? {
            let before = batch.state;
            batch.state = BatchState::Executed;
            batch.executed = Some(step);
            self.trail(batch).record(self.action, vec![events::batch_executed(batch, before)]).await?;
        }
        Ok(())
    }

    fn trail<'b>(&'b self, batch: &'b BatchView) -> events::Trail<'b> {
        events::Trail { txn: self.txn, app: self.app, actor: &self.teller.actor, batch }
    }
}

fn is_all(changed: u64, expected: usize) -> bool {
    usize::try_from(changed).ok() == Some(expected)
}
