//! Endpoints of what is personal about households: found by it, and shown in the clear. Both are a POST: what stands in a
//! body stands in no log.

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::Field;
use crate::app::App;
use crate::http::body::Body;
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::members::households::api::Household;
use crate::members::households::{self, Personal, Wanted};
use crate::refusal::Refusal;
use crate::routes::Tag;

/// Endpoints of what is personal about households.
#[derive(Debug)]
pub struct Api(pub App);

/// What households are looked up by: one of the two, whole.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct HouseholdLookUp {
    #[oai(validator(min_length = 15, max_length = 30))]
    pub identity_number: Option<String>,
    #[oai(validator(min_length = 7, max_length = 20))]
    pub phone: Option<String>,
}

/// What was found.
#[derive(Debug, Object)]
pub struct FoundHouseholds {
    /// Masked, newest first, at most 50.
    pub items: Vec<Household>,
}

/// What can be revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PersonalField {
    IdentityNumber,
    Phone,
    BankAccount,
    Address,
}

/// What to reveal, and why.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct RevealRequest {
    #[oai(validator(min_items = 1, max_items = 4))]
    pub fields: Vec<PersonalField>,
    /// Kept in the audit trail; leave the numbers of people out.
    #[oai(validator(min_length = 5, max_length = 200))]
    pub reason: String,
}

/// What is personal about a household, in the clear. What was not asked for or is not there is absent.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RevealedHousehold {
    pub id: Uuid,
    pub identity_number: Option<String>,
    pub phone: Option<String>,
    pub bank_account: Option<String>,
    pub address: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Households")]
impl Api {
    /// Find households by identity number or phone
    ///
    /// By officers and finance, in their region: exactly this one, answered masked.
    #[oai(path = "/households/find", method = "post", operation_id = "find_households")]
    async fn find_households(
        &self,
        caller: Signed,
        body: Body<HouseholdLookUp>,
    ) -> Answer<Json<FoundHouseholds>> {
        let found = households::find(&self.0, &caller, &body.0.wanted()?).await?;
        Ok(Json(FoundHouseholds { items: found.into_iter().map(Household::from).collect() }))
    }

    /// Show personal data of a household
    ///
    /// By officers and finance, for a reason. Every time leaves a line in the audit trail, and there is a limit a day.
    #[oai(path = "/households/:id/reveal", method = "post", operation_id = "reveal_household")]
    async fn reveal_household(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<RevealRequest>,
    ) -> Answer<Json<RevealedHousehold>> {
        let fields: Vec<Field> = body.0.fields.into_iter().map(Field::from).collect();
        let shown = super::reveal(&self.0, &caller, id.0, &fields, &body.0.reason).await?;
        Ok(Json(shown.into()))
    }
}

impl HouseholdLookUp {
    fn wanted(self) -> Result<Wanted, Refusal> {
        match (self.identity_number, self.phone) {
            (Some(number), None) => Ok(Wanted::IdentityNumber(number)),
            (None, Some(phone)) => Ok(Wanted::Phone(phone)),
            _ => Err(Refusal::invalid("", "name an identity_number or a phone, one of the two")),
        }
    }
}

impl From<PersonalField> for Field {
    fn from(field: PersonalField) -> Self {
        match field {
            PersonalField::IdentityNumber => Self::IdentityNumber,
            PersonalField::Phone => Self::Phone,
            PersonalField::BankAccount => Self::BankAccount,
            PersonalField::Address => Self::Address,
        }
    }
}

impl From<Personal> for RevealedHousehold {
    fn from(personal: Personal) -> Self {
        Self {
            id: personal.id,
            identity_number: personal.identity_number,
            phone: personal.phone,
            bank_account: personal.bank_account,
            address: personal.address,
        }
    }
}
