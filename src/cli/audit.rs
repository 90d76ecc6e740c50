//! `zhuxiao audit`: recomputes every invariant from the rows and names each row that differs. Reads only, also on a
//! database that is being served; with `--raise` what it found becomes problems, and nothing else changes.

use std::io::IsTerminal;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::serve::log_to_stderr;
use super::{Common, Ended, migrate, say};
use crate::app::App;
use crate::audit::{self, FINDINGS_PER_CHECK_MAX, Finding, Head, Verdict};
use crate::clock::{self, Clock};
use crate::db::Db;
use crate::id::Ids;
use crate::problems::{self, Refreshed};
use crate::settings::Settings;

/// Checks run one after another, so more readers than one would idle.
const CONNECTIONS: u32 = 1;

/// Flags of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only what was touched since then: a day in Shanghai such as 2027-03-01, or 2027-03-01T08:00:00+08:00
    #[arg(long, value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// A head of the audit trail that an earlier audit told and that was kept elsewhere: finds a trail that was cut or
    /// written anew
    #[arg(long, value_name = "NUMBER:DIGEST")]
    head: Option<Head>,
    /// Put every difference on the problem list; without --since, also close the problems of those that are gone
    #[arg(long)]
    raise: bool,
}

/// A day begins at midnight in Shanghai.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return clock::day_start(day).ok_or_else(|| "this day is beyond the calendar".to_owned());
    }
    let read = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    read.map_err(|_| {
        "write a day such as 2027-03-01, or a moment such as 2027-03-01T08:00:00+08:00".to_owned()
    })
}

/// Audits the database of the settings: nothing differs is exit 0, anything else exit 3.
pub async fn run(common: &Common, args: &AuditArgs) -> Result<(), Ended> {
    let settings = common.settings(Vec::new())?;
    if settings.log != Settings::default().log {
        log_to_stderr(&settings);
    }
    let db = open(&settings.database_url).await?;
    let bar = progress_bar();
    let mut verdict = audit::verify_with(db.reader(), args.since, |done, all| {
        bar.set_length(u64::try_from(all).unwrap_or(0));
        bar.set_position(u64::try_from(done).unwrap_or(0));
    })
    .await?;
    if let Some(kept) = &args.head {
        audit::compare_head(db.reader(), kept, &mut verdict).await?;
    }
    bar.finish_and_clear();
    tell(common, &verdict)?;
    if args.raise {
        db.close().await?;
        let app = App::open(settings, Clock::System, Ids::default()).await?;
        let done = problems::differences::take(&app, &verdict, args.since.is_none()).await?;
        tell_raised(done);
    }
    conclude(&verdict)
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn tell_raised(done: Refreshed) {
    eprintln!("zhuxiao: {} raised as problems, {} closed", done.opened, done.closed);
}

/// A missing file is an error, not a new and therefore clean database.
pub async fn open(database_url: &str) -> Result<Db, Ended> {
    if let Some(path) = migrate::sqlite_path(database_url)
        && !tokio::fs::try_exists(path).await?
    {
        return Err(Ended::Failed(format!("there is no database at {path}")));
    }
    let db = Db::open(database_url, CONNECTIONS).await?;
    if db.is_current().await? {
        Ok(db)
    } else {
        Err(Ended::NotAllowed("the schema is not current: run `zhuxiao migrate` first".to_owned()))
    }
}

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} checks {elapsed}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn tell(common: &Common, verdict: &Verdict) -> Result<(), Ended> {
    if common.is_json() {
        let text = serde_json::to_string(verdict).map_err(|error| Ended::Failed(error.to_string()))?;
        say(&text);
    } else {
        verdict.findings.iter().for_each(|finding| say(&line(finding)));
    }
    Ok(())
}

/// `invariant, table, row, column, stored, recomputed, what`.
fn line(finding: &Finding) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    format!(
        "invariant {}, {}, {}, {}, stored {}, recomputed {}, {}",
        finding.invariant,
        finding.table,
        finding.row_id,
        finding.column,
        shown(&finding.stored),
        shown(&finding.recomputed),
        finding.what
    )
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn conclude(verdict: &Verdict) -> Result<(), Ended> {
    for what in &verdict.cut {
        eprintln!("zhuxiao: more than {FINDINGS_PER_CHECK_MAX} rows differ, the rest is not listed: {what}");
    }
    if let Some(head) = &verdict.head {
        eprintln!("zhuxiao: the audit trail is chained up to {head}");
    }
    if verdict.findings.is_empty() {
        eprintln!("zhuxiao: {} checks, nothing differs", verdict.checks);
        return Ok(());
    }
    let (count, plural) = (verdict.findings.len(), if verdict.findings.len() == 1 { "" } else { "s" });
    Err(Ended::Differs(format!("{} checks, {count} difference{plural}", verdict.checks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            invariant: 1,
            table: "lot",
            row_id: "018f".to_owned(),
            column: "held_base",
            stored: Some("501".to_owned()),
            recomputed: None,
            what: "sums agree",
        }
    }

    #[test]
    fn a_finding_is_one_line_that_names_invariant_table_and_row() {
        let told = line(&finding());
        assert_eq!(told, "invariant 1, lot, 018f, held_base, stored 501, recomputed nothing, sums agree");
    }

    #[test]
    fn a_day_begins_at_midnight_in_shanghai_and_anything_but_a_moment_is_refused() {
        assert_eq!(moment("2027-03-01").unwrap().to_rfc3339(), "2027-02-28T16:00:00+00:00");
        assert_eq!(moment("2027-03-01T08:00:00+08:00").unwrap().to_rfc3339(), "2027-03-01T00:00:00+00:00");
        assert!(moment("yesterday").is_err() && moment("2027-03-01T08:00:00").is_err());
    }

    #[test]
    fn one_difference_ends_the_command_as_differing() {
        let verdict = Verdict { findings: vec![finding()], checks: 1, ..Verdict::default() };
        assert!(matches!(conclude(&verdict), Err(Ended::Differs(_))));
        assert!(conclude(&Verdict::default()).is_ok());
    }
}
