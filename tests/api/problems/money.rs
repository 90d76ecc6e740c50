//! The stories of the rules about money: what raises each problem, once, and what closes it.

use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::{audited, close, problems, refresh};
use crate::support::Person;
use crate::support::purse::Purse;

/// A purse and the second person of finance.
pub struct Desk {
    pub purse: Purse,
    second: Person,
}

impl Desk {
    /// The school has paid so many fen for each of so many households.
    pub async fn with_received(owed: &[i64]) -> (Self, Vec<Uuid>) {
        let purse = Purse::open().await;
        let second = purse.world.official(Role::Finance).await;
        let homes = purse.households(owed.len()).await;
        let lines: Vec<(Uuid, i64)> = homes.iter().copied().zip(owed.iter().copied()).collect();
        purse.sold(&lines).await;
        purse.pay(&zhuxiao::money::Fen::new(owed.iter().sum()).to_string()).await;
        purse.world.stay_signed_in().await;
        (Self { purse, second }, homes)
    }

    /// A batch of everything payable whose payouts all come back, or are all paid. A minute passes.
    pub async fn pay_out(&self, result: &str) {
        let world = &self.purse.world;
        world.clock.advance(TimeDelta::minutes(1));
        let body = json!({ "up_to": world.clock.today() });
        let batch = world.post(&self.purse.finance, "/v1/payout_batches", body).await.created();
        let path = format!("/v1/payout_batches/{}", batch["id"].as_str().unwrap());
        world.post(&self.second, &format!("{path}/approve"), json!({})).await.ok();
        let reason = (result == "returned").then_some("the account is closed");
        let shown = world.get(&self.second, &path).await.ok();
        let told = |payout: &Json| json!({ "payout_id": payout["id"], "result": result, "reason": reason });
        let results: Vec<Json> = shown["payouts"].as_array().unwrap().iter().map(told).collect();
        world.post(&self.second, &format!("{path}/results"), json!({ "results": results })).await.ok();
    }

    async fn open(&self, rule: &str) -> Vec<Json> {
        problems(&self.purse.world, &self.second, &format!("state=open&rule={rule}")).await
    }
}

#[tokio::test]
async fn a_returned_payout_raises_one_problem_and_closes_it_when_the_household_is_paid() {
    let (desk, homes) = Desk::with_received(&[10_000]).await;
    let world = &desk.purse.world;
    assert_eq!(refresh(world).await, (0, 0));
    desk.pay_out("returned").await;
    assert_eq!(refresh(world).await, (1, 0));
    assert_eq!(refresh(world).await, (0, 0));
    let [problem] = desk.open("payout_returned").await.try_into().unwrap();
    assert_eq!((&problem["household_id"], &problem["owner"]), (&json!(homes[0]), &json!("officer")));
    assert_eq!((&problem["due_on"], &problem["opened_by"]), (&json!("2027-03-06"), &Json::Null));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("PB-341823-2027-000001") && detail.contains("100.00"), "{detail}");
    assert!(detail.contains("the account is closed"), "{detail}");
    let township = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    assert_eq!(problems(world, &township, "").await, std::slice::from_ref(&problem));

    world.clock.advance(TimeDelta::days(1));
    assert_eq!(refresh(world).await, (0, 0), "one problem, not one a day");
    desk.pay_out("paid").await;
    assert_eq!(refresh(world).await, (0, 1));
    let path = format!("/v1/problems/{}", problem["id"].as_str().unwrap());
    let closed = world.get(&desk.second, &path).await.ok();
    assert_eq!((&closed["state"], &closed["closed_by"]), (&json!("closed"), &Json::Null));
    assert_eq!(closed["evidence"], Json::Null);
    audited(world).await;
}

#[tokio::test]
async fn a_payout_that_comes_back_again_is_a_new_problem_in_place_of_the_old_one() {
    let (desk, homes) = Desk::with_received(&[10_000, 5_000]).await;
    let world = &desk.purse.world;
    desk.pay_out("returned").await;
    assert_eq!(refresh(world).await, (2, 0));
    desk.pay_out("returned").await;
    assert_eq!(refresh(world).await, (2, 2));
    let open = desk.open("payout_returned").await;
    assert!(open.iter().all(|problem| problem["detail"].as_str().unwrap().contains("000002")), "{open:?}");
    let of_first = problems(world, &desk.second, &format!("household_id={}", homes[0])).await;
    assert_eq!(of_first.len(), 2);
}

#[tokio::test]
async fn a_returned_payout_closed_by_hand_is_raised_anew_when_its_days_have_passed_and_nobody_was_paid() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let world = &desk.purse.world;
    desk.pay_out("returned").await;
    refresh(world).await;
    let [problem] = desk.open("payout_returned").await.try_into().unwrap();
    close(world, &desk.second, &problem).await.ok();
    world.clock.advance(TimeDelta::days(5) - TimeDelta::seconds(1));
    assert_eq!(refresh(world).await, (0, 0), "a person's word holds for the days of the rule");
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(refresh(world).await, (1, 0));
    assert_eq!(refresh(world).await, (0, 0));
    let [anew] = desk.open("payout_returned").await.try_into().unwrap();
    assert_eq!(anew["subject_id"], problem["subject_id"]);
    audited(world).await;
}

#[tokio::test]
async fn a_settlement_is_a_problem_from_the_day_after_it_is_due_until_it_is_paid() {
    let purse = Purse::open().await;
    let homes = purse.households(1).await;
    let settlement = purse.sold(&[(homes[0], 10_000)]).await;
    let world = &purse.world;
    purse.pay("40.00").await;
    world.stay_signed_in().await;
    world.clock.advance(TimeDelta::days(30));
    assert_eq!(refresh(world).await, (0, 0), "it may be paid until the end of this day");
    world.clock.advance(TimeDelta::days(1));
    assert_eq!(refresh(world).await, (1, 0));
    let [problem] = problems(world, &purse.finance, "rule=payment_overdue").await.try_into().unwrap();
    assert_eq!(
        (&problem["subject_kind"], &problem["subject_id"]),
        (&json!("settlement"), &json!(settlement))
    );
    assert_eq!((&problem["institution_id"], &problem["owner"]), (&json!(purse.school), &json!("finance")));
    assert!(problem["detail"].as_str().unwrap().contains("尚欠60.00元"), "{problem}");
    let payment = purse.pay("60.00").await;
    assert_eq!(refresh(world).await, (0, 1));
    purse.reverse(&payment).await.ok();
    assert_eq!(refresh(world).await, (1, 0), "what is owed again is a new problem");
    assert_eq!(problems(world, &purse.finance, &format!("institution_id={}", purse.school)).await.len(), 2);
    audited(world).await;
}
