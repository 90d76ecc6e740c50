//! What households will offer: enough for what is wanted, most of the time, and more that nobody asked for. Plans only;
//! offers nothing.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::calendar::days_after;
use super::county::{Good, Household};
use super::dice::Dice;
use super::stage::{COUNTY, Stage};
use super::wants::Want;
use crate::cli::Ended;
use crate::lots::{self, Certificate, NewLot, Offer, Place};
use crate::members::access::RegionScope;
use crate::money::{Fen, Price};
use crate::quantity::Quantity;

/// Teas grow where their names say; the rest grows everywhere.
const ORIGINS: [(&str, &str); 2] = [("tea-tingxi", "341823200000"), ("tea-yongxi", "341823102000")];

/// Fresh goods stand in the field, live in the yard or are made week by week: a lot of them is offered for a month, and
/// then for so many days at most.
const HARVEST_DAYS: (i64, i64) = (5, 14);

/// How many times larger than planned lots may become before there are more of them than asked for.
const SIZES_MAX: i64 = 40;

const LAST_MONTH: i64 = 11;

/// A lot that is going to be offered.
#[derive(Clone, Debug)]
pub struct Supply {
    pub month: u32,
    /// Position among the goods.
    good: usize,
    offered_base: i64,
    price_fen: i64,
    grade: Option<String>,
    has_certificate: bool,
    ready_from: NaiveDate,
    sell_by: NaiveDate,
}

/// Plans about `count` lots: for what is wanted first, then whatever else grows.
pub fn plan(stage: &Stage, goods: &[Good], wants: &[Want], count: usize) -> Vec<Supply> {
    let demand = demand_of(wants);
    let wanted_max = count * 17 / 20;
    let mut supplies = Vec::new();
    for size in 1..=SIZES_MAX {
        supplies = for_demand(stage, goods, &demand, size);
        if supplies.len() <= wanted_max {
            break;
        }
    }
    let mut dice = Dice::new(stage.seed, 7);
    let positions: Vec<usize> = (0..goods.len()).collect();
    while supplies.len() < count {
        let month = u32::try_from(dice.between(1, LAST_MONTH)).unwrap_or(1);
        let Some((position, good)) = dice.pick(&positions).and_then(|at| Some((*at, goods.get(*at)?))) else {
            break;
        };
        if good.is_in_season(month) {
            let base = size_of(&mut dice, good, 1);
            supplies.push(supply(stage, &mut dice, month, (position, good), base));
        }
    }
    supplies
}

/// Spreads the lots over the households, each in turn, teas over the households of their own township.
pub fn owners(stage: &Stage, goods: &[Good], households: &[Household], supplies: &[Supply]) -> Vec<usize> {
    let mut everybody: Vec<usize> = (0..households.len()).collect();
    Dice::new(stage.seed, 8).shuffle(&mut everybody);
    // The household that signs in has its turn first, so that there is something to see.
    if let Some(place) = everybody.iter().position(|at| *at == 0) {
        everybody.swap(0, place);
    }
    let at_home = ORIGINS.map(|(_, township)| {
        let township = RegionScope::of(township);
        let lives_there = |at: &&usize| {
            households.get(**at).is_some_and(|household| township.contains(&household.village_code))
        };
        everybody.iter().filter(lives_there).copied().collect::<Vec<usize>>()
    });
    let mut turns = [0_usize; ORIGINS.len() + 1];
    let owner = |supply: &Supply| {
        let code = goods.get(supply.good).map_or("", |good| good.data.code.as_str());
        let origin = ORIGINS.iter().position(|(front, _)| code.starts_with(front));
        let of_origin = origin.and_then(|origin| Some((origin, at_home.get(origin)?)));
        let (turn, list) = match of_origin.filter(|(_, list)| !list.is_empty()) {
            Some((origin, list)) => (origin, list),
            None => (ORIGINS.len(), &everybody),
        };
        let next = turns.get_mut(turn).map_or(0, |next| {
            *next += 1;
            *next - 1
        });
        list.get(next % list.len().max(1)).copied().unwrap_or(0)
    };
    supplies.iter().map(owner).collect()
}

/// The lot as the rules of lots take it.
pub fn new_lot(
    supply: &Supply,
    number: usize,
    goods: &[Good],
    household: &Household,
    today: NaiveDate,
) -> Result<NewLot, Ended> {
    let good = goods.get(supply.good).ok_or_else(|| Ended::Failed("a lot of no product".to_owned()))?;
    let broken = |what: &dyn std::fmt::Display| Ended::Failed(format!("lot {number} of the demo: {what}"));
    let kinds = good.facts.certificates.iter().filter(|_| supply.has_certificate);
    let certificates = kinds.map(|kind| Certificate {
        kind: kind.clone(),
        number: format!("DEMO-{number:06}"),
        valid_until: days_after(supply.sell_by, 365),
    });
    let offer = Offer {
        product_id: good.facts.id,
        external_ref: Some(format!("DEMO-{number:06}")),
        grade: supply.grade.clone(),
        quantity: Quantity::from_base(supply.offered_base, good.data.measure)
            .map_err(|error| broken(&error))?,
        price: Price::new(Fen::new(supply.price_fen), good.data.pricing_unit)
            .map_err(|error| broken(&error))?,
        ready_from: supply.ready_from,
        sell_by: Some(supply.sell_by),
        certificates: certificates.collect(),
    };
    let place = Place {
        county_code: COUNTY.to_owned(),
        household_id: household.id,
        village_code: household.village_code.clone(),
    };
    Ok(lots::accept(offer, place, &good.facts, today).map_err(crate::refusal::Failure::from)?)
}

/// What is wanted of each good in each month.
fn demand_of(wants: &[Want]) -> BTreeMap<(u32, usize), i64> {
    let mut demand = BTreeMap::new();
    for want in wants {
        for line in &want.lines {
            *demand.entry((want.month, line.good)).or_default() += line.quantity_base;
        }
    }
    demand
}

/// Lots that together hold a fifth to a half more than is wanted, in one case of ten a quarter less.
fn for_demand(stage: &Stage, goods: &[Good], demand: &BTreeMap<(u32, usize), i64>, size: i64) -> Vec<Supply> {
    let mut dice = Dice::new(stage.seed, 6);
    let mut supplies = Vec::new();
    for ((month, position), wanted) in demand {
        let Some(good) = goods.get(*position) else { continue };
        let percent = if dice.happens(100) { 75 } else { dice.between(120, 150) };
        let mut missing = wanted * percent / 100;
        while missing > 0 {
            let base = size_of(&mut dice, good, size);
            missing -= base;
            supplies.push(supply(stage, &mut dice, *month, (*position, good), base));
        }
    }
    supplies
}

/// Most households have little and a few have much.
fn size_of(dice: &mut Dice, good: &Good, size: i64) -> i64 {
    let (low, high) = (good.data.lot_min_base, good.data.lot_max_base);
    let place = dice.between(0, 100);
    let base = low + (high - low) * place * place / 10_000 / 2;
    let step = good.step_base();
    ((base * size).min(high) / step * step).max(step)
}

fn supply(stage: &Stage, dice: &mut Dice, month: u32, (position, good): (usize, &Good), base: i64) -> Supply {
    let grade = dice.pick(&good.data.grades).cloned();
    let percent = if dice.happens(50) { dice.between(138, 150) } else { dice.between(88, 112) };
    let price_fen = good.grade_price_fen(grade.as_deref()) * percent / 100;
    let (ready_from, sell_by) = days_of(stage, dice, month, good);
    Supply {
        month,
        good: position,
        offered_base: base,
        // Nobody asks for single fen, or for odd ones of a price above ten yuan.
        price_fen: if price_fen >= 1_000 { price_fen / 50 * 50 } else { (price_fen / 5 * 5).max(1) },
        grade,
        has_certificate: !dice.happens(30),
        ready_from,
        sell_by,
    }
}

/// Durable goods are ready since their last season and keep as long as they keep; fresh ones are offered for the month.
fn days_of(stage: &Stage, dice: &mut Dice, month: u32, good: &Good) -> (NaiveDate, NaiveDate) {
    let offered = stage.calendar.offered(month);
    if !good.is_durable() {
        let next = days_after(stage.calendar.month_back(month, 0), 31);
        return (
            days_after(offered, dice.between(0, 3)),
            days_after(next, dice.between(HARVEST_DAYS.0, HARVEST_DAYS.1)),
        );
    }
    let is_season = |back: &u32| {
        let then = if month > *back { month - back } else { month + 12 - back };
        good.data.season_months.contains(&then)
    };
    let back = (0..12).find(is_season).unwrap_or(0);
    let ready_from = days_after(stage.calendar.month_back(month, back), dice.between(0, 20)).min(offered);
    (ready_from, days_after(ready_from, good.data.shelf_life_days).max(days_after(offered, 45)))
}
