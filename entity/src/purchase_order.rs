//! An institution's bulk order.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "purchase_order")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub county_code: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    pub institution_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub policy: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub amount_fen: i64,
    pub placed_by: Uuid,
    pub placed_at: DateTimeUtc,
    pub hold_expires_at: DateTimeUtc,
    pub confirmed_by: Option<Uuid>,
    pub confirmed_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub rating: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub rating_comment: Option<String>,
    pub rated_at: Option<DateTimeUtc>,
    pub version: i64,
    #[sea_orm(column_type = "Text")]
    pub payment_mode: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
