//! The specification of `/v1/api_keys`, as tests over HTTP.

use chrono::TimeDelta;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::orders::Market;
use crate::support::{Person, World};

async fn key(world: &World, by: &Person, scopes: Value, last_on: Option<&str>) -> (String, Person) {
    let mut body = json!({ "name": "食堂系统", "scopes": scopes });
    if let Some(day) = last_on {
        body["last_on"] = json!(day);
    }
    let made = world.post(by, "/v1/api_keys", body).await.created();
    let token = made["key"].as_str().unwrap().to_owned();
    assert!(token.starts_with("zxk_"));
    (made["id"].as_str().unwrap().to_owned(), Person { token, ..by.clone() })
}

#[tokio::test]
async fn a_key_orders_for_its_owner_and_reaches_no_more_than_its_scopes() {
    let market = Market::new().await;
    let (_, system) = key(&market.world, &market.buyer, json!(["orders:write", "lots:read"]), None).await;
    let order = market.world.post(&system, "/v1/orders", market.order("10")).await.created();
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    market.world.get(&system, &path).await.ok();
    market.world.get(&market.buyer, &path).await.ok();
    market.world.get(&system, "/v1/lots").await.ok();
    for path in
        ["/v1/settlements", "/v1/me", "/v1/sessions", "/v1/api_keys", "/v1/households", "/v1/principals"]
    {
        market.world.get(&system, path).await.refused(403, "not_allowed");
    }
    let more = json!({ "name": "more", "scopes": ["settlements:read"] });
    market.world.post(&system, "/v1/api_keys", more).await.refused(403, "not_allowed");
    let change = json!({ "current_password": "x", "new_password": "y" });
    market.world.put(&system, "/v1/me/password", change).await.refused(403, "not_allowed");
}

#[tokio::test]
async fn a_key_to_read_does_not_write() {
    let market = Market::new().await;
    let (_, system) = key(&market.world, &market.buyer, json!(["orders:read"]), None).await;
    market.world.get(&system, "/v1/orders").await.ok();
    market.world.post(&system, "/v1/orders", market.order("10")).await.refused(403, "not_allowed");
    assert_eq!(market.stock().await, (0, 0, 0));
}

#[tokio::test]
async fn a_key_does_not_do_what_the_role_of_its_owner_does_not() {
    let market = Market::new().await;
    let order = market.place("10").await;
    let (_, system) = key(&market.world, &market.buyer, json!(["orders:write"]), None).await;
    let path = format!("/v1/orders/{}/confirm", order["id"].as_str().unwrap());
    market.world.post(&system, &path, Value::Null).await.refused(403, "not_allowed");
}

#[tokio::test]
async fn a_key_ends_when_it_is_deleted_and_after_its_last_day() {
    let market = Market::new().await;
    let world = &market.world;
    let (id, system) = key(world, &market.buyer, json!(["orders:read"]), None).await;
    let other = world.institution("示范第二医院", "hospital").await;
    let stranger = world.person(Role::Buyer, Place::Institution(other)).await;
    world.delete(&stranger, &format!("/v1/api_keys/{id}")).await.refused(404, "not_found");
    world.get(&system, "/v1/orders").await.ok();
    assert_eq!(world.delete(&market.buyer, &format!("/v1/api_keys/{id}")).await.status.as_u16(), 204);
    world.get(&system, "/v1/orders").await.refused(401, "not_signed_in");
    let (_, system) = key(world, &market.buyer, json!(["orders:read"]), Some("2027-03-02")).await;
    world.clock.advance(TimeDelta::hours(39));
    world.get(&system, "/v1/orders").await.ok();
    world.clock.advance(TimeDelta::hours(1));
    world.get(&system, "/v1/orders").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_a_hash() {
    let market = Market::new().await;
    let (_, system) = key(&market.world, &market.buyer, json!(["orders:read"]), None).await;
    let listed = market.world.get(&market.buyer, "/v1/api_keys").await;
    assert_eq!(listed.ok()["items"][0]["scopes"], json!(["orders:read"]));
    assert!(!listed.text.contains(&system.token));
    assert_eq!(
        market.world.text("select secret_hash from api_key").await,
        zhuxiao::id::secret_hash(&system.token)
    );
}

#[tokio::test]
async fn scopes_there_are_not_days_too_far_and_a_twenty_first_key_are_refused() {
    let market = Market::new().await;
    let refuse = async |body: Value, pointer: &str| {
        let refused =
            market.world.post(&market.buyer, "/v1/api_keys", body).await.refused(422, "invalid_value");
        assert_eq!(refused["pointer"], pointer, "{refused}");
    };
    refuse(json!({ "name": "x", "scopes": ["orders:read", "everything"] }), "/scopes/1").await;
    refuse(json!({ "name": "x", "scopes": ["me:read"] }), "/scopes/0").await;
    refuse(json!({ "name": "x", "scopes": ["orders:read"], "last_on": "2028-04-01" }), "/last_on").await;
    refuse(json!({ "name": "x", "scopes": ["orders:read"], "last_on": "2027-02-27" }), "/last_on").await;
    for _ in 0..20 {
        key(&market.world, &market.buyer, json!(["orders:read"]), None).await;
    }
    let body = json!({ "name": "x", "scopes": ["orders:read"] });
    market.world.post(&market.buyer, "/v1/api_keys", body).await.refused(409, "wrong_state");
}
