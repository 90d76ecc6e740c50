//! A family that offers produce.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "household")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub village_code: String,
    #[sea_orm(column_type = "Text")]
    pub external_ref: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub head_name: String,
    #[sea_orm(column_type = "Text")]
    pub phone_sealed: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub bank_account_sealed: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    pub consent_on: Option<Date>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub version: i64,
    #[sea_orm(column_type = "Text")]
    pub identity_number_sealed: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub address_sealed: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub identity_fingerprint: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub phone_fingerprint: Option<String>,
    pub erased_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
