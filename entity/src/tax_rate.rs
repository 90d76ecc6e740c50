//! A rate of value-added tax, the days on which it holds, and where it is written.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tax_rate")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub treatment: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_on: Date,
    pub to_on: Option<Date>,
    #[sea_orm(column_type = "Text")]
    pub rate: String,
    #[sea_orm(column_type = "Text")]
    pub deduction: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub deduction_processing: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub source: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
