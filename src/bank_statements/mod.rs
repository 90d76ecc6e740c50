//! Statements of a county's bank accounts: what came in and went out, as files of banks tell it. A line is stored once,
//! in however many overlapping files it stands, and is never changed.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Key, Once};
use crate::members::access::{Caller, CountyScope, Role};
use crate::members::sealed::{Fingerprint, Sealed};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::sheet::BadCell;
use crate::trail::{self, Actor, Event};

pub mod api;
mod camt;
mod file;
mod layouts;
pub mod matching;
pub mod rules;
mod store;
mod table;
mod xml;

pub use file::{Parsed, read, read_beside};
use rules::{Amount, Currency, Figures, Line, Totals};

/// Who imports, into which county.
#[derive(Clone, Debug)]
pub struct Importer {
    pub actor: Actor,
    /// Six digits; whose accounts they are.
    pub county_code: String,
}

/// A statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatementView {
    pub id: Uuid,
    pub county_code: String,
    pub figures: Figures,
    /// Nobody when it was imported on the command line.
    pub imported_by: Option<Uuid>,
    pub imported_at: DateTime<Utc>,
}

/// A line of a statement.
#[derive(Clone, Debug)]
pub struct LineView {
    pub id: Uuid,
    pub position: i64,
    /// Whether an earlier statement had brought it already.
    pub is_repeated: bool,
    /// Above zero when it came in.
    pub amount: Amount,
    pub booked_on: NaiveDate,
    pub booked_at: Option<DateTime<Utc>>,
    pub value_on: Option<NaiveDate>,
    pub payer_name: Option<String>,
    /// Its last four characters.
    pub payer_account_masked: Option<String>,
    pub remark: String,
    pub bank_reference: Option<String>,
    pub balance: Option<Amount>,
}

/// What an import did, or would do. When something was refused, nothing of the file was imported.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub statements: Vec<StatementView>,
    /// Lines that became, or would become, new ones.
    pub created: u64,
    /// Lines that are there already, from an earlier file.
    pub existing: u64,
    /// New lines that are payments beyond doubt and were booked at once; a trial run books none.
    pub booked: u64,
    /// Rows that moved no money, by the file's own word for why.
    pub left_out: BTreeMap<String, u64>,
    pub notes: Vec<String>,
    #[serde(skip)]
    pub refused: Vec<BadCell>,
}

/// A statement that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewStatement {
    pub view: StatementView,
    pub account_sealed: Option<String>,
    pub account_fingerprint: Option<String>,
    /// SHA-256 of the file.
    pub file_digest: String,
    /// Counted from 1.
    pub file_part: i32,
    pub lines: Vec<NewLine>,
}

/// A line that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewLine {
    pub id: Uuid,
    /// Counted from 1.
    pub position: i64,
    pub line: Line,
    pub payer_account_sealed: Option<String>,
    pub payer_account_fingerprint: Option<String>,
    pub identity: String,
}

/// The digest of a file, in hexadecimal.
#[must_use]
pub fn digest_of(file: &[u8]) -> String {
    hex::encode(Sha256::digest(file))
}

/// Who a caller imports as: finance of a whole county.
pub fn importer(caller: &Caller) -> Result<Importer, Refusal> {
    caller.allow(&[Role::Finance])?;
    let county_code = caller.county()?.to_owned();
    if !caller.region()?.counties().contains(&county_code) {
        return Err(Refusal::NotAllowed);
    }
    Ok(Importer { actor: caller.actor(), county_code })
}

/// What a file holds and how many of its lines would be new. Writes nothing.
pub async fn preview(app: &App, importer: &Importer, file: Vec<u8>) -> Outcome<Report> {
    let (file, parsed) = read_beside(file, app.clock.today()).await?;
    let mut report = Report::of(&parsed);
    if !report.refused.is_empty() {
        return Ok(report);
    }
    let new = prepare(app, importer, &digest_of(&file), parsed)?;
    for statement in &new {
        let known = store::count_known(app.db.reader(), &importer.county_code, &statement.lines).await?;
        report.existing = report.existing.saturating_add(known);
    }
    report.created = count_lines(&new).saturating_sub(report.existing);
    report.statements = new.into_iter().map(|statement| statement.view).collect();
    Ok(report)
}

/// Stores the statements of a file and those of their lines that the county does not have yet, in one transaction. A file
/// in which something is refused changes nothing; its report says what.
pub async fn import(app: &App, importer: &Importer, key: &Key, file: Vec<u8>) -> Outcome<Once<Report>> {
    let (file, parsed) = read_beside(file, app.clock.today()).await?;
    let report = Report::of(&parsed);
    if !report.refused.is_empty() {
        return Ok(Once { value: report, is_replay: false });
    }
    let new = prepare(app, importer, &digest_of(&file), parsed)?;
    idempotency::once(app, key, || async {
        let txn = app.db.begin().await?;
        let report = store_all(&txn, app, importer, &new, report.clone()).await?;
        idempotency::commit(txn, key, app.clock.now(), report).await
    })
    .await
}

/// The same without a key, for the command line: a file that is there already is known by its content.
pub async fn import_unattended(app: &App, importer: &Importer, file: Vec<u8>) -> Outcome<Report> {
    let (file, parsed) = read_beside(file, app.clock.today()).await?;
    let report = Report::of(&parsed);
    if !report.refused.is_empty() {
        return Ok(report);
    }
    let new = prepare(app, importer, &digest_of(&file), parsed)?;
    let written = app.db.write(|| async {
        let txn = app.db.begin().await?;
        let report = store_all(&txn, app, importer, &new, report.clone()).await?;
        txn.commit(report).await
    });
    let report = written.await?;
    app.cache.drop_all().await;
    Ok(report)
}

/// The statements of the caller's counties, newest first.
pub async fn list(app: &App, caller: &Caller, request: PageRequest) -> Outcome<Page<StatementView>> {
    let rows = store::list(app.db.reader(), &readable(caller)?, request).await?;
    let views = rows.into_iter().map(StatementView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |statement| statement.id))
}

/// The lines of a statement in the order of its file, also those that an earlier file had brought.
pub async fn list_lines(
    app: &App,
    caller: &Caller,
    statement_id: Uuid,
    request: PageRequest,
) -> Outcome<Page<LineView>> {
    let reader = app.db.reader();
    let found = store::find(reader, &readable(caller)?, statement_id).await?;
    let statement = found.ok_or(Refusal::NotFound("bank statement"))?;
    let after = match request.before {
        Some(line) => store::position_of(reader, statement.id, line).await?.ok_or(Refusal::CursorExpired)?,
        None => 0,
    };
    let rows = store::list_lines(reader, statement.id, after, request.limit).await?;
    let views = rows.into_iter().map(|row| view_of(app, statement_id, row)).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |line| line.id))
}

/// Whose statements a caller reads: those of whole counties, as accounts of the ledger.
fn readable(caller: &Caller) -> Result<CountyScope, Refusal> {
    caller.allow(&[Role::Finance, Role::Auditor])?;
    Ok(caller.region()?.counties())
}

/// Stores what is new, or answers what the county has when it has the file.
async fn store_all(
    txn: &WriteTxn,
    app: &App,
    importer: &Importer,
    new: &[NewStatement],
    mut report: Report,
) -> Outcome<Report> {
    let now = app.clock.now();
    let mut events = Vec::new();
    for statement in new {
        if !store::insert(txn, statement, now).await? {
            return known(txn, statement, report).await;
        }
        let created = store::insert_lines(txn, statement).await?;
        report.created = report.created.saturating_add(created);
        events.push(event(&statement.view, created));
    }
    trail::record(txn, &app.ids, now, &importer.actor, events).await?;
    let county = &importer.county_code;
    for statement in new {
        let booked = matching::book_exact(txn, app, &importer.actor, county, statement.view.id).await?;
        report.booked = report.booked.saturating_add(booked);
    }
    report.existing = count_lines(new).saturating_sub(report.created);
    report.statements = new.iter().map(|statement| statement.view.clone()).collect();
    Ok(report)
}

/// All parts of a file are stored together, so whoever has one has all.
async fn known(txn: &WriteTxn, statement: &NewStatement, mut report: Report) -> Outcome<Report> {
    let rows = store::find_by_file(txn, &statement.view.county_code, &statement.file_digest).await?;
    report.statements = rows.into_iter().map(StatementView::try_from).collect::<Outcome<Vec<_>>>()?;
    let lines = report.statements.iter().map(|statement| statement.figures.totals.line_count).sum::<i64>();
    report.existing = u64::try_from(lines).unwrap_or(0);
    Ok(report)
}

/// Gives statements and lines their ids, seals accounts and makes identities.
fn prepare(app: &App, importer: &Importer, file_digest: &str, parsed: Parsed) -> Outcome<Vec<NewStatement>> {
    let now = app.clock.now();
    // Lines that are equal in all that a file tells are counted, so that two payments of one minute stay two.
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut new = Vec::with_capacity(parsed.statements.len());
    for (statement, file_part) in parsed.statements.into_iter().zip(1_i32..) {
        let id = app.ids.next(now);
        let figures = statement.figures().ok_or_else(|| Failure::Broken("unchecked totals".to_owned()))?;
        let own = statement.account.as_deref().map(rules::comparable_account);
        let account = own.as_deref().unwrap_or(&statement.bank);
        let mut lines = Vec::with_capacity(statement.lines.len());
        for (line, position) in statement.lines.iter().zip(1_i64..) {
            lines.push(prepare_line(app, line, position, account, statement.currency, &mut seen)?);
        }
        let seal = |text: &str| app.keys.seal(Sealed::StatementAccount, id, text);
        new.push(NewStatement {
            account_sealed: own.as_deref().map(seal).transpose()?,
            account_fingerprint: fingerprint(app, own.as_deref())?,
            file_digest: file_digest.to_owned(),
            file_part,
            lines,
            view: StatementView {
                id,
                county_code: importer.county_code.clone(),
                figures,
                imported_by: importer.actor.principal_id,
                imported_at: now,
            },
        });
    }
    Ok(new)
}

fn prepare_line(
    app: &App,
    line: &Line,
    position: i64,
    account: &str,
    currency: Currency,
    seen: &mut HashMap<String, u32>,
) -> Outcome<NewLine> {
    let id = app.ids.next(app.clock.now());
    let features = line.features(account, currency);
    let features = app.keys.fingerprint(Fingerprint::StatementLine, &features)?;
    let occurrence = seen.entry(features.clone()).or_default();
    *occurrence = occurrence.saturating_add(1);
    let payer = line.payer_account.as_deref();
    Ok(NewLine {
        id,
        position,
        line: line.clone(),
        payer_account_sealed: payer
            .map(|text| app.keys.seal(Sealed::StatementLineAccount, id, text))
            .transpose()?,
        payer_account_fingerprint: fingerprint(app, payer.map(rules::comparable_account).as_deref())?,
        identity: format!("{}{features}/{occurrence}", line.figures()),
    })
}

/// By which an account is found again; nothing for one that the file masks.
fn fingerprint(app: &App, account: Option<&str>) -> Outcome<Option<String>> {
    let whole = account.filter(|account| rules::is_whole_account(account));
    whole.map(|account| app.keys.fingerprint(Fingerprint::BankAccount, account)).transpose()
}

fn view_of(app: &App, read_in: Uuid, row: store::LineRow) -> Outcome<LineView> {
    let currency = currency_of(&row.currency)?;
    let open = |sealed: &String| app.keys.open(Sealed::StatementLineAccount, row.id, sealed);
    let account = row.payer_account.as_ref().map(open).transpose()?;
    Ok(LineView {
        id: row.id,
        position: row.position,
        is_repeated: row.statement_id != read_in,
        amount: Amount::new(row.amount_minor, currency),
        booked_on: row.booked_on,
        booked_at: row.booked_at,
        value_on: row.value_on,
        payer_name: row.payer_name,
        payer_account_masked: account.as_deref().map(rules::masked_account),
        remark: row.remark,
        bank_reference: row.bank_reference,
        balance: row.balance_minor.map(|minor| Amount::new(minor, currency)),
    })
}

impl TryFrom<store::StatementRow> for StatementView {
    type Error = Failure;

    fn try_from(row: store::StatementRow) -> Outcome<Self> {
        let balance = |minor: Option<i64>, currency: Option<String>| -> Outcome<Option<Amount>> {
            let Some((minor, currency)) = minor.zip(currency) else { return Ok(None) };
            Ok(Some(Amount::new(minor, currency_of(&currency)?)))
        };
        Ok(Self {
            id: row.id,
            county_code: row.county_code,
            figures: Figures {
                bank: row.bank,
                format: row.format,
                account_masked: row.account_masked,
                currency: currency_of(&row.currency)?,
                from_on: row.from_on,
                to_on: row.to_on,
                opening: balance(row.opening_minor, row.opening_currency)?,
                closing: balance(row.closing_minor, row.closing_currency)?,
                totals: Totals {
                    line_count: row.line_count,
                    in_minor: row.in_minor,
                    out_minor: row.out_minor,
                },
            },
            imported_by: row.imported_by,
            imported_at: row.imported_at,
        })
    }
}

fn currency_of(code: &str) -> Outcome<Currency> {
    Currency::parse(code).ok_or_else(|| Failure::Broken(format!("unknown currency {code}")))
}

impl Report {
    fn of(parsed: &Parsed) -> Self {
        Self {
            left_out: parsed.left_out.clone(),
            notes: parsed.notes.clone(),
            refused: parsed.refused.clone(),
            ..Self::default()
        }
    }
}

fn count_lines(new: &[NewStatement]) -> u64 {
    new.iter().map(|statement| u64::try_from(statement.lines.len()).unwrap_or(u64::MAX)).sum()
}

fn event(statement: &StatementView, created: u64) -> Event {
    let figures = &statement.figures;
    let after = json!({
        "bank": figures.bank,
        "format": figures.format,
        "currency": figures.currency,
        "from_on": figures.from_on,
        "to_on": figures.to_on,
        "opening_minor": figures.opening.map(|opening| opening.minor),
        "closing_minor": figures.closing.map(|closing| closing.minor),
        "line_count": figures.totals.line_count,
        "in_minor": figures.totals.in_minor,
        "out_minor": figures.totals.out_minor,
        "new_lines": created,
    });
    Event {
        county_code: Some(statement.county_code.clone()),
        household_id: None,
        action: "import_bank_statement",
        subject_kind: "bank_statement",
        subject_id: statement.id,
        before: None,
        after: Some(after),
    }
}
