//! The endpoint of what is stored about whoever asks.

use chrono::{DateTime, Utc};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;
use uuid::Uuid;

use super::{Export, ROWS_MAX, Rows};
use crate::app::App;
use crate::http::problem::Answer;
use crate::members::access::{Role, Signed};
use crate::members::households::Personal;
use crate::routes::Tag;

/// The endpoint of what is stored about whoever asks.
#[derive(Debug)]
pub struct Api(pub App);

/// Everything that is stored about you.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct DataExport {
    pub exported_at: DateTime<Utc>,
    pub account: OwnAccount,
    /// In the clear, as it is yours; for households.
    pub household: Option<OwnHousehold>,
    /// Everything else, by kind.
    pub lists: Vec<OwnRows>,
}

/// How you sign in.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct OwnAccount {
    pub id: Uuid,
    pub account: String,
    pub display_name: String,
    pub role: Role,
    /// Six digits.
    pub county: Option<String>,
}

/// What is personal about your household.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct OwnHousehold {
    pub id: Uuid,
    pub head_name: String,
    pub identity_number: Option<String>,
    pub phone: Option<String>,
    pub bank_account: Option<String>,
    pub address: Option<String>,
}

/// Rows of one kind, the newest first.
#[derive(Object)]
pub struct OwnRows {
    /// Such as `lots`.
    pub name: String,
    /// Items of a list at most.
    pub items_max: u64,
    /// Whether there are no more than these.
    pub is_complete: bool,
    /// Amounts of money are decimals in yuan, quantities (`_base`) grams or pieces, times UTC.
    pub items: Vec<Value>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::PersonalData")]
impl Api {
    /// Get everything that is stored about you
    ///
    /// Households: all about the household, in the clear. Everybody else: the own account, its sessions and what was
    /// written with it. At most 1,000 rows of a kind. Leaves a line in the audit trail.
    #[oai(path = "/me/data_export", method = "get", operation_id = "export_my_data")]
    async fn export_my_data(&self, caller: Signed) -> Answer<Json<DataExport>> {
        Ok(Json(super::export(&self.0, &caller).await?.into()))
    }
}

impl From<Export> for DataExport {
    fn from(export: Export) -> Self {
        let caller = export.caller;
        Self {
            exported_at: export.exported_at,
            account: OwnAccount {
                id: caller.principal_id,
                account: caller.account,
                display_name: caller.display_name,
                role: caller.role,
                county: caller.county_code,
            },
            household: export.household.map(OwnHousehold::from),
            lists: export.lists.into_iter().map(OwnRows::from).collect(),
        }
    }
}

impl From<Personal> for OwnHousehold {
    fn from(personal: Personal) -> Self {
        Self {
            id: personal.id,
            head_name: personal.head_name,
            identity_number: personal.identity_number,
            phone: personal.phone,
            bank_account: personal.bank_account,
            address: personal.address,
        }
    }
}

impl From<Rows> for OwnRows {
    fn from(rows: Rows) -> Self {
        Self {
            name: rows.name.to_owned(),
            items_max: u64::try_from(ROWS_MAX).unwrap_or(u64::MAX),
            is_complete: rows.is_complete,
            items: rows.items.into_iter().map(Value::Object).collect(),
        }
    }
}
