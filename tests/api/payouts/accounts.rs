//! The specification of who is paid and who waits: households without a good account, payouts that came back, and payouts
//! that the bank did not answer.

use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;

use super::{BATCHES, Desk, paid, returned};
use crate::support::purse::VILLAGE;

/// A household without a bank account.
async fn without_account(desk: &Desk) -> Uuid {
    desk.purse.world.household(VILLAGE, "registered").await
}

async fn left_out(desk: &Desk, batch: &str) -> Vec<Json> {
    let path = format!("{BATCHES}/{batch}/left_out");
    desk.purse.world.get(&desk.second, &path).await.ok()["items"].as_array().unwrap().clone()
}

/// The household's account is changed by an officer.
pub async fn change_account(desk: &Desk, household: Uuid, account: &str) {
    let world = &desk.purse.world;
    let officer = world.official(Role::Officer).await;
    let path = format!("/v1/households/{household}");
    let tag = world.get(&officer, &path).await.header("etag").to_owned();
    world.patch(&officer, &path, &tag, json!({ "bank_account": account })).await.ok();
}

fn returned_for(payout: &Json, code: &str) -> Json {
    json!({ "payout_id": payout["id"], "result": "returned", "reason": "came back", "return_code": code })
}

#[tokio::test]
async fn a_household_without_an_account_is_left_out_and_told_and_paid_once_it_has_one() {
    let desk = Desk::open().await;
    let (home, other) = (desk.purse.households(1).await[0], without_account(&desk).await);
    desk.purse.sold(&[(home, 100), (other, 250)]).await;
    desk.purse.pay("3.50").await;
    let batch = desk.try_make().await.created();
    assert_eq!((&batch["payout_count"], &batch["amount"]), (&json!(1), &json!("1.00")));
    assert_eq!((&batch["left_out_count"], &batch["left_out_amount"]), (&json!(1), &json!("2.50")));
    let id = batch["id"].as_str().unwrap();
    let told = left_out(&desk, id).await;
    assert_eq!((told.len(), &told[0]["household_id"]), (1, &json!(other)));
    assert_eq!((&told[0]["reason"], &told[0]["amount"]), (&json!("no_account"), &json!("2.50")));
    assert_eq!(told[0]["household_name"], "示*户");
    let refused = desk.try_make().await;
    let refused = refused.refused(422, "invalid_value");
    assert!(refused["detail"].as_str().unwrap().contains("1 households with 2.50"), "{refused}");

    change_account(&desk, other, "0000000000000000026").await;
    let next = desk.try_make().await.created();
    assert_eq!((&next["amount"], &next["left_out_count"]), (&json!("2.50"), &json!(0)));
    desk.purse.audited().await;
}

#[tokio::test]
async fn a_batch_tells_counts_and_sums_by_state_and_pages_its_payouts_of_one_state() {
    let (desk, homes) = Desk::with_received(&[100, 200, 400]).await;
    let batch = desk.instructed().await;
    let [one, two, three] = [homes[0], homes[1], homes[2]];
    let (one, two) = (desk.payout_of(&batch, one).await, desk.payout_of(&batch, two).await);
    desk.results(&batch, json!([paid(&one), returned(&two)])).await.ok();
    let states = desk.get(&batch).await["states"].clone();
    let tally = |state: &str, amount: &str| json!({ "state": state, "count": 1, "amount": amount });
    assert_eq!(
        states,
        json!([tally("instructed", "4.00"), tally("paid", "1.00"), tally("returned", "2.00")])
    );
    let path = format!("{BATCHES}/{batch}/payouts?state=instructed");
    let open = desk.purse.world.get(&desk.second, &path).await.ok();
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    assert_eq!(open["items"][0]["household_id"], json!(three));
    let path = format!("{BATCHES}/{batch}/payouts?limit=2");
    let page = desk.purse.world.get(&desk.second, &path).await;
    assert!(page.header("link").contains("rel=\"next\""));
    assert_eq!(page.ok()["items"].as_array().unwrap().len(), 2);
    assert_eq!(desk.payouts(&batch).await.len(), 3);
}

#[tokio::test]
async fn the_account_of_a_payout_is_the_one_at_its_approval() {
    let (desk, homes) = Desk::with_received(&[100]).await;
    let batch = desk.make().await;
    assert_eq!(desk.payout_of(&batch, homes[0]).await["account"], Json::Null);
    change_account(&desk, homes[0], "0000000000000001111").await;
    desk.approve(&batch).await.ok();
    change_account(&desk, homes[0], "0000000000000002222").await;
    let payout = desk.payout_of(&batch, homes[0]).await;
    assert_eq!(payout["account"], "****1111");
    assert_eq!(payout["end_to_end_id"].as_str().unwrap().len(), 33);
    desk.purse.audited().await;
}

#[tokio::test]
async fn after_a_wrong_account_a_household_waits_until_the_account_is_another() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let results = json!([returned_for(&one, "wrong_account"), returned_for(&two, "other")]);
    desk.results(&batch, results).await.ok();
    assert_eq!(desk.payout_of(&batch, homes[0]).await["return_code"], "wrong_account");
    desk.purse.world.clock.advance(chrono::TimeDelta::seconds(1));
    let next = desk.try_make().await.created();
    assert_eq!((&next["amount"], &next["left_out_amount"]), (&json!("2.00"), &json!("1.00")));
    let told = left_out(&desk, next["id"].as_str().unwrap()).await;
    assert_eq!(
        (&told[0]["reason"], &told[0]["household_id"]),
        (&json!("account_returned"), &json!(homes[0]))
    );
    // The same number written again is no correction.
    let same = format!("0000000{:012}", homes[0].as_u128() % 1_000_000_000_000);
    change_account(&desk, homes[0], &same).await;
    desk.try_make().await.refused(422, "invalid_value");
    change_account(&desk, homes[0], "0000000000000003333").await;
    let corrected = desk.instructed().await;
    assert_eq!(desk.payout_of(&corrected, homes[0]).await["account"], "****3333");
    desk.all_paid(&corrected).await;
    assert_eq!(desk.purse.received_and_paid_out(homes[0]).await, (100, 100));
    desk.purse.audited().await;
}

#[tokio::test]
async fn finance_allows_another_try_to_the_same_account_once() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    desk.results(&batch, json!([returned_for(&one, "name_mismatch"), paid(&two)])).await.ok();
    desk.try_make().await.refused(422, "invalid_value");
    let world = &desk.purse.world;
    let path = format!("{BATCHES}/{batch}/allow_retry");
    let body = |payout: &Json| json!({ "payout_ids": [payout["id"]], "reason": "the bank misread the name" });
    world.post(&desk.second, &path, body(&two)).await.refused(409, "wrong_state");
    let foreign = json!({ "payout_ids": [Uuid::now_v7()], "reason": "none" });
    world.post(&desk.second, &path, foreign).await.refused(422, "invalid_value");
    world.post(&desk.second, &path, body(&one)).await.ok();
    world.post(&desk.second, &path, body(&one)).await.refused(409, "wrong_state");
    let again = desk.instructed().await;
    assert_eq!(desk.payout_of(&again, homes[0]).await["amount"], "1.00");
    desk.purse.audited().await;
}

#[tokio::test]
async fn an_unknown_payout_stays_unknown_until_a_result_and_is_not_paid_again() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.make().await;
    let world = &desk.purse.world;
    let path = format!("{BATCHES}/{batch}/mark_unknown");
    let one = desk.payout_of(&batch, homes[0]).await;
    let body = json!({ "payout_ids": [one["id"]] });
    world.post(&desk.second, &path, body.clone()).await.refused(409, "wrong_state");
    desk.approve(&batch).await.ok();
    world.post(&desk.second, &path, body.clone()).await.ok();
    world.post(&desk.second, &path, body.clone()).await.refused(409, "wrong_state");
    let shown = desk.payout_of(&batch, homes[0]).await;
    assert_eq!((&shown["state"], shown["unknown_since"].is_string()), (&json!("unknown"), true));
    assert_eq!(desk.get(&batch).await["states"][1]["state"], "unknown");
    desk.purse.audited().await;

    desk.try_make().await.refused(422, "invalid_value");
    let two = desk.payout_of(&batch, homes[1]).await;
    assert_eq!(desk.results(&batch, json!([paid(&two)])).await.ok()["state"], "approved", "one is not known");
    desk.try_make().await.refused(422, "invalid_value");
    assert_eq!(desk.common().await, ["1.00", "-1.00", "0.00"]);
    desk.results(&batch, json!([paid(&one)])).await.ok();
    let shown = desk.payout_of(&batch, homes[0]).await;
    assert_eq!((&shown["state"], &shown["unknown_since"]), (&json!("paid"), &Json::Null));
    world.post(&desk.second, &path, body).await.refused(409, "wrong_state");
    assert_eq!(desk.get(&batch).await["state"], "executed");
    desk.purse.audited().await;
}
