//! Deliveries, what was dispatched per allocation, and their acceptance.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Deliveries, what was dispatched per allocation, and their acceptance.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table delivery (
    id {uuid} primary key,
    county_code text not null,
    order_id {uuid} not null references purchase_order (id),
    number text not null unique,
    state text not null check (state in ('dispatched','accepted')),
    dispatched_by {uuid} not null,
    dispatched_at {time} not null,
    note text
);
create index delivery_order on delivery (order_id, id);
create table delivery_line (
    id {uuid} primary key,
    delivery_id {uuid} not null references delivery (id),
    allocation_id {uuid} not null references allocation (id),
    dispatched_base bigint not null check (dispatched_base >= 0),
    accepted_base bigint check (accepted_base >= 0),
    refused_base bigint check (refused_base >= 0),
    refusal_reason text
);
create unique index delivery_line_allocation on delivery_line (allocation_id);
create index delivery_line_delivery on delivery_line (delivery_id, id);
create table acceptance (
    id {uuid} primary key,
    delivery_id {uuid} not null unique references delivery (id),
    accepted_by {uuid} not null,
    witnessed_by {uuid} not null,
    accepted_on {date} not null,
    created_at {time} not null
);
";
