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

#[derive(Clone, Debug)]
pub struct Payment {
    pub id: Uuid,
    pub institution: Uuid,
    pub amount: i64,
    pub parts: Parts,
    pub is_reversed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    Drafted,
    Instructed,
    Paid,
    Returned,
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

    /// What a payment pays: the oldest settlement first, and within it by largest remainder over what is open.
    pub fn parts_of_payment(&self, institution: Uuid, amount: i64) -> Parts {
        let mut open: BTreeMap<(NaiveDate, Uuid), Vec<&Line>> = BTreeMap::new();
        for line in self.lines.values().filter(|line| line.institution == institution) {
            if line.received < line.amount {
                open.entry((line.sold_on, line.settlement)).or_default().push(line);
            }
        }
        let mut left = amount;
        let mut parts = Parts::new();
        for lines in open.values() {
            let whole: i64 = lines.iter().map(|line| line.amount - line.received).sum();
            let paid = left.min(whole);
            for (line, part) in lines.iter().zip(by_largest_remainder(paid, lines, whole)) {
                if part > 0 {
                    parts.insert(line.id, part);
                }
            }
            left -= paid;
        }
        parts
    }

    pub fn pay(&mut self, payment: Payment) {
        for (line, part) in &payment.parts {
            self.line(*line).received += part;
        }
        self.payments.push(payment);
    }

    /// Whether a payment can be taken back: it stands, and none of it went out to households.
    pub fn is_reversible(&self, at: usize) -> bool {
        let payment = &self.payments[at];
        let covered = |(line, part): (&Uuid, &i64)| {
            let line = &self.lines[line];
            line.received - part >= line.paid_out
        };
        !payment.is_reversed && payment.parts.iter().all(covered)
    }

    pub fn reverse(&mut self, at: usize) {
        self.payments[at].is_reversed = true;
        for (line, part) in self.payments[at].parts.clone() {
            self.line(line).received -= part;
        }
    }

    /// What a batch made now holds, by household.
    pub fn payable(&self, up_to: NaiveDate) -> BTreeMap<Uuid, Parts> {
        let mut shares: BTreeMap<Uuid, Parts> = BTreeMap::new();
        for line in self.lines.values() {
            if line.paid_out < line.received && line.sold_on <= up_to {
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

    /// The bank paid it, or sent it back: then its lines are payable again.
    pub fn tell(&mut self, payout: Uuid, is_paid: bool) {
        let payout = self.payouts.iter_mut().find(|known| known.id == payout).unwrap();
        payout.bank = if is_paid { Bank::Paid } else { Bank::Returned };
        if !is_paid {
            for (line, part) in payout.parts.clone() {
                self.line(line).paid_out -= part;
            }
        }
    }

    pub fn batches(&self, bank: Bank) -> Vec<Uuid> {
        let mut found: Vec<Uuid> =
            self.payouts.iter().filter(|payout| payout.bank == bank).map(|payout| payout.batch).collect();
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
        for payout in &self.payouts {
            let amount = sum(&payout.parts);
            match payout.bank {
                Bank::Drafted | Bank::Returned => {}
                Bank::Instructed => add("clearing", None, -amount),
                Bank::Paid => add("escrow", None, -amount),
            }
            if matches!(payout.bank, Bank::Instructed | Bank::Paid) {
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
        assert_eq!(self.balances().values().sum::<i64>(), 0);
    }

    fn line(&mut self, id: Uuid) -> &mut Line {
        self.lines.get_mut(&id).unwrap()
    }
}

/// Every line its floor, then one fen each to the largest remainders, the earlier line first.
fn by_largest_remainder(paid: i64, lines: &[&Line], whole: i64) -> Vec<i64> {
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
