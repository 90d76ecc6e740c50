//! A reference price is proposed by one person and in force once another has approved it.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Two people for a reference price.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

/// Those that were noted before stay in force.
const STATEMENTS: &str = "
alter table reference_price add column proposed_by {uuid};
alter table reference_price add column approved_by {uuid};
alter table reference_price add column approved_at {time};
update reference_price set approved_at = created_at;
";
