//! From the villages to the kitchen: goods go out a little lighter than ordered, are weighed, and some are refused.

use super::calendar::at;
use super::year::{Dispatched, DispatchedLine, Step, Year};
use crate::cli::Ended;
use crate::deliveries::{self, AcceptanceLine, DispatchLine, NewAcceptance, NewDelivery};
use crate::orders::{self, AllocationFacts, RawAmount};
use crate::quantity::{Measure, show_base};

/// Deliveries of one order at most; what is still missing then stays missing.
const ROUNDS_MAX: u32 = 4;

/// A delivery that lacks more than this is filled up from other households: so many in a thousand.
const MISSING_PER_MILLE: i64 = 40;

const REFUSALS: [&str; 5] = ["部分腐烂", "规格不符", "农残速测不合格", "包装破损", "超出约定的送货时间"];

/// Most institutions pay within a month.
const PAYMENT_DAYS: (i64, i64) = (6, 26);

impl Year<'_> {
    /// Sends out what is confirmed, now and then in two parts.
    pub(super) async fn dispatch(&mut self, number: usize, round: u32) -> Result<(), Ended> {
        if !self.orders.contains_key(&number) {
            return Ok(());
        }
        let order_id = self.order(number)?;
        let app = &self.stage.app;
        let allocations = orders::allocations_of(app.db.reader(), order_id).await?;
        let mut ready: Vec<AllocationFacts> =
            allocations.into_iter().filter(|part| part.state == "confirmed").collect();
        if ready.is_empty() {
            return Ok(());
        }
        if round == 1 && ready.len() > 3 && self.dice.happens(300) {
            ready.truncate(ready.len() * 2 / 3);
        }
        let bases: Vec<i64> = ready.iter().map(|part| self.weight_out(part)).collect();
        let lines = ready.iter().zip(&bases).map(|(part, base)| DispatchLine {
            allocation_id: part.id,
            quantity: amount(*base, part.measure),
        });
        let new = NewDelivery { lines: lines.collect(), note: None };
        let officer = &self.people.officer;
        let key = self.key(officer);
        let delivery = deliveries::dispatch(app, officer, &key, order_id, &new).await?.value;
        let lines = delivery.lines.iter().map(|line| DispatchedLine {
            id: line.id,
            measure: line.measure,
            allocated_base: ready
                .iter()
                .find(|part| part.id == line.allocation_id)
                .map_or(line.dispatched_base, |part| part.quantity_base),
            dispatched_base: line.dispatched_base,
        });
        let dispatched = Dispatched { delivery_id: delivery.id, round, lines: lines.collect() };
        let minutes = self.dice.between(90, 420);
        self.schedule_in(minutes, Step::Accept(number, dispatched));
        Ok(())
    }

    /// Accepts a delivery before the approver, and lets others fill up what is missing when it is much.
    pub(super) async fn accept(&mut self, number: usize, delivery: &Dispatched) -> Result<(), Ended> {
        let buyer = self.buyer(number)?;
        let app = &self.stage.app;
        let mut lines = Vec::with_capacity(delivery.lines.len());
        let (mut allocated, mut missing) = (0, 0);
        for line in &delivery.lines {
            let refused = self.weight_refused(line);
            let reason = (refused > 0).then(|| self.dice.pick(&REFUSALS).map(|reason| (*reason).to_owned()));
            lines.push(AcceptanceLine {
                delivery_line_id: line.id,
                accepted: amount(line.dispatched_base - refused, line.measure),
                refused: (refused > 0).then(|| amount(refused, line.measure)),
                refusal_reason: reason.flatten(),
            });
            // Kilos and pieces do not add up, so each line counts by what it lacks of itself.
            allocated += 1_000;
            missing +=
                1_000 * (line.allocated_base - line.dispatched_base + refused) / line.allocated_base.max(1);
        }
        let must_replace = delivery.round < ROUNDS_MAX && missing * 1_000 > allocated * MISSING_PER_MILLE;
        let witness_account = buyer.approver.account.clone();
        let new = NewAcceptance { lines, witness_account, must_replace };
        let key = self.key(&buyer.buyer);
        let accepted = deliveries::accept(app, &buyer.buyer, &key, delivery.delivery_id, &new).await?.value;
        if let Some(settlement_id) = accepted.settlement_id {
            self.expect_payment(settlement_id);
        }
        let left = orders::allocations_of(app.db.reader(), self.order(number)?).await?;
        if left.iter().any(|part| part.state == "confirmed") {
            let tomorrow = app.clock.today() + chrono::TimeDelta::days(1);
            self.schedule(at(tomorrow, 6, 30), Step::Dispatch(number, delivery.round + 1));
        } else if self.dice.happens(850) {
            let days = self.dice.between(1, 6);
            self.schedule_in(days * 1_440, Step::Rate(number));
        }
        Ok(())
    }

    pub(super) async fn rate(&mut self, number: usize) -> Result<(), Ended> {
        let stars = self.dice.weighted(&[(5_u8, 55_i64), (4, 30), (3, 10), (2, 4), (1, 1)], |stars| stars.1);
        let stars = stars.map_or(5, |stars| stars.0);
        let buyer = &self.buyer(number)?.buyer;
        orders::rate(&self.stage.app, buyer, self.order(number)?, stars, None).await?;
        Ok(())
    }

    /// When and how much of a settlement will be paid: all of it mostly, sometimes in two parts, sometimes too much,
    /// sometimes nothing.
    fn expect_payment(&mut self, settlement_id: uuid::Uuid) {
        let days = self.dice.between(PAYMENT_DAYS.0, PAYMENT_DAYS.1);
        let due = days * 1_440;
        match self.dice.between(0, 99) {
            0..=4 => {}
            5..=9 => {
                self.schedule_in(due, Step::Pay { settlement_id, percent: 60 });
                if self.dice.happens(500) {
                    self.schedule_in(due + 20 * 1_440, Step::Pay { settlement_id, percent: 40 });
                }
            }
            10..=12 => self.schedule_in(due, Step::Pay { settlement_id, percent: 103 }),
            _ => self.schedule_in(due, Step::Pay { settlement_id, percent: 100 }),
        }
    }

    /// What a household really hands over: mostly what it promised or up to three in a hundred less, now and then only
    /// half of it. Packs go out whole.
    fn weight_out(&mut self, part: &AllocationFacts) -> i64 {
        let good = self.goods.iter().find(|good| good.facts.id == part.product_id);
        let step = good.map_or(1, |good| good.data.pack_base.max(1));
        let per_mille = match self.dice.between(0, 99) {
            0..=2 => self.dice.between(300, 700),
            3..=39 if step == 1 && part.measure == Measure::Mass => self.dice.between(970, 999),
            _ => 1_000,
        };
        let base = part.quantity_base * per_mille / 1_000;
        (base / step * step).max(step.min(part.quantity_base))
    }

    fn weight_refused(&mut self, line: &DispatchedLine) -> i64 {
        match self.dice.between(0, 199) {
            0 => line.dispatched_base,
            1..=5 => line.dispatched_base * self.dice.between(50, 300) / 1_000,
            _ => 0,
        }
    }
}

fn amount(base: i64, measure: Measure) -> RawAmount {
    RawAmount { amount: show_base(base, measure), unit: measure.shown_in() }
}
