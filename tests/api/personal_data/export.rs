//! What is stored about whoever asks.

use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::{ACCOUNT, ADDRESS, NAME, NUMBER, PHONE, events, made, with_household};
use crate::orders::Market;
use crate::support::VILLAGES;

fn list<'a>(export: &'a Value, name: &str) -> &'a Vec<Value> {
    let lists = export["lists"].as_array().unwrap();
    let found = lists.iter().find(|list| list["name"] == name).unwrap_or_else(|| panic!("no list {name}"));
    assert_eq!((&found["items_max"], &found["is_complete"]), (&json!(1_000), &json!(true)));
    found["items"].as_array().unwrap()
}

#[tokio::test]
async fn at_p07_a_household_gets_all_of_its_own_in_the_clear_and_nothing_of_others() {
    let (world, officer, id) = with_household().await;
    let neighbour = json!({
        "village": VILLAGES[0], "head_name": "李邻居", "status": "general", "phone": "12900000009",
    });
    let neighbour = made(&world, &officer, neighbour).await;
    let visit = json!({ "visited_on": "2027-02-20", "outcome": "has_unsold", "note": "80 jin of tea" });
    // Ids of one millisecond have no order among them.
    world.clock.advance(chrono::TimeDelta::milliseconds(1));
    for id in [&id, &neighbour] {
        world.post(&officer, &format!("/v1/households/{id}/survey_visits"), visit.clone()).await.created();
    }
    let own = world.person(Role::Household, Place::Household(id.parse().unwrap())).await;
    let answer = world.get(&own, "/v1/me/data_export").await;
    let export = answer.ok();
    let expected = json!({
        "id": id, "head_name": NAME, "identity_number": NUMBER, "phone": PHONE, "bank_account": ACCOUNT,
        "address": ADDRESS,
    });
    assert_eq!(export["household"], expected);
    assert_eq!(export["account"]["id"], own.id.to_string());
    assert_eq!(list(&export, "household")[0]["external_ref"], "泾-001");
    assert_eq!(list(&export, "survey_visits").len(), 1);
    let visit = &list(&export, "survey_visits")[0];
    assert_eq!((&visit["note"], &visit["visited_on"]), (&json!("80 jin of tea"), &json!("2027-02-20")));
    assert_eq!(list(&export, "sessions").len(), 1);
    let about: Vec<&Value> = list(&export, "written_about").iter().map(|event| &event["action"]).collect();
    assert_eq!(about, ["record_survey_visit", "create_household"]);
    for foreign in [neighbour.as_str(), "李邻居", "12900000009", &officer.id.to_string()] {
        assert!(!answer.text.contains(foreign), "{}", answer.text);
    }
    let trail = events(&world, "export_personal_data").await;
    assert_eq!((trail.len(), &trail[0]["household_id"]), (1, &json!(id)));
    assert!(!trail[0].to_string().contains(PHONE));
}

#[tokio::test]
async fn at_p07_lots_orders_and_amounts_are_in_it() {
    let market = Market::of(&[900]).await;
    let own = market.world.person(Role::Household, Place::Household(market.households[0])).await;
    let order = market.place("100").await;
    let export = market.world.get(&own, "/v1/me/data_export").await.ok();
    let part = &list(&export, "allocations")[0];
    assert_eq!((&part["order_number"], &part["amount"]), (&order["number"], &json!("4000.00")));
    assert_eq!((&part["quantity_base"], &part["state"]), (&json!(100_000), &json!("held")));
    assert_eq!(list(&export, "lots")[0]["id"], market.lots[0].to_string());
    assert!(list(&export, "payouts").is_empty() && list(&export, "settlement_lines").is_empty());
}

#[tokio::test]
async fn at_p07_everybody_else_gets_account_sessions_and_what_they_wrote() {
    let (world, officer, id) = with_household().await;
    world.clock.advance(chrono::TimeDelta::milliseconds(1));
    let export = world.get(&officer, "/v1/me/data_export").await.ok();
    assert_eq!((export.get("household"), export["lists"].as_array().unwrap().len()), (None, 2));
    let written: Vec<&Value> = list(&export, "written").iter().map(|event| &event["action"]).collect();
    assert_eq!(written, ["create_household", "create_session"]);
    assert_eq!(list(&export, "written")[0]["subject_id"], id);
    let bare =
        made(&world, &officer, json!({ "village": VILLAGES[0], "head_name": "李", "status": "general" }))
            .await;
    let own = world.person(Role::Household, Place::Household(bare.parse().unwrap())).await;
    let export = world.get(&own, "/v1/me/data_export").await.ok();
    assert_eq!(export["household"], json!({ "id": bare, "head_name": "李" }));
}
