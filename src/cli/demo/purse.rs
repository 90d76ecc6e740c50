//! Money in and money out: institutions pay what they settled, and once a month the households are paid. Who prepares a
//! batch never approves it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::bank;
use super::year::{Step, Year};
use crate::cli::Ended;
use crate::http::page::PageRequest;
use crate::id::content_hash;
use crate::members::households::{self, HouseholdEdit};
use crate::money::Fen;
use crate::payments::{self, NewPayment};
use crate::payouts::results::{self, ResultFile};
use crate::payouts::{self, bank_file, end_to_end_id};
use crate::refusal::{Failure, Refusal};
use crate::settlement::{self, Targets};

/// Payouts that the bank returns, in a thousand.
const RETURNED_PER_MILLE: i64 = 18;

/// No batch is larger.
const WHOLE_BATCH: u64 = 100_000;

const RETURN_REASONS: [&str; 3] = ["账户已销户", "户名不符", "账户状态异常"];

impl Year<'_> {
    /// Records a payment of so many hundredths of a settlement.
    pub(super) async fn pay(&mut self, settlement_id: Uuid, percent: i64) -> Result<(), Ended> {
        let app = &self.stage.app;
        let finance = &self.people.finance;
        let (settlement, _) = settlement::find(app, finance, settlement_id, None).await?;
        let amount = match percent {
            100 => settlement.amount,
            // The rest, to the fen.
            40 => {
                let first = settlement.amount.get() * 60 / 100;
                Fen::new(settlement.amount.get() - first)
            }
            other => Fen::new(settlement.amount.get() * other / 100),
        };
        if amount == Fen::ZERO {
            return Ok(());
        }
        self.book(settlement.institution_id, amount, format!("货款 {}", settlement.number)).await
    }

    /// Records what an institution pays that may order nothing before.
    pub(super) async fn pay_debt(&mut self, institution_id: Uuid, amount: Fen) -> Result<(), Ended> {
        self.book(institution_id, amount, "逾期货款".to_owned()).await
    }

    async fn book(&mut self, institution_id: Uuid, amount: Fen, reference: String) -> Result<(), Ended> {
        let app = &self.stage.app;
        let finance = &self.people.finance;
        let new = NewPayment {
            institution_id,
            amount,
            received_on: app.clock.today(),
            reference,
            targets: Targets::OldestFirst,
        };
        let key = self.key(finance);
        payments::record(app, finance, &key, new).await?;
        Ok(())
    }

    /// Gathers what was received into a batch, if anything was.
    pub(super) async fn make_payouts(&mut self) -> Result<(), Ended> {
        let finance = &self.people.finance;
        let key = self.key(finance);
        let app = &self.stage.app;
        match payouts::make(app, finance, &key, app.clock.today()).await {
            Ok(made) => {
                self.schedule_in(150, Step::ApprovePayouts(made.value.id));
                Ok(())
            }
            // Nothing waits to be paid out.
            Err(Failure::Refused(Refusal::Invalid { .. })) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn approve_payouts(&mut self, batch_id: Uuid) -> Result<(), Ended> {
        let second = &self.people.second_finance;
        let key = self.key(second);
        // The last batch of the demo waits: the year ends before its second person comes.
        if self.stage.app.clock.today() < self.stage.calendar.end() {
            payouts::approve(&self.stage.app, second, &key, batch_id).await?;
            self.schedule_in(1_440, Step::RecordResults(batch_id));
        }
        Ok(())
    }

    /// The bank gets the file of a batch and answers it with a report.
    pub(super) async fn record_results(&mut self, batch_id: Uuid) -> Result<(), Ended> {
        let app = &self.stage.app;
        let finance = &self.people.finance;
        let whole = PageRequest { limit: WHOLE_BATCH, before: None };
        let mut payouts = payouts::list_payouts(app, finance, batch_id, None, whole).await?.items;
        // Village by village, as the bank's branches answer.
        payouts
            .sort_unstable_by(|one, other| (&one.village_code, one.id).cmp(&(&other.village_code, other.id)));
        let (mut refused, mut returned) = (BTreeMap::new(), Vec::new());
        for payout in payouts {
            let is_returned = self.dice.happens(RETURNED_PER_MILLE);
            if let Some(reason) = self.dice.pick(&RETURN_REASONS).filter(|_| is_returned) {
                refused.insert(end_to_end_id(payout.id), *reason);
                returned.push(payout.household_id);
            }
        }
        let order = bank_file::write(app, finance, batch_id, bank_file::Format::Pain001).await?;
        let report = bank::answer(&bank::received(order.pieces).await?, &refused);
        let key = self.key(finance);
        let file =
            ResultFile { hash: content_hash(report.as_bytes()), bytes: report.into(), is_partial: false };
        results::import(app, finance, &key, batch_id, file).await?;
        if !returned.is_empty() {
            self.schedule_in(2_880, Step::CorrectAccounts(returned));
        }
        Ok(())
    }

    /// Households whose money came back bring another account.
    pub(super) async fn correct_accounts(&mut self, household_ids: &[Uuid]) -> Result<(), Ended> {
        let (app, officer) = (&self.stage.app, &self.people.officer);
        for id in household_ids {
            self.corrected += 1;
            let version = households::get(app, officer, *id).await?.household.version;
            let bank_account = Some(format!("0000000001{:09}", self.corrected));
            let edit = HouseholdEdit { bank_account, ..HouseholdEdit::default() };
            households::update(app, officer, *id, version, edit).await?;
        }
        Ok(())
    }
}
