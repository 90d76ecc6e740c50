//! Whom a payout pays, as it was when the bank was instructed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_payee")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub payout_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub name_sealed: String,
    #[sea_orm(column_type = "Text")]
    pub account_sealed: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
