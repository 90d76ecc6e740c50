//! A paper that was issued: its number, what it says, and what it corrects.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "paper")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    pub settlement_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub month: Option<String>,
    pub payout_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub content: String,
    #[sea_orm(column_type = "Text")]
    pub digest: String,
    pub issued_by: Uuid,
    pub issued_at: DateTimeUtc,
    pub replaces_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
