//! `zhuxiao demo`: fills an empty database with a made-up year of a real county, tells what came of it and serves it.
//! Everybody in it is made up. It never adds to a database that holds anything else.

use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Common, Ended, migrate, serve};
use crate::app::App;
use crate::clock::Clock;
use crate::id::Ids;
use crate::settings::Settings;
use crate::trail::{self, Actor, Event, chain};

mod bank;
mod calendar;
mod county;
mod data;
mod dice;
mod handover;
mod people;
mod progress;
mod purse;
mod stage;
mod store;
mod summary;
mod supply;
mod tell;
mod wants;
mod year;

use calendar::{Calendar, at};
pub use progress::Progress;
use stage::{COUNTY, Embedded, Stage};
pub use summary::{Facts, Summary};
pub use tell::{SignIn, sign_ins};
use year::Year;

/// Lots per household, on average.
const LOTS_PER_HOUSEHOLD: usize = 2;

/// The notes that a demo leaves in the trail.
const BEGUN: &str = "begin_demo";
const FINISHED: &str = "finish_demo";

/// Flags of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Households to make up
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(10..=50_000))]
    pub households: u32,
    /// Orders to place over the year; 300 keep the county busy
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub orders: u32,
    /// The same seed gives the same demo
    #[arg(long, default_value_t = 2_020, value_parser = clap::value_parser!(u64).range(0..=9_007_199_254_740_991))]
    pub seed: u64,
    /// Fill the database and end, without serving it
    #[arg(long)]
    pub no_serve: bool,
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long)]
    pub listen: Option<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub seed: u64,
    pub households: u32,
    pub orders: u32,
}

/// A database that holds a demo.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub summary: Summary,
    /// It was there before.
    pub was_there: bool,
}

/// Fills the database unless it holds a demo already, tells what it holds and serves it.
pub async fn run(common: &Common, args: &DemoArgs) -> Result<(), Ended> {
    let mut flags = vec![("totp_required", "false".to_owned())];
    flags.extend(args.listen.clone().map(|listen| ("listen", listen)));
    let settings = common.settings(flags)?;
    let wanted = Wanted { seed: args.seed, households: args.households, orders: args.orders };
    let prepared = prepare(&settings, wanted, Progress::on_stderr()).await?;
    if prepared.was_there {
        note(&what_is_there(&settings, wanted, &prepared.summary.facts));
    }
    if common.is_json() {
        tell::json(&prepared.summary)?;
    } else {
        tell::people(&prepared.summary);
    }
    if prepared.summary.audit.findings > 0 {
        return Err(Ended::Differs(
            "the audit of the demo found differences; see `zhuxiao audit`".to_owned(),
        ));
    }
    if args.no_serve { Ok(()) } else { open_shop(with_account(settings)).await }
}

/// Fills an empty database; leaves one that holds a demo as it is.
///
/// Refused with exit 4 when the database holds anything else, also a demo that was interrupted.
pub async fn prepare(settings: &Settings, wanted: Wanted, progress: Progress) -> Result<Prepared, Ended> {
    progress.step("schema", 1);
    migrate::prepare(&settings.database_url).await?;
    let calendar = Calendar::before(Clock::System.today());
    let clock = Clock::manual(at(calendar.start(), 8, 0));
    let stage = Stage {
        app: App::open(with_account(settings.clone()), clock, Ids::seeded(wanted.seed)).await?,
        seed: wanted.seed,
        calendar,
        data: Embedded::read().map_err(|error| Ended::Failed(error.to_string()))?,
        progress,
        actor: Actor::service("demo"),
        has_keys: settings.keys.is_some() || migrate::sqlite_path(&settings.database_url).is_some(),
    };
    let found = found(&stage.app, settings).await?;
    let was_there = found.is_some();
    let facts = if let Some(facts) = found { facts } else { fill_and_chain(&stage, wanted).await? };
    let summary = summary::compute(&stage, facts).await?;
    stage.progress.end();
    stage.app.db.close().await?;
    Ok(Prepared { summary, was_there })
}

/// The settings with an account to pay from.
fn with_account(mut settings: Settings) -> Settings {
    let [account, name, bank] = bank::ACCOUNT.map(str::to_owned);
    settings.escrow_account.get_or_insert(account);
    settings.escrow_account_name.get_or_insert(name);
    settings.escrow_account_bank.get_or_insert(bank);
    settings
}

/// The facts of the demo that this database holds; nothing when it is empty.
async fn found(app: &App, settings: &Settings) -> Result<Option<Facts>, Ended> {
    let notes = store::notes(app.db.reader()).await?;
    let finished = notes.iter().find(|note| note.action == FINISHED).and_then(|note| note.after_json.clone());
    if let Some(facts) = finished {
        let facts = serde_json::from_value(facts).map_err(|error| Ended::Failed(error.to_string()))?;
        return Ok(Some(facts));
    }
    if !notes.is_empty() {
        return Err(Ended::NotAllowed(format!(
            "{} holds a demo that was interrupted; delete it, or name another database with --database-url",
            shown(settings)
        )));
    }
    if store::is_empty(app.db.reader()).await? {
        return Ok(None);
    }
    Err(Ended::NotAllowed(format!(
        "{} holds data that is not the demo's; name an empty database with --database-url",
        shown(settings)
    )))
}

/// Fills the database and chains the trail of it, as the service would have done meanwhile.
async fn fill_and_chain(stage: &Stage, wanted: Wanted) -> Result<Facts, Ended> {
    let facts = fill(stage, wanted).await?;
    while chain::sweep(&stage.app).await? > 0 {}
    Ok(facts)
}

/// Fills the county and plays its year.
async fn fill(stage: &Stage, wanted: Wanted) -> Result<Facts, Ended> {
    let begun = Facts {
        seed: wanted.seed,
        households: wanted.households,
        orders: wanted.orders,
        year: stage.calendar.year,
        orders_refused: 0,
        purchase_lines_ordered: 0,
    };
    if !stage.has_keys {
        note(
            "no file of keys is set (ZHUXIAO_KEYS): the households get no phones and no bank accounts, and are not paid",
        );
    }
    leave_note(stage, BEGUN, &begun).await?;
    let progress = &stage.progress;
    progress.step("regions", stage.data.regions.len());
    progress.done(county::make_regions(stage).await?);
    progress.step("products", stage.data.products.len());
    let goods = county::make_products(stage).await?;
    progress.done(goods.len());
    let officials = people::make_officials(stage).await?;
    progress.step("reference prices", goods.len());
    county::make_reference_prices(stage, &officials, &goods).await?;
    let people::Officials { officer, finance, second_finance, .. } = officials;
    progress.step("households", usize::try_from(wanted.households).unwrap_or(0));
    let households = county::make_households(stage, wanted.households).await?;
    progress.done(households.len());
    progress.step("helpers", people::villages_of(&households).len());
    people::make_helpers(stage, &households).await?;
    progress.step("cooperatives", stage.data.cooperatives.len());
    people::make_cooperatives(stage, &households).await?;
    progress.step("institutions", stage.data.institutions.len());
    let buyers = people::make_buyers(stage).await?;
    progress.step("survey visits", households.len());
    county::survey(stage, &officer, &households).await?;

    let wants = wants::plan(stage, &goods, wanted.orders);
    let supplies = supply::plan(stage, &goods, &wants, households.len() * LOTS_PER_HOUSEHOLD);
    let owners = supply::owners(stage, &goods, &households, &supplies);
    progress.step("orders of the year", wants.len());
    let people = people::People { officer, finance, second_finance, buyers };
    let supplies = supplies.into_iter().zip(owners).collect();
    let mut year = Year::new(stage, &people, &goods, &households, &wants, supplies);
    year.play().await?;
    let facts = Facts {
        orders_refused: year.tally.refused,
        purchase_lines_ordered: year.tally.source_lines.len(),
        ..begun
    };
    leave_note(stage, FINISHED, &facts).await?;
    Ok(facts)
}

/// The trail says that this is a demo, and which.
async fn leave_note(stage: &Stage, action: &'static str, facts: &Facts) -> Result<(), Ended> {
    let app = &stage.app;
    let now = app.clock.now();
    let event = Event {
        county_code: Some(COUNTY.to_owned()),
        household_id: None,
        action,
        subject_kind: "demo",
        subject_id: app.ids.next(now),
        before: None,
        after: Some(json!(facts)),
    };
    let txn = app.db.begin().await?;
    trail::record(&txn, &app.ids, now, &stage.actor, vec![event]).await?;
    txn.commit(()).await?;
    Ok(())
}

fn what_is_there(settings: &Settings, wanted: Wanted, facts: &Facts) -> String {
    let there = format!(
        "{} already holds the demo of seed {} with {} households and {} orders",
        shown(settings),
        facts.seed,
        facts.households,
        facts.orders
    );
    let is_same =
        (facts.seed, facts.households, facts.orders) == (wanted.seed, wanted.households, wanted.orders);
    if is_same {
        format!("{there}; nothing was added")
    } else {
        format!("{there}; it is left as it is. For another demo name another database with --database-url")
    }
}

/// The database without the password that its address may hold.
fn shown(settings: &Settings) -> String {
    let url = &settings.database_url;
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        _ => url.clone(),
    }
}

/// Serves the demo on the clock of the machine.
async fn open_shop(settings: Settings) -> Result<(), Ended> {
    serve::log_to_stderr(&settings);
    let app = App::open(settings, Clock::System, Ids::default()).await?;
    let listener = TcpListener::bind(app.settings.listen).await?;
    let address = listener.local_addr()?;
    note(&format!("serving on http://{address}, described at http://{address}/docs; Ctrl-C ends it"));
    serve::serve_on(listener, app, serve::stop_signal()).await
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn note(text: &str) {
    eprintln!("{text}");
}
