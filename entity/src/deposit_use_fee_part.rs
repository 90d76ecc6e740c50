//! The part of the use of a deposit that is for the fee of one settlement.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deposit_use_fee_part")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub deposit_use_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub settlement_id: Uuid,
    pub amount_fen: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
