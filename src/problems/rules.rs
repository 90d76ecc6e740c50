//! The rules that raise problems: who must close each, by when, and what a person's word is worth. Pure; the query that
//! finds the cases of a rule stands beside it in `cases.rs`.

use chrono::{DateTime, Days, NaiveDate, Utc};
use uuid::Uuid;

use crate::money::Fen;
use crate::refusal::Refusal;

/// Characters of a title at most.
pub const TITLE_CHARS_MAX: usize = 100;

/// Characters of a detail or of what a person writes at closing.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// A problem raised by hand is due within so many days.
const DUE_DAYS_MAX: u64 = 366;

/// Why a problem is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Somebody raised it.
    ByHand,
    /// A payout came back, and its household has not been paid since.
    PayoutReturned,
    /// An institution has not paid by the day a settlement is due.
    PaymentOverdue,
    /// The audit found a row that is not what the other rows say.
    AuditDifference,
    /// The bank tells of another balance than the books, and nothing explains it.
    BankBalanceDiffers,
    /// Money moved at the bank, and nobody booked it.
    StatementLineUnmatched,
    /// Money was booked, and a statement that should show it does not.
    BookedNotAtBank,
}

/// Who has to close a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Officer,
    Finance,
}

/// What becomes of a problem that a person closes while its case still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandClosing {
    /// It is raised anew when the days of its rule have passed once more and nothing has changed.
    HoldsForItsDays,
    /// Until the case ends and comes back.
    Holds,
    /// A person does not close it: books that differ are put right, not explained.
    Refused,
}

/// What a rule asks of whom.
#[derive(Clone, Copy, Debug)]
pub struct Duty {
    /// The table of the rows that the rule is about; empty when a case names its own.
    pub subject_kind: &'static str,
    pub title: &'static str,
    pub owner: Owner,
    /// From the day it is raised until it is due.
    pub days: u64,
    /// A case younger than this is none yet.
    pub grace_days: u64,
    pub hand_closing: HandClosing,
}

impl Rule {
    pub const ALL: [Self; 7] = [
        Self::ByHand,
        Self::PayoutReturned,
        Self::PaymentOverdue,
        Self::AuditDifference,
        Self::BankBalanceDiffers,
        Self::StatementLineUnmatched,
        Self::BookedNotAtBank,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::PayoutReturned => "payout_returned",
            Self::PaymentOverdue => "payment_overdue",
            Self::AuditDifference => "audit_difference",
            Self::BankBalanceDiffers => "bank_balance_differs",
            Self::StatementLineUnmatched => "statement_line_unmatched",
            Self::BookedNotAtBank => "booked_not_at_bank",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }

    #[must_use]
    pub const fn duty(self) -> Duty {
        match self {
            Self::ByHand => Duty {
                subject_kind: "problem",
                title: "",
                owner: Owner::Officer,
                days: 0,
                grace_days: 0,
                hand_closing: HandClosing::Holds,
            },
            Self::PayoutReturned => Duty {
                subject_kind: "payout",
                title: "付款被退回",
                owner: Owner::Officer,
                days: 5,
                grace_days: 0,
                hand_closing: HandClosing::HoldsForItsDays,
            },
            Self::PaymentOverdue => Duty {
                subject_kind: "settlement",
                title: "货款逾期未付",
                owner: Owner::Finance,
                days: 10,
                grace_days: 1,
                hand_closing: HandClosing::HoldsForItsDays,
            },
            Self::AuditDifference => Duty {
                subject_kind: "",
                title: "账目不符",
                owner: Owner::Finance,
                days: 1,
                grace_days: 0,
                hand_closing: HandClosing::Refused,
            },
            Self::BankBalanceDiffers => Duty {
                subject_kind: "bank_statement",
                title: "银行存款与账面不符",
                owner: Owner::Finance,
                days: 3,
                grace_days: 0,
                hand_closing: HandClosing::Holds,
            },
            // A bank's interest or charge is explained once.
            Self::StatementLineUnmatched => Duty {
                subject_kind: "bank_statement_line",
                title: "银行流水未入账",
                owner: Owner::Finance,
                days: 5,
                grace_days: 3,
                hand_closing: HandClosing::Holds,
            },
            // The bank has a week before its statement must show it.
            Self::BookedNotAtBank => Duty {
                subject_kind: "ledger_entry",
                title: "账面收付银行未见",
                owner: Owner::Finance,
                days: 5,
                grace_days: 8,
                hand_closing: HandClosing::HoldsForItsDays,
            },
        }
    }

    /// When a person who closed a problem of the rule by hand must have done so for it to be raised anew `now`; nothing
    /// when their word holds.
    #[must_use]
    pub fn word_until(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.duty().hand_closing {
            HandClosing::HoldsForItsDays => now.checked_sub_days(Days::new(self.duty().days)),
            HandClosing::Holds | HandClosing::Refused => None,
        }
    }

    /// Cases that began on or before this day are problems `today`.
    #[must_use]
    pub fn begun_by(self, today: NaiveDate) -> NaiveDate {
        today.checked_sub_days(Days::new(self.duty().grace_days)).unwrap_or(NaiveDate::MIN)
    }

    /// What a person has to know to act.
    #[must_use]
    pub fn detail(self, case: &Case) -> String {
        let Case { paper, amount, began_on, remark, .. } = case;
        match self {
            Self::ByHand | Self::AuditDifference | Self::BankBalanceDiffers => remark.clone(),
            Self::StatementLineUnmatched => {
                format!("{began_on}银行流水{amount}元未入账:{remark}。请核对并入账,或说明其来源。")
            }
            Self::BookedNotAtBank => {
                format!("{paper}于{began_on}记账{amount}元,银行对账单上没有。请核对是否记错或尚未到账。")
            }
            Self::PayoutReturned => {
                format!(
                    "{paper}中{amount}元于{began_on}被银行退回:{remark}。请核对农户收款账户,更正后重新付款。"
                )
            }
            Self::PaymentOverdue => format!("{paper}应于{began_on}前付清,尚欠{amount}元。请催收。"),
        }
    }
}

impl Owner {
    pub const ALL: [Self; 2] = [Self::Officer, Self::Finance];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Finance => "finance",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|owner| owner.as_str() == name)
    }
}

/// What a rule has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The row it is about.
    pub subject_id: Uuid,
    pub county_code: String,
    /// Twelve digits: where it lies.
    pub region_code: String,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub began_on: NaiveDate,
    /// The number of the paper it is about.
    pub paper: String,
    pub amount: Fen,
    /// What others wrote about it, such as the bank.
    pub remark: String,
}

/// Whether a problem waits for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
}

impl State {
    pub const ALL: [Self; 2] = [Self::Open, Self::Closed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// A person closes a problem of `rule`. Refuses what is closed, and what only its rule closes.
    pub fn close(self, rule: Rule) -> Result<Self, Refusal> {
        let refused = |from: &str| {
            Err(Refusal::WrongState { what: "problem", from: from.to_owned(), attempted: "close it by hand" })
        };
        match self {
            Self::Closed => refused(self.as_str()),
            Self::Open if rule.duty().hand_closing == HandClosing::Refused => {
                refused("a difference that stands")
            }
            Self::Open => Ok(Self::Closed),
        }
    }
}

/// The last day of something raised `today`.
#[must_use]
pub fn due_on(today: NaiveDate, days: u64) -> NaiveDate {
    today.checked_add_days(Days::new(days)).unwrap_or(today)
}

/// Refuses a day that is over or more than a year away.
pub fn check_due(due: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    if (today..=due_on(today, DUE_DAYS_MAX)).contains(&due) {
        return Ok(());
    }
    Err(Refusal::invalid("/due_on", format!("between today and {DUE_DAYS_MAX} days from now")))
}

/// The text without white space around it; refuses one that is nothing else or too long.
pub fn written(text: &str, pointer: &str, chars_max: usize) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > chars_max {
        return Err(Refusal::invalid(pointer, format!("1 to {chars_max} characters")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn every_rule_has_a_name_of_its_own_that_is_read_back() {
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.as_str()), Some(rule));
        }
    }

    #[test]
    fn a_settlement_is_overdue_from_the_day_after_it_is_due() {
        assert_eq!(Rule::PaymentOverdue.begun_by(day("2027-03-02")), day("2027-03-01"));
        assert_eq!(Rule::PayoutReturned.begun_by(day("2027-03-02")), day("2027-03-02"));
    }

    #[test]
    fn a_problem_is_due_within_a_year_and_not_yesterday() {
        let today = day("2027-03-01");
        assert_eq!(check_due(today, today), Ok(()));
        assert!(check_due(day("2027-02-28"), today).is_err());
        assert!(check_due(day("2028-03-02"), today).is_err());
    }

    #[test]
    fn a_problem_is_closed_once_and_a_difference_of_the_books_never_by_hand() {
        assert_eq!(State::Open.close(Rule::ByHand), Ok(State::Closed));
        assert!(State::Closed.close(Rule::ByHand).is_err());
        assert!(State::Open.close(Rule::AuditDifference).is_err());
    }
}
