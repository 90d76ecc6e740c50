//! Someone who signs in: one role, one scope.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "principal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub account: String,
    #[sea_orm(column_type = "Text")]
    pub password_hash: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub role: String,
    #[sea_orm(column_type = "Text")]
    pub display_name: String,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub region_code: Option<String>,
    pub is_active: bool,
    pub created_at: DateTimeUtc,
    pub password_changed_at: Option<DateTimeUtc>,
    pub must_change_password: bool,
    #[sea_orm(column_type = "Text")]
    pub phone_sealed: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub phone_fingerprint: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
