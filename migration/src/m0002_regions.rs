//! The region tree: statistical codes valid from and to a day.

use sea_orm_migration::prelude::*;

use crate::sql;

/// The region tree: statistical codes valid from and to a day.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create table region (
    code text primary key check (length(code) = 12),
    level text not null check (level in ('province','city','county','township','village')),
    name text not null,
    parent_code text references region (code),
    valid_from {date} not null,
    valid_to {date}
);
create index region_parent on region (parent_code, code);
";
