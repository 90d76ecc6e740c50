//! SQL of sealed columns: which texts are not under a key, and their replacement.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

use super::Place;
use crate::db::{self, ColumnType, WriteTxn};

/// A sealed text of a row.
#[derive(Clone, Debug, FromQueryResult)]
pub struct SealedText {
    pub id: Uuid,
    pub text: String,
}

/// A text that takes the place of another.
#[derive(Clone, Debug)]
pub struct Replacement {
    pub id: Uuid,
    pub before: String,
    pub after: String,
}

/// Texts of a column that do not begin with `prefix`, by id.
pub async fn without_prefix(
    connection: &impl ConnectionTrait,
    place: Place,
    prefix: &str,
    after: Uuid,
    limit: u64,
) -> Result<Vec<SealedText>, DbErr> {
    let Place { table, key, column } = place;
    let sql = format!(
        "select {key} as id, {column} as text from {table}
         where {key} > $1 and {column} is not null and {column} not like $2 order by {key} limit $3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db::rows(connection, &sql, [after.into(), format!("{prefix}%").into(), limit.into()]).await
}

/// Replaces texts that are still what they were; answers how many were.
pub async fn replace(txn: &WriteTxn, place: Place, texts: &[Replacement]) -> Result<u64, DbErr> {
    let Place { table, key, column } = place;
    let columns =
        [("id", ColumnType::Uuid), ("text_before", ColumnType::Text), ("text_after", ColumnType::Text)];
    let sql = format!(
        "update {table} set {column} = fresh.text_after from ({}) as fresh
         where {table}.{key} = fresh.id and {table}.{column} = fresh.text_before",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = texts.iter().map(|one| vec![db::set_id(one.id), json!(one.before), json!(one.after)]);
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
}

/// How many texts of a column begin with each of the prefixes.
pub async fn counts(
    connection: &impl ConnectionTrait,
    place: Place,
    prefixes: &[String],
) -> Result<Vec<(String, i64)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        prefix: String,
        texts: i64,
    }
    let Place { table, column, .. } = place;
    let sql = format!(
        "select known.prefix, count(*) as texts from ({}) as known
         join {table} on {table}.{column} like known.prefix || '%' group by known.prefix",
        db::set_rows(connection.get_database_backend(), "$1", &[("prefix", ColumnType::Text)])
    );
    let wanted = prefixes.iter().map(|prefix| vec![json!(prefix)]).collect();
    let rows: Vec<Row> = db::rows(connection, &sql, [db::set_parameter(wanted)]).await?;
    Ok(rows.into_iter().map(|row| (row.prefix, row.texts)).collect())
}

/// How many texts of a column do not begin with `prefix`.
pub async fn count_without(
    connection: &impl ConnectionTrait,
    place: Place,
    prefix: &str,
) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        texts: i64,
    }
    let Place { table, column, .. } = place;
    let sql =
        format!("select count(*) as texts from {table} where {column} is not null and {column} not like $1");
    let row: Option<Row> = db::row(connection, &sql, [format!("{prefix}%").into()]).await?;
    Ok(row.map_or(0, |row| row.texts))
}
