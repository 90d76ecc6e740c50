//! The specification of /v1/sessions and /v1/me, as tests over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::json;
use zhuxiao::members::access::Role;
use zhuxiao::members::one_time_codes;

use crate::support::{Answer, PASSWORD, World};

#[tokio::test]
async fn a_person_signs_in_sees_who_they_are_and_signs_out() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let me = world.get(&officer, "/v1/me").await.ok();
    assert_eq!((me["role"].as_str(), me["region"].as_str()), (Some("officer"), Some("341823000000")));
    assert_eq!(world.delete(&officer, "/v1/sessions/current").await.status, StatusCode::NO_CONTENT);
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    world.clock.advance(chrono::TimeDelta::hours(12));
    world.get(&officer, "/v1/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_get_the_same_answer() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let account = world.get(&officer, "/v1/me").await.ok()["account"].as_str().unwrap().to_owned();
    let mut bodies = Vec::new();
    for (account, password) in [(account.as_str(), "not the password"), ("nobody at all", PASSWORD)] {
        let answer =
            world.post_as(None, "/v1/sessions", json!({"account": account, "password": password})).await;
        let mut body = answer.refused(401, "sign_in_failed");
        body.as_object_mut().unwrap().remove("request_id");
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn the_sixth_wrong_password_is_answered_with_a_wait_and_so_is_the_right_one_then() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let account = world.get(&officer, "/v1/me").await.ok()["account"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        let wrong = json!({"account": account, "password": "not the password"});
        world.post_as(None, "/v1/sessions", wrong).await.refused(401, "sign_in_failed");
    }
    let right = json!({"account": account, "password": PASSWORD});
    let answer = world.post_as(None, "/v1/sessions", right).await;
    answer.refused(429, "too_many_attempts");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_wave_of_guesses_learns_no_more_than_one_after_the_other() {
    let world = World::new().await.with_regions().await;
    let account = world.account_of(&world.official(Role::Officer).await).await;
    let guesses = (0..40).map(|_| world.sign_in(&account, "not the password", None));
    let answers = futures_util::future::join_all(guesses).await;
    let told = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(told, 5);
    assert!(answers.iter().all(|answer| [401, 429].contains(&answer.status.as_u16())));
}

#[tokio::test]
async fn half_of_one_way_to_sign_in_and_half_of_another_is_none() {
    let world = World::new().await;
    for body in [
        json!({ "account": "a" }),
        json!({ "account": "a", "password": "b", "phone": "13900000001" }),
        json!({ "phone": "13900000001", "password": "b" }),
        json!({}),
    ] {
        world.post_as(None, "/v1/sessions", body).await.refused(422, "invalid_value");
    }
}

#[tokio::test]
async fn codes_need_a_gateway_and_one_peer_asks_for_twenty() {
    let ask = async |world: &World, number: u32| {
        let body = json!({ "phone": format!("139000000{number:02}"), "purpose": "sign_in" });
        world.post_as(None, "/v1/one_time_codes", body).await
    };
    ask(&World::new().await, 0).await.refused(409, "setting_missing");
    let world = World::with(|settings| settings.sms_url = Some("log:".to_owned())).await;
    for number in 0..20 {
        assert_eq!(ask(&world, number).await.status, StatusCode::ACCEPTED);
    }
    ask(&world, 20).await.refused(429, "too_many_attempts");
}

#[tokio::test]
async fn codes_that_ended_long_ago_are_forgotten() {
    let world = World::with(|settings| settings.sms_url = Some("log:".to_owned())).await;
    let body = json!({ "phone": "13900000001", "purpose": "sign_in" });
    world.post_as(None, "/v1/one_time_codes", body).await;
    world.clock.advance(chrono::TimeDelta::hours(24));
    assert_eq!(one_time_codes::forget_old(&world.app).await.unwrap(), 0);
    world.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(one_time_codes::forget_old(&world.app).await.unwrap(), 1);
}

#[tokio::test]
async fn the_session_of_somebody_else_does_not_exist() {
    let world = World::new().await.with_regions().await;
    let (one, other) = (world.official(Role::Officer).await, world.official(Role::Finance).await);
    let sessions = world.get(&other, "/v1/sessions").await.ok();
    let id = sessions["items"][0]["id"].as_str().unwrap().to_owned();
    world.delete(&one, &format!("/v1/sessions/{id}")).await.refused(404, "not_found");
    assert_eq!(world.get(&other, "/v1/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_framework_error_has_the_shape_of_a_problem() {
    let world = World::new().await;
    world.get_as(None, "/v1/nothing").await.refused(404, "not_found");
    world.get_as(None, "/v1/me").await.refused(401, "not_signed_in");
    let wrong_method = Answer::of(world.request(Method::PUT, None, "/v1/sessions")).await;
    wrong_method.refused(405, "method_not_allowed");
    let text =
        world.request(Method::POST, None, "/v1/sessions").header("content-type", "text/plain").body("x");
    Answer::of(text).await.refused(415, "unsupported_media_type");
    let broken = world.request(Method::POST, None, "/v1/sessions").header("content-type", "application/json");
    Answer::of(broken.body("{")).await.refused(400, "malformed_request");
    let large = world.request(Method::POST, None, "/v1/sessions").header("content-type", "application/json");
    Answer::of(large.body(vec![b' '; 10 << 20])).await.refused(413, "body_too_large");
}
