//! SQL of lots, except the movements of their stock. Decides nothing.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::rules::{Changes, NewLot, State};
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::{RegionScope, Scope};

const COLUMNS: &str = "lot.id, lot.county_code, lot.household_id, lot.product_id, product.name as product_name,
    product.measure, lot.village_code, township.code as township_code, township.name as township_name,
    lot.external_ref, lot.grade, lot.price_fen, lot.pricing_unit, lot.offered_base, lot.held_base, lot.confirmed_base,
    lot.delivered_base, lot.ready_from, lot.sell_by, lot.certificates, lot.certified_until, lot.state, lot.created_at,
    lot.version";

/// Every lot has its product and its household; the outer joins only keep `SQLite` from beginning with them, which
/// would read and sort all lots for one page.
const TABLES: &str = "lot
    left join product on product.id = lot.product_id
    left join household on household.id = lot.household_id
    left join region as township on township.code = substr(lot.village_code, 1, 9) || '000'";

#[derive(Clone, Debug, FromQueryResult)]
pub struct LotRow {
    pub id: Uuid,
    pub county_code: String,
    pub household_id: Uuid,
    pub product_id: Uuid,
    pub product_name: String,
    pub measure: String,
    pub village_code: String,
    pub township_code: Option<String>,
    pub township_name: Option<String>,
    pub external_ref: Option<String>,
    pub grade: Option<String>,
    pub price_fen: i64,
    pub pricing_unit: String,
    pub offered_base: i64,
    pub held_base: i64,
    pub confirmed_base: i64,
    pub delivered_base: i64,
    pub ready_from: NaiveDate,
    pub sell_by: NaiveDate,
    pub certificates: Json,
    pub certified_until: Option<NaiveDate>,
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub version: i64,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    pub product_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    pub state: Option<State>,
    /// Only pickup villages of this region.
    pub region: Option<RegionScope>,
}

/// A household as an import names it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct HouseholdRow {
    pub id: Uuid,
    pub external_ref: String,
    pub village_code: String,
}

/// A village of a county, valid today or not.
#[derive(Clone, Debug, FromQueryResult)]
pub struct VillageRow {
    pub code: String,
    pub name: String,
    pub valid_from: NaiveDate,
    /// The last day on which the code is valid.
    pub valid_to: Option<NaiveDate>,
}

/// Conditions and the values they name, `$1` and on.
#[derive(Debug, Default)]
struct Wheres {
    text: String,
    values: Vec<Value>,
}

impl Wheres {
    /// The placeholder of one more value.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn and(&mut self, condition: &str) {
        self.text.push_str(" and ");
        self.text.push_str(condition);
    }

    /// Only the lots that exist for somebody of this scope.
    fn and_visible(&mut self, scope: &Scope, county_code: Option<&str>, today: NaiveDate) {
        match scope {
            Scope::Household(id) => {
                let id = self.bind(*id);
                self.and(&format!("lot.household_id = {id}"));
            }
            Scope::Helper(id) => {
                let (id, today) = (self.bind(*id), self.bind(today));
                self.and(&format!(
                    "exists (select 1 from pairing where pairing.household_id = lot.household_id
                               and pairing.helper_id = {id} and pairing.from_on <= {today}
                               and (pairing.to_on is null or pairing.to_on >= {today}))"
                ));
            }
            Scope::Region(region) => {
                let (from, before) = (self.bind(region.from.clone()), self.bind(region.before.clone()));
                self.and(&format!(
                    "(lot.village_code >= {from} and lot.village_code < {before}
                      or household.village_code >= {from} and household.village_code < {before})"
                ));
            }
            Scope::Institution(_) => {
                let county = self.bind(county_code.unwrap_or_default().to_owned());
                self.and(&format!("lot.county_code = {county}"));
                self.and_for_sale(today);
            }
        }
    }

    /// Only lots that somebody could still buy.
    fn and_for_sale(&mut self, today: NaiveDate) {
        let today = self.bind(today);
        self.and(&format!(
            "lot.state = 'on_sale' and lot.sell_by >= {today}
             and lot.offered_base - lot.held_base - lot.confirmed_base - lot.delivered_base > 0"
        ));
    }

    fn and_filters(&mut self, filters: &Filters) {
        if let Some(id) = filters.product_id {
            let id = self.bind(id);
            self.and(&format!("lot.product_id = {id}"));
        }
        if let Some(id) = filters.household_id {
            let id = self.bind(id);
            self.and(&format!("lot.household_id = {id}"));
        }
        if let Some(state) = filters.state {
            let state = self.bind(state.as_str());
            self.and(&format!("lot.state = {state}"));
        }
        if let Some(region) = &filters.region {
            let (from, before) = (self.bind(region.from.clone()), self.bind(region.before.clone()));
            self.and(&format!("lot.village_code >= {from} and lot.village_code < {before}"));
        }
    }

    /// The rows of a page and one more.
    async fn page(
        mut self,
        connection: &impl ConnectionTrait,
        page: PageRequest,
    ) -> Result<Vec<LotRow>, DbErr> {
        if let Some(before) = page.before {
            let before = self.bind(before);
            self.and(&format!("lot.id < {before}"));
        }
        let limit = self.bind(i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX));
        let conditions = self.text;
        let sql = format!(
            "select {COLUMNS} from {TABLES} where true{conditions} order by lot.id desc limit {limit}"
        );
        db::rows(connection, &sql, self.values).await
    }
}

/// A lot with the id it is to have.
pub type Identified<'a> = (Uuid, &'a NewLot);

/// Inserts lots in one statement and answers how many were new.
pub async fn insert_many(txn: &WriteTxn, lots: &[Identified<'_>], now: DateTime<Utc>) -> Result<u64, DbErr> {
    use ColumnType::{Integer, Text, Uuid as Id};
    let columns = [
        ("id", Id),
        ("county_code", Text),
        ("household_id", Id),
        ("product_id", Id),
        ("village_code", Text),
        ("external_ref", Text),
        ("grade", Text),
        ("price_fen", Integer),
        ("pricing_unit", Text),
        ("offered_base", Integer),
        ("ready_from", Text),
        ("sell_by", Text),
        ("certificates", Text),
        ("certified_until", Text),
    ];
    let backend = txn.get_database_backend();
    let (json, date) = if backend == DbBackend::Postgres { ("::jsonb", "::date") } else { ("", "") };
    let sql = format!(
        "insert into lot (id, county_code, household_id, product_id, village_code, external_ref, grade, price_fen,
                          pricing_unit, offered_base, held_base, confirmed_base, delivered_base, ready_from, sell_by,
                          certificates, certified_until, state, created_at, updated_at, version)
         select id, county_code, household_id, product_id, village_code, external_ref, grade, price_fen, pricing_unit,
                offered_base, 0, 0, 0, ready_from{date}, sell_by{date}, certificates{json}, certified_until{date},
                'on_sale', $2, $2, 1
         from ({}) as offer where true
         on conflict (county_code, external_ref) where external_ref is not null do nothing",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = lots.iter().map(|(id, lot)| insert_row(*id, lot)).collect();
    db::change(txn, &sql, [db::set_parameter(rows), now.into()]).await
}

fn insert_row(id: Uuid, lot: &NewLot) -> Vec<Json> {
    vec![
        db::set_id(id),
        json!(lot.place.county_code),
        db::set_id(lot.place.household_id),
        db::set_id(lot.product_id),
        json!(lot.place.village_code),
        json!(lot.external_ref),
        json!(lot.grade),
        json!(lot.price.fen.get()),
        json!(lot.price.per.as_str()),
        json!(lot.offered_base),
        json!(lot.ready_from),
        json!(lot.sell_by),
        json!(json!(lot.certificates).to_string()),
        json!(lot.certified_until),
    ]
}

/// One lot, if it exists for somebody of this scope.
pub async fn find(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    county_code: Option<&str>,
    id: Uuid,
    today: NaiveDate,
) -> Result<Option<LotRow>, DbErr> {
    let mut wheres = Wheres::default();
    let id = wheres.bind(id);
    wheres.and(&format!("lot.id = {id}"));
    wheres.and_visible(scope, county_code, today);
    let sql = format!("select {COLUMNS} from {TABLES} where true{}", wheres.text);
    db::row(connection, &sql, wheres.values).await
}

/// One lot whoever asks, locked until the transaction ends.
pub async fn lock(txn: &WriteTxn, id: Uuid) -> Result<Option<LotRow>, DbErr> {
    let lock = if txn.get_database_backend() == DbBackend::Postgres { "for update of lot" } else { "" };
    let sql = format!("select {COLUMNS} from {TABLES} where lot.id = $1 {lock}");
    db::row(txn, &sql, [id.into()]).await
}

/// The lots that exist for somebody of this scope, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    county_code: Option<&str>,
    filters: &Filters,
    today: NaiveDate,
    page: PageRequest,
) -> Result<Vec<LotRow>, DbErr> {
    let mut wheres = Wheres::default();
    wheres.and_visible(scope, county_code, today);
    wheres.and_filters(filters);
    wheres.page(connection, page).await
}

/// The lots that anybody could buy, newest first.
pub async fn list_for_sale(
    connection: &impl ConnectionTrait,
    filters: &Filters,
    today: NaiveDate,
    page: PageRequest,
) -> Result<Vec<LotRow>, DbErr> {
    let mut wheres = Wheres::default();
    wheres.and_for_sale(today);
    wheres.and_filters(filters);
    wheres.page(connection, page).await
}

/// How many different households of some counties have something on sale, by the first nine digits of the pickup village.
pub async fn households_on_sale(
    connection: &impl ConnectionTrait,
    counties: &[String],
    today: NaiveDate,
) -> Result<Vec<(String, i64)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Township {
        township: String,
        households: i64,
    }
    let mut wheres = Wheres::default();
    wheres.and_for_sale(today);
    let set = wheres.bind(db::set_parameter(counties.iter().map(|code| vec![json!(code)]).collect()));
    let set = db::set_rows(connection.get_database_backend(), &set, &[("code", ColumnType::Text)]);
    wheres.and(&format!("lot.county_code in (select wanted.code from ({set}) as wanted)"));
    let sql = format!(
        "select substr(lot.village_code, 1, 9) as township, count(distinct lot.household_id) as households
         from lot where true{} group by substr(lot.village_code, 1, 9)",
        wheres.text
    );
    let found: Vec<Township> = db::rows(connection, &sql, wheres.values).await?;
    Ok(found.into_iter().map(|row| (row.township, row.households)).collect())
}

/// Changes price, quantity and last day; `false` when the lot is withdrawn, was changed, or has promised more.
pub async fn update(
    txn: &WriteTxn,
    id: Uuid,
    version: i64,
    changes: &Changes,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let mut wheres = Wheres::default();
    let (id, version, now) = (wheres.bind(id), wheres.bind(version), wheres.bind(now));
    let mut sets = vec![format!("updated_at = {now}, version = version + 1")];
    wheres.and(&format!("id = {id} and version = {version} and state = 'on_sale'"));
    if let Some(price) = changes.price {
        let (fen, per) = (wheres.bind(price.fen.get()), wheres.bind(price.per.as_str()));
        sets.push(format!("price_fen = {fen}, pricing_unit = {per}"));
    }
    if let Some(quantity) = changes.quantity {
        let offered = wheres.bind(quantity.base());
        sets.push(format!("offered_base = {offered}"));
        wheres.and(&format!("held_base + confirmed_base + delivered_base <= {offered}"));
    }
    if let Some(day) = changes.sell_by {
        let day = wheres.bind(day);
        sets.push(format!("sell_by = {day}"));
        wheres.and(&format!("ready_from <= {day}"));
    }
    let sql = format!("update lot set {} where true{}", sets.join(", "), wheres.text);
    Ok(db::change(txn, &sql, wheres.values).await? == 1)
}

/// Takes a lot off sale; `false` when it is not on sale.
pub async fn withdraw(txn: &WriteTxn, id: Uuid, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "update lot set state = 'withdrawn', updated_at = $2, version = version + 1
               where id = $1 and state = 'on_sale'";
    Ok(db::change(txn, sql, [id.into(), now.into()]).await? == 1)
}

/// The households of a region that bear these numbers.
pub async fn find_households(
    connection: &impl ConnectionTrait,
    county_code: &str,
    region: &RegionScope,
    external_refs: &[String],
) -> Result<Vec<HouseholdRow>, DbErr> {
    let wanted = db::set_rows(connection.get_database_backend(), "$4", &[("wanted_ref", ColumnType::Text)]);
    let sql = format!(
        "select id, external_ref, village_code from household
         where county_code = $1 and village_code >= $2 and village_code < $3
           and external_ref in (select wanted_ref from ({wanted}) as wanted)"
    );
    let values = [
        county_code.into(),
        region.from.clone().into(),
        region.before.clone().into(),
        text_set(external_refs),
    ];
    db::rows(connection, &sql, values).await
}

/// The villages of a county, at most `limit`.
pub async fn list_villages(
    connection: &impl ConnectionTrait,
    county: &RegionScope,
    limit: i64,
) -> Result<Vec<VillageRow>, DbErr> {
    let sql = "select code, name, valid_from, valid_to from region
               where level = 'village' and code >= $1 and code < $2 order by code limit $3";
    db::rows(connection, sql, [county.from.clone().into(), county.before.clone().into(), limit.into()]).await
}

/// Which of these numbers lots of the county bear already.
pub async fn find_known_refs(
    connection: &impl ConnectionTrait,
    county_code: &str,
    external_refs: &[String],
) -> Result<Vec<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Known {
        external_ref: String,
    }
    let wanted = db::set_rows(connection.get_database_backend(), "$2", &[("wanted_ref", ColumnType::Text)]);
    let sql = format!(
        "select external_ref from lot
         where county_code = $1 and external_ref in (select wanted_ref from ({wanted}) as wanted)"
    );
    let known: Vec<Known> = db::rows(connection, &sql, [county_code.into(), text_set(external_refs)]).await?;
    Ok(known.into_iter().map(|row| row.external_ref).collect())
}

fn text_set(texts: &[String]) -> Value {
    db::set_parameter(texts.iter().map(|text| vec![json!(text)]).collect())
}
