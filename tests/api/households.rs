//! The specification of /v1/households, as tests over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::{Answer, COUNTY, Person, VILLAGES, World};

const OTHER_REGION: &str = "341824000000";

/// One person of every role, with a household, an institution, and a pairing of the helper with the household.
pub struct Cast {
    pub world: World,
    pub household_id: Uuid,
    pub institution_id: Uuid,
    pub people: Vec<Person>,
}

impl Cast {
    pub async fn new() -> Self {
        let world = World::new().await.with_regions().await;
        let household_id = world.household(VILLAGES[0], "registered").await;
        let institution_id = world.institution("示范中学", "school").await;
        let mut people = Vec::new();
        for role in Role::ALL {
            let place = match role {
                Role::Household => Place::Household(household_id),
                Role::Helper => Place::Pairings,
                Role::Buyer | Role::Approver => Place::Institution(institution_id),
                _ => Place::Region("341823000000".to_owned()),
            };
            people.push(world.person(role, place).await);
        }
        let cast = Self { world, household_id, institution_id, people };
        pair(&cast.world, cast.get(Role::Helper), household_id).await;
        cast
    }

    pub fn get(&self, role: Role) -> &Person {
        self.people.iter().find(|person| person.role == role).unwrap()
    }

    /// Every role outside `allowed`, and nobody, is refused before anything else is looked at.
    pub async fn only(&self, allowed: &[Role], method: Method, path: &str, body: Option<Value>) {
        let request = |by: Option<&Person>| {
            let request = self.world.request(method.clone(), by, path).header("If-Match", "\"1\"");
            match &body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        Answer::of(request(None)).await.refused(401, "not_signed_in");
        for person in &self.people {
            let answer = Answer::of(request(Some(person))).await;
            if allowed.contains(&person.role) {
                let is_refused = matches!(answer.status.as_u16(), 401 | 403 | 404);
                assert!(!is_refused, "{:?}: {}", person.role, answer.text);
            } else {
                assert_eq!(answer.status.as_u16(), 403, "{:?}: {}", person.role, answer.text);
                answer.refused(403, "not_allowed");
            }
        }
    }
}

pub async fn pair(world: &World, helper: &Person, household_id: Uuid) {
    let sql = "insert into pairing (id, county_code, helper_id, household_id, from_on, created_at)
               values ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        Uuid::now_v7().into(),
        COUNTY.into(),
        helper.id.into(),
        household_id.into(),
        world.clock.today().into(),
        world.clock.now().into(),
    ];
    world.execute(sql, values).await;
}

fn new_household() -> Value {
    json!({
        "village": VILLAGES[1], "head_name": "仲雅妮", "status": "registered", "status_from": "2021-03-01",
        "phone": "138 1234-5678", "bank_account": "6228480402564890018", "external_ref": "泾-001",
        "consent_on": "2021-03-01",
    })
}

#[tokio::test]
async fn an_officer_makes_a_household_and_reads_it_back_masked() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let answer = world.post(&officer, "/v1/households", new_household()).await;
    let made = answer.created();
    assert_eq!(answer.header("etag"), "\"1\"");
    let read = world.get(&officer, answer.header("location")).await.ok();
    assert_eq!(read, made);
    assert_eq!((&read["head_name"], &read["phone"]), (&json!("仲雅妮"), &json!("138****5678")));
    assert_eq!((&read["bank_account"], &read["county"]), (&json!("****0018"), &json!("341823")));
    assert_eq!(read["statuses"], json!([{"status": "registered", "from_on": "2021-03-01"}]));
}

#[tokio::test]
async fn finance_and_auditors_see_the_name_of_a_household_masked() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let id = world.post(&officer, "/v1/households", new_household()).await.created()["id"].clone();
    let path = format!("/v1/households/{}", id.as_str().unwrap());
    for role in [Role::Finance, Role::Auditor] {
        let person = world.official(role).await;
        assert_eq!(world.get(&person, &path).await.ok()["head_name"], "仲*妮");
        let listed = world.get(&person, "/v1/households").await.ok();
        assert_eq!(listed["items"][0]["head_name"], "仲*妮");
    }
}

#[tokio::test]
async fn phone_and_bank_account_are_nowhere_in_the_database_in_the_clear() {
    use sea_orm::{ConnectionTrait, Database, Statement};

    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let id = world.post(&officer, "/v1/households", new_household()).await.created()["id"].clone();
    let path = format!("/v1/households/{}", id.as_str().unwrap());
    let changes = json!({"phone": "13912345679", "bank_account": "6228480402564890026"});
    world.patch(&officer, &path, "\"1\"", changes).await.ok();
    let connection = Database::connect(world.database_url()).await.unwrap();
    let sql = "select phone_sealed as one, bank_account_sealed as two from household
               union all select cast(after_json as text), cast(before_json as text) from audit_event";
    let rows = connection
        .query_all_raw(Statement::from_string(connection.get_database_backend(), sql))
        .await
        .unwrap();
    assert!(rows.len() >= 3);
    let mut sealed = 0;
    for row in rows {
        for column in ["one", "two"] {
            let text = row.try_get::<Option<String>>("", column).unwrap().unwrap_or_default();
            sealed += usize::from(text.starts_with("v2:aes256gcm:test:"));
            for secret in ["5678", "5679", "0018", "0026", "仲雅妮"] {
                assert!(!text.contains(secret) || text.starts_with("v2:"), "{text}");
            }
        }
    }
    assert_eq!(sealed, 2);
}

#[tokio::test]
async fn without_a_file_of_keys_a_phone_is_refused_and_the_rest_works() {
    let world = World::with(|settings| settings.keys = Some("/nowhere/zhuxiao.keys".into())).await;
    let world = world.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let refused = world.post(&officer, "/v1/households", new_household()).await;
    assert!(refused.refused(503, "keys_missing")["detail"].as_str().unwrap().contains("ZHUXIAO_KEYS"));
    let plain = json!({"village": VILLAGES[0], "head_name": "李四", "status": "general"});
    world.post(&officer, "/v1/households", plain).await.created();
}

#[tokio::test]
async fn a_village_that_is_unknown_revoked_no_village_or_elsewhere_is_refused() {
    let world = World::new().await.with_regions().await;
    let officer = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    let revoked = "update region set valid_to = $1 where code = $2";
    let day: chrono::NaiveDate = "2027-02-28".parse().unwrap();
    world.execute(revoked, vec![day.into(), VILLAGES[3].into()]).await;
    for (village, code) in [
        ("341823999999", "region_unknown"),
        ("no digits", "region_unknown"),
        (VILLAGES[3], "region_revoked"),
        ("341823101", "invalid_value"),
        (VILLAGES[0], "invalid_value"),
    ] {
        let mut body = new_household();
        body["village"] = json!(village);
        let refused = world.post(&officer, "/v1/households", body).await.refused(422, code);
        assert_eq!(refused["pointer"], "/village");
    }
}

#[tokio::test]
async fn a_value_that_is_not_acceptable_is_named() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for (member, value) in [
        ("phone", json!("12345678")),
        ("bank_account", json!("not digits at all")),
        ("head_name", json!("   ")),
        ("status_from", json!("2027-03-02")),
        ("consent_on", json!("2027-03-02")),
        ("status", json!("poor")),
    ] {
        let mut body = new_household();
        body[member] = value;
        let refused = world.post(&officer, "/v1/households", body).await.refused(422, "invalid_value");
        assert_eq!(refused["pointer"], format!("/{member}"));
    }
}

#[tokio::test]
async fn an_external_reference_is_taken_once_per_county() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    world.post(&officer, "/v1/households", new_household()).await.created();
    world.post(&officer, "/v1/households", new_household()).await.refused(409, "duplicate");
    assert_eq!(world.get(&officer, "/v1/households").await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_list_is_paged_newest_first_and_filtered_by_region_and_status() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let mut ids = Vec::new();
    for village in VILLAGES {
        ids.push(world.household(village, "registered").await);
    }
    ids.push(world.household(VILLAGES[3], "general").await);
    let first = world.get(&officer, "/v1/households?limit=3").await;
    assert!(first.header("link").contains("limit=3&cursor="));
    let cursor = first.ok()["next_cursor"].as_str().unwrap().to_owned();
    let second = world.get(&officer, &format!("/v1/households?limit=3&cursor={cursor}")).await.ok();
    let listed = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap()).collect::<Vec<_>>()
    };
    let mut seen = listed(&first.ok());
    seen.extend(listed(&second));
    assert_eq!(seen, ids.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(second.get("next_cursor"), None);
    let filtered = world.get(&officer, "/v1/households?region=341823101&status=registered").await.ok();
    assert_eq!(listed(&filtered), [ids[3], ids[2]]);
    world.get(&officer, "/v1/households?cursor=x").await.refused(400, "cursor_expired");
    world.get(&officer, "/v1/households?region=zz").await.refused(400, "malformed_request");
}

#[tokio::test]
async fn a_household_outside_the_scope_does_not_exist() {
    let cast = Cast::new().await;
    let world = &cast.world;
    let other = world.household(VILLAGES[2], "general").await;
    let path = format!("/v1/households/{other}");
    let elsewhere = world.person(Role::Officer, Place::Region(OTHER_REGION.to_owned())).await;
    let township = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    for person in [cast.get(Role::Household), cast.get(Role::Helper), &elsewhere, &township] {
        world.get(person, &path).await.refused(404, "not_found");
        world.patch(person, &path, "\"1\"", json!({"phone": "13812345678"})).await.refused(404, "not_found");
    }
    for person in [&elsewhere, &township] {
        let status = json!({"status": "registered", "from_on": "2027-03-01"});
        world.post(person, &format!("{path}/statuses"), status).await.refused(404, "not_found");
    }
    let visit = json!({"visited_on": "2027-03-01", "outcome": "has_unsold"});
    let visits = format!("{path}/survey_visits");
    world.post(cast.get(Role::Helper), &visits, visit).await.refused(404, "not_found");
    world.get(cast.get(Role::Officer), &path).await.ok();
}

#[tokio::test]
async fn each_role_does_only_what_is_its_own() {
    use Role::{Auditor, Finance, Helper, Household, Officer};

    let cast = Cast::new().await;
    let path = format!("/v1/households/{}", cast.household_id);
    cast.only(&[Officer], Method::POST, "/v1/households", Some(new_household())).await;
    let readers = [Household, Helper, Officer, Finance, Auditor];
    cast.only(&readers, Method::GET, "/v1/households", None).await;
    cast.only(&readers, Method::GET, &path, None).await;
    let phone = json!({"phone": "13812345678"});
    cast.only(&[Household, Helper, Officer], Method::PATCH, &path, Some(phone)).await;
    cast.only(&[Officer], Method::PATCH, &path, Some(json!({"head_name": "李四"}))).await;
    let visit = json!({"visited_on": "2027-03-01", "outcome": "not_reached"});
    cast.only(&[Helper, Officer], Method::POST, &format!("{path}/survey_visits"), Some(visit)).await;
    let status = json!({"status": "general", "from_on": "2027-03-01"});
    cast.only(&[Officer], Method::POST, &format!("{path}/statuses"), Some(status)).await;
}

#[tokio::test]
async fn an_edit_needs_the_version_that_was_read() {
    let cast = Cast::new().await;
    let (world, officer) = (&cast.world, cast.get(Role::Officer));
    let path = format!("/v1/households/{}", cast.household_id);
    let changes = json!({"phone": "13812345678"});
    let bare = world.request(Method::PATCH, Some(officer), &path).json(&changes);
    Answer::of(bare).await.refused(428, "if_match_missing");
    let etag = world.get(officer, &path).await.header("etag").to_owned();
    let edited = world.patch(cast.get(Role::Household), &path, &etag, changes.clone()).await;
    assert_eq!((&edited.ok()["phone"], edited.header("etag")), (&json!("138****5678"), "\"2\""));
    world.patch(officer, &path, &etag, changes).await.refused(412, "stale_version");
}

#[tokio::test]
async fn a_helper_loses_the_household_when_the_pairing_has_ended() {
    let cast = Cast::new().await;
    let (world, helper) = (&cast.world, cast.get(Role::Helper));
    let path = format!("/v1/households/{}", cast.household_id);
    world.get(helper, &path).await.ok();
    let day = world.clock.today();
    world.execute("update pairing set to_on = $1", vec![day.into()]).await;
    world.get(helper, &path).await.ok();
    world.execute("update pairing set to_on = $1", vec![day.pred_opt().unwrap().into()]).await;
    world.get(helper, &path).await.refused(404, "not_found");
    assert_eq!(world.get(helper, "/v1/households").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_new_status_closes_the_one_before_on_the_day_before() {
    let cast = Cast::new().await;
    let (world, officer) = (&cast.world, cast.get(Role::Officer));
    let path = format!("/v1/households/{}", cast.household_id);
    let status = json!({"status": "monitored_unstable", "from_on": "2026-05-01"});
    let changed = world.post(officer, &format!("{path}/statuses"), status).await;
    assert_eq!(changed.created()["status"], "monitored_unstable");
    let read = world.get(officer, &path).await.ok();
    let expected = json!([
        {"status": "monitored_unstable", "from_on": "2026-05-01"},
        {"status": "registered", "from_on": "2020-01-01", "to_on": "2026-04-30"},
    ]);
    assert_eq!(read["statuses"], expected);
    for (status, from_on, pointer) in [
        ("general", "2027-03-02", "/from_on"),
        ("general", "2026-05-01", "/from_on"),
        ("general", "2020-06-01", "/from_on"),
        ("monitored_unstable", "2026-06-01", "/status"),
    ] {
        let body = json!({"status": status, "from_on": from_on});
        let refused = world.post(officer, &format!("{path}/statuses"), body).await;
        assert_eq!(refused.refused(422, "invalid_value")["pointer"], pointer);
    }
    assert_eq!(world.get(officer, &path).await.ok()["statuses"], expected);
}

#[tokio::test]
async fn of_two_status_changes_at_once_for_the_same_day_one_is_refused() {
    let cast = Cast::new().await;
    let (world, officer) = (&cast.world, cast.get(Role::Officer));
    let path = format!("/v1/households/{}/statuses", cast.household_id);
    let change =
        |status: &str| world.post(officer, &path, json!({"status": status, "from_on": "2027-03-01"}));
    let (one, other) = tokio::join!(change("general"), change("monitored_marginal"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
}

#[tokio::test]
async fn a_survey_visit_is_the_last_one_shown_and_never_lies_in_the_future() {
    let cast = Cast::new().await;
    let (world, helper) = (&cast.world, cast.get(Role::Helper));
    let path = format!("/v1/households/{}", cast.household_id);
    let visits = format!("{path}/survey_visits");
    for (day, outcome) in [("2027-02-27", "has_unsold"), ("2027-02-20", "not_reached")] {
        let visit = json!({"visited_on": day, "outcome": outcome, "note": "80 jin of tea"});
        world.post(helper, &visits, visit).await.created();
    }
    let read = world.get(helper, &path).await.ok();
    assert_eq!(read["last_visit"], json!({"visited_on": "2027-02-27", "outcome": "has_unsold"}));
    let tomorrow = json!({"visited_on": "2027-03-02", "outcome": "has_unsold"});
    world.post(helper, &visits, tomorrow).await.refused(422, "invalid_value");
}
