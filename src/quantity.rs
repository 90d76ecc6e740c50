//! Quantities as whole grams or whole pieces. A value that is not whole is refused, never rounded.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// The largest quantity of one figure: 9 million tons in grams, or as many pieces.
pub const BASE_MAX: i64 = 9_000_000_000_000;

/// What is counted: grams or pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    Mass,
    Count,
}

/// A unit people name quantities and prices in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 斤, 500 g
    Jin,
    /// 两, 50 g
    Liang,
    /// 公斤, 1000 g
    Kg,
    /// 吨, 1,000,000 g
    Ton,
    /// 枚 or 个
    Piece,
    /// 头 or 只
    Head,
    /// 箱
    Box,
}

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("write the amount as a decimal string of digits, such as \"32.5\"")]
    Malformed,
    #[error("the amount must be above zero")]
    NotPositive,
    #[error("the amount is not a whole number of grams or pieces")]
    NotWhole,
    #[error("the amount is above 9000000000000 grams or pieces")]
    TooLarge,
    #[error("the product is sold by {0}, the unit is of the other kind")]
    WrongMeasure(Measure),
}

/// A positive, whole number of grams or pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quantity {
    base: i64,
    measure: Measure,
}

impl Measure {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mass => "mass",
            Self::Count => "count",
        }
    }

    /// The unit an exact amount is shown in.
    #[must_use]
    pub const fn shown_in(self) -> Unit {
        match self {
            Self::Mass => Unit::Kg,
            Self::Count => Unit::Piece,
        }
    }
}

impl FromStr for Measure {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "mass" => Ok(Self::Mass),
            "count" => Ok(Self::Count),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Unit {
    pub const ALL: [Self; 7] =
        [Self::Jin, Self::Liang, Self::Kg, Self::Ton, Self::Piece, Self::Head, Self::Box];

    /// Grams or pieces in one unit.
    #[must_use]
    pub const fn base(self) -> i64 {
        match self {
            Self::Jin => 500,
            Self::Liang => 50,
            Self::Kg => 1000,
            Self::Ton => 1_000_000,
            Self::Piece | Self::Head | Self::Box => 1,
        }
    }

    #[must_use]
    pub const fn measure(self) -> Measure {
        match self {
            Self::Jin | Self::Liang | Self::Kg | Self::Ton => Measure::Mass,
            Self::Piece | Self::Head | Self::Box => Measure::Count,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jin => "jin",
            Self::Liang => "liang",
            Self::Kg => "kg",
            Self::Ton => "ton",
            Self::Piece => "piece",
            Self::Head => "head",
            Self::Box => "box",
        }
    }
}

impl FromStr for Unit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == text).ok_or(())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Quantity {
    /// Reads `amount` in `unit`: ASCII digits with at most one point; positive, whole in grams or pieces, bounded.
    pub fn parse(amount: &str, unit: Unit) -> Result<Self, QuantityError> {
        let base = parse_base(amount, unit)?;
        if base == 0 { Err(QuantityError::NotPositive) } else { Ok(Self { base, measure: unit.measure() }) }
    }

    /// A quantity of `base` grams or pieces.
    pub const fn from_base(base: i64, measure: Measure) -> Result<Self, QuantityError> {
        match base {
            ..=0 => Err(QuantityError::NotPositive),
            1..=BASE_MAX => Ok(Self { base, measure }),
            _ => Err(QuantityError::TooLarge),
        }
    }

    #[must_use]
    pub const fn base(self) -> i64 {
        self.base
    }

    #[must_use]
    pub const fn measure(self) -> Measure {
        self.measure
    }

    /// Refuses kilos of a product sold by the piece, and the reverse.
    pub fn for_measure(self, measure: Measure) -> Result<Self, QuantityError> {
        if self.measure == measure { Ok(self) } else { Err(QuantityError::WrongMeasure(measure)) }
    }
}

/// Reads an amount that may be zero, such as a refused weight, as whole grams or pieces.
pub fn parse_base(amount: &str, unit: Unit) -> Result<i64, QuantityError> {
    let is_plain = amount.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && amount.starts_with(|first: char| first.is_ascii_digit())
        && amount.ends_with(|last: char| last.is_ascii_digit());
    if amount.starts_with('-') && amount.len() > 1 && parse_base(amount.get(1..).unwrap_or(""), unit).is_ok()
    {
        return Err(QuantityError::NotPositive);
    }
    if !is_plain {
        return Err(QuantityError::Malformed);
    }
    if amount.len() > 30 {
        return Err(QuantityError::TooLarge);
    }
    let exact = Decimal::from_str_exact(amount).map_err(|_| QuantityError::Malformed)?;
    let base = exact.checked_mul(Decimal::from(unit.base())).ok_or(QuantityError::TooLarge)?;
    if base > Decimal::from(BASE_MAX) {
        return Err(QuantityError::TooLarge);
    }
    if !base.fract().is_zero() {
        return Err(QuantityError::NotWhole);
    }
    base.to_i64().ok_or(QuantityError::TooLarge)
}

/// Shows grams as kilos without trailing zeros (`32.5`), pieces as they are. Exact, also for zero.
#[must_use]
pub fn show_base(base: i64, measure: Measure) -> String {
    let scale = match measure {
        Measure::Mass => 3,
        Measure::Count => 0,
    };
    Decimal::new(base, scale).normalize().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_become_whole_grams_or_pieces() {
        assert_eq!(Quantity::parse("32.5", Unit::Jin).unwrap().base(), 16_250);
        assert_eq!(Quantity::parse("0.01", Unit::Ton).unwrap().base(), 10_000);
        assert_eq!(Quantity::parse("3", Unit::Liang).unwrap().base(), 150);
        assert_eq!(Quantity::parse("12", Unit::Head).unwrap().base(), 12);
        assert_eq!(show_base(16_250, Measure::Mass), "16.25");
        assert_eq!(show_base(1_000_000, Measure::Mass), "1000");
    }

    #[test]
    fn half_a_gram_and_half_a_piece_are_refused() {
        assert_eq!(Quantity::parse("0.0005", Unit::Kg), Err(QuantityError::NotWhole));
        assert_eq!(Quantity::parse("0.5", Unit::Piece), Err(QuantityError::NotWhole));
    }

    #[test]
    fn texts_that_are_not_amounts_are_refused() {
        for text in ["", "1e2", "NaN", "１２", "1,000", " 1", "1.", ".5", "1.2.3", "--1", "∞"] {
            assert_eq!(Quantity::parse(text, Unit::Kg), Err(QuantityError::Malformed), "{text:?}");
        }
        for text in ["0", "0.0", "-1", "-0.5"] {
            assert_eq!(Quantity::parse(text, Unit::Kg), Err(QuantityError::NotPositive), "{text:?}");
        }
        for text in ["9000000000.001", "99999999999999999999", "999999999999999999999999999999999"] {
            assert_eq!(Quantity::parse(text, Unit::Kg), Err(QuantityError::TooLarge), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn grams_read_back_as_shown(base in 1_i64..=BASE_MAX) {
            let shown = show_base(base, Measure::Mass);
            prop_assert_eq!(Quantity::parse(&shown, Unit::Kg).unwrap().base(), base);
        }
    }
}
