//! Endpoints: bank statements come in and are read.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Binary;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::rules::Amount;
use super::{LineView, Report, StatementView};
use crate::app::App;
use crate::http::answers::{self, Done};
use crate::http::imports::{self, RefusedCell};
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::routes::Tag;

/// Statements of bank accounts.
#[derive(Debug)]
pub struct Api(pub App);

/// An amount of any currency.
#[derive(Debug, Object)]
pub struct Money {
    /// A decimal with the places of the currency, such as `-12.50`.
    pub amount: String,
    /// ISO 4217, such as `CNY`.
    pub currency: String,
}

/// A statement of one of the county's bank accounts, in one currency.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct BankStatement {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// `icbc`, `abc`, `bocom`, `cmb`, `alipay`, `generic`; for camt.053 the bank's identifier or name.
    pub bank: String,
    /// `camt.053.001.02`, `camt.053.001.08`, `csv` or `xlsx`.
    pub format: String,
    /// The county's own account, its last four characters; absent when the file does not name it.
    pub account: Option<String>,
    pub currency: String,
    /// The days of its lines.
    pub from_on: NaiveDate,
    pub to_on: NaiveDate,
    /// As the file states it, perhaps in another currency.
    pub opening: Option<Money>,
    pub closing: Option<Money>,
    pub line_count: i64,
    /// What came in, all lines together.
    pub total_in: String,
    /// What went out, above zero.
    pub total_out: String,
    /// Absent when it came in on the command line.
    pub imported_by: Option<Uuid>,
    pub imported_at: DateTime<Utc>,
}

/// A line of a bank statement.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct BankStatementLine {
    pub id: Uuid,
    /// In the file, counted from 1.
    pub position: i64,
    /// Whether an earlier statement had brought it already.
    pub is_repeated: bool,
    /// A decimal, below zero for what went out.
    pub amount: String,
    pub currency: String,
    pub booked_on: NaiveDate,
    pub booked_at: Option<DateTime<Utc>>,
    pub value_on: Option<NaiveDate>,
    /// Who paid what came in, or was paid what went out.
    pub payer_name: Option<String>,
    /// Their account, its last four characters.
    pub payer_account: Option<String>,
    pub remark: String,
    /// The bank's own, not always unique.
    pub bank_reference: Option<String>,
    /// Of the account after the line.
    pub balance: Option<String>,
}

/// Rows of a file that moved no money.
#[derive(Debug, Object)]
pub struct RowsLeftOut {
    /// In the words of the file.
    pub reason: String,
    pub rows: u64,
}

/// What an import of a bank statement did, or would do.
#[derive(Debug, Object)]
pub struct BankStatementImport {
    /// Whether this was a trial that wrote nothing.
    pub is_dry_run: bool,
    /// One per account and currency of the file; when the file was imported before, those of then.
    pub statements: Vec<BankStatement>,
    /// Lines that became, or would become, something new.
    pub created: u64,
    /// Lines that were there already.
    pub existing: u64,
    /// New lines that are payments beyond doubt and were booked at once.
    pub booked: u64,
    pub left_out: Vec<RowsLeftOut>,
    /// What does not add up in the file without making it wrong.
    pub notes: Vec<String>,
    /// All refused cells. When there is one, nothing of the file is imported.
    pub refused: u64,
    /// The first 1,000 refused cells.
    pub cells: Vec<RefusedCell>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payments")]
impl Api {
    /// Import a bank statement
    ///
    /// A file of a bank, for finance of the county: camt.053 (version 2 or 8), or the csv or xlsx export of ICBC, ABC, BOCOM,
    /// CMB, Alipay or of any bank with the usual columns, recognised by its content. All or nothing; a line that
    /// is there already is not added again. At most 20,000,000 bytes and 200,000 lines. `dry_run=true` only says what
    /// would happen; otherwise it needs an `Idempotency-Key`.
    #[oai(path = "/bank_statements", method = "post", operation_id = "import_bank_statement")]
    async fn import_bank_statement(
        &self,
        caller: Signed,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        dry_run: Query<Option<bool>>,
        file: Binary<Vec<u8>>,
    ) -> Answer<Done<BankStatementImport>> {
        let importer = super::importer(&caller)?;
        if dry_run.0.unwrap_or(false) {
            let report = super::preview(&self.0, &importer, file.0).await?;
            return Ok(Done::once(false, shape(report, true)));
        }
        let key = answers::idempotency_key(
            caller.principal_id,
            idempotency_key.0.as_deref(),
            "import_bank_statement",
            &super::digest_of(&file.0),
        )?;
        let done = super::import(&self.0, &importer, &key, file.0).await?;
        if done.value.refused.is_empty() {
            return Ok(Done::once(done.is_replay, shape(done.value, false)));
        }
        Err(imports::refused(done.value.refused))
    }

    /// List bank statements
    ///
    /// Newest first. For finance and auditors of whole counties.
    #[oai(path = "/bank_statements", method = "get", operation_id = "list_bank_statements")]
    async fn list_bank_statements(
        &self,
        caller: Signed,
        request: &poem::Request,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<BankStatement>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let statements = super::list(&self.0, &caller, page).await?;
        Ok(Listed::new(statements.map(BankStatement::from), request.uri()))
    }

    /// List the lines of a bank statement
    ///
    /// In the order of the file, also those that an earlier statement had brought. For finance and auditors of whole
    /// counties.
    #[oai(path = "/bank_statements/:id/lines", method = "get", operation_id = "list_bank_statement_lines")]
    async fn list_bank_statement_lines(
        &self,
        caller: Signed,
        request: &poem::Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<BankStatementLine>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let lines = super::list_lines(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(lines.map(BankStatementLine::from), request.uri()))
    }
}

fn shape(report: Report, is_dry_run: bool) -> BankStatementImport {
    let (refused, cells) = imports::told(report.refused);
    BankStatementImport {
        is_dry_run,
        statements: report.statements.into_iter().map(BankStatement::from).collect(),
        created: report.created,
        existing: report.existing,
        booked: report.booked,
        left_out: left_out(report.left_out),
        notes: report.notes,
        refused,
        cells,
    }
}

fn left_out(rows: BTreeMap<String, u64>) -> Vec<RowsLeftOut> {
    rows.into_iter().map(|(reason, rows)| RowsLeftOut { reason, rows }).collect()
}

impl From<Amount> for Money {
    fn from(amount: Amount) -> Self {
        Self { amount: amount.to_string(), currency: amount.currency.to_string() }
    }
}

impl From<StatementView> for BankStatement {
    fn from(statement: StatementView) -> Self {
        let figures = statement.figures;
        let total = |minor| Amount::new(minor, figures.currency).to_string();
        Self {
            id: statement.id,
            county: statement.county_code,
            account: figures.account_masked,
            currency: figures.currency.to_string(),
            from_on: figures.from_on,
            to_on: figures.to_on,
            opening: figures.opening.map(Money::from),
            closing: figures.closing.map(Money::from),
            line_count: figures.totals.line_count,
            total_in: total(figures.totals.in_minor),
            total_out: total(figures.totals.out_minor),
            bank: figures.bank,
            format: figures.format,
            imported_by: statement.imported_by,
            imported_at: statement.imported_at,
        }
    }
}

impl From<LineView> for BankStatementLine {
    fn from(line: LineView) -> Self {
        Self {
            id: line.id,
            position: line.position,
            is_repeated: line.is_repeated,
            amount: line.amount.to_string(),
            currency: line.amount.currency.to_string(),
            booked_on: line.booked_on,
            booked_at: line.booked_at,
            value_on: line.value_on,
            payer_name: line.payer_name,
            payer_account: line.payer_account_masked,
            remark: line.remark,
            bank_reference: line.bank_reference,
            balance: line.balance.map(|balance| balance.to_string()),
        }
    }
}
