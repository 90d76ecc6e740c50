//! The reconciliation of books and bank (余额调节表): what stands in both is paired, the rest is listed, and what the
//! lists do not explain is a difference. Pure; knows no database and no time of day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use uuid::Uuid;

use crate::money::Fen;

/// Books and bank may tell of the same money so many days apart.
pub const PAIR_DAYS_MAX: u64 = 7;

/// Money that came in (above zero) or went out, in the books or at the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The ledger entry, the payout or the line of a statement.
    pub id: Uuid,
    pub day: NaiveDate,
    pub amount: Fen,
    /// The number of the paper, or what the bank wrote.
    pub told: String,
}

/// The two balances at the end of a day, and what stands on one side alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// What the bank says is on all accounts.
    pub bank: Fen,
    /// What the books say is in escrow.
    pub book: Fen,
    /// In the books and not at the bank (单位已记、银行未记).
    pub book_only: Vec<Item>,
    /// At the bank and not in the books (银行已记、单位未记).
    pub bank_only: Vec<Item>,
    /// The bank's balance with what only the books have.
    pub bank_adjusted: Fen,
    /// The books' balance with what only the bank has.
    pub book_adjusted: Fen,
    /// What nothing explains: the adjusted balances' difference, bank less books.
    pub difference: Fen,
}

/// Adds the lists to the balances. `None` when a sum is beyond what a figure can hold.
#[must_use]
pub fn reconcile(bank: Fen, book: Fen, book_only: Vec<Item>, bank_only: Vec<Item>) -> Option<Reconciliation> {
    let with = |balance: Fen, items: &[Item]| {
        items.iter().try_fold(balance, |sum, item| sum.checked_add(item.amount))
    };
    let bank_adjusted = with(bank, &book_only)?;
    let book_adjusted = with(book, &bank_only)?;
    let difference = bank_adjusted.checked_sub(book_adjusted)?;
    Some(Reconciliation { bank, book, book_only, bank_only, bank_adjusted, book_adjusted, difference })
}

/// Pairs items of one amount that lie at most [`PAIR_DAYS_MAX`] days apart, the earliest with the earliest, and answers
/// what is left of the books and of the bank, each by day and id.
#[must_use]
pub fn unpaired(book: Vec<Item>, bank: Vec<Item>) -> (Vec<Item>, Vec<Item>) {
    let mut by_amount: BTreeMap<Fen, (Vec<Item>, Vec<Item>)> = BTreeMap::new();
    for item in book {
        by_amount.entry(item.amount).or_default().0.push(item);
    }
    for item in bank {
        by_amount.entry(item.amount).or_default().1.push(item);
    }
    let (mut book_left, mut bank_left) = (Vec::new(), Vec::new());
    for (mut book, mut bank) in by_amount.into_values() {
        in_order(&mut book);
        in_order(&mut bank);
        pair_in_order(book, bank, &mut book_left, &mut bank_left);
    }
    in_order(&mut book_left);
    in_order(&mut bank_left);
    (book_left, bank_left)
}

/// Two lists of one amount by day: of the two first, either they are near or the earlier one has no partner.
fn pair_in_order(book: Vec<Item>, bank: Vec<Item>, book_left: &mut Vec<Item>, bank_left: &mut Vec<Item>) {
    let (mut book, mut bank) = (book.into_iter().peekable(), bank.into_iter().peekable());
    while let (Some(ours), Some(theirs)) = (book.peek(), bank.peek()) {
        let apart = ours.day.signed_duration_since(theirs.day).num_days();
        let is_near = apart.unsigned_abs() <= PAIR_DAYS_MAX;
        if is_near || apart < 0 {
            let ours = book.next();
            if !is_near {
                book_left.extend(ours);
            }
        }
        if is_near || apart >= 0 {
            let theirs = bank.next();
            if !is_near {
                bank_left.extend(theirs);
            }
        }
    }
    book_left.extend(book);
    bank_left.extend(bank);
}

fn in_order(items: &mut [Item]) {
    items.sort_by_key(|item| (item.day, item.id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(id: u128, day: u64, fen: i64) -> Item {
        let first: NaiveDate = "2027-03-01".parse().unwrap();
        Item {
            id: Uuid::from_u128(id),
            day: first + chrono::Days::new(day),
            amount: Fen::new(fen),
            told: String::new(),
        }
    }

    fn ids(items: &[Item]) -> Vec<u128> {
        items.iter().map(|item| item.id.as_u128()).collect()
    }

    #[test]
    fn the_same_money_a_week_apart_is_paired_and_more_is_not() {
        assert_eq!(unpaired(vec![item(1, 0, 500)], vec![item(2, 7, 500)]), (vec![], vec![]));
        let (book, bank) = unpaired(vec![item(1, 0, 500)], vec![item(2, 8, 500)]);
        assert_eq!((ids(&book), ids(&bank)), (vec![1], vec![2]));
    }

    #[test]
    fn what_came_in_is_never_paired_with_what_went_out() {
        let (book, bank) = unpaired(vec![item(1, 0, 500)], vec![item(2, 0, -500)]);
        assert_eq!((book.len(), bank.len()), (1, 1));
    }

    #[test]
    fn each_item_is_paired_once_the_earliest_with_the_earliest() {
        let (book, bank) =
            unpaired(vec![item(1, 0, 5), item(2, 1, 5), item(3, 2, 5)], vec![item(4, 0, 5), item(5, 9, 5)]);
        assert_eq!((ids(&book), ids(&bank)), (vec![2], vec![]));
    }

    #[test]
    fn balances_are_explained_by_what_stands_on_one_side_alone() {
        // The bank has 130.00, the books 100.00; 50.00 came in unnoticed, a payout of 20.00 waits at the bank.
        let told =
            reconcile(Fen::new(15_000), Fen::new(8_000), vec![item(1, 0, -2_000)], vec![item(2, 0, 5_000)]);
        let told = told.unwrap();
        assert_eq!((told.bank_adjusted, told.book_adjusted), (Fen::new(13_000), Fen::new(13_000)));
        assert_eq!(told.difference, Fen::ZERO);
    }

    proptest! {
        /// However items are paired, the difference is what the balances differed by before any of them.
        #[test]
        fn the_difference_is_that_of_the_beginning(
            opening_bank in -1_000_i64..1_000, opening_book in -1_000_i64..1_000,
            book in prop::collection::vec((0_u64..30, -5_i64..5), 0..30),
            bank in prop::collection::vec((0_u64..30, -5_i64..5), 0..30),
        ) {
            let items = |told: &[(u64, i64)], from: u128| -> Vec<Item> {
                (from..).zip(told).filter(|(_, (_, fen))| *fen != 0).map(|(id, (day, fen))| item(id, *day, *fen)).collect()
            };
            let sum = |items: &[Item]| items.iter().map(|item| item.amount.get()).sum::<i64>();
            let (book, bank) = (items(&book, 0), items(&bank, 1_000));
            let closing = |opening: i64, items: &[Item]| Fen::new(opening + sum(items));
            let (at_bank, in_books) = (closing(opening_bank, &bank), closing(opening_book, &book));
            let (book_only, bank_only) = unpaired(book, bank);
            let told = reconcile(at_bank, in_books, book_only, bank_only).unwrap();
            prop_assert_eq!(told.difference, Fen::new(opening_bank - opening_book));
        }
    }
}
