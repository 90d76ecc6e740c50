//! Problems: what does not match and somebody must close, one row per occurrence of a case.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Problems, and when the rules that raise them last ran.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

/// A rule's case stands until `case_ended_at`, also when a person has closed its problem before: as long as it stands
/// there is one row of it.
const STATEMENTS: &str = "
create table problem (
    id {uuid} primary key,
    county_code text not null,
    region_code text not null check (length(region_code) = 12),
    rule text not null,
    case_key text not null,
    subject_kind text not null,
    subject_id {uuid},
    household_id {uuid},
    institution_id {uuid},
    title text not null,
    detail text not null,
    owner_role text not null check (owner_role in ('officer','finance')),
    due_on {date} not null,
    state text not null check (state in ('open','closed')),
    opened_by {uuid},
    opened_at {time} not null,
    closed_by {uuid},
    closed_at {time},
    closing_note text,
    case_ended_at {time},
    check ((state = 'closed') = (closed_at is not null)),
    check (closed_by is null or closing_note is not null),
    check (state = 'closed' or case_ended_at is null)
);
create unique index problem_case on problem (rule, case_key) where case_ended_at is null;
create index problem_standing on problem (rule, subject_id) where case_ended_at is null;
create index problem_region on problem (region_code, id);
create table problem_run (
    name text primary key,
    run_at {time} not null
);
";
