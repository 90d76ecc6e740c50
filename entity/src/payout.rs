//! Money out to one household.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payout")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub batch_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    pub household_id: Uuid,
    pub amount_fen: i64,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub instruction_entry_id: Option<Uuid>,
    pub result_entry_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub return_reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub return_code: Option<String>,
    pub unknown_since: Option<DateTimeUtc>,
    pub retry_allowed_by: Option<Uuid>,
    pub retry_allowed_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
