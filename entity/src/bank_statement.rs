//! A statement of a county's bank account, as a file told it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_statement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub bank: String,
    #[sea_orm(column_type = "Text")]
    pub format: String,
    #[sea_orm(column_type = "Text")]
    pub account_masked: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub account_sealed: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub account_fingerprint: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub from_on: Date,
    pub to_on: Date,
    pub opening_minor: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub opening_currency: Option<String>,
    pub closing_minor: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub closing_currency: Option<String>,
    pub line_count: i64,
    pub in_minor: i64,
    pub out_minor: i64,
    #[sea_orm(column_type = "Text")]
    pub file_digest: String,
    pub file_part: i32,
    pub imported_by: Option<Uuid>,
    pub imported_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
