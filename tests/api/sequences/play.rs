//! One sequence: steps drawn by chance, each done by the service and by the model, each refused by both or by neither.

use chrono::TimeDelta;
use uuid::Uuid;
use zhuxiao::app::App;
use zhuxiao::deliveries::{self, AcceptanceLine, DeliveryView, DispatchLine, NewAcceptance, NewDelivery};
use zhuxiao::idempotency::Key;
use zhuxiao::members::access::Caller;
use zhuxiao::money::Fen;
use zhuxiao::orders::{self, LineRequest, OrderRequest, PaymentMode, RawAmount};
use zhuxiao::quantity::Unit;
use zhuxiao::refusal::{Failure, Outcome};

use super::Dice;
use super::county::{County, Institution};
use super::model::{For, Line, Model, Use};
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

/// A part of an order.
struct Allocated {
    id: Uuid,
    grams: i64,
    /// Fen per kilo.
    price: i64,
}

pub struct Play<'a> {
    pub app: &'a App,
    pub county: &'a County,
    pub dice: Dice,
    pub model: Model,
    story: Story,
}

impl<'a> Play<'a> {
    pub fn new(app: &'a App, county: &'a County, dice: Dice, seed: u64) -> Self {
        Self { app, county, dice, model: Model::default(), story: Story { seed, steps: Vec::new() } }
    }

    /// Plays the steps, and compares after the last. Answers how many steps there were.
    pub async fn until_the_end(mut self) -> usize {
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
            0..=19 => self.sell().await,
            20..=42 => self.pay().await,
            43..=50 => self.reverse().await,
            51..=56 => self.use_deposit().await,
            57..=59 => self.reverse_use().await,
            60..=71 => self.draft().await,
            72..=80 => self.approve().await,
            81..=90 => self.hear_results().await,
            91..=93 => self.allow_retry().await,
            _ => self.let_days_pass(),
        }
    }

    /// Ids of one millisecond have no order among them, so no two steps share one.
    pub fn note(&mut self, step: String) {
        self.app.clock.advance(TimeDelta::milliseconds(1));
        self.story.steps.push(step);
    }

    fn let_days_pass(&mut self) {
        let days = self.dice.between(1, 2);
        self.note(format!("{days} days pass"));
        self.app.clock.advance(TimeDelta::days(days));
    }

    pub fn institution(&mut self) -> &'a Institution {
        &self.county.institutions[self.dice.index(self.county.institutions.len())]
    }

    /// Orders, delivers and accepts: a settlement, unless everything is refused, or nothing when it is prepaid and the
    /// deposit does not cover it.
    async fn sell(&mut self) {
        let (app, county) = (self.app, self.county);
        let institution = self.institution();
        let grams = self.dice.between(4, 40_000);
        let mode = if self.dice.below(4) == 0 { PaymentMode::Prepaid } else { PaymentMode::GoodsFirst };
        self.note(format!("{grams} g are sold to {}, {mode:?}", institution.id));
        let request = self.order(institution.id, grams, mode);
        let (buyer, approver) = (&institution.buyer, &institution.approver);
        let order = orders::place(app, buyer, &key(buyer), &request).await.unwrap().value;
        orders::confirm(app, approver, &key(approver), order.id).await.unwrap();
        let allocated: Vec<Allocated> = order.lines[0]
            .allocations
            .iter()
            .flatten()
            .map(|part| Allocated {
                id: part.id.unwrap(),
                grams: part.quantity_base,
                price: county.prices[&part.lot_id],
            })
            .collect();
        let lines = allocated
            .iter()
            .map(|part| DispatchLine { allocation_id: part.id, quantity: raw(part.grams) })
            .collect();
        let new = NewDelivery { lines, note: None };
        let sent = deliveries::dispatch(app, &county.officer, &key(&county.officer), order.id, &new).await;
        let needed: i64 = allocated.iter().map(|part| worth(part.price, part.grams)).sum();
        let is_covered = mode == PaymentMode::GoodsFirst || self.model.deposit_of(institution.id) >= needed;
        assert_eq!(is_done(&sent), is_covered, "{sent:?}");
        let Ok(delivery) = sent else { return };
        let accepted = self.accept(institution, &delivery.value, &allocated).await;
        if mode == PaymentMode::Prepaid && !accepted.is_empty() {
            self.prepaid(institution.id, order.id, accepted.iter().map(|(_, fen)| fen).sum()).await;
        }
    }

    /// Weighs what came, and refuses some of it; answers what is owed by allocation.
    async fn accept(
        &mut self,
        institution: &Institution,
        delivery: &DeliveryView,
        allocated: &[Allocated],
    ) -> Vec<(Uuid, i64)> {
        let mut lines = Vec::new();
        let mut owed = Vec::new();
        for line in &delivery.lines {
            let refused =
                if self.dice.below(4) == 0 { self.dice.between(1, line.dispatched_base) } else { 0 };
            let accepted = line.dispatched_base - refused;
            lines.push(accepted_line(line.id, accepted, refused));
            let part = allocated.iter().find(|part| part.id == line.allocation_id).unwrap();
            if accepted > 0 {
                owed.push((part.id, worth(part.price, accepted)));
            }
        }
        let witness_account = institution.approver.account.clone();
        let new = NewAcceptance { lines, witness_account, must_replace: false };
        let buyer = &institution.buyer;
        let accepted = deliveries::accept(self.app, buyer, &key(buyer), delivery.id, &new).await.unwrap();
        owed.sort_unstable();
        self.settled(accepted.value.settlement_id, &owed).await;
        owed
    }

    /// What was accepted of a prepaid order is paid from the deposit at once.
    async fn prepaid(&mut self, institution: Uuid, order: Uuid, owed: i64) {
        let used = stored::use_of(self.app, order).await;
        assert_eq!(used.is_some(), owed > 0);
        let Some((id, settlement)) = used else { return };
        let chosen = For::Chosen(vec![(settlement, None)]);
        let parts = self.model.parts_of(institution, owed, &chosen);
        self.model.use_deposit(Use { id, institution, parts, is_reversed: false });
    }

    /// Takes the lines of a settlement over, whose amounts the model knew before.
    async fn settled(&mut self, settlement: Option<Uuid>, expected: &[(Uuid, i64)]) {
        assert_eq!(settlement.is_some(), !expected.is_empty());
        let Some(settlement) = settlement else { return };
        let mut lines = stored::lines_of(self.app, settlement).await;
        lines.sort_by_key(|(allocation, _)| *allocation);
        let stored: Vec<(Uuid, i64)> =
            lines.iter().map(|(allocation, line)| (*allocation, line.amount)).collect();
        assert_eq!(stored, expected);
        for (_, line) in lines {
            // What a prepaid order paid already is the model's to find.
            assert_eq!(line.paid_out, 0);
            self.model.lines.insert(line.id, Line { received: 0, ..line });
        }
    }

    fn order(&mut self, institution_id: Uuid, grams: i64, payment_mode: PaymentMode) -> OrderRequest {
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
        let policy = policies[self.dice.index(policies.len())];
        OrderRequest { institution_id, policy, payment_mode, lines: vec![line] }
    }
}

/// A key that no request had before.
pub fn key(caller: &Caller) -> Key {
    let key = Uuid::now_v7().to_string();
    Key { principal_id: caller.principal_id, fingerprint: key.clone(), key }
}

/// `false` when it was refused; anything else that goes wrong is a fault.
pub fn is_done<T: std::fmt::Debug>(outcome: &Outcome<T>) -> bool {
    assert!(matches!(outcome, Ok(_) | Err(Failure::Refused(_))), "{outcome:?}");
    outcome.is_ok()
}

/// Rounded half up to the fen, once.
fn worth(fen_per_kilo: i64, grams: i64) -> i64 {
    (fen_per_kilo * grams + 500) / 1_000
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
