//! Households that ask to be erased.

use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::audit;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::trail::chain;

use super::{ADDRESS, NAME, NUMBER, PHONE, events, stored_texts, with_household};
use crate::support::purse::Purse;
use crate::support::{Person, World};

/// A household that sold tea and was paid out for it, and everybody who has to do with it.
struct Settled {
    purse: Purse,
    officer: Person,
    own: Person,
    id: Uuid,
    lot: String,
}

impl Settled {
    /// Everything happened but the payout.
    async fn owed() -> Self {
        let purse = Purse::open().await;
        let id = purse.households(1).await[0];
        let world = &purse.world;
        let officer = world.official(Role::Officer).await;
        let personal = json!({
            "head_name": NAME, "identity_number": NUMBER, "phone": PHONE, "address": ADDRESS,
            "external_ref": "泾-001",
        });
        world.patch(&officer, &format!("/v1/households/{id}"), "\"1\"", personal).await.ok();
        let own = world.person(Role::Household, Place::Household(id)).await;
        purse.sold(&[(id, 5_000)]).await;
        purse.pay("50.00").await;
        let lots = world.get(&officer, &format!("/v1/lots?household_id={id}")).await.ok();
        let lot = lots["items"][0]["id"].as_str().unwrap().to_owned();
        Self { purse, officer, own, id, lot }
    }

    async fn paid_out(self) -> Self {
        let world = &self.purse.world;
        let second = world.official(Role::Finance).await;
        let body = json!({ "up_to": world.clock.today() });
        let batch = world.post(&self.purse.finance, "/v1/payout_batches", body).await.created();
        let path = format!("/v1/payout_batches/{}", batch["id"].as_str().unwrap());
        world.post(&second, &format!("{path}/approve"), json!({})).await.ok();
        let payouts = world.get(&second, &format!("{path}/payouts")).await.ok();
        let paid = json!({ "results": [{ "payout_id": payouts["items"][0]["id"], "result": "paid" }] });
        world.post(&self.purse.finance, &format!("{path}/results"), paid).await.ok();
        self
    }

    async fn withdraw_lot(&self) {
        let path = format!("/v1/lots/{}/withdraw", self.lot);
        self.purse.world.post(&self.officer, &path, json!({})).await.ok();
    }

    async fn request(&self) -> String {
        asked(&self.purse.world, &self.own).await
    }

    async fn approve(&self, request: &str) -> crate::support::Answer {
        let path = format!("/v1/erasure_requests/{request}/approve");
        self.purse.world.post(&self.officer, &path, Value::Null).await
    }
}

async fn asked(world: &World, own: &Person) -> String {
    let made = world.post(own, "/v1/me/erasure_requests", json!({ "reason": "不再销售" })).await.created();
    assert_eq!(made["state"], "requested");
    made["id"].as_str().unwrap().to_owned()
}

/// What test builders write below the API, without events.
fn is_arranged(finding: &audit::Finding) -> bool {
    finding.invariant == 8
        && ["household", "institution", "product", "lot", "purchase_order", "delivery", "acceptance"]
            .contains(&finding.table)
}

#[tokio::test]
async fn at_p08_an_approved_request_takes_what_is_personal_and_leaves_books_and_trail_whole() {
    let settled = Settled::owed().await.paid_out().await;
    settled.withdraw_lot().await;
    let world = &settled.purse.world;
    let before = audit::verify(world.app.db.reader()).await.unwrap();
    chain::sweep(&world.app).await.unwrap();
    let head = chain::head(world.app.db.reader()).await.unwrap().unwrap();
    let request = settled.request().await;
    let approved = settled.approve(&request).await.ok();
    assert_eq!(
        (&approved["state"], &approved["decided_by"]),
        (&json!("approved"), &json!(settled.officer.id))
    );

    let path = format!("/v1/households/{}", settled.id);
    let left = world.get(&settled.officer, &path).await.ok();
    let short = &settled.id.simple().to_string()[24..];
    assert_eq!(left["head_name"], format!("已注销{short}"));
    for gone in ["identity_number", "phone", "bank_account", "address", "external_ref"] {
        assert_eq!(left.get(gone), None, "{gone}");
    }
    for text in stored_texts(world).await {
        assert!(
            ![NAME, NUMBER, PHONE, ADDRESS, "泾-001"].iter().any(|secret| text.contains(secret)),
            "{text}"
        );
    }
    world.get(&settled.own, "/v1/me").await.refused(401, "not_signed_in");

    chain::sweep(&world.app).await.unwrap();
    let mut verdict = audit::verify_with(world.app.db.reader(), None, |_, _| {}).await.unwrap();
    audit::compare_head(world.app.db.reader(), &head, &mut verdict).await.unwrap();
    verdict.findings.retain(|finding| !is_arranged(finding) && !before.contains(finding));
    assert!(verdict.findings.is_empty(), "{:#?}", verdict.findings);
    settled.purse.audited().await;
    let (received, paid_out) = settled.purse.received_and_paid_out(settled.id).await;
    assert_eq!((received, paid_out), (5_000, 5_000));
    let trail = events(world, "erase_household").await;
    assert_eq!(trail[0]["after"]["principals_retired"], 1);
}

#[tokio::test]
async fn at_p08_nobody_is_erased_who_has_a_lot_on_sale_or_money_to_come_and_the_answer_says_what_to_do() {
    let settled = Settled::owed().await;
    let request = settled.request().await;
    let told =
        settled.approve(&request).await.refused(409, "still_bound")["detail"].as_str().unwrap().to_owned();
    assert!(told.contains("1 lots are on sale") && told.contains("50.00 is owed"), "{told}");
    settled.withdraw_lot().await;
    let settled = settled.paid_out().await;
    let left =
        settled.purse.world.get(&settled.officer, &format!("/v1/households/{}", settled.id)).await.ok();
    assert_eq!(left["head_name"], NAME, "the refused approval took nothing");
    settled.approve(&request).await.ok();
    settled.approve(&request).await.refused(409, "wrong_state");
}

#[tokio::test]
async fn an_erased_household_is_not_edited_visited_or_sold_for_any_more() {
    let (world, officer, id) = with_household().await;
    let tea = world.product("tea").await;
    let own = world.person(Role::Household, Place::Household(id.parse().unwrap())).await;
    let request = asked(&world, &own).await;
    world.post(&officer, &format!("/v1/erasure_requests/{request}/approve"), Value::Null).await.ok();
    let path = format!("/v1/households/{id}");
    world.patch(&officer, &path, "\"2\"", json!({ "phone": PHONE })).await.refused(409, "wrong_state");
    let status = json!({ "status": "general", "from_on": "2027-03-01" });
    world.post(&officer, &format!("{path}/statuses"), status).await.refused(409, "wrong_state");
    let visit = json!({ "visited_on": "2027-03-01", "outcome": "has_unsold" });
    world.post(&officer, &format!("{path}/survey_visits"), visit).await.refused(409, "wrong_state");
    let lot = json!({
        "household_id": id, "product_id": tea, "quantity": { "amount": "5", "unit": "kg" },
        "price": { "amount": "40.00", "per": "kg" }, "ready_from": "2027-03-01", "sell_by": "2027-12-31",
    });
    world.post(&officer, "/v1/lots", lot).await.refused(409, "wrong_state");
    let found = world.post(&officer, "/v1/households/find", json!({ "identity_number": NUMBER })).await.ok();
    assert_eq!(found, json!({ "items": [] }));
}

#[tokio::test]
async fn a_request_is_made_once_decided_once_and_seen_in_its_region_alone() {
    let (world, officer, id) = with_household().await;
    let own = world.person(Role::Household, Place::Household(id.parse().unwrap())).await;
    let request = asked(&world, &own).await;
    world.post(&own, "/v1/me/erasure_requests", json!({})).await.refused(409, "duplicate");
    let listed = world.get(&officer, "/v1/erasure_requests?state=requested").await.ok();
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["household_id"]),
        (&json!(request), &json!(id))
    );
    let elsewhere = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    assert_eq!(world.get(&elsewhere, "/v1/erasure_requests").await.ok()["items"], json!([]));
    let path = format!("/v1/erasure_requests/{request}");
    let refusal = json!({ "reason": "还有争议的账目" });
    for step in ["approve", "refuse"] {
        let answer = world.post(&elsewhere, &format!("{path}/{step}"), refusal.clone()).await;
        answer.refused(404, "not_found");
        let answer = world.post(&own, &format!("{path}/{step}"), refusal.clone()).await;
        answer.refused(403, "not_allowed");
    }
    let refused = world.post(&officer, &format!("{path}/refuse"), refusal).await.ok();
    assert_eq!(
        (&refused["state"], &refused["refusal_reason"]),
        (&json!("refused"), &json!("还有争议的账目"))
    );
    world.post(&officer, &format!("{path}/approve"), Value::Null).await.refused(409, "wrong_state");
    asked(&world, &own).await;
}

#[tokio::test]
async fn of_two_officers_who_decide_at_once_one_is_refused() {
    let (world, officer, id) = with_household().await;
    let other = world.official(Role::Officer).await;
    let own = world.person(Role::Household, Place::Household(id.parse().unwrap())).await;
    let path = format!("/v1/erasure_requests/{}", asked(&world, &own).await);
    let approve = format!("{path}/approve");
    let (one, two) =
        tokio::join!(world.post(&officer, &approve, Value::Null), world.post(&other, &approve, Value::Null));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(events(&world, "erase_household").await.len(), 1);
}
