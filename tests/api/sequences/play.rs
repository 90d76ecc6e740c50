//! One sequence: steps drawn by chance, each done by the service and by the model, each refused by both or by neither.

use chrono::{NaiveDate, TimeDelta};
use uuid::Uuid;
use zhuxiao::app::App;
use zhuxiao::deliveries::{self, AcceptanceLine, DispatchLine, NewAcceptance, NewDelivery};
use zhuxiao::idempotency::Key;
use zhuxiao::members::access::Caller;
use zhuxiao::money::Fen;
use zhuxiao::orders::{self, LineRequest, OrderRequest, RawAmount};
use zhuxiao::payments::{self, NewPayment};
use zhuxiao::payouts::{self, BankResult};
use zhuxiao::quantity::Unit;
use zhuxiao::refusal::{Failure, Outcome};

use super::Dice;
use super::county::{County, Institution};
use super::model::{Bank, Model, Payment, sum};
use super::stored;

/// What was done so far; told when a test fails.
struct Story {
    seed: u64,
    steps: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sequence of seed {}:\n  {}", self.seed, self.steps.join("\n  "));
        }
    }
}

pub struct Play<'a> {
    app: &'a App,
    county: &'a County,
    dice: Dice,
    model: Model,
    story: Story,
}

impl<'a> Play<'a> {
    pub fn new(app: &'a App, county: &'a County, dice: Dice, seed: u64) -> Self {
        Self { app, county, dice, model: Model::default(), story: Story { seed, steps: Vec::new() } }
    }

    /// Plays the steps, and compares after the last. Answers how many steps there were.
    pub async fn to_the_end(mut self) -> usize {
        // Something to pay comes first.
        self.sell().await;
        for _ in 0..self.dice.between(8, 20) {
            self.step().await;
        }
        self.model.assert_sound();
        assert_eq!(stored::facts(self.app, &self.county.code).await, stored::expected(&self.model));
        assert_eq!(stored::balances(self.app, &self.county.code).await, self.model.balances());
        self.story.steps.len()
    }

    async fn step(&mut self) {
        match self.dice.between(0, 99) {
            0..=21 => self.sell().await,
            22..=49 => self.pay().await,
            50..=59 => self.reverse().await,
            60..=72 => self.draft().await,
            73..=82 => self.approve().await,
            83..=93 => self.hear_results().await,
            _ => self.let_days_pass(),
        }
    }

    /// Ids of one millisecond have no order among them, so no two steps share one.
    fn note(&mut self, step: String) {
        self.app.clock.advance(TimeDelta::milliseconds(1));
        self.story.steps.push(step);
    }

    fn let_days_pass(&mut self) {
        let days = self.dice.between(1, 2);
        self.note(format!("{days} days pass"));
        self.app.clock.advance(TimeDelta::days(days));
    }

    fn institution(&mut self) -> &'a Institution {
        &self.county.institutions[self.dice.index(self.county.institutions.len())]
    }

    /// Orders, delivers and accepts: a settlement, unless everything is refused.
    async fn sell(&mut self) {
        let (app, county) = (self.app, self.county);
        let institution = self.institution();
        let grams = self.dice.between(4, 40_000);
        self.note(format!("{grams} g are sold to {}", institution.id));
        let request = self.order(institution.id, grams);
        let key = key(&institution.buyer);
        let order = orders::place(app, &institution.buyer, &key, &request).await.unwrap().value;
        orders::confirm(app, &institution.approver, &self::key(&institution.approver), order.id)
            .await
            .unwrap();
        let parts = order.lines[0].allocations.clone().unwrap();
        let prices: Vec<(Uuid, i64)> =
            parts.iter().map(|part| (part.id.unwrap(), county.prices[&part.lot_id])).collect();
        let lines = parts
            .iter()
            .map(|part| DispatchLine { allocation_id: part.id.unwrap(), quantity: raw(part.quantity_base) });
        let new = NewDelivery { lines: lines.collect(), note: None };
        let key = self::key(&county.officer);
        let delivery = deliveries::dispatch(app, &county.officer, &key, order.id, &new).await.unwrap().value;
        let weighed: Vec<(Uuid, Uuid, i64, i64)> = delivery
            .lines
            .iter()
            .map(|line| {
                let refused =
                    if self.dice.below(4) == 0 { self.dice.between(1, line.dispatched_base) } else { 0 };
                (line.id, line.allocation_id, line.dispatched_base - refused, refused)
            })
            .collect();
        let acceptance = NewAcceptance {
            lines: weighed
                .iter()
                .map(|(id, _, accepted, refused)| accepted_line(*id, *accepted, *refused))
                .collect(),
            witness_account: institution.approver.account.clone(),
            must_replace: false,
        };
        let key = self::key(&institution.buyer);
        let accepted =
            deliveries::accept(app, &institution.buyer, &key, delivery.id, &acceptance).await.unwrap().value;
        let expected: Vec<(Uuid, i64)> = weighed
            .iter()
            .filter(|(_, _, accepted, _)| *accepted > 0)
            .map(|(_, allocation, accepted, _)| {
                let price = prices.iter().find(|(id, _)| id == allocation).unwrap().1;
                // Rounded half up to the fen, once.
                (*allocation, (price * accepted + 500) / 1_000)
            })
            .collect();
        self.settled(accepted.settlement_id, expected).await;
    }

    /// Takes the lines of a settlement over, whose amounts the model knew before.
    async fn settled(&mut self, settlement: Option<Uuid>, mut expected: Vec<(Uuid, i64)>) {
        assert_eq!(settlement.is_some(), !expected.is_empty());
        let Some(settlement) = settlement else { return };
        let mut lines = stored::lines_of(self.app, settlement).await;
        lines.sort_by_key(|(allocation, _)| *allocation);
        expected.sort_unstable();
        let stored: Vec<(Uuid, i64)> =
            lines.iter().map(|(allocation, line)| (*allocation, line.amount)).collect();
        assert_eq!(stored, expected);
        for (_, line) in lines {
            assert_eq!((line.received, line.paid_out), (0, 0));
            self.model.lines.insert(line.id, line);
        }
    }

    fn order(&mut self, institution_id: Uuid, grams: i64) -> OrderRequest {
        use zhuxiao::orders::allocation::Policy;
        let policies = [Policy::MaxMin, Policy::Proportional, Policy::Cheapest, Policy::IncomeLevelling];
        let line = LineRequest {
            product_id: self.county.product,
            quantity: raw(grams),
            max_price_fen: Fen::new(1_000_000),
            max_price_per: Unit::Kg,
            needed_by: self.app.clock.today() + chrono::Days::new(20),
            region: None,
            grade: None,
            min_share: None,
            max_households: Some(u32::try_from(self.dice.between(1, 4)).unwrap()),
            allow_partial: false,
        };
        OrderRequest { institution_id, policy: policies[self.dice.index(policies.len())], lines: vec![line] }
    }

    /// Too little, exactly what is open, or more; now and then the same request twice.
    async fn pay(&mut self) {
        let institution = self.institution().id;
        let open = self.model.open_of(institution);
        let amount = match self.dice.below(6) {
            0 => open.max(1),
            1 => open + self.dice.between(1, 5_000),
            2 => 1,
            _ => self.dice.between(1, open.max(1)),
        };
        self.note(format!("{institution} pays {amount} fen"));
        let finance = &self.county.finance[0];
        let key = key(finance);
        let new = NewPayment {
            institution_id: institution,
            amount: Fen::new(amount),
            received_on: self.app.clock.today(),
            reference: "transfer".to_owned(),
        };
        let paid = payments::record(self.app, finance, &key, new.clone()).await.unwrap().value;
        let parts = self.model.parts_of_payment(institution, amount);
        self.model.pay(Payment { id: paid.id, institution, amount, parts, is_reversed: false });
        if self.dice.below(8) == 0 {
            let again = payments::record(self.app, finance, &key, new).await.unwrap();
            assert!(again.is_replay && again.value.id == paid.id);
        }
    }

    async fn reverse(&mut self) {
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

    async fn draft(&mut self) {
        let up_to: NaiveDate =
            self.app.clock.today() - TimeDelta::days(if self.dice.below(4) == 0 { 1 } else { 0 });
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

    async fn approve(&mut self) {
        let waiting = self.model.batches(Bank::Drafted);
        let Some(batch) = waiting.get(self.dice.index(waiting.len().max(1))).copied() else { return };
        self.note(format!("batch {batch} is approved"));
        let finance = &self.county.finance[1];
        payouts::approve(self.app, finance, &key(finance), batch).await.unwrap();
        self.model.approve(batch);
    }

    /// Some of what the bank was asked to pay was paid, and some came back.
    async fn hear_results(&mut self) {
        let waiting = self.model.batches(Bank::Instructed);
        let Some(batch) = waiting.get(self.dice.index(waiting.len().max(1))).copied() else { return };
        let mut told = Vec::new();
        for payout in self.model.payouts.iter().filter(|payout| payout.batch == batch) {
            if payout.bank == Bank::Instructed && self.dice.below(4) > 0 {
                told.push((payout.id, self.dice.below(3) > 0));
            }
        }
        if told.is_empty() {
            return;
        }
        self.note(format!("of batch {batch} were paid or came back {told:?}"));
        let results: Vec<(Uuid, BankResult)> = told
            .iter()
            .map(|(id, is_paid)| {
                let returned = || BankResult::Returned { reason: "account closed".to_owned() };
                (*id, if *is_paid { BankResult::Paid } else { returned() })
            })
            .collect();
        let finance = &self.county.finance[0];
        payouts::record_results(self.app, finance, &key(finance), batch, &results).await.unwrap();
        for (payout, is_paid) in told {
            self.model.tell(payout, is_paid);
        }
    }
}

/// A key that no request had before.
fn key(caller: &Caller) -> Key {
    let key = Uuid::now_v7().to_string();
    Key { principal_id: caller.principal_id, fingerprint: key.clone(), key }
}

/// `false` when it was refused; anything else that goes wrong is a fault.
fn is_done<T: std::fmt::Debug>(outcome: &Outcome<T>) -> bool {
    assert!(matches!(outcome, Ok(_) | Err(Failure::Refused(_))), "{outcome:?}");
    outcome.is_ok()
}

fn raw(grams: i64) -> RawAmount {
    RawAmount { amount: format!("{}.{:03}", grams / 1_000, grams % 1_000), unit: Unit::Kg }
}

fn accepted_line(id: Uuid, accepted: i64, refused: i64) -> AcceptanceLine {
    AcceptanceLine {
        delivery_line_id: id,
        accepted: raw(accepted),
        refused: (refused > 0).then(|| raw(refused)),
        refusal_reason: (refused > 0).then(|| "规格不符".to_owned()),
    }
}
