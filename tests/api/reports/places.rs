//! Who sees which report, and what coverage, what is unsold, income and progress say.

use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::arranged::{Books, PERIOD, Sale, file, report, world};
use crate::support::World;
use crate::support::builders::VILLAGES;

fn all_paths() -> [String; 4] {
    [
        format!("/v1/reports/sales?{PERIOD}"),
        format!("/v1/reports/coverage?{PERIOD}"),
        "/v1/reports/unsold?group_by=village".to_owned(),
        format!("/v1/reports/income?{PERIOD}"),
    ]
}

#[tokio::test]
async fn officers_finance_and_auditors_see_reports_and_nobody_else() {
    let world = world().await;
    let household = world.household(VILLAGES[0], "registered").await;
    let institution = world.institution("甲中学", "school").await;
    let county = || Place::Region("341823000000".to_owned());
    for role in [Role::Officer, Role::Finance, Role::Auditor] {
        let person = world.person(role, county()).await;
        for path in all_paths() {
            world.get(&person, &path).await.ok();
        }
    }
    let others = [
        (Role::Household, Place::Household(household)),
        (Role::Helper, Place::Pairings),
        (Role::Buyer, Place::Institution(institution)),
        (Role::Approver, Place::Institution(institution)),
        (Role::Admin, county()),
    ];
    for (role, place) in others {
        let person = world.person(role, place).await;
        for path in all_paths() {
            world.get(&person, &path).await.refused(403, "not_allowed");
        }
        let backwards = "/v1/reports/sales?from=2027-03-02&to=2027-03-01";
        world.get(&person, backwards).await.refused(403, "not_allowed");
    }
    for path in all_paths() {
        world.get_as(None, &path).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn a_region_narrows_a_report_and_never_widens_it() {
    let world = world().await;
    let books = Books::open(&world).await;
    let product = world.product("tea").await;
    let institution = world.institution("甲中学", "school").await;
    for (village, fen) in VILLAGES.iter().zip([1, 10, 100, 1000]) {
        let household = world.household(village, "registered").await;
        let paper = books.paper(institution, household, product).await;
        books.sell(paper, &Sale::of(household, village, product, 1000, fen)).await;
    }
    let township = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    let amount = async |region: &str| {
        report(&world, &township, &format!("sales?{PERIOD}{region}")).await["total"]["amount"].clone()
    };
    assert_eq!(amount("").await, "0.11");
    assert_eq!(amount("&region=341823100").await, "0.11");
    assert_eq!(amount("&region=341823100002").await, "0.10");
    for outside in ["341823000000", "341823", "34", "341823101000", "341823101201", "341823100099", "99"] {
        for path in all_paths() {
            let answer = world.get(&township, &format!("{path}&region={outside}")).await;
            answer.refused(404, "not_found");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_reported_is_refused_with_the_reason() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let refused = async |query: &str, status: u16, code: &str| {
        world.get(&officer, &format!("/v1/reports/{query}")).await.refused(status, code)
    };
    for group_by in ["person", "", "village,village", "village,,day", "village,product,category,month,day"] {
        refused(&format!("sales?{PERIOD}&group_by={group_by}"), 422, "invalid_value").await;
    }
    for report in ["sales", "coverage", "income"] {
        refused(&format!("{report}?from=2027-03-02&to=2027-03-01"), 422, "invalid_value").await;
        refused(&format!("{report}?from=2017-01-01&to=2027-01-01"), 422, "invalid_value").await;
        refused(&format!("{report}?from=-0001-01-01&to=-0001-01-02"), 422, "invalid_value").await;
        refused(&format!("{report}?from=2020-02-30&to=2020-03-01"), 400, "invalid_parameter").await;
        refused(&format!("{report}?from=2020-02-03"), 400, "invalid_parameter").await;
        refused(&format!("{report}?{PERIOD}&region=county"), 400, "invalid_parameter").await;
        refused(&format!("{report}?{PERIOD}&format=pdf"), 400, "invalid_parameter").await;
    }
    refused(&format!("coverage?{PERIOD}&group_by=product"), 400, "invalid_parameter").await;
    refused("unsold?group_by=household_status", 400, "invalid_parameter").await;
    refused(&format!("income?{PERIOD}&limit=0"), 400, "malformed_request").await;
    refused(&format!("income?{PERIOD}&limit=201"), 400, "malformed_request").await;
    refused(&format!("income?{PERIOD}&cursor=1-zz"), 400, "cursor_expired").await;
}

/// Village one: one sold, one on sale, one asked and has nothing. Village two: one not reached and one never asked.
/// Village three: one whose lot ended before the period, and one whose only sale was refused whole.
async fn seven_households(world: &World) {
    let books = Books::open(world).await;
    let product = world.product("tea").await;
    let institution = world.institution("甲中学", "school").await;
    let sold = world.household(VILLAGES[0], "registered").await;
    let paper = books.paper(institution, sold, product).await;
    books.sell(paper, &Sale::of(sold, VILLAGES[0], product, 1000, 3200)).await;
    let on_sale = world.household(VILLAGES[0], "monitored_unstable").await;
    world.lot(on_sale, product, VILLAGES[0], 5, 40).await;
    let satisfied = world.household(VILLAGES[0], "general").await;
    books.visit(satisfied, "2027-01-01", "has_unsold").await;
    books.visit(satisfied, "2027-02-01", "nothing_unsold").await;
    books.visit(satisfied, "2028-02-01", "has_unsold").await;
    books.visit(world.household(VILLAGES[1], "general").await, "2027-02-01", "not_reached").await;
    world.household(VILLAGES[1], "general").await;
    let late = world.household(VILLAGES[2], "registered").await;
    let lot = world.lot(late, product, VILLAGES[2], 5, 40).await;
    let day = super::arranged::day;
    let earlier = vec![lot.into(), day("2026-10-01").into(), day("2026-12-31").into()];
    books.run("update lot set ready_from = $2, sell_by = $3 where id = $1", earlier).await;
    let unlucky = world.household(VILLAGES[2], "registered").await;
    books.sell(paper, &Sale::of(unlucky, VILLAGES[2], product, 0, 0)).await;
    books.visit(unlucky, "2027-02-01", "has_unsold").await;
}

#[tokio::test]
async fn coverage_counts_who_has_something_to_sell_and_who_has_sold() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    seven_households(&world).await;
    let answer = report(&world, &officer, &format!("coverage?{PERIOD}")).await;
    let survey = |has, nothing, missed, never| json!({ "has_unsold": has, "nothing_unsold": nothing, "not_reached": missed, "not_asked": never });
    let first = json!({
        "code": VILLAGES[0], "name": "示范一村",
        "figures": {
            "households": 3, "with_something_to_sell": 2, "sold": 1, "sold_percent": "50.00",
            "villages": 1, "villages_reached": 1, "villages_reached_percent": "100.00",
            "survey": survey(0, 1, 0, 2),
        },
    });
    assert_eq!(answer["groups"][0], first);
    let second = json!({
        "households": 2, "with_something_to_sell": 0, "sold": 0, "villages": 0, "villages_reached": 0,
        "survey": survey(0, 0, 1, 1),
    });
    assert_eq!(answer["groups"][1]["figures"], second);
    let total = json!({
        "households": 7, "with_something_to_sell": 3, "sold": 1, "sold_percent": "33.33",
        "villages": 2, "villages_reached": 1, "villages_reached_percent": "50.00",
        "survey": survey(1, 1, 1, 4),
    });
    assert_eq!(answer["total"], total);
    for group_by in ["township", "household_status"] {
        let answer = report(&world, &officer, &format!("coverage?{PERIOD}&group_by={group_by}")).await;
        assert_eq!(answer["total"], total, "{group_by}");
    }
}

#[tokio::test]
async fn coverage_uses_the_status_of_the_last_day_of_the_period() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let household = world.household(VILLAGES[0], "registered").await;
    let from = super::arranged::day("2027-06-01");
    books.run("update household_status set to_on = $1", vec![from.into()]).await;
    books
        .run(
            "insert into household_status (id, household_id, status, from_on) values ($1, $2, 'general', $3)",
            vec![uuid::Uuid::now_v7().into(), household.into(), from.into()],
        )
        .await;
    books.run("update household set status = 'general'", vec![]).await;
    for (to, status) in [("2027-05-31", "registered"), ("2027-06-01", "general")] {
        let path = format!("coverage?from=2027-01-01&to={to}&group_by=household_status");
        assert_eq!(report(&world, &officer, &path).await["groups"][0]["code"], status);
    }
}

#[tokio::test]
async fn unsold_is_what_is_neither_held_nor_confirmed_nor_delivered_at_its_price() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let product = world.product("tea").await;
    let household = world.household(VILLAGES[0], "registered").await;
    let first = world.lot(household, product, VILLAGES[0], 10, 40).await;
    let taken =
        "update lot set held_base = 1000, confirmed_base = 2000, delivered_base = 3001, pricing_unit = 'jin',
                 price_fen = 105, sell_by = $2 where id = $1";
    books.run(taken, vec![first.into(), super::arranged::day("2027-02-27").into()]).await;
    world.lot(household, product, VILLAGES[1], 1, 40).await;
    let gone = world.lot(household, product, VILLAGES[1], 7, 40).await;
    books.run("update lot set held_base = offered_base where id = $1", vec![gone.into()]).await;
    let withdrawn = world.lot(household, product, VILLAGES[1], 7, 40).await;
    books.run("update lot set state = 'withdrawn' where id = $1", vec![withdrawn.into()]).await;
    let answer = report(&world, &officer, "unsold").await;
    // 3.999 kg at 1.05 per jin is 8.3979.
    let group = json!({
        "product": { "id": product, "name": "tea" },
        "place": { "code": VILLAGES[0], "name": "示范一村" },
        "figures": {
            "mass": { "amount": "3.999", "unit": "kg" }, "count": { "amount": "0", "unit": "piece" },
            "value": "8.40", "lots": 1, "households": 1, "sell_by": "2027-02-27", "days_to_sell_by": -2,
        },
    });
    assert_eq!(answer["groups"][0], group, "the most urgent first");
    assert_eq!(answer["groups"].as_array().unwrap().len(), 2);
    let township = report(&world, &officer, "unsold?group_by=township").await;
    assert_eq!(township["groups"][0]["place"]["name"], "泾川镇");
    for total in [&answer["total"], &township["total"], &township["groups"][0]["figures"]] {
        assert_eq!((&total["value"], &total["mass"]["amount"]), (&json!("48.40"), &json!("4.999")));
        assert_eq!((&total["lots"], &total["households"]), (&json!(2), &json!(1)));
    }
}

#[tokio::test]
async fn an_absurd_price_makes_an_absurd_value_and_breaks_nothing() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let product = world.product("tea").await;
    let household = world.household(VILLAGES[0], "registered").await;
    world.lot(household, product, VILLAGES[0], 9_000_000_000, 40).await;
    books.run("update lot set price_fen = 1000000000, pricing_unit = 'piece'", vec![]).await;
    let answer = report(&world, &officer, "unsold").await;
    assert_eq!(answer["total"]["value"], "10000000000000.00");
}

/// Four households: two earned nothing in 2027, one 1.00 and one 2.00.
async fn four_earners(world: &World) {
    let books = Books::open(world).await;
    let product = world.product("tea").await;
    let institution = world.institution("甲中学", "school").await;
    for (name, fen) in [("仲小妮", 200), ("王五", 0), ("欧阳小妮", 100), ("李四", 0)] {
        let household = world.household(VILLAGES[0], "registered").await;
        books
            .run("update household set head_name = $2 where id = $1", vec![household.into(), name.into()])
            .await;
        if fen > 0 {
            let paper = books.paper(institution, household, product).await;
            let sale = Sale::of(household, VILLAGES[0], product, 1000, fen);
            books.sell(paper, &Sale { received_fen: 100, paid_out_fen: 1, ..sale.clone() }).await;
            books.sell(paper, &Sale { day: "2026-12-31".to_owned(), ..sale }).await;
        }
    }
}

#[tokio::test]
async fn incomes_are_listed_from_nothing_upwards_page_by_page() {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    four_earners(&world).await;
    let whole = report(&world, &officer, &format!("income?{PERIOD}")).await;
    let shown = |page: &Value| -> Vec<(String, String)> {
        let items = page["items"].as_array().unwrap();
        let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
        items.iter().map(|item| (text(item, "head_name"), text(item, "income"))).collect()
    };
    let expected = [("王五", "0.00"), ("李四", "0.00"), ("欧阳小妮", "1.00"), ("仲小妮", "2.00")]
        .map(|(name, income)| (name.to_owned(), income.to_owned()));
    assert_eq!(shown(&whole), expected);
    assert_eq!(whole["next_cursor"], Value::Null);
    let last = &whole["items"][3];
    assert_eq!(
        (&last["received"], &last["paid_out"], &last["sales"]),
        (&json!("1.00"), &json!("0.01"), &json!(1))
    );
    let mut paged = Vec::new();
    let mut path = format!("/v1/reports/income?{PERIOD}&limit=1");
    for page in 1..=4 {
        let answer = world.get(&officer, &path).await;
        paged.extend(shown(&answer.ok()));
        if page < 4 {
            let link = answer.header("link");
            path = link[1..link.find('>').unwrap()].to_owned();
            assert!(path.contains(answer.ok()["next_cursor"].as_str().unwrap()));
        } else {
            assert!(answer.headers.get("link").is_none());
        }
    }
    assert_eq!(paged, expected);
}

#[tokio::test]
async fn names_are_masked_for_those_who_check_figures() {
    let world = world().await;
    four_earners(&world).await;
    for role in [Role::Finance, Role::Auditor] {
        let person = world.official(role).await;
        let answer = world.get(&person, &format!("/v1/reports/income?{PERIOD}")).await;
        let items = answer.ok()["items"].as_array().unwrap().clone();
        let names: Vec<&str> = items.iter().map(|item| item["head_name"].as_str().unwrap()).collect();
        assert_eq!(names, ["王*", "李*", "欧**妮", "仲*妮"]);
        let (_, _, bytes) = file(&world, &person, &format!("income?{PERIOD}&format=csv")).await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("欧**妮") && !text.contains("欧阳小妮"), "{text}");
        assert!(text.ends_with("合计,,,,3.00,2.00,0.02,2\r\n"), "{text}");
    }
}

#[tokio::test]
async fn progress_is_public_and_hides_figures_over_fewer_than_three_households() {
    let world = world().await;
    let books = Books::open(&world).await;
    let product = world.product("tea").await;
    let institution = world.institution("甲中学", "school").await;
    let path = "/v1/public/progress?region=341823";
    for (number, village) in VILLAGES.iter().take(3).enumerate() {
        let household = world.household(village, "registered").await;
        let paper = books.paper(institution, household, product).await;
        books.sell(paper, &Sale::of(household, village, product, 1000, 3200)).await;
        books.sell(paper, &Sale::of(household, village, product, 1000, 1)).await;
        world.app.cache.drop_topic(zhuxiao::cache::Topic::Reports).await;
        let answer = world.get_as(None, path).await.ok();
        if number < 2 {
            let shown: Vec<&String> = answer.as_object().unwrap().keys().collect();
            assert_eq!(shown, ["as_of", "is_suppressed", "name", "region"], "{answer}");
            assert_eq!(answer["is_suppressed"], true);
        } else {
            let figures = [&answer["households"], &answer["amount"], &answer["orders"], &answer["villages"]];
            assert_eq!(figures, [&json!(3), &json!("96.03"), &json!(3), &json!(3)]);
            assert_eq!((&answer["name"], &answer["is_suppressed"]), (&json!("泾县"), &json!(false)));
        }
    }
}

#[tokio::test]
async fn progress_is_shown_for_whole_counties_alone() {
    let world = world().await;
    for region in ["341800", "341899", "340000000000"] {
        let answer = world.get_as(None, &format!("/v1/public/progress?region={region}")).await;
        answer.refused(404, "not_found");
    }
    for region in ["341823100001", "341823100000", "34", "county", ""] {
        let answer = world.get_as(None, &format!("/v1/public/progress?region={region}")).await;
        answer.refused(400, "invalid_parameter");
    }
    world.get_as(None, "/v1/public/progress?region=341823000000").await.ok();
}
