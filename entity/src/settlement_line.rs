//! What one acceptance makes a household be owed: the sale itself, with the facts reports group by.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "settlement_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub settlement_id: Uuid,
    pub delivery_line_id: Uuid,
    pub allocation_id: Uuid,
    pub household_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub village_code: String,
    #[sea_orm(column_type = "Text")]
    pub household_status: String,
    pub product_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub category: String,
    pub institution_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub institution_kind: String,
    pub sold_on: Date,
    #[sea_orm(column_type = "Text")]
    pub measure: String,
    pub quantity_base: i64,
    pub price_fen: i64,
    #[sea_orm(column_type = "Text")]
    pub pricing_unit: String,
    pub amount_fen: i64,
    pub received_fen: i64,
    pub paid_out_fen: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
