//! Payments from institutions and payouts to households.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Payments from institutions and payouts to households.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table payment (
    id {uuid} primary key,
    county_code text not null,
    number text not null unique,
    institution_id {uuid} not null references institution (id),
    amount_fen bigint not null check (amount_fen > 0),
    deposited_fen bigint not null check (deposited_fen >= 0),
    received_on {date} not null,
    reference text not null,
    state text not null check (state in ('recorded','reversed')),
    recorded_by {uuid} not null,
    entry_id {uuid} not null references ledger_entry (id),
    created_at {time} not null,
    reversed_by {uuid},
    reversed_at {time},
    reversal_reason text,
    check (deposited_fen <= amount_fen),
    check ((state = 'reversed') = (reversed_at is not null))
);
create index payment_institution on payment (institution_id, id);
create index payment_county on payment (county_code, id);
create table payment_part (
    payment_id {uuid} not null references payment (id),
    settlement_line_id {uuid} not null references settlement_line (id),
    settlement_id {uuid} not null references settlement (id),
    amount_fen bigint not null check (amount_fen > 0),
    primary key (payment_id, settlement_line_id)
);
create index payment_part_line on payment_part (settlement_line_id);
create table payout_batch (
    id {uuid} primary key,
    county_code text not null,
    number text not null unique,
    state text not null check (state in ('drafted','approved','executed')),
    up_to {date} not null,
    amount_fen bigint not null check (amount_fen > 0),
    payout_count bigint not null check (payout_count > 0),
    made_by {uuid} not null,
    made_at {time} not null,
    approved_by {uuid},
    approved_at {time},
    executed_by {uuid},
    executed_at {time},
    check (approved_by <> made_by),
    check ((state = 'drafted') = (approved_at is null)),
    check ((state = 'executed') = (executed_at is not null))
);
create index payout_batch_county on payout_batch (county_code, id);
create table payout (
    id {uuid} primary key,
    batch_id {uuid} not null references payout_batch (id),
    county_code text not null,
    household_id {uuid} not null,
    amount_fen bigint not null check (amount_fen > 0),
    state text not null check (state in ('drafted','instructed','paid','returned')),
    instruction_entry_id {uuid} references ledger_entry (id),
    result_entry_id {uuid} references ledger_entry (id),
    return_reason text,
    check ((state = 'drafted') = (instruction_entry_id is null)),
    check ((state in ('paid','returned')) = (result_entry_id is not null)),
    check ((state = 'returned') = (return_reason is not null))
);
create index payout_batch_id on payout (batch_id, id);
create unique index payout_once_per_batch on payout (batch_id, household_id);
create index payout_household on payout (household_id, id);
create table payout_part (
    payout_id {uuid} not null references payout (id),
    settlement_line_id {uuid} not null references settlement_line (id),
    amount_fen bigint not null check (amount_fen > 0),
    primary key (payout_id, settlement_line_id)
);
create index payout_part_line on payout_part (settlement_line_id);
";
