//! The specification of webhooks: an institution's own system is told what becomes of its orders, signed, at least once,
//! and not without what it tells having happened.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use poem::listener::TcpAcceptor;
use poem::{Request, Response, Server};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use uuid::Uuid;
use zhuxiao::settings::{Settings, Sockets};
use zhuxiao::webhooks::{deliver, rules};

use crate::orders::Market;
use crate::support::{Person, World, second_process};

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub enum Habit {
    Answers(u16),
    /// With a place to go to.
    Redirects(String),
    Silent,
}

/// A system of an institution, on this machine.
pub struct Receiver {
    pub address: SocketAddr,
    heard: UnboundedReceiver<Heard>,
}

/// A request that came.
#[derive(Debug)]
pub struct Heard {
    pub headers: poem::http::HeaderMap,
    pub body: String,
}

impl Receiver {
    pub async fn with(habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heard) = unbounded_channel();
        let endpoint = poem::endpoint::make(move |mut request: Request| {
            let (sender, habit) = (sender.clone(), habit.clone());
            async move {
                let headers = request.headers().clone();
                let body = request.take_body().into_string().await.unwrap();
                sender.send(Heard { headers, body }).unwrap();
                match habit {
                    Habit::Answers(status) => {
                        Response::builder().status(status.try_into().unwrap()).body("read")
                    }
                    Habit::Redirects(to) => {
                        Response::builder().status(302.try_into().unwrap()).header("location", to).finish()
                    }
                    Habit::Silent => std::future::pending().await,
                }
            }
        });
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        tokio::spawn(async move { Server::new_with_acceptor(acceptor).run(endpoint).await });
        Self { address, heard }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next request, which comes within five seconds.
    pub async fn next(&mut self) -> Heard {
        tokio::time::timeout(Duration::from_secs(5), self.heard.recv()).await.unwrap().unwrap()
    }

    /// What has come and was not looked at.
    pub fn rest(&mut self) -> usize {
        std::iter::from_fn(|| self.heard.try_recv().ok()).count()
    }
}

/// Lets the service call receivers on this machine.
pub fn reaching(settings: &mut Settings, addresses: &[SocketAddr]) {
    settings.outbound_plain_http = true;
    settings.outbound_allowed = Sockets(addresses.to_vec());
}

/// A market whose buyer has a webhook at a receiver; and its answer when it was added.
pub async fn market_with(receiver: &Receiver) -> (Market, Value) {
    let address = receiver.address;
    let world = World::made(|settings| reaching(settings, &[address]), |_| {}).await;
    let market = Market::within(world, &[900]).await;
    let added =
        market.world.post(&market.buyer, "/v1/webhooks", json!({ "url": receiver.url() })).await.created();
    (market, added)
}

pub async fn deliveries(world: &World, by: &Person, webhook: &Value) -> Vec<Value> {
    let path = format!("/v1/webhooks/{}/deliveries", webhook["id"].as_str().unwrap());
    world.get(by, &path).await.ok()["items"].as_array().unwrap().clone()
}

fn header<'h>(heard: &'h Heard, name: &str) -> &'h str {
    heard.headers[name].to_str().unwrap()
}

#[tokio::test]
async fn a_confirmed_order_is_told_once_with_a_signature_that_its_secret_proves() {
    let mut receiver = Receiver::with(Habit::Answers(204)).await;
    let (market, added) = market_with(&receiver).await;
    let order = market.place("100").await;
    market.confirm(&order).await.ok();
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 1);
    let heard = receiver.next().await;
    let (id, timestamp) =
        (header(&heard, "webhook-id"), header(&heard, "webhook-timestamp").parse().unwrap());
    let secret = added["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    let signature = header(&heard, "webhook-signature");
    assert!(rules::is_signed(secret, id, timestamp, heard.body.as_bytes(), signature));
    assert!(!rules::is_signed(secret, id, timestamp, format!("{} ", heard.body).as_bytes(), signature));
    assert_eq!(timestamp, market.world.clock.now().timestamp());
    assert_eq!(header(&heard, "content-type"), "application/json");
    let body: Value = serde_json::from_str(&heard.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["id"]), (&json!("order.confirmed"), &order["id"]));
    assert_eq!(body["data"]["number"], order["number"]);
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 0, "nothing is sent twice");
    let told = deliveries(&market.world, &market.buyer, &added["webhook"]).await;
    assert_eq!(
        (told.len(), &told[0]["state"], &told[0]["last_status"]),
        (1, &json!("delivered"), &json!(204))
    );
    assert_eq!((&told[0]["id"], &told[0]["attempts"]), (&json!(id), &json!(1)));
}

#[tokio::test]
async fn every_step_of_an_order_is_told_and_only_what_was_asked_for() {
    let mut all = Receiver::with(Habit::Answers(200)).await;
    let mut some = Receiver::with(Habit::Answers(200)).await;
    let addresses = [all.address, some.address];
    let world = World::made(|settings| reaching(settings, &addresses), |_| {}).await;
    let market = Market::within(world, &[900]).await;
    market.world.post(&market.buyer, "/v1/webhooks", json!({ "url": all.url() })).await.created();
    let wanted = json!({ "url": some.url(), "events": ["order.cancelled", "order.settled"] });
    market.world.post(&market.approver, "/v1/webhooks", wanted).await.created();
    let cancelled = market.place("10").await;
    let path = format!("/v1/orders/{}/cancel", cancelled["id"].as_str().unwrap());
    market.world.post(&market.buyer, &path, json!(null)).await.ok();
    let market = crate::deliveries::accepted_order(market, "100").await;
    while deliver::sweep(&market.world.app).await.unwrap() > 0 {}
    let types = |receiver: &mut Receiver| {
        let heard = std::iter::from_fn(|| receiver.heard.try_recv().ok());
        let mut types: Vec<String> = heard
            .map(|heard| {
                serde_json::from_str::<Value>(&heard.body).unwrap()["type"].as_str().unwrap().to_owned()
            })
            .collect();
        types.sort();
        types
    };
    let every = ["order.accepted", "order.cancelled", "order.confirmed", "order.delivering", "order.settled"];
    assert_eq!(types(&mut all), every);
    assert_eq!(types(&mut some), ["order.cancelled", "order.settled"]);
}

#[tokio::test]
async fn what_did_not_happen_is_not_told() {
    let mut receiver = Receiver::with(Habit::Answers(200)).await;
    let (market, added) = market_with(&receiver).await;
    let order = market.place("100").await;
    market.world.clock.advance(TimeDelta::hours(1));
    market.confirm(&order).await.refused(409, "wrong_state");
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 0);
    assert_eq!(deliveries(&market.world, &market.buyer, &added["webhook"]).await.len(), 0);
    assert_eq!(receiver.rest(), 0);
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_later_each_time_and_given_up_at_last() {
    let mut receiver = Receiver::with(Habit::Answers(500)).await;
    let (market, added) = market_with(&receiver).await;
    market.confirm(&market.place("100").await).await.ok();
    market.world.stay_signed_in().await;
    let mut ids = std::collections::BTreeSet::new();
    for attempt in 1..=8 {
        assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 1);
        assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 0, "not before its time");
        ids.insert(header(&receiver.next().await, "webhook-id").to_owned());
        let told = deliveries(&market.world, &market.buyer, &added["webhook"]).await.remove(0);
        assert_eq!((&told["attempts"], &told["last_status"]), (&json!(attempt), &json!(500)));
        let state = if attempt < 8 { "pending" } else { "failed" };
        assert_eq!(told["state"], state);
        let pause = rules::pause_after(attempt).unwrap_or(TimeDelta::days(2));
        market.world.clock.advance(pause);
    }
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 0);
    assert_eq!((ids.len(), receiver.rest()), (1, 0), "the same message every time");
}

#[tokio::test]
async fn two_processes_send_one_message_once() {
    let mut receiver = Receiver::with(Habit::Answers(200)).await;
    let (market, _) = market_with(&receiver).await;
    let other = second_process(&market.world).await;
    for _ in 0..3 {
        market.confirm(&market.place("100").await).await.ok();
    }
    let mut sent = 0;
    for _ in 0..3 {
        let (one, two) = tokio::join!(deliver::sweep(&market.world.app), deliver::sweep(&other));
        sent += one.unwrap() + two.unwrap();
    }
    assert_eq!((sent, receiver.rest()), (3, 3));
}

#[tokio::test]
async fn what_a_killed_process_was_sending_is_sent_when_its_lease_has_ended() {
    let mut receiver = Receiver::with(Habit::Answers(200)).await;
    let (market, added) = market_with(&receiver).await;
    market.confirm(&market.place("100").await).await.ok();
    let until = market.world.clock.now() + TimeDelta::minutes(2);
    let sql = "update webhook_delivery set lease_until = $1, attempts = 1";
    market.world.execute(sql, vec![until.into()]).await;
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 0);
    market.world.clock.advance(TimeDelta::minutes(2));
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 1);
    receiver.next().await;
    let told = deliveries(&market.world, &market.buyer, &added["webhook"]).await;
    assert_eq!((&told[0]["state"], &told[0]["attempts"]), (&json!("delivered"), &json!(2)));
}

#[tokio::test]
async fn a_secret_is_told_once_and_sealed_at_rest() {
    use sea_orm::{ConnectionTrait, Database, Statement};

    let receiver = Receiver::with(Habit::Answers(200)).await;
    let (market, added) = market_with(&receiver).await;
    let (secret, id) = (added["secret"].as_str().unwrap(), added["webhook"]["id"].as_str().unwrap());
    let (one, all) = (format!("/v1/webhooks/{id}"), "/v1/webhooks".to_owned());
    for path in [one, all] {
        assert!(!market.world.get(&market.buyer, &path).await.text.contains("whsec_"));
    }
    let connection = Database::connect(market.world.database_url()).await.unwrap();
    let sql = "select secret_sealed as text from webhook
               union all select cast(after_json as text) from audit_event where action = 'create_webhook'";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    let texts: Vec<String> = rows.unwrap().iter().map(|row| row.try_get("", "text").unwrap()).collect();
    assert_eq!(texts.len(), 2, "and the trail says who added it");
    assert!(texts[0].starts_with("v2:") && texts.iter().all(|text| !text.contains(&secret[6..])));
}

#[tokio::test]
async fn a_deleted_webhook_is_told_nothing_more_and_deleting_it_again_changes_nothing() {
    let mut receiver = Receiver::with(Habit::Answers(200)).await;
    let (market, added) = market_with(&receiver).await;
    market.confirm(&market.place("100").await).await.ok();
    let path = format!("/v1/webhooks/{}", added["webhook"]["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(market.world.delete(&market.approver, &path).await.status, 204);
    }
    market.confirm(&market.place("100").await).await.ok();
    assert_eq!((deliver::sweep(&market.world.app).await.unwrap(), receiver.rest()), (0, 0));
    assert!(market.world.get(&market.buyer, &path).await.ok()["ended_at"].is_string());
    let listed = market.world.get(&market.buyer, "/v1/webhooks").await.ok();
    assert_eq!(listed["items"], json!([]));
    let told = deliveries(&market.world, &market.buyer, &added["webhook"]).await;
    assert_eq!((told.len(), &told[0]["state"]), (1, &json!("failed")));
}

#[tokio::test]
async fn an_institution_has_ten_webhooks_at_most_and_events_are_named_once() {
    let receiver = Receiver::with(Habit::Answers(200)).await;
    let (market, _) = market_with(&receiver).await;
    let add = |body: Value| market.world.post(&market.buyer, "/v1/webhooks", body);
    for _ in 1..10 {
        add(json!({ "url": receiver.url() })).await.created();
    }
    add(json!({ "url": receiver.url() })).await.refused(422, "invalid_value");
    for events in [json!([]), json!(["order.confirmed", "order.confirmed"]), json!(["order.placed"])] {
        let answer = add(json!({ "url": receiver.url(), "events": events })).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{}", answer.text);
    }
}

/// The id of somebody's first webhook, added below the API.
pub async fn webhook_of(world: &World, institution: Uuid, url: &str) -> Uuid {
    use zhuxiao::members::sealed::Sealed;

    let id = Uuid::now_v7();
    let secret = world.app.keys.seal(Sealed::WebhookSecret, id, &rules::secret_text(&[7; 32])).unwrap();
    let sql = "insert into webhook (id, county_code, institution_id, url, events, secret_sealed, created_by, created_at)
               values ($1, '341823', $2, $3, '', $4, $1, $5)";
    let values = vec![id.into(), institution.into(), url.into(), secret.into(), world.clock.now().into()];
    world.execute(sql, values).await;
    id
}
