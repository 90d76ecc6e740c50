//! The specification of /v1/lots and /v1/public/lots, as tests over HTTP.

mod imports;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::{Answer, COUNTY, Person, World};

const VILLAGE: &str = "341823100001";
const OTHER_VILLAGE: &str = "341823101201";

/// A household with its person, and a product that needs nothing.
struct Farm {
    world: World,
    household: Uuid,
    farmer: Person,
    product: Uuid,
}

impl Farm {
    async fn new() -> Self {
        let world = World::new().await.with_regions().await;
        let household = world.household(VILLAGE, "general").await;
        let farmer = world.person(Role::Household, Place::Household(household)).await;
        let product = world.product("bamboo").await;
        Self { world, household, farmer, product }
    }

    /// 60 kg at 16.00 per jin, ready today.
    fn offer(&self) -> Value {
        json!({
            "product_id": self.product, "quantity": {"amount": "60", "unit": "kg"},
            "price": {"amount": "16.00", "per": "jin"}, "ready_from": "2027-03-01", "sell_by": "2027-04-30",
        })
    }

    fn offer_with(&self, member: &str, value: Value) -> Value {
        let mut offer = self.offer();
        offer[member] = value;
        offer
    }

    async fn offered(&self) -> Answer {
        self.world.post(&self.farmer, "/v1/lots", self.offer()).await
    }

    async fn lots(&self) -> Value {
        self.world.get(&self.farmer, "/v1/lots").await.ok()["items"].clone()
    }

    /// Makes the product one with grades, a shelf life and required certificates.
    async fn with_demands(self) -> Self {
        let json = if self.world.database_url().starts_with("postgres") { "::jsonb" } else { "" };
        let sql = format!(
            "update product set grades = '[\"特级\",\"一级\"]'{json}, shelf_life_days = 30,
                    certificates = '[\"food_production\",\"animal_quarantine\"]'{json} where id = $1"
        );
        self.world.execute(&sql, vec![self.product.into()]).await;
        self
    }

    /// Somebody who helps the household today.
    async fn helper(&self) -> Person {
        let helper = self.world.person(Role::Helper, Place::Pairings).await;
        let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
        let sql = "insert into pairing (id, county_code, helper_id, household_id, from_on, created_at)
                   values ($1, $2, $3, $4, $5, $6)";
        let values = vec![
            Uuid::now_v7().into(),
            COUNTY.into(),
            helper.id.into(),
            self.household.into(),
            day("2027-01-01").into(),
            self.world.clock.now().into(),
        ];
        self.world.execute(sql, values).await;
        helper
    }

    async fn buyer(&self) -> Person {
        let institution = self.world.institution("示范学校", "school").await;
        self.world.person(Role::Buyer, Place::Institution(institution)).await
    }

    /// Takes stock of a lot as an order would.
    async fn promise(&self, lot: &str, held: i64, confirmed: i64, delivered: i64) {
        let lot: Uuid = lot.parse().unwrap();
        let sql = "update lot set held_base = $2, confirmed_base = $3, delivered_base = $4 where id = $1";
        self.world.execute(sql, vec![lot.into(), held.into(), confirmed.into(), delivered.into()]).await;
    }
}

fn id_of(lot: &Value) -> &str {
    lot["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_household_offers_a_lot_and_finds_it() {
    let farm = Farm::new().await;
    let answer = farm.offered().await;
    let lot = answer.created();
    assert_eq!(answer.header("location"), format!("/v1/lots/{}", id_of(&lot)));
    assert_eq!(lot["household_id"], json!(farm.household));
    assert_eq!(lot["village"], VILLAGE);
    assert_eq!((&lot["township"], &lot["township_name"]), (&json!("341823100000"), &json!("泾川镇")));
    assert_eq!(lot["available"], json!({"amount": "60", "unit": "kg"}));
    assert_eq!(lot["price"], json!({"amount": "16.00", "per": "jin"}));
    assert_eq!(lot["certified_until"], "9999-12-31");
    assert_eq!(lot["state"], "on_sale");
    let read = farm.world.get(&farm.farmer, answer.header("location")).await;
    assert_eq!((read.ok(), read.header("etag")), (lot.clone(), answer.header("etag")));
    assert_eq!(farm.lots().await, json!([lot]));
}

#[tokio::test]
async fn the_same_offer_under_the_same_key_is_one_lot() {
    let farm = Farm::new().await;
    let farmer = Some(&farm.farmer);
    let first = farm.world.post_with_key(farmer, "/v1/lots", farm.offer(), "offer-1").await;
    let again = farm.world.post_with_key(farmer, "/v1/lots", farm.offer(), "offer-1").await;
    assert_eq!(first.created(), again.created());
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(farm.lots().await.as_array().unwrap().len(), 1);
    let other = farm.offer_with("quantity", json!({"amount": "61", "unit": "kg"}));
    let reused = farm.world.post_with_key(farmer, "/v1/lots", other, "offer-1").await;
    reused.refused(422, "idempotency_key_reused");
    let bare = farm.world.request(Method::POST, farmer, "/v1/lots").json(&farm.offer());
    Answer::of(bare).await.refused(428, "idempotency_key_missing");
}

#[tokio::test]
async fn a_helper_offers_for_the_households_it_is_paired_with_and_no_others() {
    let farm = Farm::new().await;
    let helper = farm.helper().await;
    let offer = farm.offer_with("household_id", json!(farm.household));
    let lot = farm.world.post(&helper, "/v1/lots", offer.clone()).await.created();
    assert_eq!(lot["household_id"], json!(farm.household));
    assert_eq!(farm.world.get(&helper, "/v1/lots").await.ok()["items"], json!([lot]));
    let stranger = farm.world.household(OTHER_VILLAGE, "general").await;
    let foreign = farm.offer_with("household_id", json!(stranger));
    farm.world.post(&helper, "/v1/lots", foreign).await.refused(404, "not_found");
    let unpaired = farm.world.person(Role::Helper, Place::Pairings).await;
    farm.world.post(&unpaired, "/v1/lots", offer).await.refused(404, "not_found");
    let path = format!("/v1/lots/{}", id_of(&lot));
    farm.world.get(&unpaired, &path).await.refused(404, "not_found");
    farm.world.patch(&unpaired, &path, "\"1\"", json!({})).await.refused(404, "not_found");
    farm.world.post(&unpaired, &format!("{path}/withdraw"), json!({})).await.refused(404, "not_found");
    assert_eq!(farm.world.get(&unpaired, "/v1/lots").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn an_officer_offers_for_any_household_of_the_region_and_must_say_which() {
    let farm = Farm::new().await;
    let township = |code: &str| Place::Region(code.to_owned());
    let ours = farm.world.person(Role::Officer, township("341823100000")).await;
    let theirs = farm.world.person(Role::Officer, township("341823101000")).await;
    let offer = farm.offer_with("household_id", json!(farm.household));
    let lot = farm.world.post(&ours, "/v1/lots", offer.clone()).await.created();
    farm.world.post(&theirs, "/v1/lots", offer).await.refused(404, "not_found");
    let problem = farm.world.post(&ours, "/v1/lots", farm.offer()).await.refused(422, "invalid_value");
    assert_eq!(problem["pointer"], "/household_id");
    let path = format!("/v1/lots/{}", id_of(&lot));
    assert_eq!(farm.world.get(&ours, &path).await.ok(), lot);
    farm.world.get(&theirs, &path).await.refused(404, "not_found");
    assert_eq!(farm.world.get(&theirs, "/v1/lots").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_household_cannot_offer_for_another() {
    let farm = Farm::new().await;
    let other = farm.world.household(OTHER_VILLAGE, "general").await;
    let offer = farm.offer_with("household_id", json!(other));
    let problem = farm.world.post(&farm.farmer, "/v1/lots", offer).await.refused(422, "invalid_value");
    assert_eq!(problem["pointer"], "/household_id");
    let own = farm.offer_with("household_id", json!(farm.household));
    farm.world.post(&farm.farmer, "/v1/lots", own).await.created();
}

#[tokio::test]
async fn those_who_sell_nothing_cannot_offer_edit_or_withdraw() {
    let farm = Farm::new().await;
    let lot = farm.offered().await.created();
    let path = format!("/v1/lots/{}", id_of(&lot));
    let mut others = vec![farm.buyer().await];
    for role in [Role::Finance, Role::Auditor, Role::Admin] {
        others.push(farm.world.official(role).await);
    }
    for other in &others {
        let offer = farm.offer_with("household_id", json!(farm.household));
        farm.world.post(other, "/v1/lots", offer).await.refused(403, "not_allowed");
        farm.world.patch(other, &path, "\"1\"", json!({})).await.refused(403, "not_allowed");
        farm.world.post(other, &format!("{path}/withdraw"), json!({})).await.refused(403, "not_allowed");
        let file = farm.world.request(Method::POST, Some(other), "/v1/lots/import").body("x");
        let file = file.header("content-type", "application/octet-stream");
        Answer::of(file).await.refused(403, "not_allowed");
    }
    for (method, path) in
        [(Method::GET, "/v1/lots"), (Method::GET, path.as_str()), (Method::POST, "/v1/lots")]
    {
        let nobody = farm.world.request(method, None, path).json(&farm.offer());
        Answer::of(nobody).await.refused(401, "not_signed_in");
    }
    assert_eq!(farm.lots().await, json!([lot]));
}

#[tokio::test]
async fn finance_and_administrators_see_no_lots_and_an_auditor_sees_those_of_the_region() {
    let farm = Farm::new().await;
    let lot = farm.offered().await.created();
    let path = format!("/v1/lots/{}", id_of(&lot));
    for role in [Role::Finance, Role::Admin] {
        let person = farm.world.official(role).await;
        farm.world.get(&person, "/v1/lots").await.refused(403, "not_allowed");
        farm.world.get(&person, &path).await.refused(403, "not_allowed");
    }
    let auditor = farm.world.official(Role::Auditor).await;
    assert_eq!(farm.world.get(&auditor, &path).await.ok(), lot);
    let elsewhere = farm.world.person(Role::Auditor, Place::Region("341823101000".to_owned())).await;
    farm.world.get(&elsewhere, &path).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_buyer_sees_what_is_on_sale_and_not_whose_it_is() {
    let farm = Farm::new().await;
    let buyer = farm.buyer().await;
    let lot = farm.offered().await.created();
    let path = format!("/v1/lots/{}", id_of(&lot));
    let seen = farm.world.get(&buyer, &path).await.ok();
    for hidden in ["household_id", "village", "external_ref", "offered", "held", "certificates", "created_at"]
    {
        assert_eq!(seen.get(hidden), None, "{hidden}");
    }
    assert_eq!((&seen["available"], &seen["township"]), (&lot["available"], &lot["township"]));
    assert_eq!(farm.world.get(&buyer, "/v1/lots").await.ok()["items"], json!([seen]));
    let whose = format!("/v1/lots?household_id={}", farm.household);
    assert_eq!(farm.world.get(&buyer, &whose).await.ok()["items"], json!([]));
    farm.promise(id_of(&lot), 60_000, 0, 0).await;
    farm.world.get(&buyer, &path).await.refused(404, "not_found");
    farm.promise(id_of(&lot), 0, 0, 0).await;
    farm.world.post(&farm.farmer, &format!("{path}/withdraw"), json!({})).await.ok();
    farm.world.get(&buyer, &path).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_lot_of_another_household_does_not_exist() {
    let farm = Farm::new().await;
    let path = format!("/v1/lots/{}", id_of(&farm.offered().await.created()));
    let other = farm.world.household(VILLAGE, "general").await;
    let other = farm.world.person(Role::Household, Place::Household(other)).await;
    farm.world.get(&other, &path).await.refused(404, "not_found");
    farm.world
        .patch(&other, &path, "\"1\"", json!({"sell_by": "2027-05-01"}))
        .await
        .refused(404, "not_found");
    farm.world.post(&other, &format!("{path}/withdraw"), json!({})).await.refused(404, "not_found");
    let whose = format!("/v1/lots?household_id={}", farm.household);
    assert_eq!(farm.world.get(&other, &whose).await.ok()["items"], json!([]));
    farm.world.get(&farm.farmer, &format!("/v1/lots/{}", Uuid::now_v7())).await.refused(404, "not_found");
    farm.world.get(&farm.farmer, "/v1/lots/x").await.refused(400, "invalid_parameter");
}

#[tokio::test]
async fn an_offer_that_is_wrong_is_refused_with_the_member_named_and_nothing_is_written() {
    let farm = Farm::new().await;
    let kg = |amount: Value| json!({"amount": amount, "unit": "kg"});
    let per_kg = |amount: Value| json!({"amount": amount, "per": "kg"});
    let wrong = [
        ("quantity", kg(json!(60)), "/quantity/amount"),
        ("quantity", kg(json!("1e2")), "/quantity"),
        ("quantity", kg(json!("NaN")), "/quantity"),
        ("quantity", kg(json!("６０")), "/quantity"),
        ("quantity", kg(json!("0.0005")), "/quantity"),
        ("quantity", kg(json!("0")), "/quantity"),
        ("quantity", kg(json!("-1")), "/quantity"),
        ("quantity", kg(json!("9000000000.001")), "/quantity"),
        ("quantity", json!({"amount": "3", "unit": "piece"}), "/quantity"),
        ("quantity", json!({"amount": "3", "unit": "pound"}), "/quantity/unit"),
        ("price", per_kg(json!(32)), "/price/amount"),
        ("price", per_kg(json!("1e2")), "/price/amount"),
        ("price", per_kg(json!("NaN")), "/price/amount"),
        ("price", per_kg(json!("３２")), "/price/amount"),
        ("price", per_kg(json!("1.234")), "/price/amount"),
        ("price", per_kg(json!("-1.00")), "/price/amount"),
        ("price", per_kg(json!("0.00")), "/price"),
        ("price", per_kg(json!("10000000.01")), "/price"),
        ("price", json!({"amount": "1.00", "per": "piece"}), "/price"),
        ("ready_from", json!("2020-02-30"), "/ready_from"),
        ("ready_from", json!("+12027-03-01"), "/ready_from"),
        ("sell_by", json!("2020-02-30"), "/sell_by"),
        ("sell_by", json!("2027-02-28"), "/sell_by"),
        ("sell_by", json!(null), "/sell_by"),
        ("grade", json!("特级"), "/grade"),
        ("grade", json!("a\u{0}b"), "/grade"),
        ("external_ref", json!("a\u{0}b"), "/external_ref"),
        ("external_ref", json!("a\nb"), "/external_ref"),
        ("village", json!("341823100"), "/village"),
        ("product_id", json!("x"), "/product_id"),
        ("colour", json!("green"), "/colour"),
    ];
    for (member, value, pointer) in wrong {
        let offer = farm.offer_with(member, value.clone());
        let problem = farm.world.post(&farm.farmer, "/v1/lots", offer).await.refused(422, "invalid_value");
        assert_eq!(problem["pointer"], pointer, "{member} {value}: {problem}");
    }
    assert_eq!(farm.lots().await, json!([]));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let farm = Farm::new().await;
    for body in ["{", "[]x", "{\"product_id\": \"\\ud800\"}", "{\"grade\": \"a\", \"grade\": \"b\"}"] {
        let request = farm.world.request(Method::POST, Some(&farm.farmer), "/v1/lots");
        let request = request.header("content-type", "application/json").header("Idempotency-Key", "1");
        Answer::of(request.body(body)).await.refused(400, "malformed_request");
    }
    assert_eq!(farm.lots().await, json!([]));
}

#[tokio::test]
async fn a_village_must_exist_and_be_valid() {
    let farm = Farm::new().await;
    let offer = farm.offer_with("village", json!("341823100009"));
    farm.world.post(&farm.farmer, "/v1/lots", offer).await.refused(422, "region_unknown");
    let day: chrono::NaiveDate = "2026-12-31".parse().unwrap();
    let revoke = "update region set valid_to = $2 where code = $1";
    farm.world.execute(revoke, vec![OTHER_VILLAGE.into(), day.into()]).await;
    let offer = farm.offer_with("village", json!(OTHER_VILLAGE));
    let problem = farm.world.post(&farm.farmer, "/v1/lots", offer).await.refused(422, "region_revoked");
    assert_eq!(problem["pointer"], "/village");
    farm.world.execute(revoke, vec![VILLAGE.into(), day.into()]).await;
    farm.offered().await.refused(422, "region_revoked");
    assert_eq!(farm.lots().await, json!([]));
}

#[tokio::test]
async fn a_product_that_is_unknown_foreign_or_no_longer_offered_is_refused() {
    let farm = Farm::new().await;
    let unknown = farm.offer_with("product_id", json!(Uuid::now_v7()));
    farm.world.post(&farm.farmer, "/v1/lots", unknown).await.refused(404, "not_found");
    let change = |set: &'static str| farm.world.execute(set, vec![farm.product.into()]);
    change("update product set county_code = '341800' where id = $1").await;
    farm.offered().await.refused(404, "not_found");
    change("update product set county_code = '341823', is_active = false where id = $1").await;
    assert_eq!(farm.offered().await.refused(422, "invalid_value")["pointer"], "/product_id");
}

#[tokio::test]
async fn a_graded_product_needs_one_of_its_grades_and_a_shelf_life_says_when_a_lot_ends() {
    let farm = Farm::new().await.with_demands().await;
    for grade in [json!(null), json!("二级")] {
        let offer = farm.offer_with("grade", grade);
        let problem = farm.world.post(&farm.farmer, "/v1/lots", offer).await.refused(422, "invalid_value");
        assert_eq!(problem["pointer"], "/grade");
    }
    let mut offer = farm.offer_with("grade", json!("一级"));
    offer.as_object_mut().unwrap().remove("sell_by");
    let lot = farm.world.post(&farm.farmer, "/v1/lots", offer).await.created();
    assert_eq!((&lot["grade"], &lot["sell_by"]), (&json!("一级"), &json!("2027-03-31")));
}

#[tokio::test]
async fn a_lot_is_certified_until_its_first_required_certificate_ends() {
    let farm = Farm::new().await.with_demands().await;
    let paper = |kind: &str, day: &str| json!({"kind": kind, "number": "皖-1", "valid_until": day});
    let food = paper("food_production", "2027-06-30");
    let animal = paper("animal_quarantine", "2027-03-20");
    for (papers, until) in
        [(json!([food]), None), (json!([food, animal]), Some("2027-03-20")), (json!([]), None)]
    {
        let mut offer = farm.offer_with("grade", json!("一级"));
        offer["certificates"] = papers.clone();
        let lot = farm.world.post(&farm.farmer, "/v1/lots", offer).await.created();
        assert_eq!(lot["certificates"], papers);
        assert_eq!(lot.get("certified_until").and_then(Value::as_str), until);
    }
    let mut offer = farm.offer_with("grade", json!("一级"));
    offer["certificates"] = json!([paper("Food", "2027-06-30")]);
    let problem = farm.world.post(&farm.farmer, "/v1/lots", offer).await.refused(422, "invalid_value");
    assert_eq!(problem["pointer"], "/certificates/0/kind");
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_leaves_the_rest() {
    let farm = Farm::new().await;
    let answer = farm.offered().await;
    let path = answer.header("location").to_owned();
    let changes = json!({
        "price": {"amount": "30.00", "per": "kg"}, "quantity": {"amount": "160", "unit": "jin"},
        "sell_by": "2027-05-31",
    });
    let edited = farm.world.patch(&farm.farmer, &path, answer.header("etag"), changes).await;
    let mut expected = answer.created();
    expected["price"] = json!({"amount": "30.00", "per": "kg"});
    expected["offered"] = json!({"amount": "80", "unit": "kg"});
    expected["available"] = json!({"amount": "80", "unit": "kg"});
    expected["sell_by"] = json!("2027-05-31");
    assert_eq!(edited.ok(), expected);
    assert_ne!(edited.header("etag"), answer.header("etag"));
    assert_eq!(farm.world.get(&farm.farmer, &path).await.ok(), expected);
}

#[tokio::test]
async fn an_edit_needs_the_version_that_was_read() {
    let farm = Farm::new().await;
    let answer = farm.offered().await;
    let path = answer.header("location").to_owned();
    let later = json!({"sell_by": "2027-05-31"});
    let bare = farm.world.request(Method::PATCH, Some(&farm.farmer), &path).json(&later);
    Answer::of(bare).await.refused(428, "if_match_missing");
    farm.world.patch(&farm.farmer, &path, answer.header("etag"), later.clone()).await.ok();
    farm.world.patch(&farm.farmer, &path, answer.header("etag"), later).await.refused(412, "stale_version");
}

#[tokio::test]
async fn an_edit_that_is_wrong_is_refused_and_changes_nothing() {
    let farm = Farm::new().await;
    let answer = farm.offered().await;
    let path = answer.header("location").to_owned();
    for (changes, pointer) in [
        (json!({"quantity": {"amount": "0", "unit": "kg"}}), "/quantity"),
        (json!({"quantity": {"amount": "1", "unit": "piece"}}), "/quantity"),
        (json!({"price": {"amount": "1.00", "per": "box"}}), "/price"),
        (json!({"price": {"amount": "1.005", "per": "kg"}}), "/price/amount"),
        (json!({"sell_by": "2027-02-28"}), "/sell_by"),
        (json!({"sell_by": "2020-02-30"}), "/sell_by"),
        (json!({"grade": "特级"}), "/grade"),
    ] {
        let refused = farm.world.patch(&farm.farmer, &path, answer.header("etag"), changes).await;
        assert_eq!(refused.refused(422, "invalid_value")["pointer"], pointer);
    }
    assert_eq!(farm.world.get(&farm.farmer, &path).await.ok(), answer.created());
}

#[tokio::test]
async fn a_lot_never_offers_less_than_it_has_promised() {
    let farm = Farm::new().await;
    let answer = farm.offered().await;
    let path = answer.header("location").to_owned();
    farm.promise(id_of(&answer.created()), 5_000, 10_000, 20_000).await;
    let to = |amount: &str| json!({"quantity": {"amount": amount, "unit": "kg"}});
    let refused = farm.world.patch(&farm.farmer, &path, answer.header("etag"), to("34.999")).await;
    let problem = refused.refused(409, "wrong_state");
    assert!(problem["detail"].as_str().unwrap().contains("35 kg"), "{problem}");
    let least = farm.world.patch(&farm.farmer, &path, answer.header("etag"), to("35")).await.ok();
    assert_eq!(least["available"], json!({"amount": "0", "unit": "kg"}));
}

#[tokio::test]
async fn a_withdrawn_lot_keeps_its_promises_and_is_neither_edited_nor_withdrawn_again() {
    let farm = Farm::new().await;
    let answer = farm.offered().await;
    let path = answer.header("location").to_owned();
    farm.promise(id_of(&answer.created()), 5_000, 0, 0).await;
    let withdrawn = farm.world.post(&farm.farmer, &format!("{path}/withdraw"), json!({})).await;
    assert_eq!(withdrawn.ok()["state"], "withdrawn");
    assert_eq!(withdrawn.ok()["held"], json!({"amount": "5", "unit": "kg"}));
    let again = farm.world.post(&farm.farmer, &format!("{path}/withdraw"), json!({})).await;
    again.refused(409, "wrong_state");
    let edit = json!({"sell_by": "2027-05-31"});
    farm.world.patch(&farm.farmer, &path, withdrawn.header("etag"), edit).await.refused(409, "wrong_state");
    let on_sale = farm.world.get(&farm.farmer, "/v1/lots?state=on_sale").await.ok();
    assert_eq!(on_sale["items"], json!([]));
    let withdrawn = farm.world.get(&farm.farmer, "/v1/lots?state=withdrawn").await.ok();
    assert_eq!(withdrawn["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_list_that_is_asked_for_wrongly_is_refused() {
    let farm = Farm::new().await;
    for (query, code) in [
        ("limit=0", "malformed_request"),
        ("limit=201", "malformed_request"),
        ("cursor=1-zz", "cursor_expired"),
        ("product_id=x", "invalid_parameter"),
        ("state=sold", "invalid_parameter"),
    ] {
        farm.world.get(&farm.farmer, &format!("/v1/lots?{query}")).await.refused(400, code);
    }
    for (query, code) in [
        ("limit=0", "malformed_request"),
        ("limit=201", "malformed_request"),
        ("cursor=x", "cursor_expired"),
        ("township=%00%00", "malformed_request"),
        ("township=3x", "malformed_request"),
    ] {
        farm.world.get_as(None, &format!("/v1/public/lots?{query}")).await.refused(400, code);
    }
}

#[tokio::test]
async fn every_write_of_a_lot_leaves_an_event_with_its_figures() {
    let farm = Farm::new().await;
    let answer = farm.offered().await;
    let path = answer.header("location").to_owned();
    let price = json!({"price": {"amount": "15.00", "per": "jin"}});
    farm.world.patch(&farm.farmer, &path, answer.header("etag"), price).await.ok();
    farm.world.post(&farm.farmer, &format!("{path}/withdraw"), json!({})).await.ok();
    for (action, fen) in [("offer_lot", 1600), ("edit_lot", 1500), ("withdraw_lot", 1500)] {
        let sql = "update audit_event set action = action where action = $1 and subject_kind = 'lot'
                     and household_id = $2 and cast(after_json as text) like $3";
        let figure = if farm.world.database_url().starts_with("postgres") {
            format!("%\"price_fen\": {fen}%")
        } else {
            format!("%\"price_fen\":{fen}%")
        };
        let values = vec![action.into(), farm.household.into(), figure.into()];
        assert_eq!(farm.world.tamper(sql, values).await, 1, "{action}");
    }
}

#[tokio::test]
async fn anybody_sees_what_is_on_sale_by_township_and_never_whose_it_is() {
    let farm = Farm::new().await;
    let lot = farm.offered().await.created();
    let other = farm.world.household(OTHER_VILLAGE, "registered").await;
    let honey = farm.world.product("honey").await;
    farm.world.lot(other, honey, OTHER_VILLAGE, 10, 80).await;
    for village in [VILLAGE, VILLAGE, OTHER_VILLAGE, OTHER_VILLAGE] {
        let third = farm.world.household(village, "registered").await;
        farm.world.lot(third, honey, village, 10, 80).await;
    }
    let all = farm.world.get_as(None, "/v1/public/lots").await.ok();
    assert_eq!(all["items"].as_array().unwrap().len(), 6);
    assert!(!all.to_string().contains(&farm.household.to_string()) && !all.to_string().contains(VILLAGE));
    for query in [format!("product_id={}", farm.product), "township=341823100".to_owned()] {
        let some = farm.world.get_as(None, &format!("/v1/public/lots?{query}")).await.ok();
        let items = some["items"].as_array().unwrap();
        assert!(items.iter().all(|item| item["township"] == "341823100000"), "{query}");
        assert_eq!(
            *items.iter().find(|item| item["id"] == lot["id"]).unwrap(),
            json!({
                "id": lot["id"], "product_id": lot["product_id"], "product": "bamboo",
                "township": "341823100000", "township_name": "泾川镇", "price": lot["price"],
                "available": lot["available"], "ready_from": "2027-03-01", "sell_by": "2027-04-30",
            }),
            "{query}"
        );
    }
    let page = farm.world.get_as(None, "/v1/public/lots?limit=5").await.ok();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = farm.world.get_as(None, &format!("/v1/public/lots?limit=5&cursor={cursor}")).await.ok();
    assert_eq!(page["items"].as_array().unwrap()[..], all["items"].as_array().unwrap()[..5]);
    assert_eq!(rest["items"][0], all["items"][5]);
    assert_eq!(rest.get("next_cursor"), None);
}

#[tokio::test]
async fn a_public_page_is_cached_until_a_lot_changes() {
    let farm = Farm::new().await;
    let available = || async {
        let page = farm.world.get_as(None, "/v1/public/lots").await.ok();
        page["items"].as_array().unwrap().iter().map(|lot| lot["available"]["amount"].clone()).collect()
    };
    let seen: Vec<Value> = available().await;
    assert_eq!(seen, Vec::<Value>::new());
    let answer = farm.offered().await;
    let path = answer.header("location").to_owned();
    assert_eq!(available().await, [json!("60")]);
    let more = json!({"quantity": {"amount": "70", "unit": "kg"}});
    farm.world.patch(&farm.farmer, &path, answer.header("etag"), more).await.ok();
    assert_eq!(available().await, [json!("70")]);
    farm.world.post(&farm.farmer, &format!("{path}/withdraw"), json!({})).await.ok();
    assert_eq!(available().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_lot_past_its_day_is_not_on_sale() {
    let farm = Farm::new().await;
    farm.offered().await.created();
    let on_sale =
        || async { farm.world.get_as(None, "/v1/public/lots").await.ok()["items"].as_array().unwrap().len() };
    farm.world.clock.set("2027-04-30T15:59:59Z".parse().unwrap());
    assert_eq!(on_sale().await, 1);
    farm.world.clock.set("2027-04-30T16:00:00Z".parse().unwrap());
    assert_eq!(on_sale().await, 0);
}
