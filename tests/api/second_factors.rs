//! The specification of `/v1/me/second_factor`, as tests over HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use zhuxiao::members::access::Role;

use crate::support::{Answer, PASSWORD, Person, World};

/// A service that is run as a county would: those who see a region need a second factor.
async fn strict() -> World {
    World::with(|settings| settings.totp_required = true).await.with_regions().await
}

/// What an authenticator app shows (RFC 6238).
pub fn shown(secret: &str, at: DateTime<Utc>) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<String> =
        secret.chars().map(|sign| format!("{:05b}", ALPHABET.find(sign).unwrap())).collect();
    let bits = bits.concat();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|eight| u8::from_str_radix(std::str::from_utf8(eight).unwrap(), 2).unwrap())
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&bytes).unwrap();
    mac.update(&u64::try_from(at.timestamp() / 30).unwrap().to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

async fn begin(world: &World, by: &Person, code: Option<&str>) -> Answer {
    let mut body = json!({ "password": PASSWORD });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    world.post(by, "/v1/me/second_factor", body).await
}

async fn confirm(world: &World, by: &Person, code: &str) -> Answer {
    world.post(by, "/v1/me/second_factor/confirm", json!({ "code": code })).await
}

/// Sets up a second factor and answers its secret.
async fn enrolled(world: &World, by: &Person) -> String {
    let secret = begin(world, by, None).await.created()["secret"].as_str().unwrap().to_owned();
    assert_eq!(confirm(world, by, &shown(&secret, world.clock.now())).await.status.as_u16(), 204);
    secret
}

async fn sign_in(world: &World, account: &str, code: Option<String>) -> Answer {
    let mut body: Value = json!({ "account": account, "password": PASSWORD });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    world.post_as(None, "/v1/sessions", body).await
}

#[tokio::test]
async fn without_a_second_factor_an_official_reaches_nothing_but_what_sets_it_up() {
    let world = strict().await;
    for role in [Role::Officer, Role::Finance, Role::Auditor, Role::Security, Role::Admin] {
        let official = world.official(role).await;
        for path in ["/v1/regions", "/v1/households", "/v1/orders", "/v1/audit_events"] {
            world.get(&official, path).await.refused(403, "second_factor_missing");
        }
        world.get(&official, "/v1/me").await.ok();
        enrolled(&world, &official).await;
        world.get(&official, "/v1/regions").await.ok();
    }
}

#[tokio::test]
async fn farmers_helpers_and_buyers_need_none() {
    let world = strict().await;
    let helper = world.person(Role::Helper, zhuxiao::members::principals::Place::Pairings).await;
    world.get(&helper, "/v1/households").await.ok();
}

#[tokio::test]
async fn once_it_is_in_force_signing_in_needs_its_code_and_takes_each_once() {
    let world = strict().await;
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let secret = enrolled(&world, &officer).await;
    sign_in(&world, &account, None).await.refused(401, "sign_in_failed");
    let used = shown(&secret, world.clock.now());
    sign_in(&world, &account, Some(used)).await.refused(401, "sign_in_failed");
    world.clock.advance(TimeDelta::seconds(30));
    let next = shown(&secret, world.clock.now());
    sign_in(&world, &account, Some(next.clone())).await.created();
    sign_in(&world, &account, Some(next)).await.refused(401, "sign_in_failed");
    world.clock.advance(TimeDelta::seconds(60));
    let next = shown(&secret, world.clock.now());
    let wrong = json!({ "account": account, "password": "not the password", "code": next });
    world.post_as(None, "/v1/sessions", wrong).await.refused(401, "sign_in_failed");
    // A wrong password uses no code up.
    sign_in(&world, &account, Some(next)).await.created();
}

#[tokio::test]
async fn confirming_ends_the_other_sessions_and_keeps_this_one() {
    let world = strict().await;
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let token = sign_in(&world, &account, None).await.created()["token"].as_str().unwrap().to_owned();
    let other = Person { token, ..officer.clone() };
    enrolled(&world, &officer).await;
    world.get(&officer, "/v1/me").await.ok();
    world.get(&other, "/v1/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_wrong_code_confirms_nothing_and_a_wrong_password_begins_nothing() {
    let world = strict().await;
    let officer = world.official(Role::Officer).await;
    confirm(&world, &officer, "000000").await.refused(409, "wrong_state");
    let wrong = json!({ "password": "not the password" });
    let body = world.post(&officer, "/v1/me/second_factor", wrong).await.refused(422, "invalid_value");
    assert_eq!(body["pointer"], "/password");
    let secret = begin(&world, &officer, None).await.created()["secret"].as_str().unwrap().to_owned();
    let right = shown(&secret, world.clock.now());
    let wrong = if right == "000000" { "000001" } else { "000000" };
    confirm(&world, &officer, wrong).await.refused(422, "invalid_value");
    world.get(&officer, "/v1/regions").await.refused(403, "second_factor_missing");
}

#[tokio::test]
async fn one_in_force_is_replaced_only_with_a_code_of_it() {
    let world = strict().await;
    let officer = world.official(Role::Officer).await;
    let secret = enrolled(&world, &officer).await;
    begin(&world, &officer, None).await.refused(422, "invalid_value");
    confirm(&world, &officer, "000000").await.refused(409, "wrong_state");
    world.clock.advance(TimeDelta::seconds(30));
    begin(&world, &officer, Some(&shown(&secret, world.clock.now()))).await.created();
}

#[tokio::test]
async fn whoever_has_the_password_does_not_try_out_the_codes_either() {
    let world = strict().await;
    let officer = world.official(Role::Officer).await;
    let secret = enrolled(&world, &officer).await;
    world.clock.advance(TimeDelta::seconds(30));
    let right = shown(&secret, world.clock.now());
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        begin(&world, &officer, Some(wrong)).await.refused(422, "invalid_value");
    }
    begin(&world, &officer, Some(wrong)).await.refused(429, "too_many_attempts");
    begin(&world, &officer, Some(&right)).await.refused(429, "too_many_attempts");
}

#[tokio::test]
async fn a_security_administrator_takes_the_one_that_somebody_lost() {
    let world = strict().await;
    let (officer, security) = (world.official(Role::Officer).await, world.official(Role::Security).await);
    let account = world.account_of(&officer).await;
    for one in [&officer, &security] {
        enrolled(&world, one).await;
    }
    let path = format!("/v1/principals/{}/reset_second_factor", officer.id);
    assert_eq!(world.post(&security, &path, Value::Null).await.ok()["has_second_factor"], false);
    world.post(&security, &path, Value::Null).await.refused(409, "wrong_state");
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
    let token = sign_in(&world, &account, None).await.created()["token"].as_str().unwrap().to_owned();
    let officer = Person { token, ..officer };
    world.get(&officer, "/v1/regions").await.refused(403, "second_factor_missing");
}

#[tokio::test]
async fn its_secret_is_sealed_and_in_no_event() {
    let world = strict().await;
    let officer = world.official(Role::Officer).await;
    let begun = begin(&world, &officer, None).await.created();
    assert!(begun["uri"].as_str().unwrap().contains(begun["secret"].as_str().unwrap()));
    let sql = "select secret_sealed from second_factor";
    let stored = world.text(sql).await;
    assert!(stored.starts_with("v2:") && !stored.contains(begun["secret"].as_str().unwrap()));
}
