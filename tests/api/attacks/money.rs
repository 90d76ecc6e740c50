//! AT-M: amounts that are none, and steps that are taken twice, at once or out of turn.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use super::{count, id_of, unbalanced};
use crate::deliveries::Trade;
use crate::orders::Market;
use crate::support::purse::Purse;
use crate::support::{Answer, VILLAGES};

impl Market {
    /// Every body is refused with 422, and afterwards there is no order and nothing is held. A preview says the same.
    async fn refuses_all(&self, bodies: impl IntoIterator<Item = Value>) {
        for body in bodies {
            for path in ["/v1/orders", "/v1/orders/preview"] {
                let answer = self.world.post(&self.buyer, path, body.clone()).await;
                assert_eq!(answer.status, 422, "{path} {body}: {}", answer.text);
                answer.refused(422, "invalid_value");
            }
        }
        assert_eq!(count(&self.world, "purchase_order").await, 0);
        assert_eq!(self.stock().await, (0, 0, 0));
    }

    fn priced(&self, price: &Value) -> Value {
        let mut body = self.order("10");
        body["lines"][0]["max_price"]["amount"] = price.clone();
        body
    }

    fn of_quantity(&self, quantity: &Value) -> Value {
        let mut body = self.order("10");
        body["lines"][0]["quantity"]["amount"] = quantity.clone();
        body
    }
}

/// How many answers there were of each status.
fn by_status(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status.as_u16()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn at_m01_a_number_is_no_amount_of_money() {
    let market = Market::new().await;
    for number in ["0.1", "1.50", "40", "9007199254740993.5", "1e2", "-0.0"] {
        let number: Value = serde_json::from_str(number).unwrap();
        market.refuses_all([market.priced(&number), market.of_quantity(&number)]).await;
    }
}

/// Two decimals are what we write. Read are up to two, as "40" and "40.0" can mean nothing else.
#[tokio::test]
async fn at_m02_texts_that_a_generous_reader_would_take_are_no_amounts() {
    let market = Market::new().await;
    for text in ["1e2", "1_000.50", "+1.00", ".5", "1.", "0x10", " 1.00", "1.00 ", "1.0.0", ""] {
        market.refuses_all([market.priced(&json!(text))]).await;
    }
    for text in ["1e2", "1_000", "+1", ".5", "1.", "0x10", " 1", "1 ", "1.0.0", ""] {
        market.refuses_all([market.of_quantity(&json!(text))]).await;
    }
}

#[tokio::test]
async fn at_m03_more_than_two_decimals_are_refused_and_never_rounded() {
    let market = Market::new().await;
    let texts = ["1.005", "1.000", "40.001", "0.004"];
    market.refuses_all(texts.map(|text| market.priced(&json!(text)))).await;
    // Half a gram.
    market.refuses_all([market.of_quantity(&json!("0.0005"))]).await;
}

#[tokio::test]
async fn at_m04_less_than_nothing_is_neither_bought_nor_taken_off() {
    let market = Market::new().await;
    let mut discounted = market.order("10");
    discounted["discount"] = json!("-100.00");
    let mut line = market.order("10");
    line["lines"][0]["discount"] = json!("-100.00");
    market
        .refuses_all([market.of_quantity(&json!("-1")), market.priced(&json!("-0.01")), discounted, line])
        .await;
}

#[tokio::test]
async fn at_m05_what_no_figure_can_hold_is_refused_and_the_service_goes_on() {
    let market = Market::new().await;
    let lines = |count: usize, quantity: &str, price: &str| {
        let mut body = market.order(quantity);
        body["lines"][0]["max_price"]["amount"] = json!(price);
        body["lines"] = json!(vec![body["lines"][0].clone(); count]);
        body
    };
    market
        .refuses_all([
            lines(100, "9999999999999.999", "9999999999999.99"),
            lines(50, "9999999999999.999", "9999999999999.99"),
            lines(1, "9999999999999.999", "40.00"),
            lines(1, "10", "9999999999999.99"),
            lines(51, "1", "40.00"),
        ])
        .await;
    // The most that each line may be: more than there is, and no sum that runs over.
    let most = lines(50, "9000000000", "10000000.00");
    market.world.post(&market.buyer, "/v1/orders", most).await.refused(409, "stock_short");
    assert_eq!(market.stock().await, (0, 0, 0));
    market.place("10").await;
}

#[tokio::test]
async fn at_m06_what_looks_like_a_number_to_people_is_none() {
    let market = Market::new().await;
    for text in ["NaN", "Infinity", "-Infinity", "１２.５０", "١٢.٥٠", "1,000.00", "12。50", "一百"]
    {
        market.refuses_all([market.priced(&json!(text)), market.of_quantity(&json!(text))]).await;
    }
}

#[tokio::test]
async fn at_m07_an_order_of_nothing_is_none() {
    let market = Market::new().await;
    let mut empty = market.order("10");
    empty["lines"] = json!([]);
    let nothing = ["0", "0.000"].map(|text| market.of_quantity(&json!(text)));
    market.refuses_all(nothing.into_iter().chain([empty])).await;
}

/// As published: money is always CNY, so that there is no member to say another one.
#[tokio::test]
async fn at_m08_there_is_no_other_currency_to_name() {
    let market = Market::new().await;
    for currency in ["USD", "cny", "CNY"] {
        let mut whole = market.order("10");
        whole["currency"] = json!(currency);
        let mut price = market.order("10");
        price["lines"][0]["max_price"]["currency"] = json!(currency);
        market.refuses_all([whole, price]).await;
    }
    market.place("10").await;
}

#[tokio::test]
async fn at_m09_more_digits_than_a_decimal_holds_are_neither_zero_nor_rounded() {
    let market = Market::new().await;
    for text in [
        "0.000000000000000000000000000049",
        "0.12345678901234567890123456789",
        "79228162514264337593543950336",
        "00000000000000000000000000000000000000001.00000000000000000000000000000001",
    ] {
        market.refuses_all([market.priced(&json!(text)), market.of_quantity(&json!(text))]).await;
    }
}

#[tokio::test]
async fn at_m10_a_total_is_a_text_with_two_decimals() {
    let market = Market::of(&[]).await;
    let household = market.world.household(VILLAGES[0], "general").await;
    market.world.lot(household, market.product, VILLAGES[0], 10, 1).await;
    let order = market.place("1.5").await;
    let read = market.world.get(&market.buyer, &format!("/v1/orders/{}", id_of(&order))).await;
    assert!(read.text.contains("\"amount\":\"1.50\""), "{}", read.text);
    assert_eq!((&order["amount"], &read.ok()["amount"]), (&json!("1.50"), &json!("1.50")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_m13_thirty_two_acceptances_with_keys_of_their_own_settle_once() {
    let trade = Trade::confirmed(&[60, 40], "100").await;
    let delivery = trade.dispatched().await;
    let body = trade.acceptance(&delivery, &[("60", "0"), ("40", "0")]);
    let answers = join_all((0..32).map(|_| trade.accept(&delivery, body.clone()))).await;
    assert_eq!(by_status(&answers), [(200, 1), (409, 31)].into(), "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "wrong_state");
    }
    assert_eq!((trade.settlements().await, unbalanced(trade.world()).await), (1, 0));
    assert_eq!(count(trade.world(), "ledger_entry").await, 1);
    assert_eq!(trade.market.stock().await, (0, 0, 100_000));
}

/// A payout is made by a batch of everything that is payable. Whoever is late finds nothing payable, which is 422 about
/// the day that was named; the approvals of the one batch then get 409.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_m14_thirty_two_requests_pay_one_settlement_out_once() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    purse.pay("100.00").await;
    let second = purse.world.official(Role::Finance).await;
    let up_to = json!({ "up_to": purse.world.clock.today() });
    let making = (0..32).map(|_| purse.world.post(&purse.finance, "/v1/payout_batches", up_to.clone()));
    let made = join_all(making).await;
    assert_eq!(by_status(&made), [(201, 1), (422, 31)].into(), "{made:?}");
    let batch = made.iter().find(|answer| answer.status == 201).unwrap().created();
    let path = format!("/v1/payout_batches/{}", id_of(&batch));
    let approve = format!("{path}/approve");
    let approved = join_all((0..32).map(|_| purse.world.post(&second, &approve, Value::Null))).await;
    assert_eq!(by_status(&approved), [(200, 1), (409, 31)].into(), "{approved:?}");
    assert_eq!((count(&purse.world, "payout_batch").await, count(&purse.world, "payout").await), (1, 1));
    // The bank is told of one transfer, however often its file is read.
    let file = purse.world.get(&second, &format!("{path}/file?format=pain001")).await;
    assert_eq!(file.text.matches("<CdtTrfTxInf>").count(), 1, "{}", file.text);
    assert_eq!(purse.received_and_paid_out(home).await, (10_000, 10_000));
    assert_eq!(unbalanced(&purse.world).await, 0);
}

/// Nobody makes a settlement by itself: what comes before it and after it is refused out of turn.
#[tokio::test]
async fn at_m15_steps_out_of_turn_are_refused_with_the_state_and_book_nothing() {
    let trade = Trade::placed(&[60], "60").await;
    let (world, market) = (trade.world(), &trade.market);
    let refused = |answer: Answer, state: &str| {
        let problem = answer.refused(409, "wrong_state");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(state), "{state}: {detail}");
    };
    let rate = format!("/v1/orders/{}/rating", trade.order);
    let cancel = format!("/v1/orders/{}/cancel", trade.order);
    let part = (trade.parts[0].0, "60");
    refused(trade.dispatch_as(&trade.officer, &[part]).await, "placed");
    refused(world.post(&market.buyer, &rate, json!({ "stars": 5 })).await, "placed");
    assert_eq!(count(world, "ledger_entry").await, 0);
    market.confirm(&json!({ "id": trade.order })).await.ok();
    let delivery = trade.dispatched().await;
    refused(world.post(&market.buyer, &cancel, Value::Null).await, "delivering");
    let body = trade.acceptance(&delivery, &[("60", "0")]);
    trade.accept(&delivery, body.clone()).await.ok();
    let booked = count(world, "ledger_entry").await;
    refused(world.post(&market.buyer, &cancel, Value::Null).await, "settled");
    refused(trade.accept(&delivery, body).await, "accepted");
    refused(trade.dispatch_as(&trade.officer, &[part]).await, "settled");
    assert_eq!((trade.order_state().await.as_str(), trade.settlements().await), ("settled", 1));
    assert_eq!(count(world, "ledger_entry").await, booked);
}

/// One round on a slow engine takes a second or so; ten are enough for a test that runs every time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_m16_of_sixty_four_institutions_that_want_a_whole_lot_one_gets_it() {
    let market = Market::of(&[100]).await;
    let (world, mut buyers) = (&market.world, Vec::new());
    for number in 0..64 {
        let institution = world.institution(&format!("示范单位{number}"), "agency").await;
        let buyer = world.person(Role::Buyer, Place::Institution(institution)).await;
        let mut order = market.order("100");
        order["institution_id"] = json!(institution);
        buyers.push((buyer, order));
    }
    for round in 0..10 {
        let placing = buyers.iter().map(|(buyer, order)| world.post(buyer, "/v1/orders", order.clone()));
        let answers = join_all(placing).await;
        assert_eq!(by_status(&answers), [(201, 1), (409, 63)].into(), "round {round}: {answers:?}");
        for late in answers.iter().filter(|answer| answer.status == 409) {
            let missing = late.refused(409, "stock_short")["shortfalls"][0]["missing"].clone();
            assert_eq!(missing, json!({ "amount": "100", "unit": "kg" }));
        }
        assert_eq!(market.stock().await, (100_000, 0, 0));
        let won = answers.iter().position(|answer| answer.status == 201).unwrap();
        let cancel = format!("/v1/orders/{}/cancel", id_of(&answers[won].created()));
        world.post(&buyers[won].0, &cancel, Value::Null).await.ok();
        assert_eq!(market.stock().await, (0, 0, 0));
    }
}

/// An order is a quantity, and its amount the sum of amounts that are each rounded once. What is a sum of money and split
/// over equal parts is what an institution pays: 100.00 over three is 33.34, 33.33 and 33.33.
#[tokio::test]
async fn at_m17_a_hundred_yuan_over_three_equal_lots_lose_no_fen() {
    let market = Market::of(&[100, 100, 100]).await;
    let order = market.place("100").await;
    let fen = |text: &Value| text.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    let parts = order["lines"][0]["allocations"].as_array().unwrap().iter();
    let parts: Vec<i64> = parts.map(|part| fen(&part["amount"])).collect();
    assert_eq!((parts.len(), parts.iter().sum::<i64>()), (3, fen(&order["amount"])));
    assert_eq!(market.stock().await, (100_000, 0, 0));

    let purse = Purse::open().await;
    let homes = purse.households(3).await;
    purse.sold(&homes.iter().map(|home| (*home, 5_000)).collect::<Vec<_>>()).await;
    purse.pay("100.00").await;
    let mut received = Vec::new();
    for home in homes {
        received.push(purse.received_and_paid_out(home).await.0);
    }
    received.sort_unstable();
    assert_eq!((received, unbalanced(&purse.world).await), (vec![3_333, 3_333, 3_334], 0));
}
