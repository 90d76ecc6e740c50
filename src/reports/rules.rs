//! What reports may be asked for and how figures are shown: groupings, periods, masks, percentages. Pure; a figure is
//! never rounded here except a percentage, once.

use chrono::{Datelike, Months, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::Refusal;

/// Groupings that one report combines at most.
pub const GROUPINGS_MAX: usize = 4;

/// Groups of one report at most.
pub const GROUPS_MAX: usize = 10_000;

/// Rows of a sheet at most.
pub const SHEET_ROWS_MAX: usize = 50_000;

const PERIOD_YEARS_MAX: u32 = 10;

/// What rows of a report are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    Village,
    Township,
    Product,
    Category,
    Institution,
    InstitutionKind,
    HouseholdStatus,
    Month,
    Day,
}

impl Grouping {
    pub const ALL: [Self; 9] = [
        Self::Village,
        Self::Township,
        Self::Product,
        Self::Category,
        Self::Institution,
        Self::InstitutionKind,
        Self::HouseholdStatus,
        Self::Month,
        Self::Day,
    ];

    /// As callers write it and as the column is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Village => "village",
            Self::Township => "township",
            Self::Product => "product",
            Self::Category => "category",
            Self::Institution => "institution",
            Self::InstitutionKind => "institution_kind",
            Self::HouseholdStatus => "household_status",
            Self::Month => "month",
            Self::Day => "day",
        }
    }
}

/// Reads `village,category`: at most four groupings, none twice; nothing at all means one row for everything.
pub fn parse_group_by(text: Option<&str>) -> Result<Vec<Grouping>, Refusal> {
    let mut groupings = Vec::new();
    for name in text.map(|text| text.split(',')).into_iter().flatten() {
        let known = Grouping::ALL.into_iter().find(|grouping| grouping.as_str() == name);
        let grouping = known.ok_or_else(|| {
            let names: Vec<&str> = Grouping::ALL.into_iter().map(Grouping::as_str).collect();
            refused("group_by", &format!("\"{name}\" is none of {}", names.join(", ")))
        })?;
        if groupings.contains(&grouping) {
            return Err(refused("group_by", &format!("{name} is named twice")));
        }
        groupings.push(grouping);
    }
    if groupings.len() > GROUPINGS_MAX {
        return Err(refused("group_by", &format!("at most {GROUPINGS_MAX} groupings")));
    }
    Ok(groupings)
}

/// Business days, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

impl Period {
    /// The same period, if it is one of at most ten years whose first day is not after its last.
    pub fn checked(self) -> Result<Self, Refusal> {
        let Self { from, to } = self;
        if !(1900..=9999).contains(&from.year()) || !(1900..=9999).contains(&to.year()) {
            return Err(refused("from", "name days of the years 1900 to 9999"));
        }
        if from > to {
            return Err(refused("from", "the first day is after the last one, `to`"));
        }
        let too_late = from.checked_add_months(Months::new(PERIOD_YEARS_MAX * 12));
        if too_late.is_some_and(|too_late| to >= too_late) {
            return Err(refused("to", &format!("at most {PERIOD_YEARS_MAX} years in one report")));
        }
        Ok(self)
    }
}

/// Refuses a report of more rows than it may have.
pub fn bounded<T>(rows: &[T], rows_max: usize) -> Result<(), Refusal> {
    if rows.len() <= rows_max {
        return Ok(());
    }
    let detail = format!(
        "The report has more than {rows_max} rows. Name fewer groupings, a shorter period or a smaller region."
    );
    Err(Refusal::invalid("", detail))
}

/// `part` of `whole` in percent with two decimals, rounded once, half up; nothing of nothing is no figure.
#[must_use]
pub fn percent(part: i64, whole: i64) -> Option<String> {
    let (part, whole) = (i128::from(part), i128::from(whole));
    let hundredths = part.checked_mul(20_000)?.checked_add(whole)?.checked_div(whole.checked_mul(2)?)?;
    Some(format!("{}.{:02}", hundredths.checked_div(100)?, hundredths.checked_rem(100)?))
}

/// Where the next page of incomes begins: behind this income and this household.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomeCursor {
    pub amount_fen: i64,
    pub household_id: Uuid,
}

impl IncomeCursor {
    /// Reads a cursor that [`IncomeCursor::write`] made.
    pub fn parse(cursor: &str) -> Result<Self, Refusal> {
        let read = || {
            let (fen, id) = cursor.strip_prefix("income1-")?.split_once('-')?;
            let amount_fen = fen.parse().ok().filter(|fen| *fen >= 0)?;
            Some(Self { amount_fen, household_id: Uuid::try_parse(id).ok()? })
        };
        read().ok_or(Refusal::CursorExpired)
    }

    /// Opaque to callers; the mark in front tells it from cursors of other lists.
    #[must_use]
    pub fn write(self) -> String {
        format!("income1-{}-{}", self.amount_fen, self.household_id.simple())
    }
}

fn refused(parameter: &str, why: &str) -> Refusal {
    Refusal::invalid("", format!("{parameter}: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn groupings_are_known_named_once_and_at_most_four() {
        assert_eq!(parse_group_by(None), Ok(vec![]));
        assert_eq!(parse_group_by(Some("month,village")), Ok(vec![Grouping::Month, Grouping::Village]));
        for text in ["", "person", "village,", "village,village", "village,township,product,month,day"] {
            assert!(parse_group_by(Some(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_period_is_at_most_ten_years_and_not_backwards() {
        let is_period = |from, to| Period { from, to }.checked().is_ok();
        assert!(is_period(day("2020-01-01"), day("2029-12-31")));
        assert!(is_period(day("2020-01-01"), day("2020-01-01")));
        assert!(!is_period(day("2020-01-01"), day("2030-01-01")));
        assert!(!is_period(day("2020-01-02"), day("2020-01-01")));
        assert!(!is_period(NaiveDate::MIN, NaiveDate::MIN));
    }

    #[test]
    fn percentages_are_rounded_once_half_up() {
        assert_eq!(percent(2, 3).as_deref(), Some("66.67"));
        assert_eq!(percent(1, 20_000).as_deref(), Some("0.01"), "0.005 goes up");
        assert_eq!(percent(5, 5).as_deref(), Some("100.00"));
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn a_cursor_reads_back_as_written_and_foreign_ones_are_refused() {
        let cursor = IncomeCursor { amount_fen: 1234, household_id: Uuid::from_u128(7) };
        assert_eq!(IncomeCursor::parse(&cursor.write()), Ok(cursor));
        for text in ["", "1-0193a5b0c0007000800000000000000f", "income1--1-0", "income1-1-zz"] {
            assert_eq!(IncomeCursor::parse(text), Err(Refusal::CursorExpired), "{text:?}");
        }
    }
}
