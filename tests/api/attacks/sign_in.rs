//! Attacks on signing in and on sessions. There are no cookies here: a token in a header is all that authorises, so that what
//! other sites make a browser send authorises nothing. Where an attack plays with a cookie, the test shows that.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::Method;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::http::peer::Proxies;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::sms::SmsStub;
use crate::support::{Answer, PASSWORD, Person, World};

const PHONE: &str = "13900000001";
const OTHER_PHONE: &str = "13900000002";
const WRONG: &str = "not the password of anybody";

/// A county behind one proxy, as small a limit per peer as by default.
async fn behind_a_proxy() -> World {
    let world = World::with(|settings| {
        settings.sign_in_peer_tries_max = 20;
        settings.trusted_proxies = Proxies::try_from("127.0.0.1".to_owned()).unwrap();
    });
    world.await.with_regions().await
}

async fn reached_directly() -> World {
    World::with(|settings| settings.sign_in_peer_tries_max = 20).await.with_regions().await
}

/// A county whose messages go to a gateway that keeps them.
async fn with_messages() -> (World, SmsStub) {
    let stub = SmsStub::start().await;
    let world = World::with(|settings| {
        stub.set(settings);
        settings.trusted_proxies = Proxies::try_from("127.0.0.1".to_owned()).unwrap();
    });
    (world.await.with_regions().await, stub)
}

async fn ask_for_code(world: &World, phone: &str, purpose: &str) -> Answer {
    world.post_as(None, "/v1/one_time_codes", json!({ "phone": phone, "purpose": purpose })).await
}

/// What failed sign-ins have left in the trail: about whom, why, and from where.
async fn failures(world: &World) -> Vec<(Uuid, Value, Option<String>)> {
    #[derive(FromQueryResult)]
    struct Row {
        subject_id: Uuid,
        after_json: Value,
        peer: Option<String>,
    }
    let reader = world.app.db.reader();
    let sql = "select subject_id, after_json, peer from audit_event where action = 'fail_sign_in'";
    let rows =
        reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await.unwrap();
    let rows = rows.iter().map(|row| Row::from_query_result(row, "").unwrap());
    rows.map(|row| (row.subject_id, row.after_json, row.peer)).collect()
}

fn without_request_id(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

/// Twenty wrong passwords and the right one; forged headers must change nothing.
async fn guess(world: &World, forge: impl Fn(usize) -> Option<String>) {
    let officer = world.official(Role::Officer).await;
    let account = world.account_of(&officer).await;
    let mut bodies = Vec::new();
    for number in 0..20 {
        let answer = world.sign_in(&account, WRONG, forge(number).as_deref()).await;
        if number < 5 {
            answer.refused(401, "sign_in_failed");
            bodies.push(without_request_id(&answer));
        } else {
            answer.refused(429, "too_many_attempts");
            assert!((1..=900).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    world.sign_in(&account, PASSWORD, forge(20).as_deref()).await.refused(429, "too_many_attempts");
    let failures = failures(world).await;
    assert_eq!(failures.len(), 21, "every try is in the trail, the right password while blocked too");
    let of = |about: Uuid, why: &str| {
        failures.iter().filter(|one| one.0 == about && one.1["reason"] == why).count()
    };
    assert_eq!((of(officer.id, "wrong"), of(Uuid::nil(), "blocked")), (5, 16));
    assert!(failures.iter().all(|(_, _, peer)| peer.as_deref() == Some("127.0.0.1")));
    let sessions = world.get(&officer, "/v1/sessions").await.ok();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "no session but the one before");
}

#[tokio::test]
async fn at_a01_after_five_wrong_passwords_an_account_waits_and_every_try_is_in_the_trail() {
    guess(&reached_directly().await, |_| None).await;
}

#[tokio::test]
async fn at_a02_one_password_tried_on_many_accounts_is_stopped_by_peer_and_locks_nobody_out() {
    let world = behind_a_proxy().await;
    let mut accounts = Vec::new();
    for _ in 0..3 {
        let officer = world.official(Role::Officer).await;
        accounts.push(world.account_of(&officer).await);
    }
    accounts.extend((3..200).map(|number| format!("nobody-{number}")));
    let mut wrong = 0;
    for account in &accounts {
        let answer = world.sign_in(account, "123456789012", Some("198.51.100.1")).await;
        match answer.status.as_u16() {
            401 => wrong += 1,
            _ => drop(answer.refused(429, "too_many_attempts")),
        }
    }
    assert_eq!(wrong, 20);
    for account in &accounts[..3] {
        world.sign_in(account, PASSWORD, Some("198.51.100.1")).await.refused(429, "too_many_attempts");
        world.sign_in(account, PASSWORD, Some("198.51.100.2")).await.created();
    }
}

#[tokio::test]
async fn at_a03_headers_of_a_peer_that_is_no_proxy_of_ours_say_nothing() {
    guess(&reached_directly().await, |number| Some(format!("203.0.113.{number}"))).await;
}

#[tokio::test]
async fn at_a04_known_and_unknown_accounts_are_answered_alike_after_the_same_work() {
    let world = World::with(|settings| {
        settings.sign_in_tries_max = 100_000;
        settings.sign_in_peer_tries_max = 100_000;
    });
    let world = world.await.with_regions().await;
    let account = world.account_of(&world.official(Role::Officer).await).await;
    let mut took = [Vec::new(), Vec::new()];
    let mut bodies = Vec::new();
    for number in 0..200 {
        for (which, account) in [account.clone(), format!("nobody-{number}")].into_iter().enumerate() {
            let begun = Instant::now();
            let answer = world.sign_in(&account, WRONG, None).await;
            took[which].push(begun.elapsed());
            answer.refused(401, "sign_in_failed");
            bodies.push(without_request_id(&answer));
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let [known, unknown] = took.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    assert!(known.abs_diff(unknown) < Duration::from_millis(20), "{known:?} and {unknown:?}");
}

#[tokio::test]
async fn at_a05_a_phone_gets_one_code_a_minute() {
    let (world, mut stub) = with_messages().await;
    world.person_with_phone(Role::Helper, Place::Pairings, PHONE).await;
    assert_eq!(ask_for_code(&world, PHONE, "sign_in").await.status.as_u16(), 202);
    for _ in 0..9 {
        let answer = ask_for_code(&world, PHONE, "sign_in").await;
        answer.refused(429, "too_many_attempts");
        assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
    }
    stub.code_for(PHONE).await;
    assert!(stub.is_empty());
    world.clock.advance(TimeDelta::seconds(60));
    assert_eq!(ask_for_code(&world, PHONE, "sign_in").await.status.as_u16(), 202);
}

#[tokio::test]
async fn at_a06_five_wrong_codes_use_the_right_one_up() {
    let (world, mut stub) = with_messages().await;
    world.person_with_phone(Role::Helper, Place::Pairings, PHONE).await;
    ask_for_code(&world, PHONE, "sign_in").await;
    let right = stub.code_for(PHONE).await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        world.sign_in_by_code(PHONE, wrong).await.refused(401, "sign_in_failed");
    }
    world.sign_in_by_code(PHONE, &right).await.refused(401, "sign_in_failed");
}

#[tokio::test]
async fn at_a07_a_code_signs_in_once() {
    let (world, mut stub) = with_messages().await;
    let helper = world.person_with_phone(Role::Helper, Place::Pairings, PHONE).await;
    ask_for_code(&world, PHONE, "sign_in").await;
    let code = stub.code_for(PHONE).await;
    let token = world.sign_in_by_code(PHONE, &code).await.created()["token"].as_str().unwrap().to_owned();
    world.sign_in_by_code(PHONE, &code).await.refused(401, "sign_in_failed");
    let helper = Person { id: helper, token, role: Role::Helper };
    let sessions = world.get(&helper, "/v1/sessions").await.ok();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn at_a08_a_code_is_good_for_five_minutes() {
    let (world, mut stub) = with_messages().await;
    world.person_with_phone(Role::Helper, Place::Pairings, PHONE).await;
    for (minutes, is_good) in [(4, true), (5, false), (11, false)] {
        assert_eq!(ask_for_code(&world, PHONE, "sign_in").await.status.as_u16(), 202);
        let code = stub.code_for(PHONE).await;
        world.clock.advance(TimeDelta::minutes(minutes));
        assert_eq!(world.sign_in_by_code(PHONE, &code).await.status.is_success(), is_good, "{minutes}");
    }
}

#[tokio::test]
async fn at_a09_a_code_serves_neither_another_phone_nor_another_purpose() {
    let (world, mut stub) = with_messages().await;
    for phone in [PHONE, OTHER_PHONE] {
        world.person_with_phone(Role::Helper, Place::Pairings, phone).await;
    }
    ask_for_code(&world, PHONE, "sign_in").await;
    let code = stub.code_for(PHONE).await;
    world.sign_in_by_code(OTHER_PHONE, &code).await.refused(401, "sign_in_failed");
    world.sign_in_by_code(PHONE, &code).await.created();
    world.clock.advance(TimeDelta::minutes(1));
    ask_for_code(&world, PHONE, "change_bank_account").await;
    let code = stub.code_for(PHONE).await;
    world.sign_in_by_code(PHONE, &code).await.refused(401, "sign_in_failed");
}

#[tokio::test]
async fn at_a09_a_household_that_signs_in_by_phone_changes_its_bank_account_with_a_code_for_just_that() {
    let (world, mut stub) = with_messages().await;
    let home = world.household("341823100001", "general").await;
    let id = world.person_with_phone(Role::Household, Place::Household(home), PHONE).await;
    ask_for_code(&world, PHONE, "sign_in").await;
    let code = stub.code_for(PHONE).await;
    let token = world.sign_in_by_code(PHONE, &code).await.created()["token"].as_str().unwrap().to_owned();
    let household = Person { id, token, role: Role::Household };
    let path = format!("/v1/households/{home}");
    let with = |code: Option<&str>| json!({ "bank_account": "6228480402564890018", "one_time_code": code });
    world
        .patch(&household, &path, "\"1\"", json!({ "bank_account": "6228480402564890018" }))
        .await
        .refused(401, "sign_in_failed");
    world.clock.advance(TimeDelta::minutes(1));
    ask_for_code(&world, PHONE, "sign_in").await;
    let code = stub.code_for(PHONE).await;
    world.patch(&household, &path, "\"1\"", with(Some(&code))).await.refused(401, "sign_in_failed");
    assert_eq!(world.get(&household, &path).await.ok()["bank_account"], Value::Null);
    world.clock.advance(TimeDelta::minutes(1));
    ask_for_code(&world, PHONE, "change_bank_account").await;
    let code = stub.code_for(PHONE).await;
    let changed = world.patch(&household, &path, "\"1\"", with(Some(&code))).await.ok();
    assert_eq!(changed["bank_account"], "****0018");
}

#[tokio::test]
async fn at_a12_whoever_is_attacked_still_signs_in_by_code_and_keeps_their_session() {
    let (world, mut stub) = with_messages().await;
    let helper = world.person_with_phone(Role::Helper, Place::Pairings, PHONE).await;
    ask_for_code(&world, PHONE, "sign_in").await;
    let code = stub.code_for(PHONE).await;
    let token = world.sign_in_by_code(PHONE, &code).await.created()["token"].as_str().unwrap().to_owned();
    let older = Person { id: helper, token, role: Role::Helper };
    let account = world.account_of(&older).await;
    for minute in 0..10 {
        for _ in 0..3 {
            let answer = world.sign_in(&account, WRONG, Some("198.51.100.1")).await;
            assert!([401, 429].contains(&answer.status.as_u16()), "{minute}");
        }
        world.clock.advance(TimeDelta::minutes(1));
    }
    world.sign_in(&account, WRONG, Some("198.51.100.1")).await.refused(429, "too_many_attempts");
    ask_for_code(&world, PHONE, "sign_in").await;
    let code = stub.code_for(PHONE).await;
    world.sign_in_by_code(PHONE, &code).await.created();
    world.get(&older, "/v1/me").await.ok();
}

#[tokio::test]
async fn at_a13_a_fresh_service_has_nobody_to_sign_in_as() {
    let world = World::new().await;
    for (account, password) in
        [("admin", "admin"), ("admin", "123456"), ("root", "root"), ("sa", "sa"), ("test", "test")]
    {
        world.sign_in(account, password, None).await.refused(401, "sign_in_failed");
    }
}

#[tokio::test]
async fn at_a14_a_password_that_is_easily_guessed_is_refused_in_words_people_read() {
    let world = World::with(|settings| settings.password_chars_min = 8).await.with_regions().await;
    let institution = world.institution("示范第一中学", "school").await;
    let buyer = world.person(Role::Buyer, Place::Institution(institution)).await;
    let name = world.get(&buyer, &format!("/v1/institutions/{institution}")).await.ok()["name"].clone();
    let account = world.account_of(&buyer).await;
    let bad =
        ["12345678", "password1", &format!("{}2027采购", name.as_str().unwrap()), &format!("my {account}")];
    for new_password in bad {
        let change = json!({ "current_password": PASSWORD, "new_password": new_password });
        let body = world.put(&buyer, "/v1/me/password", change).await.refused(422, "invalid_value");
        assert_eq!(body["pointer"], "/new_password", "{new_password}");
        assert!(body["detail"].as_str().unwrap().contains("密码"), "{body}");
    }
    world.sign_in(&account, PASSWORD, None).await.created();
}

#[tokio::test]
async fn at_s01_every_sign_in_has_a_token_of_its_own_and_one_that_was_sent_along_stays_nobodys() {
    let world = reached_directly().await;
    let account = world.account_of(&world.official(Role::Officer).await).await;
    let chosen = "0".repeat(64);
    let body = json!({ "account": account, "password": PASSWORD });
    let request = world.request(Method::POST, None, "/v1/sessions").bearer_auth(&chosen);
    let answer = Answer::of(request.header("Cookie", format!("session={chosen}")).json(&body)).await;
    assert_ne!(answer.created()["token"], chosen);
    let fixed = Person { id: Uuid::nil(), token: chosen, role: Role::Officer };
    world.get(&fixed, "/v1/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn at_s02_after_signing_out_a_token_is_nobodys() {
    let world = reached_directly().await;
    let officer = world.official(Role::Officer).await;
    assert_eq!(world.delete(&officer, "/v1/sessions/current").await.status.as_u16(), 204);
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn at_s03_who_lost_a_role_is_out_with_the_next_request() {
    let world = reached_directly().await;
    let (officer, admin) = (world.official(Role::Officer).await, world.official(Role::Admin).await);
    world.get(&officer, "/v1/reports/unsold").await.ok();
    let path = format!("/v1/principals/{}/role", officer.id);
    world.put(&admin, &path, json!({ "role": "auditor" })).await.ok();
    // The token itself is gone, which says more than that its role does not suffice.
    world.get(&officer, "/v1/reports/unsold").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn at_s04_signing_in_sets_no_cookie_and_its_token_cannot_be_guessed() {
    let world = reached_directly().await;
    let account = world.account_of(&world.official(Role::Officer).await).await;
    let answer = world.sign_in(&account, PASSWORD, None).await;
    assert!(!answer.headers.contains_key("set-cookie"));
    let token = answer.created()["token"].as_str().unwrap().to_owned();
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "256 bits");
}

#[tokio::test]
async fn at_s05_what_lies_in_the_cache_is_nobodys_session() {
    let world = reached_directly().await;
    let officer = world.official(Role::Officer).await;
    let topic = zhuxiao::cache::Topic::Reports;
    let generation = world.app.cache.generation(topic).await.unwrap();
    let planted = r#"{"uid":1,"role":"admin"}"#.to_owned();
    world.app.cache.put(topic, generation, "cache:x", planted, Duration::from_mins(1)).await;
    for (method, path) in [(Method::GET, "/v1/me"), (Method::DELETE, "/v1/sessions/current")] {
        for cookie in ["session=cache:x".to_owned(), format!("session={}", officer.token)] {
            let request = world.request(method.clone(), None, path).header("Cookie", cookie);
            Answer::of(request).await.refused(401, "not_signed_in");
        }
    }
    assert!(world.app.cache.get(topic, "cache:x").await.is_some());
    world.get(&officer, "/v1/me").await.ok();
}

#[tokio::test]
async fn at_s07_a_session_ends_when_it_is_idle_and_when_it_is_old() {
    let world = World::with(|settings| settings.session_idle_minutes = 30).await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    world.clock.advance(TimeDelta::minutes(30));
    world.get(&officer, "/v1/me").await.ok();
    world.clock.advance(TimeDelta::minutes(31));
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
    let steady = world.official(Role::Officer).await;
    for _ in 0..(12 * 3 - 1) {
        world.clock.advance(TimeDelta::minutes(20));
        world.get(&steady, "/v1/me").await.ok();
    }
    world.clock.advance(TimeDelta::minutes(20));
    world.get(&steady, "/v1/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn at_s10_a_request_that_another_site_makes_a_browser_send_carries_nothing_that_authorises() {
    let market = crate::orders::Market::new().await;
    let order = market.place("10").await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/orders/{order}/cancel");
    let request = market.world.request(Method::POST, None, &path);
    let forged = request
        .header("Origin", "https://evil.example")
        .header("Cookie", format!("session={}", market.buyer.token))
        .header("Idempotency-Key", Uuid::now_v7().to_string());
    Answer::of(forged).await.refused(401, "not_signed_in");
    let order = market.world.get(&market.buyer, &format!("/v1/orders/{order}")).await.ok();
    assert_eq!(order["state"], "placed");
}

#[tokio::test]
async fn at_s15_the_token_of_one_institution_does_nothing_for_another() {
    let market = crate::orders::Market::new().await;
    let order = market.place("10").await["id"].as_str().unwrap().to_owned();
    let other = market.world.institution("示范第二医院", "hospital").await;
    let stranger = market.world.person(Role::Buyer, Place::Institution(other)).await;
    let path = format!("/v1/orders/{order}/cancel");
    let request = market.world.request(Method::POST, Some(&stranger), &path);
    let forged = request
        .header("Cookie", format!("session={}", market.buyer.token))
        .header("Idempotency-Key", Uuid::now_v7().to_string());
    Answer::of(forged).await.refused(404, "not_found");
    let order = market.world.get(&market.buyer, &format!("/v1/orders/{order}")).await.ok();
    assert_eq!(order["state"], "placed");
}
