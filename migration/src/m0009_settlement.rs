//! Settlements: what an acceptance makes an institution owe and each household be owed.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Settlements: what an acceptance makes an institution owe and each household be owed.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table settlement (
    id {uuid} primary key,
    county_code text not null,
    number text not null unique,
    order_id {uuid} not null references purchase_order (id),
    acceptance_id {uuid} not null unique references acceptance (id),
    institution_id {uuid} not null references institution (id),
    amount_fen bigint not null check (amount_fen >= 0),
    received_fen bigint not null check (received_fen >= 0),
    settled_on {date} not null,
    due_on {date} not null,
    created_at {time} not null,
    check (received_fen <= amount_fen)
);
create index settlement_institution on settlement (institution_id, id);
create index settlement_county on settlement (county_code, id);
create index settlement_unpaid on settlement (institution_id, settled_on, id) where received_fen < amount_fen;
create index settlement_order on settlement (order_id);
create table settlement_line (
    id {uuid} primary key,
    settlement_id {uuid} not null references settlement (id),
    delivery_line_id {uuid} not null unique references delivery_line (id),
    allocation_id {uuid} not null references allocation (id),
    household_id {uuid} not null,
    county_code text not null,
    village_code text not null,
    household_status text not null,
    product_id {uuid} not null,
    category text not null,
    institution_id {uuid} not null,
    institution_kind text not null,
    sold_on {date} not null,
    measure text not null,
    quantity_base bigint not null check (quantity_base >= 0),
    price_fen bigint not null check (price_fen > 0),
    pricing_unit text not null,
    amount_fen bigint not null check (amount_fen >= 0),
    received_fen bigint not null check (received_fen >= 0),
    paid_out_fen bigint not null check (paid_out_fen >= 0),
    check (paid_out_fen <= received_fen and received_fen <= amount_fen)
);
create index settlement_line_settlement on settlement_line (settlement_id, id);
create index settlement_line_household on settlement_line (household_id, sold_on);
create index settlement_line_sales on settlement_line (county_code, sold_on);
create index settlement_line_report on settlement_line (
    village_code, category, sold_on, household_id, institution_id, measure, quantity_base, amount_fen, received_fen,
    paid_out_fen, product_id, household_status, institution_kind
);
create index settlement_line_payable on settlement_line (county_code, household_id, id) where paid_out_fen < received_fen;
";
