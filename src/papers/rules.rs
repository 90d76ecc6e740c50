//! What papers there are, which numbers they get, when one may be issued, and what makes its figures agree. Pure.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::content::{Balances, Content};
use crate::id::secret_hash;
use crate::money::Fen;
use crate::refusal::Refusal;

/// Lines or movements of a paper at most: a hundred sheets and more.
pub const LINES_MAX: usize = 10_000;

/// The kinds of papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    SettlementStatement,
    MonthlyStatement,
    PaymentSlip,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::SettlementStatement, Self::MonthlyStatement, Self::PaymentSlip];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SettlementStatement => "settlement_statement",
            Self::MonthlyStatement => "monthly_statement",
            Self::PaymentSlip => "payment_slip",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A month of business days, such as `2027-03`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    pub first_on: NaiveDate,
    pub last_on: NaiveDate,
}

impl Month {
    /// Reads `2027-03`, of the years 2000 to 2999.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let is_plain = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_plain(year, 4) || !is_plain(month, 2) || !year.starts_with('2') {
            return None;
        }
        let first_on = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?;
        let last_on = first_on.checked_add_months(Months::new(1))?.checked_sub_days(Days::new(1))?;
        Some(Self { first_on, last_on })
    }

    #[must_use]
    pub fn text(self) -> String {
        format!("{:04}-{:02}", self.first_on.year(), self.first_on.month())
    }
}

/// What a paper is about. There is one paper that is in force about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Settlement(Uuid),
    Month { institution_id: Uuid, month: Month },
    Payout(Uuid),
}

impl Subject {
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Settlement(_) => Kind::SettlementStatement,
            Self::Month { .. } => Kind::MonthlyStatement,
            Self::Payout(_) => Kind::PaymentSlip,
        }
    }

    /// Refuses a month that is not over: its figures would still move.
    pub fn check(self, today: NaiveDate) -> Result<(), Refusal> {
        match self {
            Self::Month { month, .. } if month.last_on >= today => {
                let detail = "this month is not over; until then there is a draft at GET /v1/institutions/{id}/statements/{month}";
                Err(Refusal::invalid("/month", detail))
            }
            Self::Settlement(_) | Self::Month { .. } | Self::Payout(_) => Ok(()),
        }
    }
}

/// The newest paper of a subject, which no other corrects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    pub id: Uuid,
    pub number: String,
}

/// What a new paper corrects, as its maker says, must be the paper in force: a second first paper is a duplicate, a
/// second correction of one paper comes too late.
pub fn check_correction(current: Option<&Current>, replaces_id: Option<Uuid>) -> Result<(), Refusal> {
    match (current, replaces_id) {
        (None, None) => Ok(()),
        (Some(current), Some(replaced)) if current.id == replaced => Ok(()),
        (Some(current), None) => Err(Refusal::Duplicate {
            detail: format!(
                "{} is issued. To correct it, issue again with its id as replaces_id and with a reason.",
                current.number
            ),
        }),
        (Some(current), Some(_)) => Err(Refusal::WrongState {
            what: "paper",
            from: format!("corrected already, {} is in force", current.number),
            attempted: "correct it",
        }),
        (None, Some(_)) => Err(Refusal::NotFound("paper")),
    }
}

/// SHA-256 over the number, a line feed and the content as issued, in hexadecimal: `sha256sum` says the same.
#[must_use]
pub fn digest(number: &str, content: &str) -> String {
    secret_hash(&format!("{number}\n{content}"))
}

impl Content {
    /// The one text of the content, which is stored and digested.
    pub fn write(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a stored text.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::SettlementStatement(_) => Kind::SettlementStatement,
            Self::MonthlyStatement(_) => Kind::MonthlyStatement,
            Self::PaymentSlip(_) => Kind::PaymentSlip,
        }
    }

    /// Whether the total is the sum of the lines and the closing balance the opening one and all movements.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        match self {
            Self::SettlementStatement(statement) => {
                total(statement.lines.iter().map(|line| line.amount)) == Some(statement.amount)
            }
            Self::MonthlyStatement(statement) => {
                let moved = statement
                    .movements
                    .iter()
                    .map(|movement| Balances { receivable: movement.receivable, deposit: movement.deposit });
                after(statement.opening, moved) == Some(statement.closing)
            }
            Self::PaymentSlip(slip) => total(slip.lines.iter().map(|line| line.paid)) == Some(slip.amount),
        }
    }
}

/// The balances after `moved`; none beyond what a figure can hold.
pub fn after(opening: Balances, moved: impl IntoIterator<Item = Balances>) -> Option<Balances> {
    moved.into_iter().try_fold(opening, |sum, moved| {
        Some(Balances {
            receivable: sum.receivable.checked_add(moved.receivable)?,
            deposit: sum.deposit.checked_add(moved.deposit)?,
        })
    })
}

fn total(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
    amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_has_its_first_and_its_last_day() {
        let month = Month::parse("2028-02").unwrap();
        assert_eq!((month.first_on, month.last_on), (day("2028-02-01"), day("2028-02-29")));
        assert_eq!(month.text(), "2028-02");
        for text in
            ["2027-13", "2027-00", "2027-3", "27-03", "2027-03-01", "+027-03", "1999-12", "２０２７-03", ""]
        {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_is_closed_on_the_day_after_its_last() {
        let month = Month::parse("2027-02").unwrap();
        let subject = Subject::Month { institution_id: Uuid::from_u128(1), month };
        assert!(subject.check(day("2027-02-28")).is_err());
        assert!(subject.check(day("2027-03-01")).is_ok());
        assert!(Subject::Settlement(Uuid::from_u128(1)).check(day("2027-02-28")).is_ok());
    }

    #[test]
    fn only_the_paper_in_force_is_corrected() {
        let current = Current { id: Uuid::from_u128(1), number: "SS-341823-2027-000001".to_owned() };
        assert_eq!(check_correction(None, None), Ok(()));
        assert_eq!(check_correction(Some(&current), Some(current.id)), Ok(()));
        let twice = check_correction(Some(&current), None).unwrap_err();
        assert!(matches!(twice, Refusal::Duplicate { detail } if detail.contains(&current.number)));
        let late = check_correction(Some(&current), Some(Uuid::from_u128(2))).unwrap_err();
        assert!(matches!(late, Refusal::WrongState { .. }));
        assert_eq!(check_correction(None, Some(current.id)), Err(Refusal::NotFound("paper")));
    }

    #[test]
    fn a_digest_is_that_of_the_number_and_the_text() {
        // printf 'SS-341823-2027-000001\n{}' | sha256sum
        let digest = digest("SS-341823-2027-000001", "{}");
        assert_eq!(digest, "77d81d471496d0aa0578d6c9701a468c8a54fc47c06ef3ba4f156e4222139537");
    }
}
