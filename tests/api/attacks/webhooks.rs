//! Attacks through webhooks: addresses inside, redirects, receivers that never answer, webhooks of others.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;
use zhuxiao::http::outbound::Names;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::settings::Sockets;
use zhuxiao::webhooks::{self, Event, News, deliver};

use crate::orders::Market;
use crate::support::{Person, World};
use crate::webhooks::{Habit, Receiver, deliveries, market_with, reaching, webhook_of};

/// A world in which plain http is allowed, so that the address alone decides, and a buyer in it.
async fn world_with_buyer() -> (World, Person) {
    let world = World::with(|settings| settings.outbound_plain_http = true).await.with_regions().await;
    let institution = world.institution("示范学校", "school").await;
    let buyer = world.person(Role::Buyer, Place::Institution(institution)).await;
    (world, buyer)
}

async fn refuse_all(urls: &[String]) {
    let (world, buyer) = world_with_buyer().await;
    for url in urls {
        let answer = world.post(&buyer, "/v1/webhooks", json!({ "url": url })).await;
        assert_eq!(answer.refused(422, "invalid_value")["pointer"], "/url", "{url}");
    }
    assert_eq!(world.get(&buyer, "/v1/webhooks").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn at_w01_a_webhook_on_this_machine_or_in_a_private_network_is_refused_and_nothing_is_connected_to() {
    let mut inside = Receiver::with(Habit::Answers(200)).await;
    let port = inside.address.port();
    let urls = [
        "http://127.0.0.1:6379/".to_owned(),
        "http://localhost:5432/".to_owned(),
        "http://localhost/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "http://192.168.0.1/".to_owned(),
        "http://[::1]/".to_owned(),
        "http://[::ffff:127.0.0.1]/".to_owned(),
        "http://0x7f000001/".to_owned(),
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:7f00:1]:{port}/"),
    ];
    refuse_all(&urls).await;
    assert_eq!(inside.rest(), 0);
}

#[tokio::test]
async fn at_w02_a_webhook_at_the_metadata_of_a_cloud_is_refused() {
    let urls = [
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0xa9fea9fe/",
    ];
    refuse_all(&urls.map(str::to_owned)).await;
}

#[tokio::test]
async fn at_w03_a_name_that_means_this_machine_when_it_is_called_is_not_connected_to() {
    let mut inside = Receiver::with(Habit::Answers(200)).await;
    let port = inside.address.port();
    let public: IpAddr = "1.1.1.1".parse().unwrap();
    let table = Arc::new(Mutex::new(HashMap::from([("shop.example".to_owned(), vec![public])])));
    let names = Names::Table(Arc::clone(&table));
    // The port is one that may be called, at the address that was checked.
    let world = World::made(
        |settings| {
            settings.outbound_plain_http = true;
            settings.outbound_allowed = Sockets(vec![SocketAddr::new(public, port)]);
        },
        |app| app.outbound.names = names,
    );
    let market = Market::within(world.await, &[900]).await;
    let url = format!("http://shop.example:{port}/hook");
    let added = market.world.post(&market.buyer, "/v1/webhooks", json!({ "url": url })).await.created();
    table.lock().unwrap().insert("shop.example".to_owned(), vec![inside.address.ip()]);
    market.confirm(&market.place("100").await).await.ok();
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 1);
    let told = deliveries(&market.world, &market.buyer, &added["webhook"]).await;
    assert_eq!((&told[0]["state"], &told[0]["attempts"]), (&json!("pending"), &json!(1)));
    assert!(told[0]["last_error"].as_str().unwrap().contains("not on the public internet"), "{told:?}");
    assert_eq!((told[0]["last_status"].is_null(), inside.rest()), (true, 0));
    market
        .world
        .post(&market.buyer, "/v1/webhooks", json!({ "url": url }))
        .await
        .refused(422, "invalid_value");
}

#[tokio::test]
async fn at_w04_a_redirect_is_not_followed_and_counts_as_failed() {
    let mut inside = Receiver::with(Habit::Answers(200)).await;
    let mut receiver = Receiver::with(Habit::Redirects(inside.url())).await;
    let addresses = [receiver.address, inside.address];
    let world = World::made(|settings| reaching(settings, &addresses), |_| {}).await;
    let market = Market::within(world, &[900]).await;
    let added =
        market.world.post(&market.buyer, "/v1/webhooks", json!({ "url": receiver.url() })).await.created();
    market.confirm(&market.place("100").await).await.ok();
    assert_eq!(deliver::sweep(&market.world.app).await.unwrap(), 1);
    receiver.next().await;
    let told = deliveries(&market.world, &market.buyer, &added["webhook"]).await;
    assert_eq!((&told[0]["state"], &told[0]["last_status"]), (&json!("pending"), &json!(302)));
    assert_eq!(told[0]["last_error"], "answered 302");
    assert_eq!(inside.rest(), 0, "even though it may be called, the redirect is not followed");
}

#[tokio::test]
async fn at_w06_an_address_of_another_scheme_user_or_port_is_refused() {
    let urls = [
        "file:///etc/passwd",
        "gopher://good.example/",
        "ftp://good.example/",
        "http://good.example@127.0.0.1/",
        "https://user:password@good.example/",
        "https://good.example:22/",
        "https://1.1.1.1:22/",
        "javascript:alert(1)",
        "https://1.1.1.1/\r\nx-evil: 1",
        "//good.example/",
    ];
    refuse_all(&urls.map(str::to_owned)).await;
    let world = World::new().await.with_regions().await;
    let institution = world.institution("示范学校", "school").await;
    let buyer = world.person(Role::Buyer, Place::Institution(institution)).await;
    let plain = json!({ "url": "http://1.1.1.1/" });
    world.post(&buyer, "/v1/webhooks", plain).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn at_w07_fifty_receivers_that_never_answer_keep_no_other_waiting_and_are_left_in_time() {
    let silent = Receiver::with(Habit::Silent).await;
    let mut sound = Receiver::with(Habit::Answers(200)).await;
    let addresses = [silent.address, sound.address];
    let world = World::made(
        |settings| {
            reaching(settings, &addresses);
            settings.outbound_seconds_max = 2;
        },
        |_| {},
    )
    .await
    .with_regions()
    .await;
    let news = |institution_id: Uuid| News {
        event: Event::OrderConfirmed,
        institution_id,
        subject_id: Uuid::now_v7(),
        number: "PO-341823-2027-000001".to_owned(),
    };
    let mut told = Vec::new();
    for number in 0..5 {
        let institution = world.institution(&format!("示范{number}"), "school").await;
        for _ in 0..10 {
            webhook_of(&world, institution, &silent.url()).await;
        }
        told.push(news(institution));
    }
    let other = world.institution("示范医院", "hospital").await;
    webhook_of(&world, other, &sound.url()).await;
    told.push(news(other));
    let txn = world.app.db.begin().await.unwrap();
    webhooks::announce(&txn, &world.app, &told).await.unwrap();
    txn.commit(()).await.unwrap();
    let bounded = tokio::time::timeout(Duration::from_secs(15), deliver::sweep(&world.app));
    let (attempts, _) = tokio::join!(bounded, sound.next());
    assert_eq!(attempts.unwrap().unwrap(), 51);
    let sql = "update webhook_delivery set last_error = last_error where last_error = 'no answer in time'";
    assert_eq!(world.execute(sql, Vec::new()).await, 50);
    world.clock.advance(TimeDelta::seconds(5));
    let again = deliver::sweep(&world.app).await.unwrap();
    assert_eq!(again, deliver::FAILING_WORKERS_MAX, "those that fail have a bounded part of the workers");
}

#[tokio::test]
async fn at_b21_a_webhook_of_another_institution_does_not_exist() {
    let receiver = Receiver::with(Habit::Answers(200)).await;
    let (market, added) = market_with(&receiver).await;
    let institution = market.world.institution("示范医院", "hospital").await;
    let other = market.world.person(Role::Buyer, Place::Institution(institution)).await;
    let path = format!("/v1/webhooks/{}", added["webhook"]["id"].as_str().unwrap());
    market.world.get(&other, &path).await.refused(404, "not_found");
    market.world.get(&other, &format!("{path}/deliveries")).await.refused(404, "not_found");
    market.world.delete(&other, &path).await.refused(404, "not_found");
    assert_eq!(market.world.get(&other, "/v1/webhooks").await.ok()["items"], json!([]));
    assert!(market.world.get(&market.buyer, &path).await.ok()["ended_at"].is_null());
}
