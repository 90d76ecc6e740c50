//! `zhuxiao ledger export`: writes the ledger to stdout for programs that check it. Reads only, also from a database
//! that is being served.

use std::io::Write;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};

use super::{Common, Ended, audit};
use crate::ledger::export::{self, Format, Wanted};
use crate::members::access::{CountyScope, RegionScope};

/// What can be done with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Write all accounts, entries and balances to stdout
    Export(ExportArgs),
}

/// Flags of `ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The program that reads it
    #[arg(long, value_enum)]
    format: FormatName,
    /// A county or a region above counties, such as 341823 [default: all]
    #[arg(long, value_parser = region)]
    county: Option<String>,
    /// The first day; what was before it becomes opening balances
    #[arg(long)]
    from: Option<NaiveDate>,
    /// The last day
    #[arg(long)]
    to: Option<NaiveDate>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Hledger,
    Beancount,
    Csv,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Hledger => Self::Hledger,
            FormatName::Beancount => Self::Beancount,
            FormatName::Csv => Self::Csv,
        }
    }
}

fn region(code: &str) -> Result<String, String> {
    let is_code = (2..=12).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    let is_county = is_code && !RegionScope::of(code).counties().is_empty();
    if is_county { Ok(code.to_owned()) } else { Err("2 to 12 digits of a county or above".to_owned()) }
}

/// Runs a `ledger` command.
pub async fn run(common: &Common, command: LedgerCommand) -> Result<(), Ended> {
    let LedgerCommand::Export(args) = command;
    let settings = common.settings(Vec::new())?;
    let db = audit::open(&settings.database_url).await?;
    let everywhere = CountyScope { from: String::new(), before: ":".to_owned() };
    let counties = args.county.as_deref().map_or(everywhere, |code| RegionScope::of(code).counties());
    let wanted = Wanted { format: args.format.into(), counties, from: args.from, to: args.to };
    let mut pieces = export::export_all(db.reader(), wanted).await?;
    let mut out = std::io::stdout().lock();
    while let Some(piece) = pieces.recv().await {
        // A closed pipe is the reader's choice and no failure.
        if out.write_all(piece?.as_bytes()).is_err() {
            break;
        }
    }
    let _ = out.flush();
    Ok(())
}
