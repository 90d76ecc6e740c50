//! Chooses the villages of `fewest_pickups`. It never decides how much a household gets.

use std::cmp::Reverse;

use super::stock::Lot;

/// Moves the lots that need not be visited one stage back, in the tier that holds more than is wanted, and answers how
/// many villages are left to visit. Lots still stand with one stage per tier and a free stage behind each.
pub(super) fn postpone_villages(lots: &mut [Lot], wanted: i64) -> u32 {
    let Some((cut, left)) = cut_tier(lots, wanted) else {
        return count(&villages_where(lots, |_| true));
    };
    let visited = villages_where(lots, |stage| stage < cut);
    let mut in_cut: Vec<(u64, i64)> =
        lots.iter().filter(|lot| lot.stage == cut).map(|lot| (lot.village, lot.packs)).collect();
    in_cut.sort_unstable();
    let mut fresh: Vec<(u64, i64)> = Vec::new();
    let mut need = left;
    for village in in_cut.chunk_by(|a, b| a.0 == b.0) {
        let stock = village.iter().fold(0, |sum: i64, (_, packs)| sum.saturating_add(*packs));
        let code = village.first().map_or(0, |(code, _)| *code);
        if visited.binary_search(&code).is_ok() {
            need = need.saturating_sub(stock);
        } else {
            fresh.push((code, stock));
        }
    }
    let chosen = choose_fresh(fresh, need);
    let is_visited = |code: u64| visited.binary_search(&code).is_ok() || chosen.binary_search(&code).is_ok();
    for lot in lots.iter_mut().filter(|lot| lot.stage == cut && !is_visited(lot.village)) {
        lot.stage += 1;
    }
    count(&visited).saturating_add(count(&chosen))
}

/// The tier that holds more than is still wanted when its turn comes, and how much that is.
fn cut_tier(lots: &[Lot], wanted: i64) -> Option<(usize, i64)> {
    let mut left = wanted;
    for stage in (2..=8).step_by(2) {
        let in_stage = lots.iter().filter(|lot| lot.stage == stage);
        let stock = in_stage.fold(0, |sum: i64, lot| sum.saturating_add(lot.packs));
        if stock > left {
            return Some((stage, left));
        }
        left -= stock;
    }
    None
}

/// The largest villages until one of the rest suffices, then the smallest that does. Answers their codes, sorted.
fn choose_fresh(mut fresh: Vec<(u64, i64)>, mut need: i64) -> Vec<u64> {
    fresh.sort_unstable_by_key(|(code, stock)| (Reverse(*stock), *code));
    let mut chosen = Vec::new();
    let mut rest = fresh.as_slice();
    while let Some(((code, stock), smaller)) = rest.split_first().filter(|_| need > 0) {
        if *stock >= need {
            let sufficing = rest.get(..rest.partition_point(|(_, stock)| *stock >= need)).unwrap_or_default();
            let least = sufficing.last().map_or(*stock, |(_, stock)| *stock);
            let closing = sufficing.iter().find(|(_, stock)| *stock == least);
            chosen.push(closing.map_or(*code, |(code, _)| *code));
            break;
        }
        chosen.push(*code);
        need -= stock;
        rest = smaller;
    }
    chosen.sort_unstable();
    chosen
}

fn villages_where(lots: &[Lot], is_wanted: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut codes: Vec<u64> = lots.iter().filter(|lot| is_wanted(lot.stage)).map(|lot| lot.village).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn count(codes: &[u64]) -> u32 {
    u32::try_from(codes.len()).unwrap_or(u32::MAX)
}
