//! What one acceptance makes an institution owe.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "settlement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    pub order_id: Uuid,
    pub acceptance_id: Uuid,
    pub institution_id: Uuid,
    pub amount_fen: i64,
    pub received_fen: i64,
    pub fee_fen: i64,
    pub fee_received_fen: i64,
    pub settled_on: Date,
    pub due_on: Date,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
