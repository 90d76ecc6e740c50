//! What one allocation delivered, and what was accepted of it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub delivery_id: Uuid,
    pub allocation_id: Uuid,
    pub dispatched_base: i64,
    pub accepted_base: Option<i64>,
    pub refused_base: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub refusal_reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
