//! Money of 100,000 households: fifty orders of 2,000 lots each, delivered and accepted; one payment for all of it; one
//! batch that pays everybody, approved, its bank files, and what the bank did. Each step is one request, so one
//! transaction, but the results, of which a request tells a part. After each step: time, and the most memory the service
//! has had so far.

use std::io;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};
use zhuxiao::app::App;
use zhuxiao::clock::Clock;
use zhuxiao::id::{Ids, secret_hash};
use zhuxiao::members::households::{self, NewHousehold, Status};
use zhuxiao::settings::Settings;
use zhuxiao::trail::Actor;

use crate::client::{Answer, Client, millis};
use crate::data::numbers;
use crate::engine::{Engine, execute, id_text};
use crate::process::Service;

/// Lots of one order, each of another household.
const LOTS_EACH: u64 = 2_000;
const ORDERS: u64 = 50;
const HOUSEHOLDS: u64 = LOTS_EACH * ORDERS;

/// Households made by one call.
const CHUNK: u64 = 10_000;

/// Results of one request at most.
const RESULTS_MAX: usize = 5_000;

const VILLAGE: &str = "341823100001";

/// The people who act, by the number of their token.
const ROLES: [&str; 5] = ["buyer", "approver", "officer", "finance", "finance"];
const BUYER: usize = 0;
const APPROVER: usize = 1;
const OFFICER: usize = 2;
const MAKER: usize = 3;
const SECOND: usize = 4;

pub fn measure(engine: &Engine) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let products = runtime.block_on(load(engine));
    let service = Service::start(engine);
    // One after the other: the service closes a connection that rests for a minute.
    let mut clients: Vec<Client> = (0..ROLES.len()).map(|number| client_of(&service, number)).collect();
    println!("\n| money of {HOUSEHOLDS} households | time | most memory so far |\n|---|---:|---:|");
    let told = |what: &str, taken: Duration| {
        println!("| {what} | {} ms | {} MiB |", millis(taken), service.most_resident_mib());
    };
    let mut accepted: Vec<Duration> = products.iter().map(|product| sell(&mut clients, product)).collect();
    accepted.sort_unstable();
    told(
        &format!("settle an acceptance of {LOTS_EACH} households, median of {ORDERS}"),
        accepted[accepted.len() / 2],
    );
    clients = (0..ROLES.len()).map(|number| client_of(&service, number)).collect();
    let owed = format!("{}.00", HOUSEHOLDS * 30);
    let payment = json!({
        "institution_id": id_text("02", 1), "amount": owed, "received_on": Clock::System.today(), "reference": "all of it",
    });
    let (paid, taken) = timed(|| clients[MAKER].post("/v1/payments", "payment", &payment.to_string()));
    assert_eq!(expect(paid, 201)["deposited"], "0.00");
    told(&format!("share one payment over {HOUSEHOLDS} lines"), taken);
    pay_out(&mut clients, &told);
    check(engine, &told);
}

fn client_of(service: &Service, number: usize) -> Client {
    Client::open(service.address, Some(&token(number))).expect("the service listens")
}

/// Orders one product of all its households, and delivers and accepts it: how long the acceptance took.
fn sell(clients: &mut [Client], product: &str) -> Duration {
    let order = json!({
        "institution_id": id_text("02", 1),
        "lines": [{
            "product_id": product, "quantity": { "amount": LOTS_EACH.to_string(), "unit": "kg" },
            "max_price": { "amount": "30.00", "per": "kg" }, "needed_by": Clock::System.today() + TimeDelta::days(30),
        }],
    });
    let order = expect(clients[BUYER].post("/v1/orders", product, &order.to_string()), 201);
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    expect(clients[APPROVER].post(&format!("{path}/confirm"), product, ""), 200);
    let parts = order["lines"][0]["allocations"].as_array().unwrap();
    assert_eq!(u64::try_from(parts.len()).unwrap(), LOTS_EACH);
    let lines: Vec<Json> = parts
        .iter()
        .map(|part| json!({ "allocation_id": part["id"], "quantity": part["quantity"] }))
        .collect();
    let sent = json!({ "lines": lines }).to_string();
    let delivery = expect(clients[OFFICER].post(&format!("{path}/deliveries"), product, &sent), 201);
    let lines: Vec<Json> = delivery["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| json!({ "delivery_line_id": line["id"], "accepted": line["dispatched"] }))
        .collect();
    let sent = json!({ "lines": lines, "witness_account": account(APPROVER) }).to_string();
    let path = format!("/v1/deliveries/{}/acceptance", delivery["id"].as_str().unwrap());
    let (accepted, taken) = timed(|| clients[BUYER].post(&path, &format!("accept-{product}"), &sent));
    assert!(expect(accepted, 200)["settlement_id"].is_string());
    taken
}

/// A batch from its making to its last result.
fn pay_out(clients: &mut [Client], told: &impl Fn(&str, Duration)) {
    let up_to = json!({ "up_to": Clock::System.today() }).to_string();
    let (made, taken) = timed(|| clients[MAKER].post("/v1/payout_batches", "make", &up_to));
    let batch = expect(made, 201);
    let count = batch["payout_count"].as_u64().unwrap();
    told(&format!("make a batch of {count} payouts"), taken);
    let path = format!("/v1/payout_batches/{}", batch["id"].as_str().unwrap());
    let (approved, taken) = timed(|| clients[SECOND].post(&format!("{path}/approve"), "approve", ""));
    expect(approved, 200);
    told("approve it", taken);
    let (payouts, taken) = timed(|| payouts_of(&mut clients[MAKER], &path));
    assert_eq!(u64::try_from(payouts.len()).unwrap(), count);
    told("list its payouts, 200 a page", taken);
    let results: Vec<Json> =
        payouts.iter().enumerate().map(|(number, payout)| result_of(number, payout)).collect();
    let begun = Instant::now();
    for (number, part) in results.chunks(RESULTS_MAX).enumerate() {
        let sent = json!({ "results": part }).to_string();
        expect(clients[MAKER].post(&format!("{path}/results"), &format!("results-{number}"), &sent), 200);
    }
    told(&format!("record all results, {RESULTS_MAX} a request"), begun.elapsed());
}

/// The ids of all payouts of a batch, page by page.
fn payouts_of(client: &mut Client, path: &str) -> Vec<Json> {
    let mut payouts = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = expect(client.get(&format!("{path}/payouts?limit=200{cursor}")), 200);
        payouts.extend(page["items"].as_array().unwrap().iter().map(|payout| payout["id"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return payouts,
        }
    }
}

/// One of a hundred comes back.
fn result_of(number: usize, payout: &Json) -> Json {
    if number.is_multiple_of(100) {
        json!({ "payout_id": payout, "result": "returned", "reason": "account closed" })
    } else {
        json!({ "payout_id": payout, "result": "paid" })
    }
}

/// The whole audit of it, as an operator runs it.
fn check(engine: &Engine, told: &impl Fn(&str, Duration)) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
    command.args(["audit", "--database-url", &engine.url]);
    let (done, taken) = timed(|| command.output());
    let done = done.unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    // Lots, products and the institution are written below the API and have no events.
    let is_built = |line: &str| {
        ["lot", "product", "institution"]
            .iter()
            .any(|table| line.starts_with(&format!("invariant 8, {table},")))
    };
    let differing = text.lines().filter(|line| !is_built(line)).count();
    assert!(
        done.status.code().is_some() && differing == 0,
        "{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    told("audit all of it, a process of its own", taken);
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}

fn expect(answer: io::Result<Answer>, status: u16) -> Json {
    let answer = answer.expect("every request is answered");
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn token(number: usize) -> String {
    format!("token-of-{}", account(number))
}

fn account(number: usize) -> String {
    format!("{}-{number}", ROLES[number])
}

/// Households with sealed accounts, a lot of a kilo at 30 yuan each, and the people. Answers the products.
async fn load(engine: &Engine) -> Vec<String> {
    engine.migrate().await;
    let connection = engine.connect().await;
    let places = "insert into region (code, level, name, parent_code, valid_from) values
        ('340000000000', 'province', '安徽省', null, '2020-01-01'),
        ('341800000000', 'city', '宣城市', '340000000000', '2020-01-01'),
        ('341823000000', 'county', '泾县', '341800000000', '2020-01-01'),
        ('341823100000', 'township', '泾川镇', '341823000000', '2020-01-01'),
        ('341823100001', 'village', '示范村', '341823100000', '2020-01-01')";
    connection.execute_unprepared(places).await.unwrap();
    make_households(engine).await;
    let now = Clock::System.now();
    let institution = format!(
        "insert into institution (id, county_code, region_code, name, kind, credit_code, created_at, updated_at, version)
         values ({}, '341823', '341823000000', '示范学校', 'school', 'BENCH', $1, $1, 1)",
        engine.id("02", "1")
    );
    execute(&connection, &institution, vec![now.into()]).await;
    people(engine, &connection).await;
    let products = format!(
        "insert into product (id, county_code, code, name, category, measure, pricing_unit, grades, pack_base, certificates,
                              catalogue_code, tax_code, is_active, created_at, updated_at, version)
         {} select {}, '341823', 'P' || n, '产品' || n, 'tea', 'mass', 'kg', '[]', 1, '[]', 'A07031301',
                   '1010116010000000000', true, $1, $1, 1 from s",
        numbers(1, ORDERS),
        engine.id("03", "n")
    );
    execute(&connection, &products, vec![now.into()]).await;
    let lots = format!(
        "insert into lot (id, county_code, household_id, product_id, village_code, price_fen, pricing_unit, offered_base,
                          ready_from, sell_by, certificates, certified_until, state, created_at, updated_at, version)
         select {}, '341823', household.id, {}, '{VILLAGE}', 3000, 'kg', 1000, '2020-01-01', '2099-12-31', '[]',
                '9999-12-31', 'on_sale', $1, $1, 1
         from (select id, row_number() over (order by id) as n from household) as household",
        engine.id("04", "household.n"),
        engine.id("03", &format!("1 + (household.n - 1) / {LOTS_EACH}"))
    );
    execute(&connection, &lots, vec![now.into()]).await;
    connection.execute_unprepared("analyze").await.unwrap();
    connection.close().await.unwrap();
    (1..=ORDERS).map(|number| id_text("03", number)).collect()
}

async fn make_households(engine: &Engine) {
    let settings =
        Settings { database_url: engine.url.clone(), keys: engine.keys.clone(), ..Settings::default() };
    let app = App::open(settings, Clock::System, Ids::default()).await.unwrap();
    for first in (1..=HOUSEHOLDS).step_by(usize::try_from(CHUNK).unwrap()) {
        let new = (first..first + CHUNK).map(|number| NewHousehold {
            id: None,
            village_code: VILLAGE.to_owned(),
            head_name: format!("示范户{number}"),
            status: Status::Registered,
            status_from: app.clock.today(),
            identity_number: None,
            phone: None,
            bank_account: Some(format!("0000000000{number:09}")),
            address: None,
            external_ref: None,
            consent_on: None,
        });
        let txn = app.db.begin().await.unwrap();
        households::insert_many(&txn, &app, &Actor::service("bench"), new.collect()).await.unwrap();
        let _ = txn.commit(()).await.unwrap();
    }
    app.db.close().await.unwrap();
}

async fn people(engine: &Engine, connection: &sea_orm::DatabaseConnection) {
    let now = Clock::System.now();
    for (number, role) in ROLES.iter().enumerate() {
        let id = engine.id("05", "$1");
        let place = match *role {
            "buyer" | "approver" => format!("{}, null", engine.id("02", "1")),
            _ => "null, '341823000000'".to_owned(),
        };
        let key = i64::try_from(number).unwrap() + 1;
        let principal = format!(
            "insert into principal (id, county_code, account, password_hash, role, display_name, institution_id,
                                    region_code, is_active, created_at)
             values ({id}, '341823', '{}', 'none', '{role}', '{role}', {place}, true, $2)",
            account(number)
        );
        execute(connection, &principal, vec![key.into(), now.into()]).await;
        let session = format!(
            "insert into session (id, principal_id, token_hash, created_at, expires_at) values ({}, {id}, $3, $2, $4)",
            engine.id("06", "$1")
        );
        let hash = secret_hash(&token(number));
        execute(
            connection,
            &session,
            vec![key.into(), now.into(), hash.into(), (now + TimeDelta::days(1)).into()],
        )
        .await;
    }
}
