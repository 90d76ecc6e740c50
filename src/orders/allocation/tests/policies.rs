//! What each policy promises inside a tier, when no limit is set but the pack.

use super::*;

/// Household parts that should be level differ by at most a pack, unless the stock of the lower one is empty.
fn check_level(
    parts: &BTreeMap<(Tier, Uuid), i64>,
    stock: &BTreeMap<(Tier, Uuid), i64>,
    pack: i64,
) -> Result<(), TestCaseError> {
    for (key, stock) in stock {
        let part = parts.get(key).copied().unwrap_or(0);
        let in_tier = parts.iter().filter(|((tier, _), _)| *tier == key.0);
        let largest = in_tier.map(|(_, part)| *part).max().unwrap_or(0);
        prop_assert!(
            part == *stock || part + pack >= largest,
            "{:?}: {} of {}, another {}",
            key,
            part,
            stock,
            largest
        );
    }
    Ok(())
}

/// The exact cost, in fractions of a fen that all prices of the tests divide.
fn cost(lots: &[Candidate], outcome: &Outcome) -> i128 {
    let price = |lot: &Candidate| i128::from(lot.price_fen) * 3000 / i128::from(lot.price_per_base);
    let by_id: BTreeMap<Uuid, i128> = lots.iter().map(|lot| (lot.lot_id, price(lot))).collect();
    outcome.shares.iter().map(|share| by_id[&share.lot_id] * i128::from(share.quantity_base)).sum()
}

fn villages_of(lots: &[Candidate], outcome: &Outcome) -> BTreeSet<u64> {
    let by_id: BTreeMap<Uuid, u64> = lots.iter().map(|lot| (lot.lot_id, lot.village)).collect();
    outcome.shares.iter().map(|share| by_id[&share.lot_id]).collect()
}

/// By trying every set of villages: the fewest that hold `packs` in tiers before `last` in full and the rest in `last`.
fn fewest_villages(lots: &[Candidate], pack: i64, filled: i64, last: Option<Tier>) -> usize {
    let packs_of = |lot: &&Candidate| lot.available_base / pack;
    let usable: Vec<&Candidate> = lots.iter().filter(|lot| packs_of(lot) > 0).collect();
    let earlier: Vec<&&Candidate> = usable.iter().filter(|lot| Some(lot.tier) < last).collect();
    let need = filled / pack - earlier.iter().map(|lot| packs_of(lot)).sum::<i64>();
    let forced = earlier.iter().fold(0_u32, |set, lot| set | 1 << lot.village);
    let holds = |set: u32| {
        let inside = usable.iter().filter(|lot| Some(lot.tier) == last && set & (1 << lot.village) != 0);
        inside.map(packs_of).sum::<i64>() >= need
    };
    let sets = (0..1_u32 << 6).map(|set| set | forced).filter(|set| holds(*set));
    sets.map(u32::count_ones).min().unwrap_or(0) as usize
}

/// Income after the sale as settled, and after one pack more than that at the price of the next pack, rounded up.
fn incomes(lots: &[Candidate], outcome: &Outcome, pack: i64, tier: Tier) -> Vec<(i64, Option<i64>, bool)> {
    let mut given: BTreeMap<Uuid, i64> = BTreeMap::new();
    for share in &outcome.shares {
        given.insert(share.lot_id, share.quantity_base);
    }
    let households: BTreeSet<Uuid> = lots
        .iter()
        .filter(|lot| lot.tier == tier && lot.available_base >= pack)
        .map(|lot| lot.household_id)
        .collect();
    let facts = households.into_iter().map(|household| {
        let own = || lots.iter().filter(|lot| lot.household_id == household && lot.available_base >= pack);
        let value = |lot: &Candidate, base: i64| {
            (i128::from(lot.price_fen) * i128::from(base), i128::from(lot.price_per_base))
        };
        let part = |lot: &Candidate| given.get(&lot.lot_id).copied().unwrap_or(0);
        // A lot that is not sold out counts by its exact value, the others as they are settled.
        let earned = |base_of: &dyn Fn(&Candidate) -> i64, up: bool| {
            let each = own().map(|lot| {
                let (exact, per) = value(lot, base_of(lot));
                let is_sold_out = part(lot) == lot.available_base / pack * pack;
                if is_sold_out {
                    (exact + per / 2) / per
                } else if up {
                    (exact + per - 1) / per
                } else {
                    exact / per
                }
            });
            i64::try_from(each.sum::<i128>()).unwrap() + own().next().unwrap().sold_this_year_fen
        };
        let open = own().filter(|lot| lot.tier == tier && part(lot) < lot.available_base / pack * pack);
        let next = open.min_by(|a, b| {
            let ((a_value, a_per), (b_value, b_per)) = (value(a, 1), value(b, 1));
            (a_value * b_per).cmp(&(b_value * a_per)).then(a.lot_id.cmp(&b.lot_id))
        });
        let after = next
            .map(|next| earned(&|lot| part(lot) + if lot.lot_id == next.lot_id { pack } else { 0 }, true));
        let has_sold = own().any(|lot| lot.tier == tier && part(lot) > 0);
        (earned(&part, false), after, has_sold)
    });
    facts.collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn max_min_gives_no_household_of_a_tier_less_than_another_unless_it_has_no_more(
        lots in lots(40, 4), quantity in 0..6000_i64, pack_base in prop_oneof![Just(1_i64), 2..30_i64],
    ) {
        let outcome = allocate(&Demand { pack_base, ..demand(quantity, Policy::MaxMin) }, &lots);
        check_level(&by_household(&outcome), &stock_by_household(&lots, pack_base), pack_base)?;
    }

    #[test]
    fn proportional_parts_are_within_a_pack_of_the_exact_proportion(
        lots in lots(40, 4), quantity in 0..6000_i64, pack in prop_oneof![Just(1_i64), 2..30_i64],
    ) {
        let outcome = allocate(&Demand { pack_base: pack, ..demand(quantity, Policy::Proportional) }, &lots);
        let (parts, stock) = (by_household(&outcome), stock_by_household(&lots, pack));
        for tier in TIERS {
            let in_tier = || stock.iter().filter(|((of, _), _)| *of == tier);
            let total: i64 = in_tier().map(|(_, stock)| stock / pack).sum();
            let given: i64 = in_tier().filter_map(|(key, _)| parts.get(key)).map(|part| part / pack).sum();
            for (key, stock) in in_tier() {
                let part = parts.get(key).copied().unwrap_or(0) / pack;
                let floor = stock / pack * given / total;
                prop_assert!(part == floor || part == floor + 1, "{} of {} {}", part, floor, total);
                prop_assert!(part == floor || stock / pack * given % total != 0);
            }
        }
    }

    #[test]
    fn income_levelling_sells_nothing_for_a_household_that_stays_above_one_that_could_sell_more(
        lots in lots(40, 4), quantity in 0..6000_i64, pack in prop_oneof![Just(1_i64), 2..30_i64],
    ) {
        let outcome = allocate(&Demand { pack_base: pack, ..demand(quantity, Policy::IncomeLevelling) }, &lots);
        for tier in TIERS {
            let incomes = incomes(&lots, &outcome, pack, tier);
            let highest = incomes.iter().filter(|(_, _, has_sold)| *has_sold).map(|(income, _, _)| *income).max();
            for next in incomes.iter().filter_map(|(_, next, _)| *next) {
                // One fen because the level is a whole fen, one because a lot sold out may be settled half a fen up.
                prop_assert!(highest.is_none_or(|highest| highest <= next + 2), "{:?} {:?}", tier, incomes);
            }
        }
    }

    #[test]
    fn fewest_pickups_visits_no_more_villages_than_the_best_choice_and_is_level_inside_them(
        lots in lots(16, 3), quantity in 0..2500_i64, pack_base in prop_oneof![Just(1_i64), 2..30_i64],
    ) {
        let outcome = allocate(&Demand { pack_base, ..demand(quantity, Policy::FewestPickups) }, &lots);
        let villages = villages_of(&lots, &outcome);
        let last = outcome.shares.iter().map(|share| share.tier).max();
        prop_assert_eq!(villages.len(), fewest_villages(&lots, pack_base, filled(&outcome), last));
        let visited: Vec<Candidate> = lots.iter().filter(|lot| villages.contains(&lot.village)).cloned().collect();
        if pack_base == 1 && Some(Tier::Spoiling) == last {
            // With packs or few units a chosen village may get nothing; whoever is visited is level.
            check_level(&by_household(&outcome), &stock_by_household(&visited, pack_base), pack_base)?;
        }
    }

    #[test]
    fn cheapest_costs_no_more_than_any_policy_and_equal_prices_are_level(
        lots in lots(40, 1), quantity in 0..6000_i64, pack_base in prop_oneof![Just(1_i64), 2..30_i64],
    ) {
        let share = |policy| allocate(&Demand { pack_base, ..demand(quantity, policy) }, &lots);
        let cheapest = share(Policy::Cheapest);
        for policy in POLICIES {
            prop_assert!(cost(&lots, &cheapest) <= cost(&lots, &share(policy)), "{:?}", policy);
        }
        let mut greedy: Vec<(i128, i64)> = Vec::new();
        for lot in &lots {
            let price = i128::from(lot.price_fen) * 3000 / i128::from(lot.price_per_base);
            greedy.push((price, lot.available_base / pack_base * pack_base));
        }
        greedy.sort_unstable();
        let mut left = quantity / pack_base * pack_base;
        let mut least = 0;
        for (price, stock) in greedy {
            let taken = stock.min(left);
            left -= taken;
            least += price * i128::from(taken);
        }
        prop_assert_eq!(cost(&lots, &cheapest), least);
        // Prices in turn are like tiers: level inside each.
        for price in [30 * 3000, 1501 * 60, 32 * 3000, 7000] {
            let is_price = |lot: &&Candidate| i128::from(lot.price_fen) * 3000 / i128::from(lot.price_per_base) == price;
            let at_price: Vec<Candidate> = lots.iter().filter(is_price).cloned().collect();
            let ids: BTreeSet<Uuid> = at_price.iter().map(|lot| lot.lot_id).collect();
            let shares = cheapest.shares.iter().filter(|share| ids.contains(&share.lot_id)).cloned().collect();
            let parts = by_household(&Outcome { shares, shortfall_base: 0 });
            check_level(&parts, &stock_by_household(&at_price, pack_base), pack_base)?;
        }
    }
}
