//! What the books of one county must say, by the rules written down once more and as simply as they go: lists of lines,
//! payments and payouts in memory, added up when asked. It shares no code with the service.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use uuid::Uuid;

/// What one household is owed of one settlement, in fen.
#[derive(Clone, Debug)]
pub struct Line {
    pub id: Uuid,
    pub settlement: Uuid,
    pub institution: Uuid,
    pub household: Uuid,
    pub sold_on: NaiveDate,
    pub amount: i64,
    pub received: i64,
    pub paid_out: i64,
}

/// Parts of money by line.
pub type Parts = BTreeMap<Uuid, i64>;

/// What an amount is to pay.
#[derive(Clone, Debug)]
pub enum For {
    Anything,
    /// These settlements, some with an amount of their own.
    Chosen(Vec<(Uuid, Option<i64>)>),
    Deposit,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub id: Uuid,
    pub institution: Uuid,
    pub amount: i64,
    pub parts: Parts,
    pub is_reversed: bool,
}

/// A part of a deposit that paid settlements.
#[derive(Clone, Debug)]
pub struct Use {
    pub id: Uuid,
    pub institution: Uuid,
    pub parts: Parts,
    pub is_reversed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    Drafted,
    Instructed,
    /// Instructed, and the bank did not say what became of it.
    Unknown,
    Paid,
    Returned,
    /// Returned because of the account: the household is paid again when somebody allows it.
    Bounced,
}

#[derive(Clone, Debug)]
pub struct Payout {
    pub id: Uuid,
    pub batch: Uuid,
    pub household: Uuid,
    pub parts: Parts,
    pub bank: Bank,
}

/// Accounts by kind and owner; those at zero are left out.
pub type Balances = BTreeMap<(String, Option<Uuid>), i64>;

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub lines: BTreeMap<Uuid, Line>,
    pub payments: Vec<Payment>,
    pub uses: Vec<Use>,
    pub payouts: Vec<Payout>,
}

pub fn sum(parts: &Parts) -> i64 {
    parts.values().sum()
}

impl Payment {
    pub fn deposited(&self) -> i64 {
        self.amount - sum(&self.parts)
    }
}

impl Model {
    pub fn open_of(&self, institution: Uuid) -> i64 {
        let own = self.lines.values().filter(|line| line.institution == institution);
        own.map(|line| line.amount - line.received).sum()
    }

    /// Settlements of an institution that are not paid in full, with what is open of each, the oldest first.
    pub fn open_settlements(&self, institution: Uuid) -> Vec<(Uuid, i64)> {
        let mut open: BTreeMap<(NaiveDate, Uuid), i64> = BTreeMap::new();
        for line in self.lines.values().filter(|line| line.institution == institution) {
            *open.entry((line.sold_on, line.settlement)).or_insert(0) += line.amount - line.received;
        }
        open.into_iter().filter(|(_, fen)| *fen > 0).map(|((_, settlement), fen)| (settlement, fen)).collect()
    }

    /// What an amount pays: the oldest settlement first unless settlements are chosen, and within one by largest
    /// remainder over what is open. A settlement with an amount of its own gets that, the others what is left.
    pub fn parts_of(&self, institution: Uuid, amount: i64, what: &For) -> Parts {
        let chosen = match what {
            For::Anything => None,
            For::Chosen(chosen) => Some(chosen.iter().copied().collect::<BTreeMap<_, _>>()),
            For::Deposit => return Parts::new(),
        };
        let named: i64 = chosen.iter().flat_map(BTreeMap::values).flatten().sum();
        let mut left = amount - named;
        let mut parts = Parts::new();
        for (settlement, open) in self.open_settlements(institution) {
            let own = match &chosen {
                None => None,
                Some(chosen) => match chosen.get(&settlement) {
                    Some(own) => *own,
                    None => continue,
                },
            };
            let paid = own.unwrap_or(left.min(open));
            if own.is_none() {
                left -= paid;
            }
            parts.extend(self.within(settlement, paid));
        }
        parts
    }

    fn within(&self, settlement: Uuid, paid: i64) -> Parts {
        let lines: Vec<&Line> = self
            .lines
            .values()
            .filter(|line| line.settlement == settlement && line.received < line.amount)
            .collect();
        let parts = lines.iter().map(|line| line.id).zip(by_largest_remainder(paid, &lines));
        parts.filter(|(_, part)| *part > 0).collect()
    }

    /// What an institution paid ahead and has not used.
    pub fn deposit_of(&self, institution: Uuid) -> i64 {
        let paid = self.payments.iter().filter(|one| one.institution == institution && !one.is_reversed);
        let used = self.uses.iter().filter(|one| one.institution == institution && !one.is_reversed);
        paid.map(Payment::deposited).sum::<i64>() - used.map(|one| sum(&one.parts)).sum::<i64>()
    }

    pub fn pay(&mut self, payment: Payment) {
        for (line, part) in &payment.parts {
            self.line(*line).received += part;
        }
        self.payments.push(payment);
    }

    pub fn use_deposit(&mut self, used: Use) {
        for (line, part) in &used.parts {
            self.line(*line).received += part;
        }
        self.uses.push(used);
    }

    /// Whether none of it went out to households.
    fn is_covered(&self, parts: &Parts) -> bool {
        parts.iter().all(|(line, part)| self.lines[line].received - part >= self.lines[line].paid_out)
    }

    /// Whether a payment can be taken back: it stands, what it left as a deposit is there, and none of it went out.
    pub fn is_reversible(&self, at: usize) -> bool {
        let payment = &self.payments[at];
        !payment.is_reversed
            && self.deposit_of(payment.institution) >= payment.deposited()
            && self.is_covered(&payment.parts)
    }

    pub fn reverse(&mut self, at: usize) {
        self.payments[at].is_reversed = true;
        self.take_back(&self.payments[at].parts.clone());
    }

    pub fn is_use_reversible(&self, at: usize) -> bool {
        !self.uses[at].is_reversed && self.is_covered(&self.uses[at].parts)
    }

    pub fn reverse_use(&mut self, at: usize) {
        self.uses[at].is_reversed = true;
        self.take_back(&self.uses[at].parts.clone());
    }

    fn take_back(&mut self, parts: &Parts) {
        for (line, part) in parts {
            self.line(*line).received -= part;
        }
    }

    /// Whether money to a household came back because of its account, nothing was paid to it since, and nobody allowed
    /// another try. The accounts of a sequence stay as they are.
    fn is_held(&self, household: Uuid) -> bool {
        let own: Vec<&Payout> = self.payouts.iter().filter(|payout| payout.household == household).collect();
        own.iter().any(|payout| {
            payout.bank == Bank::Bounced
                && !own.iter().any(|later| later.id > payout.id && later.bank == Bank::Paid)
        })
    }

    /// What a batch made now holds, by household.
    pub fn payable(&self, up_to: NaiveDate) -> BTreeMap<Uuid, Parts> {
        let mut shares: BTreeMap<Uuid, Parts> = BTreeMap::new();
        for line in self.lines.values() {
            if line.paid_out < line.received && line.sold_on <= up_to && !self.is_held(line.household) {
                shares.entry(line.household).or_default().insert(line.id, line.received - line.paid_out);
            }
        }
        shares
    }

    pub fn draft(&mut self, batch: Uuid, payouts: impl IntoIterator<Item = (Uuid, Uuid, Parts)>) {
        for (id, household, parts) in payouts {
            for (line, part) in &parts {
                self.line(*line).paid_out += part;
            }
            self.payouts.push(Payout { id, batch, household, parts, bank: Bank::Drafted });
        }
    }

    pub fn approve(&mut self, batch: Uuid) {
        for payout in self.payouts.iter_mut().filter(|payout| payout.batch == batch) {
            payout.bank = Bank::Instructed;
        }
    }

    /// What the bank did, or that it did not say. What came back is payable again.
    pub fn tell(&mut self, payout: Uuid, bank: Bank) {
        let payout = self.payouts.iter_mut().find(|known| known.id == payout).unwrap();
        payout.bank = bank;
        if matches!(bank, Bank::Returned | Bank::Bounced) {
            for (line, part) in payout.parts.clone() {
                self.line(line).paid_out -= part;
            }
        }
    }

    /// The same account is to be tried again.
    pub fn allow_retry(&mut self, payout: Uuid) {
        self.payouts.iter_mut().find(|known| known.id == payout).unwrap().bank = Bank::Returned;
    }

    pub fn batches(&self, banks: &[Bank]) -> Vec<Uuid> {
        let asked = self.payouts.iter().filter(|payout| banks.contains(&payout.bank));
        let mut found: Vec<Uuid> = asked.map(|payout| payout.batch).collect();
        found.dedup();
        found
    }

    /// Every account of the ledger, from its meaning.
    pub fn balances(&self) -> Balances {
        let mut balances = Balances::new();
        let mut add = |kind: &str, owner, fen| *balances.entry((kind.to_owned(), owner)).or_insert(0) += fen;
        for line in self.lines.values() {
            add("receivable", Some(line.institution), line.amount - line.received);
            add("payable", Some(line.household), -line.amount);
        }
        for payment in self.payments.iter().filter(|payment| !payment.is_reversed) {
            add("escrow", None, payment.amount);
            add("deposit", Some(payment.institution), -payment.deposited());
        }
        for used in self.uses.iter().filter(|used| !used.is_reversed) {
            add("deposit", Some(used.institution), sum(&used.parts));
        }
        for payout in &self.payouts {
            let amount = sum(&payout.parts);
            match payout.bank {
                Bank::Drafted | Bank::Returned | Bank::Bounced => {}
                Bank::Instructed | Bank::Unknown => add("clearing", None, -amount),
                Bank::Paid => add("escrow", None, -amount),
            }
            if matches!(payout.bank, Bank::Instructed | Bank::Unknown | Bank::Paid) {
                add("payable", Some(payout.household), amount);
            }
        }
        balances.retain(|_, fen| *fen != 0);
        balances
    }

    /// The invariants of the design, on the model itself: a wrong model proves nothing.
    pub fn assert_sound(&self) {
        for line in self.lines.values() {
            assert!(0 <= line.paid_out && line.paid_out <= line.received && line.received <= line.amount);
        }
        let institutions = self.payments.iter().map(|payment| payment.institution);
        assert!(institutions.into_iter().all(|institution| self.deposit_of(institution) >= 0));
        assert_eq!(self.balances().values().sum::<i64>(), 0);
    }

    fn line(&mut self, id: Uuid) -> &mut Line {
        self.lines.get_mut(&id).unwrap()
    }
}

/// Every line its floor, then one fen each to the largest remainders, the earlier line first.
fn by_largest_remainder(paid: i64, lines: &[&Line]) -> Vec<i64> {
    let whole: i64 = lines.iter().map(|line| line.amount - line.received).sum();
    let product = |line: &Line| i128::from(line.amount - line.received) * i128::from(paid);
    let mut parts: Vec<i64> =
        lines.iter().map(|line| i64::try_from(product(line) / i128::from(whole)).unwrap()).collect();
    let mut by_remainder: Vec<usize> = (0..lines.len()).collect();
    by_remainder.sort_by_key(|at| -(product(lines[*at]) % i128::from(whole)));
    let left = paid - parts.iter().sum::<i64>();
    for at in by_remainder.into_iter().take(usize::try_from(left).unwrap()) {
        parts[at] += 1;
    }
    parts
}
