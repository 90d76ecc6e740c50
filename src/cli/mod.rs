//! The command line. stdout is data, stderr is messages; exit 0 done, 1 failed, 2 input refused, 3 audit found a
//! difference, 4 not allowed in this state.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::refusal::{Failure, Refusal};
use crate::settings::{SettingError, Settings};

mod admin;
mod audit;
pub mod demo;
pub mod import;
mod keys;
mod ledger;
pub mod metrics;
pub mod migrate;
pub mod openapi;
mod scan;
pub mod serve;

/// Zhuxiao 助销: the backend of a consumption-aid marketplace.
#[derive(Debug, Parser)]
#[command(name = "zhuxiao", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Settings that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Database: `sqlite://data/zhuxiao.db?mode=rwc` or `postgres://host/name`
    #[arg(long, global = true)]
    database_url: Option<String>,
    /// Settings file [default: zhuxiao.toml, if it exists]
    #[arg(long, global = true)]
    config: Option<String>,
    /// Log filter, such as info or zhuxiao=debug
    #[arg(long, global = true)]
    log: Option<String>,
    /// Answer as JSON on stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve(serve::ServeArgs),
    /// Apply the missing schema changes
    Migrate,
    /// Bring a table of regions, households or lots in, or a bank statement
    Import(import::ImportArgs),
    /// Recompute every invariant from the rows and name each row that differs
    Audit(audit::AuditArgs),
    /// Search the database, logs and exports for identity numbers, phones and cards in the clear
    Scan(scan::ScanArgs),
    /// Fill an empty database with a made-up year of a county, and serve it
    Demo(demo::DemoArgs),
    /// Write the contract (OpenAPI) to stdout
    Openapi,
    /// List, add and rotate the keys that seal personal data
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Write the ledger for programs that check it
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Make people who sign in
    #[command(subcommand)]
    Admin(admin::AdminCommand),
}

/// How a command ended, other than well.
#[derive(Debug)]
pub enum Ended {
    /// Exit 1.
    Failed(String),
    /// Exit 2.
    Refused(String),
    /// Exit 3.
    Differs(String),
    /// Exit 4.
    NotAllowed(String),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal @ (Refusal::WrongState { .. } | Refusal::NotAllowed)) => {
                Self::NotAllowed(told(&refusal))
            }
            Failure::Refused(refusal) => Self::Refused(told(&refusal)),
            Failure::Database(_) | Failure::LostRace | Failure::Broken(_) => {
                Self::Failed(failure.to_string())
            }
        }
    }
}

impl From<SettingError> for Ended {
    fn from(error: SettingError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<crate::app::StartError> for Ended {
    fn from(error: crate::app::StartError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<sea_orm::DbErr> for Ended {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Failed(format!("database: {error}"))
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A refusal as the API would tell it, in one line.
#[must_use]
pub fn told(refusal: &Refusal) -> String {
    let body = crate::http::problem::Problem::from(refusal.clone()).into_body();
    match body.pointer {
        Some(pointer) => format!("{}: {}", pointer.trim_start_matches('/'), body.detail),
        None => body.detail,
    }
}

impl Common {
    /// The settings, with the flags of this command over them.
    pub fn settings(&self, more: Vec<(&'static str, String)>) -> Result<Settings, SettingError> {
        let mut flags = more;
        flags.extend(self.database_url.clone().map(|url| ("database_url", url)));
        flags.extend(self.log.clone().map(|log| ("log", log)));
        Settings::load(self.config.as_deref(), flags)
    }

    /// Whether stdout is read by a program.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }
}

/// Runs the command of this process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Err(Ended::Failed(error.to_string()))),
    };
    end(&runtime.block_on(run_command(&cli.common, cli.command)))
}

async fn run_command(common: &Common, command: Command) -> Result<(), Ended> {
    match command {
        Command::Serve(args) => serve::run(common, &args).await,
        Command::Migrate => migrate::run(common).await,
        Command::Demo(args) => demo::run(common, &args).await,
        Command::Audit(args) => audit::run(common, &args).await,
        Command::Import(args) => import::run(common, &args).await,
        Command::Openapi => openapi::run().await,
        Command::Scan(args) => scan::run(common, args).await,
        Command::Keys(command) => keys::run(common, command).await,
        Command::Ledger(command) => ledger::run(common, command).await,
        Command::Admin(command) => admin::run(common, command).await,
    }
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn end(result: &Result<(), Ended>) -> ExitCode {
    let (code, message) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Ended::Failed(message)) => (1, message),
        Err(Ended::Refused(message)) => (2, message),
        Err(Ended::Differs(message)) => (3, message),
        Err(Ended::NotAllowed(message)) => (4, message),
    };
    eprintln!("zhuxiao: {message}");
    ExitCode::from(code)
}

/// Writes one line of data to stdout; a closed pipe is the reader's choice and no failure.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
