//! Pages out of a million lots and reports over a million settled lines.

use std::io;
use std::time::{Duration, Instant};

use chrono::Days;
use zhuxiao::clock::Clock;

use crate::Plan;
use crate::client::{Client, load, millis};
use crate::data::People;
use crate::engine::id_text;
use crate::process::Service;

/// Repetitions of a report at most, and how long they may take together.
const REPORTS_MAX: usize = 15;
const REPORTS_TIME_MAX: Duration = Duration::from_secs(30);

/// The page of 20 lots at the beginning, in the middle and near the end of all lots.
pub fn pages(plan: &Plan, service: &Service, people: &People) {
    println!(
        "\n| 20 of {} lots, 8 connections | pages/s | median ms | p99 ms |\n|---|---:|---:|---:|",
        people.rows
    );
    let cursor = |lot: u64| format!("&cursor=1-{}", id_text("04", lot).replace('-', ""));
    let depths = [
        ("first page", String::new()),
        ("in the middle", cursor(people.rows / 2)),
        ("near the end", cursor(100)),
    ];
    let officer = std::slice::from_ref(&people.officer);
    let cases = [
        ("GET /v1/lots (officer)", "/v1/lots", officer),
        ("GET /v1/lots (buyer)", "/v1/lots", &people.buyers),
    ];
    for (name, path, tokens) in
        cases.into_iter().chain([("GET /v1/public/lots", "/v1/public/lots", &[] as &[String])])
    {
        for (depth, cursor) in &depths {
            let path = format!("{path}?limit=20{cursor}");
            let given = load(service.address, tokens, plan.pause, |client, _, _| expect_page(client, &path));
            println!(
                "| `{name}`, {depth} | {:.0} | {} | {} |",
                given.per_second,
                millis(given.median),
                millis(given.slow)
            );
        }
    }
}

fn expect_page(client: &mut Client, path: &str) -> io::Result<()> {
    let answer = client.get(path)?;
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    Ok(())
}

/// The sales report by one client: read from the rows, as no two periods are the same, and again from the cache.
pub fn reports(_plan: &Plan, service: &Service, people: &People) {
    println!("\n| sales of {} settled lines | uncached ms | cached ms |\n|---|---:|---:|", people.rows);
    let mut client = Client::open(service.address, Some(&people.officer)).unwrap();
    let today = Clock::System.today();
    for group_by in ["village,category", "month", "institution"] {
        // Each begins a day earlier, before the first sale, so that each reads all rows and none is in the cache.
        let path = |run: usize| {
            let from = today - Days::new(1_000 + u64::try_from(run).unwrap());
            format!("/v1/reports/sales?from={from}&to={today}&group_by={group_by}")
        };
        let uncached = median(|run| expect_page(&mut client, &path(run)).unwrap());
        let cached = median(|_| expect_page(&mut client, &path(0)).unwrap());
        println!("| by {group_by} | {} | {} |", millis(uncached), millis(cached));
    }
}

fn median(mut run: impl FnMut(usize)) -> Duration {
    let begun = Instant::now();
    let mut taken = Vec::new();
    while taken.len() < REPORTS_MAX && (taken.is_empty() || begun.elapsed() < REPORTS_TIME_MAX) {
        let one = Instant::now();
        run(taken.len());
        taken.push(one.elapsed());
    }
    taken.sort_unstable();
    taken[taken.len() / 2]
}
