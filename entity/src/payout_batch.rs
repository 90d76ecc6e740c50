//! Payouts that go to the bank together.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_batch")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub up_to: Date,
    pub amount_fen: i64,
    pub payout_count: i64,
    pub made_by: Uuid,
    pub made_at: DateTimeUtc,
    pub approved_by: Option<Uuid>,
    pub approved_at: Option<DateTimeUtc>,
    pub executed_by: Option<Uuid>,
    pub executed_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub debtor_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub debtor_bank: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub debtor_account_sealed: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
