//! `zhuxiao serve`: serves until SIGTERM or Ctrl-C, then finishes what it began.

use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::metrics::Recorder;
use super::{Common, Ended, migrate};
use crate::app::App;
use crate::clock::Clock;
use crate::http::server::{Limits, Patience, serve};
use crate::id::Ids;
use crate::idempotency;
use crate::members::one_time_codes;
use crate::orders;
use crate::problems;
use crate::routes::{admin_routes, routes};
use crate::settings::{LogFormat, Settings};
use crate::settlement::reminders;
use crate::trail::chain;
use crate::webhooks::deliver;

/// How long requests that have begun may take to finish after SIGTERM.
const FINISH_SECONDS: u64 = 20;

/// How often a process asks whether it is time to audit.
const BOOKS_PAUSE: Duration = Duration::from_mins(5);

/// Flags of `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long)]
    pub listen: Option<String>,
    /// Redis for the cache; without it the cache is in this process
    #[arg(long)]
    pub redis_url: Option<String>,
    /// Do not apply missing schema changes before serving
    #[arg(long)]
    pub no_migrate: bool,
}

/// Opens the database, applies what is missing and serves.
pub async fn run(common: &Common, args: &ServeArgs) -> Result<(), Ended> {
    let mut flags = Vec::new();
    flags.extend(args.listen.clone().map(|listen| ("listen", listen)));
    flags.extend(args.redis_url.clone().map(|url| ("redis_url", url)));
    let settings = common.settings(flags)?;
    log_to_stderr(&settings);
    if !args.no_migrate {
        migrate::prepare(&settings.database_url).await?;
    }
    let app = App::open(settings, Clock::System, Ids::default()).await?;
    let listener = TcpListener::bind(app.settings.listen).await?;
    serve_on(listener, app, stop_signal()).await
}

/// Serves `app` on a bound socket until `stop`, with the background work that belongs to it.
pub async fn serve_on(listener: TcpListener, app: App, stop: impl Future<Output = ()>) -> Result<(), Ended> {
    let recorder = Recorder::install();
    let endpoint = routes(&app).map_err(|error| Ended::Failed(format!("the contract: {error}")))?;
    let limits = limits(&app.settings);
    let mut background = JoinSet::new();
    if let Some(address) = app.settings.admin_listen {
        let listener = TcpListener::bind(address).await?;
        background.spawn(serve(listener, limits, admin_routes(recorder), std::future::pending()));
    }
    background.spawn(keep_house(app.clone()));
    background.spawn(keep_books(app.clone()));
    background.spawn(deliver::run(app.clone()));
    serve(listener, limits, endpoint, stop).await;
    background.abort_all();
    app.db.close().await?;
    Ok(())
}

fn limits(settings: &Settings) -> Limits {
    let patience = Patience {
        idle: Duration::from_secs(settings.idle_seconds_max),
        head: Duration::from_secs(settings.head_seconds_max),
        stall: Duration::from_secs(settings.stall_seconds_max),
    };
    Limits { connections: settings.connections_max, patience, finish: Duration::from_secs(FINISH_SECONDS) }
}

/// Releases expired holds, raises reminders of what is due, forgets old idempotency answers and one-time codes, chains the
/// audit trail and refreshes the problem list, for as long as the service runs. Every process does it; each row and each
/// refresh is claimed once.
async fn keep_house(app: App) {
    let mut pause = tokio::time::interval(Duration::from_secs(app.settings.sweep_seconds));
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        if let Err(failure) = orders::sweep(&app).await {
            tracing::warn!(%failure, "expired holds could not be released");
        }
        if let Err(failure) = reminders::sweep(&app).await {
            tracing::warn!(%failure, "reminders of what is due could not be raised");
        }
        if let Err(failure) = idempotency::forget_old(&app).await {
            tracing::warn!(%failure, "old idempotency answers could not be forgotten");
        }
        if let Err(failure) = one_time_codes::forget_old(&app).await {
            tracing::warn!(%failure, "old one-time codes could not be forgotten");
        }
        if let Err(failure) = chain::sweep(&app).await {
            tracing::warn!(%failure, "the audit trail could not be chained");
        }
        if let Err(failure) = problems::sweep(&app).await {
            tracing::warn!(%failure, "the problem list could not be refreshed");
        }
        if let Err(failure) = deliver::forget_old(&app).await {
            tracing::warn!(%failure, "old deliveries to webhooks could not be forgotten");
        }
    }
}

/// Compares the books with the banks every hour and audits the whole database every `audit_hours`, in one of all
/// processes. It takes its time and keeps no house waiting.
async fn keep_books(app: App) {
    let mut pause = tokio::time::interval(BOOKS_PAUSE);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        if let Err(failure) = problems::differences::sweep_banks(&app).await {
            tracing::warn!(%failure, "the books could not be compared with the banks");
        }
        match problems::differences::sweep(&app).await {
            Ok(Some(done)) => tracing::info!(opened = done.opened, closed = done.closed, "audited"),
            Ok(None) => {}
            Err(failure) => tracing::warn!(%failure, "the books could not be audited"),
        }
    }
}

/// Log lines go to stderr as JSON objects, or as text for people.
pub fn log_to_stderr(settings: &Settings) {
    let filter = tracing_subscriber::EnvFilter::new(&settings.log);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call in one process (tests) keeps the first subscriber.
    let _ = match settings.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
}

/// Ready when the process is told to stop.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt => {}
        () = terminate => {}
    }
}
