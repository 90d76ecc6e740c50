//! SQL of regions.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde_json::json;

use super::rules::{Level, Region};
use crate::db::{self, ColumnType, WriteTxn};

#[derive(Debug, FromQueryResult)]
struct Row {
    code: String,
    level: String,
    name: String,
    parent_code: Option<String>,
    valid_from: NaiveDate,
    valid_to: Option<NaiveDate>,
}

const COLUMNS: &str = "code, level, name, parent_code, valid_from, valid_to";

impl TryFrom<Row> for Region {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Self, DbErr> {
        let level = Level::parse(&row.level)
            .ok_or_else(|| DbErr::Custom(format!("region {} has level {}", row.code, row.level)))?;
        Ok(Self {
            code: row.code,
            level,
            name: row.name,
            parent_code: row.parent_code,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
        })
    }
}

pub async fn find(connection: &impl ConnectionTrait, code: &str) -> Result<Option<Region>, DbErr> {
    let sql = format!("select {COLUMNS} from region where code = $1");
    db::row::<Row>(connection, &sql, [code.into()]).await?.map(Region::try_from).transpose()
}

/// The regions with one of the codes, in one statement.
pub async fn find_many(connection: &impl ConnectionTrait, codes: &[String]) -> Result<Vec<Region>, DbErr> {
    let wanted = db::set_rows(connection.get_database_backend(), "$1", &[("code", ColumnType::Text)]);
    let sql = format!("select {COLUMNS} from region where code in (select code from ({wanted}) as wanted)");
    let parameter = db::set_parameter(codes.iter().map(|code| vec![json!(code)]).collect());
    db::rows::<Row>(connection, &sql, [parameter]).await?.into_iter().map(Region::try_from).collect()
}

/// The regions directly below `parent`, or those with nothing above them, that are valid on `day`, by code.
pub async fn children(
    connection: &impl ConnectionTrait,
    parent: Option<&str>,
    day: NaiveDate,
    after: &str,
    limit: i64,
) -> Result<Vec<Region>, DbErr> {
    let of_parent = if parent.is_some() { "parent_code = $4" } else { "parent_code is null" };
    let sql = format!(
        "select {COLUMNS} from region
         where {of_parent} and code > $1 and valid_from <= $2 and (valid_to is null or valid_to >= $2)
         order by code limit $3"
    );
    let mut values = vec![after.into(), day.into(), limit.into()];
    values.extend(parent.map(sea_orm::Value::from));
    db::rows::<Row>(connection, &sql, values).await?.into_iter().map(Region::try_from).collect()
}

/// Adds regions in one statement; a code that exists keeps what it has, except that a last day may be added to it.
/// Answers how many rows were added or given a last day.
pub async fn insert(txn: &WriteTxn, regions: &[Region]) -> Result<u64, DbErr> {
    let backend = txn.get_database_backend();
    let columns: Vec<(&str, ColumnType)> =
        COLUMNS.split(", ").map(|column| (column, ColumnType::Text)).collect();
    let date = if backend == DbBackend::Postgres { "::date" } else { "" };
    let sql = format!(
        "insert into region ({COLUMNS})
         select code, level, name, parent_code, valid_from{date}, valid_to{date} from ({}) as new where true
         on conflict (code) do update set valid_to = excluded.valid_to
           where region.valid_to is null and excluded.valid_to is not null",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = regions.iter().map(|region| {
        vec![
            json!(region.code),
            json!(region.level.as_str()),
            json!(region.name),
            json!(region.parent_code),
            json!(region.valid_from),
            json!(region.valid_to),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
}
