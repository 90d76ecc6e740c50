//! Rows of the audit trail, of its chain and of the ledger are only added: the database itself refuses to change or remove
//! one, whoever asks. Whoever owns the tables can take that guard away; the chain and the audit then tell.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

/// Refuses changes of rows that are only added.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

const TABLES: [&str; 5] = ["audit_event", "trail_link", "chained_event", "ledger_entry", "ledger_posting"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if connection.get_database_backend() == DatabaseBackend::Postgres {
            connection.execute_unprepared(FUNCTION).await?;
            for table in TABLES {
                connection.execute_unprepared(&guard(table)).await?;
            }
            return Ok(());
        }
        for table in TABLES {
            for verb in ["update", "delete"] {
                connection.execute_unprepared(&guard_against(verb, table)).await?;
            }
        }
        Ok(())
    }
}

const FUNCTION: &str = "
create function refuse_change() returns trigger language plpgsql as $body$
begin
    raise exception using errcode = 'ZX002', message = 'rows of ' || tg_table_name || ' are only added';
end
$body$";

/// Once per statement, so that it costs nothing to add rows and a statement that would find none is refused as well.
fn guard(table: &str) -> String {
    format!(
        "create trigger {table}_only_added before update or delete or truncate on {table}
         for each statement execute function refuse_change()"
    )
}

fn guard_against(verb: &str, table: &str) -> String {
    format!(
        "create trigger {table}_only_added_{verb} before {verb} on {table}
         begin select raise(abort, 'rows of {table} are only added'); end"
    )
}
