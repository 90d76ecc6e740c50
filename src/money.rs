//! Money as whole fen. No float ever becomes money here, and nothing is rounded twice.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

use crate::quantity::{Measure, Unit};

mod capitals;
pub mod rate;

pub use rate::Rate;

/// The largest amount of money one figure may hold: 90 trillion yuan, far above any county and far below `i64`.
const FEN_MAX: i64 = 9_000_000_000_000_000;

/// The highest price of one pricing unit: 10 million yuan.
const PRICE_FEN_MAX: i64 = 1_000_000_000;

/// An amount of money in whole fen (CNY 0.01). Negative only in ledger postings and balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(i64);

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("write yuan as a decimal string with at most two decimals, such as \"12.50\"")]
    Malformed,
    #[error("the amount is too large")]
    TooLarge,
}

impl Fen {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn new(fen: i64) -> Self {
        Self(fen)
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Reads `"12.50"`, `"12.5"` or `"12"`: ASCII digits, at most two decimals, no sign, no exponent, no blanks.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let (yuan, cents) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(yuan) || !is_digits(cents) || cents.len() > 2 {
            return Err(MoneyError::Malformed);
        }
        let yuan: i64 = yuan.parse().map_err(|_| MoneyError::TooLarge)?;
        let cents: i64 = format!("{cents:0<2}").parse().map_err(|_| MoneyError::Malformed)?;
        let fen = yuan.checked_mul(100).and_then(|fen| fen.checked_add(cents)).ok_or(MoneyError::TooLarge)?;
        if fen > FEN_MAX { Err(MoneyError::TooLarge) } else { Ok(Self(fen)) }
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// Sums saturate: a total at the limit of `i64` is refused where it is written, by the bounds of its parts.
impl Sum for Fen {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        Self(parts.fold(0_i64, |total, part| total.saturating_add(part.0)))
    }
}

/// Yuan with two decimals: `12.50`.
impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        let (yuan, cents) = (fen.checked_div(100).unwrap_or(0), fen.checked_rem(100).unwrap_or(0));
        write!(f, "{sign}{yuan}.{cents:02}")
    }
}

/// A price: fen for one pricing unit, such as 32.00 yuan per jin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    pub fen: Fen,
    pub per: Unit,
}

/// Why something is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("a price is above zero and at most 10000000.00")]
    OutOfRange,
    #[error("the product is sold by {0}, the price names a unit of the other kind")]
    WrongMeasure(Measure),
}

impl Price {
    /// A price of `fen` per unit, above zero and bounded.
    pub fn new(fen: Fen, per: Unit) -> Result<Self, PriceError> {
        if fen.0 < 1 || fen.0 > PRICE_FEN_MAX { Err(PriceError::OutOfRange) } else { Ok(Self { fen, per }) }
    }

    /// Refuses a price per piece for a product sold by mass, and the reverse.
    pub fn for_measure(self, measure: Measure) -> Result<Self, PriceError> {
        if self.per.measure() == measure { Ok(self) } else { Err(PriceError::WrongMeasure(measure)) }
    }

    /// Price times quantity, rounded once, half up (四舍五入), to the fen.
    #[must_use]
    pub fn amount(self, quantity_base: i64) -> Fen {
        let exact = i128::from(self.fen.0).saturating_mul(i128::from(quantity_base));
        let unit = i128::from(self.per.base()).max(1);
        let half = unit.checked_div(2).unwrap_or(0);
        let rounded = exact.saturating_add(half).checked_div(unit).unwrap_or(0);
        Fen(i64::try_from(rounded).unwrap_or(i64::MAX))
    }

    /// Whether this price is at most `limit`, compared exactly across units of one measure.
    #[must_use]
    pub fn is_at_most(self, limit: Self) -> bool {
        let ours = i128::from(self.fen.0).saturating_mul(i128::from(limit.per.base()));
        let theirs = i128::from(limit.fen.0).saturating_mul(i128::from(self.per.base()));
        ours <= theirs
    }
}

/// Splits `total` over parts weighted by `weights`: every part gets its floor, the fen left over go to the
/// largest remainders, ties to the earlier part. Callers order the parts by id. The parts sum exactly to `total`.
/// With no positive weight, every part is zero.
#[must_use]
pub fn split(total: Fen, weights: &[Fen]) -> Vec<Fen> {
    let whole: i128 = weights.iter().map(|weight| i128::from(weight.0.max(0))).sum();
    if whole == 0 {
        return vec![Fen::ZERO; weights.len()];
    }
    let shares = weights.iter().map(|weight| {
        let scaled = i128::from(weight.0.max(0)).saturating_mul(i128::from(total.0));
        (scaled.checked_div(whole).unwrap_or(0), scaled.checked_rem(whole).unwrap_or(0))
    });
    let shares: Vec<(i128, i128)> = shares.collect();
    let floors: i128 = shares.iter().map(|(floor, _)| floor).sum();
    let left_over = usize::try_from(i128::from(total.0).saturating_sub(floors)).unwrap_or(0);
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder
        .sort_by_key(|&index| (std::cmp::Reverse(shares.get(index).map_or(0, |share| share.1)), index));
    let mut parts: Vec<Fen> =
        shares.iter().map(|(floor, _)| Fen(i64::try_from(*floor).unwrap_or(i64::MAX))).collect();
    for index in by_remainder.into_iter().take(left_over) {
        if let Some(part) = parts.get_mut(index) {
            part.0 = part.0.saturating_add(1);
        }
    }
    parts
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test arithmetic may overflow loudly")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn yuan(text: &str) -> Fen {
        Fen::parse(text).unwrap()
    }

    #[test]
    fn an_amount_is_price_times_quantity_rounded_once_half_up() {
        let price = Price::new(yuan("1.10"), Unit::Kg).unwrap();
        assert_eq!(price.amount(5250).to_string(), "5.78", "1.75 x 3 kg at 1.10 is 5.775");
        let yuan_per_kg = Price::new(yuan("1.00"), Unit::Kg).unwrap();
        assert_eq!(yuan_per_kg.amount(1), Fen::ZERO);
        assert_eq!(yuan_per_kg.amount(1000), yuan("1.00"));
    }

    #[test]
    fn a_hundred_yuan_over_three_parts_loses_no_fen() {
        let parts = split(yuan("100.00"), &[Fen(1), Fen(1), Fen(1)]);
        assert_eq!(parts, [Fen(3334), Fen(3333), Fen(3333)]);
    }

    #[test]
    fn prices_are_compared_exactly_across_units() {
        let per_jin = Price::new(yuan("20.00"), Unit::Jin).unwrap();
        let per_kg = Price::new(yuan("40.00"), Unit::Kg).unwrap();
        assert!(per_jin.is_at_most(per_kg) && per_kg.is_at_most(per_jin));
        assert!(!Price::new(yuan("20.01"), Unit::Jin).unwrap().is_at_most(per_kg));
    }

    #[test]
    fn texts_that_are_not_yuan_are_refused() {
        for text in
            ["", ".", "1.", ".5", "1.234", "-1.00", "+1", "1e2", "NaN", "１２", " 1", "1,000.00", "0x1"]
        {
            assert_eq!(Fen::parse(text), Err(MoneyError::Malformed), "{text:?}");
        }
        assert_eq!(Fen::parse("90000000000000.01"), Err(MoneyError::TooLarge));
        assert_eq!(Fen::parse("99999999999999999999"), Err(MoneyError::TooLarge));
    }

    proptest! {
        #[test]
        fn a_split_sums_exactly_and_gives_every_part_at_least_its_floor(
            total in 0_i64..1_000_000_000, weights in prop::collection::vec(0_i64..1_000_000, 1..50)
        ) {
            let fen: Vec<Fen> = weights.iter().copied().map(Fen).collect();
            let parts = split(Fen(total), &fen);
            let whole: i64 = weights.iter().sum();
            prop_assume!(whole > 0);
            prop_assert_eq!(parts.iter().copied().sum::<Fen>(), Fen(total));
            for (part, weight) in parts.iter().zip(&weights) {
                let floor = i64::try_from(i128::from(*weight) * i128::from(total) / i128::from(whole)).unwrap();
                prop_assert!(part.0 == floor || part.0 == floor + 1);
            }
        }

        #[test]
        fn yuan_read_back_as_written(fen in 0_i64..FEN_MAX) {
            prop_assert_eq!(Fen::parse(&Fen(fen).to_string()), Ok(Fen(fen)));
        }
    }
}
