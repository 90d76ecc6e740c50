//! Endpoints: Until when institutions pay.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::{NewPaymentTerm as Wanted, PaymentTermView};
use crate::app::App;
use crate::http::answers::Created;
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::routes::Tag;

/// Until when institutions pay.
#[derive(Debug)]
pub struct Api(pub App);

/// A payment term to be set.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewPaymentTerm {
    /// The first day it is in force, tomorrow at the earliest.
    pub from_on: NaiveDate,
    /// Days after the acceptance, 1 to 60.
    #[oai(validator(minimum(value = "1"), maximum(value = "60")))]
    pub days: u8,
    /// The contract or decision it comes from.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub source: String,
}

/// A payment term of an institution, in force from a day on until another one is.
#[derive(Debug, Object)]
pub struct PaymentTerm {
    pub id: Uuid,
    pub institution_id: Uuid,
    pub from_on: NaiveDate,
    /// Days after the acceptance.
    pub days: i64,
    pub source: String,
    pub set_by: Uuid,
    pub created_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Institutions")]
impl Api {
    /// Set a payment term
    ///
    /// By finance, for an institution of its region. It bears on what is accepted from that day on; what is settled keeps
    /// its due day. An institution without one pays within the days set for the service, 30 unless set otherwise.
    #[oai(path = "/institutions/:id/payment_terms", method = "post", operation_id = "create_payment_term")]
    async fn create_payment_term(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<NewPaymentTerm>,
    ) -> Answer<Created<PaymentTerm>> {
        let NewPaymentTerm { from_on, days, source } = body.0;
        let wanted = Wanted { from_on, days: i64::from(days), source };
        let made = super::create(&self.0, &caller, id.0, wanted).await?;
        Ok(Created::at(format!("/v1/institutions/{}/payment_terms", id.0), made.into()))
    }

    /// List payment terms
    ///
    /// Those of an institution of your region, or of your own; the one set last first. In force is the one whose day came
    /// last; of two of one day, the one set later.
    #[oai(path = "/institutions/:id/payment_terms", method = "get", operation_id = "list_payment_terms")]
    async fn list_payment_terms(
        &self,
        caller: Signed,
        request: &poem::Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<PaymentTerm>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let terms = super::list(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(terms.map(PaymentTerm::from), request.uri()))
    }
}

impl From<PaymentTermView> for PaymentTerm {
    fn from(view: PaymentTermView) -> Self {
        Self {
            id: view.id,
            institution_id: view.institution_id,
            from_on: view.set.from_on,
            days: view.set.days,
            source: view.set.source,
            set_by: view.set_by,
            created_at: view.created_at,
        }
    }
}
