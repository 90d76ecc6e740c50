//! Entries by the day they count for, so that a ledger is exported day by day, and events by the moment they were
//! written, so that an audit reads only those since a moment.

use sea_orm_migration::prelude::*;

use crate::sql;

/// Entries by day, events by moment.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::apply(manager, STATEMENTS).await
    }
}

const STATEMENTS: &str = "
create index ledger_entry_day on ledger_entry (occurred_on, county_code, id);
create index audit_event_at on audit_event (at);
";
