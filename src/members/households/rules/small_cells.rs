//! Which public figures must not be published, as they are over so few households that they tell of one of them: small
//! ones, and those that would give a small one away by difference. Pure.

use chrono::NaiveDate;

/// Figures over fewer households than this are not published.
pub const PUBLISHED_HOUSEHOLDS_MIN: i64 = 3;

/// Which cells of a group are hidden, by how many households each is over. Of a group whose sum is known one hidden cell is
/// the difference, so the hidden ones together are over enough households or over all that there are: the smallest shown
/// ones are hidden too until they are. An empty cell says nothing and is shown.
#[must_use]
pub fn hidden_cells(households: &[i64]) -> Vec<bool> {
    let is_small = |count: &i64| (1..PUBLISHED_HOUSEHOLDS_MIN).contains(count);
    let mut hidden: Vec<bool> = households.iter().map(is_small).collect();
    if !hidden.contains(&true) {
        return hidden;
    }
    let mut shown: Vec<(i64, usize)> = households
        .iter()
        .enumerate()
        .filter(|(_, count)| **count >= PUBLISHED_HOUSEHOLDS_MIN)
        .map(|(place, count)| (*count, place))
        .collect();
    shown.sort_unstable();
    let mut shown = shown.into_iter();
    while is_given_away(households, &hidden) {
        let Some((_, place)) = shown.next() else { break };
        if let Some(cell) = hidden.get_mut(place) {
            *cell = true;
        }
    }
    hidden
}

/// Whether what is hidden follows from the rest: one cell alone, or too few households together.
fn is_given_away(households: &[i64], hidden: &[bool]) -> bool {
    let counts = households.iter().zip(hidden).filter(|(_, is_hidden)| **is_hidden).map(|(count, _)| *count);
    let counts: Vec<i64> = counts.collect();
    counts.len() == 1 || counts.iter().sum::<i64>() < PUBLISHED_HOUSEHOLDS_MIN
}

/// The day up to which a growing sum is published, of past days and how many different households each adds something of:
/// the last that is over enough of them. Whoever reads the sum today and reads it again later sees a difference that holds
/// a whole such day, never what one household sold in between.
#[must_use]
pub fn published_until(days: &[(NaiveDate, i64)], today: NaiveDate) -> Option<NaiveDate> {
    let past =
        days.iter().filter(|(day, households)| *day < today && *households >= PUBLISHED_HOUSEHOLDS_MIN);
    past.map(|(day, _)| *day).max()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::Days;
    use proptest::prelude::*;

    use super::*;

    const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2027, 3, 1).unwrap();

    #[test]
    fn one_small_cell_takes_the_smallest_shown_one_with_it_and_two_may_be_enough() {
        assert_eq!(hidden_cells(&[9, 2, 5, 7]), [false, true, true, false]);
        assert_eq!(hidden_cells(&[9, 2, 1]), [false, true, true]);
        assert_eq!(hidden_cells(&[9, 1, 1]), [true, true, true]);
        assert_eq!(hidden_cells(&[3, 0, 4]), [false, false, false]);
        assert_eq!(hidden_cells(&[2]), [true]);
        assert_eq!(hidden_cells(&[]), [false; 0]);
    }

    #[test]
    fn today_is_not_over_yet_and_a_day_of_two_households_waits_for_the_next() {
        let day = |back: u64| TODAY - Days::new(back);
        assert_eq!(published_until(&[(day(9), 3), (day(5), 2), (day(0), 8)], TODAY), Some(day(9)));
        assert_eq!(published_until(&[(day(5), 2)], TODAY), None);
    }

    proptest! {
        #[test]
        fn nothing_small_is_shown_and_nothing_hidden_follows_from_the_rest(
            households in proptest::collection::vec(0_i64..8, 0..12)
        ) {
            let hidden = hidden_cells(&households);
            prop_assert_eq!(hidden.len(), households.len());
            for (count, is_hidden) in households.iter().zip(&hidden) {
                prop_assert!(*is_hidden || *count == 0 || *count >= PUBLISHED_HOUSEHOLDS_MIN);
            }
            let all_that_there_is = households.iter().zip(&hidden).all(|(count, is_hidden)| *is_hidden || *count == 0);
            let none = !hidden.contains(&true);
            prop_assert!(none || all_that_there_is || !is_given_away(&households, &hidden));
        }

        #[test]
        fn nothing_is_hidden_when_nothing_is_small(households in proptest::collection::vec(3_i64..90, 0..12)) {
            prop_assert!(!hidden_cells(&households).contains(&true));
        }

        /// Sales come in, day after day; whoever reads every day learns differences.
        #[test]
        fn two_readings_of_a_sum_differ_by_the_sales_of_three_households_or_not_at_all(
            sales in proptest::collection::vec((0_u64..20, 0_u8..6), 0..60), first in 0_u64..22, later in 0_u64..22
        ) {
            let begin = TODAY;
            let reading = |on: u64| {
                let sold = |day: u64| sales.iter().filter(move |(at, _)| *at == day).map(|(_, household)| *household);
                let days: Vec<(NaiveDate, i64)> = (0..20)
                    .map(|day| {
                        let different = sold(day).collect::<BTreeSet<u8>>().len();
                        (begin + Days::new(day), i64::try_from(different).unwrap())
                    })
                    .filter(|(day, _)| *day <= begin + Days::new(on))
                    .collect();
                published_until(&days, begin + Days::new(on))
            };
            let (one, two) = (reading(first.min(later)), reading(first.max(later)));
            let between: BTreeSet<u8> = sales
                .iter()
                .filter(|(day, _)| {
                    let at = Some(begin + Days::new(*day));
                    at > one && at <= two
                })
                .map(|(_, household)| *household)
                .collect();
            prop_assert!(one <= two && (one == two || between.len() >= 3));
        }
    }
}
