//! Money in and money out: institutions pay what they settled, and once a month the households are paid. Who prepares a
//! batch never approves it.

use uuid::Uuid;

use super::year::{Step, Year};
use crate::cli::Ended;
use crate::money::Fen;
use crate::payments::{self, NewPayment};
use crate::payouts::{self, BankResult};
use crate::refusal::{Failure, Refusal};
use crate::settlement;

/// Payouts that the bank returns, in a thousand.
const RETURNED_PER_MILLE: i64 = 18;

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
        let new = NewPayment { institution_id, amount, received_on: app.clock.today(), reference };
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

    pub(super) async fn record_results(&mut self, batch_id: Uuid) -> Result<(), Ended> {
        let app = &self.stage.app;
        let finance = &self.people.finance;
        let (_, payouts) = payouts::find(app, finance, batch_id).await?;
        let mut results = Vec::with_capacity(payouts.len());
        for payout in payouts {
            let is_returned = self.dice.happens(RETURNED_PER_MILLE);
            let reason = self.dice.pick(&RETURN_REASONS).filter(|_| is_returned);
            let result = reason
                .map_or(BankResult::Paid, |reason| BankResult::Returned { reason: (*reason).to_owned() });
            results.push((payout.id, result));
        }
        let key = self.key(finance);
        payouts::record_results(app, finance, &key, batch_id, &results).await?;
        Ok(())
    }
}
