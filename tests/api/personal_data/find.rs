//! Exact look-up by identity number and phone.

use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::{MASKED_NUMBER, NUMBER, OTHER_NUMBER, PHONE, SECRETS, made, new_household, with_household};

fn ids(found: &Value) -> Vec<&str> {
    found["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn at_p02_officers_and_finance_find_by_the_whole_number_in_a_body_and_see_it_masked() {
    let (world, officer, id) = with_household().await;
    let finance = world.official(Role::Finance).await;
    for person in [&officer, &finance] {
        for body in [
            json!({ "identity_number": NUMBER }),
            json!({ "identity_number": "341823 1800-0101-0015" }),
            json!({ "phone": PHONE }),
            json!({ "phone": "129 0000-0001" }),
        ] {
            let answer = world.post(person, "/v1/households/find", body).await;
            assert_eq!(ids(&answer.ok()), [id.as_str()]);
            assert_eq!(answer.ok()["items"][0]["identity_number"], MASKED_NUMBER);
            assert!(SECRETS.iter().all(|secret| !answer.text.contains(secret)), "{}", answer.text);
        }
    }
    let nobody =
        world.post(&officer, "/v1/households/find", json!({ "identity_number": OTHER_NUMBER })).await;
    assert_eq!(nobody.ok(), json!({ "items": [] }));
}

#[tokio::test]
async fn what_was_replaced_is_not_found_any_more_and_a_shared_phone_finds_all() {
    let (world, officer, id) = with_household().await;
    let mut second = new_household();
    second["identity_number"] = Value::Null;
    second["external_ref"] = Value::Null;
    // Ids of one millisecond have no order among them.
    world.clock.advance(chrono::TimeDelta::milliseconds(1));
    let second = made(&world, &officer, second).await;
    let both = world.post(&officer, "/v1/households/find", json!({ "phone": PHONE })).await.ok();
    assert_eq!(ids(&both), [second.as_str(), id.as_str()]);
    let path = format!("/v1/households/{id}");
    let edit = json!({ "phone": "12900000002", "identity_number": OTHER_NUMBER });
    world.patch(&officer, &path, "\"1\"", edit).await.ok();
    let old = world.post(&officer, "/v1/households/find", json!({ "phone": PHONE })).await.ok();
    assert_eq!(ids(&old), [second.as_str()]);
    let old = world.post(&officer, "/v1/households/find", json!({ "identity_number": NUMBER })).await.ok();
    assert_eq!(ids(&old), [""; 0]);
    let new =
        world.post(&officer, "/v1/households/find", json!({ "identity_number": OTHER_NUMBER })).await.ok();
    assert_eq!(ids(&new), [id.as_str()]);
}

#[tokio::test]
async fn nobody_finds_outside_the_region_or_with_another_role() {
    let (world, _, id) = with_household().await;
    let township = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    let county = world.person(Role::Finance, Place::Region("341824000000".to_owned())).await;
    let body = json!({ "identity_number": NUMBER });
    for person in [&township, &county] {
        let found = world.post(person, "/v1/households/find", body.clone()).await.ok();
        assert_eq!(found, json!({ "items": [] }));
    }
    let own = world.person(Role::Household, Place::Household(id.parse().unwrap())).await;
    world.post(&own, "/v1/households/find", body).await.refused(403, "not_allowed");
}

#[tokio::test]
async fn a_look_up_names_one_number_that_is_one() {
    let (world, officer, _) = with_household().await;
    for body in [
        json!({}),
        json!({ "identity_number": NUMBER, "phone": PHONE }),
        json!({ "identity_number": "341823180001010016" }),
        json!({ "phone": "1290000000a" }),
        json!({ "name": "x" }),
    ] {
        world.post(&officer, "/v1/households/find", body).await.refused(422, "invalid_value");
    }
}
