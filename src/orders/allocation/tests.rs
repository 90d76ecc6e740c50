//! The allocation's specification: the figures of the design, and properties that hold for any candidates and policy.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::{Candidate, Demand, Outcome, Policy, Tier, allocate};

const CASES: u32 = 10_000;

fn lot(number: u128, household: u128, kilos: i64) -> Candidate {
    Candidate {
        lot_id: Uuid::from_u128(number),
        household_id: Uuid::from_u128(household),
        village: 341_823_100_001,
        available_base: kilos * 1000,
        price_fen: 4000,
        price_per_base: 1000,
        tier: Tier::Others,
        sold_this_year_fen: 0,
    }
}

fn demand(kilos: i64, policy: Policy) -> Demand {
    Demand { quantity_base: kilos * 1000, policy, pack_base: 1, min_share_base: 0, max_households: None }
}

fn kilos(outcome: &Outcome) -> Vec<i64> {
    outcome.shares.iter().map(|share| share.quantity_base / 1000).collect()
}

fn five() -> Vec<Candidate> {
    [900, 300, 200, 100, 50].into_iter().zip(1..).map(|(kilos, number)| lot(number, number, kilos)).collect()
}

#[test]
fn max_min_of_a_thousand_kilos_levels_at_three_hundred_and_fifty() {
    let outcome = allocate(&demand(1000, Policy::MaxMin), &five());
    assert_eq!(kilos(&outcome), [350, 300, 200, 100, 50]);
    let show = |base: i64| format!("{} kg", base / 1000);
    let reasons: Vec<String> =
        outcome.shares.iter().map(|share| share.reason.describe(share.tier, show)).collect();
    assert_eq!(reasons[0], "tier 4 others, level 350 kg");
    assert_eq!(reasons[1], "tier 4 others, everything it has");
}

#[test]
fn proportional_gives_each_the_same_part_of_what_it_has() {
    assert_eq!(kilos(&allocate(&demand(310, Policy::Proportional), &five())), [180, 60, 40, 20, 10]);
}

#[test]
fn a_household_with_two_lots_counts_once() {
    let lots = [lot(1, 1, 100), lot(2, 1, 100), lot(3, 2, 200)];
    let outcome = allocate(&demand(100, Policy::MaxMin), &lots);
    assert_eq!(kilos(&outcome), [50, 50]);
    assert_eq!(outcome.shares[1].lot_id, Uuid::from_u128(3));
}

#[test]
fn a_monitored_household_is_filled_before_a_general_one() {
    let mut lots = five();
    lots[4].tier = Tier::Monitored;
    assert_eq!(kilos(&allocate(&demand(50, Policy::MaxMin), &lots)), [50]);
    assert_eq!(kilos(&allocate(&demand(90, Policy::MaxMin), &lots)), [10, 10, 10, 10, 50]);
}

#[test]
fn the_poorest_households_are_raised_first() {
    let mut lots = [lot(1, 1, 100), lot(2, 2, 100), lot(3, 3, 100)];
    (lots[0].sold_this_year_fen, lots[1].sold_this_year_fen, lots[2].sold_this_year_fen) =
        (0, 200_000, 900_000);
    // 40.00 per kg: 60 kg bring the first to 2,400.00 and the second with 10 kg from 2,000.00 to 2,400.00.
    assert_eq!(kilos(&allocate(&demand(70, Policy::IncomeLevelling), &lots)), [60, 10]);
}

#[test]
fn the_cheapest_lots_go_first_and_one_price_is_shared() {
    let mut lots = five();
    (lots[0].price_fen, lots[0].price_per_base) = (1999, 500);
    let outcome = allocate(&demand(1000, Policy::Cheapest), &lots);
    assert_eq!(kilos(&outcome), [900, 25, 25, 25, 25]);
}

#[test]
fn few_villages_are_visited_and_the_last_is_the_smallest_that_suffices() {
    let mut lots = five();
    for (lot, village) in lots.iter_mut().zip(1..) {
        lot.village = village;
    }
    assert_eq!(kilos(&allocate(&demand(1000, Policy::FewestPickups), &lots)), [900, 100]);
}

#[test]
fn packs_minimum_share_and_most_households_are_kept() {
    let packed = Demand { pack_base: 30_000, ..demand(100, Policy::MaxMin) };
    let outcome = allocate(&packed, &five());
    assert_eq!((kilos(&outcome), outcome.shortfall_base), (vec![30, 30, 30], 10_000));
    let at_least = Demand { min_share_base: 150_000, ..demand(500, Policy::MaxMin) };
    let grams: Vec<i64> =
        allocate(&at_least, &five()).shares.iter().map(|share| share.quantity_base).collect();
    assert_eq!(grams, [166_667, 166_667, 166_666], "the lots of 100 and 50 kg cannot give 150 kg");
    let two = Demand { max_households: Some(2), ..demand(1000, Policy::MaxMin) };
    assert_eq!(kilos(&allocate(&two, &five())), [700, 300]);
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(Policy::ALL.to_vec())
}

fn any_tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(vec![Tier::Spoiling, Tier::Monitored, Tier::Registered, Tier::Others])
}

prop_compose! {
    fn any_candidate()(
        household in 1_u128..9, village in 1_u64..5, available in 0_i64..2_000,
        price in 1_i64..50, per in prop::sample::select(vec![1_i64, 50, 500, 1000]), tier in any_tier(),
    ) -> Candidate {
        Candidate {
            lot_id: Uuid::nil(),
            household_id: Uuid::from_u128(household),
            village,
            available_base: available,
            price_fen: price * 100,
            price_per_base: per,
            tier,
            sold_this_year_fen: i64::try_from(household).unwrap() * 7_919 % 5_000,
        }
    }
}

fn any_candidates() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(any_candidate(), 0..14).prop_map(|mut lots| {
        for (lot, number) in lots.iter_mut().zip(1..) {
            lot.lot_id = Uuid::from_u128(number);
        }
        lots
    })
}

prop_compose! {
    fn any_demand()(
        quantity in 0_i64..9_000, policy in any_policy(), pack in prop::sample::select(vec![1_i64, 1, 1, 7, 50]),
        min_share in prop::sample::select(vec![0_i64, 0, 0, 100, 900]),
        most in prop::option::weighted(0.3, 1_u32..6),
    ) -> Demand {
        Demand { quantity_base: quantity, policy, pack_base: pack, min_share_base: min_share, max_households: most }
    }
}

/// What each household gets in each tier.
fn by_tier(outcome: &Outcome) -> BTreeMap<(Tier, Uuid), i64> {
    let mut given = BTreeMap::new();
    for share in &outcome.shares {
        *given.entry((share.tier, share.household_id)).or_insert(0) += share.quantity_base;
    }
    given
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn shares_and_shortfall_sum_to_the_demand(demand in any_demand(), lots in any_candidates()) {
        let outcome = allocate(&demand, &lots);
        let filled: i64 = outcome.shares.iter().map(|share| share.quantity_base).sum();
        prop_assert_eq!(filled + outcome.shortfall_base, demand.quantity_base);
        prop_assert!(outcome.shortfall_base >= 0);
    }

    #[test]
    fn no_lot_gives_more_than_it_has_and_every_share_is_whole_packs(demand in any_demand(), lots in any_candidates()) {
        let outcome = allocate(&demand, &lots);
        let ids: BTreeSet<Uuid> = outcome.shares.iter().map(|share| share.lot_id).collect();
        prop_assert_eq!(ids.len(), outcome.shares.len(), "a lot appears once");
        for share in &outcome.shares {
            let lot = lots.iter().find(|lot| lot.lot_id == share.lot_id).unwrap();
            prop_assert!(share.quantity_base > 0 && share.quantity_base <= lot.available_base);
            prop_assert_eq!(share.quantity_base % demand.pack_base, 0);
            prop_assert_eq!((share.household_id, share.tier), (lot.household_id, lot.tier));
        }
    }

    #[test]
    fn the_order_of_candidates_does_not_matter(
        demand in any_demand(), lots in any_candidates().prop_flat_map(|lots| (Just(lots.clone()), Just(lots).prop_shuffle()))
    ) {
        prop_assert_eq!(allocate(&demand, &lots.0), allocate(&demand, &lots.1));
    }

    #[test]
    fn the_same_input_read_back_from_storage_gives_the_same_shares(demand in any_demand(), lots in any_candidates()) {
        let stored = serde_json::to_string(&(&demand, &lots)).unwrap();
        let (again, candidates): (Demand, Vec<Candidate>) = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(allocate(&demand, &lots), allocate(&again, &candidates));
    }

    #[test]
    fn in_a_tier_nobody_gets_less_than_another_unless_their_lots_are_empty(
        demand in any_demand(), lots in any_candidates()
    ) {
        let plain = Demand { policy: Policy::MaxMin, min_share_base: 0, max_households: None, ..demand };
        let given = by_tier(&allocate(&plain, &lots));
        let mut offered: BTreeMap<(Tier, Uuid), i64> = BTreeMap::new();
        for lot in &lots {
            let packs = lot.available_base / plain.pack_base * plain.pack_base;
            *offered.entry((lot.tier, lot.household_id)).or_insert(0) += packs;
        }
        for ((tier, household), has) in &offered {
            let own = given.get(&(*tier, *household)).copied().unwrap_or(0);
            let most = given.iter().filter(|((other, _), _)| other == tier).map(|(_, got)| *got).max().unwrap_or(0);
            prop_assert!(own == *has || own + plain.pack_base >= most, "{own} of {has}, another got {most}");
        }
    }

    #[test]
    fn without_limits_a_shortfall_means_that_everything_is_gone(demand in any_demand(), lots in any_candidates()) {
        let plain = Demand { min_share_base: 0, max_households: None, ..demand };
        let outcome = allocate(&plain, &lots);
        let offered: i64 = lots.iter().map(|lot| lot.available_base / plain.pack_base * plain.pack_base).sum();
        let wanted = plain.quantity_base / plain.pack_base * plain.pack_base;
        prop_assert_eq!(plain.quantity_base - outcome.shortfall_base, wanted.min(offered));
    }

    #[test]
    fn a_later_tier_gets_nothing_while_an_earlier_one_has_something(demand in any_demand(), lots in any_candidates()) {
        let plain = Demand { min_share_base: 0, max_households: None, ..demand };
        let outcome = allocate(&plain, &lots);
        let last = outcome.shares.iter().map(|share| share.tier).max();
        for lot in lots.iter().filter(|lot| Some(lot.tier) < last) {
            let share = outcome.shares.iter().find(|share| share.lot_id == lot.lot_id);
            let whole = lot.available_base / plain.pack_base * plain.pack_base;
            prop_assert_eq!(share.map_or(0, |share| share.quantity_base), whole);
        }
    }

    #[test]
    fn no_more_households_take_part_than_allowed_and_none_with_less_than_the_minimum(
        demand in any_demand(), lots in any_candidates()
    ) {
        let outcome = allocate(&demand, &lots);
        let mut of_household: BTreeMap<Uuid, i64> = BTreeMap::new();
        for share in &outcome.shares {
            *of_household.entry(share.household_id).or_insert(0) += share.quantity_base;
        }
        let most = demand.max_households.map_or(usize::MAX, |most| usize::try_from(most).unwrap());
        prop_assert!(of_household.len() <= most);
        prop_assert!(of_household.values().all(|got| *got >= demand.min_share_base));
    }

    #[test]
    fn with_one_tier_and_a_limit_on_households_the_demand_is_filled_if_any_choice_fills_it(
        demand in any_demand(), mut lots in any_candidates(), most in 1_usize..6
    ) {
        lots.iter_mut().for_each(|lot| lot.tier = Tier::Others);
        let limited = Demand {
            pack_base: 1,
            min_share_base: 0,
            max_households: Some(u32::try_from(most).unwrap()),
            policy: if demand.policy == Policy::Cheapest { Policy::MaxMin } else { demand.policy },
            ..demand
        };
        let mut stock: BTreeMap<Uuid, i64> = BTreeMap::new();
        for lot in &lots {
            *stock.entry(lot.household_id).or_insert(0) += lot.available_base;
        }
        let mut largest: Vec<i64> = stock.into_values().collect();
        largest.sort_unstable_by(|one, other| other.cmp(one));
        let possible: i64 = largest.iter().take(most).sum();
        let outcome = allocate(&limited, &lots);
        prop_assert_eq!(outcome.shortfall_base, (limited.quantity_base - possible).max(0));
    }

    #[test]
    fn cheapest_pays_the_least_there_is_to_pay(demand in any_demand(), mut lots in any_candidates()) {
        lots.iter_mut().for_each(|lot| (lot.tier, lot.price_per_base) = (Tier::Others, 1));
        let cheapest = Demand { policy: Policy::Cheapest, pack_base: 1, min_share_base: 0, max_households: None, ..demand };
        let price_of = |id: Uuid| lots.iter().find(|lot| lot.lot_id == id).unwrap().price_fen;
        let cost = |outcome: &Outcome| -> i64 {
            outcome.shares.iter().map(|share| share.quantity_base * price_of(share.lot_id)).sum()
        };
        let best = cost(&allocate(&cheapest, &lots));
        for policy in Policy::ALL {
            let other = Demand { policy, ..cheapest.clone() };
            prop_assert!(best <= cost(&allocate(&other, &lots)));
        }
    }

    #[test]
    fn fewest_pickups_visits_no_more_villages_than_the_best_choice_needs(
        demand in any_demand(), mut lots in any_candidates()
    ) {
        lots.iter_mut().for_each(|lot| {
            lot.tier = Tier::Others;
            // A household lives in one village.
            lot.village = u64::try_from(lot.household_id.as_u128() % 4).unwrap();
        });
        let few = Demand { policy: Policy::FewestPickups, pack_base: 1, min_share_base: 0, max_households: None, ..demand };
        let outcome = allocate(&few, &lots);
        let village_of = |id: Uuid| lots.iter().find(|lot| lot.lot_id == id).unwrap().village;
        let visited: BTreeSet<u64> = outcome.shares.iter().map(|share| village_of(share.lot_id)).collect();
        let filled = few.quantity_base - outcome.shortfall_base;
        let needed = (0_u32..16)
            .filter(|choice| {
                let chosen = lots.iter().filter(|lot| choice & (1 << lot.village) != 0);
                chosen.map(|lot| lot.available_base).sum::<i64>() >= filled
            })
            .map(u32::count_ones)
            .min()
            .unwrap();
        prop_assert!(visited.len() <= usize::try_from(needed).unwrap());
    }

    #[test]
    fn income_levelling_never_gives_to_a_richer_household_what_a_poorer_one_could_still_sell(
        demand in any_demand(), mut lots in any_candidates()
    ) {
        lots.iter_mut().for_each(|lot| (lot.tier, lot.price_fen, lot.price_per_base) = (Tier::Others, 100, 1));
        let level = Demand { policy: Policy::IncomeLevelling, pack_base: 1, min_share_base: 0, max_households: None, ..demand };
        let outcome = allocate(&level, &lots);
        let given = by_tier(&outcome);
        let got = |household: Uuid| given.get(&(Tier::Others, household)).copied().unwrap_or(0);
        let has = |household: Uuid| -> i64 {
            lots.iter().filter(|lot| lot.household_id == household).map(|lot| lot.available_base).sum()
        };
        for poor in lots.iter().filter(|lot| got(lot.household_id) < has(lot.household_id)) {
            let poor_now = poor.sold_this_year_fen + 100 * got(poor.household_id);
            for rich in lots.iter().filter(|lot| got(lot.household_id) > 0) {
                let rich_now = rich.sold_this_year_fen + 100 * got(rich.household_id);
                prop_assert!(rich_now <= poor_now + 100, "{rich_now} above {poor_now}");
            }
        }
    }
}
