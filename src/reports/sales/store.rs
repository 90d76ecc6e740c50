//! SQL of the sales report: one statement groups in the database, then looks names up for the groups that are left.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::db;
use crate::members::access::RegionScope;
use crate::reports::rules::{GROUPS_MAX, Grouping, Period};
use crate::reports::store::one_more;

/// One group. Only what it is grouped by is there.
#[derive(Clone, Debug, Serialize, Deserialize, FromQueryResult)]
pub struct Group {
    pub village: Option<String>,
    pub village_name: Option<String>,
    pub township: Option<String>,
    pub township_name: Option<String>,
    pub product: Option<Uuid>,
    pub product_name: Option<String>,
    pub category: Option<String>,
    pub institution: Option<Uuid>,
    pub institution_name: Option<String>,
    pub institution_kind: Option<String>,
    pub household_status: Option<String>,
    pub month: Option<String>,
    pub day: Option<NaiveDate>,
    pub amount_fen: i64,
    pub received_fen: i64,
    pub paid_out_fen: i64,
    pub mass_g: i64,
    pub pieces: i64,
    pub households: i64,
    pub institutions: i64,
    pub sales: i64,
    /// Of all groups together, the same in every row.
    pub all_households: i64,
    pub all_institutions: i64,
}

/// The groups of a report, one more than it may have when there are too many.
pub async fn groups(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    period: Period,
    groupings: &[Grouping],
) -> Result<Vec<Group>, DbErr> {
    let sql = statement(connection.get_database_backend(), groupings);
    let values = [
        region.from.as_str().into(),
        region.before.as_str().into(),
        period.from.into(),
        period.to.into(),
        one_more(GROUPS_MAX).into(),
    ];
    db::rows(connection, &sql, values).await
}

/// The text depends on the groupings alone. The lines are read in place, as copying a million of them costs more than
/// reading them again to count households once for the total.
fn statement(backend: DbBackend, groupings: &[Grouping]) -> String {
    let keys: Vec<&str> = groupings.iter().map(|grouping| grouping.as_str()).collect();
    let read: Vec<String> =
        groupings.iter().map(|grouping| format!("{}, ", column(*grouping, backend))).collect();
    let read = read.concat();
    let selected: Vec<String> = keys.iter().map(|key| format!("{key}, ")).collect();
    let selected = selected.concat();
    // Without groupings there is one group, and none when nothing was sold.
    let gathered = if keys.is_empty() {
        "having count(*) > 0".to_owned()
    } else {
        format!("group by {}", keys.join(", "))
    };
    let shown: Vec<String> = Grouping::ALL
        .iter()
        .map(|&grouping| {
            let key = grouping.as_str();
            if groupings.contains(&grouping) {
                format!("grouped.{key}, ")
            } else {
                format!("null as {key}, ")
            }
        })
        .collect();
    let names =
        Grouping::ALL.into_iter().filter_map(|grouping| name(grouping, groupings.contains(&grouping)));
    let (name_columns, joins): (Vec<String>, Vec<String>) = names.unzip();
    let order = if keys.is_empty() { "sales".to_owned() } else { order(groupings) };
    format!(
        "with line as not materialized (
             select {read}household_id, institution_id as buyer_id, measure, quantity_base, amount_fen, received_fen,
                    paid_out_fen
             from settlement_line
             where village_code >= $1 and village_code < $2 and sold_on >= $3 and sold_on <= $4
         ), grouped as (
             select {selected}
                    cast(sum(amount_fen) as bigint) as amount_fen,
                    cast(sum(received_fen) as bigint) as received_fen,
                    cast(sum(paid_out_fen) as bigint) as paid_out_fen,
                    cast(sum(case when measure = 'mass' then quantity_base else 0 end) as bigint) as mass_g,
                    cast(sum(case when measure = 'mass' then 0 else quantity_base end) as bigint) as pieces,
                    count(distinct household_id) as households,
                    count(distinct buyer_id) as institutions,
                    count(*) as sales
             from line {gathered} limit $5
         ), whole as (
             select (select count(*) from (select distinct household_id from line) as sellers) as all_households,
                    (select count(*) from (select distinct buyer_id from line) as buyers) as all_institutions
         )
         select {}{}, amount_fen, received_fen, paid_out_fen, mass_g, pieces, households, institutions, sales,
                whole.all_households, whole.all_institutions
         from grouped cross join whole {}
         order by {order}",
        shown.concat(),
        name_columns.join(", "),
        joins.join(" "),
    )
}

/// What a line is grouped by, named as the grouping. A township is the first nine digits of a village.
fn column(grouping: Grouping, backend: DbBackend) -> &'static str {
    match (grouping, backend) {
        (Grouping::Village, _) => "village_code as village",
        (Grouping::Township, _) => "substr(village_code, 1, 9) || '000' as township",
        (Grouping::Product, _) => "product_id as product",
        (Grouping::Category, _) => "category",
        (Grouping::Institution, _) => "institution_id as institution",
        (Grouping::InstitutionKind, _) => "institution_kind",
        (Grouping::HouseholdStatus, _) => "household_status",
        (Grouping::Month, DbBackend::Postgres) => "to_char(sold_on, 'YYYY-MM') as month",
        (Grouping::Month, _) => "substr(sold_on, 1, 7) as month",
        (Grouping::Day, _) => "sold_on as day",
    }
}

/// The name column of a grouping that has one, and the join that finds it.
fn name(grouping: Grouping, is_asked: bool) -> Option<(String, String)> {
    let key = grouping.as_str();
    let (table, id) = match grouping {
        Grouping::Village | Grouping::Township => ("region", "code"),
        Grouping::Product => ("product", "id"),
        Grouping::Institution => ("institution", "id"),
        Grouping::Category
        | Grouping::InstitutionKind
        | Grouping::HouseholdStatus
        | Grouping::Month
        | Grouping::Day => return None,
    };
    Some(if is_asked {
        let join = format!("left join {table} as the_{key} on the_{key}.{id} = grouped.{key}");
        (format!("the_{key}.name as {key}_name"), join)
    } else {
        (format!("null as {key}_name"), String::new())
    })
}

/// Products and institutions stand in the order of their names, all else in that of its codes.
fn order(groupings: &[Grouping]) -> String {
    let keys = groupings.iter().map(|grouping| match grouping {
        Grouping::Product => "the_product.name, grouped.product".to_owned(),
        Grouping::Institution => "the_institution.name, grouped.institution".to_owned(),
        other => format!("grouped.{}", other.as_str()),
    });
    keys.collect::<Vec<_>>().join(", ")
}
