//! AT-P04 to AT-P06: what the audit trail holds, that nothing in it is changed, and what tells when somebody did.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::trail::{self, Actor, Event, chain};

use super::{count, id_of};
use crate::access::arranged::{OWN, Side};
use crate::support::builders::ONLY_ADDED;
use crate::support::{COUNTY, PASSWORD, World};
use crate::tampering::{audited, chain as books};

/// Events of the trail by operation, as an auditor reads them, and each tells who, when, what and in which request.
async fn events(world: &World, auditor: &crate::support::Person) -> BTreeMap<String, usize> {
    let (mut counts, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = world.get(auditor, &format!("/v1/audit_events?limit=200{cursor}")).await.ok();
        for event in page["items"].as_array().unwrap() {
            for member in ["id", "at", "actor_role", "action", "subject_kind", "subject_id"] {
                assert!(event[member].is_string(), "{member} of {event}");
            }
            // What the test makes below the API is done by nobody.
            if event["actor_role"] != "test" {
                assert!(event["actor_id"].is_string() && event["request_id"].is_string(), "{event}");
            }
            *counts.entry(event["action"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return counts,
        }
    }
}

/// What is written is counted here, and what leaves the house in files and on paper. What is only refused writes nothing
/// and is in the log.
#[tokio::test]
async fn at_p04_everything_that_was_done_stands_in_the_trail_as_often_as_it_was_done() {
    let world = World::new().await.with_regions().await;
    let side = Side::arrange(&world, OWN).await;
    let auditor = side.person(Role::Auditor);
    let before = events(&world, auditor).await;
    for _ in 0..3 {
        let body = json!({ "account": side.account(Role::Officer), "password": PASSWORD });
        world.post_as(None, "/v1/sessions", body).await.created();
    }
    let finance = side.person(Role::Finance);
    let file = format!("/v1/payout_batches/{}/file?format=csv", side.id("payout_batch"));
    for _ in 0..2 {
        assert_eq!(world.get(finance, &file).await.status, 200);
    }
    let paper = format!("/v1/papers/{}/prints", side.id("paper"));
    assert_eq!(world.post(finance, &paper, Value::Null).await.status, 200);
    let confirm = format!("/v1/orders/{}/confirm", side.id("placed_order"));
    world.post(side.person(Role::Approver), &confirm, Value::Null).await.ok();
    world.post(side.person(Role::Approver), &confirm, Value::Null).await.refused(409, "wrong_state");
    world.post(side.person(Role::Buyer), &confirm, Value::Null).await.refused(403, "not_allowed");
    let done = [("create_session", 3), ("write_payout_file", 2), ("print_paper", 1), ("confirm_order", 1)];
    let after = events(&world, auditor).await;
    for (action, count) in &after {
        let more = count - before.get(action).unwrap_or(&0);
        let expected = done.iter().find(|(named, _)| named == action).map_or(0, |(_, count)| *count);
        assert_eq!(more, expected, "{action}: {after:?}");
    }
}

/// No role of its own is needed: the tables refuse it to everybody, the application and their owner too, until the owner
/// takes the guards away; what is changed then is found and named.
#[tokio::test]
async fn at_p05_rows_of_trail_and_ledger_are_not_changed_and_who_takes_the_guards_away_is_found() {
    let world = books::books().await;
    while chain::sweep(&world.app).await.unwrap() > 0 {}
    let connection = Database::connect(world.database_url()).await.unwrap();
    for table in ONLY_ADDED {
        let rows = count(&world, table).await;
        assert!(rows > 0, "{table}");
        let column = match table {
            "trail_link" | "chained_event" => "digest",
            "audit_event" => "action",
            "ledger_entry" => "kind",
            _ => "occurred_on",
        };
        for sql in [format!("update {table} set {column} = {column}"), format!("delete from {table}")] {
            let statement = Statement::from_string(connection.get_database_backend(), &sql);
            let refused = connection.execute_raw(statement).await.unwrap_err().to_string();
            assert!(refused.contains(&format!("rows of {table} are only added")), "{sql}: {refused}");
        }
        assert_eq!(count(&world, table).await, rows, "{table}");
    }
    connection.close().await.unwrap();
    assert_eq!(audited(world.database_url(), &[]).0, Some(0));
    let order = "update audit_event set actor_role = 'finance' where action = 'confirm_order'";
    let changed = world.tamper(order, Vec::new()).await;
    assert!(changed > 0);
    let (code, stdout, stderr) = audited(world.database_url(), &[]);
    assert_eq!(code, Some(3), "{stderr}");
    let named = stdout.lines().filter(|line| line.starts_with("invariant 8, audit_event, ")).count();
    assert_eq!(u64::try_from(named).unwrap(), changed, "{stdout}");
}

/// Ten more events, in a link of their own.
async fn ten_more(world: &World) {
    for number in 0..10 {
        let event = Event {
            county_code: Some(COUNTY.to_owned()),
            household_id: None,
            action: "explain_bank_statement_line",
            subject_kind: "bank_statement_explanation",
            subject_id: Uuid::now_v7(),
            before: None,
            after: Some(json!({ "note": number })),
        };
        let txn = world.app.db.begin().await.unwrap();
        let actor = Actor::service("test");
        trail::record(&txn, &world.app.ids, world.clock.now(), &actor, vec![event]).await.unwrap();
        txn.commit(()).await.unwrap();
    }
    assert_eq!(chain::sweep(&world.app).await.unwrap(), 10);
}

#[tokio::test]
async fn at_p06_a_tail_that_was_cut_cleanly_is_found_by_the_head_that_was_kept() {
    let world = books::books().await;
    while chain::sweep(&world.app).await.unwrap() > 0 {}
    world.clock.advance(chrono::TimeDelta::seconds(1));
    ten_more(&world).await;
    let (code, stdout, stderr) = audited(world.database_url(), &["--json"]);
    let verdict: Value = serde_json::from_str(&stdout).unwrap();
    let kept = verdict["head"].as_str().unwrap().to_owned();
    let number = kept.split(':').next().unwrap();
    assert_eq!(code, Some(0), "{stderr}");
    let of_link = format!("select event_id from chained_event where link_number = {number}");
    world.tamper(&format!("create table cut as {of_link}"), Vec::new()).await;
    world.execute(&format!("delete from chained_event where link_number = {number}"), Vec::new()).await;
    world.execute(&format!("delete from trail_link where number = {number}"), Vec::new()).await;
    let sql = "delete from audit_event where id in (select event_id from cut)";
    assert_eq!(world.execute(sql, Vec::new()).await, 10);
    world.execute("drop table cut", Vec::new()).await;
    let (code, _, stderr) = audited(world.database_url(), &[]);
    assert_eq!(code, Some(0), "the database alone cannot tell: {stderr}");
    let (code, stdout, _) = audited(world.database_url(), &["--head", &kept]);
    assert_eq!(code, Some(3));
    assert!(
        stdout.starts_with(&format!("invariant 8, trail_link, {number}, digest, stored nothing")),
        "{stdout}"
    );
}

/// Of what an administrator does, too: there is no sign-in that leaves nothing.
#[tokio::test]
async fn at_p04_a_session_that_is_ended_leaves_who_ended_it() {
    let world = World::new().await.with_regions().await;
    let admin = world.official(Role::Admin).await;
    let auditor = world.official(Role::Auditor).await;
    world.clock.advance(chrono::TimeDelta::seconds(1));
    assert_eq!(world.delete(&admin, "/v1/sessions/current").await.status, 204);
    let path = format!("/v1/audit_events?actor_id={}", admin.id);
    let own = world.get(&auditor, &path).await.ok();
    let actions: Vec<&str> =
        own["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!((actions.len(), actions[1]), (2, "create_session"), "{own}");
    assert_ne!(id_of(&own["items"][0]), id_of(&own["items"][1]));
}
