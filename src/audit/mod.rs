//! Who wrote what, and whether every account matches every other (账账相符、账实相符). Reads only: nothing here changes a
//! row, not even to repair one.

pub mod bank;
mod checks;
pub mod comparisons;
mod contents;
mod dialect;
mod store;
mod touched;

pub mod api;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde::Serialize;

use crate::app::App;
use crate::db::Reader;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, CountyScope, Role};
use crate::money::Fen;
use crate::refusal::Outcome;
use crate::trail::chain::{self, Break};

pub use crate::trail::chain::Head;
pub use store::{EventFilter, EventRow};

/// Findings of one check at most; one systematic fault should not fill the memory.
pub const FINDINGS_PER_CHECK_MAX: usize = 1_000;

/// A row that is not what the other rows say it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The number of the invariant in the design.
    pub invariant: u8,
    pub table: &'static str,
    /// The row's id; for rows without one, the columns of its key joined by `/`.
    pub row_id: String,
    pub column: &'static str,
    /// As text; nothing when the row or the value is missing.
    pub stored: Option<String>,
    pub recomputed: Option<String>,
    /// The statement that does not hold.
    pub what: &'static str,
}

/// What all checks together found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    pub findings: Vec<Finding>,
    pub checks: usize,
    /// Checks that read everything, also when asked only for what was touched since a moment.
    pub whole_checks: usize,
    /// The newest link of the chain of the audit trail; keep it elsewhere and compare it later.
    pub head: Option<String>,
    /// The statements of which only the first [`FINDINGS_PER_CHECK_MAX`] differing rows are listed.
    pub cut: Vec<&'static str>,
}

/// What a bank's balance must be.
pub const BANK_AGREES: &str =
    "the bank's balance is what escrow holds, but for what stands on one side alone";

/// What the chain of the audit trail must be.
const CHAIN_HOLDS: &str = "the audit trail is as it was chained";

/// Recomputes every invariant that the database can show, and answers the rows that differ.
pub async fn verify(reader: &Reader) -> Outcome<Vec<Finding>> {
    Ok(verify_with(reader, None, |_, _| {}).await?.findings)
}

/// The same, telling `progress` how many of how many checks are done. With `since`, only about what was touched since
/// that moment, which is what the trail has an event about and what was made since; checks that cannot be narrowed (the
/// counters of papers, and the two accounts of a county that hold the sum of everything) read everything still.
pub async fn verify_with(
    reader: &Reader,
    since: Option<DateTime<Utc>>,
    mut progress: impl FnMut(usize, usize),
) -> Outcome<Verdict> {
    let dialect = dialect::Dialect::of(reader.get_database_backend());
    let checks = checks::all(if since.is_some() { dialect.narrowed() } else { dialect });
    let whole_checks = checks.iter().filter(|check| !check.is_narrowed()).count();
    let count = checks.len().saturating_add(contents::CHECKS);
    let mut verdict = Verdict { checks: count, whole_checks, ..Verdict::default() };
    for (done, check) in checks.iter().enumerate() {
        progress(done, count);
        tracing::debug!(table = check.table, what = check.what, "checking");
        let (findings, is_cut) = store::differing_rows(reader, check, since).await?;
        verdict.findings.extend(findings);
        if is_cut {
            verdict.cut.push(check.what);
        }
    }
    progress(checks.len(), count);
    tracing::debug!("checking what papers say");
    let (findings, cut) = contents::differing(reader, since).await?;
    verdict.findings.extend(findings);
    verdict.cut.extend(cut);
    verdict.findings.extend(bank_findings(reader).await?);
    tracing::debug!("checking the chain of the audit trail");
    let breaks = chain::verify(reader, since, FINDINGS_PER_CHECK_MAX).await?;
    if breaks.len() >= FINDINGS_PER_CHECK_MAX {
        verdict.cut.push(CHAIN_HOLDS);
    }
    verdict.findings.extend(breaks.into_iter().map(Finding::from));
    verdict.head = chain::head(reader).await?.map(|head| head.to_string());
    verdict.checks += 2;
    verdict.whole_checks += 1;
    progress(count, count);
    Ok(verdict)
}

/// Adds to a verdict whether the chain of the audit trail still holds a head that was kept elsewhere.
pub async fn compare_head(reader: &Reader, kept: &Head, verdict: &mut Verdict) -> Outcome<()> {
    verdict.findings.extend(chain::compare(reader, kept).await?.map(Finding::from));
    verdict.checks += 1;
    Ok(())
}

impl From<Break> for Finding {
    fn from(of: Break) -> Self {
        Self {
            invariant: 8,
            table: of.table,
            row_id: of.row_id,
            column: of.column,
            stored: of.stored,
            recomputed: of.recomputed,
            what: of.what,
        }
    }
}

/// The counties whose bank tells of another balance than their books, unless somebody explained that very difference.
async fn bank_findings(reader: &Reader) -> Outcome<Vec<Finding>> {
    let mut findings = Vec::new();
    for county in bank::reconcile(reader, &CountyScope::all(), bank::WHENEVER).await? {
        let Some(newest) = county.newest() else { continue };
        if county.told.difference == Fen::ZERO || bank::is_explained(reader, &county).await? {
            continue;
        }
        findings.push(Finding {
            invariant: 5,
            table: "bank_statement",
            row_id: newest.statement_id.to_string(),
            column: "closing_minor",
            stored: Some(county.told.bank_adjusted.get().to_string()),
            recomputed: Some(county.told.book_adjusted.get().to_string()),
            what: BANK_AGREES,
        });
    }
    Ok(findings)
}

/// The trail of the caller's region, newest first. Only auditors read it.
pub async fn list_events(
    app: &App,
    caller: &Caller,
    filter: &EventFilter,
    page: PageRequest,
) -> Outcome<Page<EventRow>> {
    caller.allow(&[Role::Auditor])?;
    let rows = store::list_events(app.db.reader(), caller.region()?, filter, page).await?;
    Ok(Page::cut(rows, page, |row| row.id))
}
