//! SQL of pairings.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::Scope;

/// A row of `pairing`.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: Uuid,
    pub county_code: String,
    pub helper_id: Uuid,
    pub household_id: Uuid,
    pub from_on: NaiveDate,
    pub to_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
}

/// Which pairings a list shows, within the caller's scope.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub helper_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
}

const COLUMNS: &str =
    "pairing.id, pairing.county_code, pairing.helper_id, pairing.household_id, pairing.from_on,
    pairing.to_on, pairing.created_at";

/// A helper sees their own pairings, a household its own, officials those of households in their region.
fn scope_condition(scope: &Scope, first: usize) -> (String, Vec<Value>) {
    match scope {
        Scope::Helper(id) => (format!("pairing.helper_id = ${first}"), vec![(*id).into()]),
        Scope::Household(id) => (format!("pairing.household_id = ${first}"), vec![(*id).into()]),
        Scope::Institution(_) => ("1 = 0".to_owned(), Vec::new()),
        Scope::Region(region) => (
            format!("household.village_code >= ${first} and household.village_code < ${}", first + 1),
            vec![region.from.clone().into(), region.before.clone().into()],
        ),
    }
}

pub async fn find(connection: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Option<Row>, DbErr> {
    let (condition, more) = scope_condition(scope, 2);
    let sql = format!(
        "select {COLUMNS} from pairing join household on household.id = pairing.household_id
         where pairing.id = $1 and {condition}"
    );
    let mut values = vec![id.into()];
    values.extend(more);
    db::row(connection, &sql, values).await
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
    let ids = [
        ("helper_id =", filter.helper_id),
        ("household_id =", filter.household_id),
        ("id <", request.before),
    ];
    for (condition, id) in ids {
        if let Some(id) = id {
            values.push(id.into());
            conditions.push(format!("pairing.{condition} ${}", values.len()));
        }
    }
    let sql = format!(
        "select {COLUMNS} from pairing join household on household.id = pairing.household_id
         where {} order by pairing.id desc limit $1",
        conditions.join(" and ")
    );
    db::rows(connection, &sql, values).await
}

/// Whether a helper is paired with a household on a day.
pub async fn is_paired(
    connection: &impl ConnectionTrait,
    helper_id: Uuid,
    household_id: Uuid,
    day: NaiveDate,
) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        #[expect(dead_code, reason = "that there is a row is the answer")]
        id: Uuid,
    }
    let sql = "select id from pairing
               where helper_id = $1 and household_id = $2 and from_on <= $3 and (to_on is null or to_on >= $3)
               limit 1";
    let found: Option<Found> =
        db::row(connection, sql, [helper_id.into(), household_id.into(), day.into()]).await?;
    Ok(found.is_some())
}

/// Whether somebody is an active helper of a county.
pub async fn is_helper(
    connection: &impl ConnectionTrait,
    helper_id: Uuid,
    county_code: &str,
) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        #[expect(dead_code, reason = "that there is a row is the answer")]
        id: Uuid,
    }
    let sql = "select id from principal
               where id = $1 and role = 'helper' and is_active and (county_code is null or county_code = $2)";
    let found: Option<Found> = db::row(connection, sql, [helper_id.into(), county_code.into()]).await?;
    Ok(found.is_some())
}

/// Adds pairings in one statement.
pub async fn insert(txn: &WriteTxn, pairings: &[Row], now: DateTime<Utc>) -> Result<(), DbErr> {
    let backend = txn.get_database_backend();
    let date = if backend == DbBackend::Postgres { "::date" } else { "" };
    let columns = [
        ("id", ColumnType::Uuid),
        ("county_code", ColumnType::Text),
        ("helper_id", ColumnType::Uuid),
        ("household_id", ColumnType::Uuid),
        ("from_on", ColumnType::Text),
    ];
    let sql = format!(
        "insert into pairing (id, county_code, helper_id, household_id, from_on, created_at)
         select id, county_code, helper_id, household_id, from_on{date}, $2 from ({}) as new",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = pairings.iter().map(|row| {
        vec![
            db::set_id(row.id),
            json!(row.county_code),
            db::set_id(row.helper_id),
            db::set_id(row.household_id),
            json!(row.from_on),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect()), now.into()]).await?;
    Ok(())
}

/// Ends a pairing that is open; `false` when it is not.
pub async fn end(txn: &WriteTxn, id: Uuid, last_on: NaiveDate) -> Result<bool, DbErr> {
    let sql = "update pairing set to_on = $2 where id = $1 and to_on is null";
    Ok(db::change(txn, sql, [id.into(), last_on.into()]).await? == 1)
}
