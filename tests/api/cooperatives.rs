//! The specification of /v1/cooperatives, as tests over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::households::Cast;
use crate::support::World;

fn new_cooperative() -> Value {
    json!({"region": "341823101", "name": "示范茶叶合作社", "kind": "cooperative"})
}

#[tokio::test]
async fn a_household_joins_once_and_leaves() {
    let cast = Cast::new().await;
    let (world, officer) = (&cast.world, cast.get(Role::Officer));
    let made = world.post(officer, "/v1/cooperatives", new_cooperative()).await.created();
    let member = format!("/v1/cooperatives/{}/members/{}", made["id"].as_str().unwrap(), cast.household_id);
    for _ in 0..2 {
        assert_eq!(world.put(officer, &member, json!({})).await.ok()["members"], 1);
    }
    assert_eq!(world.delete(officer, &member).await.status, StatusCode::NO_CONTENT);
    world.delete(officer, &member).await.refused(404, "not_found");
    let listed = world.get(officer, "/v1/cooperatives").await.ok();
    assert_eq!(listed["items"][0]["members"], 0);
    assert_eq!(world.put(officer, &member, json!({})).await.ok()["members"], 1);
}

#[tokio::test]
async fn a_region_that_is_unknown_or_outside_the_officers_is_refused() {
    let world = World::new().await.with_regions().await;
    let officer = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    for (region, code) in
        [("341899", "region_unknown"), ("341823101", "invalid_value"), ("34", "invalid_value")]
    {
        let mut body = new_cooperative();
        body["region"] = json!(region);
        let refused = world.post(&officer, "/v1/cooperatives", body).await.refused(422, code);
        assert_eq!(refused["pointer"], "/region");
    }
}

#[tokio::test]
async fn cooperatives_and_households_outside_the_region_do_not_exist() {
    let cast = Cast::new().await;
    let (world, officer) = (&cast.world, cast.get(Role::Officer));
    let made = world.post(officer, "/v1/cooperatives", new_cooperative()).await.created();
    let id = made["id"].as_str().unwrap();
    let member = format!("/v1/cooperatives/{id}/members/{}", cast.household_id);
    let elsewhere = world.person(Role::Officer, Place::Region("341824000000".to_owned())).await;
    world.put(&elsewhere, &member, json!({})).await.refused(404, "not_found");
    world.delete(&elsewhere, &member).await.refused(404, "not_found");
    assert_eq!(world.get(&elsewhere, "/v1/cooperatives").await.ok()["items"], json!([]));
    let township = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    world.put(&township, &member, json!({})).await.refused(404, "not_found");
    let nobody = format!("/v1/cooperatives/{id}/members/{}", Uuid::nil());
    world.put(officer, &nobody, json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn each_role_does_only_what_is_its_own() {
    use Role::{Auditor, Finance, Officer};

    let cast = Cast::new().await;
    cast.only(&[Officer], Method::POST, "/v1/cooperatives", Some(new_cooperative())).await;
    cast.only(&[Officer, Finance, Auditor], Method::GET, "/v1/cooperatives", None).await;
    let listed = cast.world.get(cast.get(Officer), "/v1/cooperatives").await.ok();
    let id = listed["items"][0]["id"].as_str().unwrap();
    let member = format!("/v1/cooperatives/{id}/members/{}", cast.household_id);
    cast.only(&[Officer], Method::PUT, &member, None).await;
    cast.only(&[Officer], Method::DELETE, &member, None).await;
}
