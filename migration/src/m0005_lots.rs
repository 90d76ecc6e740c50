//! Lots: what a household offers, and how much of it is held, confirmed and delivered.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Lots: what a household offers, and how much of it is held, confirmed and delivered.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table lot (
    id {uuid} primary key,
    county_code text not null,
    household_id {uuid} not null references household (id),
    product_id {uuid} not null references product (id),
    village_code text not null references region (code),
    external_ref text,
    grade text,
    price_fen bigint not null check (price_fen > 0),
    pricing_unit text not null,
    offered_base bigint not null check (offered_base >= 0),
    held_base bigint not null default 0 check (held_base >= 0),
    confirmed_base bigint not null default 0 check (confirmed_base >= 0),
    delivered_base bigint not null default 0 check (delivered_base >= 0),
    ready_from {date} not null,
    sell_by {date} not null,
    certificates {json} not null,
    certified_until {date},
    state text not null check (state in ('on_sale','withdrawn')),
    created_at {time} not null,
    updated_at {time} not null,
    version bigint not null,
    check (held_base + confirmed_base + delivered_base <= offered_base)
);
create unique index lot_external_ref on lot (county_code, external_ref) where external_ref is not null;
create index lot_for_sale on lot (product_id, village_code, id) where state = 'on_sale';
create index lot_county on lot (county_code, id);
create index lot_household on lot (household_id, id);
";
