//! Shares one demand over many small lots. A pure function of its arguments: the same demand and candidates, in whatever
//! order, give the same shares. It knows no database and no time of day.
//!
//! **What it does.** Tiers are taken in turn until the demand is full ([`Tier`]). Inside a tier the policy decides.
//! Fairness is over households: a household's lots of a tier are summed, the household gets its part, and the part is
//! taken from its cheapest lots first, ties by lot id.
//!
//! - `max_min`: a level is raised until the demand is full; whoever has less than the level gives everything, the rest
//!   give the level. Packs left over go to the first households by id.
//! - `income_levelling`: the same with income: the level is this year's sales income with this sale added.
//! - `proportional`: in proportion to what each household has, packs left over by largest remainder, ties by id.
//! - `fewest_pickups`: the fewest villages that can fill the demand, those already visited first, then by what they
//!   have; the last one is the smallest that suffices. Inside the villages as `max_min`.
//! - `cheapest`: price by price, exactly compared; at one price as `max_min`.
//!
//! **Limits.** Every share is whole packs. No household gets less than the minimum share out of a tier (or price) unless
//! it reached it before; at most so many households take part. When a limit binds, the households that take part are
//! the largest ones (`income_levelling`: those with the least income, as far as the demand can still be filled), so
//! that as much as possible of the tier is filled; what is left is the shortfall. A later tier never gets what an
//! earlier one could have filled.
//!
//! Cost: one sort per tier that gets its turn, then passes over its candidates (the level is found by bisection).

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod level;
mod share;

#[cfg(test)]
mod tests;

/// How a tier is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    #[default]
    MaxMin,
    IncomeLevelling,
    Proportional,
    FewestPickups,
    Cheapest,
}

impl Policy {
    pub const ALL: [Self; 5] =
        [Self::MaxMin, Self::IncomeLevelling, Self::Proportional, Self::FewestPickups, Self::Cheapest];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxMin => "max_min",
            Self::IncomeLevelling => "income_levelling",
            Self::Proportional => "proportional",
            Self::FewestPickups => "fewest_pickups",
            Self::Cheapest => "cheapest",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

/// Whose turn a lot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Would spoil soon after.
    Spoiling,
    /// Of a monitored household.
    Monitored,
    /// Of a registered household.
    Registered,
    Others,
}

impl Tier {
    /// Counted from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Spoiling => 1,
            Self::Monitored => 2,
            Self::Registered => 3,
            Self::Others => 4,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spoiling => "spoiling",
            Self::Monitored => "monitored",
            Self::Registered => "registered",
            Self::Others => "others",
        }
    }
}

/// What is wanted. Quantities are whole grams or pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    pub quantity_base: i64,
    pub policy: Policy,
    /// At least 1; every share is a multiple.
    pub pack_base: i64,
    /// 0 means no minimum.
    pub min_share_base: i64,
    pub max_households: Option<u32>,
}

/// A lot that may fill part of the demand. Lot ids do not repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Candidate {
    pub lot_id: Uuid,
    pub household_id: Uuid,
    /// 12-digit code.
    pub village: u64,
    pub available_base: i64,
    /// Fen for [`Candidate::price_per_base`] grams or pieces.
    pub price_fen: i64,
    pub price_per_base: i64,
    pub tier: Tier,
    /// The household's sales income this year, the same on all its lots.
    pub sold_this_year_fen: i64,
}

/// A candidate as it is kept for replay: values without names, as there may be thousands.
type Stored = (Uuid, Uuid, u64, i64, i64, i64, Tier, i64);

impl From<Stored> for Candidate {
    fn from(stored: Stored) -> Self {
        let (
            lot_id,
            household_id,
            village,
            available_base,
            price_fen,
            price_per_base,
            tier,
            sold_this_year_fen,
        ) = stored;
        Self {
            lot_id,
            household_id,
            village,
            available_base,
            price_fen,
            price_per_base,
            tier,
            sold_this_year_fen,
        }
    }
}

impl From<Candidate> for Stored {
    fn from(it: Candidate) -> Self {
        (
            it.lot_id,
            it.household_id,
            it.village,
            it.available_base,
            it.price_fen,
            it.price_per_base,
            it.tier,
            it.sold_this_year_fen,
        )
    }
}

/// What one lot gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub lot_id: Uuid,
    pub household_id: Uuid,
    pub quantity_base: i64,
    pub tier: Tier,
    pub reason: Reason,
}

/// Why a lot gives what it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The household gives all it has in this tier.
    Everything,
    /// Shares are level at so much per household.
    Level { base: i64 },
    /// Incomes are level at so much.
    IncomeLevel { fen: i64 },
    /// So much of what all households of the tier have goes out, in thousandths.
    Proportion { permille: i64 },
}

impl Reason {
    /// A sentence for people, such as `tier 2 monitored, level 350 kg`.
    pub fn describe(self, tier: Tier, show: impl Fn(i64) -> String) -> String {
        let why = match self {
            Self::Everything => "everything it has".to_owned(),
            Self::Level { base } => format!("level {}", show(base)),
            Self::IncomeLevel { fen } => format!("income level {}.{:02} yuan", fen / 100, fen % 100),
            Self::Proportion { permille } => {
                format!("{}.{} % of what there is", permille / 10, permille % 10)
            }
        };
        format!("tier {} {}, {why}", tier.number(), tier.as_str())
    }
}

/// The shares by lot id, and what could not be filled. Shares and shortfall sum to the demand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub shares: Vec<Share>,
    pub shortfall_base: i64,
}

/// What sharing needs of a candidate, side by side in memory, as a sort that follows references spends its time waiting.
#[derive(Clone, Copy, Debug)]
struct Lot {
    household: u128,
    price_fen: i64,
    /// At least 1.
    price_per_base: i64,
    packs: i64,
    village: u64,
    income_fen: i64,
    /// Among the candidates.
    position: usize,
}

impl Lot {
    /// Compares prices exactly, whatever they are priced per.
    fn cmp_price(&self, other: &Self) -> Ordering {
        if self.price_per_base == other.price_per_base {
            return self.price_fen.cmp(&other.price_fen);
        }
        let ours = i128::from(self.price_fen) * i128::from(other.price_per_base);
        let theirs = i128::from(other.price_fen) * i128::from(self.price_per_base);
        ours.cmp(&theirs)
    }
}

/// The lots of one household in one tier (or at one price of it). Quantities are whole packs.
#[derive(Clone, Copy, Debug)]
struct Entry {
    household: u128,
    village: u64,
    income_fen: i64,
    available: i64,
    /// The least it may get, if it gets anything.
    least: i64,
    first_lot: usize,
    lots: usize,
    /// Whether it got something in an earlier tier (or at a lower price).
    takes_part: bool,
}

/// What a tier gives each of its entries, and why.
#[derive(Debug)]
struct Given {
    packs: Vec<i64>,
    reason: Reason,
}

/// What has been decided so far, over tiers.
struct Progress {
    left: i64,
    slots: usize,
    /// Whether a limit or the policy looks at what households got in earlier tiers.
    looks_back: bool,
    /// Packs and fen per household that already takes part.
    of_household: HashMap<u128, (i64, i64), BuildHasherDefault<IdHasher>>,
    villages: BTreeSet<u64>,
    /// Packs and reason per candidate.
    given: Vec<Option<(i64, Reason)>>,
}

/// Ids end in random bits, so those bits are the hash; households do not choose their ids.
#[derive(Clone, Copy, Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_u128(&mut self, id: u128) {
        let low = u64::try_from(id & u128::from(u64::MAX)).unwrap_or(0);
        self.0 = low.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

/// Shares `demand` over `candidates`. Never fails: what cannot be filled is the shortfall.
#[must_use]
pub fn allocate(demand: &Demand, candidates: &[Candidate]) -> Outcome {
    let pack = demand.pack_base.max(1);
    let quantity = demand.quantity_base.max(0);
    let mut progress = Progress {
        left: quantity / pack,
        slots: demand.max_households.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)),
        looks_back: demand.min_share_base > 0
            || demand.max_households.is_some()
            || demand.policy == Policy::IncomeLevelling,
        of_household: HashMap::default(),
        villages: BTreeSet::new(),
        given: vec![None; candidates.len()],
    };
    // A tier is sorted only when it is its turn.
    for mut lots in by_tier(candidates, pack) {
        if progress.left == 0 {
            break;
        }
        lots.sort_unstable_by(|one, other| order(demand.policy, candidates, one, other));
        for group in lots.chunk_by(|one, other| is_one_group(demand.policy, one, other)) {
            if progress.left > 0 {
                share_group(demand, pack, group, &mut progress);
            }
        }
    }
    let mut shares: Vec<Share> = Vec::new();
    for (lot, given) in candidates.iter().zip(progress.given) {
        if let Some((packs, reason)) = given {
            shares.push(Share {
                lot_id: lot.lot_id,
                household_id: lot.household_id,
                quantity_base: packs * pack,
                tier: lot.tier,
                reason,
            });
        }
    }
    // Costs next to nothing when the candidates came by lot id, as they do from the store.
    shares.sort_unstable_by_key(|share| share.lot_id);
    let filled: i64 = shares.iter().map(|share| share.quantity_base).sum();
    Outcome { shares, shortfall_base: quantity - filled }
}

/// The lots of each tier, those with less than a pack left out.
fn by_tier(candidates: &[Candidate], pack: i64) -> [Vec<Lot>; 4] {
    let mut tiers: [Vec<Lot>; 4] = Default::default();
    let [spoiling, monitored, registered, others] = &mut tiers;
    for (position, candidate) in candidates.iter().enumerate() {
        if candidate.available_base < pack {
            continue;
        }
        let tier = match candidate.tier {
            Tier::Spoiling => &mut *spoiling,
            Tier::Monitored => &mut *monitored,
            Tier::Registered => &mut *registered,
            Tier::Others => &mut *others,
        };
        tier.push(Lot {
            household: candidate.household_id.as_u128(),
            price_fen: candidate.price_fen,
            price_per_base: candidate.price_per_base.max(1),
            packs: candidate.available_base / pack,
            village: candidate.village,
            income_fen: candidate.sold_this_year_fen,
            position,
        });
    }
    tiers
}

/// For `cheapest` prices first; households together, their cheapest lots first.
fn order(policy: Policy, candidates: &[Candidate], one: &Lot, other: &Lot) -> Ordering {
    let by_price = || if policy == Policy::Cheapest { one.cmp_price(other) } else { Ordering::Equal };
    let id = |lot: &Lot| candidates.get(lot.position).map(|candidate| candidate.lot_id);
    by_price()
        .then_with(|| one.household.cmp(&other.household))
        .then_with(|| one.cmp_price(other))
        .then_with(|| id(one).cmp(&id(other)))
}

fn is_one_group(policy: Policy, one: &Lot, other: &Lot) -> bool {
    policy != Policy::Cheapest || one.cmp_price(other) == Ordering::Equal
}

fn share_group(demand: &Demand, pack: i64, lots: &[Lot], progress: &mut Progress) {
    let entries = entries(demand, pack, lots, progress);
    let chosen = share::choose(demand.policy, entries, progress);
    let given = match demand.policy {
        Policy::Proportional => level::proportional(&chosen, progress.left),
        Policy::IncomeLevelling => level::incomes(&chosen, lots, pack, progress.left),
        Policy::MaxMin | Policy::FewestPickups | Policy::Cheapest => {
            level::quantities(&chosen, pack, progress.left)
        }
    };
    for (entry, &packs) in chosen.iter().zip(&given.packs) {
        if packs > 0 {
            let reason = if packs == entry.available { Reason::Everything } else { given.reason };
            hand_out(pack, entry, packs, reason, lots, progress);
            if demand.policy == Policy::FewestPickups {
                progress.villages.insert(entry.village);
            }
        }
    }
}

/// One entry per household that may take part, by household id.
fn entries(demand: &Demand, pack: i64, lots: &[Lot], progress: &Progress) -> Vec<Entry> {
    let least_packs =
        demand.min_share_base.max(0) / pack + i64::from(demand.min_share_base.max(0) % pack > 0);
    let mut entries: Vec<Entry> = Vec::new();
    for (position, lot) in lots.iter().enumerate() {
        match entries.last_mut().filter(|last| last.household == lot.household) {
            Some(last) => {
                last.available = last.available.saturating_add(lot.packs);
                last.lots += 1;
            }
            None => entries.push(Entry {
                household: lot.household,
                village: lot.village,
                income_fen: lot.income_fen,
                available: lot.packs,
                least: least_packs,
                first_lot: position,
                lots: 1,
                takes_part: false,
            }),
        }
    }
    if !progress.of_household.is_empty() {
        for entry in &mut entries {
            if let Some((packs, fen)) = progress.of_household.get(&entry.household) {
                entry.least = (least_packs - packs).max(0);
                entry.income_fen = entry.income_fen.saturating_add(*fen);
                entry.takes_part = true;
            }
        }
    }
    entries.retain(|entry| entry.available >= entry.least);
    entries
}

/// Takes a household's packs from its lots, cheapest first, and notes that it takes part.
fn hand_out(pack: i64, entry: &Entry, packs: i64, reason: Reason, lots: &[Lot], progress: &mut Progress) {
    let (mut open, mut fen) = (packs, 0_i64);
    for lot in lots.iter().skip(entry.first_lot).take(entry.lots) {
        let take = open.min(lot.packs);
        if take == 0 {
            break;
        }
        open -= take;
        if progress.looks_back {
            fen = fen.saturating_add(level::value_fen(lot, take * pack));
        }
        if let Some(place) = progress.given.get_mut(lot.position) {
            *place = Some((take, reason));
        }
    }
    progress.left -= packs;
    if !progress.looks_back {
        return;
    }
    if !entry.takes_part {
        progress.slots = progress.slots.saturating_sub(1);
    }
    let so_far = progress.of_household.entry(entry.household).or_insert((0, 0));
    *so_far = (so_far.0.saturating_add(packs), so_far.1.saturating_add(fen));
}
