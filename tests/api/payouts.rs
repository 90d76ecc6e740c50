//! The specification of `/v1/payout_batches`, as tests over HTTP.

mod accounts;
mod callbacks;
mod files;

use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::db::statements_sent;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::settings::Settings;

use crate::support::purse::{Purse, VILLAGE};
use crate::support::{Answer, Person};

const BATCHES: &str = "/v1/payout_batches";

/// A purse, and the second person of finance.
struct Desk {
    purse: Purse,
    second: Person,
}

impl Desk {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let purse = Purse::with(change).await;
        let second = purse.world.official(Role::Finance).await;
        Self { purse, second }
    }

    /// A desk where the school owes and has paid so many fen for each of so many households.
    async fn with_received(owed: &[i64]) -> (Self, Vec<Uuid>) {
        let desk = Self::open().await;
        let homes = desk.purse.households(owed.len()).await;
        let lines: Vec<(Uuid, i64)> = homes.iter().copied().zip(owed.iter().copied()).collect();
        desk.purse.sold(&lines).await;
        desk.purse.pay(&yuan(owed.iter().sum())).await;
        (desk, homes)
    }

    async fn try_make(&self) -> Answer {
        let body = json!({ "up_to": self.purse.world.clock.today() });
        self.purse.world.post(&self.purse.finance, BATCHES, body).await
    }

    async fn make(&self) -> String {
        self.try_make().await.created()["id"].as_str().unwrap().to_owned()
    }

    async fn approve(&self, batch: &str) -> Answer {
        self.purse.world.post(&self.second, &format!("{BATCHES}/{batch}/approve"), json!({})).await
    }

    /// A batch that the bank was instructed to pay.
    async fn instructed(&self) -> String {
        let batch = self.make().await;
        self.approve(&batch).await.ok();
        batch
    }

    async fn get(&self, batch: &str) -> Json {
        self.purse.world.get(&self.second, &format!("{BATCHES}/{batch}")).await.ok()
    }

    /// Every payout of a batch, page by page.
    async fn payouts(&self, batch: &str) -> Vec<Json> {
        let (mut payouts, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("{BATCHES}/{batch}/payouts?limit=200{cursor}");
            let page = self.purse.world.get(&self.second, &path).await.ok();
            payouts.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return payouts,
            }
        }
    }

    async fn results(&self, batch: &str, results: Json) -> Answer {
        let path = format!("{BATCHES}/{batch}/results");
        self.purse.world.post(&self.second, &path, json!({ "results": results })).await
    }

    /// The payout of a household in a batch.
    async fn payout_of(&self, batch: &str, household: Uuid) -> Json {
        let of_household = |payout: &Json| payout["household_id"] == json!(household);
        self.payouts(batch).await.into_iter().find(of_household).unwrap()
    }

    /// Every payout of a batch is paid.
    async fn all_paid(&self, batch: &str) -> Json {
        let results: Vec<Json> = self.payouts(batch).await.iter().map(paid).collect();
        self.results(batch, json!(results)).await.ok()
    }

    async fn payable(&self, household: Uuid) -> String {
        self.purse.balance(&format!("kind=payable&owner_id={household}")).await
    }

    /// Escrow, clearing and rounding of the county.
    async fn common(&self) -> [String; 3] {
        let [escrow, clearing, rounding, _, _] = self.purse.balances().await;
        [escrow, clearing, rounding]
    }
}

fn yuan(fen: i64) -> String {
    zhuxiao::money::Fen::new(fen).to_string()
}

fn paid(payout: &Json) -> Json {
    json!({ "payout_id": payout["id"], "result": "paid" })
}

fn returned(payout: &Json) -> Json {
    json!({ "payout_id": payout["id"], "result": "returned", "reason": "the account is closed" })
}

#[tokio::test]
async fn a_batch_pays_every_household_the_sum_of_its_lines_and_the_books_balance_after_each_step() {
    let (desk, homes) = Desk::with_received(&[10_000, 5_000]).await;
    desk.purse.sold(&[(homes[0], 1)]).await;
    desk.purse.pay("0.01").await;
    let made = desk.try_make().await;
    let batch = made.created();
    assert_eq!((&batch["number"], &batch["amount"]), (&json!("PB-341823-2027-000001"), &json!("150.01")));
    assert_eq!((&batch["state"], &batch["payout_count"]), (&json!("drafted"), &json!(2)));
    assert_eq!(batch["has_rest"], false);
    let id = batch["id"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("{BATCHES}/{id}"));
    assert_eq!(desk.common().await, ["150.01", "0.00", "0.00"]);
    let first = desk.payout_of(id, homes[0]).await;
    assert_eq!((&first["amount"], &first["state"]), (&json!("100.01"), &json!("drafted")));
    assert_eq!((&first["household_name"], &first["village"]), (&json!("示*户"), &json!(VILLAGE)));

    let approved = desk.approve(id).await.ok();
    assert_eq!((&approved["state"], &approved["approved_by"]), (&json!("approved"), &json!(desk.second.id)));
    assert_eq!(desk.common().await, ["150.01", "-150.01", "0.00"]);
    assert_eq!(desk.payable(homes[0]).await, "0.00");
    let entry = desk.payout_of(id, homes[1]).await["instruction_entry_id"].clone();
    assert_eq!(desk.payout_of(id, homes[0]).await["instruction_entry_id"], entry);
    let path = format!("/v1/ledger/entries/{}", entry.as_str().unwrap());
    let shown = desk.purse.world.get(&desk.second, &path).await.ok();
    assert_eq!((&shown["source_kind"], &shown["source_id"]), (&json!("payout_batch"), &json!(id)));
    assert_eq!(shown["postings"].as_array().unwrap().len(), 3, "one per household and clearing");

    let executed = desk.all_paid(id).await;
    assert_eq!((&executed["state"], &executed["executed_by"]), (&json!("executed"), &json!(desk.second.id)));
    assert_eq!(desk.common().await, ["0.00", "0.00", "0.00"]);
    assert_eq!(desk.purse.received_and_paid_out(homes[0]).await, (10_001, 10_001));
    assert_eq!(desk.payout_of(id, homes[1]).await["state"], "paid");
    desk.purse.audited().await;
}

#[tokio::test]
async fn the_maker_of_a_batch_does_not_approve_it() {
    let (desk, _) = Desk::with_received(&[100]).await;
    let batch = desk.make().await;
    let path = format!("{BATCHES}/{batch}/approve");
    let by_maker = desk.purse.world.post(&desk.purse.finance, &path, json!({})).await;
    by_maker.refused(409, "second_person_needed");
    assert_eq!(desk.get(&batch).await["state"], "drafted");
    assert_eq!(desk.common().await, ["1.00", "0.00", "0.00"]);
}

#[tokio::test]
async fn a_batch_is_approved_once() {
    let (desk, _) = Desk::with_received(&[100]).await;
    let batch = desk.make().await;
    let (world, path) = (&desk.purse.world, format!("{BATCHES}/{batch}/approve"));
    let first = world.post_with_key(Some(&desk.second), &path, json!({}), "a1").await;
    let again = world.post_with_key(Some(&desk.second), &path, json!({}), "a1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.ok(), again.ok());
    desk.approve(&batch).await.refused(409, "wrong_state");
    assert_eq!(desk.common().await, ["1.00", "-1.00", "0.00"]);
    let without = world.request(Method::POST, Some(&desk.second), &path);
    Answer::of(without).await.refused(428, "idempotency_key_missing");
    let unknown = format!("{BATCHES}/{}/approve", Uuid::now_v7());
    world.post(&desk.second, &unknown, json!({})).await.refused(404, "not_found");
    let other = format!("{BATCHES}/{}/approve", Uuid::now_v7());
    let reused = world.post_with_key(Some(&desk.second), &other, json!({}), "a1").await;
    reused.refused(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_batch_is_made_once_per_idempotency_key() {
    let (desk, _) = Desk::with_received(&[100]).await;
    let (world, by) = (&desk.purse.world, Some(&desk.purse.finance));
    let body = json!({ "up_to": "2027-03-01" });
    let first = world.post_with_key(by, BATCHES, body.clone(), "b1").await;
    let again = world.post_with_key(by, BATCHES, body.clone(), "b1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.created(), again.created());
    let other = world.post_with_key(by, BATCHES, json!({ "up_to": "2027-02-28" }), "b1").await;
    other.refused(422, "idempotency_key_reused");
    let without = world.request(Method::POST, by, BATCHES).json(&body);
    Answer::of(without).await.refused(428, "idempotency_key_missing");
}

#[tokio::test]
async fn what_is_in_a_batch_is_in_no_other_and_a_refused_batch_takes_no_number() {
    let (desk, homes) = Desk::with_received(&[100]).await;
    desk.make().await;
    assert_eq!(desk.try_make().await.refused(422, "invalid_value")["pointer"], "/up_to");
    desk.purse.sold(&[(homes[0], 50)]).await;
    desk.try_make().await.refused(422, "invalid_value");
    desk.purse.pay("0.20").await;
    let next = desk.try_make().await.created();
    assert_eq!((&next["number"], &next["amount"]), (&json!("PB-341823-2027-000002"), &json!("0.20")));
    assert_eq!(desk.purse.received_and_paid_out(homes[0]).await, (120, 120));
}

#[tokio::test]
async fn a_batch_holds_sales_up_to_its_day_and_no_day_to_come() {
    let (desk, _) = Desk::with_received(&[100]).await;
    let make = async |up_to: &str| {
        desk.purse.world.post(&desk.purse.finance, BATCHES, json!({ "up_to": up_to })).await
    };
    make("2027-02-28").await.refused(422, "invalid_value");
    make("2027-03-02").await.refused(422, "invalid_value");
    assert_eq!(make("2027-03-01").await.created()["amount"], "1.00");
}

#[tokio::test]
async fn a_household_is_paid_out_what_was_received_for_it_and_not_what_it_is_owed() {
    let desk = Desk::open().await;
    let homes = desk.purse.households(3).await;
    let owed: Vec<(Uuid, i64)> = homes.iter().map(|home| (*home, 20_000)).collect();
    desk.purse.sold(&owed).await;
    desk.purse.pay("100.00").await;
    let batch = desk.instructed().await;
    let payouts = desk.payouts(&batch).await;
    let mut amounts: Vec<&str> = payouts.iter().map(|payout| payout["amount"].as_str().unwrap()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, ["33.33", "33.33", "33.34"]);
    desk.all_paid(&batch).await;
    desk.purse.pay("500.00").await;
    let rest = desk.instructed().await;
    assert_eq!(desk.all_paid(&rest).await["amount"], "500.00");
    for home in homes {
        assert_eq!(desk.purse.received_and_paid_out(home).await, (20_000, 20_000));
        assert_eq!(desk.payable(home).await, "0.00");
    }
    assert_eq!(desk.common().await, ["0.00", "0.00", "0.00"]);
}

#[tokio::test]
async fn a_returned_payout_is_owed_again_and_goes_out_in_a_later_batch() {
    let (desk, homes) = Desk::with_received(&[10_000, 5_000]).await;
    let batch = desk.instructed().await;
    let (kept, back) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let executed = desk.results(&batch, json!([paid(&kept), returned(&back)])).await.ok();
    assert_eq!(executed["state"], "executed");
    assert_eq!(desk.common().await, ["50.00", "0.00", "0.00"]);
    assert_eq!(desk.payable(homes[1]).await, "-50.00");
    assert_eq!(desk.purse.received_and_paid_out(homes[1]).await, (5_000, 0));
    let back = desk.payout_of(&batch, homes[1]).await;
    assert_eq!(
        (&back["state"], &back["return_reason"]),
        (&json!("returned"), &json!("the account is closed"))
    );

    let again = desk.instructed().await;
    assert_eq!(desk.get(&again).await["payout_count"], 1);
    assert_eq!(desk.payout_of(&again, homes[1]).await["amount"], "50.00");
    desk.all_paid(&again).await;
    assert_eq!(desk.common().await, ["0.00", "0.00", "0.00"]);
    assert_eq!(desk.payable(homes[1]).await, "0.00");
    assert_eq!(desk.purse.received_and_paid_out(homes[1]).await, (5_000, 5_000));
    desk.try_make().await.refused(422, "invalid_value");
    desk.purse.audited().await;
}

#[tokio::test]
async fn a_batch_is_executed_when_its_last_payout_has_a_result() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let first = desk.payout_of(&batch, homes[0]).await;
    assert_eq!(desk.results(&batch, json!([paid(&first)])).await.ok()["state"], "approved");
    assert_eq!(desk.common().await, ["2.00", "-2.00", "0.00"]);
    assert_eq!(desk.get(&batch).await["executed_at"], Json::Null);
    let second = desk.payout_of(&batch, homes[1]).await;
    assert_eq!(desk.results(&batch, json!([paid(&second)])).await.ok()["state"], "executed");
    desk.results(&batch, json!([paid(&second)])).await.refused(409, "wrong_state");
    assert_eq!(desk.common().await, ["0.00", "0.00", "0.00"]);
}

#[tokio::test]
async fn results_that_do_not_fit_are_refused_whole() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let drafted = desk.make().await;
    let (one, two) = (desk.payout_of(&drafted, homes[0]).await, desk.payout_of(&drafted, homes[1]).await);
    desk.results(&drafted, json!([paid(&one)])).await.refused(409, "wrong_state");
    let batch = drafted;
    desk.approve(&batch).await.ok();

    let twice = desk.results(&batch, json!([paid(&one), returned(&one)])).await;
    assert_eq!(twice.refused(422, "invalid_value")["pointer"], "/results/1/payout_id");
    let foreign = json!({ "payout_id": Uuid::now_v7(), "result": "paid" });
    let foreign = desk.results(&batch, json!([paid(&one), foreign])).await;
    assert_eq!(foreign.refused(422, "invalid_value")["pointer"], "/results/1/payout_id");
    let unexplained = desk.results(&batch, json!([{ "payout_id": one["id"], "result": "returned" }])).await;
    assert_eq!(unexplained.refused(422, "invalid_value")["pointer"], "/results/0/reason");
    let explained = json!([{ "payout_id": one["id"], "result": "paid", "reason": "none" }]);
    let explained = desk.results(&batch, explained).await;
    assert_eq!(explained.refused(422, "invalid_value")["pointer"], "/results/0/reason");
    desk.results(&batch, json!([])).await.refused(422, "invalid_value");
    desk.results(&Uuid::now_v7().to_string(), json!([paid(&one)])).await.refused(404, "not_found");
    assert_eq!(desk.common().await, ["3.00", "-3.00", "0.00"], "nothing of it took effect");

    desk.results(&batch, json!([paid(&one)])).await.ok();
    desk.results(&batch, json!([paid(&two), paid(&one)])).await.refused(409, "wrong_state");
    assert_eq!(desk.payout_of(&batch, homes[1]).await["state"], "instructed");
}

#[tokio::test]
async fn results_take_effect_once_per_idempotency_key() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let (world, by, path) = (&desk.purse.world, Some(&desk.second), format!("{BATCHES}/{batch}/results"));
    let body = json!({ "results": [returned(&one)] });
    let first = world.post_with_key(by, &path, body.clone(), "r1").await;
    let again = world.post_with_key(by, &path, body.clone(), "r1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.ok(), again.ok());
    let other = world.post_with_key(by, &path, json!({ "results": [paid(&two)] }), "r1").await;
    other.refused(422, "idempotency_key_reused");
    let without = world.request(Method::POST, by, &path).json(&body);
    Answer::of(without).await.refused(428, "idempotency_key_missing");
    assert_eq!(desk.common().await, ["3.00", "-2.00", "0.00"]);
    assert_eq!(desk.purse.received_and_paid_out(homes[0]).await, (100, 0));
}

#[tokio::test]
async fn finance_pays_out_auditors_and_officers_read_and_nobody_else_sees_a_batch() {
    let (desk, homes) = Desk::with_received(&[100]).await;
    let batch = desk.make().await;
    let payout = desk.payout_of(&batch, homes[0]).await;
    let one = format!("{BATCHES}/{batch}");
    let writes = [
        (BATCHES.to_owned(), json!({ "up_to": "2027-03-01" })),
        (format!("{one}/approve"), json!({})),
        (format!("{one}/results"), json!({ "results": [paid(&payout)] })),
    ];
    let world = &desk.purse.world;
    for person in desk.purse.others_than(&[Role::Finance]).await {
        for (path, body) in &writes {
            world.post(&person, path, body.clone()).await.refused(403, "not_allowed");
        }
        if matches!(person.role, Role::Auditor | Role::Officer) {
            assert_eq!(world.get(&person, BATCHES).await.ok()["items"][0]["id"], json!(batch));
            assert_eq!(
                world.get(&person, &format!("{one}/payouts")).await.ok()["items"][0]["amount"],
                "1.00"
            );
        } else {
            world.get(&person, BATCHES).await.refused(403, "not_allowed");
            world.get(&person, &one).await.refused(403, "not_allowed");
        }
    }
    for (path, body) in &writes {
        world.post_as(None, path, body.clone()).await.refused(401, "not_signed_in");
    }
    world.get_as(None, BATCHES).await.refused(401, "not_signed_in");
    world.get_as(None, &one).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_batch_does_not_exist_outside_its_county_nor_for_one_township_of_it() {
    let (desk, homes) = Desk::with_received(&[100]).await;
    let batch = desk.make().await;
    let payout = desk.payout_of(&batch, homes[0]).await;
    let world = &desk.purse.world;
    let sql = "insert into region (code, level, name, parent_code, valid_from)
               values ('341824000000', 'county', '绩溪县', '341800000000', $1)";
    let day: chrono::NaiveDate = "2020-02-25".parse().unwrap();
    world.execute(sql, vec![day.into()]).await;
    let results = json!({ "results": [paid(&payout)] });
    for region in ["341824000000", "341823100000"] {
        let other = world.person(Role::Finance, Place::Region(region.to_owned())).await;
        assert_eq!(world.get(&other, BATCHES).await.ok()["items"], json!([]));
        let one = format!("{BATCHES}/{batch}");
        world.get(&other, &one).await.refused(404, "not_found");
        world.post(&other, &format!("{one}/approve"), json!({})).await.refused(404, "not_found");
        world.post(&other, &format!("{one}/results"), results.clone()).await.refused(404, "not_found");
        let made = world.post(&other, BATCHES, json!({ "up_to": "2027-03-01" })).await;
        made.refused(403, "not_allowed");
    }
    let city = world.person(Role::Auditor, Place::Region("341800000000".to_owned())).await;
    assert_eq!(world.get(&city, BATCHES).await.ok()["items"][0]["id"], json!(batch));
}

#[tokio::test]
async fn batches_are_listed_newest_first_page_by_page() {
    let (desk, homes) = Desk::with_received(&[100]).await;
    desk.make().await;
    desk.purse.sold(&[(homes[0], 50)]).await;
    desk.purse.pay("0.50").await;
    desk.make().await;
    let world = &desk.purse.world;
    let page = world.get(&desk.second, &format!("{BATCHES}?limit=1")).await.ok();
    assert_eq!(page["items"][0]["number"], "PB-341823-2027-000002");
    assert_eq!(page["items"][0]["states"], Json::Null);
    let next = format!("{BATCHES}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = world.get(&desk.second, &next).await.ok();
    assert_eq!(page["items"][0]["number"], "PB-341823-2027-000001");
    assert_eq!(page["next_cursor"], Json::Null);
}

#[tokio::test]
async fn steps_at_the_same_moment_take_effect_once() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let made = futures_util::future::join_all((0..5).map(|_| desk.try_make())).await;
    let batches: Vec<&Answer> = made.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(batches.len(), 1, "{made:?}");
    let batch = batches[0].created()["id"].as_str().unwrap().to_owned();
    let approved = futures_util::future::join_all((0..5).map(|_| desk.approve(&batch))).await;
    assert_eq!(approved.iter().filter(|answer| answer.status == 200).count(), 1, "{approved:?}");
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let results = json!([returned(&one), paid(&two)]);
    let told = futures_util::future::join_all((0..5).map(|_| desk.results(&batch, results.clone()))).await;
    assert_eq!(told.iter().filter(|answer| answer.status == 200).count(), 1, "{told:?}");
    assert_eq!(desk.common().await, ["1.00", "0.00", "0.00"]);
    assert_eq!(desk.payable(homes[0]).await, "-1.00");
    desk.purse.audited().await;
}

/// Whoever comes first, the other hears what is so: nothing is payable, or it is in a payout.
#[tokio::test]
async fn a_batch_made_while_a_payment_is_taken_back_holds_what_is_left_or_comes_first() {
    let (desk, homes) = Desk::with_received(&[100]).await;
    desk.make().await;
    for _ in 0..12 {
        desk.purse.sold(&[(homes[0], 700)]).await;
        let payment = desk.purse.pay("7.00").await;
        let (made, reversed) =
            futures_util::future::join(desk.try_make(), desk.purse.reverse(&payment)).await;
        if reversed.status == 200 {
            made.refused(422, "invalid_value");
            desk.purse.pay("7.00").await;
            desk.try_make().await.created();
        } else {
            reversed.refused(409, "wrong_state");
            made.created();
        }
    }
    desk.purse.audited().await;
}

#[tokio::test]
async fn a_batch_of_2000_households_takes_a_bounded_number_of_statements() {
    let (desk, homes) = Desk::with_received(&[777; 2000]).await;
    let before = statements_sent();
    let batch = desk.make().await;
    let made = statements_sent() - before;
    desk.approve(&batch).await.ok();
    let approved = statements_sent() - before - made;
    let payouts = desk.payouts(&batch).await;
    assert_eq!(payouts.len(), homes.len());
    let results: Vec<Json> = payouts
        .iter()
        .enumerate()
        .map(|(index, payout)| if index % 10 == 0 { returned(payout) } else { paid(payout) })
        .collect();
    let before = statements_sent();
    assert_eq!(desk.results(&batch, json!(results)).await.ok()["state"], "executed");
    let told = statements_sent() - before;
    assert!(made < 24 && approved < 24 && told < 40, "{made} {approved} {told}");
    assert_eq!(desk.common().await, [yuan(200 * 777), "0.00".into(), "0.00".into()]);
    let again = desk.try_make().await.created();
    assert_eq!((&again["payout_count"], &again["amount"]), (&json!(200), &json!(yuan(200 * 777))));
    desk.purse.audited().await;
}
