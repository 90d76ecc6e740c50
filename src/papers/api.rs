//! Endpoints: Papers that are issued once and never changed.

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Binary, Html, Json, PlainText};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, ResponseContent};
use uuid::Uuid;

use super::content::Content;
use super::form::{self, Form, Head};
use super::page::{self, Mark};
use super::shown::{MonthlyStatementBody, Paper, PaperKind};
use super::{Correction, Kind, Month, NewPaper, PaperFilter, PaperView, Subject};
use crate::app::App;
use crate::clock::business_day;
use crate::http::answers::{self, Created};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::refusal::{Outcome, Refusal};
use crate::routes::Tag;
use crate::sheet::table;

/// Papers that are issued once and never changed.
#[derive(Debug)]
pub struct Api(pub App);

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
                PaperFile::Ready(PaperFileBody::Json(text), Some(attachment(&form, "json")), None)
            }
            PaperFormat::Xlsx => {
                let body = PaperFileBody::Xlsx(Binary(table::xlsx_within(&form.table, &form.frame())?));
                PaperFile::Ready(body, Some(attachment(&form, "xlsx")), None)
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
                StatementAnswer::Ready(body, Some(attachment(&form, "xlsx")), None)
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

fn attachment(form: &Form, ending: &str) -> String {
    format!("attachment; filename=\"{}.{ending}\"", form.table.name)
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
