//! The problem list (问题清单): what does not match, who closes it by when, and how it was closed (销号). Rules find their
//! cases by reading what the other slices wrote; nobody imports this slice, and nothing here changes what it is about.
//!
//! A case has one row as long as it stands. Its problem is closed by the rule once the case is gone, and a case that comes
//! back is a new problem. Persons raise and close problems with evidence.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role};
use crate::members::{households, institutions};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::regions::{self, Level};
use crate::trail::{self, Actor, Event};

pub mod api;
mod cases;
pub mod differences;
mod rules;
mod store;

use rules::Case;
pub use rules::{Owner, Rule, State};

/// Problems of one rule raised, and closed, by one refresh at most; the next takes the others.
const PER_RULE_MAX: u64 = 1_000;

const READERS: [Role; 3] = [Role::Officer, Role::Finance, Role::Auditor];
const OWNERS: [Role; 2] = [Role::Officer, Role::Finance];

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemView {
    pub id: Uuid,
    /// Six digits.
    pub county_code: String,
    /// Twelve digits: whoever is responsible for this region sees it.
    pub region_code: String,
    pub rule: Rule,
    /// Tells cases of one rule apart.
    pub case_key: String,
    /// The table of the row that it is about.
    pub subject_kind: String,
    pub subject_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub title: String,
    pub detail: String,
    pub owner: Owner,
    pub due_on: NaiveDate,
    pub state: State,
    /// Nobody when a rule raised it.
    pub opened_by: Option<Uuid>,
    pub opened_at: DateTime<Utc>,
    pub closing: Option<Closing>,
}

/// How a problem was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Nobody when its rule found its case gone.
    pub by: Option<Uuid>,
    pub at: DateTime<Utc>,
    /// What the person showed for it.
    pub note: Option<String>,
}

/// A problem to be raised by hand.
#[derive(Clone, Debug)]
pub struct NewProblem {
    pub title: String,
    pub detail: String,
    /// Of the household, of the institution or of the caller unless it is given.
    pub region: Option<String>,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub owner: Owner,
    pub due_on: NaiveDate,
}

/// Which problems are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub state: Option<State>,
    pub rule: Option<Rule>,
    pub owner: Option<Owner>,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
}

/// What a refresh did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    pub opened: usize,
    pub closed: usize,
}

impl Refreshed {
    const fn and(self, other: Self) -> Self {
        Self { opened: self.opened + other.opened, closed: self.closed + other.closed }
    }
}

/// The problems of the caller's region, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    request: PageRequest,
) -> Outcome<Page<ProblemView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), caller.region()?, filter, request).await?;
    let views = rows.into_iter().map(ProblemView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |problem| problem.id))
}

/// One problem of the caller's region.
pub async fn find(app: &App, caller: &Caller, id: Uuid) -> Outcome<ProblemView> {
    caller.allow(&READERS)?;
    let found = store::find(app.db.reader(), caller.region()?, id).await?;
    found.ok_or(Refusal::NotFound("problem"))?.try_into()
}

/// Raises a problem by hand, about a household, an institution or a region of the caller.
pub async fn raise(app: &App, caller: &Caller, new: NewProblem) -> Outcome<ProblemView> {
    caller.allow(&OWNERS)?;
    let (now, today) = (app.clock.now(), app.clock.today());
    rules::check_due(new.due_on, today)?;
    let title = rules::written(&new.title, "/title", rules::TITLE_CHARS_MAX)?;
    let detail = rules::written(&new.detail, "/detail", rules::TEXT_CHARS_MAX)?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let region_code = region_of(&txn, caller, &new, today).await?;
            let id = app.ids.next(now);
            let problem = ProblemView {
                id,
                county_code: regions::county_of(&region_code),
                region_code,
                rule: Rule::ByHand,
                case_key: id.to_string(),
                subject_kind: Rule::ByHand.duty().subject_kind.to_owned(),
                subject_id: Some(id),
                household_id: new.household_id,
                institution_id: new.institution_id,
                title: title.clone(),
                detail: detail.clone(),
                owner: new.owner,
                due_on: new.due_on,
                state: State::Open,
                opened_by: Some(caller.principal_id),
                opened_at: now,
                closing: None,
            };
            store::insert(&txn, std::slice::from_ref(&problem), now).await?;
            let events = vec![raised("raise_problem", &problem)];
            trail::record(&txn, &app.ids, now, &caller.actor(), events).await?;
            txn.commit(problem).await
        })
        .await
}

/// Closes a problem with evidence; refused for a difference that the audit found. What a rule found and still finds stays closed as `HandClosing` of the rule says.
pub async fn close(app: &App, caller: &Caller, id: Uuid, note: &str) -> Outcome<ProblemView> {
    caller.allow(&OWNERS)?;
    let region = caller.region()?;
    let note = rules::written(note, "/evidence", rules::TEXT_CHARS_MAX)?;
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let found = store::lock(&txn, region, id).await?.ok_or(Refusal::NotFound("problem"))?;
            let mut problem = ProblemView::try_from(found)?;
            problem.state = problem.state.close(problem.rule)?;
            if !store::close(&txn, id, caller.principal_id, now, &note).await? {
                return Err(Failure::LostRace);
            }
            problem.closing =
                Some(Closing { by: Some(caller.principal_id), at: now, note: Some(note.clone()) });
            let event = closed("close_problem", id, &problem.county_code, problem.household_id, State::Open);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(problem).await
        })
        .await
}

/// Runs every rule with a query once: raises what is new and closes what is gone, at most [`PER_RULE_MAX`] of each per
/// rule. A rule with nothing to change takes no write transaction. What the audit and the banks tell is taken up in
/// [`differences`].
pub async fn refresh(app: &App) -> Outcome<Refreshed> {
    let mut all = Refreshed::default();
    for rule in Rule::ALL {
        all = all.and(refresh_rule(app, rule).await?);
    }
    Ok(all)
}

/// [`refresh`], when nobody has done it for `problem_minutes`. Every process asks; one does it.
pub async fn sweep(app: &App) -> Outcome<Option<Refreshed>> {
    if !claim(app, "rules", TimeDelta::minutes(app.settings.problem_minutes)).await? {
        return Ok(None);
    }
    refresh(app).await.map(Some)
}

/// Whether it is this process's turn to run something that runs every `pause`. The first asking only begins the pause.
async fn claim(app: &App, name: &'static str, pause: TimeDelta) -> Outcome<bool> {
    let now = app.clock.now();
    let last = store::last_run(app.db.reader(), name).await?;
    if last.is_some_and(|last| now - last < pause) {
        return Ok(false);
    }
    let is_first = app.db.write(|| async {
        let txn = app.db.begin().await?;
        let is_first = store::claim_run(&txn, name, last, now).await?;
        txn.commit(is_first).await
    });
    Ok(is_first.await? && last.is_some())
}

async fn refresh_rule(app: &App, rule: Rule) -> Outcome<Refreshed> {
    let (now, today) = (app.clock.now(), app.clock.today());
    let begun_by = rule.begun_by(today);
    let word_until = rule.word_until(now);
    let reader = app.db.reader();
    let is_settled = store::gone(reader, rule, begun_by, word_until, 1).await?.is_empty()
        && store::new_cases(reader, rule, begun_by, 1).await?.is_empty();
    if is_settled {
        return Ok(Refreshed::default());
    }
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let gone = store::gone(&txn, rule, begun_by, word_until, PER_RULE_MAX).await?;
            let closed = end(&txn, app, &gone).await?;
            let cases = store::new_cases(&txn, rule, begun_by, PER_RULE_MAX).await?;
            let problems: Vec<_> = cases.iter().map(|case| problem_of(app, rule, case)).collect();
            let opened = open(&txn, app, &problems).await?;
            txn.commit(Refreshed { opened, closed }).await
        })
        .await
}

/// Adds problems that rules found and that have no row yet; answers how many there were.
async fn open(txn: &WriteTxn, app: &App, problems: &[ProblemView]) -> Outcome<usize> {
    if problems.is_empty() {
        return Ok(0);
    }
    let now = app.clock.now();
    let added = store::insert(txn, problems, now).await?;
    let is_added = |problem: &&ProblemView| added.contains(&problem.id);
    let events = problems.iter().filter(is_added).map(|problem| raised("raise_problem", problem)).collect();
    trail::record(txn, &app.ids, now, &rules_themselves(), events).await?;
    Ok(added.len())
}

/// Ends cases and answers how many problems that closed.
async fn end(txn: &WriteTxn, app: &App, gone: &[store::Gone]) -> Outcome<usize> {
    if gone.is_empty() {
        return Ok(0);
    }
    let now = app.clock.now();
    if usize::try_from(store::end(txn, gone, now).await?).ok() != Some(gone.len()) {
        return Err(Failure::LostRace);
    }
    let mut events = Vec::with_capacity(gone.len());
    for row in gone {
        let state = State::parse(&row.state)
            .ok_or_else(|| Failure::Broken(format!("unknown state of problem {}", row.id)))?;
        events.push(closed("end_problem", row.id, &row.county_code, row.household_id, state));
    }
    trail::record(txn, &app.ids, now, &rules_themselves(), events).await?;
    Ok(gone.iter().filter(|row| row.state == State::Open.as_str()).count())
}

fn rules_themselves() -> Actor {
    Actor::service("rules")
}

fn problem_of(app: &App, rule: Rule, case: &Case) -> ProblemView {
    let duty = rule.duty();
    ProblemView {
        id: app.ids.next(app.clock.now()),
        county_code: case.county_code.clone(),
        region_code: case.region_code.clone(),
        rule,
        case_key: case.subject_id.to_string(),
        subject_kind: duty.subject_kind.to_owned(),
        subject_id: Some(case.subject_id),
        household_id: case.household_id,
        institution_id: case.institution_id,
        title: duty.title.to_owned(),
        detail: rule.detail(case),
        owner: duty.owner,
        due_on: rules::due_on(app.clock.today(), duty.days),
        state: State::Open,
        opened_by: None,
        opened_at: app.clock.now(),
        closing: None,
    }
}

/// Where a problem lies, which must be in the caller's region and in a county.
async fn region_of(txn: &WriteTxn, caller: &Caller, new: &NewProblem, today: NaiveDate) -> Outcome<String> {
    let scope = caller.region()?;
    let mut region = None;
    if let Some(id) = new.institution_id {
        region = Some(institutions::visible(txn, &caller.scope, id).await?.region_code);
    }
    if let Some(id) = new.household_id {
        region = Some(households::visible(txn, &caller.scope, id, today).await?.village_code);
    }
    if let Some(code) = &new.region {
        let named = regions::require(txn, code, today, "/region").await?;
        if !scope.contains(&named.code) || named.level < Level::County {
            return Err(Refusal::invalid("/region", "must be a county, or lower, of your region").into());
        }
        return Ok(named.code);
    }
    let own =
        if scope.counties().is_empty() { scope.code.clone() } else { format!("{}000000", caller.county()?) };
    Ok(region.unwrap_or(own))
}

fn raised(action: &'static str, problem: &ProblemView) -> Event {
    Event {
        county_code: Some(problem.county_code.clone()),
        household_id: problem.household_id,
        action,
        subject_kind: "problem",
        subject_id: problem.id,
        before: None,
        after: Some(json!({
            "state": problem.state.as_str(), "rule": problem.rule.as_str(), "case_key": problem.case_key,
            "due_on": problem.due_on,
        })),
    }
}

fn closed(
    action: &'static str,
    id: Uuid,
    county_code: &str,
    household_id: Option<Uuid>,
    before: State,
) -> Event {
    let told = |state: State| -> Json { json!({ "state": state.as_str() }) };
    Event {
        county_code: Some(county_code.to_owned()),
        household_id,
        action,
        subject_kind: "problem",
        subject_id: id,
        before: Some(told(before)),
        after: Some(told(State::Closed)),
    }
}
