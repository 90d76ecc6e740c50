//! The specification of `/v1/settlements/{id}/invoice_data`, as tests over HTTP.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::Desk;

async fn data_of(desk: &Desk, settlement: Uuid) -> Json {
    desk.get(&format!("/v1/settlements/{settlement}/invoice_data")).await
}

fn fen(yuan: &Json) -> i64 {
    zhuxiao::money::Fen::parse(yuan.as_str().unwrap()).unwrap().get()
}

#[tokio::test]
async fn what_a_household_grew_is_exempt_when_a_school_buys_it() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let settlement = desk.purse.sold(&[(home, 53_200)]).await;
    let data = data_of(&desk, settlement).await;
    assert_eq!((&data["amount"], &data["tax"]), (&json!("532.00"), &json!("0.00")));
    let group = &data["groups"][0];
    assert_eq!((&group["treatment"], &group["rate"]), (&json!("self_produced"), &json!("0")));
    assert!(group["source"].as_str().unwrap().contains("增值税法第二十四条"));
    assert_eq!(group.get("deduction"), None);
    let line = &group["lines"][0];
    assert_eq!((&line["tax_code"], &line["goods_name"]), (&json!("1010116010000000000"), &json!("tea")));
    assert_eq!((&line["seller_name"], &line["quantity"]["amount"]), (&json!("示*户"), &json!("53.2")));
}

#[tokio::test]
async fn an_enterprise_writes_a_purchase_invoice_and_deducts_to_the_fen() {
    let desk = Desk::open().await;
    let homes = desk.purse.households(3).await;
    let shop = desk.purse.world.institution("示范公司", "enterprise").await;
    let owed = [(homes[0], 333), (homes[1], 333), (homes[2], 334)];
    let data = data_of(&desk, desk.purse.sold_to(shop, &owed).await).await;
    let group = &data["groups"][0];
    assert_eq!((&group["treatment"], &group["deduction_rate"]), (&json!("purchase"), &json!("0.09")));
    assert_eq!(group["deduction_rate_processing"], "0.10");
    // 9 % of 10.00; 29.97, 29.97 and 30.06 fen fall on the lines as 30, 30 and 30.
    assert_eq!(group["deduction"], "0.90");
    let deductions: i64 = group["lines"].as_array().unwrap().iter().map(|line| fen(&line["deduction"])).sum();
    assert_eq!(deductions, 90);
}

#[tokio::test]
async fn what_a_member_of_a_cooperative_grew_is_invoiced_by_the_cooperative() {
    let desk = Desk::open().await;
    let homes = desk.purse.households(2).await;
    let world = &desk.purse.world;
    let cooperative = Uuid::now_v7();
    let sql = "insert into cooperative (id, county_code, region_code, name, kind, created_at)
               values ($1, '341823', '341823100000', '示范合作社', 'cooperative', $2)";
    world.execute(sql, vec![cooperative.into(), world.clock.now().into()]).await;
    let sql = "insert into cooperative_member (cooperative_id, household_id, from_on) values ($1, $2, $3)";
    world.execute(sql, vec![cooperative.into(), homes[0].into(), world.clock.today().into()]).await;
    let data = data_of(&desk, desk.purse.sold(&[(homes[0], 100), (homes[1], 200)]).await).await;
    let treatments: Vec<&Json> =
        data["groups"].as_array().unwrap().iter().map(|group| &group["treatment"]).collect();
    assert_eq!(treatments, ["self_produced", "cooperative"]);
    assert_eq!(
        (&data["groups"][0]["amount"], &data["groups"][1]["amount"]),
        (&json!("2.00"), &json!("1.00"))
    );
}

#[tokio::test]
async fn made_goods_are_taxed_by_the_rate_of_the_day_of_the_sale() {
    let mut desk = Desk::open().await;
    desk.purse.world.execute("update product set tax_code = '1030101000000000000'", Vec::new()).await;
    let home = desk.purse.households(1).await[0];
    let before = desk.purse.sold(&[(home, 10_100)]).await;
    desk.days_pass(306).await;
    assert_eq!(desk.purse.world.clock.today().to_string(), "2028-01-01");
    let after = desk.purse.sold(&[(home, 10_300)]).await;
    let data = data_of(&desk, before).await;
    assert_eq!(
        (&data["groups"][0]["rate"], &data["net"], &data["tax"]),
        (&json!("0.01"), &json!("100.00"), &json!("1.00"))
    );
    let data = data_of(&desk, after).await;
    assert_eq!(
        (&data["groups"][0]["rate"], &data["net"], &data["tax"]),
        (&json!("0.03"), &json!("100.00"), &json!("3.00"))
    );
}
