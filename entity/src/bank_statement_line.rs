//! A line of a bank statement: money that came in or went out.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_statement_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub statement_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    pub position: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub amount_minor: i64,
    pub booked_on: Date,
    pub booked_at: Option<DateTimeUtc>,
    pub value_on: Option<Date>,
    #[sea_orm(column_type = "Text")]
    pub payer_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub payer_account: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub payer_account_fingerprint: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub remark: String,
    #[sea_orm(column_type = "Text")]
    pub bank_reference: Option<String>,
    pub balance_minor: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub identity: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
