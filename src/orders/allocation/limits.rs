//! Who may take part when a minimum share or a largest number of households is set, and what each is sure of.

use std::cmp::Reverse;

use super::stock::{Holding, Lot, Price};
use super::{Policy, Tier, Wanted, income};

/// What the choice looks at in a household that is large enough to take part.
struct Household {
    place: usize,
    packs: i64,
    tier: Tier,
    price: Price,
    village: u64,
    village_packs: i64,
}

/// Marks the households that may take part: as many as the limits allow, so that together they can fill as much as
/// any such choice could, and otherwise those that come first. Lots stand by household.
pub(super) fn choose(wanted: &Wanted, lots: &[Lot], incomes: &[i64]) -> Vec<bool> {
    let mut households = large_enough(wanted, lots);
    let mut chosen = vec![false; incomes.len()];
    let most = wanted.households_max();
    if households.len() > most {
        by_preference(wanted.demand.policy, &mut households, incomes);
        mark(&take_most(&households, most, wanted.packs), &households, &mut chosen);
    } else {
        mark(&vec![true; households.len()], &households, &mut chosen);
    }
    chosen
}

fn mark(taken: &[bool], households: &[Household], chosen: &mut [bool]) {
    for (household, _) in households.iter().zip(taken).filter(|(_, taken)| **taken) {
        if let Some(slot) = chosen.get_mut(household.place) {
            *slot = true;
        }
    }
}

fn large_enough(wanted: &Wanted, lots: &[Lot]) -> Vec<Household> {
    let each = lots.chunk_by(|a, b| a.household == b.household).filter_map(|lots| {
        let first = lots.iter().min_by_key(|lot| (lot.tier, lot.price, lot.rank))?;
        let packs = lots.iter().fold(0, |sum: i64, lot| sum.saturating_add(lot.packs));
        let Lot { household: place, tier, price, village, .. } = *first;
        Some(Household { place, packs, tier, price, village, village_packs: 0 })
    });
    each.filter(|household| household.packs >= wanted.min_share.max(1)).collect()
}

/// Sorts by tier, then by what the policy looks for, then the larger stock, then id.
fn by_preference(policy: Policy, households: &mut [Household], incomes: &[i64]) {
    let last = |household: &Household| (Reverse(household.packs), household.place);
    match policy {
        Policy::MaxMin | Policy::Proportional => {
            households.sort_unstable_by_key(|found| (found.tier, last(found)));
        }
        Policy::IncomeLevelling => {
            let income = |found: &Household| incomes.get(found.place).copied().unwrap_or(0);
            households.sort_unstable_by_key(|found| (found.tier, income(found), last(found)));
        }
        Policy::Cheapest => households.sort_unstable_by_key(|found| (found.tier, found.price, last(found))),
        Policy::FewestPickups => {
            // Written to its households first, so that one sort can look at the stock of a village in a tier.
            households.sort_unstable_by_key(|found| (found.tier, found.village));
            for village in households.chunk_by_mut(|a, b| (a.tier, a.village) == (b.tier, b.village)) {
                let stock = village.iter().fold(0, |sum: i64, found| sum.saturating_add(found.packs));
                for found in village {
                    found.village_packs = stock;
                }
            }
            households.sort_unstable_by_key(|found| {
                (found.tier, Reverse(found.village_packs), found.village, last(found))
            });
        }
    }
}

/// Takes `most` households whose stocks sum to as much of `wanted` as any so many could, preferring the earlier ones:
/// the result is the first in lexicographic order of all that fill as much.
///
/// It starts from the largest ones, which fill the most. Every other household, in order, then replaces the smallest
/// one not yet passed, if what the rest holds beyond the goal can bear the difference.
fn take_most(households: &[Household], most: usize, wanted: i64) -> Vec<bool> {
    let mut by_size: Vec<(Reverse<i64>, usize)> =
        households.iter().enumerate().map(|(index, household)| (Reverse(household.packs), index)).collect();
    by_size.sort_unstable();
    by_size.truncate(most);
    let mut taken = vec![false; households.len()];
    let mut total: i128 = 0;
    for (Reverse(packs), index) in &by_size {
        total += i128::from(*packs);
        if let Some(slot) = taken.get_mut(*index) {
            *slot = true;
        }
    }
    let mut spare = (total - i128::from(wanted)).max(0);
    let mut smallest = by_size.iter().rev().peekable();
    for (index, household) in households.iter().enumerate() {
        if taken.get(index) == Some(&true) {
            continue;
        }
        // What stands before `index` has been passed and stays.
        while smallest.next_if(|(_, passed)| *passed < index).is_some() {}
        let Some((Reverse(packs), out)) = smallest.peek() else { break };
        let cost = i128::from(*packs - household.packs);
        if cost > spare {
            continue;
        }
        spare -= cost;
        for (slot, value) in [(*out, false), (index, true)] {
            if let Some(slot) = taken.get_mut(slot) {
                *slot = value;
            }
        }
        smallest.next();
    }
    taken
}

/// Marks who gets a share at all when a minimum share is set: everybody in the stages that are emptied, and in the
/// stage that fills the demand those the policy takes in.
pub(super) fn enter(wanted: &Wanted, lots: &[Lot], holdings: &[Holding], incomes: &[i64]) -> Vec<bool> {
    // What each household that is in holds so far; 0 for those that are not in.
    let mut stocks = vec![0_i64; incomes.len()];
    let mut incomes = incomes.to_vec();
    let mut total: i128 = 0;
    let stages = lots.chunk_by(|a, b| a.stage == b.stage);
    for (lots, holdings) in stages.zip(holdings.chunk_by(|a, b| a.stage == b.stage)) {
        let stage: i128 = holdings.iter().map(|holding| i128::from(holding.packs)).sum();
        if total + stage < i128::from(wanted.packs) {
            total += stage;
            for holding in holdings {
                if let Some(stock) = stocks.get_mut(holding.household) {
                    *stock = stock.saturating_add(holding.packs);
                }
            }
            income::add_sold_out(wanted.pack, lots, &mut incomes);
            continue;
        }
        let entering =
            Entrance { wanted, lots, holdings, incomes: &incomes, stocks: &stocks, before: total }.admit();
        for household in entering {
            if let Some(stock) = stocks.get_mut(household) {
                *stock = 1;
            }
        }
        break;
    }
    stocks.into_iter().map(|stock| stock > 0).collect()
}

/// The stage that fills the demand, and what the stages before it hold.
struct Entrance<'a> {
    wanted: &'a Wanted<'a>,
    lots: &'a [Lot],
    holdings: &'a [Holding],
    incomes: &'a [i64],
    stocks: &'a [i64],
    before: i128,
}

/// A household that this stage could take in.
struct Newcomer {
    household: usize,
    packs: i64,
    /// The place of its holding in the stage.
    place: usize,
}

impl Entrance<'_> {
    fn admit(&self) -> Vec<usize> {
        let (mut newcomers, inside) = self.newcomers();
        let welcome = match self.wanted.demand.policy {
            Policy::IncomeLevelling => self.sort_by_income(&mut newcomers),
            Policy::Proportional => {
                newcomers.sort_unstable_by_key(|new| (Reverse(new.packs), new.household));
                self.in_proportion(&newcomers, inside)
            }
            Policy::MaxMin | Policy::FewestPickups | Policy::Cheapest => {
                newcomers.sort_unstable_by_key(|new| (Reverse(new.packs), new.household));
                self.with_room()
            }
        };
        // Beyond those that are welcome, as many as it takes to fill the demand.
        let mut missing = i128::from(self.wanted.packs) - self.before - inside;
        let mut admitted = Vec::with_capacity(newcomers.len());
        for (index, new) in newcomers.iter().enumerate() {
            if index >= welcome && missing <= 0 {
                break;
            }
            missing -= i128::from(new.packs);
            admitted.push(new.household);
        }
        admitted
    }

    /// The households that have no lot in an earlier stage, and what the others hold here.
    fn newcomers(&self) -> (Vec<Newcomer>, i128) {
        let mut newcomers = Vec::new();
        let mut inside: i128 = 0;
        for (place, holding) in self.holdings.iter().enumerate() {
            if self.stocks.get(holding.household).is_some_and(|stock| *stock > 0) {
                inside += i128::from(holding.packs);
            } else {
                newcomers.push(Newcomer { household: holding.household, packs: holding.packs, place });
            }
        }
        (newcomers, inside)
    }

    /// How many can get the minimum without taking from earlier stages.
    fn with_room(&self) -> usize {
        let inside = self.stocks.iter().filter(|stock| **stock > 0);
        let used: i128 = inside.map(|stock| i128::from((*stock).max(self.wanted.min_share))).sum();
        let room = (i128::from(self.wanted.packs) - used).max(0);
        usize::try_from(room / i128::from(self.wanted.min_share)).unwrap_or(usize::MAX)
    }

    /// How many of the largest get at least the minimum in proportion to their stocks.
    fn in_proportion(&self, newcomers: &[Newcomer], inside: i128) -> usize {
        let packs = i128::from(self.wanted.packs) - self.before;
        let mut stock = inside;
        let reaches = newcomers.iter().take_while(|new| {
            stock += i128::from(new.packs);
            // Wide enough: the minimum is at most the demand over the number of households.
            packs * i128::from(new.packs) >= stock * i128::from(self.wanted.min_share)
        });
        reaches.count()
    }

    /// Sorts by the income at which each reaches the minimum, and answers how many the rising level brings there.
    fn sort_by_income(&self, newcomers: &mut [Newcomer]) -> usize {
        let ladders = income::ladders(self.wanted.pack, self.lots, self.incomes);
        let reach: Vec<i64> = ladders.fen_at(self.wanted.min_share).collect();
        let reach = |new: &Newcomer| reach.get(new.place).copied().unwrap_or(i64::MAX);
        newcomers.sort_unstable_by_key(|new| (reach(new), new.household));
        let mut order = vec![0; self.holdings.len()];
        for (index, new) in newcomers.iter().enumerate() {
            if let Some(slot) = order.get_mut(new.place) {
                *slot = index;
            }
        }
        let packs = i128::from(self.wanted.packs) - self.before;
        let fits = |last: usize| {
            let level_fen = newcomers.get(last).map_or(i64::MAX, reach);
            let parts = ladders.packs_at(level_fen).zip(&order).filter(|(_, index)| **index <= last);
            parts.map(|(part, _)| i128::from(part)).sum::<i128>() <= packs
        };
        let (mut welcome, mut above) = (0, newcomers.len() + 1);
        while above - welcome > 1 {
            let middle = welcome.midpoint(above);
            if fits(middle - 1) {
                welcome = middle;
            } else {
                above = middle;
            }
        }
        welcome
    }
}

/// Reserves the minimum share of every household out of its own holdings, in the order of the stages.
pub(super) fn reserve(min_share: i64, holdings: &mut [Holding], households: usize) {
    let mut missing = vec![min_share; households];
    for holding in holdings {
        if let Some(missing) = missing.get_mut(holding.household) {
            holding.floor = holding.packs.min(*missing);
            *missing -= holding.floor;
        }
    }
}
