//! What the audit found, as problems: one for every row that differs. A whole audit also closes those of differences that
//! it finds no more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::TimeDelta;
use uuid::Uuid;

use super::rules::{self, Rule, State};
use super::{ProblemView, Refreshed, claim, end, open, store};
use crate::app::App;
use crate::audit::{self, Finding, Verdict};
use crate::refusal::Outcome;

/// Problems written by one transaction.
const CHUNK: usize = 1_000;

/// Characters of an id at the beginning of the key of a row.
const ID_CHARS: usize = 36;

/// A row that differs and whose county nobody knows any more is seen by those who see all counties.
const ALL_COUNTIES: &str = "000000";

/// Audits the whole database and brings the problem list up to what it found.
pub async fn refresh(app: &App) -> Outcome<Refreshed> {
    let verdict = audit::verify_with(app.db.reader(), None, |_, _| {}).await?;
    take(app, &verdict, true).await
}

/// [`refresh`], when nobody has done it for `audit_hours`. Every process asks; one does it.
pub async fn sweep(app: &App) -> Outcome<Option<Refreshed>> {
    if !claim(app, "audit", TimeDelta::hours(app.settings.audit_hours)).await? {
        return Ok(None);
    }
    refresh(app).await.map(Some)
}

/// Raises what a verdict found and closes what it found no more. Only a whole one in which no check was cut short knows
/// that a difference is gone.
pub async fn take(app: &App, verdict: &Verdict, is_whole: bool) -> Outcome<Refreshed> {
    let mut keys = HashSet::new();
    let findings: Vec<&Finding> =
        verdict.findings.iter().filter(|finding| keys.insert(key_of(finding))).collect();
    let mut done = Refreshed::default();
    if is_whole && verdict.cut.is_empty() {
        done.closed = close_gone(app, &keys).await?;
    }
    let standing = store::standing_keys(app.db.reader(), Rule::AuditDifference).await?;
    let new: Vec<&Finding> =
        findings.into_iter().filter(|finding| !standing.contains_key(&key_of(finding))).collect();
    let counties = counties_of(app, &new).await?;
    for chunk in new.chunks(CHUNK) {
        done.opened += app
            .db
            .write(|| async {
                let txn = app.db.begin().await?;
                let problems = chunk.iter().map(|finding| problem_of(app, finding, &counties)).collect();
                let opened = open(&txn, app, problems).await?;
                txn.commit(opened).await
            })
            .await?;
    }
    Ok(done)
}

async fn close_gone(app: &App, found: &HashSet<String>) -> Outcome<usize> {
    let mut closed = 0;
    let standing = store::standing_keys(app.db.reader(), Rule::AuditDifference).await?;
    let gone: Vec<store::Gone> =
        standing.into_iter().filter(|(key, _)| !found.contains(key)).map(|(_, row)| row).collect();
    for chunk in gone.chunks(CHUNK) {
        closed += app
            .db
            .write(|| async {
                let txn = app.db.begin().await?;
                let closed = end(&txn, app, chunk).await?;
                txn.commit(closed).await
            })
            .await?;
    }
    Ok(closed)
}

/// The same for every finding about the same value of the same row.
fn key_of(finding: &Finding) -> String {
    format!("{}/{}/{}/{}", finding.table, finding.row_id, finding.column, finding.what)
}

/// The id that the key of a row begins with.
fn id_of(finding: &Finding) -> Option<Uuid> {
    finding.row_id.get(..ID_CHARS)?.parse().ok()
}

/// The counties of the rows that differ, with one statement per table.
async fn counties_of(app: &App, findings: &[&Finding]) -> Outcome<HashMap<Uuid, String>> {
    let mut ids: BTreeMap<&str, BTreeSet<Uuid>> = BTreeMap::new();
    for finding in findings {
        if let Some(id) = id_of(finding) {
            ids.entry(finding.table).or_default().insert(id);
        }
    }
    let mut counties = HashMap::new();
    for (table, ids) in ids {
        counties.extend(store::counties_of(app.db.reader(), table, &ids).await?);
    }
    Ok(counties)
}

fn problem_of(app: &App, finding: &Finding, counties: &HashMap<Uuid, String>) -> ProblemView {
    let duty = Rule::AuditDifference.duty();
    let subject_id = id_of(finding);
    let county = subject_id.and_then(|id| counties.get(&id).cloned());
    let county_code = county.or_else(|| county_of_series(finding)).unwrap_or_else(|| ALL_COUNTIES.to_owned());
    let now = app.clock.now();
    ProblemView {
        id: app.ids.next(now),
        region_code: format!("{county_code}000000"),
        county_code,
        rule: Rule::AuditDifference,
        case_key: key_of(finding),
        subject_kind: finding.table.to_owned(),
        subject_id,
        household_id: None,
        institution_id: None,
        title: duty.title.to_owned(),
        detail: detail_of(finding),
        owner: duty.owner,
        due_on: rules::due_on(app.clock.today(), duty.days),
        state: State::Open,
        opened_by: None,
        opened_at: now,
        closing: None,
    }
}

fn detail_of(finding: &Finding) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "无".to_owned());
    format!(
        "{} {} {}:账上为{},应为{}({})。",
        finding.table,
        finding.row_id,
        finding.column,
        shown(&finding.stored),
        shown(&finding.recomputed),
        finding.what
    )
}

/// A counter is named after its series, such as `ST-341823-2027`.
fn county_of_series(finding: &Finding) -> Option<String> {
    let code = finding.row_id.split('-').nth(1).filter(|_| finding.table == "counter")?;
    (code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit())).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(table: &'static str, row_id: &str) -> Finding {
        Finding {
            invariant: 3,
            table,
            row_id: row_id.to_owned(),
            column: "value",
            stored: Some("1".to_owned()),
            recomputed: None,
            what: "one is nothing",
        }
    }

    #[test]
    fn a_row_is_found_by_the_id_that_its_key_begins_with() {
        let id = Uuid::from_u128(7);
        assert_eq!(id_of(&finding("ledger_posting", &format!("{id}/3"))), Some(id));
        assert_eq!(id_of(&finding("payment", &id.to_string())), Some(id));
        assert_eq!(id_of(&finding("counter", "ST-341823-2027")), None);
    }

    #[test]
    fn a_counter_belongs_to_the_county_it_is_named_after() {
        assert_eq!(county_of_series(&finding("counter", "ST-341823-2027")).as_deref(), Some("341823"));
        assert_eq!(county_of_series(&finding("counter", "nonsense")), None);
        assert_eq!(county_of_series(&finding("payment", "ST-341823-2027")), None);
    }

    #[test]
    fn a_difference_is_told_with_both_figures() {
        let told = detail_of(&finding("counter", "ST-341823-2027"));
        assert_eq!(told, "counter ST-341823-2027 value:账上为1,应为无(one is nothing)。");
    }
}
