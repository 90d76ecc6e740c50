//! `zhuxiao import`: brings tables in. All of a file or nothing: when a cell is refused nothing is written, the refused
//! cells go to stdout and the exit code is 2. The same file twice brings nothing new.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::AsyncReadExt;

use super::{Common, Ended, say};
use crate::app::App;
use crate::clock::Clock;
use crate::id::Ids;
use crate::lots::{self, LotImport};
use crate::members::access::RegionScope;
use crate::members::households::{self, HouseholdImport};
use crate::regions::{self, RegionImport};
use crate::sheet::{BadCell, Column, ImportReport, Limits, Table, report_csv};
use crate::trail::Actor;

mod statement;

/// Flags of `import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// What the table holds
    #[arg(value_enum)]
    pub kind: Kind,
    /// A csv or xlsx file; for a bank statement also camt.053
    pub file: PathBuf,
    /// Only rows of this region are accepted, such as 341823; for a bank statement the county whose account it is.
    /// Regions, and trials of bank statements, may do without
    #[arg(long, required_if_eq_any([("kind", "households"), ("kind", "lots")]))]
    pub region: Option<String>,
    /// Regions: the first day on which the codes are valid [default: today]
    #[arg(long)]
    pub valid_from: Option<NaiveDate>,
    /// Try only: say what would happen, write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Regions,
    Households,
    Lots,
    /// Of a bank account
    Statement,
}

/// Imports a file into the database of the settings.
pub async fn run(common: &Common, args: &ImportArgs) -> Result<(), Ended> {
    let report = match args.kind {
        Kind::Statement => return statement::run(common, args).await,
        Kind::Regions => import_regions(&open(common).await?, args).await?,
        Kind::Households => import_households(&open(common).await?, args).await?,
        Kind::Lots => import_lots(&open(common).await?, args).await?,
    };
    tell(&report, args, common.is_json())
}

async fn open(common: &Common) -> Result<App, Ended> {
    let settings = common.settings(Vec::new())?;
    super::migrate::prepare(&settings.database_url).await?;
    Ok(App::open(settings, Clock::System, Ids::default()).await?)
}

async fn import_regions(app: &App, args: &ImportArgs) -> Result<ImportReport, Ended> {
    let table = read_table(&args.file, &regions::COLUMNS).await?;
    let within = args.region.as_deref().map(scope).transpose()?;
    let valid_from = args.valid_from.unwrap_or_else(|| app.clock.today());
    let how = RegionImport { within, valid_from, is_dry_run: args.dry_run };
    Ok(regions::import(app, &actor(), &table, &how).await?)
}

async fn import_households(app: &App, args: &ImportArgs) -> Result<ImportReport, Ended> {
    let table = read_table(&args.file, &households::COLUMNS).await?;
    let how = HouseholdImport { within: required_scope(args)?, is_dry_run: args.dry_run };
    let bar = progress(table.rows.len());
    let report = households::import(app, &actor(), &table, &how, &|rows| bar.inc(count(rows))).await?;
    bar.finish_and_clear();
    Ok(report)
}

async fn import_lots(app: &App, args: &ImportArgs) -> Result<ImportReport, Ended> {
    let within = required_scope(args)?;
    let county_code = county(&within, "--region: lots are imported for one county, or a region in it")?;
    let how = LotImport { county_code, within, is_dry_run: args.dry_run };
    Ok(lots::import(app, &actor(), read(&args.file).await?, &how).await?)
}

fn actor() -> Actor {
    Actor::service("command_line")
}

/// Reads a file of at most the size that tables may have.
async fn read(path: &Path) -> Result<Vec<u8>, Ended> {
    let most = count(Limits::default().bytes).saturating_add(1);
    let mut bytes = Vec::new();
    let file =
        tokio::fs::File::open(path).await.map_err(|error| refused(format!("{}: {error}", path.display())))?;
    file.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn read_table(path: &Path, columns: &'static [Column]) -> Result<Table, Ended> {
    Ok(Table::read_beside(read(path).await?, columns).await?)
}

fn required_scope(args: &ImportArgs) -> Result<RegionScope, Ended> {
    scope(args.region.as_deref().ok_or_else(|| refused("say --region"))?)
}

fn scope(region: &str) -> Result<RegionScope, Ended> {
    let code = regions::normalise(region).ok_or_else(|| refused("--region: write 2 to 12 digits"))?;
    Ok(RegionScope::of(&code))
}

/// The six digits of the county that a region is, or lies in.
fn county(within: &RegionScope, otherwise: &str) -> Result<String, Ended> {
    let code = regions::county_of(&within.code);
    if code.ends_with("00") { Err(refused(otherwise)) } else { Ok(code) }
}

/// Drawn on a terminal only.
fn progress(rows: usize) -> ProgressBar {
    let bar = ProgressBar::new(count(rows));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn tell(report: &ImportReport, args: &ImportArgs, is_json: bool) -> Result<(), Ended> {
    tell_refused(&report.refused, is_json)?;
    let verb = if args.dry_run { "would be made" } else { "made" };
    eprintln!("{} rows: {} {verb}, {} there already", report.rows, report.created, report.existing);
    Ok(())
}

/// Refused cells go to stdout and end the command.
fn tell_refused(cells: &[BadCell], is_json: bool) -> Result<(), Ended> {
    if cells.is_empty() {
        return Ok(());
    }
    if is_json {
        let lines = cells.iter().filter_map(|cell| serde_json::to_string(cell).ok());
        lines.for_each(|line| say(&line));
    } else {
        say(report_csv(cells).trim_end());
    }
    Err(refused(format!("{} cells were refused; nothing was imported", cells.len())))
}

fn refused(message: impl Into<String>) -> Ended {
    Ended::Refused(message.into())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
