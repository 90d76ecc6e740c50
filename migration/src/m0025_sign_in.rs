//! What signing in needs besides a password: one-time codes, a second factor, keys of institutions' own systems, idle
//! sessions, and where a write came from.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

use crate::sql;

/// What signing in needs besides a password.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let is_postgres = manager.get_connection().get_database_backend() == DatabaseBackend::Postgres;
        sql::apply(manager, if is_postgres { PRINCIPALS_CHANGED } else { PRINCIPALS_COPIED }).await?;
        sql::apply(manager, STATEMENTS).await
    }
}

const PRINCIPALS_CHANGED: &str = "
alter table principal drop constraint principal_role_check;
alter table principal add constraint principal_role_check check (role in
    ('household','helper','buyer','approver','officer','finance','auditor','security','admin'));
alter table principal alter column password_hash drop not null;
alter table principal add column password_changed_at {time};
alter table principal add column must_change_password boolean not null default false;
alter table principal add column phone_sealed text;
alter table principal add column phone_fingerprint text;
";

/// `SQLite` changes no check of a table that is there; the rows move into a new one.
const PRINCIPALS_COPIED: &str = "
create table principal_with_phone (
    id {uuid} primary key,
    county_code text,
    account text not null unique,
    password_hash text,
    role text not null check (role in
        ('household','helper','buyer','approver','officer','finance','auditor','security','admin')),
    display_name text not null,
    household_id {uuid},
    institution_id {uuid},
    region_code text,
    is_active boolean not null,
    created_at {time} not null,
    password_changed_at {time},
    must_change_password boolean not null default false,
    phone_sealed text,
    phone_fingerprint text
);
insert into principal_with_phone (id, county_code, account, password_hash, role, display_name, household_id, institution_id,
                                  region_code, is_active, created_at)
select id, county_code, account, password_hash, role, display_name, household_id, institution_id, region_code,
       is_active, created_at from principal;
drop table principal;
alter table principal_with_phone rename to principal;
create index principal_institution on principal (institution_id) where institution_id is not null;
create index principal_household on principal (household_id) where household_id is not null;
";

const STATEMENTS: &str = "
update principal set password_changed_at = created_at;
update principal set county_code = (select county_code from institution where institution.id = principal.institution_id)
where county_code is null and institution_id is not null;
update principal set county_code = (select county_code from household where household.id = principal.household_id)
where county_code is null and household_id is not null;
create unique index principal_phone on principal (phone_fingerprint) where phone_fingerprint is not null;
alter table session add column last_used_at {time};
update session set last_used_at = created_at;
create table second_factor (
    principal_id {uuid} primary key references principal (id),
    secret_sealed text not null,
    created_at {time} not null,
    confirmed_at {time},
    last_step bigint not null
);
create table one_time_code (
    phone_fingerprint text primary key,
    id {uuid} not null,
    purpose text not null check (purpose in ('sign_in','change_bank_account')),
    code_fingerprint text not null,
    created_at {time} not null,
    expires_at {time} not null,
    tries_left bigint not null check (tries_left >= 0),
    used_at {time}
);
create index one_time_code_expires on one_time_code (expires_at);
create table api_key (
    id {uuid} primary key,
    principal_id {uuid} not null references principal (id),
    name text not null,
    secret_hash text not null unique,
    scopes text not null,
    created_at {time} not null,
    expires_at {time} not null,
    revoked_at {time}
);
create index api_key_principal on api_key (principal_id, id);
alter table audit_event add column peer text;
";
