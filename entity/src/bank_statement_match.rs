//! Which payment a line of a bank statement is, or was until it was reversed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_statement_match")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    pub line_id: Uuid,
    pub payment_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    pub matched_by: Option<Uuid>,
    pub matched_at: DateTimeUtc,
    pub reversed_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
