//! Payments for settlements that somebody names, and payments ahead of all of them.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::Answer;
use crate::support::purse::Purse;

impl Purse {
    /// The school pays `amount` for what `more` says.
    pub async fn pay_as(&self, amount: &str, more: Json) -> Answer {
        let mut body = self.payment(amount);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.post(&self.finance, "/v1/payments", body).await
    }

    /// What was received for a settlement.
    pub async fn received_of(&self, settlement: Uuid) -> String {
        let shown = self.world.get(&self.finance, &format!("/v1/settlements/{settlement}")).await.ok();
        shown["received"].as_str().unwrap().to_owned()
    }
}

pub fn for_settlements(chosen: &[(Uuid, Option<&str>)]) -> Json {
    let chosen = chosen.iter().map(|(id, amount)| json!({ "settlement_id": id, "amount": amount }));
    let mut chosen: Vec<Json> = chosen.collect();
    for one in &mut chosen {
        one.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    json!({ "settlements": chosen })
}

#[tokio::test]
async fn a_payment_for_named_settlements_leaves_older_ones_open() {
    let purse = Purse::open().await;
    let homes = purse.households(2).await;
    let old = purse.sold(&[(homes[0], 10_000)]).await;
    let middle = purse.sold(&[(homes[0], 10_000), (homes[1], 5_000)]).await;
    let young = purse.sold(&[(homes[1], 10_000)]).await;
    let payment = purse.pay_as("120.00", for_settlements(&[(young, None), (middle, None)])).await.created();
    assert_eq!((&payment["settled"], &payment["deposited"]), (&json!("120.00"), &json!("0.00")));
    assert_eq!(purse.received_of(old).await, "0.00");
    assert_eq!(purse.received_of(middle).await, "120.00", "of those named the oldest is paid first");
    let payment =
        purse.pay_as("60.00", for_settlements(&[(middle, None), (young, Some("20.00"))])).await.created();
    assert_eq!((&payment["settled"], &payment["deposited"]), (&json!("50.00"), &json!("10.00")));
    assert_eq!((purse.received_of(middle).await, purse.received_of(young).await).0, "150.00");
    assert_eq!(purse.received_of(young).await, "20.00", "what is over does not go where an amount was named");
    assert_eq!(purse.received_of(old).await, "0.00");
    purse.audited().await;
}

#[tokio::test]
async fn several_payments_pay_one_settlement_and_the_households_get_every_fen() {
    let purse = Purse::open().await;
    let homes = purse.households(3).await;
    let settlement = purse.sold(&[(homes[0], 3_333), (homes[1], 3_333), (homes[2], 3_334)]).await;
    for (amount, received) in [("0.01", "0.01"), ("33.33", "33.34"), ("66.66", "100.00")] {
        purse.pay_as(amount, for_settlements(&[(settlement, None)])).await.created();
        assert_eq!(purse.received_of(settlement).await, received);
    }
    for (home, owed) in homes.iter().zip([3_333, 3_333, 3_334]) {
        assert_eq!(purse.received_and_paid_out(*home).await.0, owed);
    }
    purse.audited().await;
}

#[tokio::test]
async fn settlements_of_others_paid_ones_and_amounts_beyond_what_is_open_are_refused() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let own = purse.sold(&[(home, 10_000)]).await;
    let clinic = purse.world.institution("示范医院", "hospital").await;
    let foreign = purse.sold_to(clinic, &[(home, 10_000)]).await;
    let paid = purse.sold(&[(home, 500)]).await;
    purse.pay_as("5.00", for_settlements(&[(paid, None)])).await.created();
    let before = purse.balances().await;
    for (chosen, pointer, why) in [
        (vec![(own, None), (foreign, None)], "/settlements/1/settlement_id", "has no such"),
        (vec![(Uuid::now_v7(), None)], "/settlements/0/settlement_id", "has no such"),
        (vec![(paid, None)], "/settlements/0/settlement_id", "paid in full"),
        (vec![(own, None), (own, None)], "/settlements/1/settlement_id", "twice"),
        (vec![(own, Some("100.01"))], "/settlements/0/amount", "100.00 that is open"),
        (vec![(own, Some("60.00"))], "/settlements", "more than 50.00"),
    ] {
        let refused = purse.pay_as("50.00", for_settlements(&chosen)).await.refused(422, "invalid_value");
        assert_eq!(refused["pointer"], pointer, "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(why), "{refused}");
    }
    let none = purse.pay_as("50.00", json!({ "settlements": [] })).await;
    none.refused(422, "invalid_value");
    let both = json!({ "as_deposit": true, "settlements": [{ "settlement_id": own }] });
    let refused = purse.pay_as("50.00", both).await.refused(422, "invalid_value");
    assert_eq!(refused["pointer"], "/as_deposit");
    assert_eq!(purse.balances().await, before, "nothing was changed");
}

#[tokio::test]
async fn a_payment_ahead_stays_on_deposit_although_something_is_owed() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 10_000)]).await;
    let payment = purse.pay_as("80.00", json!({ "as_deposit": true })).await.created();
    assert_eq!((&payment["settled"], &payment["deposited"]), (&json!("0.00"), &json!("80.00")));
    assert_eq!(purse.received_of(settlement).await, "0.00");
    assert_eq!(purse.balances().await, ["80.00", "0.00", "0.00", "100.00", "-80.00"]);
    purse.audited().await;
}

#[tokio::test]
async fn two_payments_for_the_same_settlement_at_once_never_pay_it_twice() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 10_000)]).await;
    let chosen = for_settlements(&[(settlement, Some("60.00"))]);
    let tries = (0..4).map(|_| purse.pay_as("60.00", chosen.clone()));
    let answers = futures_util::future::join_all(tries).await;
    let booked = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(booked, 1, "40.00 are open once one is booked: {answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(422, "invalid_value");
    }
    assert_eq!(purse.received_of(settlement).await, "60.00");
    purse.audited().await;
}
