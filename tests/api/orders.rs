//! The specification of /v1/orders, as tests over HTTP.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::{Answer, Person, VILLAGES, World, second_process};

/// A county with one product and lots of 900, 300, 200, 100 and 50 kg at 40.00, each of its own household.
pub struct Market {
    pub world: World,
    pub institution: Uuid,
    pub product: Uuid,
    pub lots: Vec<Uuid>,
    pub households: Vec<Uuid>,
    pub buyer: Person,
    pub approver: Person,
}

impl Market {
    pub async fn new() -> Self {
        Self::of(&[900, 300, 200, 100, 50]).await
    }

    pub async fn of(kilos: &[i64]) -> Self {
        Self::within(World::new().await, kilos).await
    }

    /// The same in a world that is not like the others.
    pub async fn within(world: World, kilos: &[i64]) -> Self {
        let world = world.with_regions().await;
        let product = world.product("rice").await;
        let institution = world.institution("示范第一中学", "school").await;
        let (mut lots, mut households) = (Vec::new(), Vec::new());
        for (kilos, village) in kilos.iter().zip(VILLAGES.iter().cycle()) {
            let household = world.household(village, "general").await;
            lots.push(world.lot(household, product, village, *kilos, 40).await);
            households.push(household);
        }
        let buyer = world.person(Role::Buyer, Place::Institution(institution)).await;
        let approver = world.person(Role::Approver, Place::Institution(institution)).await;
        Self { world, institution, product, lots, households, buyer, approver }
    }

    pub fn order(&self, kilos: &str) -> Value {
        json!({
            "institution_id": self.institution,
            "policy": "max_min",
            "lines": [{
                "product_id": self.product,
                "quantity": { "amount": kilos, "unit": "kg" },
                "max_price": { "amount": "40.00", "per": "kg" },
                "needed_by": "2027-03-20",
                "region": "341823",
                "grade": null,
                "min_share": null,
                "max_households": null,
                "allow_partial": false,
            }],
        })
    }

    pub async fn place(&self, kilos: &str) -> Value {
        self.world.post(&self.buyer, "/v1/orders", self.order(kilos)).await.created()
    }

    pub async fn confirm(&self, order: &Value) -> Answer {
        let path = format!("/v1/orders/{}/confirm", order["id"].as_str().unwrap());
        self.world.post(&self.approver, &path, json!(null)).await
    }

    /// Held, confirmed and delivered grams over all lots, below the API.
    pub async fn stock(&self) -> (i64, i64, i64) {
        #[derive(sea_orm::FromQueryResult)]
        struct Stock {
            held: i64,
            confirmed: i64,
            delivered: i64,
        }
        let sql =
            "select cast(sum(held_base) as bigint) as held, cast(sum(confirmed_base) as bigint) as confirmed,
                          cast(sum(delivered_base) as bigint) as delivered from lot";
        let stock: Stock = zhuxiao::db::row(self.world.app.db.reader(), sql, []).await.unwrap().unwrap();
        (stock.held, stock.confirmed, stock.delivered)
    }
}

fn amounts(line: &Value) -> Vec<String> {
    let parts = line["allocations"].as_array().unwrap();
    let mut kilos: Vec<i64> =
        parts.iter().map(|part| part["quantity"]["amount"].as_str().unwrap().parse().unwrap()).collect();
    kilos.sort_unstable_by(|one, other| other.cmp(one));
    kilos.iter().map(i64::to_string).collect()
}

#[tokio::test]
async fn a_thousand_kilos_are_shared_at_a_level_of_three_hundred_and_fifty() {
    let market = Market::new().await;
    let order = market.place("1000").await;
    assert_eq!(amounts(&order["lines"][0]), ["350", "300", "200", "100", "50"]);
    assert_eq!((order["amount"].as_str(), order["state"].as_str()), (Some("40000.00"), Some("placed")));
    assert_eq!(order["lines"][0]["shortfall"], json!({"amount": "0", "unit": "kg"}));
    assert!(order["number"].as_str().unwrap().starts_with("PO-341823-2027-"));
    assert_eq!(market.stock().await, (1_000_000, 0, 0));
}

#[tokio::test]
async fn a_preview_answers_what_placing_then_does_and_writes_nothing() {
    let market = Market::new().await;
    let preview = market.world.post(&market.buyer, "/v1/orders/preview", market.order("1000")).await.ok();
    assert_eq!(market.stock().await, (0, 0, 0));
    let order = market.place("1000").await;
    let shares = |line: &Value| -> Vec<(Value, Value, Value)> {
        let parts = line["allocations"].as_array().unwrap();
        parts
            .iter()
            .map(|part| (part["lot_id"].clone(), part["quantity"].clone(), part["reason"].clone()))
            .collect()
    };
    assert_eq!(shares(&preview["lines"][0]), shares(&order["lines"][0]));
    assert_eq!((&preview["amount"], &preview["is_placeable"]), (&order["amount"], &json!(true)));
}

#[tokio::test]
async fn an_order_that_cannot_be_filled_is_refused_with_its_shortfall_and_holds_nothing() {
    let market = Market::new().await;
    let answer = market.world.post(&market.buyer, "/v1/orders", market.order("1600")).await;
    let problem = answer.refused(409, "stock_short");
    assert_eq!(problem["shortfalls"][0]["missing"], json!({"amount": "50", "unit": "kg"}));
    assert!(problem["detail"].as_str().unwrap().contains("50 kg of rice missing"));
    assert_eq!(market.stock().await, (0, 0, 0));
    let preview = market.world.post(&market.buyer, "/v1/orders/preview", market.order("1600")).await.ok();
    assert_eq!(preview["is_placeable"], json!(false));
}

#[tokio::test]
async fn a_partial_order_takes_what_there_is_and_says_what_is_missing() {
    let market = Market::new().await;
    let mut body = market.order("1600");
    body["lines"][0]["allow_partial"] = json!(true);
    let order = market.world.post(&market.buyer, "/v1/orders", body).await.created();
    assert_eq!(order["lines"][0]["shortfall"], json!({"amount": "50", "unit": "kg"}));
    assert_eq!(market.stock().await.0, 1_550_000);
}

#[tokio::test]
async fn two_lines_of_one_product_do_not_take_the_same_kilo_twice() {
    let market = Market::new().await;
    let mut body = market.order("800");
    let line = body["lines"][0].clone();
    body["lines"].as_array_mut().unwrap().push(line);
    market.world.post(&market.buyer, "/v1/orders", body.clone()).await.refused(409, "stock_short");
    body["lines"][1]["quantity"]["amount"] = json!("750");
    market.world.post(&market.buyer, "/v1/orders", body).await.created();
    assert_eq!(market.stock().await.0, 1_550_000);
}

#[tokio::test]
async fn an_order_is_confirmed_by_an_approver_and_by_nobody_else() {
    let market = Market::new().await;
    let order = market.place("1000").await;
    let path = format!("/v1/orders/{}/confirm", order["id"].as_str().unwrap());
    market.world.post(&market.buyer, &path, json!(null)).await.refused(403, "not_allowed");
    assert_eq!(market.confirm(&order).await.ok()["state"], "confirmed");
    assert_eq!(market.stock().await, (0, 1_000_000, 0));
    let twice = market.confirm(&order).await.refused(409, "wrong_state");
    assert!(twice["detail"].as_str().unwrap().contains("confirmed"));
}

#[tokio::test]
async fn an_expired_hold_cannot_be_confirmed_and_never_blocks_a_sale() {
    let market = Market::new().await;
    let first = market.place("1500").await;
    market.world.clock.advance(TimeDelta::minutes(30));
    market.confirm(&first).await.refused(409, "wrong_state");
    let second = market.place("1500").await;
    assert_eq!(market.stock().await, (1_500_000, 0, 0));
    let path = format!("/v1/orders/{}", first["id"].as_str().unwrap());
    assert_eq!(market.world.get(&market.buyer, &path).await.ok()["state"], "expired");
    assert_eq!(market.confirm(&second).await.ok()["state"], "confirmed");
}

#[tokio::test]
async fn the_sweeper_puts_what_an_expired_order_held_on_sale_again() {
    let market = Market::new().await;
    market.place("1000").await;
    assert_eq!(zhuxiao::orders::sweep(&market.world.app).await.unwrap(), 0);
    market.world.clock.advance(TimeDelta::minutes(30));
    assert_eq!(zhuxiao::orders::sweep(&market.world.app).await.unwrap(), 1);
    assert_eq!(market.stock().await, (0, 0, 0));
}

#[tokio::test]
async fn cancelling_puts_what_was_held_or_promised_on_sale_again() {
    let market = Market::new().await;
    let (held, promised) = (market.place("500").await, market.place("400").await);
    market.confirm(&promised).await.ok();
    for order in [&held, &promised] {
        let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
        assert_eq!(market.world.post(&market.buyer, &path, json!(null)).await.ok()["state"], "cancelled");
        market.world.post(&market.buyer, &path, json!(null)).await.refused(409, "wrong_state");
    }
    assert_eq!(market.stock().await, (0, 0, 0));
}

#[tokio::test]
async fn the_same_key_places_once_and_another_body_under_it_is_refused() {
    let market = Market::new().await;
    let by = Some(&market.buyer);
    let first = market.world.post_with_key(by, "/v1/orders", market.order("100"), "key-1").await;
    let again = market.world.post_with_key(by, "/v1/orders", market.order("100"), "key-1").await;
    assert_eq!(first.created(), again.created());
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(market.stock().await.0, 100_000);
    let other = market.world.post_with_key(by, "/v1/orders", market.order("101"), "key-1").await;
    other.refused(422, "idempotency_key_reused");
    let none = market.world.request(Method::POST, by, "/v1/orders").json(&market.order("100"));
    Answer::of(none).await.refused(428, "idempotency_key_missing");
    let from_the_approver =
        market.world.post_with_key(Some(&market.approver), "/v1/orders", market.order("100"), "key-1").await;
    assert_ne!(from_the_approver.created()["id"], first.json()["id"]);
}

#[tokio::test]
async fn the_order_of_another_institution_does_not_exist() {
    let market = Market::new().await;
    let order = market.place("100").await;
    let other = market.world.institution("示范县医院", "hospital").await;
    let stranger = market.world.person(Role::Approver, Place::Institution(other)).await;
    let id = order["id"].as_str().unwrap();
    for path in [format!("/v1/orders/{id}"), format!("/v1/orders/{id}/allocations")] {
        market.world.get(&stranger, &path).await.refused(404, "not_found");
    }
    for step in ["confirm", "cancel"] {
        let path = format!("/v1/orders/{id}/{step}");
        market.world.post(&stranger, &path, json!(null)).await.refused(404, "not_found");
    }
    assert_eq!(market.world.get(&stranger, "/v1/orders").await.ok()["items"], json!([]));
    market.world.post(&stranger, "/v1/orders", market.order("1")).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_household_sees_its_own_part_of_an_order_and_no_other() {
    let market = Market::new().await;
    let order = market.place("1000").await;
    let household = market.world.person(Role::Household, Place::Household(market.households[1])).await;
    let path = format!("/v1/orders/{}/allocations", order["id"].as_str().unwrap());
    let own = market.world.get(&household, &path).await.ok();
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    assert_eq!(own["items"][0]["quantity"]["amount"], "300");
    market.world.get(&household, "/v1/orders").await.refused(403, "not_allowed");
}

#[tokio::test]
async fn the_stored_inputs_share_the_line_again_just_as_it_was() {
    let market = Market::new().await;
    let order = market.place("1000").await;
    let line = order["lines"][0]["id"].as_str().unwrap().parse().unwrap();
    let replayed = zhuxiao::orders::replay(market.world.app.db.reader(), line).await.unwrap();
    let placed: Vec<(String, i64)> = order["lines"][0]["allocations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let kilos: i64 = part["quantity"]["amount"].as_str().unwrap().parse().unwrap();
            (part["lot_id"].as_str().unwrap().to_owned(), kilos * 1000)
        })
        .collect();
    let again: Vec<(String, i64)> =
        replayed.shares.iter().map(|share| (share.lot_id.to_string(), share.quantity_base)).collect();
    assert_eq!(placed, again);
}

#[tokio::test]
async fn bad_lines_are_refused_where_they_stand_and_nothing_is_held() {
    let market = Market::new().await;
    let long_ago = "2027-02-28";
    for (member, value, pointer) in [
        ("quantity", json!({"amount": 5, "unit": "kg"}), "/lines/0/quantity/amount"),
        ("quantity", json!({"amount": "1e2", "unit": "kg"}), "/lines/0/quantity"),
        ("quantity", json!({"amount": "NaN", "unit": "kg"}), "/lines/0/quantity"),
        ("quantity", json!({"amount": "１２", "unit": "kg"}), "/lines/0/quantity"),
        ("quantity", json!({"amount": "0.0005", "unit": "kg"}), "/lines/0/quantity"),
        ("quantity", json!({"amount": "0", "unit": "kg"}), "/lines/0/quantity"),
        ("quantity", json!({"amount": "-1", "unit": "kg"}), "/lines/0/quantity"),
        ("quantity", json!({"amount": "9000000000.001", "unit": "kg"}), "/lines/0/quantity"),
        ("quantity", json!({"amount": "5", "unit": "piece"}), "/lines/0/quantity"),
        ("max_price", json!({"amount": "40.001", "per": "kg"}), "/lines/0/max_price/amount"),
        ("max_price", json!({"amount": 40, "per": "kg"}), "/lines/0/max_price/amount"),
        ("max_price", json!({"amount": "1.00", "per": "piece"}), "/lines/0/max_price"),
        ("needed_by", json!(long_ago), "/lines/0/needed_by"),
        ("needed_by", json!("2020-02-30"), "/lines/0/needed_by"),
        ("region", json!("999999"), "/lines/0/region"),
        ("region", json!("340000"), "/lines/0/region"),
        ("product_id", json!(Uuid::now_v7()), "/lines/0/product_id"),
        ("grade", json!("特级"), "/lines/0/grade"),
        ("weight", json!(1), "/lines/0/weight"),
    ] {
        let mut body = market.order("10");
        body["lines"][0][member] = value.clone();
        let answer = market.world.post(&market.buyer, "/v1/orders", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{member} {value}: {}", answer.text);
        assert_eq!(answer.json()["pointer"], pointer, "{member} {value}: {}", answer.text);
    }
    assert_eq!(market.stock().await, (0, 0, 0));
}

#[tokio::test]
async fn placing_takes_the_same_number_of_statements_whatever_the_number_of_lots() {
    let mut counts = Vec::new();
    for lots in [2_usize, 40] {
        let market = Market::of(&vec![10; lots]).await;
        market.place("2").await;
        let before = zhuxiao::db::statements_sent();
        market.place(&(lots * 5).to_string()).await;
        counts.push(zhuxiao::db::statements_sent() - before);
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 16, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_buyers_racing_for_ten_lots_never_sell_more_than_there_is() {
    let market = Market::of(&[10; 10]).await;
    let other = second_process(&market.world).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other_base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(zhuxiao::cli::serve::serve_on(listener, other, async { drop(stopped.await) }));
    let mut racing = tokio::task::JoinSet::new();
    for buyer in 0..64_usize {
        let client = market.world.client.clone();
        let base = if buyer % 2 == 0 { market.world.base.clone() } else { other_base.clone() };
        let (token, body) = (market.buyer.token.clone(), market.order("4"));
        racing.spawn(async move {
            let request = client.post(format!("{base}/v1/orders")).bearer_auth(token).json(&body);
            Answer::of(request.header("Idempotency-Key", format!("race-{buyer}"))).await
        });
    }
    let answers = racing.join_all().await;
    let placed = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(placed, 25, "100 kg are 25 orders of 4 kg");
    for refused in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        let problem = refused.refused(409, "stock_short");
        assert!(problem["shortfalls"][0]["missing"]["amount"].as_str().is_some());
    }
    assert_eq!(market.stock().await, (100_000, 0, 0));
    drop(stop);
}
