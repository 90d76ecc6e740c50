//! Endpoints: Papers that are issued once and never changed.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Binary, Html, Json, PlainText};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, ResponseContent};
use uuid::Uuid;

use super::content::{
    Content, MonthlyStatement, Movement, PaidLine, PaymentSlip, SettlementStatement, SoldLine,
};
use super::form::{self, Form, Head};
use super::page::{self, Mark};
use super::{Correction, Kind, Month, NewPaper, PaperFilter, PaperView, Subject};
use crate::app::App;
use crate::clock::business_day;
use crate::http::answers::{self, Created};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::{Amount, UnitPrice, Yuan};
use crate::members::access::Signed;
use crate::refusal::{Outcome, Refusal};
use crate::routes::Tag;
use crate::sheet::table;

/// Papers that are issued once and never changed.
#[derive(Debug)]
pub struct Api(pub App);

/// The kinds of papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PaperKind {
    SettlementStatement,
    MonthlyStatement,
    PaymentSlip,
}

/// The forms of a paper. `json` is the frozen content as it was digested: SHA-256 over the number, a line feed and this
/// text is the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PaperFormat {
    Json,
    Xlsx,
    Html,
}

/// What a paper is to be about, and which one it corrects.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PaperToIssue {
    pub kind: PaperKind,
    /// Of a `settlement_statement`.
    pub settlement_id: Option<Uuid>,
    /// Of a `monthly_statement`.
    pub institution_id: Option<Uuid>,
    /// Of a `monthly_statement`, such as `2027-03`; it must be over.
    #[oai(validator(pattern = r"^2[0-9]{3}-(0[1-9]|1[0-2])$"))]
    pub month: Option<String>,
    /// Of a `payment_slip`; it must be paid.
    pub payout_id: Option<Uuid>,
    /// The paper in force about the same, which this one corrects.
    pub replaces_id: Option<Uuid>,
    /// Why; with `replaces_id` only.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub reason: Option<String>,
}

/// A paper. Once issued, its content never changes; see `replaced_by_number` before relying on it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Paper {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    pub kind: PaperKind,
    /// Gap-free per kind, county and year, such as `SS-341823-2027-000012`.
    pub number: String,
    pub settlement_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub month: Option<String>,
    pub payout_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    pub issued_by: Uuid,
    pub issued_at: DateTime<Utc>,
    /// SHA-256 over the number, a line feed and the content as issued.
    pub digest: String,
    /// The paper that this one corrects.
    pub replaces_id: Option<Uuid>,
    pub replaces_number: Option<String>,
    /// Why it corrects it.
    pub reason: Option<String>,
    /// The paper that corrects this one; it is in force instead.
    pub replaced_by_id: Option<Uuid>,
    pub replaced_by_number: Option<String>,
    /// Copies that were printed.
    pub copies: i64,
    /// What it says; only when one paper is asked for.
    pub content: Option<PaperContent>,
}

/// What a paper says: one of the three.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PaperContent {
    pub settlement_statement: Option<SettlementStatementBody>,
    pub monthly_statement: Option<MonthlyStatementBody>,
    pub payment_slip: Option<PaymentSlipBody>,
}

/// What one acceptance makes an institution owe.
#[derive(Debug, Object)]
pub struct SettlementStatementBody {
    pub county_name: String,
    pub institution_name: String,
    pub credit_code: String,
    pub settlement_number: String,
    pub order_number: String,
    pub delivery_number: String,
    pub settled_on: NaiveDate,
    pub due_on: NaiveDate,
    pub lines: Vec<SettlementStatementLine>,
    /// The sum of the lines, which is what the households are owed.
    pub amount: Yuan,
    /// What the institution owes the operator on top.
    pub fee: Yuan,
    /// All that the institution owes.
    pub owed: Yuan,
    /// All that the institution owes, 人民币大写.
    pub amount_in_capitals: String,
}

/// What was accepted of one household's produce.
#[derive(Debug, Object)]
pub struct SettlementStatementLine {
    pub settlement_line_id: Uuid,
    pub village_name: String,
    /// Masked.
    pub household_name: String,
    pub product_name: String,
    pub quantity: Amount,
    pub price: UnitPrice,
    pub amount: Yuan,
}

/// What moved between an institution and the county in a month.
#[derive(Debug, Object)]
pub struct MonthlyStatementBody {
    pub county_name: String,
    pub institution_name: String,
    pub credit_code: String,
    pub first_on: NaiveDate,
    pub last_on: NaiveDate,
    /// What the institution owed before the first day.
    pub opening: Yuan,
    /// What it had paid ahead before the first day.
    pub opening_deposit: Yuan,
    pub movements: Vec<MonthlyMovement>,
    /// What it owed at the end of the last day.
    pub closing: Yuan,
    /// What it had paid ahead at the end of the last day.
    pub closing_deposit: Yuan,
    /// What it owed at the end, 人民币大写.
    pub closing_in_capitals: String,
}

/// One ledger entry as the institution sees it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct MonthlyMovement {
    pub entry_id: Uuid,
    pub occurred_on: NaiveDate,
    /// What happened, such as `acceptance`.
    pub kind: String,
    pub is_reversal: bool,
    /// Of the settlement or payment.
    pub number: Option<String>,
    /// By how much the institution owes more; negative when less.
    pub amount: Yuan,
    /// By how much it has paid ahead more; negative when less.
    pub deposit: Yuan,
}

/// What a household was paid, and for what.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PaymentSlipBody {
    pub county_name: String,
    pub village_name: String,
    /// Masked.
    pub household_name: String,
    /// The last four digits.
    pub account: Option<String>,
    pub batch_number: String,
    pub paid_on: NaiveDate,
    pub lines: Vec<PaymentSlipLine>,
    pub amount: Yuan,
    /// 人民币大写.
    pub amount_in_capitals: String,
}

/// What a payout pays of one settlement line.
#[derive(Debug, Object)]
pub struct PaymentSlipLine {
    pub settlement_line_id: Uuid,
    pub institution_name: String,
    pub order_number: String,
    pub settlement_number: String,
    pub product_name: String,
    pub sold_on: NaiveDate,
    pub quantity: Amount,
    /// What the household is owed for the line in all.
    pub owed: Yuan,
    /// What this payout pays of it.
    pub paid: Yuan,
}

/// The statement of a month: issued, or what it would say now.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StatementOfMonth {
    /// Whether it is issued; a draft still moves and is no voucher.
    pub is_issued: bool,
    /// Of the paper in force.
    pub number: Option<String>,
    pub paper_id: Option<Uuid>,
    pub statement: MonthlyStatementBody,
}

/// A statement in the form that was asked for.
#[derive(ResponseContent)]
pub enum StatementBody {
    Json(Json<StatementOfMonth>),
    #[oai(content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    Xlsx(Binary<Vec<u8>>),
    Html(Html<String>),
}

/// The statement of a month.
#[derive(ApiResponse)]
pub enum StatementAnswer {
    /// As issued, or a draft.
    #[oai(status = 200)]
    Ready(
        StatementBody,
        /// The name of the file, for xlsx.
        #[oai(header = "Content-Disposition")]
        Option<String>,
        /// What the page may do, for html.
        #[oai(header = "Content-Security-Policy")]
        Option<String>,
    ),
}

/// A paper as a file.
#[derive(ResponseContent)]
pub enum PaperFileBody {
    #[oai(content_type = "application/json; charset=utf-8")]
    Json(PlainText<String>),
    #[oai(content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    Xlsx(Binary<Vec<u8>>),
    Html(Html<String>),
}

/// A paper as a file.
#[derive(ApiResponse)]
pub enum PaperFile {
    /// The file; the page is marked as a preview.
    #[oai(status = 200)]
    Ready(
        PaperFileBody,
        /// The name of the file, for json and xlsx.
        #[oai(header = "Content-Disposition")]
        Option<String>,
        /// What the page may do, for html.
        #[oai(header = "Content-Security-Policy")]
        Option<String>,
    ),
}

/// A printed copy.
#[derive(ApiResponse)]
pub enum PrintedCopy {
    /// The page to print; from the second copy on it is marked 补打.
    #[oai(status = 200)]
    Printed(
        Html<String>,
        /// Which copy it is, from 1.
        #[oai(header = "Copy-Number")]
        i64,
        /// What the page may do.
        #[oai(header = "Content-Security-Policy")]
        String,
        /// `true` when this is the copy of an earlier request.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Papers")]
impl Api {
    /// Issue a paper
    ///
    /// For finance of the county: freezes what the paper is about under the next number. About each subject one paper is
    /// in force; to correct it, issue another with `replaces_id` and `reason`. Needs an `Idempotency-Key`.
    #[oai(path = "/papers", method = "post", operation_id = "issue_paper")]
    async fn issue_paper(
        &self,
        caller: Signed,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<PaperToIssue>,
    ) -> Answer<Created<Paper>> {
        let header = idempotency_key.0.as_deref();
        let key = answers::idempotency_key(caller.principal_id, header, "issue_paper", &body.0)?;
        let done = super::issue(&self.0, &caller, &key, parse(body.0)?).await?;
        let location = format!("/v1/papers/{}", done.value.id);
        Ok(Created::once(location, done.is_replay, whole(done.value)?))
    }

    /// List papers
    ///
    /// Newest first, without their content. Institutions see their statements, households and their helpers the slips of
    /// the household, officials of a county all of it, officials below the statements and slips of their region.
    #[oai(path = "/papers", method = "get", operation_id = "list_papers")]
    async fn list_papers(
        &self,
        caller: Signed,
        request: &poem::Request,
        kind: Query<Option<PaperKind>>,
        settlement_id: Query<Option<Uuid>>,
        institution_id: Query<Option<Uuid>>,
        /// Such as `2027-03`.
        #[oai(validator(pattern = r"^2[0-9]{3}-(0[1-9]|1[0-2])$"))]
        month: Query<Option<String>>,
        payout_id: Query<Option<Uuid>>,
        household_id: Query<Option<Uuid>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Paper>> {
        let filter = PaperFilter {
            kind: kind.0.map(Kind::from),
            settlement_id: settlement_id.0,
            institution_id: institution_id.0,
            month: month.0.as_deref().map(|text| month_of(text, "/month")).transpose()?,
            payout_id: payout_id.0,
            household_id: household_id.0,
        };
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let papers = super::list(&self.0, &caller, &filter, page).await?;
        Ok(Listed::new(papers.map(Paper::from), request.uri()))
    }

    /// Get a paper
    ///
    /// With its content as it was issued.
    #[oai(path = "/papers/:id", method = "get", operation_id = "get_paper")]
    async fn get_paper(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<Paper>> {
        Ok(Json(whole(super::find(&self.0, &caller, id.0).await?)?))
    }

    /// Get a paper as a file
    ///
    /// As the frozen text, as a workbook, or as an A4 page marked as a preview (样张). To print it, make a copy at
    /// `POST /v1/papers/{id}/prints`.
    #[oai(path = "/papers/:id/file", method = "get", operation_id = "get_paper_file")]
    async fn get_paper_file(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        format: Query<PaperFormat>,
    ) -> Answer<PaperFile> {
        let paper = super::find(&self.0, &caller, id.0).await?;
        let form = form_of(&paper)?;
        Ok(match format.0 {
            PaperFormat::Json => {
                let text = PlainText(paper.content.unwrap_or_default());
                PaperFile::Ready(PaperFileBody::Json(text), attachment(&form, "json"), None)
            }
            PaperFormat::Xlsx => {
                let body = PaperFileBody::Xlsx(Binary(table::xlsx_within(&form.table, &form.frame())?));
                PaperFile::Ready(body, attachment(&form, "xlsx"), None)
            }
            PaperFormat::Html => {
                let page = self.page(&form, Mark::Preview)?;
                PaperFile::Ready(PaperFileBody::Html(Html(page.html)), None, Some(page.policy))
            }
        })
    }

    /// Print a paper
    ///
    /// Answers an A4 page and counts it as a copy: the first is the original, every later one is marked 补打. For
    /// everybody who sees the paper. Needs an `Idempotency-Key`; the same key answers the same copy.
    #[oai(path = "/papers/:id/prints", method = "post", operation_id = "print_paper")]
    async fn print_paper(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
    ) -> Answer<PrintedCopy> {
        let operation = format!("print_paper:{}", id.0);
        let header = idempotency_key.0.as_deref();
        // There is no body: the path says it all.
        let key = answers::idempotency_key(caller.principal_id, header, &operation, &id.0)?;
        let (paper, copy) = super::print(&self.0, &caller, &key, id.0).await?;
        let page = self.page(&form_of(&paper)?, Mark::Copy(copy.value.copy_no))?;
        let replayed = copy.is_replay.then_some(true);
        Ok(PrintedCopy::Printed(Html(page.html), copy.value.copy_no, page.policy, replayed))
    }

    /// Get the statement of a month
    ///
    /// For the institution and officials: what the institution owed before the month, everything that moved, and what it
    /// owed at its end, as the ledger has it. Where none is issued yet, it is a draft.
    #[oai(
        path = "/institutions/:id/statements/:month",
        method = "get",
        operation_id = "get_monthly_statement",
        tag = "Tag::Settlements"
    )]
    async fn get_monthly_statement(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        /// Such as `2027-03`.
        #[oai(validator(pattern = r"^2[0-9]{3}-(0[1-9]|1[0-2])$"))]
        month: Path<String>,
        format: Query<Option<PaperFormat>>,
    ) -> Answer<StatementAnswer> {
        let view = super::month(&self.0, &caller, id.0, month_of(&month.0, "/month")?).await?;
        let Content::MonthlyStatement(statement) = &view.content else {
            return Err(Refusal::NotFound("statement").into());
        };
        let (form, mark) = match &view.paper {
            Some(paper) => (form_of(paper)?, Mark::Preview),
            None => (form::form(&view.content, None), Mark::Draft),
        };
        Ok(match format.0.unwrap_or(PaperFormat::Json) {
            PaperFormat::Json => {
                let body = StatementOfMonth {
                    is_issued: view.paper.is_some(),
                    number: view.paper.as_ref().map(|paper| paper.number.clone()),
                    paper_id: view.paper.as_ref().map(|paper| paper.id),
                    statement: statement.clone().into(),
                };
                StatementAnswer::Ready(StatementBody::Json(Json(body)), None, None)
            }
            PaperFormat::Xlsx => {
                let body = StatementBody::Xlsx(Binary(table::xlsx_within(&form.table, &form.frame())?));
                StatementAnswer::Ready(body, attachment(&form, "xlsx"), None)
            }
            PaperFormat::Html => {
                let page = self.page(&form, mark)?;
                StatementAnswer::Ready(StatementBody::Html(Html(page.html)), None, Some(page.policy))
            }
        })
    }
}

impl Api {
    fn page(&self, form: &Form, mark: Mark) -> Outcome<page::Page> {
        let nonce = self.0.ids.next(self.0.clock.now()).simple().to_string();
        page::page(form, mark, &nonce)
    }
}

fn attachment(form: &Form, ending: &str) -> Option<String> {
    Some(format!("attachment; filename=\"{}.{ending}\"", form.table.name))
}

fn form_of(paper: &PaperView) -> Outcome<Form> {
    let corrects = paper.replaces.as_ref().map(|older| older.number.clone());
    let head = Head {
        number: paper.number.clone(),
        issued_on: business_day(paper.issued_at),
        digest: paper.digest.clone(),
        corrects: corrects.zip(paper.reason.clone()),
        corrected_by: paper.replaced_by.as_ref().map(|newer| newer.number.clone()),
    };
    Ok(form::form(&paper.facts()?, Some(&head)))
}

fn month_of(text: &str, pointer: &str) -> Result<Month, Refusal> {
    Month::parse(text).ok_or_else(|| Refusal::invalid(pointer, "write a month such as 2027-03"))
}

fn parse(body: PaperToIssue) -> Result<NewPaper, Refusal> {
    let subject = match (body.kind, body.settlement_id, body.institution_id, body.month, body.payout_id) {
        (PaperKind::SettlementStatement, Some(id), None, None, None) => Subject::Settlement(id),
        (PaperKind::MonthlyStatement, None, Some(institution_id), Some(month), None) => {
            Subject::Month { institution_id, month: month_of(&month, "/month")? }
        }
        (PaperKind::PaymentSlip, None, None, None, Some(id)) => Subject::Payout(id),
        (kind, ..) => {
            let wanted = match kind {
                PaperKind::SettlementStatement => "settlement_id",
                PaperKind::MonthlyStatement => "institution_id and month",
                PaperKind::PaymentSlip => "payout_id",
            };
            return Err(Refusal::invalid(
                "/kind",
                format!("a paper of this kind names {wanted}, nothing else"),
            ));
        }
    };
    let correction = match (body.replaces_id, body.reason) {
        (None, None) => None,
        (Some(replaces_id), Some(reason)) => Some(Correction { replaces_id, reason }),
        (Some(_), None) => return Err(Refusal::invalid("/reason", "say why the paper is corrected")),
        (None, Some(_)) => return Err(Refusal::invalid("/reason", "only a correction has a reason")),
    };
    Ok(NewPaper { subject, correction })
}

fn whole(view: PaperView) -> Outcome<Paper> {
    let content = view.facts()?.into();
    Ok(Paper { content: Some(content), ..view.into() })
}

impl From<PaperView> for Paper {
    fn from(view: PaperView) -> Self {
        let (replaces_id, replaces_number) = view.replaces.map(|older| (older.id, older.number)).unzip();
        let (replaced_by_id, replaced_by_number) =
            view.replaced_by.map(|newer| (newer.id, newer.number)).unzip();
        Self {
            id: view.id,
            county: view.county_code,
            kind: view.kind.into(),
            number: view.number,
            settlement_id: view.settlement_id,
            institution_id: view.institution_id,
            month: view.month,
            payout_id: view.payout_id,
            household_id: view.household_id,
            issued_by: view.issued_by,
            issued_at: view.issued_at,
            digest: view.digest,
            replaces_id,
            replaces_number,
            reason: view.reason,
            replaced_by_id,
            replaced_by_number,
            copies: view.copies,
            content: None,
        }
    }
}

impl From<Content> for PaperContent {
    fn from(content: Content) -> Self {
        let none = Self { settlement_statement: None, monthly_statement: None, payment_slip: None };
        match content {
            Content::SettlementStatement(statement) => {
                Self { settlement_statement: Some(statement.into()), ..none }
            }
            Content::MonthlyStatement(statement) => {
                Self { monthly_statement: Some(statement.into()), ..none }
            }
            Content::PaymentSlip(slip) => Self { payment_slip: Some(slip.into()), ..none },
        }
    }
}

impl From<SettlementStatement> for SettlementStatementBody {
    fn from(statement: SettlementStatement) -> Self {
        let owed = statement.owed();
        Self {
            county_name: statement.county,
            institution_name: statement.institution.name,
            credit_code: statement.institution.credit_code,
            settlement_number: statement.settlement_number,
            order_number: statement.order_number,
            delivery_number: statement.delivery_number,
            settled_on: statement.settled_on,
            due_on: statement.due_on,
            fee: Yuan(statement.fee),
            owed: Yuan(owed),
            lines: statement.lines.into_iter().map(SettlementStatementLine::from).collect(),
            amount: Yuan(statement.amount),
            amount_in_capitals: owed.in_capitals(),
        }
    }
}

impl From<SoldLine> for SettlementStatementLine {
    fn from(line: SoldLine) -> Self {
        Self {
            settlement_line_id: line.settlement_line_id,
            village_name: line.village,
            household_name: line.household,
            product_name: line.product,
            quantity: Amount::new(line.quantity_base, line.measure),
            price: line.price.into(),
            amount: Yuan(line.amount),
        }
    }
}

impl From<MonthlyStatement> for MonthlyStatementBody {
    fn from(statement: MonthlyStatement) -> Self {
        Self {
            county_name: statement.county,
            institution_name: statement.institution.name,
            credit_code: statement.institution.credit_code,
            first_on: statement.first_on,
            last_on: statement.last_on,
            opening: Yuan(statement.opening.receivable),
            opening_deposit: Yuan(statement.opening.deposit),
            movements: statement.movements.into_iter().map(MonthlyMovement::from).collect(),
            closing: Yuan(statement.closing.receivable),
            closing_deposit: Yuan(statement.closing.deposit),
            closing_in_capitals: statement.closing.receivable.in_capitals(),
        }
    }
}

impl From<Movement> for MonthlyMovement {
    fn from(movement: Movement) -> Self {
        Self {
            entry_id: movement.entry_id,
            occurred_on: movement.occurred_on,
            kind: movement.kind,
            is_reversal: movement.is_reversal,
            number: movement.number,
            amount: Yuan(movement.receivable),
            deposit: Yuan(movement.deposit),
        }
    }
}

impl From<PaymentSlip> for PaymentSlipBody {
    fn from(slip: PaymentSlip) -> Self {
        Self {
            county_name: slip.county,
            village_name: slip.village,
            household_name: slip.household,
            account: slip.account,
            batch_number: slip.batch_number,
            paid_on: slip.paid_on,
            lines: slip.lines.into_iter().map(PaymentSlipLine::from).collect(),
            amount: Yuan(slip.amount),
            amount_in_capitals: slip.amount.in_capitals(),
        }
    }
}

impl From<PaidLine> for PaymentSlipLine {
    fn from(line: PaidLine) -> Self {
        Self {
            settlement_line_id: line.settlement_line_id,
            institution_name: line.institution,
            order_number: line.order_number,
            settlement_number: line.settlement_number,
            product_name: line.product,
            sold_on: line.sold_on,
            quantity: Amount::new(line.quantity_base, line.measure),
            owed: Yuan(line.owed),
            paid: Yuan(line.paid),
        }
    }
}

impl From<PaperKind> for Kind {
    fn from(kind: PaperKind) -> Self {
        match kind {
            PaperKind::SettlementStatement => Self::SettlementStatement,
            PaperKind::MonthlyStatement => Self::MonthlyStatement,
            PaperKind::PaymentSlip => Self::PaymentSlip,
        }
    }
}

impl From<Kind> for PaperKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::SettlementStatement => Self::SettlementStatement,
            Kind::MonthlyStatement => Self::MonthlyStatement,
            Kind::PaymentSlip => Self::PaymentSlip,
        }
    }
}
