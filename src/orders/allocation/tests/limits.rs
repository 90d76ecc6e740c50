//! What the limits promise: as much is filled as any choice of households could fill, and fairness holds among those
//! that take part.

use super::*;

/// By trying every set of households: the most that any permitted choice fills, in packs.
fn most_fillable(demand: &Demand, lots: &[Candidate]) -> i64 {
    let pack = demand.pack_base;
    let stock: Vec<i64> =
        totals(&stock_by_household(lots, pack)).into_values().map(|base| base / pack).collect();
    let minimum = (demand.min_share_base + pack - 1) / pack;
    let wanted = demand.quantity_base / pack;
    let fill = |set: u32| {
        let chosen =
            || stock.iter().enumerate().filter(|(index, _)| set & (1 << index) != 0).map(|(_, packs)| *packs);
        let count = i64::from(set.count_ones());
        let is_permitted = demand.max_households.is_none_or(|most| set.count_ones() <= most)
            && count * minimum <= wanted
            && chosen().all(|packs| packs >= minimum);
        if is_permitted { chosen().sum::<i64>().min(wanted) } else { 0 }
    };
    (0..1_u32 << stock.len()).map(fill).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn limits_leave_unfilled_only_what_no_permitted_choice_could_fill(
        mut lots in lots(14, 4), quantity in 0..1500_i64, (pack_base, min_share_base, max_households) in any_limits(),
    ) {
        // Seven households at most, so that every set of them can be tried.
        for lot in &mut lots {
            lot.household_id = id(1000 + lot.household_id.as_u64_pair().1 % 7);
        }
        let most = most_fillable(
            &Demand { pack_base, min_share_base, max_households, ..demand(quantity, Policy::MaxMin) }, &lots);
        for policy in POLICIES {
            let demand = Demand { quantity_base: quantity, policy, pack_base, min_share_base, max_households };
            let outcome = check_always(&demand, &lots)?;
            prop_assert_eq!(filled(&outcome), most * pack_base, "{:?}", policy);
        }
    }

    #[test]
    fn among_those_that_take_part_max_min_is_level_in_a_tier_but_for_minimum_shares(
        lots in lots(30, 4), quantity in 0..4000_i64, (pack_base, min_share_base, max_households) in any_limits(),
    ) {
        let demand = Demand { pack_base, min_share_base, max_households, ..demand(quantity, Policy::MaxMin) };
        let outcome = allocate(&demand, &lots);
        let raised: BTreeSet<(Tier, Uuid)> = outcome.shares.iter()
            .filter(|share| matches!(share.reason, Reason::MinimumShare { .. }))
            .map(|share| (share.tier, share.household_id)).collect();
        let (parts, stock) = (by_household(&outcome), stock_by_household(&lots, pack_base));
        let level = parts.iter().filter(|(key, part)| !raised.contains(key) && stock[key] > **part);
        let mut bounds: BTreeMap<Tier, (i64, i64)> = BTreeMap::new();
        for ((tier, _), part) in level {
            let (least, most) = bounds.entry(*tier).or_insert((*part, *part));
            (*least, *most) = ((*least).min(*part), (*most).max(*part));
        }
        for (tier, (least, most)) in bounds {
            prop_assert!(most - least <= pack_base, "{:?}: {} and {}", tier, least, most);
            let whole = parts.iter().filter(|(key, part)| key.0 == tier && stock[key] == **part);
            // Whoever is emptied above the level holds a minimum share that is all it has here.
            let minimum = (min_share_base + pack_base - 1) / pack_base * pack_base;
            for (_, part) in whole {
                prop_assert!(*part <= least + pack_base || *part <= minimum);
            }
        }
    }

    #[test]
    fn in_one_tier_a_minimum_share_or_a_largest_number_leaves_max_min_level_and_takes_the_largest_stocks(
        lots in lots(30, 1), quantity in 1..4000_i64, (pack_base, min_share_base, max_households) in any_limits(),
    ) {
        let demand = Demand { pack_base, min_share_base, max_households, ..demand(quantity, Policy::MaxMin) };
        let outcome = allocate(&demand, &lots);
        let (parts, stock) = (by_household(&outcome), stock_by_household(&lots, pack_base));
        let largest = parts.values().copied().max().unwrap_or(0);
        for (key, part) in &parts {
            prop_assert!(*part == stock[key] || part + pack_base >= largest);
        }
        let smallest_inside = parts.keys().map(|key| stock[key]).min().unwrap_or(0);
        let largest_outside = stock.iter().filter(|(key, _)| !parts.contains_key(key)).map(|(_, packs)| *packs).max();
        if outcome.shares.is_empty() || min_share_base <= pack_base {
            // Without a minimum a household may also be left out because there are fewer packs than households.
            return Ok(());
        }
        prop_assert!(largest_outside.is_none_or(|outside| outside <= smallest_inside));
    }

    #[test]
    fn a_limit_that_does_not_bind_changes_nothing(lots in lots(30, 4), quantity in 0..4000_i64) {
        let households = u32::try_from(lots.len()).unwrap();
        for policy in POLICIES {
            let free = demand(quantity, policy);
            let limited = Demand { max_households: Some(households), min_share_base: 1, ..free.clone() };
            prop_assert_eq!(allocate(&limited, &lots), allocate(&free, &lots));
        }
    }
}
