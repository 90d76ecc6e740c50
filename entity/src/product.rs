//! A catalogue entry.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub category: String,
    #[sea_orm(column_type = "Text")]
    pub measure: String,
    #[sea_orm(column_type = "Text")]
    pub pricing_unit: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub grades: Json,
    pub shelf_life_days: Option<i64>,
    pub pack_base: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub certificates: Json,
    #[sea_orm(column_type = "Text")]
    pub catalogue_code: String,
    #[sea_orm(column_type = "Text")]
    pub tax_code: String,
    pub is_active: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
