//! What makes an entry an entry: at least two accounts, summing to zero. Pure; knows no database and no time of day.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::money::Fen;

/// What an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// What an institution owes.
    Receivable,
    /// What an institution paid ahead.
    Deposit,
    /// What a household is owed.
    Payable,
    /// The county's money at the bank.
    Escrow,
    /// Payouts instructed, not yet confirmed by the bank.
    Clearing,
    /// Must stay zero.
    Rounding,
    /// What institutions owe the operator on top of what households are owed.
    Fee,
}

impl AccountKind {
    pub const ALL: [Self; 7] = [
        Self::Receivable,
        Self::Deposit,
        Self::Payable,
        Self::Escrow,
        Self::Clearing,
        Self::Rounding,
        Self::Fee,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Deposit => "deposit",
            Self::Payable => "payable",
            Self::Escrow => "escrow",
            Self::Clearing => "clearing",
            Self::Rounding => "rounding",
            Self::Fee => "fee",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Where the account stands in a balance sheet.
    #[must_use]
    pub const fn class(self) -> AccountClass {
        match self {
            Self::Receivable | Self::Escrow => AccountClass::Assets,
            Self::Deposit | Self::Payable | Self::Clearing => AccountClass::Liabilities,
            Self::Rounding => AccountClass::Equity,
            Self::Fee => AccountClass::Income,
        }
    }

    /// Whether each institution or household has one of its own; of the others a county has one.
    #[must_use]
    pub const fn is_owned(self) -> bool {
        matches!(self, Self::Receivable | Self::Deposit | Self::Payable)
    }
}

/// The sides of a balance sheet, and what is earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountClass {
    Assets,
    Liabilities,
    Equity,
    Income,
}

impl AccountClass {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assets => "assets",
            Self::Liabilities => "liabilities",
            Self::Equity => "equity",
            Self::Income => "income",
        }
    }
}

/// Names an account of a county.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    pub kind: AccountKind,
    /// The institution or household; none for the accounts a county has one of.
    pub owner: Option<Uuid>,
}

/// Why postings are no entry. A bug of ours, never a caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("an entry needs postings on two accounts at least, this one has {0}")]
    TooFewPostings(usize),
    #[error("an entry must sum to zero, this one sums to {0} fen")]
    Unbalanced(i128),
    #[error("a {0} account has an owner exactly when its kind is owned")]
    WrongOwner(&'static str),
    #[error("an amount is beyond what an account can hold")]
    TooLarge,
}

/// The postings as they are stored: one per account in the order of accounts, none of zero, summing to zero.
pub fn balanced(postings: &[(AccountKey, Fen)]) -> Result<Vec<(AccountKey, Fen)>, EntryError> {
    let mut merged: BTreeMap<AccountKey, Fen> = BTreeMap::new();
    for &(key, amount) in postings {
        if key.kind.is_owned() != key.owner.is_some() {
            return Err(EntryError::WrongOwner(key.kind.as_str()));
        }
        let so_far = merged.entry(key).or_insert(Fen::ZERO);
        *so_far = so_far.checked_add(amount).ok_or(EntryError::TooLarge)?;
    }
    merged.retain(|_, amount| *amount != Fen::ZERO);
    if merged.len() < 2 {
        return Err(EntryError::TooFewPostings(merged.len()));
    }
    let total: i128 = merged.values().map(|amount| i128::from(amount.get())).sum();
    if total == 0 { Ok(merged.into_iter().collect()) } else { Err(EntryError::Unbalanced(total)) }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test arithmetic may overflow loudly")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ESCROW: AccountKey = AccountKey { kind: AccountKind::Escrow, owner: None };

    fn payable(owner: u128) -> AccountKey {
        AccountKey { kind: AccountKind::Payable, owner: Some(Uuid::from_u128(owner)) }
    }

    fn fen(amount: i64) -> Fen {
        Fen::new(amount)
    }

    #[test]
    fn an_entry_that_does_not_sum_to_zero_is_refused() {
        let postings = [(ESCROW, fen(100)), (payable(1), fen(-99))];
        assert_eq!(balanced(&postings), Err(EntryError::Unbalanced(1)));
    }

    #[test]
    fn an_entry_of_one_account_or_none_is_refused() {
        assert_eq!(balanced(&[]), Err(EntryError::TooFewPostings(0)));
        assert_eq!(balanced(&[(ESCROW, fen(5))]), Err(EntryError::TooFewPostings(1)));
        assert_eq!(balanced(&[(ESCROW, fen(5)), (ESCROW, fen(-5))]), Err(EntryError::TooFewPostings(0)));
    }

    #[test]
    fn an_owned_account_without_an_owner_and_a_common_one_with_an_owner_are_refused() {
        let ownerless = AccountKey { kind: AccountKind::Payable, owner: None };
        let owned = AccountKey { kind: AccountKind::Escrow, owner: Some(Uuid::from_u128(1)) };
        assert_eq!(balanced(&[(ownerless, fen(1))]), Err(EntryError::WrongOwner("payable")));
        assert_eq!(balanced(&[(owned, fen(1))]), Err(EntryError::WrongOwner("escrow")));
    }

    #[test]
    fn an_amount_beyond_an_account_is_refused_and_does_not_wrap() {
        let postings = [(ESCROW, fen(i64::MAX)), (ESCROW, fen(1)), (payable(1), fen(i64::MIN))];
        assert_eq!(balanced(&postings), Err(EntryError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_stored_sums_to_zero_with_one_posting_per_account_and_none_of_zero(
            credits in prop::collection::vec((1_u128..20, 0_i64..1_000_000), 1..60)
        ) {
            let total: i64 = credits.iter().map(|credit| credit.1).sum();
            prop_assume!(total > 0);
            let mut postings = vec![(ESCROW, fen(total))];
            postings.extend(credits.iter().map(|(owner, amount)| (payable(*owner), fen(-amount))));
            let stored = balanced(&postings).unwrap();
            prop_assert_eq!(stored.iter().map(|posting| posting.1).sum::<Fen>(), Fen::ZERO);
            prop_assert!(stored.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(stored.iter().all(|posting| posting.1 != Fen::ZERO));
        }
    }
}
