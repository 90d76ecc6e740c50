//! What the running service gives over HTTP, on both engines: placing orders (beside `pgbench` writing the same rows in
//! the same run), pages out of a million lots, reports over a million settled lines, settling and paying out to 100,000
//! households, cold start and memory. It measures
//! and asserts no figure; an answer that is not the expected one stops it. Prints Markdown tables.
//!
//! Run it with `tests/bench/run`, which names what to measure, starts the servers it needs and says where they are:
//! `BENCH_FOLDER` (on disk), and for PostgreSQL `BENCH_POSTGRES_URL`, `BENCH_REDIS_URL` and `BENCH_PGBENCH`.
//! `BENCH_SECONDS` is the length of one measurement, `BENCH_ROWS` the number of lots and of settled lines.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on stops, its data are its tables, and rates are no money"
)]

mod baseline;
mod client;
mod data;
mod engine;
mod money;
mod orders;
mod process;
mod reads;

use std::path::PathBuf;
use std::time::Duration;

use engine::Engine;
use process::Service;

/// How one run is set.
struct Plan {
    folder: PathBuf,
    /// Length of one measurement.
    pause: Duration,
    /// Lots, and settled lines.
    rows: u64,
    /// `orders`, `reads` and `money` on `sqlite` and `postgres`.
    sections: Vec<String>,
}

impl Plan {
    fn has(&self, section: &str) -> bool {
        self.sections.iter().any(|named| named == section)
    }
}

fn main() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
    };
    let plan = Plan {
        folder: std::env::var("BENCH_FOLDER").map_or_else(|_| std::env::temp_dir(), PathBuf::from),
        pause: Duration::from_secs(number("BENCH_SECONDS", 4).clamp(1, 60)),
        rows: number("BENCH_ROWS", 1_000_000).clamp(100_000, 10_000_000),
        sections: std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect(),
    };
    let on_sqlite = |name: &str| plan.has("sqlite").then(|| Engine::sqlite(&plan.folder, name));
    let on_postgres = |name: &str| Engine::postgres(name).filter(|_| plan.has("postgres"));
    for open in [&on_sqlite as &dyn Fn(&str) -> Option<Engine>, &on_postgres] {
        let Some(engine) = open("bench") else { continue };
        println!("\n### {}\n", engine.name());
        if plan.has("orders") || plan.has("reads") {
            measure(&plan, &engine);
        }
        if plan.has("money")
            && let Some(engine) = open("money")
        {
            money::measure(&engine.with_keys(&plan.folder));
        }
    }
}

fn measure(plan: &Plan, engine: &Engine) {
    let people = data::load(engine, plan.rows);
    let service = Service::start(engine);
    println!("| cold start and memory | |\n|---|---:|");
    println!(
        "| from the start of the process to the first `/readyz` | {} ms |",
        service.ready_after.as_millis()
    );
    println!("| resident, idle | {} MiB |", service.resident_mib());
    println!();
    if plan.has("orders") {
        orders::measure(plan, engine, &service, &people);
    }
    if plan.has("reads") {
        reads::pages(plan, &service, &people);
        reads::reports(plan, &service, &people);
    }
    println!("\nResident after this load: {} MiB.", service.resident_mib());
}
