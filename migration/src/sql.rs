//! One dialect for both engines: a change is written once, with the few types that differ in braces.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};

/// Runs the statements of one change, each closed by `;`, after naming the engine's types:
/// `{uuid}`, `{time}` (UTC, microseconds), `{date}` and `{json}`.
pub async fn apply(manager: &SchemaManager<'_>, statements: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let types = match connection.get_database_backend() {
        DatabaseBackend::Postgres => {
            [("{uuid}", "uuid"), ("{time}", "timestamptz"), ("{date}", "date"), ("{json}", "jsonb")]
        }
        _ => [("{uuid}", "blob"), ("{time}", "text"), ("{date}", "text"), ("{json}", "text")],
    };
    for statement in statements.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let named = types.iter().fold(statement.to_owned(), |sql, (mark, name)| sql.replace(mark, name));
        connection.execute_unprepared(&named).await?;
    }
    Ok(())
}
