//! The specification of /v1/deliveries, as tests over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::orders::Market;
use crate::support::{Answer, COUNTY, Person, VILLAGES, World};

/// A confirmed order and what its people need to deliver it.
pub struct Trade {
    pub market: Market,
    pub order: String,
    /// Allocations in the order of their lots: id, household and kilos.
    pub parts: Vec<(Uuid, Uuid, i64)>,
    pub officer: Person,
    pub witness: String,
}

impl Trade {
    /// An order of `ordered` kilos over lots of `kilos`, confirmed.
    pub async fn confirmed(kilos: &[i64], ordered: &str) -> Self {
        let trade = Self::placed(kilos, ordered).await;
        trade.market.confirm(&json!({ "id": trade.order })).await.ok();
        trade
    }

    pub async fn placed(kilos: &[i64], ordered: &str) -> Self {
        Self::within(Market::of(kilos).await, ordered).await
    }

    async fn within(market: Market, ordered: &str) -> Self {
        let order = market.place(ordered).await;
        let mut parts = Vec::new();
        for lot in &market.lots {
            let shares = order["lines"][0]["allocations"].as_array().unwrap();
            let Some(share) = shares.iter().find(|share| share["lot_id"] == lot.to_string()) else {
                continue;
            };
            let id = |name: &str| share[name].as_str().unwrap().parse::<Uuid>().unwrap();
            let kilos = share["quantity"]["amount"].as_str().unwrap().parse().unwrap();
            parts.push((id("id"), id("household_id"), kilos));
        }
        let officer = market.world.official(Role::Officer).await;
        let me = market.world.get(&market.approver, "/v1/me").await.ok();
        let witness = me["account"].as_str().unwrap().to_owned();
        Self { order: order["id"].as_str().unwrap().to_owned(), market, parts, officer, witness }
    }

    pub fn world(&self) -> &World {
        &self.market.world
    }

    fn path(&self) -> String {
        format!("/v1/orders/{}/deliveries", self.order)
    }

    pub async fn dispatch_as(&self, by: &Person, lines: &[(Uuid, &str)]) -> Answer {
        self.world().post(by, &self.path(), delivery(lines)).await
    }

    /// Everything that was allocated goes out in one delivery.
    pub async fn dispatched(&self) -> Value {
        let lines: Vec<Value> =
            self.parts.iter().map(|(id, _, kilos)| dispatch_line(*id, &kilos.to_string())).collect();
        self.world().post(&self.officer, &self.path(), json!({ "lines": lines })).await.created()
    }

    /// One line of a delivery per part: kilos accepted and kilos refused.
    pub fn acceptance(&self, delivery: &Value, weighed: &[(&str, &str)]) -> Value {
        let lines: Vec<Value> = weighed
            .iter()
            .enumerate()
            .map(|(position, (accepted, refused))| {
                let part = self.parts[position].0.to_string();
                let lines = delivery["lines"].as_array().unwrap();
                let line = lines.iter().find(|line| line["allocation_id"] == part).unwrap();
                let reason = if *refused == "0" { Value::Null } else { json!("wet") };
                json!({
                    "delivery_line_id": line["id"], "accepted": kilos(accepted), "refused": kilos(refused),
                    "refusal_reason": reason,
                })
            })
            .collect();
        json!({ "lines": lines, "witness_account": self.witness })
    }

    pub async fn accept(&self, delivery: &Value, body: Value) -> Answer {
        self.accept_as(&self.market.buyer, delivery, body).await
    }

    pub async fn accept_as(&self, by: &Person, delivery: &Value, body: Value) -> Answer {
        let path = format!("/v1/deliveries/{}/acceptance", delivery["id"].as_str().unwrap());
        self.world().post(by, &path, body).await
    }

    pub async fn order_state(&self) -> String {
        let order = self.world().get(&self.market.buyer, &format!("/v1/orders/{}", self.order)).await.ok();
        order["state"].as_str().unwrap().to_owned()
    }

    /// State and kilos of the order's allocations, by kilos.
    async fn allocations(&self) -> Vec<(String, i64)> {
        let path = format!("/v1/orders/{}/allocations", self.order);
        let list = self.world().get(&self.market.buyer, &path).await.ok();
        let items = list["items"].as_array().unwrap().iter();
        let mut parts: Vec<(String, i64)> = items
            .map(|item| {
                let kilos = item["quantity"]["amount"].as_str().unwrap().parse().unwrap();
                (item["state"].as_str().unwrap().to_owned(), kilos)
            })
            .collect();
        parts.sort_unstable();
        parts
    }

    pub async fn settlements(&self) -> usize {
        let list = self.world().get(&self.market.buyer, "/v1/settlements").await.ok();
        list["items"].as_array().unwrap().len()
    }

    async fn household(&self, part: usize) -> Person {
        self.world().person(Role::Household, Place::Household(self.parts[part].1)).await
    }

    async fn helper_of(&self, part: usize) -> Person {
        let helper = self.world().person(Role::Helper, Place::Pairings).await;
        let sql = "insert into pairing (id, county_code, helper_id, household_id, from_on, created_at)
                   values ($1, $2, $3, $4, $5, $6)";
        let (now, today) = (self.world().clock.now(), self.world().clock.today());
        let values = vec![
            Uuid::now_v7().into(),
            COUNTY.into(),
            helper.id.into(),
            self.parts[part].1.into(),
            today.into(),
            now.into(),
        ];
        self.world().execute(sql, values).await;
        helper
    }
}

fn kilos(amount: &str) -> Value {
    json!({ "amount": amount, "unit": "kg" })
}

fn dispatch_line(allocation: Uuid, amount: &str) -> Value {
    json!({ "allocation_id": allocation, "quantity": kilos(amount) })
}

fn delivery(lines: &[(Uuid, &str)]) -> Value {
    let lines: Vec<Value> = lines.iter().map(|(id, amount)| dispatch_line(*id, amount)).collect();
    json!({ "lines": lines })
}

/// The market after an order of it was placed, confirmed, delivered and accepted as it was ordered.
pub async fn accepted_order(market: Market, ordered: &str) -> Market {
    let trade = Trade::within(market, ordered).await;
    trade.market.confirm(&json!({ "id": trade.order })).await.ok();
    let delivery = trade.dispatched().await;
    let all: Vec<String> = trade.parts.iter().map(|(.., kilos)| kilos.to_string()).collect();
    let weighed: Vec<(&str, &str)> = all.iter().map(|kilos| (kilos.as_str(), "0")).collect();
    trade.accept(&delivery, trade.acceptance(&delivery, &weighed)).await.ok();
    trade.market
}

#[tokio::test]
async fn goods_go_out_are_accepted_by_weight_and_settled_at_once() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let delivery = trade.dispatched().await;
    assert_eq!(delivery["number"], "DN-341823-2027-000001");
    assert_eq!((&delivery["state"], delivery["lines"].as_array().unwrap().len()), (&json!("dispatched"), 2));
    assert_eq!(trade.order_state().await, "delivering");
    assert_eq!(trade.market.stock().await, (0, 100_000, 0));

    let accepted =
        trade.accept(&delivery, trade.acceptance(&delivery, &[("50", "0"), ("49.5", "0.5")])).await;
    let accepted = accepted.ok();
    assert_eq!((&accepted["state"], &accepted["accepted_on"]), (&json!("accepted"), &json!("2027-03-01")));
    assert_eq!(accepted["settlement_number"], "ST-341823-2027-000001");
    let refused = accepted["lines"].as_array().unwrap().iter().find(|line| line["refused"] == kilos("0.5"));
    let refused = refused.unwrap();
    assert_eq!((&refused["accepted"], &refused["refusal_reason"]), (&kilos("49.5"), &json!("wet")));
    let path = format!("/v1/settlements/{}", accepted["settlement_id"].as_str().unwrap());
    let settlement = trade.world().get(&trade.market.buyer, &path).await.ok();
    assert_eq!(settlement["amount"], "3980.00", "99.5 kg at 40.00");
    let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
    assert_eq!(trade.world().get(&trade.market.buyer, &path).await.ok(), accepted);
}

#[tokio::test]
async fn an_order_of_which_everything_is_accepted_is_settled() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    for part in 0..2 {
        let lines = [(trade.parts[part].0, "50")];
        let delivery = trade.dispatch_as(&trade.officer, &lines).await.created();
        assert_eq!(trade.order_state().await, "delivering");
        let line = json!([{ "delivery_line_id": delivery["lines"][0]["id"], "accepted": kilos("50") }]);
        trade.accept(&delivery, json!({ "lines": line, "witness_account": trade.witness })).await.ok();
    }
    assert_eq!(trade.order_state().await, "settled");
    assert_eq!(trade.market.stock().await, (0, 0, 100_000));
    assert_eq!(trade.settlements().await, 2);
    let list = trade.world().get(&trade.market.buyer, &format!("{}?limit=1", trade.path())).await;
    assert!(list.header("link").contains("rel=\"next\""));
}

#[tokio::test]
async fn more_than_was_allocated_does_not_go_out() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let id = trade.parts[0].0;
    let problem = trade.dispatch_as(&trade.officer, &[(id, "50.001")]).await.refused(422, "invalid_value");
    assert_eq!(problem["pointer"], "/lines/0/quantity");
    assert_eq!(problem["detail"], "at most 50 kg is allocated, 50.001 kg would be too much");
    trade.dispatch_as(&trade.officer, &[(id, "0")]).await.refused(422, "invalid_value");
    let pieces =
        json!({ "lines": [{ "allocation_id": id, "quantity": { "amount": "1", "unit": "piece" } }] });
    trade.world().post(&trade.officer, &trade.path(), pieces).await.refused(422, "invalid_value");
    assert_eq!(trade.order_state().await, "confirmed");
}

#[tokio::test]
async fn an_allocation_goes_out_once() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let id = trade.parts[0].0;
    let twice = trade.dispatch_as(&trade.officer, &[(id, "10"), (id, "10")]).await;
    assert_eq!(twice.refused(422, "invalid_value")["pointer"], "/lines/1/allocation_id");
    trade.dispatch_as(&trade.officer, &[(id, "10")]).await.created();
    trade.dispatch_as(&trade.officer, &[(id, "10")]).await.refused(409, "wrong_state");
}

#[tokio::test]
async fn an_allocation_of_another_order_is_refused() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let problem = trade.dispatch_as(&trade.officer, &[(Uuid::now_v7(), "10")]).await;
    assert_eq!(problem.refused(422, "invalid_value")["pointer"], "/lines/0/allocation_id");
    trade.dispatch_as(&trade.officer, &[]).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn nothing_goes_out_for_an_order_that_is_not_confirmed() {
    let trade = Trade::placed(&[60, 60], "100").await;
    trade.dispatch_as(&trade.officer, &[(trade.parts[0].0, "10")]).await.refused(409, "wrong_state");
}

#[tokio::test]
async fn households_and_helpers_send_out_their_own_and_nothing_else() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let (own, other) = (trade.parts[0].0, trade.parts[1].0);
    for person in [trade.household(0).await, trade.helper_of(0).await] {
        let answer = trade.dispatch_as(&person, &[(own, "10"), (other, "10")]).await;
        assert_eq!(answer.refused(422, "invalid_value")["pointer"], "/lines/1/allocation_id");
    }
    trade.dispatch_as(&trade.household(0).await, &[(own, "10")]).await.created();
    trade.dispatch_as(&trade.helper_of(1).await, &[(other, "10")]).await.created();
    let unpaired = trade.world().person(Role::Helper, Place::Pairings).await;
    trade.dispatch_as(&unpaired, &[(own, "10")]).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_township_officer_sends_out_what_its_villages_give() {
    let trade = Trade::confirmed(&[60, 60, 60, 60], "200").await;
    assert_eq!(VILLAGES[3], "341823101202");
    let officer = trade.world().person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    let answer = trade.dispatch_as(&officer, &[(trade.parts[0].0, "10")]).await;
    answer.refused(422, "invalid_value");
    let delivery = trade.dispatch_as(&officer, &[(trade.parts[3].0, "10")]).await.created();
    let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
    let other = trade.world().person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    trade.world().get(&other, &path).await.refused(404, "not_found");
    let elsewhere = trade.world().person(Role::Officer, Place::Region("341824000000".to_owned())).await;
    trade.dispatch_as(&elsewhere, &[(trade.parts[3].0, "10")]).await.refused(404, "not_found");
}

#[tokio::test]
async fn an_acceptance_that_does_not_add_up_is_refused_and_changes_nothing() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let delivery = trade.dispatched().await;
    let too_much = trade.accept(&delivery, trade.acceptance(&delivery, &[("50", "0"), ("50", "1")])).await;
    let problem = too_much.refused(422, "invalid_value");
    assert_eq!(problem["pointer"], "/lines/1/accepted");
    assert_eq!(problem["detail"], "accepted and refused are 51 kg together, 50 kg was dispatched");
    trade
        .accept(&delivery, trade.acceptance(&delivery, &[("50", "0"), ("49", "0")]))
        .await
        .refused(422, "invalid_value");
    let one_line = trade.accept(&delivery, trade.acceptance(&delivery, &[("50", "0")])).await;
    assert_eq!(one_line.refused(422, "invalid_value")["pointer"], "/lines");
    let mut twice = trade.acceptance(&delivery, &[("50", "0"), ("50", "0")]);
    twice["lines"][1]["delivery_line_id"] = twice["lines"][0]["delivery_line_id"].clone();
    trade.accept(&delivery, twice).await.refused(422, "invalid_value");
    let mut unknown = trade.acceptance(&delivery, &[("50", "0"), ("50", "0")]);
    unknown["lines"][1]["delivery_line_id"] = json!(Uuid::now_v7());
    trade.accept(&delivery, unknown).await.refused(422, "invalid_value");
    let mut silent = trade.acceptance(&delivery, &[("50", "0"), ("49", "1")]);
    silent["lines"][1]["refusal_reason"] = json!(" ");
    let silent = trade.accept(&delivery, silent).await.refused(422, "invalid_value");
    assert_eq!(silent["pointer"], "/lines/1/refusal_reason");
    let mut pieces = trade.acceptance(&delivery, &[("50", "0"), ("50", "0")]);
    pieces["lines"][0]["accepted"]["unit"] = json!("piece");
    trade.accept(&delivery, pieces).await.refused(422, "invalid_value");
    assert_eq!(trade.market.stock().await, (0, 100_000, 0));
    assert_eq!(trade.settlements().await, 0);
}

#[tokio::test]
async fn an_acceptance_needs_a_second_person_of_the_same_institution() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let delivery = trade.dispatched().await;
    let own = trade.world().get(&trade.market.buyer, "/v1/me").await.ok()["account"].clone();
    let hospital = trade.world().institution("示范医院", "hospital").await;
    let stranger = trade.world().person(Role::Buyer, Place::Institution(hospital)).await;
    let strangers = trade.world().get(&stranger, "/v1/me").await.ok()["account"].clone();
    let mut body = trade.acceptance(&delivery, &[("50", "0"), ("50", "0")]);
    for witness in [own, strangers, json!("nobody")] {
        body["witness_account"] = witness;
        trade.accept(&delivery, body.clone()).await.refused(409, "second_person_needed");
    }
    let sql = "update principal set is_active = $1 where account = $2";
    trade.world().execute(sql, vec![false.into(), trade.witness.clone().into()]).await;
    body["witness_account"] = json!(trade.witness);
    trade.accept(&delivery, body).await.refused(409, "second_person_needed");
    assert_eq!(trade.settlements().await, 0);
}

#[tokio::test]
async fn a_delivery_is_accepted_once_and_by_its_institution_only() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let delivery = trade.dispatched().await;
    let body = trade.acceptance(&delivery, &[("50", "0"), ("50", "0")]);
    let hospital = trade.world().institution("示范医院", "hospital").await;
    let stranger = trade.world().person(Role::Buyer, Place::Institution(hospital)).await;
    trade.accept_as(&stranger, &delivery, body.clone()).await.refused(404, "not_found");
    trade.accept(&json!({ "id": Uuid::now_v7() }), body.clone()).await.refused(404, "not_found");
    trade.accept(&delivery, body.clone()).await.ok();
    trade.accept(&delivery, body).await.refused(409, "wrong_state");
    assert_eq!(trade.settlements().await, 1);
}

#[tokio::test]
async fn a_repeated_request_is_answered_from_the_first() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let (world, officer, buyer) = (trade.world(), Some(&trade.officer), Some(&trade.market.buyer));
    let (one, other) = (delivery(&[(trade.parts[0].0, "50")]), delivery(&[(trade.parts[1].0, "50")]));
    let first = world.post_with_key(officer, &trade.path(), one.clone(), "d-1").await;
    let again = world.post_with_key(officer, &trade.path(), one, "d-1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.created(), again.created());
    world.post_with_key(officer, &trade.path(), other, "d-1").await.refused(422, "idempotency_key_reused");

    let path = format!("/v1/deliveries/{}/acceptance", first.json()["id"].as_str().unwrap());
    let body = trade.acceptance(&first.json(), &[("50", "0")]);
    let first = world.post_with_key(buyer, &path, body.clone(), "a-1").await;
    let again = world.post_with_key(buyer, &path, body.clone(), "a-1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.ok(), again.ok());
    assert_eq!(trade.settlements().await, 1);
    for path in [&path, &trade.path()] {
        let without = world.request(reqwest::Method::POST, buyer, path);
        let body = if *path == trade.path() { delivery(&[(trade.parts[1].0, "50")]) } else { body.clone() };
        Answer::of(without.json(&body)).await.refused(428, "idempotency_key_missing");
    }
}

#[tokio::test]
async fn a_delivery_refused_as_a_whole_settles_nothing_and_leaves_the_lots() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let delivery = trade.dispatched().await;
    let mut body = trade.acceptance(&delivery, &[("0", "50"), ("0", "50")]);
    body["replace_missing"] = json!(false);
    let accepted = trade.accept(&delivery, body).await.ok();
    assert!(accepted.get("settlement_id").is_none() && accepted.get("settlement_number").is_none());
    assert_eq!(trade.settlements().await, 0);
    assert_eq!(trade.market.stock().await, (0, 0, 0));
    assert_eq!(trade.order_state().await, "settled");
}

#[tokio::test]
async fn what_is_missing_is_shared_again_over_the_lots_that_are_left_unless_the_buyer_declines() {
    for (replace, expected) in [
        (json!(null), vec![("accepted", 50), ("accepted", 50), ("confirmed", 20)]),
        (json!(false), vec![("accepted", 50), ("accepted", 50)]),
    ] {
        let trade = Trade::confirmed(&[50, 50], "100").await;
        let market = &trade.market;
        let household = trade.world().household(VILLAGES[2], "general").await;
        trade.world().lot(household, market.product, VILLAGES[2], 500, 40).await;
        let delivery = trade.dispatched().await;
        let mut body = trade.acceptance(&delivery, &[("50", "0"), ("30", "20")]);
        if replace != Value::Null {
            body["replace_missing"] = replace;
        }
        trade.accept(&delivery, body).await.ok();
        let expected: Vec<(String, i64)> =
            expected.into_iter().map(|(state, kilos)| (state.to_owned(), kilos)).collect();
        assert_eq!(trade.allocations().await, expected);
        let is_open = expected.len() == 3;
        assert_eq!(trade.order_state().await, if is_open { "delivering" } else { "settled" });
        let confirmed = if is_open { 20_000 } else { 0 };
        assert_eq!(market.stock().await, (0, confirmed, 80_000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_acceptances_at_the_same_time_one_takes_effect() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let delivery = trade.dispatched().await;
    let body = trade.acceptance(&delivery, &[("50", "0"), ("50", "0")]);
    let (one, two, three) = tokio::join!(
        trade.accept(&delivery, body.clone()),
        trade.accept(&delivery, body.clone()),
        trade.accept(&delivery, body.clone()),
    );
    let done = [one, two, three].iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!((done, trade.settlements().await), (1, 1));
    assert_eq!(trade.market.stock().await, (0, 0, 100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_two_deliveries_accepted_at_the_same_time_settle_the_order() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let mut deliveries = Vec::new();
    for (id, _, _) in &trade.parts {
        deliveries.push(trade.dispatch_as(&trade.officer, &[(*id, "50")]).await.created());
    }
    let body = |delivery: &Value| {
        let line = json!([{ "delivery_line_id": delivery["lines"][0]["id"], "accepted": kilos("50") }]);
        json!({ "lines": line, "witness_account": trade.witness })
    };
    let (one, two) = tokio::join!(
        trade.accept(&deliveries[0], body(&deliveries[0])),
        trade.accept(&deliveries[1], body(&deliveries[1])),
    );
    one.ok();
    two.ok();
    assert_eq!(trade.order_state().await, "settled");
}

#[tokio::test]
async fn everybody_sees_the_lines_that_are_theirs() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let world = trade.world();
    let delivery = trade.dispatched().await;
    let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
    let (household, helper) = (trade.household(0).await, trade.helper_of(1).await);
    let (finance, auditor) = (world.official(Role::Finance).await, world.official(Role::Auditor).await);
    for (person, lines) in [
        (&trade.market.buyer, 2),
        (&trade.market.approver, 2),
        (&trade.officer, 2),
        (&finance, 2),
        (&auditor, 2),
        (&household, 1),
        (&helper, 1),
    ] {
        let shown = world.get(person, &path).await.ok();
        assert_eq!(shown["lines"].as_array().unwrap().len(), lines, "{:?}", person.role);
        let list = world.get(person, &trade.path()).await.ok();
        assert_eq!(list["items"], json!([shown]), "{:?}", person.role);
    }
    let hospital = world.institution("示范医院", "hospital").await;
    let other = world.household(VILLAGES[0], "general").await;
    for stranger in [
        world.person(Role::Buyer, Place::Institution(hospital)).await,
        world.person(Role::Household, Place::Household(other)).await,
        world.person(Role::Helper, Place::Pairings).await,
        world.person(Role::Auditor, Place::Region("341824000000".to_owned())).await,
    ] {
        world.get(&stranger, &path).await.refused(404, "not_found");
        world.get(&stranger, &trade.path()).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn other_roles_neither_dispatch_nor_accept() {
    let trade = Trade::confirmed(&[60, 60], "100").await;
    let world = trade.world();
    let sent = trade.dispatched().await;
    let body = trade.acceptance(&sent, &[("50", "0"), ("50", "0")]);
    let (finance, auditor) = (world.official(Role::Finance).await, world.official(Role::Auditor).await);
    let admin = world.official(Role::Admin).await;
    for person in [&trade.market.buyer, &trade.market.approver, &finance, &auditor, &admin] {
        trade.dispatch_as(person, &[(trade.parts[0].0, "50")]).await.refused(403, "not_allowed");
    }
    let (household, helper) = (trade.household(0).await, trade.helper_of(0).await);
    for person in [&trade.officer, &household, &helper, &finance, &auditor, &admin] {
        trade.accept_as(person, &sent, body.clone()).await.refused(403, "not_allowed");
    }
    let path = format!("/v1/deliveries/{}", sent["id"].as_str().unwrap());
    world.get(&admin, &path).await.refused(403, "not_allowed");
    world.get(&admin, &trade.path()).await.refused(403, "not_allowed");
    for path in [path, trade.path()] {
        world.get_as(None, &path).await.refused(401, "not_signed_in");
    }
}
