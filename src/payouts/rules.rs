//! What goes into a payout batch, who may take it further, and what the bank's answers mean. Pure; knows no database
//! and no time of day.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::Fen;
use crate::refusal::Refusal;

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchState {
    /// The money is reserved; a second person has to approve.
    Drafted,
    /// The bank is instructed.
    Approved,
    /// Every payout has its result.
    Executed,
}

impl BatchState {
    pub const ALL: [Self; 3] = [Self::Drafted, Self::Approved, Self::Executed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drafted => "drafted",
            Self::Approved => "approved",
            Self::Executed => "executed",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Refuses a batch that is approved already, and the person who made it.
    pub fn approve(self, made_by: Uuid, approver: Uuid) -> Result<Self, Refusal> {
        match self {
            Self::Drafted if made_by == approver => Err(Refusal::SecondPersonNeeded),
            Self::Drafted => Ok(Self::Approved),
            Self::Approved | Self::Executed => Err(self.refuse("approve")),
        }
    }

    /// Refuses a file about a batch that the bank was not instructed to pay. One about a batch that has all its results may
    /// come again.
    pub fn take_file(self) -> Result<(), Refusal> {
        match self {
            Self::Approved | Self::Executed => Ok(()),
            Self::Drafted => Err(self.refuse("record results of")),
        }
    }

    /// Refuses results of a batch that the bank was not instructed to pay, or that has them all.
    pub fn take_results(self) -> Result<(), Refusal> {
        match self {
            Self::Approved => Ok(()),
            Self::Drafted | Self::Executed => Err(self.refuse("record results of")),
        }
    }

    fn refuse(self, attempted: &'static str) -> Refusal {
        Refusal::WrongState { what: "payout batch", from: self.as_str().to_owned(), attempted }
    }
}

/// How far a payout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PayoutState {
    Drafted,
    Instructed,
    /// Instructed, and the bank did not say what became of it. Stored as instructed since when it is not known.
    Unknown,
    Paid,
    Returned,
}

impl PayoutState {
    pub const ALL: [Self; 5] = [Self::Drafted, Self::Instructed, Self::Unknown, Self::Paid, Self::Returned];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drafted => "drafted",
            Self::Instructed => "instructed",
            Self::Unknown => "unknown",
            Self::Paid => "paid",
            Self::Returned => "returned",
        }
    }

    /// The state that the database stores and the trail tells.
    #[must_use]
    pub const fn stored(self) -> Self {
        match self {
            Self::Unknown => Self::Instructed,
            other => other,
        }
    }

    /// Whether the bank was asked to pay and its answer is still open.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Instructed | Self::Unknown)
    }

    /// Reads a name as [`PayoutState::as_str`] writes it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Why money came back. All but `Other` are about the account: the household is paid again when its account was
/// corrected, or somebody of finance says that the same is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnCode {
    WrongAccount,
    ClosedAccount,
    BlockedAccount,
    NameMismatch,
    Other,
}

impl ReturnCode {
    pub const ALL: [Self; 5] =
        [Self::WrongAccount, Self::ClosedAccount, Self::BlockedAccount, Self::NameMismatch, Self::Other];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongAccount => "wrong_account",
            Self::ClosedAccount => "closed_account",
            Self::BlockedAccount => "blocked_account",
            Self::NameMismatch => "name_mismatch",
            Self::Other => "other",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// What a bank means by the words it returns money with. Words that are not known mean `Other`.
    #[must_use]
    pub fn of_words(reason: &str) -> Self {
        const WORDS: [(ReturnCode, &[&str]); 4] = [
            (ReturnCode::ClosedAccount, &["销户", "注销", "已关闭"]),
            (ReturnCode::NameMismatch, &["户名", "姓名", "名称不符"]),
            (ReturnCode::BlockedAccount, &["冻结", "止付", "挂失", "睡眠", "状态异常", "受限"]),
            (ReturnCode::WrongAccount, &["账号", "帐号", "卡号", "账户不存在", "无此账户", "无此户"]),
        ];
        let means = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        WORDS.into_iter().find(|(_, words)| means(words)).map_or(Self::Other, |(code, _)| code)
    }

    /// What a code of the list `ExternalStatusReason1Code` of ISO 20022 means; those about the payer's account are `Other`.
    #[must_use]
    pub fn of_iso(code: &str) -> Self {
        match code {
            "AC01" | "AC03" | "AC14" | "AC15" => Self::WrongAccount,
            "AC04" | "AC07" => Self::ClosedAccount,
            "AC06" | "AG01" => Self::BlockedAccount,
            "BE01" => Self::NameMismatch,
            _ => Self::Other,
        }
    }
}

/// Why a household is not in a batch although money waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// It has no registered bank account.
    NoAccount,
    /// The last money to its account came back, and the account is the same.
    AccountReturned,
}

impl LeftOutReason {
    pub const ALL: [Self; 2] = [Self::NoAccount, Self::AccountReturned];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAccount => "no_account",
            Self::AccountReturned => "account_returned",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// What the bank did with a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BankResult {
    Paid,
    /// The money came back.
    Returned {
        code: ReturnCode,
        reason: String,
    },
}

impl BankResult {
    #[must_use]
    pub const fn state(&self) -> PayoutState {
        match self {
            Self::Paid => PayoutState::Paid,
            Self::Returned { .. } => PayoutState::Returned,
        }
    }

    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Paid => None,
            Self::Returned { reason, .. } => Some(reason),
        }
    }

    #[must_use]
    pub const fn return_code(&self) -> Option<ReturnCode> {
        match self {
            Self::Paid => None,
            Self::Returned { code, .. } => Some(*code),
        }
    }
}

/// What waits to be paid out of one settlement line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub settlement_line_id: Uuid,
    pub household_id: Uuid,
    pub amount: Fen,
}

/// Everything one household gets in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub household_id: Uuid,
    pub amount: Fen,
    pub parts: Vec<Due>,
}

/// The first `lines_max` parts without the household that the cut goes through, whose parts stay together, and whether
/// something was cut off. A household with more parts than that alone is cut all the same.
#[must_use]
pub fn cut(mut due: Vec<Due>, lines_max: usize) -> (Vec<Due>, bool) {
    let Some(first_cut) = due.get(lines_max).copied() else { return (due, false) };
    due.truncate(lines_max);
    let whole = due.iter().rposition(|part| part.household_id != first_cut.household_id);
    if let Some(last) = whole {
        due.truncate(last.saturating_add(1));
    }
    (due, true)
}

/// One share per household in the order of their ids, at most `households_max`, and whether something is left for the
/// next batch. `None` when a household would get more than a figure can hold.
#[must_use]
pub fn gather(due: &[Due], households_max: usize) -> Option<(Vec<Share>, bool)> {
    let mut by_household: BTreeMap<Uuid, Vec<Due>> = BTreeMap::new();
    for part in due {
        by_household.entry(part.household_id).or_default().push(*part);
    }
    let has_rest = by_household.len() > households_max;
    let shares = by_household.into_iter().take(households_max).map(|(household_id, parts)| {
        let amount = total(parts.iter().map(|part| part.amount))?;
        Some(Share { household_id, amount, parts })
    });
    Some((shares.collect::<Option<Vec<_>>>()?, has_rest))
}

/// The sum, or `None` beyond what a figure can hold.
pub fn total(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
    amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
}

/// A payout that the bank was asked to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructed {
    pub id: Uuid,
    pub household_id: Uuid,
    pub amount: Fen,
    pub state: PayoutState,
}

/// How a payout is called in files for the bank and in their answers: 33 characters, of which the first is a letter, so that
/// no spreadsheet program takes it for a number.
#[must_use]
pub fn end_to_end_id(payout_id: Uuid) -> String {
    format!("P{}", payout_id.simple())
}

/// The payout that such a name is of.
#[must_use]
pub fn payout_of(end_to_end_id: &str) -> Option<Uuid> {
    let hex = end_to_end_id.trim().strip_prefix(['P', 'p']).filter(|hex| hex.len() == 32)?;
    Uuid::try_parse(hex).ok()
}

/// Puts every result to its payout. Refuses a payout named twice, one of another batch, and one that has its result.
pub fn matched(
    results: &[(Uuid, BankResult)],
    found: &[Instructed],
) -> Result<Vec<(Instructed, BankResult)>, Refusal> {
    let ids: Vec<Uuid> = results.iter().map(|result| result.0).collect();
    let payouts = named_once(&ids, found, |index| format!("/results/{index}/payout_id"))?;
    let matched = payouts.into_iter().zip(results).map(|(payout, (_, result))| {
        if payout.state.is_open() {
            Ok((payout, result.clone()))
        } else {
            Err(payout.refuse("record a result of"))
        }
    });
    matched.collect()
}

/// The payouts of `ids` in their order. Refuses one named twice and one of another batch; `place` says where one stands.
pub fn named_once(
    ids: &[Uuid],
    found: &[Instructed],
    place: impl Fn(usize) -> String,
) -> Result<Vec<Instructed>, Refusal> {
    let by_id: HashMap<Uuid, Instructed> = found.iter().map(|payout| (payout.id, *payout)).collect();
    let mut seen = HashSet::new();
    let named = ids.iter().enumerate().map(|(index, id)| {
        if !seen.insert(*id) {
            return Err(Refusal::invalid(place(index), "this payout is named twice"));
        }
        let payout = by_id.get(id).copied();
        payout.ok_or_else(|| Refusal::invalid(place(index), "this is not a payout of this batch"))
    });
    named.collect()
}

impl Instructed {
    /// The refusal of a step that is not possible in the state of this payout.
    #[must_use]
    pub fn refuse(&self, attempted: &'static str) -> Refusal {
        let from = format!("{} ({})", self.state.as_str(), self.id);
        Refusal::WrongState { what: "payout", from, attempted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(line: u128, household: u128, fen: i64) -> Due {
        Due {
            settlement_line_id: Uuid::from_u128(line),
            household_id: Uuid::from_u128(household),
            amount: Fen::new(fen),
        }
    }

    fn instructed(id: u128, state: PayoutState) -> Instructed {
        Instructed { id: Uuid::from_u128(id), household_id: Uuid::from_u128(9), amount: Fen::new(1), state }
    }

    #[test]
    fn a_household_gets_one_share_that_is_the_sum_of_its_lines() {
        let (shares, has_rest) = gather(&[due(1, 7, 100), due(2, 8, 5), due(3, 7, 1)], 10).unwrap();
        let amounts: Vec<i64> = shares.iter().map(|share| share.amount.get()).collect();
        assert_eq!((amounts, has_rest), (vec![101, 5], false));
        assert_eq!(shares[0].parts.len(), 2);
    }

    #[test]
    fn the_households_beyond_the_most_of_a_batch_are_left_for_the_next() {
        let (shares, has_rest) = gather(&[due(1, 7, 1), due(2, 8, 1), due(3, 9, 1)], 2).unwrap();
        assert_eq!((shares.len(), has_rest), (2, true));
    }

    #[test]
    fn a_household_is_in_a_batch_with_all_its_lines_or_not_at_all() {
        let all = vec![due(1, 7, 1), due(2, 8, 1), due(3, 8, 1), due(4, 9, 1)];
        assert_eq!(cut(all.clone(), 4), (all.clone(), false));
        assert_eq!(cut(all.clone(), 3).0.len(), 3);
        assert_eq!(cut(all.clone(), 2), (all[..1].to_vec(), true));
        assert_eq!(cut(vec![due(1, 7, 1), due(2, 7, 1)], 1).0.len(), 1, "or it would never be paid");
    }

    #[test]
    fn the_words_and_codes_of_banks_say_whether_an_account_must_be_corrected() {
        for (words, code) in [
            ("账户已销户", ReturnCode::ClosedAccount),
            ("户名不符", ReturnCode::NameMismatch),
            ("账号户名不符", ReturnCode::NameMismatch),
            ("账户状态异常", ReturnCode::BlockedAccount),
            ("收款账号错误", ReturnCode::WrongAccount),
            ("系统繁忙", ReturnCode::Other),
        ] {
            assert_eq!(ReturnCode::of_words(words), code, "{words}");
        }
        assert_eq!(ReturnCode::of_iso("AC04"), ReturnCode::ClosedAccount);
        assert_eq!(ReturnCode::of_iso("AM05"), ReturnCode::Other);
        for code in ReturnCode::ALL {
            assert_eq!(ReturnCode::parse(code.as_str()), Some(code));
        }
    }

    #[test]
    fn only_somebody_else_approves_a_batch_and_only_once() {
        let (maker, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(BatchState::Drafted.approve(maker, other), Ok(BatchState::Approved));
        assert_eq!(BatchState::Drafted.approve(maker, maker), Err(Refusal::SecondPersonNeeded));
        assert!(matches!(BatchState::Approved.approve(maker, other), Err(Refusal::WrongState { .. })));
        assert!(matches!(BatchState::Drafted.take_results(), Err(Refusal::WrongState { .. })));
        assert!(matches!(BatchState::Executed.take_results(), Err(Refusal::WrongState { .. })));
    }

    #[test]
    fn a_result_is_for_a_payout_of_the_batch_that_has_none_and_named_once() {
        let one = Uuid::from_u128(1);
        let found = [instructed(1, PayoutState::Instructed), instructed(2, PayoutState::Paid)];
        assert_eq!(matched(&[(one, BankResult::Paid)], &found).unwrap().len(), 1);
        let twice = matched(&[(one, BankResult::Paid), (one, BankResult::Paid)], &found);
        assert!(matches!(twice, Err(Refusal::Invalid { pointer, .. }) if pointer == "/results/1/payout_id"));
        let foreign = matched(&[(Uuid::from_u128(3), BankResult::Paid)], &found);
        assert!(matches!(foreign, Err(Refusal::Invalid { .. })));
        let again = matched(&[(Uuid::from_u128(2), BankResult::Paid)], &found);
        assert!(matches!(again, Err(Refusal::WrongState { .. })));
    }

    proptest! {
        #[test]
        fn shares_sum_to_what_is_due(parts in prop::collection::vec((1_u128..20, 1_i64..1_000_000), 1..80)) {
            let due: Vec<Due> = (0_u128..).zip(&parts).map(|(line, (house, fen))| due(line, *house, *fen)).collect();
            let (shares, has_rest) = gather(&due, 100).unwrap();
            prop_assert!(!has_rest);
            let shared: i64 = shares.iter().map(|share| share.amount.get()).sum();
            prop_assert_eq!(shared, parts.iter().map(|part| part.1).sum::<i64>());
            prop_assert!(shares.windows(2).all(|pair| pair[0].household_id < pair[1].household_id));
        }
    }
}
