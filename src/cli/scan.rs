//! `zhuxiao scan`: searches the database, logs and exports for personal data in the clear. Nothing found is exit 0,
//! something exit 3. Reads only, and shows no number whole.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;

use super::{Common, Ended, audit, say};
use crate::scan::{self, FINDINGS_MAX, Finding, Findings, Where};

/// Flags of `scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Search these files too: logs, csv, json, xlsx
    #[arg(long, value_name = "PATH", num_args = 1..)]
    file: Vec<PathBuf>,
    /// Search the files alone
    #[arg(long, requires = "file")]
    no_database: bool,
}

/// Searches the database of the settings and the files.
pub async fn run(common: &Common, args: ScanArgs) -> Result<(), Ended> {
    let mut findings = Findings::default();
    let bar = progress();
    if !args.no_database {
        let settings = common.settings(Vec::new())?;
        let db = audit::open(&settings.database_url).await?;
        scan::search_database(db.reader(), &mut findings, |table| bar.set_message(table.to_owned())).await?;
        db.close().await?;
    }
    for file in args.file {
        bar.set_message(file.display().to_string());
        let searched =
            tokio::task::spawn_blocking(move || scan::search_file(&file, &mut findings).map(|()| findings));
        let searched = searched.await.map_err(|error| Ended::Failed(error.to_string()))?;
        findings = searched.map_err(Ended::Failed)?;
    }
    bar.finish_and_clear();
    tell(common, &findings)?;
    conclude(&findings)
}

fn progress() -> ProgressBar {
    if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() }
}

fn tell(common: &Common, findings: &Findings) -> Result<(), Ended> {
    if common.is_json() {
        say(&serde_json::to_string(findings).map_err(|error| Ended::Failed(error.to_string()))?);
    } else {
        findings.findings.iter().for_each(|finding| say(&line(finding)));
    }
    Ok(())
}

/// `lot, grade, 018f…, mobile_phone, 138****5678`.
fn line(finding: &Finding) -> String {
    let place = match &finding.place {
        Where::Column { table, column, row } => format!("{table}, {column}, {row}"),
        Where::Line { file, line } => format!("{file}, line {line}"),
        Where::Part { file, part } => format!("{file}, {part}"),
    };
    format!("{place}, {}, {}", finding.kind, finding.masked)
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn conclude(findings: &Findings) -> Result<(), Ended> {
    let Findings { tables, rows, files, .. } = findings;
    let searched = format!("{tables} tables with {rows} rows and {files} files");
    if findings.is_cut {
        eprintln!("zhuxiao: the search ended behind {FINDINGS_MAX} numbers; there are more");
    }
    if findings.findings.is_empty() {
        eprintln!("zhuxiao: {searched}: nothing in the clear");
        return Ok(());
    }
    Err(Ended::Differs(format!("{searched}: {} numbers in the clear", findings.findings.len())))
}
