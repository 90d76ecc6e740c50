//! Households with dated statuses, institutions, cooperatives, pairings and survey visits.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Households with dated statuses, institutions, cooperatives, pairings and survey visits.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table household (
    id {uuid} primary key,
    county_code text not null,
    village_code text not null references region (code),
    external_ref text,
    head_name text not null,
    phone_sealed text,
    bank_account_sealed text,
    status text not null check (status in ('registered','monitored_unstable','monitored_marginal','monitored_hardship','general')),
    consent_on {date},
    created_at {time} not null,
    updated_at {time} not null,
    version bigint not null
);
create unique index household_external_ref on household (county_code, external_ref) where external_ref is not null;
create index household_village on household (village_code, id);
create index household_county on household (county_code, id);
create table household_status (
    id {uuid} primary key,
    household_id {uuid} not null references household (id),
    status text not null,
    from_on {date} not null,
    to_on {date}
);
create unique index household_status_current on household_status (household_id) where to_on is null;
create unique index household_status_from on household_status (household_id, from_on);
create table survey_visit (
    id {uuid} primary key,
    county_code text not null,
    household_id {uuid} not null references household (id),
    visited_on {date} not null,
    outcome text not null check (outcome in ('has_unsold','nothing_unsold','not_reached')),
    note text,
    visited_by {uuid} not null,
    created_at {time} not null
);
create index survey_visit_household on survey_visit (household_id, id);
create table institution (
    id {uuid} primary key,
    county_code text not null,
    region_code text not null references region (code),
    name text not null,
    kind text not null check (kind in ('agency','school','hospital','public_institution','enterprise','union')),
    credit_code text not null unique,
    created_at {time} not null,
    updated_at {time} not null,
    version bigint not null
);
create index institution_county on institution (county_code, id);
create table cooperative (
    id {uuid} primary key,
    county_code text not null,
    region_code text not null references region (code),
    name text not null,
    kind text not null check (kind in ('park','leading_enterprise','cooperative','family_farm')),
    created_at {time} not null
);
create index cooperative_county on cooperative (county_code, id);
create table cooperative_member (
    cooperative_id {uuid} not null references cooperative (id),
    household_id {uuid} not null references household (id),
    from_on {date} not null,
    to_on {date},
    primary key (cooperative_id, household_id, from_on)
);
create index cooperative_member_household on cooperative_member (household_id);
create table pairing (
    id {uuid} primary key,
    county_code text not null,
    helper_id {uuid} not null references principal (id),
    household_id {uuid} not null references household (id),
    from_on {date} not null,
    to_on {date},
    created_at {time} not null
);
create unique index pairing_open on pairing (helper_id, household_id) where to_on is null;
create index pairing_household on pairing (household_id, id);
create index pairing_county on pairing (county_code, id)
";
