//! The specification of `/v1/papers` and of the statement of a month, as tests over HTTP.

mod files;
mod invoices;

use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::purse::Purse;
use crate::support::{Answer, Person};

const PAPERS: &str = "/v1/papers";

/// A purse, and what its people issue.
pub struct Desk {
    pub purse: Purse,
}

impl Desk {
    pub async fn open() -> Self {
        Self { purse: Purse::open().await }
    }

    pub async fn get(&self, path: &str) -> Json {
        self.purse.world.get(&self.purse.finance, path).await.ok()
    }

    pub async fn issue(&self, body: Json) -> Answer {
        self.purse.world.post(&self.purse.finance, PAPERS, body).await
    }

    /// A settlement of so many fen to each household, and its statement.
    pub async fn settled(&self, owed: &[(Uuid, i64)]) -> (Uuid, Json) {
        let settlement = self.purse.sold(owed).await;
        let paper = self.issue(of_settlement(settlement)).await.created();
        (settlement, paper)
    }

    /// Sessions do not outlive a day, so somebody else of finance goes on.
    pub async fn days_pass(&mut self, days: i64) {
        self.purse.world.clock.advance(chrono::TimeDelta::days(days));
        self.purse.finance = self.purse.world.official(Role::Finance).await;
    }

    fn of_month(&self, month: &str) -> Json {
        json!({ "kind": "monthly_statement", "institution_id": self.purse.school, "month": month })
    }

    async fn statement(&self, month: &str) -> Json {
        self.get(&format!("/v1/institutions/{}/statements/{month}", self.purse.school)).await
    }

    async fn receivable(&self, as_of: &str) -> String {
        self.purse.balance(&format!("kind=receivable&owner_id={}&as_of={as_of}", self.purse.school)).await
    }

    /// A household with a card, which is paid what the school paid for it.
    pub async fn paid_out(&self, fen: i64) -> (Uuid, Uuid) {
        let world = &self.purse.world;
        let household = self.purse.households(1).await[0];
        let officer = world.official(Role::Officer).await;
        let card = json!({ "bank_account": "6228480402564890018" });
        world.patch(&officer, &format!("/v1/households/{household}"), "\"1\"", card).await.ok();
        self.purse.sold(&[(household, fen)]).await;
        self.purse.pay(&zhuxiao::money::Fen::new(fen).to_string()).await;
        let up_to = json!({ "up_to": world.clock.today() });
        let batch = world.post(&self.purse.finance, "/v1/payout_batches", up_to).await.created();
        let path = format!("/v1/payout_batches/{}", batch["id"].as_str().unwrap());
        let payout = self.get(&format!("{path}/payouts")).await["items"][0]["id"].clone();
        let unpaid = json!({ "kind": "payment_slip", "payout_id": payout });
        self.issue(unpaid).await.refused(409, "wrong_state");
        let second = world.official(Role::Finance).await;
        world.post(&second, &format!("{path}/approve"), json!(null)).await.ok();
        let results = json!({ "results": [{ "payout_id": payout, "result": "paid" }] });
        world.post(&second, &format!("{path}/results"), results).await.ok();
        (household, payout.as_str().unwrap().parse().unwrap())
    }
}

pub fn of_settlement(settlement: Uuid) -> Json {
    json!({ "kind": "settlement_statement", "settlement_id": settlement })
}

pub fn path_of(paper: &Json) -> String {
    format!("{PAPERS}/{}", paper["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_statement_of_a_settlement_says_who_owes_what_and_to_whom() {
    let desk = Desk::open().await;
    let homes = desk.purse.households(2).await;
    let (settlement, paper) = desk.settled(&[(homes[0], 140_000), (homes[1], 950)]).await;
    assert_eq!(
        (&paper["number"], &paper["kind"]),
        (&json!("SS-341823-2027-000001"), &json!("settlement_statement"))
    );
    assert_eq!(paper["settlement_id"], json!(settlement));
    let said = &paper["content"]["settlement_statement"];
    assert_eq!((&said["amount"], &said["institution_name"]), (&json!("1409.50"), &json!("示范学校")));
    assert_eq!(said["amount_in_capitals"], "人民币壹仟肆佰零玖元伍角整");
    assert_eq!(said["settlement_number"], "ST-341823-2027-000001");
    let lines = said["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["quantity"]["amount"] == "140").unwrap();
    assert_eq!((&line["household_name"], &line["village_name"]), (&json!("示*户"), &json!("示范一村")));
    assert_eq!((lines.len(), &line["price"]["amount"]), (2, &json!("10.00")));
    assert_eq!(desk.get(&path_of(&paper)).await, paper);
}

#[tokio::test]
async fn a_correction_is_a_new_number_that_names_the_old_one_and_both_stay_readable() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let (settlement, first) = desk.settled(&[(home, 500)]).await;
    let twice = desk.issue(of_settlement(settlement)).await;
    assert!(twice.refused(409, "duplicate")["detail"].as_str().unwrap().contains("SS-341823-2027-000001"));
    desk.purse.world.execute("update institution set name = '改名学校'", Vec::new()).await;
    let correction = json!({
        "kind": "settlement_statement", "settlement_id": settlement, "replaces_id": first["id"], "reason": "名称有误",
    });
    // Ids of one millisecond have no order among them.
    desk.purse.world.clock.advance(chrono::TimeDelta::seconds(1));
    let second = desk.issue(correction.clone()).await.created();
    assert_eq!(second["number"], "SS-341823-2027-000002", "what was refused left no gap");
    assert_eq!((&second["replaces_number"], &second["reason"]), (&first["number"], &json!("名称有误")));
    assert_eq!(second["content"]["settlement_statement"]["institution_name"], "改名学校");
    let old = desk.get(&path_of(&first)).await;
    assert_eq!(old["content"], first["content"], "a paper never changes");
    assert_eq!((&old["replaced_by_number"], &old["digest"]), (&second["number"], &first["digest"]));
    desk.issue(correction).await.refused(409, "wrong_state");
    let newest = desk.get(&format!("{PAPERS}?settlement_id={settlement}&limit=1")).await;
    assert_eq!((&newest["items"][0]["id"], newest["items"][0].get("content")), (&second["id"], None));
    assert!(newest["next_cursor"].is_string());
    desk.purse.audited().await;
}

#[tokio::test]
async fn the_digest_is_that_of_the_number_and_the_frozen_text() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let (_, paper) = desk.settled(&[(home, 500)]).await;
    let text =
        desk.purse.world.get(&desk.purse.finance, &format!("{}/file?format=json", path_of(&paper))).await;
    assert_eq!(text.header("content-type"), "application/json; charset=utf-8");
    let digested = format!("{}\n{}", paper["number"].as_str().unwrap(), text.text);
    assert_eq!(paper["digest"], zhuxiao::id::secret_hash(&digested));
}

#[tokio::test]
async fn a_statement_of_a_month_begins_and_ends_with_the_balances_of_the_ledger() {
    let mut desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    desk.purse.sold(&[(home, 30_000)]).await;
    desk.days_pass(30).await;
    let draft = desk.statement("2027-03").await;
    assert_eq!((&draft["is_issued"], &draft["statement"]["closing"]), (&json!(false), &json!("300.00")));
    desk.issue(desk.of_month("2027-03")).await.refused(422, "invalid_value");
    desk.days_pass(5).await;
    desk.purse.sold(&[(home, 20_000)]).await;
    let wrong = desk.purse.pay("100.00").await;
    desk.purse.reverse(&wrong).await.ok();
    desk.purse.pay("600.00").await;
    desk.days_pass(30).await;
    let paper = desk.issue(desk.of_month("2027-04")).await.created();
    assert_eq!((&paper["number"], &paper["month"]), (&json!("MS-341823-2027-000001"), &json!("2027-04")));
    let said = &paper["content"]["monthly_statement"];
    let [opening, closing] = [desk.receivable("2027-03-31").await, desk.receivable("2027-04-30").await];
    assert_eq!((&said["opening"], &said["closing"]), (&json!(opening), &json!(closing)));
    assert_eq!((opening.as_str(), closing.as_str()), ("300.00", "0.00"));
    assert_eq!((&said["opening_deposit"], &said["closing_deposit"]), (&json!("0.00"), &json!("100.00")));
    let moved: Vec<[&str; 3]> = said["movements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            [one["kind"].as_str().unwrap(), one["amount"].as_str().unwrap(), one["deposit"].as_str().unwrap()]
        })
        .collect();
    assert_eq!(moved.len(), 4, "{moved:?}");
    for expected in [
        ["acceptance", "200.00", "0.00"],
        ["payment", "-100.00", "0.00"],
        ["payment", "100.00", "0.00"],
        ["payment", "-500.00", "100.00"],
    ] {
        assert!(moved.contains(&expected), "{expected:?} in {moved:?}");
    }
    let shown = desk.statement("2027-04").await;
    assert_eq!((&shown["is_issued"], &shown["number"]), (&json!(true), &paper["number"]));
    assert_eq!(&shown["statement"], said);
    desk.purse.audited().await;
}

#[tokio::test]
async fn what_is_booked_later_into_an_issued_month_changes_the_correction_and_not_the_paper() {
    let mut desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    desk.purse.sold(&[(home, 30_000)]).await;
    desk.days_pass(31).await;
    let first = desk.issue(desk.of_month("2027-03")).await.created();
    desk.days_pass(1).await;
    let payment = json!({ "received_on": "2027-03-20", "amount": "50.00", "reference": "transfer",
                          "institution_id": desk.purse.school });
    desk.purse.world.post(&desk.purse.finance, "/v1/payments", payment).await.created();
    assert_eq!(desk.statement("2027-03").await["statement"]["closing"], "300.00");
    desk.purse.audited().await;
    let mut correction = desk.of_month("2027-03");
    correction["replaces_id"] = first["id"].clone();
    correction["reason"] = json!("补记收款");
    desk.issue(correction).await.created();
    assert_eq!(desk.statement("2027-03").await["statement"]["closing"], "250.00");
    desk.purse.audited().await;
}

#[tokio::test]
async fn a_slip_says_what_a_household_was_paid_and_for_what_and_is_for_its_own_people() {
    let desk = Desk::open().await;
    let (household, payout) = desk.paid_out(32_504).await;
    let slip = desk.issue(json!({ "kind": "payment_slip", "payout_id": payout })).await.created();
    assert_eq!(slip["number"], "PS-341823-2027-000001");
    let said = &slip["content"]["payment_slip"];
    assert_eq!((&said["amount"], &said["account"]), (&json!("325.04"), &json!("****0018")));
    assert_eq!(said["amount_in_capitals"], "人民币叁佰贰拾伍元零肆分");
    assert_eq!(
        (&said["household_name"], &said["batch_number"]),
        (&json!("示*户"), &json!("PB-341823-2027-000001"))
    );
    assert_eq!(
        (&said["lines"][0]["paid"], &said["lines"][0]["product_name"]),
        (&json!("325.04"), &json!("tea"))
    );
    assert!(said["lines"][0]["order_number"].as_str().unwrap().starts_with("PO-341823-2027-"));
    let world = &desk.purse.world;
    let own = world.person(Role::Household, Place::Household(household)).await;
    let neighbour = desk.purse.households(1).await[0];
    let neighbour = world.person(Role::Household, Place::Household(neighbour)).await;
    let school = world.person(Role::Buyer, Place::Institution(desk.purse.school)).await;
    assert_eq!(world.get(&own, &path_of(&slip)).await.ok()["digest"], slip["digest"]);
    assert_eq!(world.get(&own, PAPERS).await.ok()["items"].as_array().unwrap().len(), 1);
    for stranger in [&neighbour, &school] {
        world.get(stranger, &path_of(&slip)).await.refused(404, "not_found");
        world
            .post(stranger, &format!("{}/prints", path_of(&slip)), json!(null))
            .await
            .refused(404, "not_found");
        assert_eq!(world.get(stranger, PAPERS).await.ok()["items"], json!([]));
    }
    desk.purse.audited().await;
}

#[tokio::test]
async fn finance_of_a_township_issues_nothing_of_the_county_and_an_officer_there_sees_no_other_households() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let (settlement, paper) = desk.settled(&[(home, 500)]).await;
    let elsewhere = desk.purse.finance_of_the_other_township().await;
    let world = &desk.purse.world;
    world.post(&elsewhere, PAPERS, of_settlement(settlement)).await.refused(404, "not_found");
    let officer: Person = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    world.get(&officer, &path_of(&paper)).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_body_that_names_the_wrong_subject_or_half_a_correction_is_refused_and_issues_nothing() {
    let desk = Desk::open().await;
    let id = Uuid::now_v7();
    for (body, pointer) in [
        (json!({ "kind": "settlement_statement" }), "/kind"),
        (json!({ "kind": "settlement_statement", "payout_id": id }), "/kind"),
        (json!({ "kind": "monthly_statement", "institution_id": id }), "/kind"),
        (json!({ "kind": "payment_slip", "payout_id": id, "settlement_id": id }), "/kind"),
        (json!({ "kind": "payment_slip", "payout_id": id, "replaces_id": id }), "/reason"),
        (json!({ "kind": "payment_slip", "payout_id": id, "reason": "why" }), "/reason"),
    ] {
        let refused = desk.issue(body.clone()).await.refused(422, "invalid_value");
        assert_eq!(refused["pointer"], pointer, "{body}");
    }
    for body in [of_settlement(id), json!({ "kind": "payment_slip", "payout_id": id })] {
        desk.issue(body).await.refused(404, "not_found");
    }
    let path = format!("/v1/institutions/{}/statements/2027-13", desk.purse.school);
    desk.purse.world.get(&desk.purse.finance, &path).await.refused(400, "invalid_parameter");
    assert_eq!(desk.get(PAPERS).await["items"], json!([]));
}

#[tokio::test]
async fn the_same_key_issues_once_and_papers_issued_at_once_leave_no_gap() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let mut settlements = Vec::new();
    for _ in 0..6 {
        settlements.push(desk.purse.sold(&[(home, 100)]).await);
    }
    let world = &desk.purse.world;
    let finance = Some(&desk.purse.finance);
    let first = world.post_with_key(finance, PAPERS, of_settlement(settlements[0]), "k").await.created();
    let again = world.post_with_key(finance, PAPERS, of_settlement(settlements[0]), "k").await;
    assert_eq!((again.header("idempotency-replayed"), &again.created()), ("true", &first));
    // Each settlement twice at once: one of the two is issued, the other refused.
    let racing = settlements.iter().flat_map(|id| [*id, *id]).map(|id| desk.issue(of_settlement(id)));
    let answers = futures_util::future::join_all(racing).await;
    let issued = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(issued, 5);
    let papers = desk.get(&format!("{PAPERS}?kind=settlement_statement")).await;
    let mut numbers: Vec<&str> =
        papers["items"].as_array().unwrap().iter().map(|paper| paper["number"].as_str().unwrap()).collect();
    numbers.sort_unstable();
    let expected: Vec<String> = (1..=6).map(|place| format!("SS-341823-2027-{place:06}")).collect();
    assert_eq!(numbers, expected);
    desk.purse.audited().await;
}
