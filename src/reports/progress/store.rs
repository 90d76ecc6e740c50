//! SQL of the public progress page.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};

use crate::db;
use crate::members::access::RegionScope;

/// What accepted sales add up to.
#[derive(Clone, Debug, Serialize, Deserialize, FromQueryResult)]
pub struct Figures {
    pub households: i64,
    pub amount_fen: i64,
    pub orders: i64,
    pub villages: i64,
}

/// The name of a county, if the code is one.
pub async fn county_name(connection: &impl ConnectionTrait, code: &str) -> Result<Option<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        name: String,
    }
    let sql = "select name from region where code = $1 and level = 'county'";
    Ok(db::row::<Found>(connection, sql, [code.into()]).await?.map(|found| found.name))
}

/// The days on which something was sold, and how many different households sold, refused lines left out.
pub async fn days(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
) -> Result<Vec<(NaiveDate, i64)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Day {
        sold_on: NaiveDate,
        households: i64,
    }
    let sql = "select sold_on, count(distinct household_id) as households from settlement_line
               where village_code >= $1 and village_code < $2 and quantity_base > 0 group by sold_on";
    let values = [region.from.as_str().into(), region.before.as_str().into()];
    let days: Vec<Day> = db::rows(connection, sql, values).await?;
    Ok(days.into_iter().map(|day| (day.sold_on, day.households)).collect())
}

/// All accepted sales of a region until a day, refused lines left out.
pub async fn figures(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    until: NaiveDate,
) -> Result<Option<Figures>, DbErr> {
    let sql = "with line as not materialized (
                   select household_id, amount_fen, village_code, settlement_id from settlement_line
                   where village_code >= $1 and village_code < $2 and quantity_base > 0 and sold_on <= $3
               )
               select count(distinct household_id) as households,
                      cast(coalesce(sum(amount_fen), 0) as bigint) as amount_fen,
                      count(distinct village_code) as villages,
                      (select count(distinct settlement.order_id) from settlement
                       where settlement.id in (select settlement_id from line)) as orders
               from line";
    let values = [region.from.as_str().into(), region.before.as_str().into(), until.into()];
    db::row(connection, sql, values).await
}
