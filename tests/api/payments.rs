//! The specification of /v1/payments, as tests over HTTP.

mod chosen;
mod deposits;

pub use chosen::for_settlements;

use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::db::statements_sent;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::money::Fen;

use crate::support::purse::Purse;
use crate::support::{Answer, Person};

#[tokio::test]
async fn a_payment_pays_the_oldest_settlement_first_and_splits_the_next_to_the_fen() {
    let purse = Purse::open().await;
    let homes = purse.households(3).await;
    purse.sold(&[(homes[0], 500)]).await;
    let owed: Vec<(Uuid, i64)> = homes.iter().map(|home| (*home, 20_000)).collect();
    purse.sold(&owed).await;

    let payment = purse.pay("105.00").await;
    assert_eq!(payment["number"], "PM-341823-2027-000001");
    assert_eq!((&payment["settled"], &payment["deposited"]), (&json!("105.00"), &json!("0.00")));
    assert_eq!((&payment["state"], &payment["institution_name"]), (&json!("recorded"), &json!("示范学校")));
    let mut received = Vec::new();
    for home in &homes {
        received.push(purse.received_and_paid_out(*home).await.0);
    }
    received[0] -= 500;
    received.sort_unstable();
    assert_eq!(received, [3333, 3333, 3334], "100.00 over 3 loses no fen");
    assert_eq!(purse.balances().await, ["105.00", "0.00", "0.00", "500.00", "0.00"]);
}

#[tokio::test]
async fn what_is_over_stays_on_the_deposit_of_the_institution() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    let payment = purse.pay("123.45").await;
    assert_eq!((&payment["settled"], &payment["deposited"]), (&json!("100.00"), &json!("23.45")));
    assert_eq!(purse.balances().await, ["123.45", "0.00", "0.00", "0.00", "-23.45"]);
    let ahead = purse.pay("0.55").await;
    assert_eq!((&ahead["settled"], &ahead["deposited"]), (&json!("0.00"), &json!("0.55")));
    assert_eq!(purse.balances().await, ["124.00", "0.00", "0.00", "0.00", "-24.00"]);
    assert_eq!(purse.received_and_paid_out(home).await, (10_000, 0));
    purse.audited().await;
}

#[tokio::test]
async fn a_rated_order_is_closed_by_the_payment_that_pays_the_last_of_it_and_not_once_that_is_reversed() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 10_000)]).await;
    let buyer = purse.world.person(Role::Buyer, Place::Institution(purse.school)).await;
    let shown = purse.world.get(&buyer, &format!("/v1/settlements/{settlement}")).await.ok();
    let order = shown["order_id"].as_str().unwrap().to_owned();
    let sql = "update purchase_order set rating = 5 where id = $1";
    purse.world.execute(sql, vec![order.parse::<Uuid>().unwrap().into()]).await;
    let mut last = json!(null);
    for (amount, state) in [("99.99", "settled"), ("0.01", "closed")] {
        last = purse.pay(amount).await;
        let shown = purse.world.get(&buyer, &format!("/v1/orders/{order}")).await.ok();
        assert_eq!(shown["state"], state, "{shown}");
    }
    purse.reverse(&last).await.ok();
    let shown = purse.world.get(&buyer, &format!("/v1/orders/{order}")).await.ok();
    assert_eq!(
        (&shown["state"], &shown["ended_at"]),
        (&json!("settled"), &json!(null)),
        "owed again: {shown}"
    );
    purse.pay("0.01").await;
    let shown = purse.world.get(&buyer, &format!("/v1/orders/{order}")).await.ok();
    assert_eq!(shown["state"], "closed", "{shown}");
}

#[tokio::test]
async fn a_payment_is_recorded_once_per_idempotency_key() {
    let purse = Purse::open().await;
    let (world, by) = (&purse.world, Some(&purse.finance));
    let body = purse.payment("10.00");
    let first = world.post_with_key(by, "/v1/payments", body.clone(), "k1").await;
    let again = world.post_with_key(by, "/v1/payments", body.clone(), "k1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.created(), again.created());
    assert_eq!(purse.balance("kind=escrow").await, "10.00");
    let other = world.post_with_key(by, "/v1/payments", purse.payment("10.01"), "k1").await;
    other.refused(422, "idempotency_key_reused");
    let without = world.request(Method::POST, by, "/v1/payments").json(&body);
    Answer::of(without).await.refused(428, "idempotency_key_missing");
}

#[tokio::test]
async fn a_payment_of_nothing_of_tomorrow_or_without_a_reference_is_refused() {
    let purse = Purse::open().await;
    let with = |member: &str, value: &str| {
        let mut body = purse.payment("10.00");
        body[member] = json!(value);
        body
    };
    for (member, value) in [
        ("amount", "0.00"),
        ("amount", "0.001"),
        ("amount", "-1.00"),
        ("received_on", "2027-03-02"),
        ("received_on", "0227-03-01"),
        ("reference", ""),
    ] {
        let answer = purse.world.post(&purse.finance, "/v1/payments", with(member, value)).await;
        assert_eq!(answer.refused(422, "invalid_value")["pointer"], format!("/{member}"), "{value}");
    }
    assert_eq!(purse.balance("kind=escrow").await, "0.00");
}

#[tokio::test]
async fn only_finance_records_and_reverses_payments() {
    let purse = Purse::open().await;
    let payment = purse.pay("10.00").await;
    let reverse = format!("/v1/payments/{}/reverse", payment["id"].as_str().unwrap());
    for person in purse.others_than(&[Role::Finance]).await {
        let recorded = purse.world.post(&person, "/v1/payments", purse.payment("10.00")).await;
        recorded.refused(403, "not_allowed");
        purse.world.post(&person, &reverse, json!({ "reason": "x" })).await.refused(403, "not_allowed");
    }
    let nobody = purse.world.post_as(None, "/v1/payments", purse.payment("10.00")).await;
    nobody.refused(401, "not_signed_in");
    purse.world.post_as(None, &reverse, json!({ "reason": "x" })).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn an_institution_outside_the_region_does_not_exist_for_its_finance() {
    let purse = Purse::open().await;
    let payment = purse.pay("10.00").await;
    let elsewhere = purse.finance_of_the_other_township().await;
    let recorded = purse.world.post(&elsewhere, "/v1/payments", purse.payment("10.00")).await;
    recorded.refused(404, "not_found");
    let reverse = format!("/v1/payments/{}/reverse", payment["id"].as_str().unwrap());
    purse.world.post(&elsewhere, &reverse, json!({ "reason": "x" })).await.refused(404, "not_found");
    assert_eq!(purse.world.get(&elsewhere, "/v1/payments").await.ok()["items"], json!([]));
    let mut unknown = purse.payment("10.00");
    unknown["institution_id"] = json!(Uuid::now_v7());
    purse.world.post(&purse.finance, "/v1/payments", unknown).await.refused(404, "not_found");
}

#[tokio::test]
async fn payments_are_seen_by_region_by_their_institution_and_by_nobody_else() {
    let purse = Purse::open().await;
    let clinic = purse.world.institution("示范医院", "hospital").await;
    purse.pay("1.00").await;
    let mut of_clinic = purse.payment("2.00");
    of_clinic["institution_id"] = json!(clinic);
    purse.world.clock.advance(chrono::TimeDelta::milliseconds(1));
    purse.world.post(&purse.finance, "/v1/payments", of_clinic).await.created();
    let amounts = async |by: &Person, query: &str| {
        let list = purse.world.get(by, &format!("/v1/payments{query}")).await.ok();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["amount"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for role in [Role::Finance, Role::Auditor, Role::Officer] {
        let official = purse.world.official(role).await;
        assert_eq!(amounts(&official, "").await, ["2.00", "1.00"]);
        assert_eq!(amounts(&official, &format!("?institution_id={clinic}")).await, ["2.00"]);
    }
    for role in [Role::Buyer, Role::Approver] {
        let member = purse.world.person(role, Place::Institution(purse.school)).await;
        assert_eq!(amounts(&member, "").await, ["1.00"]);
        assert!(amounts(&member, &format!("?institution_id={clinic}")).await.is_empty());
    }
    let readers = [Role::Finance, Role::Auditor, Role::Officer, Role::Buyer, Role::Approver];
    for person in purse.others_than(&readers).await {
        purse.world.get(&person, "/v1/payments").await.refused(403, "not_allowed");
    }
    purse.world.get_as(None, "/v1/payments").await.refused(401, "not_signed_in");
    let page = purse.world.get(&purse.finance, "/v1/payments?limit=1").await.ok();
    let next = format!("?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(amounts(&purse.finance, &next).await, ["1.00"]);
}

#[tokio::test]
async fn a_reversed_payment_leaves_everything_owed_as_before_and_its_entry_names_the_original() {
    let purse = Purse::open().await;
    let homes = purse.households(2).await;
    purse.sold(&[(homes[0], 10_000), (homes[1], 5_000)]).await;
    let before = purse.balances().await;
    let payment = purse.pay("200.00").await;
    let reversed = purse.reverse(&payment).await.ok();
    assert_eq!(
        (&reversed["state"], &reversed["reversal_reason"]),
        (&json!("reversed"), &json!("booked twice"))
    );
    assert_eq!(reversed["reversed_by"], json!(purse.finance.id));
    assert_eq!(purse.balances().await, before);
    assert_eq!(purse.received_and_paid_out(homes[0]).await, (0, 0));
    let entry = payment["entry_id"].as_str().unwrap();
    let shown = purse.world.get(&purse.finance, &format!("/v1/ledger/entries/{entry}")).await.ok();
    let reversal = shown["reversed_by_id"].as_str().unwrap();
    let shown = purse.world.get(&purse.finance, &format!("/v1/ledger/entries/{reversal}")).await.ok();
    assert_eq!(shown["reverses_id"], json!(entry));
    let list = purse.world.get(&purse.finance, "/v1/payments").await.ok();
    assert_eq!(list["items"][0]["state"], "reversed");
    let again = purse.pay("150.00").await;
    assert_eq!(again["settled"], "150.00", "what was owed again can be paid again");
    purse.audited().await;
}

#[tokio::test]
async fn a_payment_is_reversed_once() {
    let purse = Purse::open().await;
    let payment = purse.pay("10.00").await;
    let path = format!("/v1/payments/{}/reverse", payment["id"].as_str().unwrap());
    let (by, body) = (Some(&purse.finance), json!({ "reason": "x" }));
    let first = purse.world.post_with_key(by, &path, body.clone(), "r1").await;
    let replayed = purse.world.post_with_key(by, &path, body.clone(), "r1").await;
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    assert_eq!(first.ok(), replayed.ok());
    let other = purse.world.post_with_key(by, &path, json!({ "reason": "y" }), "r1").await;
    other.refused(422, "idempotency_key_reused");
    purse.world.post(&purse.finance, &path, body.clone()).await.refused(409, "wrong_state");
    let without = purse.world.request(Method::POST, by, &path).json(&body);
    Answer::of(without).await.refused(428, "idempotency_key_missing");
    let empty = purse.world.post(&purse.finance, &path, json!({ "reason": "" })).await;
    empty.refused(422, "invalid_value");
    let unknown = format!("/v1/payments/{}/reverse", Uuid::now_v7());
    purse.world.post(&purse.finance, &unknown, body).await.refused(404, "not_found");
    assert_eq!(purse.balance("kind=escrow").await, "0.00");
}

#[tokio::test]
async fn a_payment_of_which_something_is_in_a_payout_is_not_reversed() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    let payment = purse.pay("100.00").await;
    let up_to = json!({ "up_to": purse.world.clock.today() });
    purse.world.post(&purse.finance, "/v1/payout_batches", up_to).await.created();
    let refused = purse.reverse(&payment).await.refused(409, "wrong_state");
    assert!(refused["detail"].as_str().unwrap().contains("paid out"), "{refused}");
    assert_eq!(purse.received_and_paid_out(home).await, (10_000, 10_000));
    let list = purse.world.get(&purse.finance, "/v1/payments").await.ok();
    assert_eq!(list["items"][0]["state"], "recorded");
}

#[tokio::test]
async fn payments_at_the_same_moment_never_pay_a_settlement_twice() {
    let purse = Purse::open().await;
    let homes = purse.households(3).await;
    purse.sold(&[(homes[0], 2_000), (homes[1], 1_999), (homes[2], 1_001)]).await;
    let paid = futures_util::future::join_all((0..8).map(|_| purse.pay("10.00"))).await;
    let fen = |payment: &Json| Fen::parse(payment["settled"].as_str().unwrap()).unwrap();
    assert_eq!(paid.iter().map(fen).sum::<Fen>(), Fen::new(5_000));
    assert_eq!(purse.balances().await, ["80.00", "0.00", "0.00", "0.00", "-30.00"]);
    for (home, owed) in homes.iter().zip([2_000, 1_999, 1_001]) {
        assert_eq!(purse.received_and_paid_out(*home).await.0, owed);
    }
    purse.audited().await;
}

#[tokio::test]
async fn a_payment_takes_as_many_statements_for_500_households_as_for_one() {
    let purse = Purse::open().await;
    let homes = purse.households(500).await;
    let mut sent = Vec::new();
    for count in [1, 500] {
        let owed: Vec<(Uuid, i64)> = homes.iter().take(count).map(|home| (*home, 777)).collect();
        purse.sold(&owed).await;
        let before = statements_sent();
        purse.pay(&Fen::new(777 * i64::try_from(count).unwrap()).to_string()).await;
        sent.push(statements_sent() - before);
    }
    // The first payment also makes the accounts.
    assert!(sent[1] <= sent[0] && sent[1] < 30, "{sent:?}");
    assert_eq!(purse.balance(&format!("kind=receivable&owner_id={}", purse.school)).await, "0.00");
}
