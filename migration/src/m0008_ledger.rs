//! The double-entry ledger: accounts with their stored balance, entries and postings that are only ever added.

use sea_orm_migration::prelude::*;

use crate::sql;

/// The double-entry ledger: accounts with their stored balance, entries and postings that are only ever added.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table ledger_account (
    id {uuid} primary key,
    county_code text not null,
    kind text not null check (kind in ('receivable','deposit','payable','escrow','clearing','rounding')),
    owner_id {uuid},
    balance_fen bigint not null,
    created_at {time} not null
);
create unique index ledger_account_owned on ledger_account (county_code, kind, owner_id) where owner_id is not null;
create unique index ledger_account_common on ledger_account (county_code, kind) where owner_id is null;
create index ledger_account_county on ledger_account (county_code, id);
create table ledger_entry (
    id {uuid} primary key,
    county_code text not null,
    kind text not null,
    source_kind text not null,
    source_id {uuid} not null,
    occurred_on {date} not null,
    reverses_id {uuid} unique references ledger_entry (id),
    created_at {time} not null
);
create index ledger_entry_source on ledger_entry (source_kind, source_id);
create table ledger_posting (
    entry_id {uuid} not null references ledger_entry (id),
    line_no bigint not null,
    account_id {uuid} not null references ledger_account (id),
    occurred_on {date} not null,
    amount_fen bigint not null check (amount_fen <> 0),
    primary key (entry_id, line_no)
);
create index ledger_posting_account on ledger_posting (account_id, entry_id, line_no);
create index ledger_posting_account_day on ledger_posting (account_id, occurred_on);
";
