//! What institutions will want in the made-up year, and when. Canteens want what the real purchase lines say, for some
//! weeks at once; the other orders are made up around what the county is known for. Plans only; orders nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::calendar::{at, days_after};
use super::county::Good;
use super::data::{InstitutionKind, MappedOrder};
use super::dice::Dice;
use super::stage::Stage;
use crate::orders::allocation::Policy;

/// How many orders each month sees, and the days on which they are placed. Most come before the Spring Festival and
/// the Mid-Autumn Festival.
const MONTHS: [(u32, i64, (i64, i64)); 11] = [
    (1, 12, (13, 26)),
    (2, 5, (3, 24)),
    (3, 8, (2, 24)),
    (4, 9, (2, 24)),
    (5, 9, (2, 24)),
    (6, 8, (2, 24)),
    (7, 5, (2, 24)),
    (8, 5, (2, 24)),
    (9, 12, (2, 24)),
    (10, 10, (2, 24)),
    (11, 9, (2, 11)),
];

/// Of so many orders, [`CANTEEN_ORDERS`] are canteens'.
const ROUND: usize = 5;
const CANTEEN_ORDERS: usize = 3;

/// What the county is known for, and gives as presents or to its staff.
const SPECIALITIES: [&str; 9] =
    ["tea", "honey", "bamboo", "nuts", "fungi", "processed", "eggs", "poultry", "grain"];

const POLICIES: [(Policy, i64); 5] = [
    (Policy::MaxMin, 70),
    (Policy::IncomeLevelling, 12),
    (Policy::Proportional, 8),
    (Policy::FewestPickups, 6),
    (Policy::Cheapest, 4),
];

/// An order that is going to be placed.
#[derive(Clone, Debug)]
pub struct Want {
    pub month: u32,
    pub placed_at: DateTime<Utc>,
    pub needed_by: NaiveDate,
    /// Position among the buyers.
    pub buyer: usize,
    pub policy: Policy,
    pub lines: Vec<WantLine>,
}

#[derive(Clone, Debug)]
pub struct WantLine {
    /// Position among the goods.
    pub good: usize,
    pub quantity_base: i64,
    pub max_price_fen: i64,
    /// The purchase lines of the source that it stands for.
    pub source_lines: Vec<i64>,
}

/// What one institution's purchase lines come to per day: by good, the quantity and the lines.
type Daily = BTreeMap<usize, (i64, Vec<i64>)>;

/// Plans `count` orders, in the order of their months.
pub fn plan(stage: &Stage, goods: &[Good], count: u32) -> Vec<Want> {
    let mut dice = Dice::new(stage.seed, 5);
    let daily: Vec<Daily> = stage.data.purchases.orders.iter().map(|order| daily_of(order, goods)).collect();
    let count = usize::try_from(count).unwrap_or(0);
    (0..count)
        .filter_map(|number| {
            let (month, days) = month_of(number, count)?;
            let is_canteen = number % ROUND < CANTEEN_ORDERS;
            let canteen = is_canteen.then(|| canteen_lines(stage, &mut dice, &daily, goods, month)).flatten();
            let (buyer, lines) = match canteen {
                Some(wanted) => wanted,
                None => speciality_lines(stage, &mut dice, goods, month)?,
            };
            let day = stage.calendar.day(month, u32::try_from(dice.between(days.0, days.1)).unwrap_or(15));
            Some(Want {
                month,
                placed_at: at(day, dice.between(8, 16), dice.between(0, 59)),
                needed_by: days_after(day, dice.between(3, 7)),
                buyer,
                policy: dice.weighted(&POLICIES, |policy| policy.1).map_or(Policy::MaxMin, |policy| policy.0),
                lines,
            })
        })
        .collect()
}

/// The month of an order, as the weights of the months say, and the days on which it may be placed.
fn month_of(number: usize, count: usize) -> Option<(u32, (i64, i64))> {
    let whole: i64 = MONTHS.iter().map(|month| month.1).sum();
    let (number, count) = (i64::try_from(number).ok()?, i64::try_from(count).ok()?);
    let mut left = (2 * number + 1) * whole / (2 * count);
    let month = MONTHS.iter().find(|month| {
        left -= month.1;
        left < 0
    })?;
    Some((month.0, month.2))
}

fn daily_of(order: &MappedOrder, goods: &[Good]) -> Daily {
    let mut daily = Daily::new();
    for line in &order.lines {
        if let Some(good) = goods.iter().position(|good| good.data.code == line.product) {
            let (quantity, lines) = daily.entry(good).or_default();
            *quantity += line.base_quantity;
            lines.push(line.line);
        }
    }
    daily
}

/// Some of what one canteen buys, for two to four weeks of working days.
fn canteen_lines(
    stage: &Stage,
    dice: &mut Dice,
    daily: &[Daily],
    goods: &[Good],
    month: u32,
) -> Option<(usize, Vec<WantLine>)> {
    let open = (0..daily.len()).filter(|buyer| {
        let kind = stage.data.institutions.get(*buyer).map(|institution| institution.kind);
        kind.is_some_and(|kind| is_open(kind, month))
    });
    let buyer = *dice.pick(&open.collect::<Vec<usize>>())?;
    let of_buyer = daily.get(buyer)?.iter();
    let mut wanted: Vec<(&usize, &(i64, Vec<i64>))> =
        of_buyer.filter(|(good, _)| goods.get(**good).is_some_and(|good| good.is_in_season(month))).collect();
    dice.shuffle(&mut wanted);
    wanted.truncate(usize::try_from(dice.between(4, 9)).unwrap_or(4));
    let days = dice.between(10, 20);
    let lines: Vec<WantLine> = wanted
        .into_iter()
        .filter_map(|(good, (quantity, lines))| {
            Some(WantLine { source_lines: lines.clone(), ..line(dice, goods, *good, quantity * days)? })
        })
        .collect();
    (!lines.is_empty()).then_some((buyer, lines))
}

/// Schools buy little in their holidays.
fn is_open(kind: InstitutionKind, month: u32) -> bool {
    kind != InstitutionKind::School || ![2, 7, 8].contains(&month)
}

/// One to three specialities in a quantity that only several households have together.
fn speciality_lines(
    stage: &Stage,
    dice: &mut Dice,
    goods: &[Good],
    month: u32,
) -> Option<(usize, Vec<WantLine>)> {
    let buyers: Vec<usize> = (0..stage.data.institutions.len()).collect();
    let buyer = *dice.pick(&buyers)?;
    let mut special: Vec<usize> = (0..goods.len())
        .filter(|good| {
            goods.get(*good).is_some_and(|good| {
                SPECIALITIES.contains(&good.data.category.as_str()) && good.is_in_season(month)
            })
        })
        .collect();
    dice.shuffle(&mut special);
    special.truncate(usize::try_from(dice.between(1, 3)).unwrap_or(1));
    let lines: Vec<WantLine> = special
        .into_iter()
        .filter_map(|good| {
            let data = &goods.get(good)?.data;
            let lot = data.lot_min_base + (data.lot_max_base - data.lot_min_base) / 6;
            let lots = dice.between(3, 12);
            line(dice, goods, good, lot * lots)
        })
        .collect();
    (!lines.is_empty()).then_some((buyer, lines))
}

/// A line of whole packs at a fifth to a third above the reference price.
fn line(dice: &mut Dice, goods: &[Good], good: usize, quantity_base: i64) -> Option<WantLine> {
    let of = goods.get(good)?;
    let step = of.step_base();
    Some(WantLine {
        good,
        quantity_base: (quantity_base + step - 1) / step * step,
        max_price_fen: (of.data.reference_price_fen * dice.between(120, 133) / 100).max(1),
        source_lines: Vec::new(),
    })
}
