//! The specification of /v1/principals and /v1/me/password, as tests over HTTP.

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::{self, NewPrincipal, Place};
use zhuxiao::trail::Actor;

use crate::support::{PASSWORD, Person, World};

const CHOSEN: &str = "a password of my own";

async fn county() -> (World, Person, Person) {
    let world = World::new().await.with_regions().await;
    let (admin, security) = (world.official(Role::Admin).await, world.official(Role::Security).await);
    (world, admin, security)
}

fn new_officer(account: &str) -> Value {
    json!({
        "account": account, "display_name": "新工作人员", "role": "officer", "county": "341823",
        "region": "341823100", "password": PASSWORD,
    })
}

#[tokio::test]
async fn an_administrator_makes_somebody_a_security_administrator_lets_them_in_and_they_choose_a_password() {
    let (world, admin, security) = county().await;
    let made = world.post(&admin, "/v1/principals", new_officer("new-officer")).await.created();
    assert_eq!((&made["is_active"], &made["region"]), (&json!(false), &json!("341823100000")));
    world.sign_in("new-officer", PASSWORD, None).await.refused(401, "sign_in_failed");
    let path = format!("/v1/principals/{}", made["id"].as_str().unwrap());
    world.post(&admin, &format!("{path}/activate"), Value::Null).await.refused(403, "not_allowed");
    assert_eq!(world.post(&security, &format!("{path}/activate"), Value::Null).await.ok()["is_active"], true);
    world.post(&security, &format!("{path}/activate"), Value::Null).await.refused(409, "wrong_state");
    let signed_in = world.sign_in("new-officer", PASSWORD, None).await.created();
    let token = signed_in["token"].as_str().unwrap().to_owned();
    let officer = Person { id: Uuid::nil(), token, role: Role::Officer };
    world.get(&officer, "/v1/households").await.refused(403, "password_expired");
    let change = json!({ "current_password": PASSWORD, "new_password": CHOSEN });
    assert_eq!(world.put(&officer, "/v1/me/password", change).await.status.as_u16(), 204);
    world.get(&officer, "/v1/households").await.ok();
    world.sign_in("new-officer", PASSWORD, None).await.refused(401, "sign_in_failed");
}

#[tokio::test]
async fn nobody_gives_rights_to_themselves_or_in_another_county() {
    let (world, admin, security) = county().await;
    let own = |person: &Person| format!("/v1/principals/{}", person.id);
    let role = json!({ "role": "finance" });
    world
        .put(&admin, &format!("{}/role", own(&admin)), role.clone())
        .await
        .refused(409, "second_person_needed");
    world
        .post(&security, &format!("{}/deactivate", own(&security)), Value::Null)
        .await
        .refused(409, "second_person_needed");
    let mut elsewhere = new_officer("elsewhere");
    elsewhere["county"] = json!("341824");
    elsewhere["region"] = json!("341824000000");
    world.post(&admin, "/v1/principals", elsewhere).await.refused(422, "invalid_value");
    let mut beyond = new_officer("beyond");
    beyond["region"] = json!("341800000000");
    world.post(&admin, "/v1/principals", beyond).await.refused(422, "invalid_value");
    let stranger = world.person(Role::Admin, Place::Region("341824000000".to_owned())).await;
    let officer = world.official(Role::Officer).await;
    world.put(&stranger, &format!("{}/role", own(&officer)), role).await.refused(404, "not_found");
}

#[tokio::test]
async fn who_is_kept_out_is_out_at_once_and_everywhere() {
    let (world, _, security) = county().await;
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let path = format!("/v1/principals/{}", officer.id);
    world.post(&security, &format!("{path}/deactivate"), Value::Null).await.ok();
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
    world.sign_in(&account, PASSWORD, None).await.refused(401, "sign_in_failed");
    world.post(&security, &format!("{path}/activate"), Value::Null).await.ok();
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
    world.sign_in(&account, PASSWORD, None).await.created();
}

#[tokio::test]
async fn another_role_ends_sessions_and_waits_to_be_let_in() {
    let (world, admin, security) = county().await;
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let path = format!("/v1/principals/{}", officer.id);
    world
        .put(&admin, &format!("{path}/role"), json!({ "role": "buyer" }))
        .await
        .refused(422, "invalid_value");
    world
        .put(&admin, &format!("{path}/role"), json!({ "role": "officer" }))
        .await
        .refused(409, "wrong_state");
    let changed = world.put(&admin, &format!("{path}/role"), json!({ "role": "finance" })).await.ok();
    assert_eq!((&changed["role"], &changed["is_active"]), (&json!("finance"), &json!(false)));
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
    world.sign_in(&account, PASSWORD, None).await.refused(401, "sign_in_failed");
    world.post(&security, &format!("{path}/activate"), Value::Null).await.ok();
    assert_eq!(world.sign_in(&account, PASSWORD, None).await.created()["role"], "finance");
}

#[tokio::test]
async fn whoever_was_made_without_a_county_is_of_the_county_of_their_place() {
    let (world, admin, _) = county().await;
    let institution = world.institution("示范第一中学", "school").await;
    let new = NewPrincipal {
        account: "buyer-without-county".to_owned(),
        password: Some(PASSWORD.to_owned()),
        phone: None,
        display_name: "示范采购员".to_owned(),
        role: Role::Buyer,
        place: Place::Institution(institution),
        county_code: None,
    };
    principals::create(&world.app, &Actor::service("test"), new).await.unwrap();
    let listed = world.get(&admin, "/v1/principals?role=buyer").await.ok();
    assert_eq!(listed["items"][0]["county"], "341823");
}

#[tokio::test]
async fn accounts_and_phones_are_somebodys_once_and_phones_are_never_shown() {
    let (world, admin, _) = county().await;
    let helper = |account: &str| {
        json!({
            "account": account, "display_name": "帮扶人", "role": "helper", "county": "341823", "phone": "139 0000 0009",
        })
    };
    world.post(&admin, "/v1/principals", helper("one")).await.created();
    world.post(&admin, "/v1/principals", helper("two")).await.refused(409, "duplicate");
    world.post(&admin, "/v1/principals", new_officer("one")).await.refused(409, "duplicate");
    let listed = world.get(&admin, "/v1/principals?role=helper").await;
    assert_eq!(listed.ok()["items"].as_array().unwrap().len(), 1);
    assert!(!listed.text.contains("13900000009"));
    let sealed = world.text("select phone_sealed from principal where account = 'one'").await;
    assert!(sealed.starts_with("v2:") && !sealed.contains("13900000009"));
}

#[tokio::test]
async fn somebody_without_password_and_phone_or_an_official_without_password_is_refused() {
    let (world, admin, _) = county().await;
    let nobody = json!({ "account": "x", "display_name": "x", "role": "helper", "county": "341823" });
    world.post(&admin, "/v1/principals", nobody).await.refused(422, "invalid_value");
    let mut officer = new_officer("y");
    officer["phone"] = json!("13900000008");
    officer.as_object_mut().unwrap().remove("password");
    world.post(&admin, "/v1/principals", officer).await.refused(422, "invalid_value");
    let household = json!({
        "account": "z", "display_name": "z", "role": "household", "county": "341823", "phone": "13900000007",
        "household_id": "01958000-0000-7000-8000-000000000000",
    });
    world.post(&admin, "/v1/principals", household).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn changing_a_password_needs_the_old_one_and_ends_the_other_sessions() {
    let (world, _, _) = county().await;
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let signed_in = world.sign_in(&account, PASSWORD, None).await.created();
    let other = Person { token: signed_in["token"].as_str().unwrap().to_owned(), ..officer.clone() };
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    world.put(&officer, "/v1/me/password", change("wrong", CHOSEN)).await.refused(422, "invalid_value");
    world.put(&officer, "/v1/me/password", change(PASSWORD, PASSWORD)).await.refused(422, "invalid_value");
    world.get(&other, "/v1/me").await.ok();
    assert_eq!(world.put(&officer, "/v1/me/password", change(PASSWORD, CHOSEN)).await.status.as_u16(), 204);
    world.get(&officer, "/v1/me").await.ok();
    world.get(&other, "/v1/me").await.refused(401, "not_signed_in");
    for _ in 0..5 {
        world.put(&officer, "/v1/me/password", change("wrong", PASSWORD)).await.refused(422, "invalid_value");
    }
    world.put(&officer, "/v1/me/password", change(CHOSEN, PASSWORD)).await.refused(429, "too_many_attempts");
}

#[tokio::test]
async fn where_the_operator_says_so_a_password_grows_old() {
    let world = World::with(|settings| {
        settings.password_days_max = 5;
        settings.session_hours = 720;
    });
    let world = world.await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    world.clock.advance(TimeDelta::days(5) - TimeDelta::seconds(1));
    world.get(&officer, "/v1/regions").await.ok();
    world.clock.advance(TimeDelta::seconds(1));
    world.get(&officer, "/v1/regions").await.refused(403, "password_expired");
    let change = json!({ "current_password": PASSWORD, "new_password": CHOSEN });
    assert_eq!(world.put(&officer, "/v1/me/password", change).await.status.as_u16(), 204);
    world.get(&officer, "/v1/regions").await.ok();
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session() {
    let (world, _, _) = county().await;
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let signed_in = world.sign_in(&account, PASSWORD, None).await.created();
    let other = Person { token: signed_in["token"].as_str().unwrap().to_owned(), ..officer.clone() };
    assert_eq!(world.delete(&other, "/v1/sessions").await.status.as_u16(), 204);
    for one in [&officer, &other] {
        world.get(one, "/v1/me").await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn a_person_has_twenty_sessions_at_most_and_the_oldest_ends_first() {
    let (world, _, _) = county().await;
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let mut newest = officer.clone();
    for number in 0..20 {
        world.get(&officer, "/v1/me").await.ok();
        world.clock.advance(TimeDelta::seconds(1));
        let signed_in = world.sign_in(&account, PASSWORD, None).await.created();
        newest.token = signed_in["token"].as_str().unwrap_or_else(|| panic!("{number}")).to_owned();
    }
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
    assert_eq!(world.get(&newest, "/v1/sessions").await.ok()["items"].as_array().unwrap().len(), 20);
}
