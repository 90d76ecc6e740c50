//! SQL of cooperatives and their members.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::RegionScope;

/// A row of `cooperative` with the number of its present members.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: Uuid,
    pub county_code: String,
    pub region_code: String,
    pub name: String,
    pub kind: String,
    pub created_at: DateTime<Utc>,
    pub members: i64,
}

const SELECT: &str =
    "select cooperative.id, cooperative.county_code, cooperative.region_code, cooperative.name,
    cooperative.kind, cooperative.created_at,
    (select count(*) from cooperative_member as member
     where member.cooperative_id = cooperative.id and member.to_on is null) as members
    from cooperative";

pub async fn find(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    id: Uuid,
) -> Result<Option<Row>, DbErr> {
    let sql = format!("{SELECT} where cooperative.id = $1 and region_code >= $2 and region_code < $3");
    db::row(connection, &sql, [id.into(), region.from.clone().into(), region.before.clone().into()]).await
}

pub async fn list(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    request: PageRequest,
) -> Result<Vec<Row>, DbErr> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut values: Vec<Value> = vec![limit.into(), region.from.clone().into(), region.before.clone().into()];
    let before = if request.before.is_some() { "and cooperative.id < $4" } else { "" };
    values.extend(request.before.map(Value::from));
    let sql = format!(
        "{SELECT} where region_code >= $2 and region_code < $3 {before} order by cooperative.id desc limit $1"
    );
    db::rows(connection, &sql, values).await
}

pub async fn insert(txn: &WriteTxn, row: &Row) -> Result<(), DbErr> {
    let sql = "insert into cooperative (id, county_code, region_code, name, kind, created_at)
               values ($1, $2, $3, $4, $5, $6)";
    let values = [
        row.id.into(),
        row.county_code.clone().into(),
        row.region_code.clone().into(),
        row.name.clone().into(),
        row.kind.clone().into(),
        row.created_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// Makes households members from a day on, in one statement, and answers those that were not. A membership that ended on
/// or after that day is opened again.
pub async fn add_members(
    txn: &WriteTxn,
    cooperative_id: Uuid,
    households: &[Uuid],
    from_on: NaiveDate,
) -> Result<Vec<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Added {
        household_id: Uuid,
    }
    let wanted = db::set_rows(txn.get_database_backend(), "$1", &[("household_id", ColumnType::Uuid)]);
    let sql = format!(
        "insert into cooperative_member (cooperative_id, household_id, from_on)
         select $2, wanted.household_id, $3 from ({wanted}) as wanted
         where not exists (select 1 from cooperative_member as member
                           where member.cooperative_id = $2 and member.household_id = wanted.household_id
                             and member.to_on is null)
         on conflict (cooperative_id, household_id, from_on) do update set to_on = null
           where cooperative_member.to_on is not null
         returning household_id"
    );
    let parameter = db::set_parameter(households.iter().map(|id| vec![db::set_id(*id)]).collect());
    let added: Vec<Added> = db::rows(txn, &sql, [parameter, cooperative_id.into(), from_on.into()]).await?;
    Ok(added.into_iter().map(|added| added.household_id).collect())
}

/// Ends a membership; `false` when there is none.
pub async fn remove_member(
    txn: &WriteTxn,
    cooperative_id: Uuid,
    household_id: Uuid,
    last_on: NaiveDate,
) -> Result<bool, DbErr> {
    let sql = "update cooperative_member set to_on = $3
               where cooperative_id = $1 and household_id = $2 and to_on is null";
    let values = [cooperative_id.into(), household_id.into(), last_on.into()];
    Ok(db::change(txn, sql, values).await? == 1)
}
