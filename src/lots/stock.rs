//! The stock of lots: what may be allocated, and every movement of it. The guard that keeps a lot from being sold twice
//! stands in the `WHERE` of the one statement that moves stock; nothing else changes these columns.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};
use serde_json::json;
use uuid::Uuid;

use crate::db::ColumnType::{Date, Integer, Text, Uuid as Id};
use crate::db::{self, Change, WriteTxn};
use crate::money::{Fen, Price};
use crate::quantity::Unit;
use crate::refusal::{Failure, Outcome};

/// Orders whose expired holds are counted as free at most: as many as one sweep lets go of. The bound also tells the
/// planner of PostgreSQL, which plans once for any moment, that there are few.
const DUE_MAX: u32 = 500;

/// What a line of an order looks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub product_id: Uuid,
    /// Region as a range of village codes: `from <= code < before`.
    pub region_from: String,
    pub region_before: String,
    pub grade: Option<String>,
    pub max_price: Price,
    pub needed_by: NaiveDate,
}

/// A lot that could fill part of a line.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Position of the line in what was asked.
    pub line: usize,
    pub lot_id: Uuid,
    pub household_id: Uuid,
    pub village_code: String,
    /// Status of the household today.
    pub status: String,
    pub price: Price,
    pub sell_by: NaiveDate,
    /// What can be sold, holds that have expired included.
    pub available_base: i64,
    /// The part of it that an expired hold still has its hand on.
    pub expired_base: i64,
}

/// A change of a lot's stock, in grams or pieces. Each figure is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    pub lot_id: Uuid,
    pub offered_base: i64,
    pub held_base: i64,
    pub confirmed_base: i64,
    pub delivered_base: i64,
}

/// The lots that may fill each of `wanted`: right product and grade, price at most the maximum, ready and not past
/// sell-by on the needed-by date, certificates valid, in the region, on sale, with something left. One statement for
/// all lines, at most `limit` rows, by lot id.
pub async fn candidates(
    connection: &impl ConnectionTrait,
    wanted: &[Wanted],
    now: DateTime<Utc>,
    limit: u64,
) -> Outcome<Vec<Candidate>> {
    let backend = connection.get_database_backend();
    // PostgreSQL takes the set for a hundred products and would rather read every lot there is.
    let by_index = if backend == DbBackend::Postgres {
        "lot.product_id = any(array(select product_id from wanted)) and"
    } else {
        ""
    };
    let sql = format!(
        "with wanted as ({}),
              due as materialized (select id from purchase_order where state = 'placed' and hold_expires_at <= $2
                                   order by hold_expires_at limit {DUE_MAX}),
              expired as (select allocation.lot_id, cast(sum(allocation.quantity_base) as bigint) as base
                          from due join allocation on allocation.order_id = due.id and allocation.state = 'held'
                          group by allocation.lot_id)
         select wanted.line, lot.id as lot_id, lot.household_id, lot.village_code, household.status, lot.price_fen,
                lot.pricing_unit, lot.sell_by,
                lot.offered_base - lot.held_base - lot.confirmed_base - lot.delivered_base
                  + coalesce(expired.base, 0) as available_base,
                coalesce(expired.base, 0) as expired_base
         from wanted
         join lot on lot.product_id = wanted.product_id and lot.state = 'on_sale'
                 and lot.village_code >= wanted.region_from and lot.village_code < wanted.region_before
         join household on household.id = lot.household_id
         left join expired on expired.lot_id = lot.id
         where {by_index} lot.ready_from <= wanted.needed_by and lot.sell_by >= wanted.needed_by
           and lot.certified_until >= wanted.needed_by
           and (wanted.grade is null or lot.grade = wanted.grade)
           and lot.price_fen * wanted.max_unit <= wanted.max_fen * {UNIT_BASE}
           and lot.offered_base - lot.held_base - lot.confirmed_base - lot.delivered_base
                 + coalesce(expired.base, 0) > 0
         order by lot.id, wanted.line limit $3",
        db::set_rows(backend, "$1", &WANTED_COLUMNS)
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values =
        [db::set_parameter(wanted.iter().enumerate().map(wanted_row).collect()), now.into(), limit.into()];
    db::rows::<CandidateRow>(connection, &sql, values)
        .await?
        .into_iter()
        .map(CandidateRow::into_candidate)
        .collect()
}

/// Keeps other orders off every lot of the wanted products and regions until the transaction ends, locked in id order.
/// What is read afterwards is then what is written. `SQLite` has one writer and needs no lock.
pub async fn lock(txn: &WriteTxn, wanted: &[Wanted]) -> Result<(), DbErr> {
    let backend = txn.get_database_backend();
    if backend != DbBackend::Postgres {
        return Ok(());
    }
    // Ids as an array: PostgreSQL drops rows of a locked join when a row it waited for has changed meanwhile.
    let sql = format!(
        "select id from lot where id = any(array(
             with wanted as materialized ({})
             select lot.id from wanted
             join lot on lot.product_id = wanted.product_id and lot.state = 'on_sale'
                     and lot.village_code >= wanted.region_from and lot.village_code < wanted.region_before
             where lot.product_id = any(array(select product_id from wanted))))
         order by id for update",
        db::set_rows(backend, "$1", &WANTED_COLUMNS)
    );
    let statement = Statement::from_sql_and_values(backend, sql, [wanted_set(wanted)]);
    txn.query_all_raw(statement).await.map(drop)
}

const WANTED_COLUMNS: [(&str, db::ColumnType); 8] = [
    ("line", Integer),
    ("product_id", Id),
    ("region_from", Text),
    ("region_before", Text),
    ("grade", Text),
    ("max_fen", Integer),
    ("max_unit", Integer),
    ("needed_by", Date),
];

fn wanted_set(wanted: &[Wanted]) -> sea_orm::Value {
    db::set_parameter(wanted.iter().enumerate().map(wanted_row).collect())
}

/// Grams or pieces in one pricing unit of a lot, as SQL.
const UNIT_BASE: &str = "(case lot.pricing_unit when 'jin' then 500 when 'liang' then 50 when 'kg' then 1000
                               when 'ton' then 1000000 else 1 end)";

fn wanted_row((line, wanted): (usize, &Wanted)) -> Vec<serde_json::Value> {
    vec![
        json!(line),
        db::set_id(wanted.product_id),
        json!(wanted.region_from),
        json!(wanted.region_before),
        json!(wanted.grade),
        json!(wanted.max_price.fen.get()),
        json!(wanted.max_price.per.base()),
        json!(wanted.needed_by),
    ]
}

#[derive(FromQueryResult)]
struct CandidateRow {
    line: i64,
    lot_id: Uuid,
    household_id: Uuid,
    village_code: String,
    status: String,
    price_fen: i64,
    pricing_unit: String,
    sell_by: NaiveDate,
    available_base: i64,
    expired_base: i64,
}

impl CandidateRow {
    fn into_candidate(self) -> Outcome<Candidate> {
        let stored = || Failure::Broken(format!("lot {} has an unreadable price", self.lot_id));
        let per: Unit = self.pricing_unit.parse().map_err(|()| stored())?;
        Ok(Candidate {
            line: usize::try_from(self.line).unwrap_or(0),
            lot_id: self.lot_id,
            household_id: self.household_id,
            village_code: self.village_code,
            status: self.status,
            price: Price::new(Fen::new(self.price_fen), per).map_err(|_| stored())?,
            sell_by: self.sell_by,
            available_base: self.available_base,
            expired_base: self.expired_base,
        })
    }
}

/// Moves stock of several lots in one statement, rows locked in id order. `false` when a lot has not got what the
/// movement needs, or must be on sale and is not: roll back then.
pub async fn shift(txn: &WriteTxn, shifts: &[Shift], must_be_on_sale: bool) -> Result<bool, DbErr> {
    if shifts.is_empty() {
        return Ok(true);
    }
    movement(txn.get_database_backend(), shifts, must_be_on_sale).send(txn).await
}

/// What [`shift`] sends, to be sent together with other changes. As many rows as there are lots are changed, or the
/// movement must be rolled back.
#[must_use]
pub fn movement(backend: DbBackend, shifts: &[Shift], must_be_on_sale: bool) -> Change {
    let columns =
        [("id", Id), ("offered", Integer), ("held", Integer), ("confirmed", Integer), ("delivered", Integer)];
    let sums = ["offered", "held", "confirmed", "delivered"]
        .map(|name| format!("cast(sum({name}) as bigint) as {name}"));
    // Ids as an array: PostgreSQL drops rows of a locked join when a row it waited for has changed meanwhile.
    let locked = if backend == DbBackend::Postgres {
        "select id from lot where id = any(array(select id from part)) order by id for update"
    } else {
        "select id from part"
    };
    let on_sale = if must_be_on_sale { "and lot.state = 'on_sale'" } else { "" };
    let sql = format!(
        "with part as (select id, {} from ({}) as moved group by id),
              locked as materialized ({locked})
         update lot set offered_base = lot.offered_base + part.offered,
                        held_base = lot.held_base + part.held,
                        confirmed_base = lot.confirmed_base + part.confirmed,
                        delivered_base = lot.delivered_base + part.delivered
         from part join locked on locked.id = part.id
         where lot.id = part.id {on_sale}
           and lot.held_base + part.held >= 0
           and lot.confirmed_base + part.confirmed >= 0
           and lot.delivered_base + part.delivered >= 0
           and lot.held_base + part.held + lot.confirmed_base + part.confirmed
               + lot.delivered_base + part.delivered <= lot.offered_base + part.offered",
        sums.join(", "),
        db::set_rows(backend, "$1", &columns)
    );
    let rows = shifts.iter().map(|shift| {
        vec![
            db::set_id(shift.lot_id),
            json!(shift.offered_base),
            json!(shift.held_base),
            json!(shift.confirmed_base),
            json!(shift.delivered_base),
        ]
    });
    Change::moving(sql, rows.collect(), shifts.iter().map(|shift| shift.lot_id))
}
