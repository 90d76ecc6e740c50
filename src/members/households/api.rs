//! Endpoints of households: make, read, edit, change status, record visits, import.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Binary, Json};
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{Filter, HouseholdDetail, HouseholdEdit, HouseholdView, NewVisit, Status, StatusSpan, VisitView};
use crate::app::App;
use crate::http::answers::{Created, Versioned, version_matched};
use crate::http::body::Body;
use crate::http::imports::{self, ImportResult};
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::{RegionScope, Signed};
use crate::members::households;
use crate::refusal::Refusal;
use crate::regions;
use crate::routes::Tag;

/// Families that offer produce, their statuses and survey visits.
#[derive(Debug)]
pub struct Api(pub App);

/// 户类型: registered 脱贫户, monitored unstable 脱贫不稳定户, monitored marginal 边缘易致贫户, monitored hardship
/// 突发严重困难户, general 一般农户.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum HouseholdStatus {
    Registered,
    MonitoredUnstable,
    MonitoredMarginal,
    MonitoredHardship,
    General,
}

/// What a survey visit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum VisitOutcome {
    HasUnsold,
    NothingUnsold,
    NotReached,
}

/// A household to be made.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewHousehold {
    /// Code of its village, 12 digits.
    #[oai(validator(min_length = 2, max_length = 12))]
    pub village: String,
    #[oai(validator(min_length = 1, max_length = 50))]
    pub head_name: String,
    pub status: HouseholdStatus,
    /// The first day of the status; today when absent, never later.
    pub status_from: Option<NaiveDate>,
    /// 居民身份证号码 (GB 11643-1999): 18 digits, the last may be X; once per county. Sealed at rest, masked in every answer.
    #[oai(validator(min_length = 15, max_length = 30))]
    pub identity_number: Option<String>,
    /// Sealed at rest, masked in every answer.
    #[oai(validator(min_length = 7, max_length = 20))]
    pub phone: Option<String>,
    /// Sealed at rest, masked in every answer.
    #[oai(validator(min_length = 8, max_length = 40))]
    pub bank_account: Option<String>,
    /// Sealed at rest, masked in every answer.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub address: Option<String>,
    /// Its number in the list it came from; once per county.
    #[oai(validator(min_length = 1, max_length = 50))]
    pub external_ref: Option<String>,
    /// The day of the consent on file.
    pub consent_on: Option<NaiveDate>,
}

/// What to change of a household; what is absent stays.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct HouseholdChanges {
    /// By officers only.
    #[oai(validator(min_length = 1, max_length = 50))]
    pub head_name: Option<String>,
    /// By officers only.
    #[oai(validator(min_length = 1, max_length = 50))]
    pub external_ref: Option<String>,
    /// By officers only.
    #[oai(validator(min_length = 15, max_length = 30))]
    pub identity_number: Option<String>,
    #[oai(validator(min_length = 7, max_length = 20))]
    pub phone: Option<String>,
    #[oai(validator(min_length = 8, max_length = 40))]
    pub bank_account: Option<String>,
    #[oai(validator(min_length = 1, max_length = 200))]
    pub address: Option<String>,
    /// By officers only.
    pub consent_on: Option<NaiveDate>,
    /// Sent to the phone of a household that signs in by it (`POST /v1/one_time_codes`, `change_bank_account`); needed when such
    /// a household changes its bank account.
    #[oai(validator(pattern = "^[0-9]{6}$"))]
    pub one_time_code: Option<String>,
}

/// A status that begins on a day.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewHouseholdStatus {
    pub status: HouseholdStatus,
    /// Later than the first day of the present status, and not in the future.
    pub from_on: NaiveDate,
}

/// A survey visit to be recorded.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewSurveyVisit {
    /// Not in the future.
    pub visited_on: NaiveDate,
    pub outcome: VisitOutcome,
    #[oai(validator(min_length = 1, max_length = 500))]
    pub note: Option<String>,
}

/// A household as you may see it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Household {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// Twelve digits.
    pub village: String,
    pub external_ref: Option<String>,
    /// Masked for finance and auditors, such as 仲*妮.
    pub head_name: String,
    /// Masked, such as 341823********1234.
    pub identity_number: Option<String>,
    /// Masked, such as 138****5678.
    pub phone: Option<String>,
    /// Masked, such as ****1234.
    pub bank_account: Option<String>,
    /// Masked, ****: that there is one.
    pub address: Option<String>,
    /// As of today.
    pub status: HouseholdStatus,
    pub consent_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Newest first; absent in lists.
    pub statuses: Option<Vec<StatusPeriod>>,
    /// Absent in lists and when nobody has asked yet.
    pub last_visit: Option<LastVisit>,
}

/// A status and its days.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StatusPeriod {
    pub status: HouseholdStatus,
    pub from_on: NaiveDate,
    /// The last day; absent for the present status.
    pub to_on: Option<NaiveDate>,
}

/// The last survey visit.
#[derive(Debug, Object)]
pub struct LastVisit {
    pub visited_on: NaiveDate,
    pub outcome: VisitOutcome,
}

/// A recorded survey visit.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SurveyVisit {
    pub id: Uuid,
    pub household_id: Uuid,
    pub visited_on: NaiveDate,
    pub outcome: VisitOutcome,
    pub note: Option<String>,
    pub created_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Households")]
impl Api {
    /// Make a household
    ///
    /// By officers, in a village of their region.
    #[oai(path = "/households", method = "post", operation_id = "create_household")]
    async fn create_household(&self, caller: Signed, body: Body<NewHousehold>) -> Answer<Created<Household>> {
        let new = body.0.into_new(self.0.clock.today());
        let made = households::create(&self.0, &caller, new).await?;
        let (id, version) = (made.household.id, made.household.version);
        Ok(Created::versioned(format!("/v1/households/{id}"), version, made.into()))
    }

    /// List households
    ///
    /// Those of your region, those you are paired with today, or your own; newest first.
    #[oai(path = "/households", method = "get", operation_id = "list_households")]
    async fn list_households(
        &self,
        caller: Signed,
        request: &poem::Request,
        /// A region code of 2 to 12 digits: its households and those of every region below it.
        #[oai(validator(min_length = 2, max_length = 12))]
        region: Query<Option<String>>,
        status: Query<Option<HouseholdStatus>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Household>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let region = region.0.as_deref().map(region_filter).transpose()?;
        let filter = Filter { region, status: status.0.map(Status::from) };
        let found = households::list(&self.0, &caller, &filter, page).await?;
        Ok(Listed::new(found.map(Household::from), request.uri()))
    }

    /// Get a household
    ///
    /// With its statuses, newest first, and the last survey visit.
    #[oai(path = "/households/:id", method = "get", operation_id = "get_household")]
    async fn get_household(&self, caller: Signed, id: Path<Uuid>) -> Answer<Versioned<Household>> {
        let found = households::get(&self.0, &caller, id.0).await?;
        Ok(Versioned::new(found.household.version, found.into()))
    }

    /// Edit a household
    ///
    /// Officers edit all of it; the household phone, address and bank account; its helpers phone and address.
    #[oai(path = "/households/:id", method = "patch", operation_id = "update_household")]
    async fn update_household(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: Header<Option<String>>,
        body: Body<HouseholdChanges>,
    ) -> Answer<Versioned<Household>> {
        let version = version_matched(if_match.0.as_deref())?;
        let edited = households::update(&self.0, &caller, id.0, version, body.0.into()).await?;
        Ok(Versioned::new(edited.household.version, edited.into()))
    }

    /// Change the status of a household
    ///
    /// By officers. The present status ends the day before the new one begins.
    #[oai(path = "/households/:id/statuses", method = "post", operation_id = "change_household_status")]
    async fn change_household_status(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<NewHouseholdStatus>,
    ) -> Answer<Created<Household>> {
        let NewHouseholdStatus { status, from_on } = body.0;
        let changed = households::change_status(&self.0, &caller, id.0, status.into(), from_on).await?;
        let version = changed.household.version;
        Ok(Created::versioned(format!("/v1/households/{}", id.0), version, changed.into()))
    }

    /// Record a survey visit
    ///
    /// By officers and by helpers paired today: asked on this day, and what was found.
    #[oai(path = "/households/:id/survey_visits", method = "post", operation_id = "record_survey_visit")]
    async fn record_survey_visit(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<NewSurveyVisit>,
    ) -> Answer<Created<SurveyVisit>> {
        let made = households::record_visit(&self.0, &caller, id.0, body.0.into()).await?;
        Ok(Created::at(format!("/v1/households/{}", id.0), made.into()))
    }

    /// Import households
    ///
    /// A csv or xlsx table with the columns 编号, 户主姓名, 村代码 and 户类型, and optionally 认定日期, 身份证号, 联系电话,
    /// 银行账号, 住址 and 同意日期. All of the file or nothing; a number (编号) that is known in its county is left as it is.
    #[oai(path = "/households/import", method = "post", operation_id = "import_households")]
    async fn import_households(
        &self,
        caller: Signed,
        /// Try only: say what would happen, write nothing.
        dry_run: Query<Option<bool>>,
        file: Binary<Vec<u8>>,
    ) -> Answer<Json<ImportResult>> {
        let is_dry_run = dry_run.0.unwrap_or(false);
        let report = households::import_file(&self.0, &caller, file.0, is_dry_run).await?;
        imports::answer(report, is_dry_run)
    }
}

/// The range of a region code in a filter; one that does not exist simply holds nothing.
pub fn region_filter(code: &str) -> Result<RegionScope, Refusal> {
    let normal = regions::normalise(code)
        .ok_or_else(|| Refusal::Malformed { detail: "region: write 2 to 12 digits".to_owned() })?;
    Ok(RegionScope::of(&normal))
}

impl NewHousehold {
    fn into_new(self, today: NaiveDate) -> households::NewHousehold {
        households::NewHousehold {
            id: None,
            village_code: self.village,
            head_name: self.head_name,
            status: self.status.into(),
            status_from: self.status_from.unwrap_or(today),
            identity_number: self.identity_number,
            phone: self.phone,
            bank_account: self.bank_account,
            address: self.address,
            external_ref: self.external_ref,
            consent_on: self.consent_on,
        }
    }
}

impl From<HouseholdChanges> for HouseholdEdit {
    fn from(changes: HouseholdChanges) -> Self {
        Self {
            head_name: changes.head_name,
            external_ref: changes.external_ref,
            identity_number: changes.identity_number,
            phone: changes.phone,
            bank_account: changes.bank_account,
            address: changes.address,
            consent_on: changes.consent_on,
            one_time_code: changes.one_time_code,
        }
    }
}

impl From<NewSurveyVisit> for NewVisit {
    fn from(visit: NewSurveyVisit) -> Self {
        Self { visited_on: visit.visited_on, outcome: visit.outcome.into(), note: visit.note }
    }
}

impl From<VisitView> for SurveyVisit {
    fn from(made: VisitView) -> Self {
        Self {
            id: made.id,
            household_id: made.household_id,
            visited_on: made.visit.visited_on,
            outcome: made.visit.outcome.into(),
            note: made.visit.note,
            created_at: made.created_at,
        }
    }
}

impl From<HouseholdView> for Household {
    fn from(view: HouseholdView) -> Self {
        Self {
            id: view.id,
            county: view.county_code,
            village: view.village_code,
            external_ref: view.external_ref,
            head_name: view.head_name,
            identity_number: view.identity_number,
            phone: view.phone,
            bank_account: view.bank_account,
            address: view.address,
            status: view.status.into(),
            consent_on: view.consent_on,
            created_at: view.created_at,
            updated_at: view.updated_at,
            statuses: None,
            last_visit: None,
        }
    }
}

impl From<HouseholdDetail> for Household {
    fn from(detail: HouseholdDetail) -> Self {
        let last_visit =
            detail.last_visit.map(|(visited_on, outcome)| LastVisit { visited_on, outcome: outcome.into() });
        Self {
            statuses: Some(detail.statuses.into_iter().map(StatusPeriod::from).collect()),
            last_visit,
            ..detail.household.into()
        }
    }
}

impl From<StatusSpan> for StatusPeriod {
    fn from(span: StatusSpan) -> Self {
        Self { status: span.status.into(), from_on: span.from_on, to_on: span.to_on }
    }
}

impl From<Status> for HouseholdStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Registered => Self::Registered,
            Status::MonitoredUnstable => Self::MonitoredUnstable,
            Status::MonitoredMarginal => Self::MonitoredMarginal,
            Status::MonitoredHardship => Self::MonitoredHardship,
            Status::General => Self::General,
        }
    }
}

impl From<HouseholdStatus> for Status {
    fn from(status: HouseholdStatus) -> Self {
        match status {
            HouseholdStatus::Registered => Self::Registered,
            HouseholdStatus::MonitoredUnstable => Self::MonitoredUnstable,
            HouseholdStatus::MonitoredMarginal => Self::MonitoredMarginal,
            HouseholdStatus::MonitoredHardship => Self::MonitoredHardship,
            HouseholdStatus::General => Self::General,
        }
    }
}

impl From<households::VisitOutcome> for VisitOutcome {
    fn from(outcome: households::VisitOutcome) -> Self {
        match outcome {
            households::VisitOutcome::HasUnsold => Self::HasUnsold,
            households::VisitOutcome::NothingUnsold => Self::NothingUnsold,
            households::VisitOutcome::NotReached => Self::NotReached,
        }
    }
}

impl From<VisitOutcome> for households::VisitOutcome {
    fn from(outcome: VisitOutcome) -> Self {
        match outcome {
            VisitOutcome::HasUnsold => Self::HasUnsold,
            VisitOutcome::NothingUnsold => Self::NothingUnsold,
            VisitOutcome::NotReached => Self::NotReached,
        }
    }
}
