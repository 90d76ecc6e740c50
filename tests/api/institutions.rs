//! The specification of /v1/institutions, as tests over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::households::Cast;
use crate::support::{Answer, World};

/// The example in the annex of GB 32100-2015.
const CREDIT_CODE: &str = "91350100M000100Y43";

fn new_institution() -> Value {
    json!({"region": "341823100", "name": "示范中学食堂", "kind": "school", "credit_code": CREDIT_CODE})
}

#[tokio::test]
async fn an_officer_makes_an_institution_and_reads_it_back() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let answer = world.post(&officer, "/v1/institutions", new_institution()).await;
    let made = answer.created();
    assert_eq!(world.get(&officer, answer.header("location")).await.ok(), made);
    assert_eq!((&made["region"], &made["county"]), (&json!("341823100000"), &json!("341823")));
    let listed = world.get(&officer, "/v1/institutions?kind=school&region=341823100").await.ok();
    assert_eq!(listed["items"], json!([made]));
    assert_eq!(world.get(&officer, "/v1/institutions?kind=union").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_credit_code_that_fails_its_check_digit_or_is_taken_is_refused() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for bad in ["91350100M000100Y44", "91350100M000100Y4", "91350100m000100y43", "I1350100M000100Y43"] {
        let mut body = new_institution();
        body["credit_code"] = json!(bad);
        let refused = world.post(&officer, "/v1/institutions", body).await;
        assert_eq!(refused.refused(422, "credit_code_invalid")["pointer"], "/credit_code");
    }
    world.post(&officer, "/v1/institutions", new_institution()).await.created();
    world.post(&officer, "/v1/institutions", new_institution()).await.refused(409, "duplicate");
}

#[tokio::test]
async fn a_region_that_is_unknown_revoked_above_a_county_or_elsewhere_is_refused() {
    let world = World::new().await.with_regions().await;
    let officer = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    let day: chrono::NaiveDate = "2027-02-28".parse().unwrap();
    let sql = "update region set valid_to = $1 where code = '341823101202'";
    world.execute(sql, vec![day.into()]).await;
    for (region, code) in [
        ("341899", "region_unknown"),
        ("341823101202", "region_revoked"),
        ("3418", "invalid_value"),
        ("341823100", "invalid_value"),
    ] {
        let mut body = new_institution();
        body["region"] = json!(region);
        let refused = world.post(&officer, "/v1/institutions", body).await.refused(422, code);
        assert_eq!(refused["pointer"], "/region");
    }
}

#[tokio::test]
async fn an_edit_needs_the_version_that_was_read() {
    let cast = Cast::new().await;
    let (world, officer) = (&cast.world, cast.get(Role::Officer));
    let path = format!("/v1/institutions/{}", cast.institution_id);
    let changes = json!({"name": "示范医院", "kind": "hospital"});
    let bare = world.request(Method::PATCH, Some(officer), &path).json(&changes);
    Answer::of(bare).await.refused(428, "if_match_missing");
    let etag = world.get(officer, &path).await.header("etag").to_owned();
    let edited = world.patch(officer, &path, &etag, changes.clone()).await.ok();
    assert_eq!((&edited["name"], &edited["kind"]), (&json!("示范医院"), &json!("hospital")));
    world.patch(officer, &path, &etag, changes).await.refused(412, "stale_version");
    let blank = json!({"name": "  "});
    world.patch(officer, &path, "\"2\"", blank).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn buyers_see_their_own_institution_only() {
    let cast = Cast::new().await;
    let world = &cast.world;
    let other = world.institution("示范医院", "hospital").await;
    for role in [Role::Buyer, Role::Approver] {
        let person = cast.get(role);
        world.get(person, &format!("/v1/institutions/{}", cast.institution_id)).await.ok();
        world.get(person, &format!("/v1/institutions/{other}")).await.refused(404, "not_found");
        let listed = world.get(person, "/v1/institutions").await.ok();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(listed["items"][0]["id"], cast.institution_id.to_string());
    }
}

#[tokio::test]
async fn an_institution_of_another_region_does_not_exist() {
    let cast = Cast::new().await;
    let elsewhere = cast.world.person(Role::Officer, Place::Region("341824000000".to_owned())).await;
    let path = format!("/v1/institutions/{}", cast.institution_id);
    cast.world.get(&elsewhere, &path).await.refused(404, "not_found");
    cast.world.patch(&elsewhere, &path, "\"1\"", json!({"name": "x"})).await.refused(404, "not_found");
    assert_eq!(cast.world.get(&elsewhere, "/v1/institutions").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn each_role_does_only_what_is_its_own() {
    use Role::{Approver, Auditor, Buyer, Finance, Officer};

    let cast = Cast::new().await;
    let path = format!("/v1/institutions/{}", cast.institution_id);
    let readers = [Buyer, Approver, Officer, Finance, Auditor];
    cast.only(&[Officer], Method::POST, "/v1/institutions", Some(new_institution())).await;
    cast.only(&readers, Method::GET, "/v1/institutions", None).await;
    cast.only(&readers, Method::GET, &path, None).await;
    cast.only(&[Officer], Method::PATCH, &path, Some(json!({"name": "示范"}))).await;
}
