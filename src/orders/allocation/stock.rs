//! Candidates as the sorted lots and holdings that sharing works on. It never decides who gets what.

use std::cmp::Ordering;

use super::{Candidate, Policy, Reason, Tier, Wanted, pickups};

/// Incomes beyond this many fen are not told apart, so that a level has room on both sides.
const INCOME_MAX: i64 = 1 << 62;

/// An exact price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Price {
    /// The price in units of 2^-32 fen, rounded down: two prices that differ here need no exact comparison.
    rounded: u64,
    pub fen: i64,
    pub per_base: i64,
}

/// A lot with at least one whole pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lot {
    /// Its place among all lots by lot id.
    pub rank: usize,
    /// The place of its household among all households by id.
    pub household: usize,
    /// Lots of a lower stage are taken first; inside a stage the policy decides.
    pub stage: usize,
    pub tier: Tier,
    pub village: u64,
    pub packs: i64,
    pub price: Price,
}

/// The lots of one household in one stage.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub household: usize,
    pub stage: usize,
    pub packs: i64,
    /// What the household gets here whatever the policy says.
    pub floor: i64,
    pub part: i64,
    pub reason: Reason,
}

/// The usable lots, first by household, after [`Stock::arrange`] by stage and household.
pub(super) struct Stock<'a> {
    /// All candidates as they came.
    candidates: &'a [Candidate],
    /// The places of the usable candidates, by lot id.
    by_lot_id: Vec<usize>,
    pub lots: Vec<Lot>,
    pub households: usize,
}

impl Price {
    fn of(candidate: &Candidate) -> Self {
        let (fen, per_base) = (candidate.price_fen.max(0), candidate.price_per_base.max(1));
        let per = per_base.unsigned_abs();
        let rounded = if let Ok(narrow) = u32::try_from(fen) {
            (u64::from(narrow) << 32) / per
        } else {
            let wide = (u128::from(fen.unsigned_abs()) << 32) / u128::from(per);
            u64::try_from(wide).unwrap_or(u64::MAX)
        };
        Self { rounded, fen, per_base }
    }

    /// Price times quantity, rounded half up to the fen, as it will be settled.
    pub fn amount_fen(self, quantity_base: i64) -> i64 {
        if let Some(exact) = self.fen.checked_mul(quantity_base) {
            let rest = exact % self.per_base;
            return exact / self.per_base + i64::from(rest >= self.per_base - rest);
        }
        let (exact, per) = (i128::from(self.fen) * i128::from(quantity_base), i128::from(self.per_base));
        let rest = exact % per;
        i64::try_from(exact / per + i128::from(rest >= per - rest)).unwrap_or(i64::MAX)
    }
}

impl Ord for Price {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rounded.cmp(&other.rounded).then_with(|| {
            let ours = i128::from(self.fen) * i128::from(other.per_base);
            ours.cmp(&(i128::from(other.fen) * i128::from(self.per_base)))
        })
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

pub(super) fn is_same_holding(a: &Lot, b: &Lot) -> bool {
    a.stage == b.stage && a.household == b.household
}

/// A whole id, in the order of ids, and the place of what bears it.
type Key = ((u64, u64), usize);

/// Drops candidates without a whole pack and all but the first of equal lot ids, and numbers lots and households by id.
/// Memory is read in its order, but for one walk over the lots by household: the sorts see keys alone.
pub(super) fn gather(candidates: &[Candidate], pack: i64) -> Stock<'_> {
    let usable = || candidates.iter().enumerate().filter(|(_, found)| found.available_base >= pack);
    let mut lot_keys: Vec<Key> = usable().map(|(place, found)| (found.lot_id.as_u64_pair(), place)).collect();
    lot_keys.sort_unstable();
    let mut by_lot_id = Vec::with_capacity(lot_keys.len());
    let mut rank_of = vec![None; candidates.len()];
    for same in lot_keys.chunk_by(|a, b| a.0 == b.0) {
        let one = if let [(_, place)] = same { Some(*place) } else { smallest(candidates, same) };
        if let Some((place, slot)) = one.and_then(|place| Some((place, rank_of.get_mut(place)?))) {
            *slot = Some(by_lot_id.len());
            by_lot_id.push(place);
        }
    }

    let mut found_lots = Vec::with_capacity(by_lot_id.len());
    let mut household_keys: Vec<Key> = Vec::with_capacity(by_lot_id.len());
    for (found, rank) in candidates.iter().zip(rank_of) {
        let Some(rank) = rank else { continue };
        household_keys.push((found.household_id.as_u64_pair(), found_lots.len()));
        found_lots.push(Lot {
            rank,
            household: 0,
            stage: 0,
            tier: found.tier,
            village: found.village,
            packs: found.available_base / pack,
            price: Price::of(found),
        });
    }
    household_keys.sort_unstable();
    let mut lots = Vec::with_capacity(found_lots.len());
    let mut households = 0;
    for same in household_keys.chunk_by(|a, b| a.0 == b.0) {
        let of_household = same.iter().filter_map(|(_, place)| found_lots.get(*place));
        lots.extend(of_household.map(|lot| Lot { household: households, ..*lot }));
        households += 1;
    }
    Stock { candidates, by_lot_id, lots, households }
}

/// Of several candidates for one lot, the place of the smallest in field order.
fn smallest(candidates: &[Candidate], keys: &[Key]) -> Option<usize> {
    let found = keys.iter().filter_map(|(_, place)| Some((candidates.get(*place)?, *place)));
    found.min_by_key(|(candidate, _)| *candidate).map(|(_, place)| place)
}

impl<'a> Stock<'a> {
    /// The usable candidates by lot id, in the order of [`Lot::rank`].
    pub fn by_lot_id(&self) -> impl ExactSizeIterator<Item = Option<&'a Candidate>> {
        self.by_lot_id.iter().map(|place| self.candidates.get(*place))
    }

    /// The sales income of every household; lots still stand by household.
    pub fn incomes(&self) -> Vec<i64> {
        let mut incomes = vec![0; self.households];
        for lots in self.lots.chunk_by(|a, b| a.household == b.household) {
            let first = lots.iter().min_by_key(|lot| lot.rank);
            let place = first.and_then(|lot| Some((lot.household, self.by_lot_id.get(lot.rank)?)));
            let income = place.and_then(|(household, place)| Some((household, self.candidates.get(*place)?)));
            if let Some((slot, found)) = income.and_then(|(at, found)| Some((incomes.get_mut(at)?, found))) {
                *slot = found.sold_this_year_fen.clamp(-INCOME_MAX, INCOME_MAX);
            }
        }
        incomes
    }

    /// Drops the lots of households that are not marked.
    pub fn keep(&mut self, marked: &[bool]) {
        self.lots.retain(|lot| marked.get(lot.household) == Some(&true));
    }

    /// Gives every lot its stage and sorts by stage, household, price and lot id. Answers how many villages
    /// `fewest_pickups` visits, 0 for the other policies.
    pub fn arrange(&mut self, wanted: &Wanted) -> u32 {
        let mut villages = 0;
        if wanted.demand.policy == Policy::Cheapest {
            self.lots.sort_unstable_by_key(|lot| (lot.tier, lot.price, lot.household, lot.rank));
            let prices = self.lots.chunk_by_mut(|a, b| (a.tier, a.price).cmp(&(b.tier, b.price)).is_eq());
            for (stage, lots) in prices.enumerate() {
                for lot in lots {
                    lot.stage = stage;
                }
            }
            return villages;
        }
        for lot in &mut self.lots {
            lot.stage = 2 * usize::from(lot.tier.number());
        }
        if wanted.demand.policy == Policy::FewestPickups {
            villages = pickups::postpone_villages(&mut self.lots, wanted.packs);
        }
        self.lots = by_stage(&self.lots);
        for lots in self.lots.chunk_by_mut(is_same_holding).filter(|lots| lots.len() > 1) {
            lots.sort_unstable_by_key(|lot| (lot.price, lot.rank));
        }
        villages
    }
}

/// The lots stage by stage, otherwise in the order they have: so inside a stage they stay by household. Linear, as there
/// are few stages.
fn by_stage(lots: &[Lot]) -> Vec<Lot> {
    let mut begins: Vec<usize> = Vec::new();
    for lot in lots {
        if begins.len() <= lot.stage {
            begins.resize(lot.stage + 1, 0);
        }
        if let Some(count) = begins.get_mut(lot.stage) {
            *count += 1;
        }
    }
    let mut before = 0;
    for begin in &mut begins {
        before += std::mem::replace(begin, before);
    }
    let mut sorted = lots.to_vec();
    for lot in lots {
        let Some(next) = begins.get_mut(lot.stage) else { continue };
        if let Some(slot) = sorted.get_mut(*next) {
            *slot = *lot;
        }
        *next += 1;
    }
    sorted
}

/// One holding for every household in every stage, in the order of the lots.
pub(super) fn holdings(lots: &[Lot]) -> Vec<Holding> {
    let mut holdings: Vec<Holding> = Vec::with_capacity(lots.len());
    for lot in lots {
        match holdings.last_mut() {
            Some(last) if last.stage == lot.stage && last.household == lot.household => {
                last.packs = last.packs.saturating_add(lot.packs);
            }
            _ => holdings.push(Holding {
                household: lot.household,
                stage: lot.stage,
                packs: lot.packs,
                floor: 0,
                part: 0,
                reason: Reason::WholeLot,
            }),
        }
    }
    holdings
}
