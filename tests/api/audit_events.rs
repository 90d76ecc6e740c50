//! The specification of `/v1/audit_events`, as tests over HTTP.

use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::trail::{self, Actor, Event};

use crate::support::{COUNTY, Person, World};

/// Writes `count` events about fresh lots of a county, oldest first, and answers the lots.
async fn written(world: &World, county: &str, by: Option<Uuid>, count: i64) -> Vec<Uuid> {
    let mut lots = Vec::new();
    for position in 0..count {
        world.clock.advance(chrono::TimeDelta::seconds(1));
        let lot = Uuid::now_v7();
        let event = Event {
            county_code: Some(county.to_owned()),
            household_id: Some(lot),
            action: "create_lot",
            subject_kind: "lot",
            subject_id: lot,
            before: None,
            after: Some(json!({ "offered_base": position })),
        };
        let actor = Actor { principal_id: by, role: "helper", request_id: None, peer: None };
        let txn = world.app.db.begin().await.unwrap();
        trail::record(&txn, &world.app.ids, world.clock.now(), &actor, vec![event]).await.unwrap();
        txn.commit(()).await.unwrap();
        lots.push(lot);
    }
    lots
}

async fn listed(world: &World, by: &Person, query: &str) -> Vec<Value> {
    world.get(by, &format!("/v1/audit_events?{query}")).await.ok()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_auditor_reads_who_wrote_what_before_and_after_newest_first() {
    let world = World::new().await.with_regions().await;
    let auditor = world.official(Role::Auditor).await;
    let writer = Uuid::now_v7();
    let lots = written(&world, COUNTY, Some(writer), 3).await;
    let items = listed(&world, &auditor, "subject_kind=lot").await;
    let subjects: Vec<&str> = items.iter().map(|item| item["subject_id"].as_str().unwrap()).collect();
    let newest_first: Vec<String> = lots.iter().rev().map(Uuid::to_string).collect();
    assert_eq!(subjects, newest_first);
    let newest = &items[0];
    assert_eq!(newest["actor_id"], writer.to_string());
    assert_eq!((&newest["actor_role"], &newest["action"]), (&json!("helper"), &json!("create_lot")));
    assert_eq!((&newest["before"], &newest["after"]), (&Value::Null, &json!({ "offered_base": 2 })));
}

#[tokio::test]
async fn the_trail_is_filtered_by_thing_and_by_person() {
    let world = World::new().await.with_regions().await;
    let auditor = world.official(Role::Auditor).await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let lots = written(&world, COUNTY, Some(one), 2).await;
    written(&world, COUNTY, Some(other), 3).await;
    assert_eq!(listed(&world, &auditor, &format!("subject_id={}", lots[0])).await.len(), 1);
    assert_eq!(listed(&world, &auditor, &format!("actor_id={other}")).await.len(), 3);
    let both = format!("subject_kind=lot&actor_id={one}&subject_id={}", lots[1]);
    assert_eq!(listed(&world, &auditor, &both).await.len(), 1);
    assert_eq!(listed(&world, &auditor, &format!("subject_kind=order&actor_id={one}")).await.len(), 0);
}

#[tokio::test]
async fn pages_of_the_trail_join_without_a_gap_or_a_repeat() {
    let world = World::new().await.with_regions().await;
    let auditor = world.official(Role::Auditor).await;
    let lots = written(&world, COUNTY, None, 5).await;
    let mut seen = Vec::new();
    let mut path = "/v1/audit_events?subject_kind=lot&limit=2".to_owned();
    loop {
        let answer = world.get(&auditor, &path).await;
        let page = answer.ok();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["subject_id"].as_str().unwrap().parse::<Uuid>().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/audit_events?subject_kind=lot&limit=2&cursor={cursor}");
        assert!(answer.header("link").contains(&path));
    }
    assert_eq!(seen, lots.into_iter().rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_trail_of_another_county_does_not_exist_for_an_auditor_and_a_province_sees_its_counties() {
    let world = World::new().await.with_regions().await;
    let county = world.official(Role::Auditor).await;
    let province = world.person(Role::Auditor, Place::Region("340000000000".to_owned())).await;
    let township = world.person(Role::Auditor, Place::Region("341823100000".to_owned())).await;
    let ours = written(&world, COUNTY, None, 1).await;
    let theirs = written(&world, "341824", None, 1).await;
    written(&world, "350100", None, 1).await;
    let subjects = |items: Vec<Value>| -> Vec<String> {
        items.iter().map(|item| item["subject_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(listed(&world, &county, "subject_kind=lot").await), [ours[0].to_string()]);
    let seen = subjects(listed(&world, &province, "subject_kind=lot").await);
    assert_eq!(seen, [theirs[0].to_string(), ours[0].to_string()]);
    assert!(listed(&world, &township, "").await.is_empty());
}

#[tokio::test]
async fn nobody_but_an_auditor_reads_the_trail() {
    let world = World::new().await.with_regions().await;
    world.get_as(None, "/v1/audit_events").await.refused(401, "not_signed_in");
    for role in [Role::Officer, Role::Finance, Role::Admin] {
        let person = world.official(role).await;
        world.get(&person, "/v1/audit_events").await.refused(403, "not_allowed");
    }
    let household = world.household("341823100001", "registered").await;
    let institution = world.institution("示范医院", "hospital").await;
    for (role, place) in [
        (Role::Household, Place::Household(household)),
        (Role::Helper, Place::Pairings),
        (Role::Buyer, Place::Institution(institution)),
        (Role::Approver, Place::Institution(institution)),
    ] {
        let person = world.person(role, place).await;
        world.get(&person, "/v1/audit_events").await.refused(403, "not_allowed");
    }
}

#[tokio::test]
async fn a_bad_page_or_filter_is_refused() {
    let world = World::new().await.with_regions().await;
    let auditor = world.official(Role::Auditor).await;
    for query in ["limit=0", "limit=201", "subject_id=1", "actor_id=x", "subject_kind="] {
        let answer = world.get(&auditor, &format!("/v1/audit_events?{query}")).await;
        assert!(answer.status.is_client_error(), "{query}: {}", answer.text);
    }
    world.get(&auditor, "/v1/audit_events?cursor=1-zz").await.refused(400, "cursor_expired");
}
