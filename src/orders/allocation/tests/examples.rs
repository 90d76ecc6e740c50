//! Examples that a reader can check by head.

use super::*;

fn kilograms(outcome: &Outcome) -> Vec<i64> {
    outcome.shares.iter().map(|share| share.quantity_base / 1000).collect()
}

fn five_lots() -> Vec<Candidate> {
    [900, 300, 200, 100, 50].into_iter().zip(1..).map(|(kg, number)| lot(number, number, kg * 1000)).collect()
}

fn sentences(outcome: &Outcome) -> Vec<String> {
    let show = |base: i64| format!("{} kg", base / 1000);
    outcome.shares.iter().map(|share| share.reason.describe(share.tier, show)).collect()
}

#[test]
fn a_ton_over_900_300_200_100_and_50_kg_is_350_300_200_100_and_50() {
    let outcome = allocate(&demand(1_000_000, Policy::MaxMin), &five_lots());
    assert_eq!(kilograms(&outcome), [350, 300, 200, 100, 50]);
    assert_eq!(outcome.shortfall_base, 0);
    let whole = "tier 3 registered, whole lot";
    assert_eq!(sentences(&outcome), ["tier 3 registered, level 350 kg", whole, whole, whole, whole]);
}

#[test]
fn what_nobody_has_is_shortfall() {
    let outcome = allocate(&demand(1_600_000, Policy::MaxMin), &five_lots());
    assert_eq!(kilograms(&outcome), [900, 300, 200, 100, 50]);
    assert_eq!(outcome.shortfall_base, 50_000);
}

#[test]
fn packs_that_do_not_divide_go_by_household_id_and_a_broken_pack_is_shortfall() {
    let lots = [lot(3, 1, 90), lot(2, 2, 90), lot(1, 3, 99)];
    let outcome = allocate(&Demand { pack_base: 10, ..demand(85, Policy::MaxMin) }, &lots);
    let quantities: Vec<i64> = outcome.shares.iter().map(|share| share.quantity_base).collect();
    assert_eq!((quantities, outcome.shortfall_base), (vec![20, 30, 30], 5));
}

#[test]
fn the_lots_of_one_household_are_one_stock_and_the_cheapest_goes_first() {
    let dear = Candidate { price_fen: 1001, ..lot(1, 1, 60_000) };
    let outcome = allocate(&demand(100_000, Policy::MaxMin), &[dear, lot(2, 1, 30_000), lot(3, 2, 200_000)]);
    assert_eq!(kilograms(&outcome), [20, 30, 50]);
    assert!(sentences(&outcome).iter().all(|sentence| sentence == "tier 3 registered, level 50 kg"));
}

#[test]
fn tiers_are_taken_in_turn() {
    let mut lots = five_lots();
    for (lot, tier) in lots.iter_mut().zip([Tier::Others, Tier::Registered, Tier::Spoiling, Tier::Monitored])
    {
        lot.tier = tier;
    }
    let outcome = allocate(&demand(450_000, Policy::MaxMin), &lots);
    assert_eq!(kilograms(&outcome), [100, 200, 100, 50]);
    let outcome = allocate(&demand(660_000, Policy::MaxMin), &lots);
    assert_eq!(kilograms(&outcome), [10, 300, 200, 100, 50]);
    assert_eq!(sentences(&outcome)[0], "tier 4 others, level 10 kg");
}

#[test]
fn proportional_gives_everybody_the_same_part() {
    let lots = [lot(1, 1, 80_000), lot(2, 2, 40_000), lot(3, 3, 40_000)];
    let outcome = allocate(&demand(20_000, Policy::Proportional), &lots);
    assert_eq!(kilograms(&outcome), [10, 5, 5]);
    assert!(sentences(&outcome).iter().all(|sentence| sentence == "tier 3 registered, proportional 12.5 %"));
    let lots = [lot(1, 1, 10), lot(2, 2, 10), lot(3, 3, 11)];
    let outcome = allocate(&demand(4, Policy::Proportional), &lots);
    let quantities: Vec<i64> = outcome.shares.iter().map(|share| share.quantity_base).collect();
    assert_eq!(
        quantities,
        [1, 1, 2],
        "1.29, 1.29 and 1.42: the pack left over goes to the largest remainder"
    );
}

#[test]
fn income_levelling_raises_the_household_that_sold_least() {
    let mut lots = [lot(1, 1, 100_000), lot(2, 2, 100_000), lot(3, 3, 100_000)];
    for (lot, yuan) in lots.iter_mut().zip([500, 200, 0]) {
        lot.sold_this_year_fen = yuan * 100;
    }
    let outcome = allocate(&demand(60_000, Policy::IncomeLevelling), &lots);
    assert_eq!(
        kilograms(&outcome),
        [20, 40],
        "200 + 200 yuan and 0 + 400 yuan; the third has sold for 500 already"
    );
    assert_eq!(sentences(&outcome)[0], "tier 3 registered, income level 400.00 yuan");
}

#[test]
fn fewest_pickups_takes_the_smallest_last_village_that_suffices() {
    let mut lots = five_lots();
    for (lot, village) in lots.iter_mut().zip([1, 2, 3, 4, 4]) {
        lot.village = village;
    }
    let outcome = allocate(&demand(1_050_000, Policy::FewestPickups), &lots);
    assert_eq!(kilograms(&outcome), [900, 100, 50], "village 4 has the 150 kg that village 1 lacks");
    let outcome = allocate(&demand(1_000_000, Policy::FewestPickups), &lots);
    assert_eq!(kilograms(&outcome), [850, 100, 50]);
    assert_eq!(sentences(&outcome)[0], "tier 3 registered, pickup in 2 villages, level 850 kg");
    lots[4].tier = Tier::Spoiling;
    let outcome = allocate(&demand(130_000, Policy::FewestPickups), &lots);
    assert_eq!(kilograms(&outcome), [80, 50], "the village of the spoiling lot is visited anyway");
}

#[test]
fn cheapest_compares_prices_across_units_exactly() {
    let mut lots = [lot(1, 1, 50_000), lot(2, 2, 50_000), lot(3, 3, 50_000)];
    (lots[0].price_fen, lots[0].price_per_base) = (1601, 500);
    (lots[1].price_fen, lots[1].price_per_base) = (3200, 1000);
    (lots[2].price_fen, lots[2].price_per_base) = (1600, 500);
    let outcome = allocate(&demand(80_000, Policy::Cheapest), &lots);
    assert_eq!(kilograms(&outcome), [40, 40]);
    assert_eq!(sentences(&outcome)[0], "tier 3 registered, price 32.00 yuan per 1 kg, level 40 kg");
}

#[test]
fn a_share_below_the_minimum_goes_to_the_others() {
    let minimum = Demand { min_share_base: 100_000, ..demand(1_000_000, Policy::MaxMin) };
    let outcome = allocate(&minimum, &five_lots());
    assert_eq!(kilograms(&outcome), [400, 300, 200, 100]);
    let outcome = allocate(&Demand { min_share_base: 400_000, ..minimum }, &five_lots());
    assert_eq!((kilograms(&outcome), outcome.shortfall_base), (vec![900], 100_000));
}

#[test]
fn a_rest_below_the_minimum_is_topped_up_from_the_earlier_tier() {
    let later = Candidate { tier: Tier::Others, ..lot(2, 2, 500_000) };
    let demand = Demand { min_share_base: 100_000, ..demand(1_000_000, Policy::MaxMin) };
    let outcome = allocate(&demand, &[lot(1, 1, 950_000), later]);
    assert_eq!(kilograms(&outcome), [900, 100]);
    assert_eq!(sentences(&outcome)[1], "tier 4 others, minimum share 100 kg");
}

#[test]
fn the_largest_households_are_chosen_when_only_some_may_sell() {
    let demand = Demand { max_households: Some(3), ..demand(1_000_000, Policy::MaxMin) };
    assert_eq!(kilograms(&allocate(&demand, &five_lots())), [500, 300, 200]);
    let two = Demand { max_households: Some(2), ..demand.clone() };
    assert_eq!(kilograms(&allocate(&two, &five_lots())), [700, 300]);
    let none = allocate(&Demand { max_households: Some(0), ..demand }, &five_lots());
    assert_eq!((none.shares.len(), none.shortfall_base), (0, 1_000_000));
}

#[test]
fn a_small_early_household_gives_way_only_when_the_demand_could_not_be_filled() {
    let mut lots = five_lots();
    lots[4].tier = Tier::Spoiling;
    let demand = Demand { max_households: Some(2), ..demand(950_000, Policy::MaxMin) };
    assert_eq!(kilograms(&allocate(&demand, &lots)), [900, 50]);
    let more = Demand { quantity_base: 960_000, ..demand };
    assert_eq!(kilograms(&allocate(&more, &lots)), [660, 300], "50 and 900 kg would leave 10 kg unfilled");
}

#[test]
fn lots_without_stock_and_second_lots_of_one_id_are_ignored() {
    let lots = [lot(1, 1, 0), lot(2, 2, -5), lot(3, 3, 7), lot(3, 3, 9), lot(3, 2, 8)];
    let outcome = allocate(&demand(20, Policy::MaxMin), &lots);
    let shares: Vec<_> =
        outcome.shares.iter().map(|share| (share.household_id, share.quantity_base)).collect();
    assert_eq!(
        (shares, outcome.shortfall_base),
        (vec![(id(1002), 8)], 12),
        "household 2 comes before household 3"
    );
}

#[test]
fn nothing_wanted_and_nothing_there_are_answers_too() {
    for policy in POLICIES {
        for quantity_base in [0, -1, i64::MIN] {
            assert_eq!(allocate(&demand(quantity_base, policy), &five_lots()), Outcome::default());
        }
        assert_eq!(allocate(&demand(5, policy), &[]).shortfall_base, 5);
    }
}

#[test]
fn policies_and_tiers_are_stored_by_name() {
    let names = serde_json::to_string(&(POLICIES, TIERS)).unwrap();
    let policies = r#"["max_min","income_levelling","proportional","fewest_pickups","cheapest"]"#;
    assert_eq!(names, format!(r#"[{policies},["spoiling","monitored","registered","others"]]"#));
    assert_eq!(POLICIES.map(|policy| Policy::parse(policy.as_str())), POLICIES.map(Some));
    assert_eq!(Policy::parse("MaxMin"), None);
    let stored: Vec<String> = POLICIES.iter().map(|policy| format!("{:?}", policy.as_str())).collect();
    assert_eq!(format!("[{}]", stored.join(",")), policies);
    assert_eq!(TIERS.map(Tier::number), TIERS.map(|tier| tier as u8));
}
