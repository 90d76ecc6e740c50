//! The part of one line that one lot fills.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "allocation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    pub order_id: Uuid,
    pub line_id: Uuid,
    pub lot_id: Uuid,
    pub household_id: Uuid,
    pub quantity_base: i64,
    pub price_fen: i64,
    #[sea_orm(column_type = "Text")]
    pub pricing_unit: String,
    pub amount_fen: i64,
    pub tier: i64,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub round: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
