//! AT-B: reaching for what is another's, doing what is not one's own to do, and saying more than one may.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::db::statements_sent;
use zhuxiao::members::access::Role;

use super::{count, id_of, unbalanced, without_request_id};
use crate::access::arranged::{FOREIGN, NEIGHBOUR, OWN, Side, add_other_county};
use crate::deliveries::Trade;
use crate::orders::Market;
use crate::support::purse::Purse;
use crate::support::{Answer, Person, World};

/// One side of a market, another in the same county, and one in another county.
struct Sides {
    world: World,
    own: Side,
    neighbour: Side,
    foreign: Side,
}

impl Sides {
    async fn arrange() -> Self {
        let world = World::new().await.with_regions().await;
        add_other_county(&world).await;
        let own = Side::arrange(&world, OWN).await;
        let neighbour = Side::arrange(&world, NEIGHBOUR).await;
        let foreign = Side::arrange(&world, FOREIGN).await;
        Self { world, own, neighbour, foreign }
    }

    async fn get(&self, by: Role, path: &str) -> Answer {
        self.world.get(self.own.person(by), path).await
    }

    async fn post(&self, by: Role, path: &str, body: Value) -> Answer {
        self.world.post(self.own.person(by), path, body).await
    }
}

#[tokio::test]
async fn at_b01_a_household_does_not_exist_for_another() {
    let sides = Sides::arrange().await;
    for other in [&sides.neighbour, &sides.foreign] {
        let path = format!("/v1/households/{}", other.id("household"));
        sides.get(Role::Household, &path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn at_b02_the_lot_of_another_household_is_not_repriced() {
    let sides = Sides::arrange().await;
    let path = format!("/v1/lots/{}", sides.neighbour.id("lot"));
    let farmer = sides.neighbour.person(Role::Household);
    let before = sides.world.get(farmer, &path).await;
    let cheap = json!({ "price": { "amount": "0.01", "per": "kg" } });
    let answer =
        sides.world.patch(sides.own.person(Role::Household), &path, before.header("etag"), cheap).await;
    answer.refused(404, "not_found");
    assert_eq!(sides.world.get(farmer, &path).await.ok(), before.ok());
}

#[tokio::test]
async fn at_b03_the_order_of_another_institution_does_not_exist() {
    let sides = Sides::arrange().await;
    for other in [&sides.neighbour, &sides.foreign] {
        let path = format!("/v1/orders/{}", other.id("order"));
        sides.get(Role::Buyer, &path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn at_b04_an_officer_lists_no_household_of_another_region() {
    let sides = Sides::arrange().await;
    for region in ["341824000000", "341824", "341824100000", "341824100001"] {
        let listed = sides.get(Role::Officer, &format!("/v1/households?region={region}")).await.ok();
        assert_eq!(listed["items"], json!([]), "{region}");
    }
    // A wider region holds both, and shows the officer's own.
    let wider = sides.get(Role::Officer, "/v1/households?region=3418&limit=200").await.ok();
    let items = wider["items"].as_array().unwrap();
    assert!(items.len() >= 4 && items.iter().all(|item| item["county"] == "341823"), "{wider}");
}

/// Exports here are the reports, the ledger and the bank files of a moment, and no jobs. A region outside one's own does
/// not exist (404), as everything that a caller may not see.
#[tokio::test]
async fn at_b05_an_officer_exports_nothing_of_another_region() {
    let sides = Sides::arrange().await;
    for region in ["341824", "341824100001", "3418"] {
        for format in ["csv", "xlsx"] {
            let period = "from=2027-01-01&to=2027-03-01";
            let path = format!("/v1/reports/sales?{period}&region={region}&format={format}");
            sides.get(Role::Officer, &path).await.refused(404, "not_found");
        }
    }
    sides.get(Role::Officer, "/v1/ledger/export?format=csv").await.refused(403, "not_allowed");
    let ledger = sides.get(Role::Finance, "/v1/ledger/export?format=csv").await;
    assert!(ledger.text.contains(sides.own.id("institution")), "{}", ledger.text);
    assert!(!ledger.text.contains(sides.foreign.id("institution")), "{}", ledger.text);
}

/// Payouts are read by batch, and no household reads batches: not to be allowed comes before not to exist.
#[tokio::test]
async fn at_b06_a_household_reads_no_payout_of_another() {
    let sides = Sides::arrange().await;
    for side in [&sides.own, &sides.neighbour] {
        let path = format!("/v1/payout_batches/{}/payouts", side.id("payout_batch"));
        let answer = sides.get(Role::Household, &path).await;
        answer.refused(403, "not_allowed");
        assert!(!answer.text.contains(sides.neighbour.id("household")));
    }
}

#[tokio::test]
async fn at_b07_a_delivery_to_another_institution_is_not_accepted() {
    let trade = Trade::confirmed(&[60], "60").await;
    let delivery = trade.dispatched().await;
    let (world, body) = (trade.world(), trade.acceptance(&delivery, &[("60", "0")]));
    let hospital = world.institution("示范医院", "hospital").await;
    let stranger =
        world.person(Role::Buyer, zhuxiao::members::principals::Place::Institution(hospital)).await;
    trade.accept_as(&stranger, &delivery, body).await.refused(404, "not_found");
    assert_eq!((trade.order_state().await.as_str(), trade.settlements().await), ("delivering", 0));
    assert_eq!(count(world, "ledger_posting").await, 0);
}

/// Nobody approves a settlement: an acceptance by two people of the institution makes it. What a household could approve
/// of its own sale are that acceptance and the payout.
#[tokio::test]
async fn at_b08_a_household_approves_nothing_of_its_own_sale() {
    let sides = Sides::arrange().await;
    let path = format!("/v1/deliveries/{}/acceptance", sides.own.id("delivery"));
    sides.post(Role::Household, &path, sides.own.acceptance()).await.refused(403, "not_allowed");
    let path = format!("/v1/payout_batches/{}", sides.own.id("payout_batch"));
    let before = sides.get(Role::Finance, &path).await.ok();
    for step in ["approve", "results"] {
        let body = if step == "approve" {
            Value::Null
        } else {
            json!({ "results": [{ "payout_id": sides.own.id("payout"), "result": "paid" }] })
        };
        sides.post(Role::Household, &format!("{path}/{step}"), body).await.refused(403, "not_allowed");
    }
    assert_eq!(sides.get(Role::Finance, &path).await.ok(), before);
}

/// A batch of payouts that finance has made.
async fn drafted_batch() -> (Purse, String) {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    purse.pay("100.00").await;
    let up_to = json!({ "up_to": purse.world.clock.today() });
    let batch = purse.world.post(&purse.finance, "/v1/payout_batches", up_to).await.created();
    let path = format!("/v1/payout_batches/{}", id_of(&batch));
    (purse, path)
}

#[tokio::test]
async fn at_b09_an_officer_approves_no_payouts() {
    let (purse, path) = drafted_batch().await;
    let officer = purse.world.official(Role::Officer).await;
    let answer = purse.world.post(&officer, &format!("{path}/approve"), Value::Null).await;
    answer.refused(403, "not_allowed");
    assert_eq!(purse.world.get(&officer, &path).await.ok()["state"], "drafted");
    assert_eq!(purse.balance("kind=clearing").await, "0.00");
}

#[tokio::test]
async fn at_b10_the_maker_of_a_batch_does_not_approve_it_in_a_second_session_either() {
    let (purse, path) = drafted_batch().await;
    let me = purse.world.get(&purse.finance, "/v1/me").await.ok();
    let body = json!({ "account": me["account"], "password": crate::support::PASSWORD });
    let again = purse.world.post_as(None, "/v1/sessions", body).await.created();
    let again = Person { token: again["token"].as_str().unwrap().to_owned(), ..purse.finance.clone() };
    for maker in [&purse.finance, &again] {
        let answer = purse.world.post(maker, &format!("{path}/approve"), Value::Null).await;
        answer.refused(409, "second_person_needed");
    }
    assert_eq!(purse.world.get(&purse.finance, &path).await.ok()["state"], "drafted");
}

#[tokio::test]
async fn at_b11_a_household_offers_no_lot_in_the_name_of_another() {
    let sides = Sides::arrange().await;
    let lots = count(&sides.world, "lot").await;
    for other in [&sides.neighbour, &sides.foreign] {
        let offer = json!({
            "household_id": other.id("household"), "product_id": sides.own.id("product"),
            "quantity": { "amount": "5", "unit": "kg" }, "price": { "amount": "40.00", "per": "kg" },
            "ready_from": "2027-03-01", "sell_by": "2027-12-31",
        });
        let refused = sides.post(Role::Household, "/v1/lots", offer).await.refused(422, "invalid_value");
        assert_eq!(refused["pointer"], "/household_id");
    }
    assert_eq!(count(&sides.world, "lot").await, lots);
}

/// What one is cannot be edited at all; the nearest that one can edit refuses what it does not know.
#[tokio::test]
async fn at_b12_nobody_gives_themselves_a_role_a_region_or_a_status() {
    let sides = Sides::arrange().await;
    let farmer = sides.own.person(Role::Household);
    let more = json!({ "role": "officer", "region": "341824000000", "status": "general" });
    let me = sides.get(Role::Household, "/v1/me").await.ok();
    let path = format!("/v1/households/{}", sides.own.id("household"));
    let before = sides.get(Role::Household, &path).await;
    sides.world.patch(farmer, "/v1/me", "\"1\"", more.clone()).await.refused(405, "method_not_allowed");
    for (member, value) in more.as_object().unwrap() {
        let body = json!({ "phone": "13912345679", member: value });
        let refused = sides.world.patch(farmer, &path, before.header("etag"), body).await;
        assert_eq!(refused.refused(422, "invalid_value")["pointer"], format!("/{member}"));
    }
    assert_eq!(sides.get(Role::Household, "/v1/me").await.ok(), me);
    assert_eq!(sides.get(Role::Household, &path).await.ok(), before.ok());
}

#[tokio::test]
async fn at_b13_an_order_does_not_say_what_it_costs_or_how_far_it_is() {
    let market = Market::new().await;
    for (member, value) in [
        ("total", json!("0.01")),
        ("amount", json!("0.01")),
        ("status", json!("settled")),
        ("state", json!("settled")),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("placed_at", json!("2020-01-01T00:00:00Z")),
    ] {
        let mut body = market.order("10");
        body[member] = value;
        let refused =
            market.world.post(&market.buyer, "/v1/orders", body).await.refused(422, "invalid_value");
        assert_eq!(refused["pointer"], format!("/{member}"));
    }
    assert_eq!((count(&market.world, "purchase_order").await, market.stock().await), (0, (0, 0, 0)));
}

#[tokio::test]
async fn at_b15_a_filter_only_narrows_what_is_ones_own() {
    let sides = Sides::arrange().await;
    for other in [&sides.neighbour, &sides.foreign] {
        let path = format!("/v1/orders?institution_id={}", other.id("institution"));
        for role in [Role::Buyer, Role::Approver] {
            assert_eq!(sides.get(role, &path).await.ok()["items"], json!([]), "{role:?}");
        }
    }
    let own = format!("/v1/orders?institution_id={}", sides.own.id("institution"));
    assert_eq!(sides.get(Role::Buyer, &own).await.ok()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn at_b20_the_key_of_another_never_answers_with_what_was_theirs() {
    let sides = Sides::arrange().await;
    let (buyer, stranger) = (sides.own.person(Role::Buyer), sides.neighbour.person(Role::Buyer));
    let orders = count(&sides.world, "purchase_order").await;
    let send = async |by: &Person, body: Value| {
        sides.world.post_with_key(Some(by), "/v1/orders", body, "one-and-the-same").await
    };
    let first = send(buyer, sides.own.order()).await.created();
    // The same body names an institution that does not exist for the other one.
    let same = send(stranger, sides.own.order()).await;
    same.refused(404, "not_found");
    assert!(!same.text.contains(id_of(&first)));
    let mut own = sides.own.order();
    own["institution_id"] = json!(sides.neighbour.id("institution"));
    let second = send(stranger, own).await;
    assert!(!second.headers.contains_key("idempotency-replayed"));
    let second = second.created();
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["institution_id"], sides.neighbour.id("institution"));
    assert_eq!(count(&sides.world, "purchase_order").await, orders + 2);
}

/// The same text, and the same work: as many statements, and times that are told apart by nothing. Medians are compared
/// with 5 ms to spare, as a machine that runs other tests beside this one is not still.
#[tokio::test]
async fn at_b27_what_is_anothers_and_what_is_not_are_told_apart_by_nothing() {
    let sides = Sides::arrange().await;
    let foreign = format!("/v1/orders/{}", sides.neighbour.id("order"));
    let (mut of_another, mut of_none) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let none = format!("/v1/orders/{}", Uuid::now_v7());
        let mut told = Vec::new();
        for (path, times) in [(&foreign, &mut of_another), (&none, &mut of_none)] {
            let (sent, begun) = (statements_sent(), std::time::Instant::now());
            let answer = sides.get(Role::Buyer, path).await;
            times.push(begun.elapsed());
            told.push((without_request_id(answer.refused(404, "not_found")), statements_sent() - sent));
        }
        assert_eq!(told[0], told[1]);
    }
    of_another.sort_unstable();
    of_none.sort_unstable();
    let apart = of_another[25].abs_diff(of_none[25]);
    let near = (of_none[25] / 10).max(std::time::Duration::from_millis(5));
    assert!(apart < near, "{apart:?} apart");
}

#[tokio::test]
async fn at_b28_a_member_that_is_given_twice_is_no_json() {
    let market = Market::new().await;
    let other = market.world.institution("示范医院", "hospital").await;
    let good = market.order("10").to_string();
    for (once, twice) in [
        ("\"policy\":", format!("\"institution_id\":\"{other}\",\"policy\":")),
        ("\"quantity\":", format!("\"product_id\":\"{}\",\"quantity\":", Uuid::now_v7())),
        ("\"unit\":", "\"amount\":\"1\",\"unit\":".to_owned()),
    ] {
        let body = good.replacen(once, &twice, 1);
        assert_ne!(body, good, "{once}");
        let request = market
            .world
            .request(Method::POST, Some(&market.buyer), "/v1/orders")
            .header("Idempotency-Key", "twice")
            .header("content-type", "application/json")
            .body(body);
        Answer::of(request).await.refused(400, "malformed_request");
    }
    assert_eq!(count(&market.world, "purchase_order").await, 0);
}

/// One event is no resource of its own, so that there is nothing to delete at its address; at that of the trail there is,
/// and the method does not exist there.
#[tokio::test]
async fn at_b30_whoever_administers_the_system_reads_approves_and_erases_nothing() {
    let sides = Sides::arrange().await;
    let (world, admin) = (&sides.world, sides.own.person(Role::Admin));
    let household = format!("/v1/households/{}", sides.own.id("household"));
    world.get(admin, &household).await.refused(403, "not_allowed");
    let batch = format!("/v1/payout_batches/{}", sides.own.id("payout_batch"));
    let before = sides.get(Role::Finance, &batch).await.ok();
    world.post(admin, &format!("{batch}/approve"), Value::Null).await.refused(403, "not_allowed");
    assert_eq!(sides.get(Role::Finance, &batch).await.ok(), before);
    let events = count(world, "audit_event").await;
    let first = sides.get(Role::Auditor, "/v1/audit_events?limit=1").await.ok();
    let event = format!("/v1/audit_events/{}", id_of(&first["items"][0]));
    world.delete(admin, "/v1/audit_events").await.refused(405, "method_not_allowed");
    world.delete(admin, &event).await.refused(404, "not_found");
    world
        .delete(sides.own.person(Role::Auditor), "/v1/audit_events")
        .await
        .refused(405, "method_not_allowed");
    assert_eq!((count(world, "audit_event").await, unbalanced(world).await), (events, 0));
}
