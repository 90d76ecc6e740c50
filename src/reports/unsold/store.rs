//! SQL of the report on what is left.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::db;
use crate::members::access::RegionScope;
use crate::quantity::Unit;
use crate::reports::rules::{GROUPS_MAX, Grouping};
use crate::reports::store::one_more;

/// The value of a lot stops here, so that an absurd price makes an absurd figure and not an overflow.
const VALUE_FEN_MAX: i64 = 1_000_000_000_000_000;

/// What is left of one product in one place.
#[derive(Clone, Debug, Serialize, Deserialize, FromQueryResult)]
pub struct Group {
    pub product: Uuid,
    pub product_name: String,
    pub measure: String,
    pub place: String,
    pub place_name: Option<String>,
    pub left_base: i64,
    pub value_fen: i64,
    pub sell_by: NaiveDate,
    pub lots: i64,
    pub households: i64,
    /// Of all groups together, the same in every row.
    pub all_households: i64,
}

/// The groups of a report, one more than it may have when there are too many.
pub async fn groups(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    grouping: Grouping,
) -> Result<Vec<Group>, DbErr> {
    let values = [region.from.as_str().into(), region.before.as_str().into(), one_more(GROUPS_MAX).into()];
    db::rows(connection, &statement(grouping), values).await
}

/// A lot's value is price times what is left, rounded once, half up, as `Price::amount` does it; whole pricing units
/// and the rest are multiplied apart so that no product overflows.
fn statement(grouping: Grouping) -> String {
    let place =
        if grouping == Grouping::Township { "substr(village_code, 1, 9) || '000'" } else { "village_code" };
    let units: Vec<String> =
        Unit::ALL.iter().map(|unit| format!("when '{unit}' then {}", unit.base())).collect();
    let units = units.join(" ");
    format!(
        "with open_lot as (
             select product_id, {place} as place, household_id, sell_by, price_fen,
                    offered_base - held_base - confirmed_base - delivered_base as left_base,
                    case pricing_unit {units} else 1 end as unit_base
             from lot
             where state = 'on_sale' and village_code >= $1 and village_code < $2
         ), grouped as (
             select product_id, place, cast(sum(left_base) as bigint) as left_base,
                    cast(sum(case when left_base / unit_base > {VALUE_FEN_MAX} / price_fen then {VALUE_FEN_MAX}
                                  else price_fen * (left_base / unit_base)
                                       + (price_fen * (left_base % unit_base) + unit_base / 2) / unit_base
                             end) as bigint) as value_fen,
                    min(sell_by) as sell_by, count(*) as lots, count(distinct household_id) as households
             from open_lot where left_base > 0
             group by product_id, place limit $3
         ), whole as (
             select count(distinct household_id) as all_households from open_lot where left_base > 0
         )
         select grouped.product_id as product, product.name as product_name, product.measure, grouped.place,
                region.name as place_name, grouped.left_base, grouped.value_fen, grouped.sell_by, grouped.lots,
                grouped.households, whole.all_households
         from grouped cross join whole
         join product on product.id = grouped.product_id
         left join region on region.code = grouped.place
         order by grouped.sell_by, product.name, grouped.product_id, grouped.place"
    )
}
