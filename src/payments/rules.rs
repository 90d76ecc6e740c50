//! What a payment may be, and how much of it becomes a deposit. Pure; knows no database and no time of day.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::money::Fen;
use crate::refusal::Refusal;

/// A payment older than this is taken for a slip of the pen.
const RECEIVED_DAYS_BACK_MAX: u64 = 3_660;

/// Whether a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Recorded,
    Reversed,
}

impl State {
    pub const ALL: [Self; 2] = [Self::Recorded, Self::Reversed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Reversed => "reversed",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Refuses to reverse what is reversed already.
    pub fn reverse(self) -> Result<Self, Refusal> {
        match self {
            Self::Recorded => Ok(Self::Reversed),
            Self::Reversed => Err(Refusal::WrongState {
                what: "payment",
                from: self.as_str().to_owned(),
                attempted: "reverse",
            }),
        }
    }
}

/// Refuses an amount of nothing and a day that has not come yet or lies ten years back.
pub fn check(amount: Fen, received_on: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    if amount <= Fen::ZERO {
        return Err(Refusal::invalid("/amount", "a payment is above 0.00"));
    }
    if received_on > today {
        return Err(Refusal::invalid(
            "/received_on",
            "the money must have been received; this day is to come",
        ));
    }
    let earliest = today.checked_sub_days(Days::new(RECEIVED_DAYS_BACK_MAX)).unwrap_or(today);
    if received_on < earliest {
        return Err(Refusal::invalid("/received_on", format!("not before {earliest}")));
    }
    Ok(())
}

/// What is left of a payment after settlements took theirs. `None` when they took more than there was.
pub fn left_over(amount: Fen, settled: Fen) -> Option<Fen> {
    amount.checked_sub(settled).filter(|left| *left >= Fen::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_payment_is_of_something_and_was_received() {
        let today = day("2027-03-01");
        assert_eq!(check(Fen::new(1), today, today), Ok(()));
        assert!(check(Fen::ZERO, today, today).is_err());
        assert!(check(Fen::new(1), day("2027-03-02"), today).is_err());
        assert!(check(Fen::new(1), day("0227-03-01"), today).is_err());
    }

    #[test]
    fn what_settlements_do_not_take_is_left_over() {
        assert_eq!(left_over(Fen::new(10_000), Fen::new(6667)), Some(Fen::new(3333)));
        assert_eq!(left_over(Fen::new(6667), Fen::new(6667)), Some(Fen::ZERO));
        assert_eq!(left_over(Fen::new(6666), Fen::new(6667)), None);
    }

    #[test]
    fn a_payment_is_reversed_once() {
        assert_eq!(State::Recorded.reverse(), Ok(State::Reversed));
        assert!(State::Reversed.reverse().is_err());
    }
}
