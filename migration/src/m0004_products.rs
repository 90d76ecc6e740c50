//! The product catalogue of a county and its reference prices.

use sea_orm_migration::prelude::*;

use crate::sql;

/// The product catalogue of a county and its reference prices.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table product (
    id {uuid} primary key,
    county_code text not null,
    code text not null,
    name text not null,
    category text not null,
    measure text not null check (measure in ('mass','count')),
    pricing_unit text not null,
    grades {json} not null,
    shelf_life_days bigint check (shelf_life_days > 0),
    pack_base bigint not null check (pack_base >= 1),
    certificates {json} not null,
    catalogue_code text not null,
    tax_code text not null,
    is_active boolean not null,
    created_at {time} not null,
    updated_at {time} not null,
    version bigint not null
);
create unique index product_code on product (county_code, code);
create index product_county on product (county_code, id);
create table reference_price (
    id {uuid} primary key,
    product_id {uuid} not null references product (id),
    grade text,
    price_fen bigint not null check (price_fen > 0),
    pricing_unit text not null,
    from_on {date} not null,
    source text not null,
    created_at {time} not null
);
create index reference_price_product on reference_price (product_id, from_on, id);
";
