//! What institutions pay ahead and how it is used: orders say whether they are paid first, and uses of a deposit stand
//! beside payments. And which payment a line of a bank statement is.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Prepaid orders, uses of deposits, and matches of bank lines.
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
create table bank_statement_match (
    id {uuid} primary key,
    county_code text not null,
    line_id {uuid} not null references bank_statement_line (id),
    payment_id {uuid} not null unique references payment (id),
    kind text not null check (kind in ('exact','manual')),
    matched_by {uuid},
    matched_at {time} not null,
    reversed_at {time}
);
create unique index bank_statement_match_standing on bank_statement_match (line_id) where reversed_at is null;
create index bank_statement_match_line on bank_statement_match (line_id);
create table bank_statement_explanation (
    id {uuid} primary key,
    county_code text not null,
    line_id {uuid} not null references bank_statement_line (id),
    note text not null,
    explained_by {uuid} not null,
    explained_at {time} not null
);
create index bank_statement_explanation_line on bank_statement_explanation (line_id, id);
create index bank_statement_line_payer on bank_statement_line (county_code, payer_account_fingerprint)
    where payer_account_fingerprint is not null;
";
