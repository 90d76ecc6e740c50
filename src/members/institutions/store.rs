//! SQL of institutions.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::rules::Kind;
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::{RegionScope, Scope};

/// A row of `institution`.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: Uuid,
    pub county_code: String,
    pub region_code: String,
    pub name: String,
    pub kind: String,
    pub credit_code: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
}

/// Which institutions a list shows, within the caller's scope.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub region: Option<RegionScope>,
    pub kind: Option<Kind>,
}

const COLUMNS: &str =
    "id, county_code, region_code, name, kind, credit_code, created_at, updated_at, version";

fn scope_condition(scope: &Scope, first: usize) -> (String, Vec<Value>) {
    match scope {
        Scope::Institution(id) => (format!("id = ${first}"), vec![(*id).into()]),
        Scope::Region(region) => (
            format!("region_code >= ${first} and region_code < ${}", first + 1),
            vec![region.from.clone().into(), region.before.clone().into()],
        ),
        Scope::Household(_) | Scope::Helper(_) => ("1 = 0".to_owned(), Vec::new()),
    }
}

pub async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<Row>, DbErr> {
    db::row(connection, &format!("select {COLUMNS} from institution where id = $1"), [id.into()]).await
}

pub async fn find_in(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
) -> Result<Option<Row>, DbErr> {
    let (condition, more) = scope_condition(scope, 2);
    let mut values = vec![id.into()];
    values.extend(more);
    db::row(connection, &format!("select {COLUMNS} from institution where id = $1 and {condition}"), values)
        .await
}

pub async fn list(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    filter: &Filter,
    request: PageRequest,
) -> Result<Vec<Row>, DbErr> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_add(1);
    let (condition, more) = scope_condition(scope, 2);
    let mut values: Vec<Value> = vec![limit.into()];
    values.extend(more);
    let mut conditions = vec![condition];
    let mut also = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(format!("{condition} ${}", values.len()));
    };
    if let Some(region) = &filter.region {
        also("region_code >=", region.from.clone().into());
        also("region_code <", region.before.clone().into());
    }
    if let Some(kind) = filter.kind {
        also("kind =", kind.as_str().into());
    }
    if let Some(before) = request.before {
        also("id <", before.into());
    }
    let sql = format!(
        "select {COLUMNS} from institution where {} order by id desc limit $1",
        conditions.join(" and ")
    );
    db::rows(connection, &sql, values).await
}

/// Adds institutions in one statement.
pub async fn insert(txn: &WriteTxn, institutions: &[Row], now: DateTime<Utc>) -> Result<(), DbErr> {
    let columns = [
        ("id", ColumnType::Uuid),
        ("county_code", ColumnType::Text),
        ("region_code", ColumnType::Text),
        ("name", ColumnType::Text),
        ("kind", ColumnType::Text),
        ("credit_code", ColumnType::Text),
    ];
    let sql = format!(
        "insert into institution ({COLUMNS})
         select id, county_code, region_code, name, kind, credit_code, $2, $2, 1 from ({}) as new",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = institutions.iter().map(|row| {
        vec![
            db::set_id(row.id),
            json!(row.county_code),
            json!(row.region_code),
            json!(row.name),
            json!(row.kind),
            json!(row.credit_code),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect()), now.into()]).await?;
    Ok(())
}

/// Changes an institution of the version that was read; `false` when it is another one by now.
pub async fn update(
    txn: &WriteTxn,
    id: Uuid,
    version: i64,
    name: Option<&str>,
    kind: Option<Kind>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "update institution
               set name = coalesce($3, name), kind = coalesce($4, kind), updated_at = $5, version = version + 1
               where id = $1 and version = $2";
    let values = [id.into(), version.into(), name.into(), kind.map(Kind::as_str).into(), now.into()];
    Ok(db::change(txn, sql, values).await? == 1)
}
