//! What an institution has to pay besides the goods, and until when: dated fee rates per county, dated payment terms per
//! institution, the fee of a settlement and what of it was received, and the reminders that were raised.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

use crate::sql;

/// Fees, payment terms and reminders.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kinds = match manager.get_connection().get_database_backend() {
            DatabaseBackend::Postgres => KINDS_POSTGRES,
            _ => KINDS_SQLITE,
        };
        sql::apply(manager, kinds).await?;
        sql::apply(manager, STATEMENTS).await
    }
}

/// A county's `fee` account joins the kinds.
const KINDS_POSTGRES: &str = "
alter table ledger_account drop constraint ledger_account_kind_check;
alter table ledger_account add constraint ledger_account_kind_check
    check (kind in ('receivable','deposit','payable','escrow','clearing','rounding','fee'));
";

/// SQLite cannot alter a check: the table is rebuilt under its name, so that postings go on naming it
/// (<https://www.sqlite.org/lang_altertable.html#otheralter>). Whoever migrates has foreign keys off meanwhile and checks
/// them before the commit.
const KINDS_SQLITE: &str = "
create table ledger_account_rebuilt (
    id {uuid} primary key,
    county_code text not null,
    kind text not null check (kind in ('receivable','deposit','payable','escrow','clearing','rounding','fee')),
    owner_id {uuid},
    balance_fen bigint not null,
    created_at {time} not null
);
insert into ledger_account_rebuilt (id, county_code, kind, owner_id, balance_fen, created_at)
    select id, county_code, kind, owner_id, balance_fen, created_at from ledger_account;
drop table ledger_account;
alter table ledger_account_rebuilt rename to ledger_account;
create unique index ledger_account_owned on ledger_account (county_code, kind, owner_id) where owner_id is not null;
create unique index ledger_account_common on ledger_account (county_code, kind) where owner_id is null;
create index ledger_account_county on ledger_account (county_code, id);
";

const STATEMENTS: &str = "
create table fee_rate (
    id {uuid} primary key,
    county_code text not null,
    from_on {date} not null,
    rate_ppm bigint not null check (rate_ppm between 0 and 100000),
    source text not null,
    set_by {uuid} not null,
    created_at {time} not null
);
create index fee_rate_county on fee_rate (county_code, from_on, created_at, id);
create table payment_term (
    id {uuid} primary key,
    county_code text not null,
    institution_id {uuid} not null references institution (id),
    from_on {date} not null,
    days bigint not null check (days between 1 and 60),
    source text not null,
    set_by {uuid} not null,
    created_at {time} not null
);
create index payment_term_institution on payment_term (institution_id, from_on, created_at, id);
alter table settlement add column fee_fen bigint not null default 0 check (fee_fen >= 0);
alter table settlement add column fee_received_fen bigint not null default 0
    check (fee_received_fen >= 0 and fee_received_fen <= fee_fen);
drop index settlement_unpaid;
create index settlement_unpaid on settlement (institution_id, settled_on, id)
    where received_fen + fee_received_fen < amount_fen + fee_fen;
create index settlement_due on settlement (due_on, id) where received_fen + fee_received_fen < amount_fen + fee_fen;
create table payment_fee_part (
    payment_id {uuid} not null references payment (id),
    settlement_id {uuid} not null references settlement (id),
    amount_fen bigint not null check (amount_fen > 0),
    primary key (payment_id, settlement_id)
);
create index payment_fee_part_settlement on payment_fee_part (settlement_id);
create table deposit_use_fee_part (
    deposit_use_id {uuid} not null references deposit_use (id),
    settlement_id {uuid} not null references settlement (id),
    amount_fen bigint not null check (amount_fen > 0),
    primary key (deposit_use_id, settlement_id)
);
create index deposit_use_fee_part_settlement on deposit_use_fee_part (settlement_id);
create table payment_reminder (
    id {uuid} primary key,
    county_code text not null,
    settlement_id {uuid} not null references settlement (id),
    institution_id {uuid} not null references institution (id),
    step bigint not null,
    due_on {date} not null,
    open_fen bigint not null check (open_fen > 0),
    raised_on {date} not null,
    created_at {time} not null
);
create unique index payment_reminder_once on payment_reminder (settlement_id, step);
create index payment_reminder_county on payment_reminder (county_code, id);
create index payment_reminder_institution on payment_reminder (institution_id, id);
";
