//! What the audit found and what the bank tells otherwise, as problems: one for every row that differs. A whole audit also
//! closes those of differences that it finds no more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::TimeDelta;
use uuid::Uuid;

use super::rules::{self, Case, Rule, State};
use super::{ProblemView, Refreshed, claim, end, open, problem_of, store};
use crate::app::App;
use crate::audit::bank::{self, CountyReconciliation, Item};
use crate::audit::{self, Finding, Verdict};
use crate::members::access::CountyScope;
use crate::money::Fen;
use crate::refusal::Outcome;

/// The name under which a finished whole audit is noted.
const AUDITED: &str = "audited";

/// How often banks are compared besides the audit.
const BANKS_PAUSE: TimeDelta = TimeDelta::hours(1);

/// Problems of one rule raised at a time.
const OPENED_MAX: usize = 10_000;

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

/// Raises what a verdict found and closes what it found no more, and compares the banks' balances anew. Only a whole
/// verdict in which no check was cut short knows that a difference is gone.
pub async fn take(app: &App, verdict: &Verdict, is_whole: bool) -> Outcome<Refreshed> {
    let mut keys = HashSet::new();
    let rows = verdict.findings.iter().filter(|finding| finding.what != audit::BANK_AGREES);
    let rows: Vec<&Finding> = rows.filter(|finding| keys.insert(key_of(finding))).collect();
    let counties = counties_of(app, &rows).await?;
    let problems = rows.into_iter().map(|finding| of_finding(app, finding, &counties)).collect();
    let knows_what_is_gone = is_whole && verdict.cut.is_empty();
    let mut done = bring_up(app, Rule::AuditDifference, problems, knows_what_is_gone).await?;
    done = done.and(refresh_banks(app).await?);
    if is_whole {
        let noted = app.db.write(|| async {
            let txn = app.db.begin().await?;
            store::note_run(&txn, AUDITED, app.clock.now()).await?;
            txn.commit(()).await
        });
        noted.await?;
    }
    Ok(done)
}

/// Compares the books of every county with its bank statements, and brings the problem list up to what differs.
pub async fn refresh_banks(app: &App) -> Outcome<Refreshed> {
    let counties = bank::reconcile(app.db.reader(), &CountyScope::all(), bank::WHENEVER).await?;
    let balances = counties.iter().filter(|county| county.told.difference != Fen::ZERO);
    let balances = balances.map(|county| of_balance(app, county)).collect();
    let mut done = bring_up(app, Rule::BankBalanceDiffers, balances, true).await?;
    let today = app.clock.today();
    let mut lines = Vec::new();
    let mut moves = Vec::new();
    for county in &counties {
        let by = Rule::StatementLineUnmatched.begun_by(today);
        let old = county.told.bank_only.iter().filter(|item| item.day <= by);
        lines.extend(old.map(|item| of_item(app, Rule::StatementLineUnmatched, county, item)));
        // What is younger than the newest statement may stand on the next one.
        let by = Rule::BookedNotAtBank.begun_by(county.as_of);
        let old = county.told.book_only.iter().filter(|item| item.day <= by);
        moves.extend(old.map(|item| of_item(app, Rule::BookedNotAtBank, county, item)));
    }
    done = done.and(bring_up(app, Rule::StatementLineUnmatched, lines, true).await?);
    Ok(done.and(bring_up(app, Rule::BookedNotAtBank, moves, true).await?))
}

/// [`refresh_banks`], when nobody has done it for an hour. Every process asks; one does it.
pub async fn sweep_banks(app: &App) -> Outcome<Option<Refreshed>> {
    if !claim(app, "banks", BANKS_PAUSE).await? {
        return Ok(None);
    }
    refresh_banks(app).await.map(Some)
}

/// Brings the rows of a rule up to the problems that there are now, given in the order in which they are raised; those
/// beyond [`OPENED_MAX`] wait for the next time.
async fn bring_up(
    app: &App,
    rule: Rule,
    mut problems: Vec<ProblemView>,
    knows_what_is_gone: bool,
) -> Outcome<Refreshed> {
    let mut done = Refreshed::default();
    let mut standing = store::standing(app.db.reader(), rule).await?;
    if let Some(until) = rule.word_until(app.clock.now()) {
        let ended = |row: &mut store::Standing| row.closed_at.is_some_and(|at| at <= until);
        let run_out: Vec<store::Gone> =
            standing.extract_if(|_, row| ended(row)).map(|(_, standing)| standing.row).collect();
        done = done.and(close_all(app, &run_out).await?);
    }
    problems.retain(|problem| standing.remove(&problem.case_key).is_none());
    problems.truncate(OPENED_MAX);
    if knows_what_is_gone {
        let gone: Vec<store::Gone> = standing.into_values().map(|standing| standing.row).collect();
        done = done.and(close_all(app, &gone).await?);
    }
    for chunk in problems.chunks(CHUNK) {
        let opened = app.db.write(|| async {
            let txn = app.db.begin().await?;
            let opened = open(&txn, app, chunk).await?;
            txn.commit(opened).await
        });
        done.opened += opened.await?;
    }
    Ok(done)
}

async fn close_all(app: &App, gone: &[store::Gone]) -> Outcome<Refreshed> {
    let mut done = Refreshed::default();
    for chunk in gone.chunks(CHUNK) {
        let closed = app.db.write(|| async {
            let txn = app.db.begin().await?;
            let closed = end(&txn, app, chunk).await?;
            txn.commit(closed).await
        });
        done.closed += closed.await?;
    }
    Ok(done)
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

fn of_finding(app: &App, finding: &Finding, counties: &HashMap<Uuid, String>) -> ProblemView {
    let subject_id = id_of(finding);
    let county = subject_id.and_then(|id| counties.get(&id).cloned());
    let county_code = county.or_else(|| county_of_series(finding)).unwrap_or_else(|| ALL_COUNTIES.to_owned());
    ProblemView {
        case_key: key_of(finding),
        subject_kind: finding.table.to_owned(),
        subject_id,
        detail: detail_of(finding),
        ..of_county(app, Rule::AuditDifference, county_code)
    }
}

/// The key is county and amount: a difference that a person has explained is none again until it is another one.
fn of_balance(app: &App, county: &CountyReconciliation) -> ProblemView {
    let told = &county.told;
    ProblemView {
        case_key: county.difference_key(),
        subject_id: county.newest().map(|account| account.statement_id),
        detail: format!(
            "{}银行存款{}元,账面专户{}元;调节后银行{}元,账面{}元,相差{}元。请查明期初余额、缺少的对账单或重复的分录。",
            county.as_of, told.bank, told.book, told.bank_adjusted, told.book_adjusted, told.difference
        ),
        ..of_county(app, Rule::BankBalanceDiffers, county.county_code.clone())
    }
}

/// Money that stands in the books or at the bank alone.
fn of_item(app: &App, rule: Rule, county: &CountyReconciliation, item: &Item) -> ProblemView {
    let case = Case {
        subject_id: item.id,
        county_code: county.county_code.clone(),
        region_code: format!("{}000000", county.county_code),
        household_id: None,
        institution_id: None,
        began_on: item.day,
        paper: item.told.clone(),
        amount: item.amount,
        remark: item.told.clone(),
    };
    problem_of(app, rule, &case)
}

/// A problem of a whole county that names no case yet.
fn of_county(app: &App, rule: Rule, county_code: String) -> ProblemView {
    let (duty, now) = (rule.duty(), app.clock.now());
    ProblemView {
        id: app.ids.next(now),
        region_code: format!("{county_code}000000"),
        county_code,
        rule,
        case_key: String::new(),
        subject_kind: duty.subject_kind.to_owned(),
        subject_id: None,
        household_id: None,
        institution_id: None,
        title: duty.title.to_owned(),
        detail: String::new(),
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
