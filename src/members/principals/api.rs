//! Endpoints of those who sign in: for administrators, and for one's own password.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::{NewPrincipal, Place, PrincipalView, Step};
use crate::app::App;
use crate::http::answers::{Created, Deleted};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::{Caller, RegionScope, Role, Signed};
use crate::members::{households, principals};
use crate::refusal::{Failure, Refusal};
use crate::routes::Tag;

/// Endpoints of those who sign in.
#[derive(Debug)]
pub struct Api(pub App);

/// Somebody who is to sign in.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewPerson {
    #[oai(validator(min_length = 1, max_length = 100))]
    pub account: String,
    #[oai(validator(min_length = 1, max_length = 100))]
    pub display_name: String,
    pub role: Role,
    /// Six digits.
    #[oai(validator(pattern = "^[0-9]{6}$"))]
    pub county: String,
    /// Of a household.
    pub household_id: Option<Uuid>,
    /// Of a buyer or an approver.
    pub institution_id: Option<Uuid>,
    /// Of an official; the county when absent.
    #[oai(validator(pattern = "^[0-9]{2,12}$"))]
    pub region: Option<String>,
    /// For one-time codes. Sealed at rest, never answered.
    #[oai(validator(min_length = 7, max_length = 20))]
    pub phone: Option<String>,
    /// They choose another when they sign in.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub password: Option<String>,
}

/// Somebody who signs in.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Person {
    pub id: Uuid,
    pub account: String,
    pub display_name: String,
    pub role: Role,
    /// Six digits.
    pub county: Option<String>,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    /// Twelve digits.
    pub region: Option<String>,
    /// Whether they may sign in; who waits to be let in may not.
    pub is_active: bool,
    pub has_second_factor: bool,
    pub created_at: DateTime<Utc>,
}

/// Another role.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewRole {
    pub role: Role,
}

/// A new password for yourself.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PasswordChange {
    #[oai(validator(min_length = 1, max_length = 200))]
    pub current_password: String,
    #[oai(validator(min_length = 1, max_length = 200))]
    pub new_password: String,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::People")]
impl Api {
    /// Make somebody who signs in
    ///
    /// By administrators. They wait until a security administrator lets them in.
    #[oai(path = "/principals", method = "post", operation_id = "create_principal")]
    async fn create_principal(&self, caller: Signed, body: Body<NewPerson>) -> Answer<Created<Person>> {
        let made = principals::propose(&self.0, &caller, new_principal(body.0)?).await?;
        Ok(Created::at("/v1/principals".to_owned(), Person::try_from(made)?))
    }

    /// List those who sign in
    ///
    /// By administrators and security administrators, of their counties, newest first. Without phones.
    #[oai(path = "/principals", method = "get", operation_id = "list_principals")]
    async fn list_principals(
        &self,
        caller: Signed,
        request: &poem::Request,
        role: Query<Option<Role>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Person>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let found = principals::list(&self.0, &caller, role.0, page).await?;
        Ok(Listed::new(found.try_map(Person::try_from)?, request.uri()))
    }

    /// Give somebody another role
    ///
    /// By administrators. Their sessions and keys end at once, and they wait to be let in again.
    #[oai(path = "/principals/:id/role", method = "put", operation_id = "change_role")]
    async fn change_role(&self, caller: Signed, id: Path<Uuid>, body: Body<NewRole>) -> Answer<Json<Person>> {
        self.change(&caller, id.0, Step::Role(body.0.role)).await
    }

    /// Let somebody in
    ///
    /// By security administrators.
    #[oai(path = "/principals/:id/activate", method = "post", operation_id = "activate_principal")]
    async fn activate_principal(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<Person>> {
        self.change(&caller, id.0, Step::Activate).await
    }

    /// Keep somebody out
    ///
    /// By security administrators. Every session and key of theirs ends at once.
    #[oai(path = "/principals/:id/deactivate", method = "post", operation_id = "deactivate_principal")]
    async fn deactivate_principal(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<Person>> {
        self.change(&caller, id.0, Step::Deactivate).await
    }

    /// Take a lost second factor
    ///
    /// By security administrators. Whoever lost it sets up another when they sign in.
    #[oai(
        path = "/principals/:id/reset_second_factor",
        method = "post",
        operation_id = "reset_second_factor"
    )]
    async fn reset_second_factor(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<Person>> {
        self.change(&caller, id.0, Step::ResetSecondFactor).await
    }

    /// Change your password
    ///
    /// Your other sessions end.
    #[oai(path = "/me/password", method = "put", operation_id = "change_password")]
    async fn change_password(&self, caller: Signed, body: Body<PasswordChange>) -> Answer<Deleted> {
        let PasswordChange { current_password, new_password } = body.0;
        principals::change_password(&self.0, &caller, &current_password, &new_password).await?;
        Ok(Deleted::Deleted)
    }
}

impl Api {
    async fn change(&self, caller: &Caller, id: Uuid, step: Step) -> Answer<Json<Person>> {
        Ok(Json(Person::try_from(principals::change(&self.0, caller, id, step).await?)?))
    }
}

fn new_principal(body: NewPerson) -> Result<NewPrincipal, Refusal> {
    let missing = |pointer| Refusal::invalid(pointer, "this role needs it");
    let place = match body.role {
        Role::Household => Place::Household(body.household_id.ok_or_else(|| missing("/household_id"))?),
        Role::Buyer | Role::Approver => {
            Place::Institution(body.institution_id.ok_or_else(|| missing("/institution_id"))?)
        }
        Role::Helper => Place::Pairings,
        Role::Officer | Role::Finance | Role::Auditor | Role::Security | Role::Admin => {
            let region = RegionScope::of(body.region.as_deref().unwrap_or(&body.county));
            if !RegionScope::of(&body.county).contains(&region.code) {
                return Err(Refusal::invalid("/region", "is not in this county"));
            }
            Place::Region(region.code)
        }
    };
    let phone = body.phone.as_deref().map(households::phone).transpose();
    Ok(NewPrincipal {
        account: body.account,
        password: body.password,
        phone: phone.map_err(|reason| Refusal::invalid("/phone", reason))?,
        display_name: body.display_name,
        role: body.role,
        place,
        county_code: Some(body.county),
    })
}

impl TryFrom<PrincipalView> for Person {
    type Error = Failure;

    fn try_from(row: PrincipalView) -> Result<Self, Failure> {
        let role = Role::parse(&row.role);
        Ok(Self {
            id: row.id,
            account: row.account,
            display_name: row.display_name,
            role: role.ok_or_else(|| Failure::Broken(format!("unknown role {}", row.role)))?,
            county: row.county_code,
            household_id: row.household_id,
            institution_id: row.institution_id,
            region: row.region_code,
            is_active: row.is_active,
            has_second_factor: row.has_second_factor,
            created_at: row.created_at,
        })
    }
}
