//! Shares the demand of one order line over the lots that could fill it, and says why each lot got what it got.
//! Pure and replayable: it never reads a clock, a database or a random number, and it never fails.
//!
//! # The rules
//!
//! **Packs.** Everything is counted in whole packs. The demand and every lot are rounded down to whole packs before
//! anything else; what is left of the demand is shortfall. Lots without a whole pack are ignored; of lots with the
//! same id the smallest one (in field order) counts.
//!
//! **Tiers** are taken in turn: every tier that the rest of the demand can empty is emptied, and the policy decides
//! only inside the one tier that holds more than is still wanted.
//!
//! **Fairness is over households.** Inside a tier the lots of a household are one stock. What the household gets is
//! then taken from its lots cheapest first, ties by lot id. Everywhere else ties go by household id.
//!
//! | policy | inside the tier |
//! |---|---|
//! | `max_min` | The highest level at which `min(stock, level)` over all households fits; the packs left over go one each, in id order, to households that have more. |
//! | `income_levelling` | The same with sales income: this year's sales plus the amounts of this order (rounded half up per lot, as they are settled) are raised to the highest common level in whole fen. The packs that the next fen would bring are handed out in id order until the demand is full. |
//! | `proportional` | Each household the same part of its stock, rounded down; the packs left over go by largest remainder. |
//! | `fewest_pickups` | Villages that an earlier tier visits anyway come first; then the villages with the most stock, and as the last one the smallest that still suffices. No choice needs fewer villages. Inside the chosen ones as `max_min`. |
//! | `cheapest` | Exact prices ascending; households at one price share as in `max_min`. |
//!
//! **Limits** come before tiers and policies, in this order:
//! 1. A household whose whole stock is below the minimum share is out. At most `max_households` take part, and never
//!    more than can get the minimum share out of the demand.
//! 2. Within that, as much is filled as any choice of households could fill. No unit is refused that some permitted
//!    choice would deliver.
//! 3. Households are then chosen one by one, keeping (2) possible: earlier tiers first; inside a tier the larger stock
//!    first (so that the shares of the chosen are as equal as they can be), with `income_levelling` the lower income,
//!    with `fewest_pickups` the village with the most stock, with `cheapest` the lower price; ties by id.
//! 4. With a minimum share, the tier (with `cheapest`: the price) that fills the demand takes in only as many
//!    households as can get the minimum without taking from earlier tiers, or as it needs to fill the demand.
//!    `max_min` takes the larger stocks; `income_levelling` whoever the rising level brings to the minimum first;
//!    `proportional` drops the smallest stocks until every part reaches the minimum.
//! 5. Every household that takes part first gets the minimum, from its own lots in tier order; the rest is shared by
//!    tier and policy on top, so that nobody is below the minimum and everybody else is as the policy says.
//!
//! A limit may thus pass over an earlier tier or set a household above the level; the reason of that share says so.
//!
//! Time is O(n log n): sorts by id, household and stage; what follows is linear but for a binary search on the level.

mod income;
mod level;
mod limits;
mod pickups;
mod reason;
mod stock;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use reason::Reason;
use stock::{Holding, Lot, Stock};

/// How the lots of one tier are shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// As equal as the stocks allow: small lots are emptied, large ones cut to a common level.
    #[default]
    MaxMin,
    /// Who has sold least this year is raised first.
    IncomeLevelling,
    /// Everybody the same part of their stock.
    Proportional,
    /// As few villages to drive to as possible.
    FewestPickups,
    /// The lowest total for the buyer.
    Cheapest,
}

/// Whose turn a lot is; lower numbers sell first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Spoils within the configured number of days.
    Spoiling = 1,
    /// Of a monitored household.
    Monitored = 2,
    /// Of a registered household.
    Registered = 3,
    Others = 4,
}

/// What is wanted, in whole grams or pieces, and within which limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    pub quantity_base: i64,
    pub policy: Policy,
    /// Every share is a whole number of packs of this size; below 1 counts as 1.
    pub pack_base: i64,
    /// No household gets less than this from the order, rounded up to whole packs; 0 for no minimum.
    pub min_share_base: i64,
    /// No more households than this take part.
    pub max_households: Option<u32>,
}

/// A lot that could fill the demand. All lots of one household carry the same `sold_this_year_fen`; if they differ,
/// the one of the smallest lot id counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Candidate {
    pub lot_id: Uuid,
    pub household_id: Uuid,
    /// The 12-digit code of the village where the lot is picked up.
    pub village: u64,
    pub available_base: i64,
    /// Fen for `price_per_base` grams or pieces: 3200 and 500 are 32.00 yuan per jin.
    pub price_fen: i64,
    pub price_per_base: i64,
    pub tier: Tier,
    /// Sales income of the household in this calendar year.
    pub sold_this_year_fen: i64,
}

/// A candidate as it is kept for replay: values without names, for there may be thousands.
type Stored = (Uuid, Uuid, u64, i64, i64, i64, Tier, i64);

/// What one lot gives, never zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub lot_id: Uuid,
    pub household_id: Uuid,
    pub quantity_base: i64,
    pub tier: Tier,
    pub reason: Reason,
}

/// The shares, by lot id, and what no lot could fill. Together they are exactly the quantity wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub shares: Vec<Share>,
    pub shortfall_base: i64,
}

impl Policy {
    pub const ALL: [Self; 5] =
        [Self::MaxMin, Self::IncomeLevelling, Self::Proportional, Self::FewestPickups, Self::Cheapest];

    /// The name that is stored and shown.
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

    /// Reads a stored name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

impl Tier {
    /// 1 for what sells first to 4.
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
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spoiling => "spoiling",
            Self::Monitored => "monitored",
            Self::Registered => "registered",
            Self::Others => "others",
        }
    }
}

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
    fn from(of: Candidate) -> Self {
        let price = (of.price_fen, of.price_per_base);
        let income_fen = of.sold_this_year_fen;
        (of.lot_id, of.household_id, of.village, of.available_base, price.0, price.1, of.tier, income_fen)
    }
}

/// Shares `demand` over `candidates` by the rules above. The order of the candidates does not matter.
#[must_use]
pub fn allocate(demand: &Demand, candidates: &[Candidate]) -> Outcome {
    let wanted = Wanted::of(demand);
    let mut stock = stock::gather(candidates, wanted.pack);
    let looks_at_income = demand.policy == Policy::IncomeLevelling;
    let incomes = if looks_at_income { stock.incomes() } else { vec![0; stock.households] };
    if wanted.is_limited() {
        let chosen = limits::choose(&wanted, &stock.lots, &incomes);
        stock.keep(&chosen);
    }
    let villages = stock.arrange(&wanted);
    let mut holdings = stock::holdings(&stock.lots);
    if wanted.min_share > 1 {
        let entering = limits::enter(&wanted, &stock.lots, &holdings, &incomes);
        stock.keep(&entering);
        holdings = stock::holdings(&stock.lots);
        limits::reserve(wanted.min_share, &mut holdings, incomes.len());
    }
    share_out(&wanted, villages, &stock.lots, &mut holdings, incomes);
    hand_to_lots(&wanted, &stock, &holdings)
}

/// The demand in whole packs.
struct Wanted<'a> {
    demand: &'a Demand,
    pack: i64,
    packs: i64,
    /// In packs; 0 and 1 mean that there is no minimum.
    min_share: i64,
}

impl<'a> Wanted<'a> {
    fn of(demand: &'a Demand) -> Self {
        let pack = demand.pack_base.max(1);
        let min_base = demand.min_share_base.max(0);
        let min_share = min_base / pack + i64::from(min_base % pack > 0);
        Self { demand, pack, packs: demand.quantity_base.max(0) / pack, min_share }
    }

    fn is_limited(&self) -> bool {
        self.min_share > 1 || self.demand.max_households.is_some()
    }

    /// The most households that may take part.
    fn households_max(&self) -> usize {
        let by_limit =
            self.demand.max_households.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let by_minimum = if self.min_share > 1 { self.packs / self.min_share } else { i64::MAX };
        by_limit.min(usize::try_from(by_minimum).unwrap_or(usize::MAX))
    }

    /// Packs as grams or pieces. They never exceed a lot or the demand they were counted from.
    fn base(&self, packs: i64) -> i64 {
        packs.saturating_mul(self.pack)
    }
}

/// Sets `part` and `reason` of every holding, stage by stage, on top of the reserved floors.
fn share_out(wanted: &Wanted, villages: u32, lots: &[Lot], holdings: &mut [Holding], mut incomes: Vec<i64>) {
    let reserved: i64 = holdings.iter().map(|holding| holding.floor).sum();
    let mut left = wanted.packs - reserved;
    let minimum = Reason::MinimumShare { min_share_base: wanted.demand.min_share_base };
    let stages = lots.chunk_by(|a, b| a.stage == b.stage);
    for (lots, holdings) in stages.zip(holdings.chunk_by_mut(|a, b| a.stage == b.stage)) {
        let floors: i64 = holdings.iter().map(|holding| holding.floor).sum();
        let stock: i128 = holdings.iter().map(|holding| i128::from(holding.packs)).sum();
        if stock <= i128::from(floors + left) {
            left -= holdings.iter().map(|holding| holding.packs - holding.floor).sum::<i64>();
            for holding in holdings.iter_mut() {
                holding.part = holding.packs;
            }
            if wanted.demand.policy == Policy::IncomeLevelling {
                income::add_sold_out(wanted.pack, lots, &mut incomes);
            }
        } else if left > 0 {
            fill(wanted, villages, floors + left, lots, holdings, &incomes);
            left = 0;
        } else {
            for holding in holdings.iter_mut() {
                holding.part = holding.floor;
                holding.reason = minimum;
            }
        }
    }
}

/// Shares `packs` over one stage that holds more than that.
fn fill(wanted: &Wanted, villages: u32, packs: i64, lots: &[Lot], holdings: &mut [Holding], incomes: &[i64]) {
    let minimum = Reason::MinimumShare { min_share_base: wanted.demand.min_share_base };
    match wanted.demand.policy {
        Policy::IncomeLevelling => {
            let ladders = income::ladders(wanted.pack, lots, incomes);
            let level_fen = income::level(&ladders, holdings, packs);
            for holding in holdings {
                let is_raised = holding.part > 0 && holding.part == holding.floor;
                holding.reason = if is_raised { minimum } else { Reason::IncomeLevel { level_fen } };
            }
        }
        Policy::Proportional => {
            let basis_points = level::proportional(holdings, packs);
            for holding in holdings {
                let is_raised = holding.part > 0 && holding.part == holding.floor;
                holding.reason = if is_raised { minimum } else { Reason::Proportional { basis_points } };
            }
        }
        policy => {
            let level = level::level(holdings, packs);
            for (holding, lot) in holdings.iter_mut().zip(lots.chunk_by(stock::is_same_holding)) {
                let level_base = wanted.base(holding.part);
                let is_raised = holding.part == holding.floor && holding.part > level;
                holding.reason = match (policy, lot.first()) {
                    _ if is_raised => minimum,
                    (Policy::FewestPickups, _) => Reason::Pickup { villages, level_base },
                    (Policy::Cheapest, Some(lot)) => Reason::price(lot.price, level_base),
                    _ => Reason::Level { level_base },
                };
            }
        }
    }
}

/// Takes the part of every household from its lots, which stand cheapest first, and lists the shares by lot id.
fn hand_to_lots(wanted: &Wanted, stock: &Stock, holdings: &[Holding]) -> Outcome {
    // The packs of every lot, and the reason where the household does not give all it has in the stage.
    let mut given: Vec<(i64, Option<&Reason>)> = vec![(0, None); stock.by_lot_id().len()];
    let mut count = 0;
    for (lots, holding) in stock.lots.chunk_by(stock::is_same_holding).zip(holdings) {
        let mut left = holding.part;
        let reason = (holding.part < holding.packs).then_some(&holding.reason);
        for lot in lots {
            let packs = left.min(lot.packs);
            if let Some(slot) = given.get_mut(lot.rank).filter(|_| packs > 0) {
                *slot = (packs, reason);
                count += 1;
            }
            left -= packs;
        }
    }
    let mut shortfall_base = wanted.demand.quantity_base.max(0);
    let mut shares = Vec::with_capacity(count);
    for (candidate, (packs, reason)) in stock.by_lot_id().zip(given) {
        let Some(candidate) = candidate.filter(|_| packs > 0) else { continue };
        let quantity_base = wanted.base(packs);
        shortfall_base -= quantity_base;
        shares.push(Share {
            lot_id: candidate.lot_id,
            household_id: candidate.household_id,
            quantity_base,
            tier: candidate.tier,
            reason: reason.copied().unwrap_or(Reason::WholeLot),
        });
    }
    Outcome { shares, shortfall_base }
}
