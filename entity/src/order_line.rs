//! One product of an order, with the inputs of its allocation for replay.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    pub line_no: i64,
    pub product_id: Uuid,
    pub quantity_base: i64,
    pub max_price_fen: i64,
    #[sea_orm(column_type = "Text")]
    pub max_price_unit: String,
    pub needed_by: Date,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub grade: Option<String>,
    pub min_share_base: Option<i64>,
    pub max_households: Option<i64>,
    pub allow_partial: bool,
    pub shortfall_base: i64,
    pub amount_fen: i64,
    #[sea_orm(column_type = "Text")]
    pub replay: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
