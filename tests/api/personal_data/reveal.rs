//! Personal data in the clear, for a reason.

use serde_json::json;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::{ACCOUNT, ADDRESS, NUMBER, PHONE, SECRETS, events, made, new_household, with_household};
use crate::support::World;

const REASON: &str = "核对退回的付款";

#[tokio::test]
async fn at_p01_a_reveal_answers_what_was_asked_for_and_leaves_who_and_why_in_the_trail_without_the_values() {
    let (world, officer, id) = with_household().await;
    let path = format!("/v1/households/{id}/reveal");
    let finance = world.official(Role::Finance).await;
    let all = json!({ "fields": ["identity_number", "phone", "bank_account", "address"], "reason": REASON });
    let shown = world.post(&finance, &path, all).await.ok();
    let expected = json!({
        "id": id, "identity_number": NUMBER, "phone": PHONE, "bank_account": ACCOUNT, "address": ADDRESS,
    });
    assert_eq!(shown, expected);
    // Ids of one millisecond have no order among them.
    world.clock.advance(chrono::TimeDelta::milliseconds(1));
    let one = json!({ "fields": ["phone", "phone"], "reason": REASON });
    assert_eq!(world.post(&officer, &path, one).await.ok(), json!({ "id": id, "phone": PHONE }));
    let trail = events(&world, "reveal_household").await;
    assert_eq!(trail.len(), 2);
    assert_eq!(trail[0]["after"], json!({ "fields": ["phone"], "reason": REASON }));
    assert_eq!(trail[0]["actor_id"], officer.id.to_string());
    assert_eq!((&trail[1]["household_id"], &trail[1]["subject_id"]), (&json!(id), &json!(id)));
    assert_eq!(trail[1]["actor_id"], finance.id.to_string());
    for event in trail {
        assert!(SECRETS.iter().all(|secret| !event.to_string().contains(secret)), "{event}");
    }
}

#[tokio::test]
async fn at_p01_a_reveal_without_a_reason_or_with_somebodys_number_in_it_shows_nothing() {
    let (world, officer, id) = with_household().await;
    let path = format!("/v1/households/{id}/reveal");
    for body in [
        json!({ "fields": ["phone"] }),
        json!({ "fields": ["phone"], "reason": "核对" }),
        json!({ "fields": ["phone"], "reason": "核对 12900000001 的电话" }),
        json!({ "fields": [], "reason": REASON }),
        json!({ "fields": ["password"], "reason": REASON }),
        json!({ "fields": ["phone"], "reason": "长".repeat(201) }),
    ] {
        world.post(&officer, &path, body).await.refused(422, "invalid_value");
    }
    assert!(events(&world, "reveal_household").await.is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_absent_and_households_of_others_do_not_exist() {
    let (world, officer, id) = with_household().await;
    let bare = json!({ "village": crate::support::VILLAGES[0], "head_name": "李四", "status": "general" });
    let bare = made(&world, &officer, bare).await;
    let body = json!({ "fields": ["phone", "identity_number"], "reason": REASON });
    let shown = world.post(&officer, &format!("/v1/households/{bare}/reveal"), body.clone()).await.ok();
    assert_eq!(shown, json!({ "id": bare }));
    let path = format!("/v1/households/{id}/reveal");
    for region in ["341824000000", "341823101000"] {
        let elsewhere = world.person(Role::Finance, Place::Region(region.to_owned())).await;
        world.post(&elsewhere, &path, body.clone()).await.refused(404, "not_found");
    }
    let own = world.person(Role::Household, Place::Household(id.parse().unwrap())).await;
    world.post(&own, &path, body).await.refused(403, "not_allowed");
}

#[tokio::test]
async fn a_day_has_so_many_reveals_for_each_person_and_what_is_refused_leaves_nothing() {
    let world = World::with(|settings| settings.reveals_per_day_max = 3).await.with_regions().await;
    let (officer, other) = (world.official(Role::Officer).await, world.official(Role::Officer).await);
    let id = made(&world, &officer, new_household()).await;
    let path = format!("/v1/households/{id}/reveal");
    let body = json!({ "fields": ["phone"], "reason": REASON });
    let asked = (0..8).map(|_| world.post(&officer, &path, body.clone()));
    let answers = futures_util::future::join_all(asked).await;
    let shown = answers.iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(shown, 3);
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        answer.refused(429, "daily_limit_reached");
        // It is eight in the morning.
        assert_eq!(answer.header("retry-after"), (16 * 3_600).to_string());
        assert!(!answer.text.contains(PHONE));
    }
    assert_eq!(events(&world, "reveal_household").await.len(), 3);
    world.post(&other, &path, body.clone()).await.ok();
    world.stay_signed_in().await;
    world.clock.advance(chrono::TimeDelta::hours(16));
    world.post(&officer, &path, body).await.ok();
}
