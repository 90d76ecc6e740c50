//! Endpoints of reports: one report as JSON, csv or xlsx, and the public progress page.

use chrono::NaiveDate;
use poem_openapi::param::Query;
use poem_openapi::payload::{Binary, Json, PlainText};
use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, ResponseContent};
use uuid::Uuid;

use super::coverage::api::{CoverageGrouping, CoverageReport};
use super::income::Wanted;
use super::income::api::{HouseholdIncome, IncomeReport};
use super::overdue::api::OverdueReport;
use super::progress::api::CountyProgress;
use super::reconciliation::api::ReconciliationReport;
use super::rules::Period;
use super::sales::api::SalesReport;
use super::unsold::api::{UnsoldGrouping, UnsoldReport};
use super::{coverage, income, overdue, progress, reconciliation, sales, unsold};
use crate::app::App;
use crate::http::page::{Listed, Page};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::refusal::Outcome;
use crate::routes::Tag;
use crate::sheet::table::{self, Table};

/// Figures for the bureau.
#[derive(Debug)]
pub struct Api(pub App);

/// The forms of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ReportFormat {
    #[default]
    Json,
    Csv,
    Xlsx,
}

/// A report in the form that was asked for.
#[derive(ResponseContent)]
pub enum ReportBody<T: ToJSON> {
    Json(Json<T>),
    #[oai(content_type = "text/csv; charset=utf-8")]
    Csv(PlainText<String>),
    #[oai(content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    Xlsx(Binary<Vec<u8>>),
}

/// A report.
#[derive(ApiResponse)]
pub enum ReportAnswer<T: ParseFromJSON + ToJSON + Type> {
    /// As it is now, or was at most five minutes ago: see `as_of`.
    #[oai(status = 200)]
    Ready(
        ReportBody<T>,
        /// The name of the file, for csv and xlsx.
        #[oai(header = "Content-Disposition")]
        Option<String>,
        /// `rel="next"` where a report comes in pages, absent on the last one.
        #[oai(header = "Link")]
        Option<String>,
    ),
}

/// A region by name.
#[derive(Debug, Object)]
pub struct NamedRegion {
    /// Twelve digits.
    pub code: String,
    pub name: String,
}

/// A product by name.
#[derive(Debug, Object)]
pub struct NamedProduct {
    pub id: Uuid,
    pub name: String,
}

impl NamedRegion {
    /// A code whose region is gone stands for itself.
    #[must_use]
    pub fn new(code: String, name: Option<String>) -> Self {
        Self { name: name.unwrap_or_else(|| code.clone()), code }
    }
}

impl NamedProduct {
    #[must_use]
    pub fn new(id: Uuid, name: Option<String>) -> Self {
        Self { id, name: name.unwrap_or_default() }
    }
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Reports")]
impl Api {
    /// Report accepted sales
    ///
    /// For officers, finance and auditors in their region. `group_by` takes up to four of village, township, product,
    /// category, institution, `institution_kind`, `household_status` (on the day of the sale), month and day, separated
    /// by commas. At most 10,000 groups and ten years.
    #[oai(path = "/reports/sales", method = "get", operation_id = "report_sales")]
    async fn report_sales(
        &self,
        caller: Signed,
        from: Query<NaiveDate>,
        to: Query<NaiveDate>,
        #[oai(validator(max_length = 200))] group_by: Query<Option<String>>,
        #[oai(validator(pattern = r"^[0-9]{2,12}$"))] region: Query<Option<String>>,
        format: Query<Option<ReportFormat>>,
    ) -> Answer<ReportAnswer<SalesReport>> {
        let period = Period { from: from.0, to: to.0 };
        let asked = sales::Asked { period, group_by: group_by.0, region: region.0 };
        let report = sales::report(&self.0, &caller, asked).await?;
        Ok(shape(format.0, report, sales::api::table)?)
    }

    /// Report coverage
    ///
    /// Of the households with something to sell, how many have sold in the period; how many villages were reached; how
    /// far the survey has come. By village unless another grouping is named.
    #[oai(path = "/reports/coverage", method = "get", operation_id = "report_coverage")]
    async fn report_coverage(
        &self,
        caller: Signed,
        from: Query<NaiveDate>,
        to: Query<NaiveDate>,
        group_by: Query<Option<CoverageGrouping>>,
        #[oai(validator(pattern = r"^[0-9]{2,12}$"))] region: Query<Option<String>>,
        format: Query<Option<ReportFormat>>,
    ) -> Answer<ReportAnswer<CoverageReport>> {
        let period = Period { from: from.0, to: to.0 };
        let grouping = group_by.0.unwrap_or(CoverageGrouping::Village).into();
        let report = coverage::report(&self.0, &caller, period, grouping, region.0.as_deref()).await?;
        Ok(shape(format.0, report, coverage::api::table)?)
    }

    /// Report what is unsold
    ///
    /// What is on sale and neither held, confirmed nor delivered, by product and village (or township), with its value
    /// at the price asked and the days left to its earliest sell-by date. The most urgent first.
    #[oai(path = "/reports/unsold", method = "get", operation_id = "report_unsold")]
    async fn report_unsold(
        &self,
        caller: Signed,
        group_by: Query<Option<UnsoldGrouping>>,
        #[oai(validator(pattern = r"^[0-9]{2,12}$"))] region: Query<Option<String>>,
        format: Query<Option<ReportFormat>>,
    ) -> Answer<ReportAnswer<UnsoldReport>> {
        let grouping = group_by.0.unwrap_or(UnsoldGrouping::Village).into();
        let report = unsold::report(&self.0, &caller, grouping, region.0.as_deref()).await?;
        Ok(shape(format.0, report, unsold::api::table)?)
    }

    /// Report income by household
    ///
    /// What each household earned from accepted sales, the lowest first: those who have earned nothing lead. JSON comes
    /// in pages; csv and xlsx hold all households, at most 50,000. Names are masked for finance and auditors.
    #[oai(path = "/reports/income", method = "get", operation_id = "report_income")]
    async fn report_income(
        &self,
        caller: Signed,
        request: &poem::Request,
        from: Query<NaiveDate>,
        to: Query<NaiveDate>,
        #[oai(validator(pattern = r"^[0-9]{2,12}$"))] region: Query<Option<String>>,
        format: Query<Option<ReportFormat>>,
        limit: Query<Option<u64>>,
        #[oai(validator(max_length = 100))] cursor: Query<Option<String>>,
    ) -> Answer<ReportAnswer<IncomeReport>> {
        let period = Period { from: from.0, to: to.0 };
        let wanted = match format.0.unwrap_or_default() {
            ReportFormat::Json => Wanted::Page { limit: limit.0, cursor: cursor.0.as_deref() },
            ReportFormat::Csv | ReportFormat::Xlsx => Wanted::All,
        };
        let report = income::report(&self.0, &caller, period, region.0.as_deref(), wanted).await?;
        let link = next_link(report.next.clone(), request);
        let ReportAnswer::Ready(body, name, _) = shape(format.0, report, income::api::table)?;
        Ok(ReportAnswer::Ready(body, name, link))
    }

    /// Report what is overdue
    ///
    /// What institutions had not paid at the end of a day though it was due, with the days and the interest, by
    /// institution: as of 31 March of `year`, or of the day `as_of`, or today. Money that is booked later for an earlier
    /// day changes the list of that day; nothing else does.
    #[oai(path = "/reports/overdue", method = "get", operation_id = "report_overdue")]
    async fn report_overdue(
        &self,
        caller: Signed,
        year: Query<Option<i32>>,
        as_of: Query<Option<NaiveDate>>,
        #[oai(validator(pattern = r"^[0-9]{2,12}$"))] region: Query<Option<String>>,
        format: Query<Option<ReportFormat>>,
    ) -> Answer<ReportAnswer<OverdueReport>> {
        let asked = overdue::Asked { year: year.0, as_of: as_of.0 };
        let report = overdue::report(&self.0, &caller, asked, region.0.as_deref()).await?;
        Ok(shape(format.0, report, overdue::api::table)?)
    }

    /// Report accounts against accounts
    ///
    /// For finance, auditors and officers of whole counties (账账相符、账实相符): sums of every slice against the ledger at
    /// the end of a day, the bank reconciliation statement (余额调节表), and every difference that is on the problem list.
    /// Stored balances are compared when the day is today.
    #[oai(path = "/reports/reconciliation", method = "get", operation_id = "report_reconciliation")]
    async fn report_reconciliation(
        &self,
        caller: Signed,
        /// Today when absent.
        as_of: Query<Option<NaiveDate>>,
        #[oai(validator(pattern = r"^[0-9]{2,12}$"))] region: Query<Option<String>>,
        format: Query<Option<ReportFormat>>,
    ) -> Answer<ReportAnswer<ReconciliationReport>> {
        let report = reconciliation::report(&self.0, &caller, as_of.0, region.0.as_deref()).await?;
        Ok(shape(format.0, report, reconciliation::api::table)?)
    }

    /// See how far a county has come
    ///
    /// Without sign-in: households that sold, yuan, orders and villages since the beginning, for a whole county.
    /// Figures over fewer than three households are left out.
    #[oai(
        path = "/public/progress",
        method = "get",
        operation_id = "get_public_progress",
        tag = "Tag::Public"
    )]
    async fn get_public_progress(
        &self,
        #[oai(validator(pattern = r"^[0-9]{6}(0{6})?$"))] region: Query<String>,
    ) -> Answer<Json<CountyProgress>> {
        Ok(Json(progress::show(&self.0, &region.0).await?.into()))
    }
}

/// A report as JSON, or as a file made of its table.
fn shape<R, T>(
    format: Option<ReportFormat>,
    report: R,
    table_of: impl Fn(&R) -> Table,
) -> Outcome<ReportAnswer<T>>
where
    T: From<R> + ParseFromJSON + ToJSON + Type,
{
    let attachment =
        |table: &Table, ending| Some(format!("attachment; filename=\"{}.{ending}\"", table.name));
    Ok(match format.unwrap_or_default() {
        ReportFormat::Json => ReportAnswer::Ready(ReportBody::Json(Json(report.into())), None, None),
        ReportFormat::Csv => {
            let table = table_of(&report);
            let body = ReportBody::Csv(PlainText(table::csv(&table)?));
            ReportAnswer::Ready(body, attachment(&table, "csv"), None)
        }
        ReportFormat::Xlsx => {
            let table = table_of(&report);
            let body = ReportBody::Xlsx(Binary(table::xlsx(&table)?));
            ReportAnswer::Ready(body, attachment(&table, "xlsx"), None)
        }
    })
}

/// The same link as that of every other list.
fn next_link(next: Option<String>, request: &poem::Request) -> Option<String> {
    let page = Page::<HouseholdIncome> { items: Vec::new(), next };
    let Listed::Page(_, link) = Listed::new(page, request.uri());
    link
}
