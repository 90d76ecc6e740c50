//! Deposits: seen by finance and by the institution, used for settlements, and never below nothing.

use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::chosen::for_settlements;
use crate::support::Answer;
use crate::support::purse::Purse;

impl Purse {
    fn deposit_path(&self) -> String {
        format!("/v1/institutions/{}/deposit", self.school)
    }

    async fn on_deposit(&self) -> String {
        let shown = self.world.get(&self.finance, &self.deposit_path()).await.ok();
        shown["balance"].as_str().unwrap().to_owned()
    }

    async fn use_deposit(&self, body: Json) -> Answer {
        self.world.post(&self.finance, &format!("{}/uses", self.deposit_path()), body).await
    }

    async fn reverse_use(&self, used: &Json) -> Answer {
        let path = format!("/v1/deposit_uses/{}/reverse", used["id"].as_str().unwrap());
        self.world.post(&self.finance, &path, json!({ "reason": "another one was meant" })).await
    }
}

#[tokio::test]
async fn a_deposit_pays_the_oldest_settlement_and_its_use_can_be_reversed() {
    let purse = Purse::open().await;
    let homes = purse.households(3).await;
    purse.pay("150.00").await;
    let owed: Vec<(Uuid, i64)> = homes.iter().map(|home| (*home, 4_000)).collect();
    let old = purse.sold(&owed).await;
    let young = purse.sold(&owed).await;
    let before = purse.balances().await;
    let used = purse.use_deposit(json!({ "amount": "100.00" })).await.created();
    assert_eq!((&used["amount"], &used["state"]), (&json!("100.00"), &json!("recorded")));
    assert_eq!((purse.received_of(old).await, purse.on_deposit().await), ("100.00".into(), "50.00".into()));
    let mut received = Vec::new();
    for home in &homes {
        received.push(purse.received_and_paid_out(*home).await.0);
    }
    received.sort_unstable();
    assert_eq!(received, [3333, 3333, 3334], "largest remainder");
    purse.world.clock.advance(chrono::TimeDelta::seconds(1));
    let rest = purse.use_deposit(json!({})).await.created();
    assert_eq!(rest["amount"], "50.00", "all that is free when no amount is named");
    assert_eq!((purse.received_of(old).await, purse.received_of(young).await).1, "30.00");
    purse.audited().await;
    for used in [&rest, &used] {
        let reversed = purse.reverse_use(used).await.ok();
        assert_eq!(
            (&reversed["state"], &reversed["reversed_by"]),
            (&json!("reversed"), &json!(purse.finance.id))
        );
        purse.reverse_use(used).await.refused(409, "wrong_state");
    }
    assert_eq!(purse.balances().await, before, "as before");
    let list = purse.world.get(&purse.finance, &format!("{}/uses?limit=1", purse.deposit_path())).await.ok();
    assert_eq!(list["items"][0]["id"], rest["id"], "newest first");
    assert!(list["next_cursor"].is_string());
    purse.audited().await;
}

#[tokio::test]
async fn a_deposit_pays_named_settlements_and_no_more_than_is_there_or_owed() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.pay("50.00").await;
    let old = purse.sold(&[(home, 1_000)]).await;
    let young = purse.sold(&[(home, 2_000)]).await;
    let mut body = for_settlements(&[(young, Some("5.00"))]);
    body["amount"] = json!("5.00");
    purse.use_deposit(body).await.created();
    assert_eq!(
        (purse.received_of(old).await, purse.received_of(young).await),
        ("0.00".into(), "5.00".into())
    );
    purse.use_deposit(json!({ "amount": "45.01" })).await.refused(409, "deposit_short");
    let more = purse.use_deposit(json!({ "amount": "45.00" })).await.refused(422, "invalid_value");
    assert_eq!(more["pointer"], "/amount", "only 25.00 are open");
    purse.use_deposit(json!({ "amount": "0.00" })).await.refused(422, "invalid_value");
    assert_eq!(purse.on_deposit().await, "45.00", "refusals change nothing");
    purse.use_deposit(json!({})).await.created();
    assert_eq!(purse.on_deposit().await, "20.00");
    let nothing = purse.use_deposit(json!({})).await.refused(422, "invalid_value");
    assert_eq!(nothing["detail"], "the institution owes nothing");
    purse.audited().await;
}

#[tokio::test]
async fn a_payment_whose_deposit_was_used_is_reversed_only_after_that_use() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let payment = purse.pay("100.00").await;
    purse.sold(&[(home, 3_000)]).await;
    let used = purse.use_deposit(json!({})).await.created();
    let refused = purse.reverse(&payment).await.refused(409, "wrong_state");
    assert!(refused["detail"].as_str().unwrap().contains("uses must be reversed first"), "{refused}");
    assert_eq!(purse.on_deposit().await, "70.00");
    purse.reverse_use(&used).await.ok();
    purse.reverse(&payment).await.ok();
    assert_eq!(purse.on_deposit().await, "0.00");
    purse.audited().await;
}

#[tokio::test]
async fn a_use_of_which_something_is_in_a_payout_is_not_reversed() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.pay("100.00").await;
    purse.sold(&[(home, 3_000)]).await;
    let used = purse.use_deposit(json!({})).await.created();
    let up_to = json!({ "up_to": purse.world.clock.today() });
    purse.world.post(&purse.finance, "/v1/payout_batches", up_to).await.created();
    let refused = purse.reverse_use(&used).await.refused(409, "wrong_state");
    assert!(refused["detail"].as_str().unwrap().contains("paid out"), "{refused}");
    purse.audited().await;
}

#[tokio::test]
async fn a_deposit_is_never_used_twice_at_the_same_moment() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.pay("30.00").await;
    purse.sold(&[(home, 10_000)]).await;
    let tries = (0..4).map(|_| purse.use_deposit(json!({ "amount": "20.00" })));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert_eq!(
        (purse.on_deposit().await, purse.received_and_paid_out(home).await.0),
        ("10.00".into(), 2_000)
    );
    purse.audited().await;
}

#[tokio::test]
async fn a_deposit_is_used_once_per_idempotency_key() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.pay("30.00").await;
    purse.sold(&[(home, 10_000)]).await;
    let path = format!("{}/uses", purse.deposit_path());
    let (by, body) = (Some(&purse.finance), json!({ "amount": "10.00" }));
    let first = purse.world.post_with_key(by, &path, body.clone(), "d1").await;
    let again = purse.world.post_with_key(by, &path, body, "d1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.created(), again.created());
    assert_eq!(purse.on_deposit().await, "20.00");
}

#[tokio::test]
async fn a_deposit_is_seen_by_finance_auditors_and_its_own_institution_alone() {
    let purse = Purse::open().await;
    purse.pay("30.00").await;
    let path = purse.deposit_path();
    for role in [Role::Finance, Role::Auditor] {
        let official = purse.world.official(role).await;
        assert_eq!(purse.world.get(&official, &path).await.ok()["free"], "30.00");
    }
    let clinic = purse.world.institution("示范医院", "hospital").await;
    for role in [Role::Buyer, Role::Approver] {
        let member = purse.world.person(role, Place::Institution(purse.school)).await;
        assert_eq!(purse.world.get(&member, &path).await.ok()["balance"], "30.00");
        let other = purse.world.person(role, Place::Institution(clinic)).await;
        purse.world.get(&other, &path).await.refused(404, "not_found");
        purse.world.get(&other, &format!("{path}/uses")).await.refused(404, "not_found");
    }
    let elsewhere = purse.finance_of_the_other_township().await;
    purse.world.get(&elsewhere, &path).await.refused(404, "not_found");
    let tried = purse.world.post(&elsewhere, &format!("{path}/uses"), json!({})).await;
    tried.refused(404, "not_found");
}
