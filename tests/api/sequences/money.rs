//! The steps of money of a sequence: in from institutions, on deposit, and out to households.

use chrono::{NaiveDate, TimeDelta};
use uuid::Uuid;
use zhuxiao::money::Fen;
use zhuxiao::payments::{self, NewPayment, deposits};
use zhuxiao::payouts::{self, BankResult, ReturnCode, results};
use zhuxiao::settlement::{Target, Targets};

use super::model::{Bank, For, Parts, Payment, Use, sum};
use super::play::{Play, is_done, key};
use super::stored;

impl Play<'_> {
    /// Too little, exactly what is open, or more; for anything, for chosen settlements or ahead; now and then the same
    /// request twice.
    pub async fn pay(&mut self) {
        let institution = self.institution().id;
        let open = self.model.open_of(institution);
        let amount = match self.dice.below(6) {
            0 => open.max(1),
            1 => open + self.dice.between(1, 5_000),
            2 => 1,
            _ => self.dice.between(1, open.max(1)),
        };
        let what = self.purpose(institution, amount);
        self.note(format!("{institution} pays {amount} fen for {what:?}"));
        let finance = &self.county.finance[0];
        let key = key(finance);
        let new = NewPayment {
            institution_id: institution,
            amount: Fen::new(amount),
            received_on: self.app.clock.today(),
            reference: "transfer".to_owned(),
            targets: targets(&what),
        };
        let paid = payments::record(self.app, finance, &key, new.clone()).await.unwrap().value;
        let parts = self.model.parts_of(institution, amount, &what);
        self.model.pay(Payment { id: paid.id, institution, amount, parts, is_reversed: false });
        if self.dice.below(8) == 0 {
            let again = payments::record(self.app, finance, &key, new).await.unwrap();
            assert!(again.is_replay && again.value.id == paid.id);
        }
    }

    /// What an amount is to pay: of chosen settlements now and then one with an amount of its own.
    fn purpose(&mut self, institution: Uuid, amount: i64) -> For {
        let open = self.model.open_settlements(institution);
        match self.dice.below(10) {
            0 => For::Deposit,
            1..=3 if !open.is_empty() => {
                let count = 1 + self.dice.index(open.len().min(2));
                let first = self.dice.index(open.len() - count + 1);
                let mut chosen: Vec<(Uuid, Option<i64>)> =
                    open[first..first + count].iter().map(|(id, _)| (*id, None)).collect();
                if self.dice.below(2) == 0 {
                    chosen[0].1 = Some(self.dice.between(1, amount.min(open[first].1)));
                }
                For::Chosen(chosen)
            }
            _ => For::Anything,
        }
    }

    pub async fn reverse(&mut self) {
        if self.model.payments.is_empty() {
            return;
        }
        let at = self.dice.index(self.model.payments.len());
        let id = self.model.payments[at].id;
        self.note(format!("payment {id} of {} fen is taken back", self.model.payments[at].amount));
        let finance = &self.county.finance[0];
        let done = payments::reverse(self.app, finance, &key(finance), id, "wrong").await;
        let is_reversible = self.model.is_reversible(at);
        assert_eq!(is_done(&done), is_reversible, "{done:?}");
        if is_reversible {
            self.model.reverse(at);
        }
    }

    /// All of a deposit, or more or less than it.
    pub async fn use_deposit(&mut self) {
        let institution = self.institution().id;
        let there = self.model.deposit_of(institution);
        let amount = (self.dice.below(2) == 0).then(|| self.dice.between(1, there + 1));
        let what = self.purpose(institution, amount.unwrap_or(there).max(1));
        if matches!(what, For::Deposit) {
            return;
        }
        self.note(format!("{institution} uses {amount:?} of {there} fen on deposit for {what:?}"));
        let finance = &self.county.finance[0];
        let targets = targets(&what);
        let amount_fen = amount.map(Fen::new);
        let done = deposits::apply(self.app, finance, &key(finance), institution, amount_fen, &targets).await;
        let wanted = amount.unwrap_or(there);
        let is_there = there > 0 && wanted <= there;
        let parts = if is_there { self.model.parts_of(institution, wanted, &what) } else { Parts::new() };
        let is_used = sum(&parts) > 0 && amount.is_none_or(|amount| amount == sum(&parts));
        assert_eq!(is_done(&done), is_used, "{done:?}");
        if let Ok(used) = done {
            assert_eq!(used.value.amount, Fen::new(sum(&parts)));
            self.model.use_deposit(Use { id: used.value.id, institution, parts, is_reversed: false });
        }
    }

    pub async fn reverse_use(&mut self) {
        if self.model.uses.is_empty() {
            return;
        }
        let at = self.dice.index(self.model.uses.len());
        let id = self.model.uses[at].id;
        self.note(format!("use {id} of a deposit is taken back"));
        let finance = &self.county.finance[0];
        let done = deposits::reverse(self.app, finance, &key(finance), id, "wrong").await;
        let is_reversible = self.model.is_use_reversible(at);
        assert_eq!(is_done(&done), is_reversible, "{done:?}");
        if is_reversible {
            self.model.reverse_use(at);
        }
    }

    pub async fn draft(&mut self) {
        let days = i64::from(self.dice.below(4) == 0);
        let up_to: NaiveDate = self.app.clock.today() - TimeDelta::days(days);
        self.note(format!("a batch is made of what was sold up to {up_to}"));
        let finance = &self.county.finance[0];
        let made = payouts::make(self.app, finance, &key(finance), up_to).await;
        let payable = self.model.payable(up_to);
        assert_eq!(is_done(&made), !payable.is_empty(), "{made:?}");
        let Ok(batch) = made else { return };
        let payouts = stored::payouts_of(self.app, batch.value.id).await;
        let shares = payouts.iter().map(|(_, household, parts)| (*household, parts.clone())).collect();
        assert_eq!(payable, shares);
        let amount: i64 = payable.values().map(sum).sum();
        assert_eq!(batch.value.amount, Fen::new(amount));
        self.model.draft(batch.value.id, payouts);
    }

    pub async fn approve(&mut self) {
        let Some(batch) = self.batch_with(&[Bank::Drafted]) else { return };
        self.note(format!("batch {batch} is approved"));
        let finance = &self.county.finance[1];
        payouts::approve(self.app, finance, &key(finance), batch).await.unwrap();
        self.model.approve(batch);
    }

    /// Any of the batches that have a payout in one of these states.
    fn batch_with(&mut self, banks: &[Bank]) -> Option<Uuid> {
        let waiting = self.model.batches(banks);
        waiting.get(self.dice.index(waiting.len().max(1))).copied()
    }

    /// Some of what the bank was asked to pay was paid, some came back, and of some nothing is known.
    pub async fn hear_results(&mut self) {
        let asked = [Bank::Instructed, Bank::Unknown];
        let Some(batch) = self.batch_with(&asked) else { return };
        let own = self.model.payouts.iter().filter(|payout| payout.batch == batch);
        let open: Vec<(Uuid, Bank)> = own
            .filter(|payout| asked.contains(&payout.bank))
            .map(|payout| (payout.id, payout.bank))
            .collect();
        let (mut told, mut unknown) = (Vec::new(), Vec::new());
        for (payout, bank) in open {
            match self.dice.below(8) {
                0 => told.push((payout, Bank::Returned)),
                1 => told.push((payout, Bank::Bounced)),
                2 if bank == Bank::Instructed => unknown.push(payout),
                2..=3 => {}
                _ => told.push((payout, Bank::Paid)),
            }
        }
        self.note(format!("batch {batch} is answered {told:?}, nothing is known of {unknown:?}"));
        let (app, finance) = (self.app, &self.county.finance[0]);
        if !unknown.is_empty() {
            results::mark_unknown(app, finance, &key(finance), batch, &unknown).await.unwrap();
        }
        if !told.is_empty() {
            let heard: Vec<(Uuid, BankResult)> = told.iter().map(|(id, bank)| (*id, result(*bank))).collect();
            results::record(app, finance, &key(finance), batch, &heard).await.unwrap();
        }
        for (payout, bank) in told.into_iter().chain(unknown.into_iter().map(|id| (id, Bank::Unknown))) {
            self.model.tell(payout, bank);
        }
    }

    /// Somebody says that an account is right although money came back from it.
    pub async fn allow_retry(&mut self) {
        let bounced = self.model.payouts.iter().filter(|payout| payout.bank == Bank::Bounced);
        let bounced: Vec<(Uuid, Uuid)> = bounced.map(|payout| (payout.batch, payout.id)).collect();
        let Some((batch, payout)) = bounced.get(self.dice.index(bounced.len().max(1))).copied() else {
            return;
        };
        self.note(format!("payout {payout} may be tried again"));
        let finance = &self.county.finance[0];
        let retried = (&[payout][..], "the account is right");
        results::allow_retry(self.app, finance, &key(finance), batch, retried).await.unwrap();
        self.model.allow_retry(payout);
    }
}

fn targets(what: &For) -> Targets {
    match what {
        For::Anything => Targets::OldestFirst,
        For::Deposit => Targets::Deposit,
        For::Chosen(chosen) => {
            let target = |(settlement_id, amount): &(Uuid, Option<i64>)| Target {
                settlement_id: *settlement_id,
                amount: amount.map(Fen::new),
            };
            Targets::Chosen(chosen.iter().map(target).collect())
        }
    }
}

fn result(bank: Bank) -> BankResult {
    let returned = |code| BankResult::Returned { code, reason: "sent back".to_owned() };
    match bank {
        Bank::Bounced => returned(ReturnCode::ClosedAccount),
        Bank::Returned => returned(ReturnCode::Other),
        _ => BankResult::Paid,
    }
}
