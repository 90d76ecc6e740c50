//! SQL of the coverage report.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};

use crate::db;
use crate::members::access::RegionScope;
use crate::reports::rules::{GROUPS_MAX, Grouping, Period};
use crate::reports::store::{one_more, status_on};

/// One village, township or status.
#[derive(Clone, Debug, Serialize, Deserialize, FromQueryResult)]
pub struct Group {
    pub code: String,
    pub name: Option<String>,
    pub households: i64,
    /// Households with something to sell.
    pub sellers: i64,
    /// Sellers with an accepted sale.
    pub sold: i64,
    pub villages: i64,
    pub villages_reached: i64,
    pub has_unsold: i64,
    pub nothing_unsold: i64,
    pub not_reached: i64,
    pub not_asked: i64,
    /// Of all groups together, the same in every row.
    pub all_villages: i64,
    pub all_villages_reached: i64,
}

/// The groups of a report, one more than it may have when there are too many.
pub async fn groups(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    period: Period,
    grouping: Grouping,
) -> Result<Vec<Group>, DbErr> {
    let values = [
        region.from.as_str().into(),
        region.before.as_str().into(),
        period.from.into(),
        period.to.into(),
        one_more(GROUPS_MAX).into(),
    ];
    db::rows(connection, &statement(grouping), values).await
}

/// A household has something to sell when its latest visit said so, when a lot of it is on sale within the period and
/// not all delivered yet, or when it has sold.
fn statement(grouping: Grouping) -> String {
    let code = match grouping {
        Grouping::Township => "substr(village_code, 1, 9) || '000'",
        Grouping::HouseholdStatus => "household_status",
        _ => "village_code",
    };
    let status = status_on("$4");
    format!(
        "with visit as (
             select household_id, outcome
             from (select survey_visit.household_id, survey_visit.outcome,
                          row_number() over (partition by survey_visit.household_id
                                             order by survey_visit.visited_on desc, survey_visit.id desc) as place
                   from survey_visit join household on household.id = survey_visit.household_id
                   where household.village_code >= $1 and household.village_code < $2
                     and survey_visit.visited_on <= $4) as dated
             where place = 1
         ), known as (
             select household.village_code, {status} as household_status, visit.outcome,
                    case when exists (
                        select 1 from settlement_line as sale
                        where sale.household_id = household.id and sale.sold_on >= $3 and sale.sold_on <= $4
                          and sale.quantity_base > 0) then 1 else 0 end as has_sold,
                    case when exists (
                        select 1 from lot
                        where lot.household_id = household.id and lot.state = 'on_sale'
                          and lot.offered_base > lot.delivered_base
                          and lot.ready_from <= $4 and lot.sell_by >= $3) then 1 else 0 end as has_lot
             from household left join visit on visit.household_id = household.id
             where household.village_code >= $1 and household.village_code < $2
         ), judged as (
             select {code} as code, village_code, outcome, has_sold,
                    case when has_sold = 1 or has_lot = 1 or outcome = 'has_unsold' then 1 else 0 end as is_seller
             from known
         ), grouped as (
             select code, count(*) as households,
                    cast(sum(is_seller) as bigint) as sellers,
                    cast(sum(has_sold) as bigint) as sold,
                    count(distinct case when is_seller = 1 then village_code end) as villages,
                    count(distinct case when has_sold = 1 then village_code end) as villages_reached,
                    count(case when outcome = 'has_unsold' then 1 end) as has_unsold,
                    count(case when outcome = 'nothing_unsold' then 1 end) as nothing_unsold,
                    count(case when outcome = 'not_reached' then 1 end) as not_reached,
                    count(case when outcome is null then 1 end) as not_asked
             from judged group by code limit $5
         ), whole as (
             select count(distinct case when is_seller = 1 then village_code end) as all_villages,
                    count(distinct case when has_sold = 1 then village_code end) as all_villages_reached
             from judged
         )
         select grouped.*, region.name, whole.all_villages, whole.all_villages_reached
         from grouped cross join whole left join region on region.code = grouped.code
         order by grouped.code"
    )
}
