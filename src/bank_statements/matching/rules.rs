//! Which payment a line of a bank statement is. What cannot be mistaken is booked at once; for everything else people get
//! candidates, the likeliest first, each with its reasons. Pure: the same line and books give the same answer.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::money::Fen;
use crate::settlement::{TARGETS_MAX, Target, Targets};

/// Candidates of a line at most.
pub const CANDIDATES_MAX: usize = 10;

/// Of the oldest open settlements of an institution so many are tried for a sum that fits.
pub const SUMMED_MAX: usize = 12;

/// Two names are similar from so many of their pairs of letters in common, in a hundred.
const SIMILAR_PERCENT: usize = 60;

/// A name that is a part of another one has so many letters at least.
const CONTAINED_LETTERS_MIN: usize = 4;

const COUNTY_DIGITS: usize = 6;
const YEAR_DIGITS: usize = 4;
const SERIAL_DIGITS: std::ops::RangeInclusive<usize> = 6..=12;

/// A line that came in, in CNY.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Above zero.
    pub amount: Fen,
    pub payer_name: Option<String>,
    /// Institutions of earlier payments from this account.
    pub known_payers: BTreeSet<Uuid>,
    /// Numbers of orders and settlements in remark and reference; see [`numbers_in`].
    pub numbers: BTreeSet<String>,
}

/// A settlement that is not paid in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    pub settlement_id: Uuid,
    pub number: String,
    pub open: Fen,
}

/// What a number stands for.
#[derive(Clone, Debug)]
pub struct Named {
    pub number: String,
    pub institution_id: Uuid,
    /// The oldest first; none when all of it is paid.
    pub debts: Vec<Debt>,
    /// What is to be paid ahead for a prepaid order of which nothing is settled yet.
    pub ahead: Option<Fen>,
}

/// An institution that a line may be from.
#[derive(Clone, Debug)]
pub struct Prospect {
    pub institution_id: Uuid,
    pub name: String,
    /// Its oldest debts, the oldest first, [`SUMMED_MAX`] at most.
    pub debts: Vec<Debt>,
    pub named: Vec<Named>,
}

/// Why a candidate is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    NumberNamed,
    AmountOfNamed,
    AccountKnown,
    NameEqual,
    NameSimilar,
    AmountOfOne,
    AmountOfSeveral,
}

impl Reason {
    /// What it adds to the score of a candidate.
    #[must_use]
    pub const fn weight(self) -> u32 {
        match self {
            Self::NumberNamed => 50,
            Self::AmountOfNamed | Self::AccountKnown => 30,
            Self::NameEqual => 25,
            Self::AmountOfOne => 20,
            Self::NameSimilar | Self::AmountOfSeveral => 10,
        }
    }
}

/// What a line may pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub institution_id: Uuid,
    /// With what each would get.
    pub pays: Vec<(Debt, Fen)>,
    /// What would be over.
    pub deposited: Fen,
    pub reasons: Vec<Reason>,
}

impl Candidate {
    /// The sum of its reasons' weights.
    #[must_use]
    pub fn score(&self) -> u32 {
        self.reasons.iter().map(|reason| reason.weight()).sum()
    }
}

/// The numbers of orders (`PO-`) and settlements (`ST-`) in a text, as they are written on papers. Full-width letters
/// count as plain ones and small ones as capitals, and between prefix, county, year and serial there may be blanks and
/// dashes of any kind, or nothing. The serial itself stands in one piece of 6 to 12 digits, and no letter or digit may
/// touch the whole.
#[must_use]
pub fn numbers_in(text: &str) -> BTreeSet<String> {
    let letters: Vec<char> = text.chars().map(plain).collect();
    let starts = 0..letters.len();
    let is_free = |at: &usize| {
        at.checked_sub(1)
            .and_then(|before| letters.get(before))
            .is_none_or(|letter| !letter.is_ascii_alphanumeric())
    };
    starts.filter(is_free).filter_map(|at| number_at(letters.get(at..)?)).collect()
}

fn number_at(letters: &[char]) -> Option<String> {
    let (prefix, rest) = letters.split_first_chunk::<2>()?;
    let prefix = match prefix {
        ['P', 'O'] => "PO",
        ['S', 'T'] => "ST",
        _ => return None,
    };
    let (county, rest) = digits(after_gap(rest), COUNTY_DIGITS)?;
    let (year, rest) = digits(after_gap(rest), YEAR_DIGITS)?;
    let rest = after_gap(rest);
    let length = rest.iter().take_while(|letter| letter.is_ascii_digit()).count();
    let (serial, rest) = digits(rest, length).filter(|_| SERIAL_DIGITS.contains(&length))?;
    let is_free = rest.first().is_none_or(|letter| !letter.is_ascii_alphanumeric());
    is_free.then(|| format!("{prefix}-{county}-{year}-{serial}"))
}

fn digits(letters: &[char], length: usize) -> Option<(String, &[char])> {
    let (digits, rest) = letters.split_at_checked(length)?;
    digits.iter().all(char::is_ascii_digit).then(|| (digits.iter().collect(), rest))
}

fn after_gap(letters: &[char]) -> &[char] {
    let gap = letters.iter().take_while(|letter| is_gap(**letter)).count();
    letters.get(gap..).unwrap_or_default()
}

fn is_gap(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}')
}

/// Full-width letters (U+FF01 to U+FF5E) as the plain ones they stand for, as capitals.
fn plain(letter: char) -> char {
    let code = u32::from(letter);
    let narrow = match code {
        0xff01..=0xff5e => char::from_u32(code.saturating_sub(0xfee0)).unwrap_or(letter),
        0x3000 => ' ',
        _ => letter,
    };
    narrow.to_ascii_uppercase()
}

/// A name as it is compared: letters and digits alone, full-width ones as plain ones, as capitals.
#[must_use]
pub fn comparable_name(name: &str) -> String {
    name.chars().map(plain).filter(|letter| letter.is_alphanumeric()).collect()
}

/// Whether two names, made comparable, are similar: one is a part of the other and has four letters at least, or of their
/// pairs of neighbouring letters 60 in a hundred are common to both.
#[must_use]
pub fn is_similar(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if short.chars().count() >= CONTAINED_LETTERS_MIN && long.contains(short) {
        return true;
    }
    let (pairs, others) = (pairs_of(one), pairs_of(other));
    let count = |pairs: &BTreeMap<(char, char), usize>| pairs.values().sum::<usize>();
    let all = count(&pairs).saturating_add(count(&others));
    let common: usize =
        pairs.iter().map(|(pair, times)| others.get(pair).map_or(0, |more| *times.min(more))).sum();
    all > 0 && common.saturating_mul(200) >= all.saturating_mul(SIMILAR_PERCENT)
}

fn pairs_of(name: &str) -> BTreeMap<(char, char), usize> {
    let mut pairs = BTreeMap::new();
    for pair in name.chars().zip(name.chars().skip(1)) {
        let times: &mut usize = pairs.entry(pair).or_default();
        *times = times.saturating_add(1);
    }
    pairs
}

/// What a line pays beyond doubt: the numbers in it name orders or settlements of one institution, or one prepaid order,
/// the amount is to the fen what is open of them, and the payer is not known to be somebody else. That a payer has
/// another name is no contradiction, as treasuries pay for schools; that it has the name of another institution is one.
#[must_use]
pub fn exact(line: &Incoming, named: &[Named], others: &BTreeMap<String, Uuid>) -> Option<(Uuid, Targets)> {
    let institution_id = named.first()?.institution_id;
    let is_of_one = named.iter().all(|one| one.institution_id == institution_id);
    let is_resolved =
        named.iter().map(|one| &one.number).collect::<BTreeSet<_>>() == line.numbers.iter().collect();
    if !is_of_one || !is_resolved || contradicts(line, institution_id, others) {
        return None;
    }
    if let [Named { ahead: Some(amount), .. }] = named {
        return (*amount == line.amount).then_some((institution_id, Targets::Deposit));
    }
    if named.iter().any(|one| one.debts.is_empty()) {
        return None;
    }
    let debts = debts_of(named);
    let is_all = sum(debts.values().map(|debt| debt.open)) == Some(line.amount);
    if !is_all || debts.len() > TARGETS_MAX {
        return None;
    }
    let target = |debt: &Debt| Target { settlement_id: debt.settlement_id, amount: Some(debt.open) };
    Some((institution_id, Targets::Chosen(debts.values().map(target).collect())))
}

fn contradicts(line: &Incoming, institution_id: Uuid, others: &BTreeMap<String, Uuid>) -> bool {
    let is_others_account = !line.known_payers.is_empty() && !line.known_payers.contains(&institution_id);
    let name = line.payer_name.as_deref().map(comparable_name);
    let is_others_name = name.and_then(|name| others.get(&name)).is_some_and(|of| *of != institution_id);
    is_others_account || is_others_name
}

/// What a line may pay, the likeliest first: by score, then by what would be over, then by institution.
#[must_use]
pub fn rank(line: &Incoming, prospects: &[Prospect]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = prospects
        .iter()
        .flat_map(|prospect| proposals(line, prospect))
        .filter(|one| one.score() > 0)
        .collect();
    candidates.sort_by_key(|one| (std::cmp::Reverse(one.score()), one.deposited, one.institution_id));
    candidates.truncate(CANDIDATES_MAX);
    candidates
}

/// What is named, a sum of debts that fits, or else whatever is owed, the oldest first.
fn proposals(line: &Incoming, prospect: &Prospect) -> Vec<Candidate> {
    let by_payer = payer_reasons(line, prospect);
    let mut proposals = Vec::new();
    if !prospect.named.is_empty() {
        let debts: Vec<Debt> = debts_of(&prospect.named).into_values().collect();
        let ahead = sum(prospect.named.iter().filter_map(|one| one.ahead));
        let open = sum(debts.iter().map(|debt| debt.open).chain(ahead));
        let fits = open == Some(line.amount);
        let reasons = [Some(Reason::NumberNamed), fits.then_some(Reason::AmountOfNamed)];
        proposals.push(proposal(line, prospect, &debts, reasons.into_iter().flatten(), &by_payer));
    }
    if let Some(fitting) = fitting(line.amount, &prospect.debts) {
        let reason = if fitting.len() == 1 { Reason::AmountOfOne } else { Reason::AmountOfSeveral };
        proposals.push(proposal(line, prospect, &fitting, [reason], &by_payer));
    } else if prospect.named.is_empty() {
        proposals.push(proposal(line, prospect, &prospect.debts, [], &by_payer));
    }
    if let [named, fitting] = proposals.as_slice()
        && named.pays == fitting.pays
    {
        proposals.truncate(1);
    }
    proposals
}

fn payer_reasons(line: &Incoming, prospect: &Prospect) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if line.known_payers.contains(&prospect.institution_id) {
        reasons.push(Reason::AccountKnown);
    }
    let own = comparable_name(&prospect.name);
    match line.payer_name.as_deref().map(comparable_name) {
        Some(name) if name == own => reasons.push(Reason::NameEqual),
        Some(name) if is_similar(&name, &own) => reasons.push(Reason::NameSimilar),
        Some(_) | None => {}
    }
    reasons
}

fn proposal(
    line: &Incoming,
    prospect: &Prospect,
    debts: &[Debt],
    reasons: impl IntoIterator<Item = Reason>,
    by_payer: &[Reason],
) -> Candidate {
    let mut left = line.amount;
    let mut pays = Vec::new();
    for debt in debts {
        let part = left.min(debt.open);
        if part > Fen::ZERO {
            pays.push((debt.clone(), part));
            left = left.checked_sub(part).unwrap_or(Fen::ZERO);
        }
    }
    let reasons = reasons.into_iter().chain(by_payer.iter().copied()).collect();
    Candidate { institution_id: prospect.institution_id, pays, deposited: left, reasons }
}

/// Debts that sum to the amount: one alone if there is one, else the first sum that is found trying the oldest first.
/// At most 2 to the [`SUMMED_MAX`] sums are tried.
fn fitting(amount: Fen, debts: &[Debt]) -> Option<Vec<Debt>> {
    if let Some(one) = debts.iter().find(|debt| debt.open == amount) {
        return Some(vec![one.clone()]);
    }
    let debts = debts.get(..SUMMED_MAX.min(debts.len()))?;
    let mut chosen = Vec::new();
    sums_to(amount, debts, &mut chosen).then(|| chosen.into_iter().cloned().collect())
}

fn sums_to<'a>(left: Fen, debts: &'a [Debt], chosen: &mut Vec<&'a Debt>) -> bool {
    if left == Fen::ZERO {
        return true;
    }
    let Some((oldest, younger)) = debts.split_first() else { return false };
    if let Some(rest) = left.checked_sub(oldest.open).filter(|rest| *rest >= Fen::ZERO) {
        chosen.push(oldest);
        if sums_to(rest, younger, chosen) {
            return true;
        }
        chosen.pop();
    }
    sums_to(left, younger, chosen)
}

/// Each settlement once, in the order of ids, which is that of their age.
fn debts_of(named: &[Named]) -> BTreeMap<Uuid, Debt> {
    named.iter().flat_map(|one| &one.debts).map(|debt| (debt.settlement_id, debt.clone())).collect()
}

fn sum(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
    amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
