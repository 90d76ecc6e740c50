//! Papers that people need: the statement of a settlement, the statement of a month, the slip of a payout. A paper is
//! issued once, under a number without gaps, and never changed: what was wrong is corrected by a new one that names it,
//! and both stay readable. Printing is counted, so that a second copy says that it is one.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Key, Once};
use crate::members::access::{Caller, Role, Scope};
use crate::members::{households, institutions};
use crate::numbers::{self, Series};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Event};
use crate::webhooks::{self, News};

pub mod api;
pub mod content;
mod facts;
mod form;
pub mod invoice;
mod page;
mod rules;
mod shown;
mod store;

pub use content::Content;
pub use rules::{Kind, Month, Subject, digest};

/// A paper that is to be issued.
#[derive(Clone, Debug)]
pub struct NewPaper {
    pub subject: Subject,
    pub correction: Option<Correction>,
}

/// Which paper a new one corrects, and why.
#[derive(Clone, Debug)]
pub struct Correction {
    pub replaces_id: Uuid,
    pub reason: String,
}

/// A paper, with its content where one is asked for.
#[derive(Clone, Debug)]
pub struct PaperView {
    pub id: Uuid,
    pub county_code: String,
    pub kind: Kind,
    pub number: String,
    pub settlement_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub month: Option<String>,
    pub payout_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    /// The text that was digested.
    pub content: Option<String>,
    pub digest: String,
    pub issued_by: Uuid,
    pub issued_at: DateTime<Utc>,
    /// Why it corrects the older one.
    pub reason: Option<String>,
    pub replaces: Option<Replacement>,
    pub replaced_by: Option<Replacement>,
    pub copies: i64,
}

/// The other paper of a correction.
#[derive(Clone, Debug)]
pub struct Replacement {
    pub id: Uuid,
    pub number: String,
}

/// Which papers are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct PaperFilter {
    pub kind: Option<Kind>,
    pub settlement_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub month: Option<Month>,
    pub payout_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
}

/// The papers that exist for a caller: a condition over `paper p`, and its values from `$1` on.
#[derive(Clone, Debug)]
struct Sight {
    condition: String,
    values: Vec<Value>,
}

/// The statement of a month: as it was issued, or what it would say now.
#[derive(Debug)]
pub struct MonthView {
    pub paper: Option<PaperView>,
    pub content: Content,
}

/// A copy of a paper that was printed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PrintView {
    /// From 1; every copy from the second on says that it is one (补打).
    pub copy_no: i64,
    pub printed_at: DateTime<Utc>,
}

impl Kind {
    const fn series(self) -> Series {
        match self {
            Self::SettlementStatement => Series::SettlementStatement,
            Self::MonthlyStatement => Series::MonthlyStatement,
            Self::PaymentSlip => Series::PaymentSlip,
        }
    }
}

impl PaperView {
    /// The facts it froze.
    pub fn facts(&self) -> Outcome<Content> {
        let text = self.content.as_deref().unwrap_or_default();
        Content::read(text).map_err(|error| Failure::Broken(format!("paper {}: {error}", self.number)))
    }
}

/// Issues a paper: its facts are frozen, numbered and digested in one transaction.
///
/// Refused when a paper about the same is in force and is not the one that is corrected, when the month is not over, and
/// when the payout was not paid.
pub async fn issue(app: &App, caller: &Caller, key: &Key, new: NewPaper) -> Outcome<Once<PaperView>> {
    caller.allow(&[Role::Finance])?;
    let counties = caller.region()?.counties();
    let today = app.clock.today();
    new.subject.check(today)?;
    let issued = idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let frozen = facts::freeze(&txn, app, new.subject).await?;
        if !counties.contains(&frozen.county_code) {
            return Err(Refusal::NotFound(subject_noun(new.subject)).into());
        }
        // The number comes first: its counter makes two papers of a kind follow each other.
        let kind = new.subject.kind();
        let number = numbers::next_of_paper(&txn, kind.series(), &frozen.county_code, today).await?;
        let current = store::current(&txn, new.subject).await?;
        rules::check_correction(current.as_ref(), new.correction.as_ref().map(|one| one.replaces_id))?;
        if !frozen.content.adds_up() {
            return Err(Failure::Broken(format!("the lines of {number} do not sum to its total")));
        }
        let content = frozen.content.write().map_err(|error| Failure::Broken(error.to_string()))?;
        let digest = digest(&number, &content);
        let id = app.ids.next(now);
        let row = store::NewRow {
            id,
            county_code: &frozen.county_code,
            subject: new.subject,
            number: &number,
            institution_id: frozen.institution_id,
            household_id: frozen.household_id,
            content: &content,
            digest: &digest,
            issued_by: caller.principal_id,
            issued_at: now,
            replaces_id: new.correction.as_ref().map(|one| one.replaces_id),
            reason: new.correction.as_ref().map(|one| one.reason.as_str()),
        };
        store::insert(&txn, &row).await?;
        trail::record(&txn, &app.ids, now, &caller.actor(), vec![issued_event(&row)]).await?;
        let told = frozen.institution_id.map(|institution_id| News {
            event: webhooks::Event::PaperIssued,
            institution_id,
            subject_id: id,
            number: number.clone(),
        });
        webhooks::announce(&txn, app, told.as_slice()).await?;
        // Its id alone: contents are long, and never change.
        idempotency::commit(txn, key, now, id).await
    })
    .await?;
    let found = store::find(app.db.reader(), &everything(), issued.value).await?;
    let value = found.ok_or_else(|| Failure::Broken(format!("paper {} is not there", issued.value)))?;
    Ok(Once { value, is_replay: issued.is_replay })
}

/// The papers the caller sees, newest first, without their content.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &PaperFilter,
    request: PageRequest,
) -> Outcome<Page<PaperView>> {
    let rows = store::list(app.db.reader(), &sight_of(app, caller)?, filter, request).await?;
    Ok(Page::cut(rows, request, |paper| paper.id))
}

/// A paper with its content.
pub async fn find(app: &App, caller: &Caller, id: Uuid) -> Outcome<PaperView> {
    let found = store::find(app.db.reader(), &sight_of(app, caller)?, id).await?;
    Ok(found.ok_or(Refusal::NotFound("paper"))?)
}

/// The statement of an institution's month that is in force; where none is issued yet, what it would say now.
pub async fn month(app: &App, caller: &Caller, institution_id: Uuid, month: Month) -> Outcome<MonthView> {
    caller.allow(&[Role::Buyer, Role::Approver, Role::Officer, Role::Finance, Role::Auditor])?;
    let reader = app.db.reader();
    institutions::visible(reader, &caller.scope, institution_id).await?;
    if month.first_on > app.clock.today() {
        return Err(Refusal::NotFound("statement").into());
    }
    if let Some(current) = store::current(reader, Subject::Month { institution_id, month }).await? {
        let found = store::find(reader, &everything(), current.id).await?;
        let paper = found.ok_or(Refusal::NotFound("paper"))?;
        return Ok(MonthView { content: paper.facts()?, paper: Some(paper) });
    }
    let frozen = facts::statement(reader, institution_id, month).await?;
    Ok(MonthView { paper: None, content: frozen.content })
}

/// Prints a copy of a paper, for anybody who sees it. The same key answers the same copy.
pub async fn print(app: &App, caller: &Caller, key: &Key, id: Uuid) -> Outcome<(PaperView, Once<PrintView>)> {
    let paper = find(app, caller, id).await?;
    let copy = idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let copies = store::copies_under_lock(&txn, id).await?;
        let print = store::NewPrint {
            id: app.ids.next(now),
            paper_id: id,
            copy_no: copies.saturating_add(1),
            printed_by: caller.principal_id,
            printed_at: now,
        };
        store::insert_print(&txn, &print).await?;
        trail::record(&txn, &app.ids, now, &caller.actor(), vec![printed_event(&paper, &print)]).await?;
        let copy = PrintView { copy_no: print.copy_no, printed_at: now };
        idempotency::commit(txn, key, now, copy).await
    })
    .await?;
    Ok((paper, copy))
}

/// Officials of a county see its papers. Below a county nobody sees a settlement's, as it holds households of elsewhere,
/// but the statements of the institutions there and the slips of the households there.
fn sight_of(app: &App, caller: &Caller) -> Result<Sight, Refusal> {
    if caller.role.is_administration() {
        return Err(Refusal::NotAllowed);
    }
    let slips = || {
        let today = app.clock.today();
        let (condition, values) = households::scope_condition(&caller.scope, "household", today, 1);
        (format!("p.household_id in (select household.id from household where {condition})"), values)
    };
    let (condition, values) = match &caller.scope {
        Scope::Institution(id) => ("p.institution_id = $1".to_owned(), vec![(*id).into()]),
        Scope::Household(_) | Scope::Helper(_) => slips(),
        Scope::Region(region) if region.counties().is_empty() => {
            let (slips, values) = slips();
            let months = "p.month is not null and p.institution_id in
                (select id from institution where region_code >= $1 and region_code < $2)";
            (format!("({slips} or {months})"), values)
        }
        Scope::Region(region) => {
            let counties = region.counties();
            let condition = "p.county_code >= $1 and p.county_code < $2".to_owned();
            (condition, vec![counties.from.into(), counties.before.into()])
        }
    };
    Ok(Sight { condition, values })
}

/// For a paper that the caller was found to see already.
fn everything() -> Sight {
    Sight { condition: "true".to_owned(), values: Vec::new() }
}

const fn subject_noun(subject: Subject) -> &'static str {
    match subject {
        Subject::Settlement(_) => "settlement",
        Subject::Month { .. } => "institution",
        Subject::Payout(_) => "payout",
    }
}

fn issued_event(row: &store::NewRow<'_>) -> Event {
    Event {
        county_code: Some(row.county_code.to_owned()),
        household_id: row.household_id,
        action: "issue_paper",
        subject_kind: "paper",
        subject_id: row.id,
        before: None,
        after: Some(json!({
            "number": row.number, "kind": row.subject.kind().as_str(), "digest": row.digest,
            "replaces_id": row.replaces_id, "reason": row.reason,
        })),
    }
}

fn printed_event(paper: &PaperView, print: &store::NewPrint) -> Event {
    Event {
        county_code: Some(paper.county_code.clone()),
        household_id: paper.household_id,
        action: "print_paper",
        subject_kind: "paper_print",
        subject_id: print.id,
        before: None,
        after: Some(json!({ "paper_id": paper.id, "number": paper.number, "copy_no": print.copy_no })),
    }
}
