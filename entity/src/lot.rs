//! One household's offer of one product.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lot")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    pub household_id: Uuid,
    pub product_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub village_code: String,
    #[sea_orm(column_type = "Text")]
    pub external_ref: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub grade: Option<String>,
    pub price_fen: i64,
    #[sea_orm(column_type = "Text")]
    pub pricing_unit: String,
    pub offered_base: i64,
    pub held_base: i64,
    pub confirmed_base: i64,
    pub delivered_base: i64,
    pub ready_from: Date,
    pub sell_by: Date,
    #[sea_orm(column_type = "JsonBinary")]
    pub certificates: Json,
    pub certified_until: Option<Date>,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
