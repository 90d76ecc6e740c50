//! What the bank is told of payouts: payees and payer as they were at approval, who was left out of a batch, why money
//! came back, and which payouts the bank has not answered.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Frozen payees, households left out, reasons of returns, and payouts whose result is not known.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
alter table payout add column return_code text check (
    return_code is null or (state = 'returned' and return_code in
        ('wrong_account','closed_account','blocked_account','name_mismatch','other'))
);
alter table payout add column unknown_since {time} check (unknown_since is null or state = 'instructed');
alter table payout add column retry_allowed_by {uuid};
alter table payout add column retry_allowed_at {time} check (retry_allowed_at is null or state = 'returned');
create index payout_returned on payout (county_code, household_id, id) where state = 'returned';
create table payout_payee (
    payout_id {uuid} primary key references payout (id),
    name_sealed text not null,
    account_sealed text not null
);
alter table payout_batch add column debtor_name text;
alter table payout_batch add column debtor_bank text;
alter table payout_batch add column debtor_account_sealed text;
create table payout_left_out (
    id {uuid} primary key,
    batch_id {uuid} not null references payout_batch (id),
    county_code text not null,
    household_id {uuid} not null,
    amount_fen bigint not null check (amount_fen > 0),
    reason text not null check (reason in ('no_account','account_returned'))
);
create index payout_left_out_batch on payout_left_out (batch_id, id);
create unique index payout_left_out_once on payout_left_out (batch_id, household_id);
";
