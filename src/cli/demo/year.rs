//! The made-up year: everything that happens, in the order of time, through the same operations that the API calls.
//! One thing after another, so that the same seed gives the same year.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::calendar::at;
use super::county::{Good, Household};
use super::dice::Dice;
use super::people::{People, Purchasing};
use super::stage::Stage;
use super::supply::{self, Supply};
use super::wants::{Want, WantLine};
use crate::cache::Topic;
use crate::cli::Ended;
use crate::idempotency::Key;
use crate::lots;
use crate::members::access::Caller;
use crate::money::Fen;
use crate::orders::{self, LineRequest, OrderRequest, PaymentMode, RawAmount};
use crate::quantity::show_base;
use crate::refusal::{Failure, Refusal};

/// Lots written by one statement.
const LOTS_PER_STATEMENT: usize = 500;

/// Orders previewed before they are placed: one in so many.
const PREVIEWED: usize = 10;

/// Something that is due.
#[derive(Clone, Debug)]
pub enum Step {
    /// The lots of a month come on sale.
    Offer(u32),
    Withdraw(Uuid),
    /// An order is placed; `true` when its buyer takes what there is.
    Place(usize, bool),
    Confirm(usize),
    Cancel(usize),
    /// Holds that nobody confirmed are released.
    Sweep,
    Dispatch(usize, u32),
    Accept(usize, Dispatched),
    Rate(usize),
    Pay {
        settlement_id: Uuid,
        /// Of a hundred.
        percent: i64,
    },
    MakePayouts,
    ApprovePayouts(Uuid),
    RecordResults(Uuid),
    /// Households whose money came back bring another account.
    CorrectAccounts(Vec<Uuid>),
    /// A household's status changes.
    ChangeStatus(usize),
}

/// A delivery under way.
#[derive(Clone, Debug)]
pub struct Dispatched {
    pub delivery_id: Uuid,
    pub round: u32,
    pub lines: Vec<DispatchedLine>,
}

#[derive(Clone, Debug)]
pub struct DispatchedLine {
    pub id: Uuid,
    pub measure: crate::quantity::Measure,
    pub allocated_base: i64,
    pub dispatched_base: i64,
}

/// What cannot be read back from the database afterwards.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Orders that were refused because nothing was left.
    pub refused: i64,
    /// Purchase lines of the source that stand behind an order that was placed.
    pub source_lines: std::collections::BTreeSet<i64>,
}

/// The year as far as it has gone.
#[derive(Debug)]
pub struct Year<'a> {
    pub stage: &'a Stage,
    pub people: &'a People,
    pub goods: &'a [Good],
    pub households: &'a [Household],
    pub wants: &'a [Want],
    /// Lots with the position of their household.
    pub supplies: Vec<(Supply, usize)>,
    pub dice: Dice,
    pub tally: Tally,
    /// The order that each want became.
    pub orders: BTreeMap<usize, Uuid>,
    /// Accounts that households corrected.
    pub corrected: u32,
    queue: BTreeMap<(DateTime<Utc>, u64), Step>,
    drawn: u64,
}

impl<'a> Year<'a> {
    pub fn new(
        stage: &'a Stage,
        people: &'a People,
        goods: &'a [Good],
        households: &'a [Household],
        wants: &'a [Want],
        supplies: Vec<(Supply, usize)>,
    ) -> Self {
        let mut year = Self {
            stage,
            people,
            goods,
            households,
            wants,
            supplies,
            dice: Dice::new(stage.seed, 9),
            tally: Tally::default(),
            orders: BTreeMap::new(),
            corrected: 0,
            queue: BTreeMap::new(),
            drawn: 0,
        };
        year.fill_calendar();
        year
    }

    /// Plays the year to its end.
    pub async fn play(&mut self) -> Result<(), Ended> {
        let end = at(self.stage.calendar.end(), 20, 0);
        while let Some(((due, _), step)) = self.queue.pop_first() {
            if due > end {
                break;
            }
            self.stage.app.clock.set(due);
            self.take(step).await?;
        }
        self.stage.app.clock.set(end);
        orders::sweep(&self.stage.app).await?;
        self.stage.app.cache.drop_topic(Topic::Reports).await;
        Ok(())
    }

    pub fn schedule(&mut self, due: DateTime<Utc>, step: Step) {
        self.drawn += 1;
        self.queue.insert((due, self.drawn), step);
    }

    /// Something after `minutes`.
    pub fn schedule_in(&mut self, minutes: i64, step: Step) {
        self.schedule(self.stage.app.clock.now() + TimeDelta::minutes(minutes), step);
    }

    /// A key that no request had before.
    pub fn key(&mut self, caller: &Caller) -> Key {
        self.drawn += 1;
        let key = format!("demo-{}", self.drawn);
        Key { principal_id: caller.principal_id, fingerprint: key.clone(), key }
    }

    pub fn want(&self, number: usize) -> Result<&'a Want, Ended> {
        self.wants.get(number).ok_or_else(|| Ended::Failed(format!("the demo has no order {number}")))
    }

    pub fn buyer(&self, number: usize) -> Result<&'a Purchasing, Ended> {
        let buyer = self.want(number)?.buyer;
        self.people.buyers.get(buyer).ok_or_else(|| Ended::Failed(format!("the demo has no buyer {buyer}")))
    }

    pub fn order(&self, number: usize) -> Result<Uuid, Ended> {
        let order = self.orders.get(&number).copied();
        order.ok_or_else(|| Ended::Failed(format!("order {number} of the demo was never placed")))
    }

    fn fill_calendar(&mut self) {
        let calendar = self.stage.calendar;
        for month in 1..=11 {
            self.schedule(at(calendar.offered(month), 6, 0), Step::Offer(month));
            let day = calendar.day(month, if month == 11 { 10 } else { 28 });
            self.schedule(at(day, 10, 0), Step::MakePayouts);
        }
        // The last batch still waits for its second person when the demo ends.
        self.schedule(at(calendar.end(), 16, 0), Step::MakePayouts);
        for number in 0..self.wants.len() {
            let placed_at = self.wants.get(number).map(|want| want.placed_at);
            self.schedule(placed_at.unwrap_or_default(), Step::Place(number, false));
        }
        for (place, day) in (0..self.households.len()).step_by(97).zip((1..=28).cycle()) {
            self.schedule(at(calendar.day(6, day), 15, 0), Step::ChangeStatus(place));
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), Ended> {
        match step {
            Step::Offer(month) => self.offer(month).await,
            Step::Withdraw(lot_id) => {
                lots::withdraw(&self.stage.app, &self.people.officer, lot_id).await?;
                Ok(())
            }
            Step::Place(number, is_partial) => self.place(number, is_partial).await,
            Step::Confirm(number) => self.confirm(number).await,
            Step::Cancel(number) => self.cancel(number).await,
            Step::Sweep => {
                orders::sweep(&self.stage.app).await?;
                Ok(())
            }
            Step::Dispatch(number, round) => self.dispatch(number, round).await,
            Step::Accept(number, delivery) => self.accept(number, &delivery).await,
            Step::Rate(number) => self.rate(number).await,
            Step::Pay { settlement_id, percent } => self.pay(settlement_id, percent).await,
            Step::MakePayouts => self.make_payouts().await,
            Step::ApprovePayouts(batch_id) => self.approve_payouts(batch_id).await,
            Step::RecordResults(batch_id) => self.record_results(batch_id).await,
            Step::CorrectAccounts(households) => self.correct_accounts(&households).await,
            Step::ChangeStatus(place) => self.change_status(place).await,
        }
    }

    async fn offer(&mut self, month: u32) -> Result<(), Ended> {
        let app = &self.stage.app;
        let today = app.clock.today();
        let mut new = Vec::new();
        for (number, (supply, owner)) in self.supplies.iter().enumerate() {
            if supply.month == month
                && let Some(household) = self.households.get(*owner)
            {
                new.push(supply::new_lot(supply, number + 1, self.goods, household, today)?);
            }
        }
        let mut offered = Vec::with_capacity(new.len());
        while !new.is_empty() {
            let chunk = new.split_off(new.len().saturating_sub(LOTS_PER_STATEMENT));
            let txn = app.db.begin().await?;
            let ids = lots::insert_many(&txn, app, &self.people.officer.actor(), chunk).await?;
            offered.extend(txn.commit(ids).await?.into_inner());
        }
        app.cache.drop_all().await;
        for lot_id in offered {
            if self.dice.happens(12) {
                let days = self.dice.between(10, 25);
                self.schedule_in(days * 1_440, Step::Withdraw(lot_id));
            }
        }
        Ok(())
    }

    /// Places an order. A buyer who is told of a shortfall mostly takes what there is; one who is told of a debt that is
    /// overdue too long pays it.
    async fn place(&mut self, number: usize, is_partial: bool) -> Result<(), Ended> {
        let want = self.want(number)?;
        let buyer = self.buyer(number)?;
        let app = &self.stage.app;
        let request = self.request(want, buyer, is_partial);
        if !is_partial {
            self.stage.progress.done(1);
        }
        if number.is_multiple_of(PREVIEWED) {
            orders::preview(app, &buyer.buyer, &request).await?;
        }
        let key = self.key(&buyer.buyer);
        let mut answer = orders::place(app, &buyer.buyer, &key, &request).await;
        if let Err(Failure::Refused(Refusal::OverdueDebt { total, .. })) = &answer {
            self.pay_debt(request.institution_id, *total).await?;
            let key = self.key(&buyer.buyer);
            answer = orders::place(app, &buyer.buyer, &key, &request).await;
        }
        match answer {
            Ok(placed) => {
                self.orders.insert(number, placed.value.id);
                let lines = want.lines.iter().flat_map(|line| &line.source_lines);
                self.tally.source_lines.extend(lines);
                self.decide(number);
                Ok(())
            }
            Err(Failure::Refused(Refusal::StockShort { .. })) if !is_partial && self.dice.happens(850) => {
                let minutes = self.dice.between(3, 40);
                self.schedule_in(minutes, Step::Place(number, true));
                Ok(())
            }
            Err(Failure::Refused(Refusal::StockShort { .. })) => {
                self.tally.refused += 1;
                Ok(())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// What becomes of an order that is placed: mostly it is confirmed, some are cancelled and some forgotten.
    fn decide(&mut self, number: usize) {
        match self.dice.between(0, 99) {
            0..=3 => self.schedule_in(self.stage.app.settings.hold_minutes + 2, Step::Sweep),
            4..=6 => self.schedule_in(11, Step::Cancel(number)),
            fate => {
                let minutes = self.dice.between(2, 25);
                self.schedule_in(minutes, Step::Confirm(number));
                if fate == 7 {
                    self.schedule_in(180, Step::Cancel(number));
                }
            }
        }
    }

    async fn confirm(&mut self, number: usize) -> Result<(), Ended> {
        let approver = &self.buyer(number)?.approver;
        let key = self.key(approver);
        orders::confirm(&self.stage.app, approver, &key, self.order(number)?).await?;
        let eve = self.want(number)?.needed_by - TimeDelta::days(1);
        let minute = self.dice.between(0, 90);
        self.schedule(at(eve, 6, minute), Step::Dispatch(number, 1));
        Ok(())
    }

    async fn cancel(&mut self, number: usize) -> Result<(), Ended> {
        let buyer = &self.buyer(number)?.buyer;
        let key = self.key(buyer);
        orders::cancel(&self.stage.app, buyer, &key, self.order(number)?).await?;
        self.orders.remove(&number);
        Ok(())
    }

    async fn change_status(&mut self, place: usize) -> Result<(), Ended> {
        use crate::members::households::{self, Status};
        let Some(household) = self.households.get(place) else { return Ok(()) };
        let next = if self.dice.happens(500) { Status::MonitoredHardship } else { Status::MonitoredMarginal };
        let today = self.stage.app.clock.today();
        match households::change_status(&self.stage.app, &self.people.officer, household.id, next, today)
            .await
        {
            // It had this status already.
            Ok(_) | Err(Failure::Refused(Refusal::Invalid { .. })) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    fn request(&self, want: &Want, buyer: &Purchasing, is_partial: bool) -> OrderRequest {
        let lines = want.lines.iter().filter_map(|line| self.line_request(want, line, is_partial));
        OrderRequest {
            institution_id: buyer.institution_id,
            policy: want.policy,
            payment_mode: PaymentMode::GoodsFirst,
            lines: lines.collect(),
        }
    }

    fn line_request(&self, want: &Want, line: &WantLine, is_partial: bool) -> Option<LineRequest> {
        let good = self.goods.get(line.good)?;
        let measure = good.data.measure;
        Some(LineRequest {
            product_id: good.facts.id,
            quantity: RawAmount { amount: show_base(line.quantity_base, measure), unit: measure.shown_in() },
            max_price_fen: Fen::new(line.max_price_fen),
            max_price_per: good.data.pricing_unit,
            needed_by: want.needed_by,
            region: None,
            grade: None,
            min_share: None,
            max_households: None,
            allow_partial: is_partial,
        })
    }
}
