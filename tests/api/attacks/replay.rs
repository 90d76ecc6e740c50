//! AT-I: the same request twice, at once, under a key of something else, cut off, or answered by a process that is killed.

use futures_util::future::join_all;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zhuxiao::audit;
use zhuxiao::clock::Clock;

use super::served::Served;
use super::{count, id_of, unbalanced};
use crate::orders::Market;
use crate::support::Answer;

/// Tries until a request that was cut off must have come to its end.
const TRIES_MAX: usize = 1_000;

impl Market {
    async fn place_with(&self, body: Value, key: &str) -> Answer {
        self.world.post_with_key(Some(&self.buyer), "/v1/orders", body, key).await
    }

    fn order_request(&self) -> RequestBuilder {
        self.world.request(Method::POST, Some(&self.buyer), "/v1/orders")
    }

    async fn orders(&self) -> i64 {
        count(&self.world, "purchase_order").await
    }

    /// The bytes of a request for an order, to be sent by hand.
    fn bytes(&self, headers: &str, body: &str) -> Vec<u8> {
        let (token, length) = (&self.buyer.token, body.len());
        let head = format!(
            "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body.as_bytes()].concat()
    }

    async fn socket(&self) -> TcpStream {
        TcpStream::connect(self.world.base.strip_prefix("http://").unwrap()).await.unwrap()
    }
}

/// A key that is missing is 428, as a missing `If-Match` is; its detail says what to send.
#[tokio::test]
async fn at_i01_an_order_without_a_key_is_refused_with_the_rule() {
    let market = Market::new().await;
    let answer = Answer::of(market.order_request().json(&market.order("10"))).await;
    let problem = answer.refused(428, "idempotency_key_missing");
    assert_eq!(problem["type"], "/problems/idempotency_key_missing");
    assert!(problem["detail"].as_str().unwrap().contains("Idempotency-Key"), "{problem}");
    assert_eq!((market.orders().await, market.stock().await.0), (0, 0));
}

#[tokio::test]
async fn at_i02_the_same_request_again_gets_the_same_answer_and_is_marked() {
    let market = Market::new().await;
    let first = market.place_with(market.order("10"), "again").await;
    market.world.clock.advance(chrono::TimeDelta::seconds(1));
    let again = market.place_with(market.order("10"), "again").await;
    assert_eq!((again.status, again.created()), (first.status, first.created()));
    assert!(!first.headers.contains_key("idempotency-replayed"));
    // By the name that our contract gives it.
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((market.orders().await, market.stock().await.0), (1, 10_000));
}

#[tokio::test]
async fn at_i03_another_request_under_a_used_key_is_refused() {
    let market = Market::new().await;
    let first = market.place_with(market.order("10"), "used").await.created();
    for kilos in ["11", "10.001", "1"] {
        let other = market.place_with(market.order(kilos), "used").await;
        other.refused(422, "idempotency_key_reused");
    }
    let listed = market.world.get(&market.buyer, "/v1/orders").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["items"][0]["id"], market.stock().await.0), (&first["id"], 10_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_i04_of_thirty_two_at_once_one_is_done_and_the_others_wait_or_hear_of_it() {
    let market = Market::new().await;
    let answers = join_all((0..32).map(|_| market.place_with(market.order("10"), "at-once"))).await;
    let (mut done, mut replayed) = (0, 0);
    for answer in &answers {
        if answer.status == 409 {
            answer.refused(409, "idempotency_key_in_flight");
            assert_eq!(answer.header("retry-after"), "1");
        } else {
            answer.created();
            let is_replay = answer.headers.contains_key("idempotency-replayed");
            *(if is_replay { &mut replayed } else { &mut done }) += 1;
        }
    }
    assert_eq!(done, 1, "{replayed} replayed: {answers:?}");
    assert_eq!((market.orders().await, market.stock().await.0), (1, 10_000));
    market.place_with(market.order("10"), "at-once").await.created();
    assert_eq!(market.orders().await, 1);
}

#[tokio::test]
async fn at_i05_a_key_belongs_to_its_operation_and_to_what_that_is_about() {
    let market = Market::new().await;
    let order = market.place_with(market.order("10"), "bound").await.created();
    let other = market.place_with(market.order("20"), "other").await.created();
    let (by, body) = (Some(&market.buyer), json!(null));
    let cancel = |order: &Value| format!("/v1/orders/{}/cancel", id_of(order));
    let reused = market.world.post_with_key(by, &cancel(&order), body.clone(), "bound").await;
    reused.refused(422, "idempotency_key_reused");
    market.world.post_with_key(by, &cancel(&other), body.clone(), "step").await.ok();
    let elsewhere = market.world.post_with_key(by, &cancel(&order), body, "step").await;
    elsewhere.refused(422, "idempotency_key_reused");
    let path = format!("/v1/orders/{}", id_of(&order));
    assert_eq!(market.world.get(&market.buyer, &path).await.ok()["state"], "placed");
    assert_eq!(market.stock().await, (10_000, 0, 0));
}

/// Visible ASCII without blanks, at most 100 of it, is a key, whatever it means elsewhere; the draft of the header itself
/// writes it in quotes. Nothing else is.
#[tokio::test]
async fn at_i06_what_is_no_key_is_refused_and_what_is_one_is_only_compared() {
    let market = Market::new().await;
    let long = "k".repeat(1_024);
    for key in ["", " ", &long, "'; drop table lot; --", "\"a\" or 1=1", "a\tb"] {
        let request = market.order_request().json(&market.order("10"));
        let answer = Answer::of(request.header("Idempotency-Key", HeaderValue::from_str(key).unwrap())).await;
        answer.refused(400, "malformed_request");
    }
    for key in ["键".as_bytes(), b"a\xff"] {
        let request = market.order_request().json(&market.order("10"));
        let answer =
            Answer::of(request.header("Idempotency-Key", HeaderValue::from_bytes(key).unwrap())).await;
        answer.refused(400, "malformed_request");
    }
    let body = market.order("10").to_string();
    for folded in ["a\r\n b", "a\rb", "a\0b"] {
        let mut socket = market.socket().await;
        socket.write_all(&market.bytes(&format!("Idempotency-Key: {folded}\r\n"), &body)).await.unwrap();
        let mut status = [0; 12];
        socket.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 400", "{folded:?}");
    }
    assert_eq!((market.orders().await, market.stock().await.0), (0, 0));
    for key in ["'or'1'='1", "\"8e03978e-40d5-43dd\"", "a';drop/**/table/**/lot;--"] {
        market.place_with(market.order("10"), key).await.created();
        market.place_with(market.order("10"), key).await.created();
    }
    assert_eq!((market.orders().await, market.stock().await.0), (3, 30_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_i07_a_connection_that_is_cut_after_the_last_byte_costs_nothing_and_doubles_nothing() {
    let market = Market::new().await;
    let body = market.order("10").to_string();
    for round in 0..10 {
        let key = format!("cut-{round}");
        let mut socket = market.socket().await;
        socket.write_all(&market.bytes(&format!("Idempotency-Key: {key}\r\n"), &body)).await.unwrap();
        drop(socket);
        let mut tries = 0;
        loop {
            let answer = market.place_with(market.order("10"), &key).await;
            if answer.status != 409 {
                answer.created();
                break;
            }
            answer.refused(409, "idempotency_key_in_flight");
            tries += 1;
            assert!(tries < TRIES_MAX, "the request that was cut off never ends");
        }
        assert_eq!(market.orders().await, round + 1);
    }
    assert_eq!(market.stock().await, (100_000, 0, 0));
}

/// Three kills here, each among sixteen orders; `tests/crash/run` does it a thousand times over, on both engines, with the
/// money behind the orders.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_i08_a_killed_process_leaves_one_order_per_key_once_the_requests_were_repeated() {
    const ORDERS: usize = 16;
    let market = Market::of(&[1_000, 1_000, 1_000]).await;
    let (today, world) = (Clock::System.today(), &market.world);
    let days = |days: u64| today.checked_add_days(chrono::Days::new(days)).unwrap();
    let sql = "update lot set ready_from = $1, sell_by = $2";
    world.execute(sql, vec![today.into(), days(300).into()]).await;
    let mut body = market.order("1");
    body["lines"][0]["needed_by"] = json!(days(10));
    for round in 0..3_usize {
        let mut served = Served::start(world).await;
        let buyer = served.sign_in(world, &market.buyer).await;
        let place = |served: &Served, number: usize| {
            let request = served.request(world, Method::POST, &buyer, "/v1/orders").json(&body);
            request.header("Idempotency-Key", format!("kill-{round}-{number}"))
        };
        let mut placing = tokio::task::JoinSet::new();
        for number in 0..ORDERS {
            let request = place(&served, number);
            placing.spawn(async move { request.send().await.is_ok() });
        }
        // After the first answers, while the others are under way.
        for _ in 0..=round * 4 {
            placing.join_next().await.unwrap().unwrap();
        }
        served.kill();
        placing.shutdown().await;
        let served = Served::start(world).await;
        for number in 0..ORDERS {
            Answer::of(place(&served, number)).await.created();
        }
        assert_eq!(market.orders().await, i64::try_from((round + 1) * ORDERS).unwrap());
    }
    assert_eq!(market.stock().await, (48_000, 0, 0));
    assert_eq!(unbalanced(world).await, 0);
    let mut findings = audit::verify(world.app.db.reader()).await.unwrap();
    // What test builders write below the API has no events.
    findings.retain(|finding| finding.invariant != 8);
    assert!(findings.is_empty(), "{findings:#?}");
}

/// As published: what counts is what the body means.
#[tokio::test]
async fn at_i09_the_same_body_in_another_order_and_with_other_blanks_is_the_same_request() {
    let market = Market::new().await;
    let first = market.place_with(market.order("10"), "meant").await.created();
    let line = &market.order("10")["lines"][0];
    let body = format!(
        "{{\n  \"lines\" : [ {{ \"needed_by\":{}, \"max_price\" : {{\"per\":\"kg\",   \"amount\":\"40.00\"}},\r\n \
         \"region\":\"341823\", \"quantity\": {{\"unit\":\"kg\",\"amount\":\"10\"}}, \"allow_partial\": false,\
         \t\"product_id\": {} }} ],\n \"policy\":\"max_min\", \"institution_id\" :\"{}\" }}\n",
        line["needed_by"], line["product_id"], market.institution
    );
    let request = market.order_request().header("Idempotency-Key", "meant");
    let again = Answer::of(request.header("content-type", "application/json").body(body)).await;
    assert_eq!((again.created(), again.header("idempotency-replayed")), (first, "true"));
    assert_eq!(market.orders().await, 1);
}

#[tokio::test]
async fn at_i11_a_refusal_uses_up_no_key() {
    let market = Market::new().await;
    let mut invalid = market.order("10");
    invalid["lines"][0]["needed_by"] = json!("2027-02-28");
    market.place_with(invalid, "kept").await.refused(422, "invalid_value");
    market.place_with(market.order("9999"), "kept").await.refused(409, "stock_short");
    market.place_with(market.order("10"), "kept").await.created();
    assert_eq!((market.orders().await, market.stock().await.0), (1, 10_000));
}
