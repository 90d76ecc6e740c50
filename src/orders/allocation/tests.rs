//! The rules of sharing as properties over made-up lots, and the examples of the design word for word.
#![expect(clippy::as_conversions, reason = "a test may fail loudly")]

mod examples;
mod limits;
mod policies;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const POLICIES: [Policy; 5] = Policy::ALL;
const TIERS: [Tier; 4] = [Tier::Spoiling, Tier::Monitored, Tier::Registered, Tier::Others];

/// 10,000 cases for every property, or what `PROPTEST_CASES` says.
fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases.unwrap_or(10_000)) }
}

fn id(number: u64) -> Uuid {
    Uuid::from_u64_pair(0x0190_0000_0000_7000, number)
}

/// A lot of a registered household without sales, at 10.00 per kg.
fn lot(number: u64, household: u64, available_base: i64) -> Candidate {
    Candidate {
        lot_id: id(number),
        household_id: id(1000 + household),
        village: 341_823_100_201,
        available_base,
        price_fen: 1000,
        price_per_base: 1000,
        tier: Tier::Registered,
        sold_this_year_fen: 0,
    }
}

fn demand(quantity_base: i64, policy: Policy) -> Demand {
    Demand { quantity_base, policy, pack_base: 1, min_share_base: 0, max_households: None }
}

/// Lots of up to `households` households: `tiers` tiers, few prices and villages, so that ties are common. Every third
/// number is drawn from a small range, so that limits bind.
fn lots(most: usize, tiers: usize) -> impl Strategy<Value = Vec<Candidate>> {
    let facts = (0..20_u64, 0..6_u64, prop_oneof![2 => 1..400_i64, 1 => 1..12_i64], 0..5_usize, 0..tiers);
    prop::collection::vec(facts, 0..most).prop_map(|facts| {
        let lots = facts.into_iter().zip(0..);
        lots.map(|((household, village, available_base, price, tier), number)| {
            let (price_fen, price_per_base) = [(30, 1), (1500, 50), (1501, 50), (16_000, 500), (7, 3)][price];
            Candidate {
                village,
                price_fen,
                price_per_base,
                tier: TIERS[tier],
                sold_this_year_fen: i64::try_from(household * 7919 % 13 * 400).unwrap(),
                ..lot((number * 37) % 101, household, available_base)
            }
        })
        .collect()
    })
}

fn any_limits() -> impl Strategy<Value = (i64, i64, Option<u32>)> {
    let pack = prop_oneof![3 => Just(1), 2 => 2..30_i64];
    let min_share = prop_oneof![2 => Just(0), 3 => 1..200_i64];
    let households = prop_oneof![2 => Just(None), 3 => (0..8_u32).prop_map(Some)];
    (pack, min_share, households)
}

/// What each household gets in each tier.
fn by_household(outcome: &Outcome) -> BTreeMap<(Tier, Uuid), i64> {
    let mut parts = BTreeMap::new();
    for share in &outcome.shares {
        *parts.entry((share.tier, share.household_id)).or_default() += share.quantity_base;
    }
    parts
}

/// What each household has in each tier, in whole packs.
fn stock_by_household(lots: &[Candidate], pack: i64) -> BTreeMap<(Tier, Uuid), i64> {
    let mut stock = BTreeMap::new();
    for lot in lots.iter().filter(|lot| lot.available_base >= pack) {
        *stock.entry((lot.tier, lot.household_id)).or_default() += lot.available_base / pack * pack;
    }
    stock
}

fn totals(parts: &BTreeMap<(Tier, Uuid), i64>) -> BTreeMap<Uuid, i64> {
    let mut totals = BTreeMap::new();
    for ((_, household), part) in parts {
        *totals.entry(*household).or_default() += *part;
    }
    totals
}

fn filled(outcome: &Outcome) -> i64 {
    outcome.shares.iter().map(|share| share.quantity_base).sum()
}

/// Shuffles by a seed, without a generator of its own state.
fn shuffled(lots: &[Candidate], seed: u64) -> Vec<Candidate> {
    let mut lots = lots.to_vec();
    lots.sort_by_key(|lot| (lot.lot_id.as_u64_pair().1 + 1).wrapping_mul(seed | 1).rotate_left(23));
    lots
}

/// Holds for whatever is asked of whatever is there.
fn check_always(demand: &Demand, lots: &[Candidate]) -> Result<Outcome, TestCaseError> {
    let outcome = allocate(demand, lots);
    prop_assert_eq!(filled(&outcome) + outcome.shortfall_base, demand.quantity_base.max(0));
    prop_assert!(outcome.shortfall_base >= 0);
    prop_assert!(
        outcome.shares.windows(2).all(|pair| pair[0].lot_id < pair[1].lot_id),
        "sorted, one share per lot"
    );
    let pack = demand.pack_base.max(1);
    let mut by_id: BTreeMap<Uuid, &Candidate> = BTreeMap::new();
    for lot in lots {
        by_id.insert(lot.lot_id, lot);
    }
    for share in &outcome.shares {
        let lot = by_id[&share.lot_id];
        prop_assert!(share.quantity_base > 0 && share.quantity_base <= lot.available_base);
        prop_assert_eq!(share.quantity_base % pack, 0);
        prop_assert_eq!((share.household_id, share.tier), (lot.household_id, lot.tier));
    }
    let totals = totals(&by_household(&outcome));
    prop_assert!(totals.values().all(|total| *total >= demand.min_share_base));
    prop_assert!(demand.max_households.is_none_or(|most| totals.len() <= most as usize));
    Ok(outcome)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn parts_and_shortfall_are_the_demand_and_no_limit_is_broken_whatever_the_order_of_the_lots(
        lots in lots(40, 4), quantity in 0..6000_i64, (pack_base, min_share_base, max_households) in any_limits(),
        seed in any::<u64>(),
    ) {
        for policy in POLICIES {
            let demand = Demand { quantity_base: quantity, policy, pack_base, min_share_base, max_households };
            let outcome = check_always(&demand, &lots)?;
            prop_assert_eq!(&allocate(&demand, &shuffled(&lots, seed)), &outcome, "{:?}", policy);
        }
    }

    #[test]
    fn stored_inputs_replay_to_the_same_outcome(
        lots in lots(12, 4), quantity in 0..3000_i64, (pack_base, min_share_base, max_households) in any_limits(),
        policy in prop::sample::select(&POLICIES[..]),
    ) {
        let demand = Demand { quantity_base: quantity, policy, pack_base, min_share_base, max_households };
        let outcome = allocate(&demand, &lots);
        let stored = serde_json::to_string(&(&demand, &lots, &outcome)).unwrap();
        let (demand, lots, before): (Demand, Vec<Candidate>, Outcome) = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(allocate(&demand, &lots), before);
    }

    #[test]
    fn without_limits_only_an_empty_stock_leaves_a_shortfall_and_no_tier_waits_behind_a_later_one(
        lots in lots(40, 4), quantity in 0..6000_i64, pack_base in prop_oneof![Just(1_i64), 2..30_i64],
    ) {
        let stock = stock_by_household(&lots, pack_base);
        let available: i64 = stock.values().sum();
        for policy in POLICIES {
            let demand = Demand { pack_base, ..demand(quantity, policy) };
            let outcome = allocate(&demand, &lots);
            prop_assert_eq!(filled(&outcome), available.min(quantity / pack_base * pack_base));
            let parts = by_household(&outcome);
            let last = parts.keys().map(|(tier, _)| *tier).max();
            for ((tier, household), stock) in stock.iter().filter(|((tier, _), _)| Some(*tier) < last) {
                prop_assert_eq!(parts.get(&(*tier, *household)), Some(stock), "{:?}", policy);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn many_lots_are_shared_like_few(
        facts in prop::collection::vec((any::<u64>(), 0..900_u64, 1..1_000_000_i64, 0..4_usize), 1000..3000),
        (part, min_share_base) in (1..120_i64, prop_oneof![Just(0), 1..500_000_i64]),
        max_households in prop::option::of(1..600_u32), pack_base in 1..5000_i64,
    ) {
        let lots: Vec<Candidate> = facts.iter().map(|(number, household, available_base, tier)| Candidate {
            lot_id: Uuid::from_u64_pair(*number, *number),
            tier: TIERS[*tier],
            village: household % 40,
            price_fen: 800 + *available_base % 700,
            sold_this_year_fen: i64::try_from(household * 31 % 500 * 1000).unwrap(),
            ..lot(0, *household, *available_base)
        }).collect();
        let stock: i64 = lots.iter().map(|lot| lot.available_base).sum();
        for policy in POLICIES {
            let demand = Demand { quantity_base: stock / 100 * part, policy, pack_base, min_share_base, max_households };
            let outcome = check_always(&demand, &lots)?;
            let reversed: Vec<Candidate> = lots.iter().rev().cloned().collect();
            prop_assert_eq!(allocate(&demand, &reversed), outcome);
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_number_is_too_large(
        facts in prop::collection::vec((0..4_u64, any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), 0..4_usize), 0..12),
        quantity in prop_oneof![any::<i64>(), Just(i64::MAX)], (pack_base, min_share_base) in any::<(i64, i64)>(),
        max_households in prop::option::of(0..3_u32), has_pack in any::<bool>(), has_minimum in any::<bool>(),
    ) {
        let lots: Vec<Candidate> = facts.iter().zip(0..).map(|((household, available, fen, per, sold, tier), number)| {
            Candidate {
                price_fen: *fen, price_per_base: *per, sold_this_year_fen: *sold, tier: TIERS[*tier],
                ..lot(number, *household, *available)
            }
        }).collect();
        let pack_base = if has_pack { pack_base } else { 1 };
        let min_share_base = if has_minimum { min_share_base } else { 0 };
        for policy in POLICIES {
            check_always(&Demand { quantity_base: quantity, policy, pack_base, min_share_base, max_households }, &lots)?;
        }
    }
}
