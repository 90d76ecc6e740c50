//! Statements of a county's bank accounts, and the lines in them. Amounts are whole minor units (fen for CNY) of the
//! currency that stands beside them.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Statements of a county's bank accounts, and the lines in them.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

// A file may hold several statements, told apart by `file_part`. A line that stands in two overlapping files is one row,
// of the statement that brought it first, and the other statement names it in `bank_statement_repeat`. `identity` is
// `<booked on>/<amount>/<balance>/<digest of the rest>`. `payer` is whoever stands on the other side of a line.
const STATEMENTS: &str = "
create table bank_statement (
    id {uuid} primary key,
    county_code text not null,
    bank text not null,
    format text not null,
    account_masked text,
    account_sealed text,
    account_fingerprint text,
    currency text not null check (length(currency) = 3),
    from_on {date} not null,
    to_on {date} not null,
    opening_minor bigint,
    opening_currency text,
    closing_minor bigint,
    closing_currency text,
    line_count bigint not null check (line_count >= 0),
    in_minor bigint not null check (in_minor >= 0),
    out_minor bigint not null check (out_minor >= 0),
    file_digest text not null,
    file_part integer not null,
    imported_by {uuid},
    imported_at {time} not null,
    check (from_on <= to_on),
    check ((opening_minor is null) = (opening_currency is null)),
    check ((closing_minor is null) = (closing_currency is null)),
    check ((account_sealed is null) = (account_masked is null))
);
create unique index bank_statement_file on bank_statement (county_code, file_digest, file_part);
create index bank_statement_county on bank_statement (county_code, id);
create table bank_statement_line (
    id {uuid} primary key,
    statement_id {uuid} not null references bank_statement (id),
    county_code text not null,
    position bigint not null check (position > 0),
    currency text not null check (length(currency) = 3),
    amount_minor bigint not null,
    booked_on {date} not null,
    booked_at {time},
    value_on {date},
    payer_name text,
    payer_account text,
    payer_account_fingerprint text,
    remark text not null,
    bank_reference text,
    balance_minor bigint,
    identity text not null
);
create unique index bank_statement_line_identity on bank_statement_line (county_code, identity);
create unique index bank_statement_line_position on bank_statement_line (statement_id, position);
create table bank_statement_repeat (
    statement_id {uuid} not null references bank_statement (id),
    position bigint not null check (position > 0),
    line_id {uuid} not null references bank_statement_line (id),
    primary key (statement_id, position)
);
create index bank_statement_repeat_line on bank_statement_repeat (line_id);
";
