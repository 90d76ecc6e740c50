//! Sessions, idempotency keys, counters and the audit trail: what every slice stands on.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Sessions, idempotency keys, counters and the audit trail: what every slice stands on.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table principal (
    id {uuid} primary key,
    county_code text,
    account text not null unique,
    password_hash text not null,
    role text not null check (role in ('household','helper','buyer','approver','officer','finance','auditor','admin')),
    display_name text not null,
    household_id {uuid},
    institution_id {uuid},
    region_code text,
    is_active boolean not null,
    created_at {time} not null
);
create index principal_institution on principal (institution_id) where institution_id is not null;
create index principal_household on principal (household_id) where household_id is not null;
create table session (
    id {uuid} primary key,
    principal_id {uuid} not null references principal (id),
    token_hash text not null unique,
    created_at {time} not null,
    expires_at {time} not null,
    revoked_at {time}
);
create index session_principal on session (principal_id, id);
create table idempotency_key (
    principal_id {uuid} not null,
    key text not null,
    fingerprint text not null,
    response text not null,
    created_at {time} not null,
    primary key (principal_id, key)
);
create index idempotency_key_created on idempotency_key (created_at);
create table counter (
    name text primary key,
    value bigint not null check (value >= 0)
);
create table audit_event (
    id {uuid} primary key,
    county_code text,
    at {time} not null,
    actor_id {uuid},
    actor_role text not null,
    household_id {uuid},
    action text not null,
    subject_kind text not null,
    subject_id {uuid} not null,
    before_json {json},
    after_json {json},
    request_id text
);
create index audit_event_subject on audit_event (subject_kind, subject_id, id);
create index audit_event_county on audit_event (county_code, id);
";
