//! What the embedded demo data promises. Reads only the embedded files.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn codes_at(level: RegionLevel) -> BTreeSet<String> {
    regions().unwrap().into_iter().filter(|region| region.level == level).map(|region| region.code).collect()
}

fn product_codes() -> BTreeSet<String> {
    products().unwrap().into_iter().map(|product| product.code).collect()
}

/// GB 32100: the weighted sum over all 18 characters, the last with weight 1, is a multiple of 31.
fn gb_32100_holds(code: &str) -> bool {
    const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut weight = 1;
    let mut sum = 0;
    for (place, letter) in code.chars().enumerate() {
        let Some(value) = ALPHABET.find(letter) else { return false };
        sum += value * if place == 17 { 1 } else { weight };
        weight = weight * 3 % 31;
    }
    code.len() == 18 && sum % 31 == 0
}

#[test]
fn the_county_has_11_townships_and_144_villages() {
    assert_eq!(codes_at(RegionLevel::County), BTreeSet::from(["341823000000".to_owned()]));
    assert_eq!(codes_at(RegionLevel::Township).len(), 11);
    assert_eq!(codes_at(RegionLevel::Village).len(), 144);
}

#[test]
fn every_region_but_the_province_has_a_parent_in_the_list() {
    let regions = regions().unwrap();
    let known: BTreeSet<&str> = regions.iter().map(|region| region.code.as_str()).collect();
    assert_eq!(known.len(), 158);
    for region in &regions {
        assert!(region.code.len() == 12, "{region:?}");
        match &region.parent {
            Some(parent) => assert!(known.contains(parent.as_str()), "{region:?}"),
            None => assert_eq!(region.level, RegionLevel::Province),
        }
    }
}

#[test]
fn every_product_has_a_catalogue_code_and_a_tax_code_of_19_digits() {
    for product in products().unwrap() {
        assert!(product.catalogue_code.starts_with('A') && product.catalogue_code.len() == 9, "{product:?}");
        assert_eq!(product.tax_code.len(), 19, "{product:?}");
        assert!(product.tax_code.bytes().all(|byte| byte.is_ascii_digit()), "{product:?}");
    }
}

#[test]
fn every_product_has_possible_numbers() {
    let products = products().unwrap();
    assert_eq!(product_codes().len(), products.len(), "codes are unique");
    for product in products {
        assert!(product.reference_price_fen > 0 && product.shelf_life_days > 0, "{product:?}");
        assert!(0 < product.lot_min_base && product.lot_min_base < product.lot_max_base, "{product:?}");
        assert!(product.pack_base >= 0 && product.pack_base <= product.lot_min_base, "{product:?}");
        assert!(!product.season_months.is_empty() && product.season_months.is_sorted(), "{product:?}");
        assert!(product.season_months.iter().all(|month| (1..=12).contains(month)), "{product:?}");
        assert_eq!(product.measure == Measure::Mass, product.pricing_unit == Unit::Jin, "{product:?}");
    }
}

#[test]
fn all_1315_purchase_lines_are_there_and_numbered() {
    let numbers: Vec<i64> = purchase_lines().unwrap().iter().map(|line| line.line).collect();
    assert_eq!(numbers, (1..=1315).collect::<Vec<i64>>());
}

#[test]
fn every_purchase_line_has_exactly_one_mapping_row_and_no_row_is_spare() {
    let mut rows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in mapping().unwrap() {
        *rows.entry((row.sku_name, row.sale_unit)).or_default() += 1;
    }
    assert!(rows.values().all(|count| *count == 1), "a kind of goods is mapped twice");
    let asked: BTreeSet<(String, String)> =
        purchase_lines().unwrap().into_iter().map(|line| (line.sku_name, line.sale_unit)).collect();
    assert_eq!(asked, rows.into_keys().collect());
}

#[test]
fn a_mapping_row_has_a_product_that_exists_with_a_quantity_or_a_reason() {
    let products = product_codes();
    for row in mapping().unwrap() {
        match (&row.product, row.base_per_sale_unit, row.reason) {
            (Some(product), Some(base), None) => assert!(products.contains(product) && base > 0, "{row:?}"),
            (None, None, Some(_)) => {}
            _ => panic!("neither mapped nor left out: {row:?}"),
        }
    }
}

#[test]
fn weight_maps_to_mass_and_pieces_to_count() {
    let measures: BTreeMap<String, Measure> =
        products().unwrap().into_iter().map(|product| (product.code, product.measure)).collect();
    for row in mapping().unwrap() {
        if let Some(product) = &row.product {
            let by_weight = row.base_per_sale_unit != Some(1);
            assert_eq!(measures.get(product) == Some(&Measure::Mass), by_weight, "{row:?}");
        }
    }
}

#[test]
fn mapped_and_left_out_lines_add_up_to_all_lines() {
    let lines = mapped_orders().unwrap();
    assert_eq!(lines.mapped, 771);
    assert_eq!(lines.mapped + lines.left_out.values().sum::<usize>(), 1315);
    assert_eq!(lines.left_out.get(&LeftOut::UnitContradictory), Some(&4));
    assert_eq!(lines.orders.len(), 33);
    let kept: BTreeSet<i64> =
        lines.orders.iter().flat_map(|order| &order.lines).map(|line| line.line).collect();
    assert_eq!(kept.len(), lines.mapped, "no line is in two orders");
    assert!(exceptions().unwrap().iter().all(|exception| !kept.contains(&exception.line)));
}

#[test]
fn amounts_become_whole_grams_or_nothing() {
    assert_eq!(whole_base("2.5", 500), Some(1250));
    assert_eq!(whole_base("0.25", 500), Some(125));
    assert_eq!(whole_base("3", 25_000), Some(75_000));
    for refused in ["0.001", "0", "", "-1", "1e2", "1.", ".5", "0.0005", "９"] {
        assert_eq!(whole_base(refused, 500), None, "{refused}");
    }
}

#[test]
fn institutions_are_made_up_sit_in_the_county_and_cover_every_buyer() {
    let townships = codes_at(RegionLevel::Township);
    let institutions = institutions().unwrap();
    for institution in &institutions {
        assert!(institution.name.starts_with("示范"), "{institution:?}");
        assert!(townships.contains(&institution.township_code), "{institution:?}");
        assert!(institution.credit_code.get(2..12) == Some("341823DEM0"), "{institution:?}");
    }
    let mapped: BTreeSet<String> = institutions.iter().map(|row| row.source_buyer.clone()).collect();
    let buyers: BTreeSet<String> = purchase_lines().unwrap().into_iter().map(|line| line.buyer).collect();
    let names: BTreeSet<&str> = institutions.iter().map(|row| row.name.as_str()).collect();
    assert!(buyers.iter().all(|buyer| buyer.starts_with("buyer-")), "a buyer is a number, not a name");
    assert_eq!((mapped.len(), names.len()), (33, 33));
    assert_eq!(mapped, buyers);
}

#[test]
fn credit_codes_are_unique_and_hold_under_gb_32100() {
    assert!(gb_32100_holds("91350100M000100Y43"), "the check itself knows a valid code");
    assert!(!gb_32100_holds("91350100M000100Y44"));
    let codes: BTreeSet<String> = institutions().unwrap().into_iter().map(|row| row.credit_code).collect();
    assert_eq!(codes.len(), 33);
    assert!(codes.iter().all(|code| gb_32100_holds(code)), "{codes:?}");
}

#[test]
fn there_are_60_surnames_150_given_names_and_12_cooperatives_in_the_county() {
    let names = names().unwrap();
    let of = |kind| names.iter().filter(|name| name.kind == kind).count();
    assert_eq!((of(NameKind::Surname), of(NameKind::Given)), (60, 150));
    assert!(names.iter().all(|name| name.weight > 0));
    let townships = codes_at(RegionLevel::Township);
    let cooperatives = cooperatives().unwrap();
    assert_eq!(cooperatives.len(), 12);
    assert!(
        cooperatives.iter().all(|row| row.name.starts_with("示范") && townships.contains(&row.township_code))
    );
}
