//! Endpoints of the problem list: raise, list, read, close.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{Filter, Owner, ProblemView, Rule, State};
use crate::app::App;
use crate::http::answers::Created;
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::refusal::Refusal;
use crate::routes::Tag;

/// What does not match, and who closes it by when.
#[derive(Debug)]
pub struct Api(pub App);

/// Who has to close a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ProblemOwner {
    Officer,
    Finance,
}

/// Whether a problem waits for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ProblemState {
    Open,
    Closed,
}

/// A problem to be raised by hand.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ProblemToRaise {
    #[oai(validator(min_length = 1, max_length = 100))]
    pub title: String,
    #[oai(validator(min_length = 1, max_length = 2000))]
    pub detail: String,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    /// Two to twelve digits; that of the household or institution, or your own, when absent.
    #[oai(validator(pattern = r"^[0-9]{2,12}$"))]
    pub region: Option<String>,
    pub owner: ProblemOwner,
    /// Today or later, at most a year away.
    pub due_on: NaiveDate,
}

/// How a problem is closed.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ProblemClosing {
    /// What was done and what shows it.
    #[oai(validator(min_length = 1, max_length = 2000))]
    pub evidence: String,
}

/// Something that does not match and that somebody must close.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ProblemEntry {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// Twelve digits: where it lies.
    pub region: String,
    /// The rule that raised it, such as `payout_returned`; `by_hand` when a person did.
    pub rule: String,
    /// The kind of row that it is about, such as `payout`.
    pub subject_kind: String,
    pub subject_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub title: String,
    /// As it was when the problem was raised.
    pub detail: String,
    pub owner: ProblemOwner,
    pub due_on: NaiveDate,
    pub state: ProblemState,
    /// The person who raised it; absent when a rule did.
    pub opened_by: Option<Uuid>,
    pub opened_at: DateTime<Utc>,
    /// The person who closed it; absent when its rule found nothing any more.
    pub closed_by: Option<Uuid>,
    pub closed_at: Option<DateTime<Utc>>,
    /// What the person who closed it showed for it.
    pub evidence: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Problems")]
impl Api {
    /// List problems
    ///
    /// Of your region, newest first. Officers, finance and auditors read it.
    #[oai(path = "/problems", method = "get", operation_id = "list_problems")]
    async fn list_problems(
        &self,
        caller: Signed,
        request: &poem::Request,
        state: Query<Option<ProblemState>>,
        /// Only those of this rule, such as `payment_overdue`.
        #[oai(validator(pattern = r"^[a-z_]{1,50}$"))]
        rule: Query<Option<String>>,
        /// Only those that this role has to close.
        owner: Query<Option<ProblemOwner>>,
        household_id: Query<Option<Uuid>>,
        institution_id: Query<Option<Uuid>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<ProblemEntry>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let filter = Filter {
            state: state.0.map(State::from),
            rule: rule.0.as_deref().map(parse_rule).transpose()?,
            owner: owner.0.map(Owner::from),
            household_id: household_id.0,
            institution_id: institution_id.0,
        };
        let problems = super::list(&self.0, &caller, &filter, page).await?;
        Ok(Listed::new(problems.map(ProblemEntry::from), request.uri()))
    }

    /// Raise a problem
    ///
    /// By officers and finance, about a household, an institution or a region of theirs.
    #[oai(path = "/problems", method = "post", operation_id = "raise_problem")]
    async fn raise_problem(
        &self,
        caller: Signed,
        body: Body<ProblemToRaise>,
    ) -> Answer<Created<ProblemEntry>> {
        let problem = super::raise(&self.0, &caller, body.0.into()).await?;
        Ok(Created::at(format!("/v1/problems/{}", problem.id), problem.into()))
    }

    /// Get a problem
    ///
    /// With what it is about, who has to close it by when, and how it was closed. Officers see those of their region,
    /// finance and auditors those of their counties.
    #[oai(path = "/problems/:id", method = "get", operation_id = "get_problem")]
    async fn get_problem(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<ProblemEntry>> {
        Ok(Json(super::find(&self.0, &caller, id.0).await?.into()))
    }

    /// Close a problem
    ///
    /// By officers and finance, with what shows that it is solved. A returned payout or an overdue settlement that is
    /// still one when the days of its rule have passed again is raised anew.
    #[oai(path = "/problems/:id/close", method = "post", operation_id = "close_problem")]
    async fn close_problem(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<ProblemClosing>,
    ) -> Answer<Json<ProblemEntry>> {
        Ok(Json(super::close(&self.0, &caller, id.0, &body.0.evidence).await?.into()))
    }
}

fn parse_rule(name: &str) -> Result<Rule, Refusal> {
    Rule::parse(name).ok_or_else(|| {
        let known: Vec<&str> = Rule::ALL.into_iter().map(Rule::as_str).collect();
        Refusal::Malformed { detail: format!("rule: one of {}", known.join(", ")) }
    })
}

impl From<ProblemToRaise> for super::NewProblem {
    fn from(new: ProblemToRaise) -> Self {
        Self {
            title: new.title,
            detail: new.detail,
            region: new.region,
            household_id: new.household_id,
            institution_id: new.institution_id,
            owner: new.owner.into(),
            due_on: new.due_on,
        }
    }
}

impl From<ProblemView> for ProblemEntry {
    fn from(problem: ProblemView) -> Self {
        let (closed_by, closed_at, evidence) = problem
            .closing
            .map_or((None, None, None), |closing| (closing.by, Some(closing.at), closing.note));
        Self {
            id: problem.id,
            county: problem.county_code,
            region: problem.region_code,
            rule: problem.rule.as_str().to_owned(),
            subject_kind: problem.subject_kind,
            subject_id: problem.subject_id,
            household_id: problem.household_id,
            institution_id: problem.institution_id,
            title: problem.title,
            detail: problem.detail,
            owner: problem.owner.into(),
            due_on: problem.due_on,
            state: problem.state.into(),
            opened_by: problem.opened_by,
            opened_at: problem.opened_at,
            closed_by,
            closed_at,
            evidence,
        }
    }
}

impl From<Owner> for ProblemOwner {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Officer => Self::Officer,
            Owner::Finance => Self::Finance,
        }
    }
}

impl From<ProblemOwner> for Owner {
    fn from(owner: ProblemOwner) -> Self {
        match owner {
            ProblemOwner::Officer => Self::Officer,
            ProblemOwner::Finance => Self::Finance,
        }
    }
}

impl From<State> for ProblemState {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Closed => Self::Closed,
        }
    }
}

impl From<ProblemState> for State {
    fn from(state: ProblemState) -> Self {
        match state {
            ProblemState::Open => Self::Open,
            ProblemState::Closed => Self::Closed,
        }
    }
}
