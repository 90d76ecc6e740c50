//! Placing orders over HTTP, each with a fresh key: spread over many products, and all on the same ten lots. On
//! PostgreSQL in turns with `pgbench` writing the same rows.

use std::io;
use std::time::Duration;

use chrono::Days;
use zhuxiao::clock::Clock;

use crate::Plan;
use crate::baseline::Baseline;
use crate::client::{Client, Load, load, millis};
use crate::data::{HOT, Kind, People, UNIFORM};
use crate::engine::{Engine, id_text};
use crate::process::Service;

/// Our turns and those of `pgbench`; the median of each counts.
const TURNS: usize = 3;

/// What is ordered.
#[derive(Clone, Copy)]
pub struct Case {
    pub kind: Kind,
    /// Allocations of the one line of each order.
    pub allocations: u64,
}

impl Case {
    fn name(self) -> String {
        let place = if self.kind.products == 1 { "on ten hot lots" } else { "spread" };
        format!("{} allocations, {place}", self.allocations)
    }
}

pub fn measure(plan: &Plan, engine: &Engine, service: &Service, people: &People) {
    let spread = UNIFORM.map(|kind| Case { kind, allocations: kind.lots_each });
    let hot = [1, 5, 10].map(|allocations| Case { kind: HOT, allocations });
    if engine.is_postgres() {
        println!("| orders, 8 connections | orders/s | median ms | p99 ms | pgbench/s | ratio |");
        println!("|---|---:|---:|---:|---:|---:|");
    } else {
        println!("| orders, 8 connections | orders/s | median ms | p99 ms |\n|---|---:|---:|---:|");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for case in spread.into_iter().chain(hot) {
        // The first answers open connections and prepare statements, and leave the row that pgbench imitates.
        let _ = place(Duration::from_secs(1), service, people, case, 0);
        let baseline = engine.is_postgres().then(|| runtime.block_on(Baseline::prepare(plan, engine, case)));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 1..=TURNS {
            ours.push(place(plan.pause, service, people, case, turn));
            theirs.extend(baseline.as_ref().map(|baseline| baseline.run(plan.pause)));
        }
        ours.sort_unstable_by(|one, other| one.per_second.total_cmp(&other.per_second));
        let ours = &ours[TURNS / 2];
        let figures = format!("{:.0} | {} | {}", ours.per_second, millis(ours.median), millis(ours.slow));
        theirs.sort_unstable_by(f64::total_cmp);
        match theirs.get(TURNS / 2) {
            Some(rate) => {
                println!("| {} | {figures} | {rate:.0} | {:.2} |", case.name(), ours.per_second / rate);
            }
            None => println!("| {} | {figures} |", case.name()),
        }
    }
}

fn place(pause: Duration, service: &Service, people: &People, case: Case, turn: usize) -> Load {
    let needed_by = Clock::System.today() + Days::new(30);
    let began = Clock::System.now().timestamp_micros();
    load(service.address, &people.buyers, pause, |client, number, request| {
        let institution = id_text("02", u64::try_from(number).unwrap() + 1);
        let body = body(case, &institution, needed_by, number * 7_919 + request * 8 + turn);
        let key = format!("{began:x}-{number}-{request}");
        expect_order(client, &key, &body, case)
    })
}

/// A line that takes exactly so many allocations: a gram for each, of a product that has as many lots, or as many
/// households as may take part.
fn body(case: Case, institution: &str, needed_by: chrono::NaiveDate, draw: usize) -> String {
    let kind = case.kind;
    let product = id_text("03", kind.first_product + u64::try_from(draw).unwrap() % kind.products);
    let grams = case.allocations;
    let limit = if kind.lots_each > grams { format!(",\"max_households\":{grams}") } else { String::new() };
    let kilos = format!("{}.{:03}", grams / 1_000, grams % 1_000);
    format!(
        "{{\"institution_id\":\"{institution}\",\"lines\":[{{\"product_id\":\"{product}\",\
         \"quantity\":{{\"amount\":\"{kilos}\",\"unit\":\"kg\"}},\"max_price\":{{\"amount\":\"100.00\",\"per\":\"kg\"}},\
         \"needed_by\":\"{needed_by}\"{limit}}}]}}"
    )
}

fn expect_order(client: &mut Client, key: &str, body: &str, case: Case) -> io::Result<()> {
    let answer = client.post("/v1/orders", key, body)?;
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 201, "{text}");
    let allocations = text.matches("\"lot_id\"").count();
    assert_eq!(u64::try_from(allocations).unwrap(), case.allocations, "{text}");
    Ok(())
}
