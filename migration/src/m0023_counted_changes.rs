//! What PostgreSQL needs to write and check in one statement: a function that refuses counts other than the expected.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

/// A function that refuses counts other than the expected. `SQLite`, to which there is no way, does without.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if connection.get_database_backend() == DatabaseBackend::Postgres {
            connection.execute_unprepared(FUNCTION).await?;
        }
        Ok(())
    }
}

/// The message of the error is the counts, so that the caller learns which was another.
const FUNCTION: &str = "
create function require_counts(counted text, expected text) returns void language plpgsql as $body$
begin
    if counted <> expected then
        raise exception using errcode = 'ZX001', message = counted;
    end if;
end
$body$";
