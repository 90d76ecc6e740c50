//! SQL of the income report.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use crate::db;
use crate::members::access::RegionScope;
use crate::reports::rules::{IncomeCursor, Period};
use crate::reports::store::{one_more, status_on};

/// A household and what it earned, perhaps nothing.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Earner {
    pub household_id: Uuid,
    pub head_name: String,
    pub village_code: String,
    pub village_name: Option<String>,
    /// On the last day of the period.
    pub household_status: String,
    pub amount_fen: i64,
    pub received_fen: i64,
    pub paid_out_fen: i64,
    pub sales: i64,
}

/// Households of a region in the order of income and id, behind `after`, one more than `rows_max` when there are more.
pub async fn earners(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    period: Period,
    after: Option<IncomeCursor>,
    rows_max: usize,
) -> Result<Vec<Earner>, DbErr> {
    let mut values: Vec<Value> = vec![
        region.from.as_str().into(),
        region.before.as_str().into(),
        period.from.into(),
        period.to.into(),
        one_more(rows_max).into(),
    ];
    if let Some(after) = after {
        values.extend([after.amount_fen.into(), after.household_id.into()]);
    }
    db::rows(connection, &statement(after.is_some()), values).await
}

/// Names and statuses are looked up for the households of the page alone.
fn statement(is_continued: bool) -> String {
    let behind =
        if is_continued { "where amount_fen > $6 or (amount_fen = $6 and household_id > $7)" } else { "" };
    let status = status_on("$4");
    format!(
        "with income as (
             select household.id as household_id,
                    cast(coalesce(sum(sale.amount_fen), 0) as bigint) as amount_fen,
                    cast(coalesce(sum(sale.received_fen), 0) as bigint) as received_fen,
                    cast(coalesce(sum(sale.paid_out_fen), 0) as bigint) as paid_out_fen,
                    count(sale.household_id) as sales
             from household left join settlement_line as sale
                  on sale.household_id = household.id and sale.sold_on >= $3 and sale.sold_on <= $4
             where household.village_code >= $1 and household.village_code < $2
             group by household.id
         ), page as (
             select * from income {behind} order by amount_fen, household_id limit $5
         )
         select page.household_id, household.head_name, household.village_code, region.name as village_name,
                {status} as household_status, page.amount_fen, page.received_fen, page.paid_out_fen, page.sales
         from page join household on household.id = page.household_id
         left join region on region.code = household.village_code
         order by page.amount_fen, page.household_id"
    )
}
