//! Orders, their lines and the allocations that fill them.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Orders, their lines and the allocations that fill them.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table purchase_order (
    id {uuid} primary key,
    county_code text not null,
    number text not null unique,
    institution_id {uuid} not null references institution (id),
    policy text not null,
    state text not null check (state in ('placed','confirmed','delivering','accepted','settled','closed','cancelled','expired')),
    amount_fen bigint not null check (amount_fen >= 0),
    placed_by {uuid} not null,
    placed_at {time} not null,
    hold_expires_at {time} not null,
    confirmed_by {uuid},
    confirmed_at {time},
    ended_at {time},
    rating bigint check (rating between 1 and 5),
    rating_comment text,
    rated_at {time},
    version bigint not null
);
create index purchase_order_institution on purchase_order (institution_id, id);
create index purchase_order_county on purchase_order (county_code, id);
create index purchase_order_hold on purchase_order (hold_expires_at) where state = 'placed';
create table order_line (
    id {uuid} primary key,
    order_id {uuid} not null references purchase_order (id),
    line_no bigint not null,
    product_id {uuid} not null references product (id),
    quantity_base bigint not null check (quantity_base > 0),
    max_price_fen bigint not null check (max_price_fen > 0),
    max_price_unit text not null,
    needed_by {date} not null,
    region_code text not null,
    grade text,
    min_share_base bigint check (min_share_base > 0),
    max_households bigint check (max_households > 0),
    allow_partial boolean not null,
    shortfall_base bigint not null check (shortfall_base >= 0),
    amount_fen bigint not null check (amount_fen >= 0),
    replay text not null
);
create unique index order_line_order on order_line (order_id, line_no);
create table allocation (
    id {uuid} primary key,
    county_code text not null,
    order_id {uuid} not null references purchase_order (id),
    line_id {uuid} not null references order_line (id),
    lot_id {uuid} not null references lot (id),
    household_id {uuid} not null,
    quantity_base bigint not null check (quantity_base > 0),
    price_fen bigint not null check (price_fen > 0),
    pricing_unit text not null,
    amount_fen bigint not null check (amount_fen >= 0),
    tier bigint not null check (tier between 1 and 4),
    reason text not null,
    state text not null check (state in ('held','confirmed','dispatched','accepted','released')),
    round bigint not null
);
create index allocation_order on allocation (order_id, id);
create index allocation_line on allocation (line_id);
create index allocation_lot on allocation (lot_id);
create index allocation_household on allocation (household_id, id);
";
