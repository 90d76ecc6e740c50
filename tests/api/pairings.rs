//! The specification of /v1/pairings, as tests over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::households::Cast;
use crate::support::{Person, VILLAGES};

fn new_pairing(helper: &Person, household_id: Uuid) -> Value {
    json!({"helper_id": helper.id, "household_id": household_id, "from_on": "2027-02-01"})
}

#[tokio::test]
async fn a_helper_sees_a_household_once_paired_and_no_more_when_it_ends() {
    let cast = Cast::new().await;
    let (world, officer, helper) = (&cast.world, cast.get(Role::Officer), cast.get(Role::Helper));
    let household = world.household(VILLAGES[2], "general").await;
    let path = format!("/v1/households/{household}");
    world.get(helper, &path).await.refused(404, "not_found");
    let made = world.post(officer, "/v1/pairings", new_pairing(helper, household)).await.created();
    world.get(helper, &path).await.ok();
    let end = format!("/v1/pairings/{}/end", made["id"].as_str().unwrap());
    let ended = world.post(officer, &end, json!({})).await.ok();
    assert_eq!(ended["to_on"], "2027-02-28");
    world.get(helper, &path).await.refused(404, "not_found");
    world.post(officer, &end, json!({})).await.refused(409, "wrong_state");
    world.post(officer, "/v1/pairings", new_pairing(helper, household)).await.created();
    world.get(helper, &path).await.ok();
}

#[tokio::test]
async fn two_who_are_paired_are_not_paired_again() {
    let cast = Cast::new().await;
    let body = new_pairing(cast.get(Role::Helper), cast.household_id);
    cast.world.post(cast.get(Role::Officer), "/v1/pairings", body).await.refused(409, "duplicate");
}

#[tokio::test]
async fn only_a_helper_of_the_county_is_paired_and_not_from_a_day_to_come() {
    let cast = Cast::new().await;
    let (world, officer, helper) = (&cast.world, cast.get(Role::Officer), cast.get(Role::Helper));
    let household = world.household(VILLAGES[0], "general").await;
    for wrong in [cast.get(Role::Household), cast.get(Role::Buyer), officer] {
        let refused = world.post(officer, "/v1/pairings", new_pairing(wrong, household)).await;
        assert_eq!(refused.refused(422, "invalid_value")["pointer"], "/helper_id");
    }
    let mut tomorrow = new_pairing(helper, household);
    tomorrow["from_on"] = json!("2027-03-02");
    let refused = world.post(officer, "/v1/pairings", tomorrow).await;
    assert_eq!(refused.refused(422, "invalid_value")["pointer"], "/from_on");
}

#[tokio::test]
async fn a_pairing_ends_between_its_first_day_and_today() {
    let cast = Cast::new().await;
    let (world, officer, helper) = (&cast.world, cast.get(Role::Officer), cast.get(Role::Helper));
    let household = world.household(VILLAGES[0], "general").await;
    let made = world.post(officer, "/v1/pairings", new_pairing(helper, household)).await.created();
    let end = format!("/v1/pairings/{}/end", made["id"].as_str().unwrap());
    for day in ["2027-03-02", "2027-01-30"] {
        let refused = world.post(officer, &end, json!({"last_on": day})).await;
        assert_eq!(refused.refused(422, "invalid_value")["pointer"], "/last_on");
    }
    assert_eq!(world.post(officer, &end, json!({"last_on": "2027-03-01"})).await.ok()["to_on"], "2027-03-01");
    world.get(helper, &format!("/v1/households/{household}")).await.ok();
}

#[tokio::test]
async fn pairings_outside_the_scope_do_not_exist() {
    let cast = Cast::new().await;
    let world = &cast.world;
    let elsewhere = world.person(Role::Officer, Place::Region("341824000000".to_owned())).await;
    let other_helper = world.person(Role::Helper, Place::Pairings).await;
    let body = new_pairing(&other_helper, cast.household_id);
    world.post(&elsewhere, "/v1/pairings", body).await.refused(404, "not_found");
    let listed = world.get(cast.get(Role::Officer), "/v1/pairings").await.ok();
    let id = listed["items"][0]["id"].as_str().unwrap();
    world.post(&elsewhere, &format!("/v1/pairings/{id}/end"), json!({})).await.refused(404, "not_found");
    for person in [&elsewhere, &other_helper] {
        assert_eq!(world.get(person, "/v1/pairings").await.ok()["items"], json!([]));
    }
    for role in [Role::Helper, Role::Household, Role::Auditor] {
        let seen = world.get(cast.get(role), "/v1/pairings").await.ok();
        assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{role:?}");
    }
    let none = format!("/v1/pairings?helper_id={}", other_helper.id);
    let none = world.get(cast.get(Role::Officer), &none).await.ok();
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn each_role_does_only_what_is_its_own() {
    use Role::{Auditor, Finance, Helper, Household, Officer};

    let cast = Cast::new().await;
    let body = new_pairing(cast.get(Helper), cast.household_id);
    cast.only(&[Officer], Method::POST, "/v1/pairings", Some(body)).await;
    let readers = [Household, Helper, Officer, Finance, Auditor];
    cast.only(&readers, Method::GET, "/v1/pairings", None).await;
    let listed = cast.world.get(cast.get(Officer), "/v1/pairings").await.ok();
    let end = format!("/v1/pairings/{}/end", listed["items"][0]["id"].as_str().unwrap());
    cast.only(&[Officer], Method::POST, &end, Some(json!({}))).await;
}
