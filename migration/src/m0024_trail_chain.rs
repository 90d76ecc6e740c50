//! Links of the audit trail: which events stand chained in which order, and the chain of their digests.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Links of the audit trail.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table trail_link (
    number bigint primary key check (number > 0),
    event_count bigint not null check (event_count > 0),
    digest text not null unique check (length(digest) = 64),
    chained_at {time} not null
);
create index trail_link_chained_at on trail_link (chained_at);
create table chained_event (
    event_id {uuid} primary key references audit_event (id),
    link_number bigint not null references trail_link (number),
    position bigint not null check (position > 0),
    digest text not null check (length(digest) = 64),
    unique (link_number, position)
);
";
