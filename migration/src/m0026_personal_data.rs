//! Identity numbers and addresses of households, fingerprints by which they are found, how often somebody was shown
//! personal data on a day, and requests to be erased.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Identity numbers, addresses, fingerprints, counted reveals and requests to be erased.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
alter table household add column identity_number_sealed text;
alter table household add column address_sealed text;
alter table household add column identity_fingerprint text;
alter table household add column phone_fingerprint text;
alter table household add column erased_at {time};
create unique index household_identity on household (identity_fingerprint, county_code)
    where identity_fingerprint is not null;
create index household_phone on household (phone_fingerprint) where phone_fingerprint is not null;
create table reveal_day (
    principal_id {uuid} not null references principal (id),
    revealed_on {date} not null,
    reveal_count bigint not null check (reveal_count > 0),
    primary key (principal_id, revealed_on)
);
create table erasure_request (
    id {uuid} primary key,
    county_code text not null,
    household_id {uuid} not null references household (id),
    state text not null check (state in ('requested','approved','refused')),
    reason text,
    requested_by {uuid} not null,
    requested_at {time} not null,
    decided_by {uuid},
    decided_at {time},
    refusal_reason text,
    check ((state = 'requested') = (decided_at is null)),
    check ((state = 'requested') = (decided_by is null)),
    check ((state = 'refused') = (refusal_reason is not null)),
    check (decided_by <> requested_by)
);
create unique index erasure_request_open on erasure_request (household_id) where state = 'requested';
create index erasure_request_county on erasure_request (county_code, id);
create index audit_event_household on audit_event (household_id, id) where household_id is not null;
";
