//! SQL of counted reveals.

use chrono::NaiveDate;
use sea_orm::DbErr;
use uuid::Uuid;

use crate::db::{self, WriteTxn};

/// Counts one more reveal of somebody's day; `false` when there were `max` of them already. Two at once are counted one
/// after the other, as both write the same row.
pub async fn count_one(
    txn: &WriteTxn,
    principal_id: Uuid,
    today: NaiveDate,
    max: u64,
) -> Result<bool, DbErr> {
    let sql = "insert into reveal_day (principal_id, revealed_on, reveal_count) values ($1, $2, 1)
               on conflict (principal_id, revealed_on)
               do update set reveal_count = reveal_day.reveal_count + 1 where reveal_day.reveal_count < $3";
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    Ok(db::change(txn, sql, [principal_id.into(), today.into(), max.into()]).await? == 1)
}
