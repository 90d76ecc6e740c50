//! What institutions pay ahead and how it is used: orders say whether they are paid first, and uses of a deposit stand
//! beside payments.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Prepaid orders, and uses of deposits.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
alter table purchase_order add column payment_mode text not null default 'goods_first'
    check (payment_mode in ('goods_first','prepaid'));
create index purchase_order_prepaid on purchase_order (institution_id)
    where payment_mode = 'prepaid' and state = 'delivering';
create table deposit_use (
    id {uuid} primary key,
    county_code text not null,
    number text not null unique,
    institution_id {uuid} not null references institution (id),
    order_id {uuid} references purchase_order (id),
    amount_fen bigint not null check (amount_fen > 0),
    used_on {date} not null,
    state text not null check (state in ('recorded','reversed')),
    used_by {uuid},
    entry_id {uuid} not null references ledger_entry (id),
    created_at {time} not null,
    reversed_by {uuid},
    reversed_at {time},
    reversal_reason text,
    check ((state = 'reversed') = (reversed_at is not null))
);
create index deposit_use_institution on deposit_use (institution_id, id);
create index deposit_use_county on deposit_use (county_code, id);
create table deposit_use_part (
    deposit_use_id {uuid} not null references deposit_use (id),
    settlement_line_id {uuid} not null references settlement_line (id),
    settlement_id {uuid} not null references settlement (id),
    amount_fen bigint not null check (amount_fen > 0),
    primary key (deposit_use_id, settlement_line_id)
);
create index deposit_use_part_line on deposit_use_part (settlement_line_id);
create index deposit_use_part_settlement on deposit_use_part (settlement_id);
create index payment_part_settlement on payment_part (settlement_id);
";
