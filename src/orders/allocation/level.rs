//! Water-filling and proportional parts, exact in whole packs. Both expect the floors to sum to at most the packs, and
//! the stocks to at least them.

use std::cmp::Reverse;

use super::stock::Holding;

/// Gives every holding `min(packs, level)`, but at least its floor, at the highest level that fits, and one pack more
/// to the first that have more until all is given. Answers the level.
pub(super) fn level(holdings: &mut [Holding], packs: i64) -> i64 {
    let bounds: Vec<(i64, i64)> = holdings.iter().map(|holding| (holding.floor, holding.packs)).collect();
    // Saturation lies above every number of packs, so that it never passes for a sum that fits.
    let sum_at = |level: i64| {
        let parts = bounds.iter().map(|(floor, stock)| (*stock).min(level).max(*floor).unsigned_abs());
        parts.fold(0, u64::saturating_add)
    };
    let wanted = packs.unsigned_abs();
    // Invariant: `low` fits, `high` does not or is above every stock.
    let (mut low, mut high) = (0, bounds.iter().map(|(_, stock)| stock.saturating_add(1)).max().unwrap_or(1));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if sum_at(middle) <= wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    let mut left = wanted.saturating_sub(sum_at(low));
    for holding in holdings {
        let part = holding.packs.min(low).max(holding.floor);
        let gains = left > 0 && part == low && part < holding.packs;
        left -= u64::from(gains);
        holding.part = part + i64::from(gains);
    }
    low
}

/// Gives every holding the same part of its stock, rounded down, and the packs left over by largest remainder. A
/// holding whose part would be below its floor gets its floor and is left out of the proportion. Answers the
/// proportion in hundredths of a percent.
pub(super) fn proportional(holdings: &mut [Holding], packs: i64) -> i64 {
    let stock: i128 = holdings.iter().map(|holding| i128::from(holding.packs)).sum();
    let (free, stock, packs) = hold_floors(holdings, stock, i128::from(packs));
    let mut left = packs;
    let mut remainders: Vec<(Reverse<i128>, usize)> = Vec::with_capacity(holdings.len());
    for (index, holding) in holdings.iter_mut().enumerate() {
        if free.get(index) == Some(&true) {
            let (part, remainder) = scale(holding.packs, packs, stock);
            holding.part = part;
            left -= i128::from(part);
            remainders.push((Reverse(remainder), index));
        }
    }
    let count = usize::try_from(left).unwrap_or(0);
    if count > 0 && count < remainders.len() {
        remainders.select_nth_unstable(count);
    }
    for (_, index) in remainders.into_iter().take(count) {
        if let Some(holding) = holdings.get_mut(index) {
            holding.part += 1;
        }
    }
    i64::try_from((packs * 10_000).checked_div(stock).unwrap_or(0)).unwrap_or(i64::MAX)
}

/// Sets the part of every holding that the proportion would leave below its floor. Answers who shares in proportion,
/// and the stock and packs that are left for them. A floor is at most the packs per household, so that no product
/// here exceeds `packs` times the largest stock.
fn hold_floors(holdings: &mut [Holding], mut stock: i128, mut packs: i128) -> (Vec<bool>, i128, i128) {
    let mut free = vec![true; holdings.len()];
    let with_floor = holdings.iter_mut().enumerate().filter(|(_, holding)| holding.floor > 0);
    let mut by_floor: Vec<(usize, &mut Holding)> = with_floor.collect();
    // Whoever is furthest below its floor first: holding it lowers the proportion for the others.
    by_floor.sort_unstable_by(|(_, a), (_, b)| {
        (i128::from(b.floor) * i128::from(a.packs)).cmp(&(i128::from(a.floor) * i128::from(b.packs)))
    });
    for (index, holding) in by_floor {
        let (floor, own) = (i128::from(holding.floor), i128::from(holding.packs));
        if floor * stock <= own * packs {
            break;
        }
        holding.part = holding.floor;
        stock -= own;
        packs -= floor;
        if let Some(free) = free.get_mut(index) {
            *free = false;
        }
    }
    (free, stock, packs)
}

/// `own * packs / stock` rounded down, and the remainder. Narrow division where it fits: it is several times faster.
fn scale(own: i64, packs: i128, stock: i128) -> (i64, i128) {
    let product = i128::from(own) * packs;
    if let (Ok(product), Ok(stock)) = (u64::try_from(product), u64::try_from(stock)) {
        let (part, remainder) = (product.checked_div(stock), product.checked_rem(stock));
        return (i64::try_from(part.unwrap_or(0)).unwrap_or(i64::MAX), i128::from(remainder.unwrap_or(0)));
    }
    let (part, remainder) = (product.checked_div(stock), product.checked_rem(stock));
    (i64::try_from(part.unwrap_or(0)).unwrap_or(i64::MAX), remainder.unwrap_or(0))
}
