//! Figures of reports equal the rows they are made from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::cache::Topic;
use zhuxiao::members::access::Role;
use zhuxiao::money::Fen;
use zhuxiao::quantity::{Measure, show_base};

use super::arranged::{Books, PERIOD, Paper, Sale, report, world};
use crate::support::builders::VILLAGES;
use crate::support::{COUNTY, World};

const STATUSES: [&str; 3] = ["registered", "monitored_unstable", "general"];

/// Numbers that look random and are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.roll(i64::try_from(from.len()).unwrap())).unwrap()]
    }
}

/// Sales of two products by six households to three institutions over 2026 to 2028.
async fn many_sales(world: &World) -> Vec<(Sale, Uuid)> {
    let books = Books::open(world).await;
    let mut households = Vec::new();
    for place in 0..6 {
        households.push((world.household(VILLAGES[place % 4], "general").await, VILLAGES[place % 4]));
    }
    let products = [world.product("tea").await, world.product("eggs").await];
    let mut papers: Vec<(Paper, &str)> = Vec::new();
    for (name, kind) in [("甲中学", "school"), ("乙医院", "hospital"), ("丙中学", "school")] {
        let institution = world.institution(name, kind).await;
        papers.push((books.paper(institution, households[0].0, products[0]).await, kind));
    }
    let mut dice = Dice(7);
    let mut sales = Vec::new();
    for _ in 0..70 {
        let (household, village) = *dice.pick(&households);
        let (paper, kind) = *dice.pick(&papers);
        let product = dice.roll(2);
        let mut sale = Sale::of(household, village, products[usize::try_from(product).unwrap()], 0, 0);
        (sale.category, sale.measure) = [("tea", "mass"), ("eggs", "count")]
            .map(|(category, measure)| (category.to_owned(), measure.to_owned()))
            [usize::try_from(product).unwrap()]
        .clone();
        sale.kind = kind.to_owned();
        sale.status = (*dice.pick(&STATUSES)).to_owned();
        sale.day = format!("202{}-{:02}-{:02}", 6 + dice.roll(3), 1 + dice.roll(3), 1 + dice.roll(28));
        sale.base = dice.roll(100_000);
        sale.fen = dice.roll(1_000_000);
        sale.received_fen = dice.roll(sale.fen + 1);
        sale.paid_out_fen = dice.roll(sale.received_fen + 1);
        books.sell(paper, &sale).await;
        sales.push((sale, paper.institution));
    }
    sales
}

fn key_of(grouping: &str, sale: &Sale, institution: Uuid) -> String {
    match grouping {
        "village" => sale.village.clone(),
        "township" => format!("{}000", &sale.village[..9]),
        "product" => sale.product.to_string(),
        "category" => sale.category.clone(),
        "institution" => institution.to_string(),
        "institution_kind" => sale.kind.clone(),
        "household_status" => sale.status.clone(),
        "month" => sale.day[..7].to_owned(),
        "day" => sale.day.clone(),
        other => panic!("{other}"),
    }
}

fn key_in(grouping: &str, group: &Value) -> String {
    let value = match grouping {
        "village" | "township" => &group[grouping]["code"],
        "product" | "institution" => &group[grouping]["id"],
        _ => &group[grouping],
    };
    value.as_str().unwrap_or_else(|| panic!("{grouping} is missing in {group}")).to_owned()
}

fn figures(sales: &[&(Sale, Uuid)]) -> Value {
    let sum = |figure: fn(&Sale) -> i64| sales.iter().map(|(sale, _)| figure(sale)).sum::<i64>();
    let yuan = |figure: fn(&Sale) -> i64| Fen::new(sum(figure)).to_string();
    let mass = sum(|sale| if sale.measure == "mass" { sale.base } else { 0 });
    let count = sum(|sale| if sale.measure == "count" { sale.base } else { 0 });
    json!({
        "amount": yuan(|sale| sale.fen),
        "received": yuan(|sale| sale.received_fen),
        "paid_out": yuan(|sale| sale.paid_out_fen),
        "mass": { "amount": show_base(mass, Measure::Mass), "unit": "kg" },
        "count": { "amount": show_base(count, Measure::Count), "unit": "piece" },
        "households": sales.iter().map(|(sale, _)| sale.household).collect::<BTreeSet<_>>().len(),
        "institutions": sales.iter().map(|(_, institution)| institution).collect::<BTreeSet<_>>().len(),
        "sales": sales.len(),
    })
}

#[tokio::test]
async fn every_grouping_equals_the_rows_it_is_made_from() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let sales = many_sales(&world).await;
    let sold: Vec<_> = sales.iter().filter(|(sale, _)| sale.day.starts_with("2027")).collect();
    assert!(sold.len() > 10 && sold.len() < sales.len());
    let asked = [
        "village",
        "township",
        "product",
        "category",
        "institution",
        "institution_kind",
        "household_status",
        "month",
        "day",
        "village,category",
        "month,institution,product,household_status",
        "township,day,institution_kind,village",
    ];
    for group_by in asked {
        let answer = report(&world, &officer, &format!("sales?{PERIOD}&group_by={group_by}")).await;
        let groupings: Vec<&str> = group_by.split(',').collect();
        let mut expected: BTreeMap<Vec<String>, Vec<&(Sale, Uuid)>> = BTreeMap::new();
        for line in &sold {
            let key = groupings.iter().map(|grouping| key_of(grouping, &line.0, line.1)).collect();
            expected.entry(key).or_default().push(line);
        }
        let groups = answer["groups"].as_array().unwrap();
        assert_eq!(groups.len(), expected.len(), "{group_by}");
        for group in groups {
            let key: Vec<String> = groupings.iter().map(|grouping| key_in(grouping, group)).collect();
            assert_eq!(group["figures"], figures(&expected[&key]), "{group_by} {key:?}");
            assert_eq!(
                group.as_object().unwrap().len(),
                groupings.len() + 1,
                "nothing that was not asked for"
            );
        }
        assert_eq!(answer["total"], figures(&sold), "{group_by}");
    }
}

#[tokio::test]
async fn without_a_grouping_there_is_one_group_and_none_when_nothing_was_sold() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let sales = many_sales(&world).await;
    let all = report(&world, &officer, "sales?from=2026-01-01&to=2028-12-31").await;
    let lines: Vec<_> = sales.iter().collect();
    assert_eq!(all["groups"], json!([{ "figures": figures(&lines) }]));
    assert_eq!(all["total"], figures(&lines));
    let none = report(&world, &officer, "sales?from=2025-01-01&to=2025-12-31").await;
    assert_eq!((&none["groups"], &none["total"]), (&json!([]), &figures(&[])));
}

#[tokio::test]
async fn the_first_and_the_last_day_belong_to_the_period() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let household = world.household(VILLAGES[0], "general").await;
    let product = world.product("tea").await;
    let paper = books.paper(world.institution("甲中学", "school").await, household, product).await;
    for day in ["2027-02-28", "2027-03-01", "2027-03-31", "2027-04-01"] {
        let sale = Sale { day: day.to_owned(), ..Sale::of(household, VILLAGES[0], product, 1000, 100) };
        books.sell(paper, &sale).await;
    }
    let march = report(&world, &officer, "sales?from=2027-03-01&to=2027-03-31").await;
    assert_eq!((&march["total"]["sales"], &march["total"]["amount"]), (&json!(2), &json!("2.00")));
}

#[tokio::test]
async fn sales_are_shown_under_the_status_of_the_day_of_the_sale() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let household = world.household(VILLAGES[0], "general").await;
    let product = world.product("tea").await;
    let paper = books.paper(world.institution("甲中学", "school").await, household, product).await;
    books.sell(paper, &Sale::of(household, VILLAGES[0], product, 1000, 3200)).await;
    let answer = report(&world, &officer, &format!("sales?{PERIOD}&group_by=household_status")).await;
    assert_eq!(answer["groups"].as_array().unwrap().len(), 1);
    assert_eq!(answer["groups"][0]["household_status"], "registered", "though it is general today");
}

#[tokio::test]
async fn a_report_of_more_than_ten_thousand_groups_is_refused() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let household = world.household(VILLAGES[0], "general").await;
    let product = world.product("tea").await;
    let paper = books.paper(world.institution("甲中学", "school").await, household, product).await;
    let id = |group: i64| {
        if books.is_postgres() {
            format!("(lpad(to_hex(number), 24, '0') || '0000000{group}')::uuid")
        } else {
            format!("unhex(printf('%024x', number) || '0000000{group}')")
        }
    };
    let (allocation, delivered, line) = (id(1), id(2), id(3));
    let numbers = "with recursive series (number) as (
                       select 1 union all select number + 1 from series where number < 10001)";
    let insert = |table: &str, values: &str| {
        if books.is_postgres() {
            format!("{numbers} insert into {table} select {values} from series")
        } else {
            format!("insert into {table} {numbers} select {values} from series")
        }
    };
    books
        .run(
            &insert(
                "allocation (id, county_code, order_id, line_id, lot_id, household_id, quantity_base, price_fen,
                             pricing_unit, amount_fen, tier, reason, state, round)",
                &format!("{allocation}, '{COUNTY}', $1, $2, $3, $4, 1, 100, 'kg', 0, 1, 'test', 'accepted', 1"),
            ),
            vec![paper.order.into(), paper.line.into(), paper.lot.into(), household.into()],
        )
        .await;
    books
        .run(
            &insert(
                "delivery_line (id, delivery_id, allocation_id, dispatched_base)",
                &format!("{delivered}, $1, {allocation}, 1"),
            ),
            vec![paper.delivery.into()],
        )
        .await;
    books
        .run(
            &insert(
                "settlement_line (id, settlement_id, delivery_line_id, allocation_id, household_id, county_code,
                                  village_code, household_status, product_id, category, institution_id,
                                  institution_kind, sold_on, measure, quantity_base, price_fen, pricing_unit,
                                  amount_fen, received_fen, paid_out_fen)",
                &format!(
                    "{line}, $1, {delivered}, {allocation}, $2, '{COUNTY}', '{}', 'general', $3,
                     'category ' || cast(number as text), $4, 'school', $5, 'mass', 1, 100, 'kg', 1, 0, 0",
                    VILLAGES[0]
                ),
            ),
            vec![
                paper.settlement.into(),
                household.into(),
                product.into(),
                paper.institution.into(),
                super::arranged::day("2027-02-01").into(),
            ],
        )
        .await;
    let path = format!("/v1/reports/sales?{PERIOD}&group_by=category");
    let refused = world.get(&officer, &path).await.refused(422, "invalid_value");
    assert!(refused["detail"].as_str().unwrap().contains("10000 rows"), "{refused}");
    let one = report(&world, &officer, &format!("sales?{PERIOD}&group_by=village")).await;
    assert_eq!(one["total"]["amount"], "100.01");
}

#[tokio::test]
async fn a_report_is_kept_until_the_topic_is_dropped() {
    // The one test that may run on the shared Redis, where all sign-ins of a run are counted together; its period is
    // its own.
    let world = World::with(|settings| settings.sign_in_tries_max = 1_000_000).await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let household = world.household(VILLAGES[0], "general").await;
    let product = world.product("tea").await;
    let paper = books.paper(world.institution("甲中学", "school").await, household, product).await;
    let sale = Sale::of(household, VILLAGES[0], product, 1000, 3200);
    books.sell(paper, &sale).await;
    let path = format!("sales?from=2027-01-01&to=2027-12-{:02}", 1 + Uuid::now_v7().as_u128() % 31);
    let first = report(&world, &officer, &path).await;
    world.app.cache.drop_topic(Topic::Reports).await;
    books.sell(paper, &sale).await;
    let second = report(&world, &officer, &path).await;
    assert_eq!((&first["total"]["sales"], &second["total"]["sales"]), (&json!(1), &json!(2)));
    if world.app.settings.redis_url.is_none() {
        books.sell(paper, &sale).await;
        assert_eq!(report(&world, &officer, &path).await, second, "kept, with its as_of");
    }
}
