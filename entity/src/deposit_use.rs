//! A deposit of an institution that paid settlements.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deposit_use")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    pub institution_id: Uuid,
    pub order_id: Option<Uuid>,
    pub amount_fen: i64,
    pub used_on: Date,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub used_by: Option<Uuid>,
    pub entry_id: Uuid,
    pub created_at: DateTimeUtc,
    pub reversed_by: Option<Uuid>,
    pub reversed_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub reversal_reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
