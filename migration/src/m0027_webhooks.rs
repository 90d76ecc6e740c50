//! Webhooks: addresses of institutions' own systems, and what is to be delivered to them.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Webhooks and their deliveries.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

/// `events` names those that are wanted with commas between; empty, all of them. `failures` counts attempts that failed in
/// a row. A delivery is written in the transaction of what it tells; whoever attempts it holds `lease_until`.
const STATEMENTS: &str = "
create table webhook (
    id {uuid} primary key,
    county_code text not null,
    institution_id {uuid} not null references institution (id),
    url text not null check (length(url) <= 500),
    events text not null,
    secret_sealed text not null,
    failures integer not null default 0 check (failures >= 0),
    created_by {uuid} not null,
    created_at {time} not null,
    ended_at {time}
);
create index webhook_institution on webhook (institution_id, id);
create table webhook_delivery (
    id {uuid} primary key,
    webhook_id {uuid} not null references webhook (id),
    event text not null,
    subject_id {uuid} not null,
    payload text not null,
    state text not null check (state in ('pending','delivered','failed')),
    attempts integer not null default 0 check (attempts >= 0),
    next_at {time} not null,
    lease_until {time},
    last_status integer,
    last_error text,
    created_at {time} not null,
    ended_at {time},
    check ((state = 'pending') = (ended_at is null))
);
create index webhook_delivery_due on webhook_delivery (next_at) where state = 'pending';
create index webhook_delivery_pending on webhook_delivery (webhook_id, id) where state = 'pending';
create index webhook_delivery_webhook on webhook_delivery (webhook_id, id);
create index webhook_delivery_ended on webhook_delivery (ended_at) where state <> 'pending';
";
