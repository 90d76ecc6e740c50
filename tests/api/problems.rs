//! The specification of `/v1/problems`, as tests over HTTP.

mod books;
mod money;

use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::audit;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::problems::{self, Refreshed};

use crate::support::purse::Purse;
use crate::support::{Answer, Person, VILLAGES, World};

pub const PROBLEMS: &str = "/v1/problems";

pub async fn refresh(world: &World) -> (usize, usize) {
    let Refreshed { opened, closed } = problems::refresh(&world.app).await.unwrap();
    (opened, closed)
}

/// The problems of a query, newest first.
pub async fn problems(world: &World, by: &Person, query: &str) -> Vec<Json> {
    let listed = world.get(by, &format!("{PROBLEMS}?{query}")).await.ok();
    listed["items"].as_array().unwrap().clone()
}

pub async fn close(world: &World, by: &Person, problem: &Json) -> Answer {
    let path = format!("{PROBLEMS}/{}/close", problem["id"].as_str().unwrap());
    world.post(by, &path, json!({ "evidence": "见附件" })).await
}

/// Everything that concerns problems has its place in the trail.
pub async fn audited(world: &World) {
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    let about: Vec<_> = findings.iter().filter(|finding| finding.table == "problem").collect();
    assert!(about.is_empty(), "{about:#?}");
}

fn about(household: Uuid) -> Json {
    json!({
        "title": "茶叶受潮", "detail": "三箱茶叶在仓库受潮,需核对数量", "household_id": household, "owner": "officer",
        "due_on": "2027-03-08",
    })
}

struct County {
    world: World,
    officer: Person,
    finance: Person,
    household: Uuid,
}

impl County {
    async fn new() -> Self {
        let world = World::new().await.with_regions().await;
        let household = world.household(VILLAGES[0], "general").await;
        let officer = world.official(Role::Officer).await;
        let finance = world.official(Role::Finance).await;
        Self { world, officer, finance, household }
    }

    async fn raise(&self) -> Json {
        self.world.post(&self.officer, PROBLEMS, about(self.household)).await.created()
    }
}

#[tokio::test]
async fn a_problem_raised_by_hand_is_listed_until_it_is_closed_with_evidence() {
    let county = County::new().await;
    let world = &county.world;
    let made = world.post(&county.officer, PROBLEMS, about(county.household)).await;
    let problem = made.created();
    let path = format!("{PROBLEMS}/{}", problem["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    assert_eq!((&problem["rule"], &problem["state"]), (&json!("by_hand"), &json!("open")));
    assert_eq!((&problem["region"], &problem["county"]), (&json!(VILLAGES[0]), &json!("341823")));
    assert_eq!(problem["opened_by"], json!(county.officer.id));
    assert_eq!(problems(world, &county.finance, "state=open").await, std::slice::from_ref(&problem));
    assert_eq!(world.get(&county.finance, &path).await.ok(), problem);

    let closed = close(world, &county.finance, &problem).await.ok();
    assert_eq!((&closed["state"], &closed["evidence"]), (&json!("closed"), &json!("见附件")));
    assert_eq!(closed["closed_by"], json!(county.finance.id));
    assert_eq!(world.get(&county.officer, &path).await.ok(), closed);
    assert!(problems(world, &county.officer, "state=open").await.is_empty());
    assert_eq!(problems(world, &county.officer, "rule=by_hand&owner=officer").await.len(), 1);
    close(world, &county.officer, &problem).await.refused(409, "wrong_state");
    audited(world).await;
}

#[tokio::test]
async fn a_problem_is_raised_with_a_title_a_detail_and_a_day_to_come_and_closed_with_evidence() {
    let county = County::new().await;
    let world = &county.world;
    for (member, value, pointer) in [
        ("title", json!("   "), "/title"),
        ("detail", json!("   "), "/detail"),
        ("due_on", json!("2027-02-28"), "/due_on"),
        ("due_on", json!("2099-01-01"), "/due_on"),
    ] {
        let mut body = about(county.household);
        body[member] = value;
        let refused = world.post(&county.officer, PROBLEMS, body).await.refused(422, "invalid_value");
        assert_eq!(refused["pointer"], pointer);
    }
    let nobody = about(Uuid::now_v7());
    world.post(&county.officer, PROBLEMS, nobody).await.refused(404, "not_found");
    let path = format!("{PROBLEMS}/{}/close", county.raise().await["id"].as_str().unwrap());
    let refused = world.post(&county.officer, &path, json!({ "evidence": "  " })).await;
    assert_eq!(refused.refused(422, "invalid_value")["pointer"], "/evidence");
    world.get(&county.officer, "/v1/problems?rule=no_such_rule").await.refused(400, "malformed_request");
    let unknown = format!("{PROBLEMS}/{}/close", Uuid::now_v7());
    world.post(&county.officer, &unknown, json!({ "evidence": "见附件" })).await.refused(404, "not_found");
}

#[tokio::test]
async fn an_officer_sees_and_closes_the_problems_of_their_own_region_alone() {
    let county = County::new().await;
    let world = &county.world;
    let problem = county.raise().await;
    let own = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    let other = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    assert_eq!(problems(world, &own, "").await.len(), 1);
    assert!(problems(world, &other, "").await.is_empty());
    let path = format!("{PROBLEMS}/{}", problem["id"].as_str().unwrap());
    world.get(&other, &path).await.refused(404, "not_found");
    close(world, &other, &problem).await.refused(404, "not_found");
    world.post(&other, PROBLEMS, about(county.household)).await.refused(404, "not_found");
    let mut elsewhere = about(county.household);
    elsewhere["region"] = json!("341823101202");
    world.post(&own, PROBLEMS, elsewhere).await.refused(422, "invalid_value");
    close(world, &own, &problem).await.ok();
}

#[tokio::test]
async fn a_problem_about_nobody_lies_in_the_region_of_who_raises_it() {
    let county = County::new().await;
    let world = &county.world;
    let body = json!({ "title": "印章遗失", "detail": "补刻", "owner": "finance", "due_on": "2027-03-02" });
    let of_county = world.post(&county.finance, PROBLEMS, body.clone()).await.created();
    assert_eq!(of_county["region"], "341823000000");
    let township = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    let of_township = world.post(&township, PROBLEMS, body).await.created();
    assert_eq!(of_township["region"], "341823100000");
    assert_eq!(problems(world, &township, "").await, [of_township]);
}

#[tokio::test]
async fn a_problem_closed_below_the_service_is_found_by_the_audit() {
    let county = County::new().await;
    let problem = county.raise().await;
    let sql = "update problem set state = 'closed', closed_at = opened_at";
    county.world.execute(sql, Vec::new()).await;
    let findings = audit::verify(county.world.app.db.reader()).await.unwrap();
    let found = findings.iter().find(|finding| finding.table == "problem").unwrap();
    assert_eq!((json!(found.row_id), found.column), (problem["id"].clone(), "state"));
}

#[tokio::test]
async fn one_of_many_processes_refreshes_and_not_more_often_than_the_setting_says() {
    let purse = Purse::open().await;
    let app = &purse.world.app;
    let other = crate::support::second_process(&purse.world).await;
    assert_eq!(problems::sweep(app).await.unwrap(), None);
    purse.world.clock.advance(chrono::TimeDelta::minutes(10));
    assert_eq!(problems::sweep(app).await.unwrap(), Some(Refreshed::default()));
    assert_eq!(problems::sweep(&other).await.unwrap(), None);
    purse.world.clock.advance(chrono::TimeDelta::minutes(9));
    assert_eq!(problems::sweep(&other).await.unwrap(), None);
    purse.world.clock.advance(chrono::TimeDelta::minutes(1));
    assert_eq!(problems::sweep(&other).await.unwrap(), Some(Refreshed::default()));
}
