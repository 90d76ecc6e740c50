//! When a household may be erased, and what stands in place of its name then. Pure.

use uuid::Uuid;

use crate::money::Fen;
use crate::refusal::Refusal;

/// What still binds a household to the market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    pub lots_on_sale: u64,
    /// Parts of orders that are held, confirmed or under way.
    pub open_allocations: u64,
    /// What it was accepted for and has not been paid out.
    pub owed: Fen,
    /// Payouts that the bank has not answered.
    pub open_payouts: u64,
}

/// Refuses while something binds it, and says what to do about each.
pub fn refuse_tied(ties: Ties) -> Result<(), Refusal> {
    let told = [
        (ties.lots_on_sale > 0, format!("{} lots are on sale: withdraw them", ties.lots_on_sale)),
        (
            ties.open_allocations > 0,
            format!("{} parts of orders are open: let them be accepted or cancelled", ties.open_allocations),
        ),
        (ties.owed != Fen::ZERO, format!("{} is owed to it: pay it out", ties.owed)),
        (ties.open_payouts > 0, format!("{} payouts have no result: record it", ties.open_payouts)),
    ];
    let reasons: Vec<String> = told.into_iter().filter(|(is_so, _)| *is_so).map(|(_, text)| text).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Refusal::StillBound {
        detail: format!("The household cannot be erased yet. {}.", reasons.join("; ")),
    })
}

/// `已注销` and the last eight digits of the id, by which the books can still tell one from another.
#[must_use]
pub fn pseudonym(household: Uuid) -> String {
    let id = household.simple().to_string();
    format!("已注销{}", id.get(24..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_that_nothing_binds_may_be_erased() {
        assert_eq!(refuse_tied(Ties::default()), Ok(()));
    }

    #[test]
    fn whatever_binds_it_is_named_with_what_to_do() {
        let ties = Ties { lots_on_sale: 2, open_allocations: 1, owed: Fen::new(1_250), open_payouts: 3 };
        let Err(Refusal::StillBound { detail }) = refuse_tied(ties) else { panic!("not refused") };
        for part in ["2 lots", "withdraw", "1 parts of orders", "12.50 is owed", "3 payouts"] {
            assert!(detail.contains(part), "{detail}");
        }
    }

    #[test]
    fn a_pseudonym_tells_households_apart_and_says_nothing_else() {
        let id = Uuid::from_u128(0x0195_8000_0000_7000_8000_0000_1234_abcd);
        assert_eq!(pseudonym(id), "已注销1234abcd");
    }
}
