//! SQL that all reports share: regions, and how a period or a household's status is looked up.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::db;

/// The level of a region, if there is such a region.
pub async fn region_level(connection: &impl ConnectionTrait, code: &str) -> Result<Option<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        level: String,
    }
    let found: Option<Found> =
        db::row(connection, "select level from region where code = $1", [code.into()]).await?;
    Ok(found.map(|found| found.level))
}

/// The status that `household` had on the day `$parameter`: the latest one begun by then.
pub fn status_on(parameter: &str) -> String {
    format!(
        "coalesce((select dated.status from household_status as dated
                   where dated.household_id = household.id and dated.from_on <= {parameter}
                   order by dated.from_on desc limit 1), household.status)"
    )
}

/// How many rows to read to learn whether there are more than `rows_max`.
pub fn one_more(rows_max: usize) -> i64 {
    i64::try_from(rows_max).unwrap_or(i64::MAX).saturating_add(1)
}
