//! What a file of the bank means for the payouts of a batch. Pure; knows no form of file and no database.

use std::collections::HashMap;

use uuid::Uuid;

use crate::money::Fen;
use crate::payouts::rules::{BankResult, Instructed, PayoutState, end_to_end_id};
use crate::refusal::Refusal;

/// What became of a payout, as a bank tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Result(BankResult),
    /// The bank is still at it.
    Pending,
    /// The bank does not know itself.
    Unknown,
}

/// What a file of a bank says about one payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where it stands, such as `row 3`.
    pub place: String,
    pub payout_id: Uuid,
    pub told: Told,
    pub amount: Option<Fen>,
}

/// What a file of a bank says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a file of answers has answers")]
pub struct Answers {
    /// The message that it answers, and what it says that one held.
    pub message: Option<Message>,
    pub answers: Vec<Answer>,
    /// What it says about all payouts that it does not name; nothing leaves them without an answer.
    pub others: Option<Told>,
}

/// A message as the bank received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub count: Option<String>,
    pub sum: Option<String>,
}

impl Message {
    /// Refuses a message that is not the one of a batch.
    pub fn is_of(&self, number: &str, count: i64, sum: Fen) -> Result<(), Refusal> {
        let refuse = |what: &str, ours: &str, theirs: &str| {
            let detail =
                format!("the file answers a message with {what} {theirs}; of this batch it is {ours}");
            Err(Refusal::invalid("", detail))
        };
        if self.id != number {
            return refuse("the number", number, &self.id);
        }
        if let Some(theirs) = self.count.as_ref().filter(|theirs| theirs.parse() != Ok(count)) {
            return refuse("a count of", &count.to_string(), theirs);
        }
        if let Some(theirs) = self.sum.as_ref().filter(|theirs| Fen::parse(theirs) != Ok(sum)) {
            return refuse("a sum of", &sum.to_string(), theirs);
        }
        Ok(())
    }
}

/// What a file of the bank changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    pub told: Vec<(Instructed, BankResult)>,
    /// Payouts whose result is not known from now on.
    pub unknown: Vec<Instructed>,
    /// Payouts that the bank is still at.
    pub pending: usize,
    /// Answers that say what is recorded already.
    pub unchanged: usize,
}

/// Puts the answers of a file to the payouts of a batch, of which `all` is the whole. What the file does not name is told
/// by what it says about the others; when it says nothing, and is about the whole batch, it is not known.
///
/// Refuses an answer about another payout, another amount, a payout answered twice, and a result that differs from the
/// one that is recorded.
pub fn weigh(answers: &Answers, is_partial: bool, all: &[Instructed]) -> Result<Weighed, Refusal> {
    let mut left: HashMap<Uuid, Instructed> = all.iter().map(|payout| (payout.id, *payout)).collect();
    let mut weighed = Weighed::default();
    for answer in &answers.answers {
        let refuse = |why: String| Refusal::invalid("", format!("{}: {why}", answer.place));
        let payout = left.remove(&answer.payout_id).ok_or_else(|| {
            let is_of_batch = all.iter().any(|payout| payout.id == answer.payout_id);
            let why = if is_of_batch { "is answered twice" } else { "is not a payout of this batch" };
            refuse(format!("{} {why}", end_to_end_id(answer.payout_id)))
        })?;
        if let Some(amount) = answer.amount.filter(|amount| *amount != payout.amount) {
            return Err(refuse(format!("the amount is {}, the file says {amount}", payout.amount)));
        }
        weighed.take(payout, &answer.told).map_err(|why| refuse(why.to_owned()))?;
    }
    let others = match &answers.others {
        None if is_partial => return Ok(weighed),
        None => &Told::Unknown,
        Some(told) => told,
    };
    let mut left: Vec<Instructed> = left.into_values().filter(|payout| payout.state.is_open()).collect();
    left.sort_unstable_by_key(|payout| payout.id);
    for payout in left {
        weighed.take(payout, others).map_err(|why| Refusal::invalid("", why))?;
    }
    Ok(weighed)
}

impl Weighed {
    fn take(&mut self, payout: Instructed, told: &Told) -> Result<(), &'static str> {
        match (payout.state, told) {
            (PayoutState::Drafted, _) => return Err("the bank was not instructed to pay it"),
            (PayoutState::Instructed | PayoutState::Unknown, Told::Result(result)) => {
                self.told.push((payout, result.clone()));
            }
            (PayoutState::Instructed, Told::Unknown) => self.unknown.push(payout),
            (PayoutState::Instructed | PayoutState::Unknown, Told::Pending) => {
                self.pending = self.pending.saturating_add(1);
            }
            (PayoutState::Paid, Told::Result(BankResult::Returned { .. })) => {
                return Err("it is recorded as paid, the file says it was returned");
            }
            (PayoutState::Returned, Told::Result(BankResult::Paid)) => {
                return Err("it is recorded as returned, the file says it was paid");
            }
            (PayoutState::Unknown | PayoutState::Paid | PayoutState::Returned, _) => {
                self.unchanged = self.unchanged.saturating_add(1);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payouts::rules::ReturnCode;

    fn instructed(id: u128, state: PayoutState) -> Instructed {
        Instructed { id: Uuid::from_u128(id), household_id: Uuid::from_u128(9), amount: Fen::new(1), state }
    }

    fn answer(id: u128, told: Told, fen: i64) -> Answer {
        Answer {
            place: format!("row {id}"),
            payout_id: Uuid::from_u128(id),
            told,
            amount: Some(Fen::new(fen)),
        }
    }

    #[test]
    fn a_file_changes_what_is_open_and_leaves_unknown_what_it_does_not_name() {
        let all = [1, 2, 3, 4].map(|id| instructed(id, PayoutState::Instructed));
        let paid = Told::Result(BankResult::Paid);
        let answers = vec![answer(1, paid.clone(), 1), answer(2, Told::Pending, 1)];
        let file = Answers { answers, ..Answers::default() };
        let whole = weigh(&file, false, &all).unwrap();
        assert_eq!(whole.told, [(all[0], BankResult::Paid)]);
        assert_eq!((whole.unknown.as_slice(), whole.pending), (&all[2..], 1));
        assert_eq!(weigh(&file, true, &all).unwrap().unknown, []);
        let of_all = Answers { others: Some(paid), ..Answers::default() };
        assert_eq!(weigh(&of_all, false, &all).unwrap().told.len(), 4);
    }

    #[test]
    fn the_same_file_again_changes_nothing_and_another_story_is_refused() {
        let paid = [instructed(1, PayoutState::Paid), instructed(2, PayoutState::Unknown)];
        let same =
            Answers { answers: vec![answer(1, Told::Result(BankResult::Paid), 1)], ..Answers::default() };
        let again = weigh(&same, false, &paid).unwrap();
        assert_eq!((again.told.len(), again.unknown.len(), again.unchanged), (0, 0, 2));
        let returned = BankResult::Returned { code: ReturnCode::Other, reason: "none".to_owned() };
        let other = vec![
            answer(1, Told::Result(returned), 1),
            answer(1, Told::Result(BankResult::Paid), 2),
            answer(9, Told::Result(BankResult::Paid), 1),
        ];
        for answer in other {
            let place = format!("{}: ", answer.place);
            let refused = weigh(&Answers { answers: vec![answer], ..Answers::default() }, false, &paid);
            assert!(matches!(refused, Err(Refusal::Invalid { detail, .. }) if detail.starts_with(&place)));
        }
        let twice = [1, 1].map(|id| answer(id, Told::Pending, 1)).to_vec();
        assert!(weigh(&Answers { answers: twice, ..Answers::default() }, false, &paid).is_err());
    }
}
