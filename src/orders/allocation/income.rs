//! Levels sales incomes: what a household has sold this year plus what it would sell here. Exact in whole packs and
//! whole fen; incomes beyond what `i64` fen can say are not told apart.

use super::stock::{Holding, Lot, is_same_holding};

/// One lot as a step of a household's rising income.
struct Rung {
    /// Where the holding's next ladder begins.
    is_first: bool,
    /// The income before the first pack of this lot is sold, in fen.
    bottom_fen: i64,
    /// The lowest whole income at which the lot is sold out.
    top_fen: i64,
    packs: i64,
    /// A pack is worth `fen_per_pack / price_per_base` fen.
    fen_per_pack: u64,
    price_per_base: u64,
}

/// The lots of a stage as rungs, one ladder for every holding, cheapest lot lowest.
pub(super) struct Ladders {
    rungs: Vec<Rung>,
}

impl Rung {
    fn of(pack: i64, lot: &Lot, bottom_fen: i64) -> Self {
        let per_base = lot.price.per_base.unsigned_abs();
        let fen_per_pack = lot.price.fen.unsigned_abs().saturating_mul(pack.unsigned_abs());
        let mut rung = Self {
            is_first: false,
            bottom_fen,
            top_fen: 0,
            packs: lot.packs,
            fen_per_pack,
            price_per_base: per_base,
        };
        rung.top_fen = rung.fen_at(lot.packs);
        rung
    }

    /// The lowest whole income at which so many packs are sold.
    fn fen_at(&self, packs: i64) -> i64 {
        let exact = u128::from(packs.unsigned_abs()) * u128::from(self.fen_per_pack);
        let value = match u64::try_from(exact) {
            Ok(exact) => exact.div_ceil(self.price_per_base),
            Err(_) => u64::try_from(exact.div_ceil(u128::from(self.price_per_base))).unwrap_or(u64::MAX),
        };
        self.bottom_fen.saturating_add_unsigned(value)
    }

    /// How many packs are sold when the income may rise to `level_fen`.
    fn packs_at(&self, level_fen: i64) -> i64 {
        if level_fen >= self.top_fen {
            return self.packs;
        }
        if level_fen < self.bottom_fen {
            return 0;
        }
        let rise = level_fen.abs_diff(self.bottom_fen);
        let packs = if let Some(exact) = rise.checked_mul(self.price_per_base) {
            exact.checked_div(self.fen_per_pack)
        } else {
            let exact = u128::from(rise) * u128::from(self.price_per_base);
            exact.checked_div(u128::from(self.fen_per_pack)).and_then(|packs| u64::try_from(packs).ok())
        };
        packs.and_then(|packs| i64::try_from(packs).ok()).unwrap_or(i64::MAX).min(self.packs)
    }
}

/// Adds what sold-out lots bring to the incomes of their households.
pub(super) fn add_sold_out(pack: i64, lots: &[Lot], incomes: &mut [i64]) {
    for lot in lots {
        if let Some(income) = incomes.get_mut(lot.household) {
            *income = income.saturating_add(lot.price.amount_fen(lot.packs.saturating_mul(pack)));
        }
    }
}

pub(super) fn ladders(pack: i64, lots: &[Lot], incomes: &[i64]) -> Ladders {
    let mut rungs = Vec::with_capacity(lots.len());
    for lots in lots.chunk_by(is_same_holding) {
        let mut bottom_fen = lots.first().and_then(|lot| incomes.get(lot.household)).copied().unwrap_or(0);
        for (index, lot) in lots.iter().enumerate() {
            rungs.push(Rung { is_first: index == 0, ..Rung::of(pack, lot, bottom_fen) });
            bottom_fen = bottom_fen.saturating_add(lot.price.amount_fen(lot.packs.saturating_mul(pack)));
        }
    }
    Ladders { rungs }
}

impl Ladders {
    fn each(&self) -> impl Iterator<Item = &[Rung]> {
        self.rungs.chunk_by(|_, next| !next.is_first)
    }

    /// How many packs every holding sells at this income.
    pub fn packs_at(&self, level_fen: i64) -> impl Iterator<Item = i64> {
        self.each().map(move |ladder| {
            ladder.iter().fold(0, |sum: i64, rung| sum.saturating_add(rung.packs_at(level_fen)))
        })
    }

    /// The income at which every holding has sold so many packs, or all it has.
    pub fn fen_at(&self, packs: i64) -> impl Iterator<Item = i64> {
        self.each().map(move |ladder| {
            let mut left = packs;
            let mut reached = i64::MIN;
            for rung in ladder {
                let packs = left.min(rung.packs);
                if packs > 0 {
                    reached = reached.max(rung.fen_at(packs));
                }
                left -= packs;
            }
            reached
        })
    }

    fn sum_at(&self, level_fen: i64, floors: &[i64]) -> u64 {
        let parts =
            self.packs_at(level_fen).zip(floors).map(|(packs, floor)| packs.max(*floor).unsigned_abs());
        parts.fold(0, u64::saturating_add)
    }
}

/// Gives every holding what it sells at the highest common income that fits, but at least its floor, and the packs
/// left over in order, to each no more than the next fen of income would bring. Answers that income.
pub(super) fn level(ladders: &Ladders, holdings: &mut [Holding], packs: i64) -> i64 {
    let floors: Vec<i64> = holdings.iter().map(|holding| holding.floor).collect();
    let wanted = packs.unsigned_abs();
    let low_fen = ladders.rungs.iter().map(|rung| rung.bottom_fen).min().unwrap_or(0).saturating_sub(1);
    let high_fen = ladders.rungs.iter().map(|rung| rung.top_fen).max().unwrap_or(0).max(low_fen);
    let mut low = (low_fen, floors.iter().sum::<i64>().unsigned_abs());
    let mut high = (high_fen, ladders.sum_at(high_fen, &floors));
    // Invariant: `low` fits and `high` does not. Between the points where a household starts or sells out the sum
    // is a straight line, so that a guess along the line comes close; halving bounds the number of guesses.
    let mut is_guess = true;
    while high.0.abs_diff(low.0) > 1 {
        let middle = if is_guess { along_the_line(low, high, wanted) } else { low.0.midpoint(high.0) };
        let sum = ladders.sum_at(middle, &floors);
        *(if sum <= wanted { &mut low } else { &mut high }) = (middle, sum);
        is_guess = !is_guess;
    }
    let mut left = wanted.saturating_sub(low.1);
    let (at_low, at_next) = (ladders.packs_at(low.0), ladders.packs_at(high.0));
    for (holding, (packs, next)) in holdings.iter_mut().zip(at_low.zip(at_next)) {
        let part = packs.max(holding.floor);
        let gain = next.max(holding.floor).abs_diff(part).min(left);
        left -= gain;
        holding.part = part.saturating_add_unsigned(gain);
    }
    low.0
}

/// The income strictly between two points where the straight line through them reaches `wanted`.
fn along_the_line(low: (i64, u64), high: (i64, u64), wanted: u64) -> i64 {
    let (width, rise) = (u128::from(high.0.abs_diff(low.0)), u128::from(high.1.saturating_sub(low.1)).max(1));
    let step = u128::from(wanted.saturating_sub(low.1)) * width / rise;
    let step = u64::try_from(step.clamp(1, width - 1)).unwrap_or(1);
    low.0.saturating_add_unsigned(step)
}
