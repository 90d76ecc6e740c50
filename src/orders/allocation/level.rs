//! The levels: how much each household of a tier gives once it is known who takes part. Pure; sums are exact.

use std::cmp::Reverse;

use super::{Entry, Given, Lot, Reason};

/// Raises one level of quantity until `wanted` packs are filled: everybody gives the level or all they have.
pub(super) fn quantities(entries: &[Entry], pack: i64, wanted: i64) -> Given {
    let at = |level: i64, entry: &Entry| entry.available.min(level.max(entry.least));
    let highest = entries.iter().map(|entry| entry.available).max().unwrap_or(0);
    let (level, mut packs) = highest_level(entries, 0, highest, wanted, at);
    let mut left = wanted.saturating_sub(packs.iter().sum());
    for (entry, given) in entries.iter().zip(&mut packs) {
        if left > 0 && *given < entry.available && *given <= level {
            *given += 1;
            left -= 1;
        }
    }
    Given { packs, reason: Reason::Level { base: level.saturating_mul(pack) } }
}

/// Raises one level of income: everybody sells as much as brings their income of the year up to it.
pub(super) fn incomes(entries: &[Entry], lots: &[Lot], pack: i64, wanted: i64) -> Given {
    let at = |level_fen: i64, entry: &Entry| {
        packs_up_to(entry, lots, pack, level_fen.saturating_sub(entry.income_fen)).max(entry.least)
    };
    let lowest = entries.iter().map(|entry| entry.income_fen).min().unwrap_or(0);
    let highest =
        entries.iter().map(|entry| entry.income_fen.saturating_add(full_value_fen(entry, lots, pack))).max();
    let (level, mut packs) =
        highest_level(entries, lowest, highest.unwrap_or(0).saturating_add(1), wanted, at);
    let mut left = wanted.saturating_sub(packs.iter().sum());
    let mut poorest_first: Vec<usize> = (0..entries.len()).collect();
    poorest_first.sort_by_key(|&index| entries.get(index).map(|entry| (entry.income_fen, entry.household)));
    for index in poorest_first {
        if let (Some(entry), Some(given)) = (entries.get(index), packs.get_mut(index)) {
            let more = at(level.saturating_add(1), entry).saturating_sub(*given).clamp(0, left);
            *given += more;
            left -= more;
        }
    }
    Given { packs, reason: Reason::IncomeLevel { fen: level } }
}

/// In proportion to what each has: floors first, then one pack each by largest remainder, ties by id. Whoever would get
/// less than the least it may get gets just that, and the others share what is left.
pub(super) fn proportional(entries: &[Entry], wanted: i64) -> Given {
    let whole: i128 = entries.iter().map(|entry| i128::from(entry.available)).sum();
    let wanted = i128::from(wanted).min(whole);
    let permille = (wanted * 1000).checked_div(whole).unwrap_or(0);
    let mut packs = vec![0_i64; entries.len()];
    let (mut to_share, mut of) = (wanted, whole);
    let mut smallest_first: Vec<usize> = (0..entries.len()).collect();
    if entries.iter().any(|entry| entry.least > 0) {
        // The smallest fall short of their least first, so one pass in this order settles who is raised to it.
        smallest_first
            .sort_by_key(|&index| entries.get(index).map(|entry| (entry.available, entry.household)));
    }
    let mut in_proportion = Vec::with_capacity(entries.len());
    for index in smallest_first {
        let (Some(entry), Some(given)) = (entries.get(index), packs.get_mut(index)) else { continue };
        let available = i128::from(entry.available);
        if to_share * available < i128::from(entry.least) * of {
            *given = entry.least;
            to_share -= i128::from(entry.least);
            of -= available;
        } else {
            in_proportion.push(index);
        }
    }
    let mut remainders = Vec::with_capacity(in_proportion.len());
    let mut left = to_share;
    for index in in_proportion {
        let (Some(entry), Some(given)) = (entries.get(index), packs.get_mut(index)) else { continue };
        let scaled = to_share * i128::from(entry.available);
        let floor = scaled.checked_div(of).unwrap_or(0);
        *given = i64::try_from(floor).unwrap_or(i64::MAX);
        left -= floor;
        remainders.push((Reverse(scaled - floor * of), index));
    }
    let raised = usize::try_from(left).unwrap_or(0).min(remainders.len());
    if raised > 0 {
        remainders.select_nth_unstable(raised - 1);
    }
    for (_, index) in remainders.into_iter().take(raised) {
        if let Some(given) = packs.get_mut(index) {
            *given += 1;
        }
    }
    Given { packs, reason: Reason::Proportion { permille: i64::try_from(permille).unwrap_or(1000) } }
}

/// What `base` grams or pieces of a lot bring, in fen, rounded up so that a level is never overstated.
pub(super) fn value_fen(lot: &Lot, base: i64) -> i64 {
    let per = lot.price_per_base;
    // Wide division costs ten times as much, and figures that need it are rare.
    match base.checked_mul(lot.price_fen).and_then(|exact| exact.checked_add(per - 1)) {
        Some(raised) if raised >= 0 => raised / per,
        _ => {
            let exact = i128::from(base) * i128::from(lot.price_fen) + i128::from(per - 1);
            i64::try_from(exact / i128::from(per)).unwrap_or(i64::MAX)
        }
    }
}

/// The highest level between `low` and `high` at which no more than `wanted` packs are given, and what is given there.
fn highest_level(
    entries: &[Entry],
    low: i64,
    high: i64,
    wanted: i64,
    at: impl Fn(i64, &Entry) -> i64,
) -> (i64, Vec<i64>) {
    let fits = |level: i64| {
        let total: i128 = entries.iter().map(|entry| i128::from(at(level, entry))).sum();
        total <= i128::from(wanted)
    };
    let (mut below, mut above) = (low, high.max(low));
    if fits(above) {
        below = above;
    }
    while above.saturating_sub(below) > 1 {
        let middle = below + (above - below) / 2;
        if fits(middle) {
            below = middle;
        } else {
            above = middle;
        }
    }
    (below, entries.iter().map(|entry| at(below, entry)).collect())
}

/// The most packs of a household's lots, cheapest first, that bring at most `fen`.
fn packs_up_to(entry: &Entry, lots: &[Lot], pack: i64, fen: i64) -> i64 {
    let (mut purse, mut packs) = (fen.max(0), 0_i64);
    if purse == 0 {
        return 0;
    }
    for lot in lots.iter().skip(entry.first_lot).take(entry.lots) {
        let take = affordable(lot, pack, purse).min(lot.packs);
        packs = packs.saturating_add(take);
        if take < lot.packs {
            break;
        }
        purse = purse.saturating_sub(value_fen(lot, take * pack));
    }
    packs
}

/// Packs of a lot, had it enough, that bring at most `purse`.
fn affordable(lot: &Lot, pack: i64, purse: i64) -> i64 {
    let price = lot.price_fen.max(1);
    match (purse.checked_mul(lot.price_per_base), pack.checked_mul(price)) {
        (Some(budget), Some(per_pack)) => budget / per_pack,
        _ => {
            let budget = i128::from(purse) * i128::from(lot.price_per_base);
            i64::try_from(budget / (i128::from(pack) * i128::from(price))).unwrap_or(i64::MAX)
        }
    }
}

fn full_value_fen(entry: &Entry, lots: &[Lot], pack: i64) -> i64 {
    let of_household = lots.iter().skip(entry.first_lot).take(entry.lots);
    of_household.fold(0_i64, |total, lot| total.saturating_add(value_fen(lot, lot.packs * pack)))
}
