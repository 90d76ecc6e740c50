//! SQL of fee rates. They are only added.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::{FeeRateView, NewFeeRate};
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;
use crate::money::Rate;

pub async fn insert(txn: &WriteTxn, rate: &FeeRateView) -> Result<(), DbErr> {
    let sql = "insert into fee_rate (id, county_code, from_on, rate_ppm, source, set_by, created_at)
               values ($1, $2, $3, $4, $5, $6, $7)";
    let values: [Value; 7] = [
        rate.id.into(),
        rate.county_code.clone().into(),
        rate.set.from_on.into(),
        rate.set.rate.ppm().into(),
        rate.set.source.clone().into(),
        rate.set_by.into(),
        rate.created_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// One row more than the page holds, the one set last first.
pub async fn list(
    connection: &impl ConnectionTrait,
    county_code: &str,
    request: PageRequest,
) -> Result<Vec<FeeRateView>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        county_code: String,
        from_on: NaiveDate,
        rate_ppm: i64,
        source: String,
        set_by: Uuid,
        created_at: DateTime<Utc>,
    }
    let before = if request.before.is_some() { "and id < $3" } else { "" };
    let sql = format!(
        "select id, county_code, from_on, rate_ppm, source, set_by, created_at from fee_rate
         where county_code = $1 {before} order by id desc limit $2"
    );
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let values = [Some(county_code.into()), Some(limit.into()), request.before.map(Value::from)];
    let rows: Vec<Row> = db::rows(connection, &sql, values.into_iter().flatten()).await?;
    let view = |row: Row| FeeRateView {
        id: row.id,
        county_code: row.county_code,
        set: NewFeeRate { from_on: row.from_on, rate: Rate::of_ppm(row.rate_ppm), source: row.source },
        set_by: row.set_by,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(view).collect())
}
