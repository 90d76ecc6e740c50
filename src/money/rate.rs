//! A share of an amount, such as 1.5 percent, in whole parts per million. No float.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Fen;

/// Parts per million in one percent.
const PPM_PER_PERCENT: i64 = 10_000;

/// Parts per million in the whole.
pub const PPM_OF_WHOLE: i64 = 1_000_000;

/// A share in parts per million: 1 percent is 10,000. From nothing to the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(i64);

/// Why a text is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error("write percent as a decimal string with at most four decimals, such as \"1.5\"")]
    Malformed,
    #[error("a rate is at most 100 percent")]
    TooLarge,
}

impl Rate {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn of_ppm(ppm: i64) -> Self {
        Self(ppm)
    }

    #[must_use]
    pub const fn ppm(self) -> i64 {
        self.0
    }

    /// Reads percent: `"1.5"`, `"0.05"`, `"2"`. ASCII digits, at most four decimals, no sign, no exponent, no blanks.
    pub fn parse_percent(text: &str) -> Result<Self, RateError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || part.len() > 4 {
            return Err(RateError::Malformed);
        }
        let whole: i64 = whole.parse().map_err(|_| RateError::TooLarge)?;
        let part: i64 = format!("{part:0<4}").parse().map_err(|_| RateError::Malformed)?;
        let ppm = whole.checked_mul(PPM_PER_PERCENT).and_then(|ppm| ppm.checked_add(part));
        ppm.filter(|ppm| *ppm <= PPM_OF_WHOLE).map(Self).ok_or(RateError::TooLarge)
    }

    /// This share of an amount, rounded once, half up (四舍五入), to the fen.
    #[must_use]
    pub fn of(self, amount: Fen) -> Fen {
        let exact = i128::from(self.0).saturating_mul(i128::from(amount.get()));
        round_ppm(exact)
    }
}

/// Fen times parts per million as whole fen, rounded once, half up. What is beyond a figure is the largest there is.
#[must_use]
pub fn round_ppm(fen_ppm: i128) -> Fen {
    let whole = i128::from(PPM_OF_WHOLE);
    let half = i128::from(PPM_OF_WHOLE / 2);
    let rounded = fen_ppm.saturating_add(half).checked_div_euclid(whole).unwrap_or(0);
    Fen::new(i64::try_from(rounded).unwrap_or(i64::MAX))
}

/// Percent with two to four decimals: `1.50`, `0.05`, `1.2345`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.checked_div(PPM_PER_PERCENT).unwrap_or(0);
        let part = format!("{:04}", self.0.checked_rem(PPM_PER_PERCENT).unwrap_or(0));
        let (kept, end) = part.split_at_checked(2).unwrap_or((&part, ""));
        write!(f, "{whole}.{kept}{}", end.trim_end_matches('0'))
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test arithmetic may overflow loudly")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rate_of_an_amount_is_rounded_once_half_up() {
        let rate = Rate::parse_percent("1.5").unwrap();
        assert_eq!(rate.of(Fen::new(10_000)), Fen::new(150));
        assert_eq!(rate.of(Fen::new(100)), Fen::new(2), "1.5 fen");
        assert_eq!(rate.of(Fen::new(99)), Fen::new(1), "1.485 fen");
        assert_eq!(Rate::ZERO.of(Fen::new(i64::MAX)), Fen::ZERO);
    }

    #[test]
    fn texts_that_are_no_percent_are_refused() {
        for text in ["", ".", "1.", ".5", "1.23456", "-1", "+1", "1e2", "1%", " 1", "１"] {
            assert_eq!(Rate::parse_percent(text), Err(RateError::Malformed), "{text:?}");
        }
        assert_eq!(Rate::parse_percent("100.0001"), Err(RateError::TooLarge));
        assert_eq!(Rate::parse_percent("99999999999999999999"), Err(RateError::TooLarge));
    }

    #[test]
    fn a_rate_is_written_with_two_to_four_decimals() {
        for (text, told) in
            [("0", "0.00"), ("0.05", "0.05"), ("1.5", "1.50"), ("1.2345", "1.2345"), ("100", "100.00")]
        {
            assert_eq!(Rate::parse_percent(text).unwrap().to_string(), told);
        }
    }

    proptest! {
        #[test]
        fn percent_reads_back_as_written(ppm in 0_i64..=PPM_OF_WHOLE) {
            prop_assert_eq!(Rate::parse_percent(&Rate(ppm).to_string()), Ok(Rate(ppm)));
        }

        #[test]
        fn a_share_is_never_more_than_half_a_fen_off(ppm in 0_i64..=PPM_OF_WHOLE, fen in 0_i64..1_000_000_000_000) {
            let share = i128::from(Rate(ppm).of(Fen::new(fen)).get()) * 1_000_000;
            let exact = i128::from(ppm) * i128::from(fen);
            prop_assert!(share - exact <= 500_000 && exact - share < 500_000);
        }
    }
}
