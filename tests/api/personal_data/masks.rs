//! What is masked: in the answers of households, in what imports say of bad cells, for buyers, and at rest.

use serde_json::json;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::{
    ADDRESS, MASKED_NUMBER, NAME, NUMBER, OTHER_NUMBER, PHONE, SECRETS, events, made, new_household,
    stored_texts, with_household,
};
use crate::orders::Market;
use crate::support::{Answer, Person, VILLAGES, World};

#[tokio::test]
async fn at_p01_lists_and_details_mask_identity_number_phone_account_address_and_name() {
    let (world, officer, id) = with_household().await;
    let household: uuid::Uuid = id.parse().unwrap();
    let own = world.person(Role::Household, Place::Household(household)).await;
    let finance = world.official(Role::Finance).await;
    let auditor = world.official(Role::Auditor).await;
    for person in [&officer, &own, &finance, &auditor] {
        let one = world.get(person, &format!("/v1/households/{id}")).await;
        let list = world.get(person, "/v1/households").await;
        for answer in [&one, &list] {
            assert!(SECRETS.iter().all(|secret| !answer.text.contains(secret)), "{}", answer.text);
        }
        let one = one.ok();
        let shown = (&one["identity_number"], &one["phone"], &one["bank_account"], &one["address"]);
        let expected = (&json!(MASKED_NUMBER), &json!("129****0001"), &json!("****2345"), &json!("****"));
        assert_eq!(shown, expected);
        let knows = matches!(person.role, Role::Officer | Role::Household);
        assert_eq!(one["head_name"], if knows { NAME } else { "仲*妮" });
    }
}

#[tokio::test]
async fn at_p01_nothing_of_it_is_in_the_database_in_the_clear() {
    let (world, officer, id) = with_household().await;
    let edit =
        json!({ "identity_number": OTHER_NUMBER, "address": "示范组虚构路2号", "external_ref": "泾-002" });
    world.patch(&officer, &format!("/v1/households/{id}"), "\"1\"", edit).await.ok();
    for text in stored_texts(&world).await {
        for secret in SECRETS.iter().chain(&[OTHER_NUMBER, "虚构路2号"]) {
            assert!(!text.contains(secret), "{text}");
        }
    }
    let trail = events(&world, "update_household").await;
    assert_eq!(trail[0]["after"]["identity_number_changed"], true);
    for event in trail.iter().chain(&events(&world, "create_household").await) {
        assert!(!event.to_string().contains("泾-00") && !event.to_string().contains(NAME), "{event}");
    }
}

#[tokio::test]
async fn an_identity_number_is_one_household_in_a_county_and_a_phone_may_be_shared() {
    let (world, officer, _) = with_household().await;
    let mut second = new_household();
    second["external_ref"] = json!("泾-002");
    let refused = world.post(&officer, "/v1/households", second.clone()).await;
    let detail = refused.refused(409, "duplicate")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(MASKED_NUMBER) && !detail.contains(NUMBER), "{detail}");
    second["identity_number"] = json!("34182318000101004x");
    let id = made(&world, &officer, second).await;
    let path = format!("/v1/households/{id}");
    let same = json!({ "identity_number": NUMBER });
    world.patch(&officer, &path, "\"1\"", same).await.refused(409, "duplicate");
    let own_again = json!({ "identity_number": "34182318000101004X" });
    world.patch(&officer, &path, "\"1\"", own_again).await.ok();
}

#[tokio::test]
async fn of_two_households_made_at_once_with_one_identity_number_one_is_refused() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let (mut one, mut other) = (new_household(), new_household());
    one["external_ref"] = json!("1");
    other["external_ref"] = json!("2");
    let (one, other) = tokio::join!(
        world.post(&officer, "/v1/households", one),
        world.post(&officer, "/v1/households", other)
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", one.text, other.text);
}

#[tokio::test]
async fn what_is_no_identity_number_or_no_address_is_refused_and_not_repeated() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for (member, value) in [
        ("identity_number", "341823180001010016"),
        ("identity_number", "341823180013010015"),
        ("identity_number", "34182318000101001"),
        ("address", " "),
    ] {
        let mut body = new_household();
        body[member] = json!(value);
        let answer = world.post(&officer, "/v1/households", body).await;
        assert_eq!(answer.refused(422, "invalid_value")["pointer"], format!("/{member}"));
        assert!(value == " " || !answer.text.contains(value), "{}", answer.text);
    }
    let mut body = new_household();
    body["address"] = json!("路".repeat(201));
    world.post(&officer, "/v1/households", body).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn only_officers_change_an_identity_number_and_the_household_changes_its_address() {
    let (world, _, id) = with_household().await;
    let own = world.person(Role::Household, Place::Household(id.parse().unwrap())).await;
    let path = format!("/v1/households/{id}");
    let number = json!({ "identity_number": OTHER_NUMBER });
    world.patch(&own, &path, "\"1\"", number).await.refused(403, "not_allowed");
    let moved = world.patch(&own, &path, "\"1\"", json!({ "address": "示范组虚构路3号" })).await;
    assert_eq!(moved.ok()["address"], "****");
}

async fn upload(world: &World, by: &Person, file: String) -> Answer {
    let request = world
        .request(reqwest::Method::POST, Some(by), "/v1/households/import")
        .header("content-type", "application/octet-stream")
        .body(file);
    Answer::of(request).await
}

const TITLES: &str = "编号,户主姓名,村代码,户类型,身份证号,联系电话,银行账号,住址\n";

#[tokio::test]
async fn an_import_reads_identity_numbers_and_addresses() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let file = format!("{TITLES}001,{NAME},{},脱贫户,{NUMBER},{PHONE},,{ADDRESS}\n", VILLAGES[0]);
    assert_eq!(upload(&world, &officer, file.clone()).await.ok()["created"], 1);
    assert_eq!(upload(&world, &officer, file).await.ok()["existing"], 1);
    let items = world.get(&officer, "/v1/households").await.ok()["items"].clone();
    assert_eq!((&items[0]["identity_number"], &items[0]["address"]), (&json!(MASKED_NUMBER), &json!("****")));
}

#[tokio::test]
async fn at_p03_an_import_says_why_a_cell_is_bad_without_repeating_a_number_of_somebody() {
    let (world, officer, _) = with_household().await;
    let village = VILLAGES[0];
    let file = format!(
        "{TITLES}101,一,{village},脱贫户,3.41823E+17,,,\n102,二,{village},脱贫户,341823180001010016,1290000000,12,{}\n\
         103,三,{village},脱贫户,{OTHER_NUMBER},,,\n104,四,{village},脱贫户,{OTHER_NUMBER},,,\n",
        "路".repeat(201)
    );
    let answer = upload(&world, &officer, file).await;
    let cells = answer.refused(422, "cells_refused")["cells"].clone();
    let told: Vec<(u64, &str)> = cells
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| (cell["row"].as_u64().unwrap(), cell["column"].as_str().unwrap()))
        .collect();
    let expected =
        [(2, "身份证号"), (3, "身份证号"), (3, "联系电话"), (3, "银行账号"), (3, "住址"), (5, "身份证号")];
    assert_eq!(told, expected);
    assert!(cells[0]["reason"].as_str().unwrap().contains("format the column as text"));
    assert_eq!(
        (&cells[1]["value"], &cells[5]["value"]),
        (&json!("**************0016"), &json!("**************0023"))
    );
    assert!(!answer.text.contains("路路") && !answer.text.contains("1290000000"), "{}", answer.text);
    let known = format!("{TITLES}105,五,{village},脱贫户,{NUMBER},,,\n");
    let cells = upload(&world, &officer, known).await.refused(422, "cells_refused")["cells"].clone();
    assert!(cells[0]["reason"].as_str().unwrap().contains("another household"), "{cells}");
    assert_eq!(cells[0]["value"], "**************0015");
}

/// A phone for the household of the first lot, through the API.
async fn with_phone(market: &Market) {
    let officer = market.world.official(Role::Officer).await;
    let path = format!("/v1/households/{}", market.households[0]);
    market.world.patch(&officer, &path, "\"1\"", json!({ "phone": PHONE })).await.ok();
}

#[tokio::test]
async fn a_buyer_sees_a_masked_name_and_the_phone_only_while_the_goods_are_to_be_picked_up() {
    let market = Market::of(&[900]).await;
    with_phone(&market).await;
    let (world, buyer) = (&market.world, &market.buyer);
    let order = market.place("100").await;
    assert!(!order.to_string().contains(PHONE));
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let seen = || async { world.get(buyer, &format!("{path}/allocations")).await.ok()["items"][0].clone() };
    let placed = seen().await;
    assert_eq!((&placed["household_name"], placed.get("pickup_contact")), (&json!("示*户"), None));
    market.confirm(&order).await.ok();
    assert_eq!(seen().await["pickup_contact"], PHONE);
    let officer = world.official(Role::Officer).await;
    let for_officer = world.get(&officer, &format!("{path}/allocations")).await.ok();
    assert_eq!(for_officer["items"][0].get("pickup_contact"), None);
    let sent = json!({ "lines": [{ "allocation_id": placed["id"], "quantity": placed["quantity"] }] });
    let sent = world.post(&officer, &format!("{path}/deliveries"), sent).await.created();
    assert_eq!(seen().await["pickup_contact"], PHONE);
    let account = world.get(&market.approver, "/v1/me").await.ok()["account"].clone();
    let accepted = json!({ "witness_account": account, "lines": [
        { "delivery_line_id": sent["lines"][0]["id"], "accepted": placed["quantity"] }] });
    let delivery = format!("/v1/deliveries/{}/acceptance", sent["id"].as_str().unwrap());
    world.post(buyer, &delivery, accepted).await.ok();
    assert_eq!(seen().await.get("pickup_contact"), None);
    for text in stored_texts(world).await {
        assert!(!text.contains(PHONE), "{text}");
    }
}

#[tokio::test]
async fn a_cancelled_order_shows_no_phone_any_more() {
    let market = Market::of(&[900]).await;
    with_phone(&market).await;
    let order = market.place("100").await;
    market.confirm(&order).await.ok();
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    market.world.post(&market.buyer, &format!("{path}/cancel"), json!(null)).await.ok();
    let seen = market.world.get(&market.buyer, &format!("{path}/allocations")).await;
    assert!(!seen.text.contains(PHONE), "{}", seen.text);
}
