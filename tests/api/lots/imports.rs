//! The specification of /v1/lots/import, as tests over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::{Answer, Person, World};

const HEADER: &str = "编号,农户编号,产品,等级,数量,单位,单价,计价单位,可供日期,截止日期,取货村";

/// A county with an officer, household H1 in its first village and a product by mass.
async fn county() -> (World, Person) {
    let world = World::new().await.with_regions().await;
    let household = world.household("341823100001", "registered").await;
    world.execute("update household set external_ref = 'H1' where id = $1", vec![household.into()]).await;
    world.product("bamboo").await;
    let officer = world.official(Role::Officer).await;
    (world, officer)
}

async fn send(world: &World, by: &Person, query: &str, file: impl Into<reqwest::Body>) -> Answer {
    let request = world.request(Method::POST, Some(by), &format!("/v1/lots/import{query}"));
    Answer::of(request.header("content-type", "application/octet-stream").body(file)).await
}

async fn lots(world: &World, by: &Person) -> Vec<Value> {
    world.get(by, "/v1/lots").await.ok()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_file_of_lots_is_offered_and_the_same_file_twice_adds_nothing() {
    let (world, officer) = county().await;
    let file = format!(
        "{HEADER}\nL1,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,\n\
         L2,H1,bamboo,,0.5,吨,30,公斤,2027年3月1日,2027/4/30,示范三村\n"
    );
    let report = send(&world, &officer, "", file.clone()).await.ok();
    assert_eq!(
        (&report["created"], &report["existing"], &report["refused"]),
        (&json!(2), &json!(0), &json!([]))
    );
    let mut lots_now = lots(&world, &officer).await;
    lots_now.sort_by_key(|lot| lot["external_ref"].as_str().unwrap().to_owned());
    assert_eq!(lots_now[0]["offered"], json!({"amount": "60", "unit": "kg"}));
    assert_eq!(lots_now[0]["village"], "341823100001");
    assert_eq!(lots_now[1]["offered"], json!({"amount": "500", "unit": "kg"}));
    assert_eq!(lots_now[1]["price"], json!({"amount": "30.00", "per": "kg"}));
    assert_eq!(
        (&lots_now[1]["village"], &lots_now[1]["sell_by"]),
        (&json!("341823101201"), &json!("2027-04-30"))
    );
    let again = send(&world, &officer, "", file).await.ok();
    assert_eq!((&again["created"], &again["existing"]), (&json!(0), &json!(2)));
    assert_eq!(lots(&world, &officer).await.len(), 2);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let (world, officer) = county().await;
    let file = format!("{HEADER}\nL1,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,\n");
    let report = send(&world, &officer, "?dry_run=true", file).await.ok();
    assert_eq!((&report["is_dry_run"], &report["created"]), (&json!(true), &json!(1)));
    assert!(lots(&world, &officer).await.is_empty());
}

#[tokio::test]
async fn one_bad_cell_refuses_the_file_and_every_bad_cell_is_named() {
    let (world, officer) = county().await;
    let rows = [
        ("L1,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,", None),
        (",H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,", Some("编号")),
        ("L1,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,", Some("编号")),
        ("L4,H9,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,", Some("农户编号")),
        ("L5,H1,truffle,,120,斤,16.00,斤,2027-03-01,2027-04-30,", Some("产品")),
        ("L6,H1,bamboo,特级,120,斤,16.00,斤,2027-03-01,2027-04-30,", Some("等级")),
        ("L7,H1,bamboo,,1e2,斤,16.00,斤,2027-03-01,2027-04-30,", Some("数量")),
        ("L8,H1,bamboo,,１２,斤,16.00,斤,2027-03-01,2027-04-30,", Some("数量")),
        ("L9,H1,bamboo,,120,个,16.00,斤,2027-03-01,2027-04-30,", Some("数量")),
        ("L10,H1,bamboo,,120,磅,16.00,斤,2027-03-01,2027-04-30,", Some("单位")),
        ("L11,H1,bamboo,,120,,16.00,斤,2027-03-01,2027-04-30,", Some("单位")),
        ("L12,H1,bamboo,,120,斤,16.001,斤,2027-03-01,2027-04-30,", Some("单价")),
        ("L13,H1,bamboo,,120,斤,16.00,枚,2027-03-01,2027-04-30,", Some("单价")),
        ("L14,H1,bamboo,,120,斤,16.00,,2027-03-01,2027-04-30,", Some("计价单位")),
        ("L15,H1,bamboo,,120,斤,16.00,斤,2020-02-30,2027-04-30,", Some("可供日期")),
        ("L16,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-02-01,", Some("截止日期")),
        ("L17,H1,bamboo,,120,斤,16.00,斤,2027-03-01,,", Some("截止日期")),
        ("L18,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,无此村", Some("取货村")),
    ];
    let lines: Vec<&str> = rows.iter().map(|(line, _)| *line).collect();
    let report = send(&world, &officer, "", format!("{HEADER}\n{}\n", lines.join("\n"))).await.ok();
    let refused: Vec<(u64, &str)> = report["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| (cell["row"].as_u64().unwrap(), cell["column"].as_str().unwrap()))
        .collect();
    let expected: Vec<(u64, &str)> =
        rows.iter().zip(2..).filter_map(|((_, column), row)| column.map(|column| (row, column))).collect();
    assert_eq!(refused, expected);
    assert_eq!((&report["created"], &report["refused_count"]), (&json!(0), &json!(expected.len())));
    assert!(lots(&world, &officer).await.is_empty());
}

#[tokio::test]
async fn units_may_stand_in_the_header() {
    let (world, officer) = county().await;
    let file = "编号,农户编号,产品,数量(斤),单价（元/斤）,可供日期,截止日期\n\
                L1,H1,bamboo,120,16,2027-03-01,2027-04-30\n";
    assert_eq!(send(&world, &officer, "", file).await.ok()["created"], 1);
    let lots = lots(&world, &officer).await;
    assert_eq!(lots[0]["offered"], json!({"amount": "60", "unit": "kg"}));
    assert_eq!(lots[0]["price"], json!({"amount": "16.00", "per": "jin"}));
}

#[tokio::test]
async fn a_certificate_comes_with_all_three_of_its_cells() {
    let (world, officer) = county().await;
    let json = if world.database_url().starts_with("postgres") { "::jsonb" } else { "" };
    world.execute(&format!("update product set certificates = '[\"food_production\"]'{json}"), vec![]).await;
    let head = "编号,农户编号,产品,数量(斤),单价(元/斤),可供日期,截止日期,证书类型,证书编号,证书有效期";
    let row = "L1,H1,bamboo,120,16,2027-03-01,2027-04-30,food_production";
    let report = send(&world, &officer, "", format!("{head}\n{row},,2027-12-31\n")).await.ok();
    assert_eq!(report["refused"][0]["column"], "证书编号");
    send(&world, &officer, "", format!("{head}\n{row},皖-1,2027-12-31\n")).await.ok();
    assert_eq!(lots(&world, &officer).await[0]["certified_until"], "2027-12-31");
}

#[tokio::test]
async fn an_officer_imports_for_households_of_the_own_region_only() {
    let (world, _) = county().await;
    let elsewhere = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    let file = format!("{HEADER}\nL1,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,\n");
    let report = send(&world, &elsewhere, "", file).await.ok();
    assert_eq!(report["refused"][0]["column"], "农户编号");
}

#[tokio::test]
async fn a_name_that_several_products_bear_is_refused() {
    let (world, officer) = county().await;
    let other = world.product("bamboo-2").await;
    world.execute("update product set name = 'bamboo' where id = $1", vec![other.into()]).await;
    let file = format!("{HEADER}\nL1,H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,\n");
    let report = send(&world, &officer, "", file).await.ok();
    assert_eq!(report["refused"][0]["column"], "产品");
    assert!(report["refused"][0]["reason"].as_str().unwrap().contains("several"), "{report}");
}

#[tokio::test]
async fn a_file_that_is_no_table_of_lots_is_refused() {
    let (world, officer) = county().await;
    for file in ["", "编号,产品\n1,2\n", "PK\u{3}\u{4}broken"] {
        send(&world, &officer, "", file).await.refused(422, "invalid_value");
    }
}

#[tokio::test]
async fn ten_thousand_rows_take_a_bounded_number_of_statements() {
    let (world, officer) = county().await;
    let rows: Vec<String> = (0..10_000)
        .map(|number| format!("L{number},H1,bamboo,,120,斤,16.00,斤,2027-03-01,2027-04-30,"))
        .collect();
    let before = zhuxiao::db::statements_sent();
    let report = send(&world, &officer, "", format!("{HEADER}\n{}\n", rows.join("\n"))).await.ok();
    assert_eq!(report["created"], 10_000);
    // Session, households, products, known numbers, villages, lots, events; and what signs the request.
    let sent = zhuxiao::db::statements_sent() - before;
    assert!(sent <= 10, "{sent} statements");
}
