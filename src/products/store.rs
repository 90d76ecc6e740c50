//! SQL of the catalogue. Decides nothing.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::rules::NewProduct;
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;

const COLUMNS: &str = "id, county_code, code, name, category, measure, pricing_unit, grades, shelf_life_days,
                       pack_base, certificates, catalogue_code, tax_code, is_active, version";

#[derive(Clone, Debug, FromQueryResult)]
pub struct ProductRow {
    pub id: Uuid,
    pub county_code: String,
    pub code: String,
    pub name: String,
    pub category: String,
    pub measure: String,
    pub pricing_unit: String,
    pub grades: Json,
    pub shelf_life_days: Option<i64>,
    pub pack_base: i64,
    pub certificates: Json,
    pub catalogue_code: String,
    pub tax_code: String,
    pub is_active: bool,
    pub version: i64,
}

#[derive(Clone, Debug, FromQueryResult)]
pub struct ReferencePriceRow {
    pub id: Uuid,
    pub grade: Option<String>,
    pub price_fen: i64,
    pub pricing_unit: String,
    pub from_on: NaiveDate,
    pub source: String,
    pub created_at: DateTime<Utc>,
    pub proposed_by: Option<Uuid>,
    pub approved_at: Option<DateTime<Utc>>,
}

/// A row with its id.
pub type Identified<'a> = (Uuid, &'a NewProduct);

/// Inserts products in one statement and answers how many were new.
pub async fn insert_many(
    txn: &WriteTxn,
    products: &[Identified<'_>],
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    use ColumnType::{Integer, Text, Uuid as Id};
    let rows = products.iter().map(|(id, product)| {
        vec![
            db::set_id(*id),
            json!(product.county_code),
            json!(product.code),
            json!(product.name),
            json!(product.category),
            json!(product.measure.as_str()),
            json!(product.pricing_unit.as_str()),
            json!(json!(product.grades).to_string()),
            json!(product.shelf_life_days),
            json!(product.pack_base),
            json!(json!(product.certificates).to_string()),
            json!(product.catalogue_code),
            json!(product.tax_code),
        ]
    });
    let columns = [
        ("id", Id),
        ("county_code", Text),
        ("code", Text),
        ("name", Text),
        ("category", Text),
        ("measure", Text),
        ("pricing_unit", Text),
        ("grades", Text),
        ("shelf_life_days", Integer),
        ("pack_base", Integer),
        ("certificates", Text),
        ("catalogue_code", Text),
        ("tax_code", Text),
    ];
    let backend = txn.get_database_backend();
    let json = as_json(backend);
    let sql = format!(
        "insert into product (id, county_code, code, name, category, measure, pricing_unit, grades, shelf_life_days,
                              pack_base, certificates, catalogue_code, tax_code, is_active, created_at, updated_at,
                              version)
         select id, county_code, code, name, category, measure, pricing_unit, grades{json}, shelf_life_days,
                pack_base, certificates{json}, catalogue_code, tax_code, true, $2, $2, 1
         from ({}) as entry where true
         on conflict (county_code, code) do nothing",
        db::set_rows(backend, "$1", &columns)
    );
    db::change(txn, &sql, [db::set_parameter(rows.collect()), now.into()]).await
}

/// The products of these ids, in no order.
pub async fn find_many(connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<ProductRow>, DbErr> {
    let is_wanted = db::in_ids(connection.get_database_backend(), "product.id", "$1");
    let sql = format!("select {COLUMNS} from product where {is_wanted}");
    let set = ids.iter().map(|id| vec![db::set_id(*id)]).collect();
    db::rows(connection, &sql, [db::set_parameter(set)]).await
}

/// The products of a county whose code or name is among `words`.
pub async fn find_named(
    connection: &impl ConnectionTrait,
    county_code: &str,
    words: &[String],
) -> Result<Vec<ProductRow>, DbErr> {
    let wanted = db::set_rows(connection.get_database_backend(), "$2", &[("word", ColumnType::Text)]);
    let sql = format!(
        "with wanted as ({wanted})
         select {COLUMNS} from product
         where county_code = $1 and is_active
           and (code in (select word from wanted) or name in (select word from wanted))"
    );
    let set = words.iter().map(|word| vec![json!(word)]).collect();
    db::rows(connection, &sql, [county_code.into(), db::set_parameter(set)]).await
}

/// One product of a county, or of any county when none is named. Locked when `is_locked`.
pub async fn find(
    connection: &impl ConnectionTrait,
    county_code: Option<&str>,
    id: Uuid,
    is_locked: bool,
) -> Result<Option<ProductRow>, DbErr> {
    let lock = if is_locked { db::for_update(connection.get_database_backend()) } else { "" };
    let mut values: Vec<Value> = vec![id.into()];
    let mut sql = format!("select {COLUMNS} from product where id = $1");
    if let Some(county_code) = county_code {
        values.push(county_code.into());
        sql.push_str(" and county_code = $2");
    }
    db::row(connection, &format!("{sql} {lock}"), values).await
}

pub async fn list(
    connection: &impl ConnectionTrait,
    county_code: Option<&str>,
    category: Option<&str>,
    page: PageRequest,
) -> Result<Vec<ProductRow>, DbErr> {
    let mut values: Vec<Value> = Vec::new();
    let mut wheres = vec!["true".to_owned()];
    if let Some(county_code) = county_code {
        values.push(county_code.into());
        wheres.push(format!("county_code = ${}", values.len()));
    }
    if let Some(category) = category {
        values.push(category.into());
        wheres.push(format!("category = ${}", values.len()));
    }
    if let Some(before) = page.before {
        values.push(before.into());
        wheres.push(format!("id < ${}", values.len()));
    }
    values.push(i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX).into());
    let limit = values.len();
    let sql = format!(
        "select {COLUMNS} from product where {} order by id desc limit ${limit}",
        wheres.join(" and ")
    );
    db::rows(connection, &sql, values).await
}

/// Writes the fields that may change; `None` when the version has moved on.
pub async fn update(
    txn: &WriteTxn,
    id: Uuid,
    version: i64,
    product: &NewProduct,
    is_active: bool,
    now: DateTime<Utc>,
) -> Result<Option<ProductRow>, DbErr> {
    let sql = format!(
        "update product set name = $3, category = $4, grades = $5, shelf_life_days = $6, pack_base = $7,
                certificates = $8, catalogue_code = $9, tax_code = $10, is_active = $11, updated_at = $12,
                version = version + 1
         where id = $1 and version = $2 returning {COLUMNS}"
    );
    let values: [Value; 12] = [
        id.into(),
        version.into(),
        product.name.clone().into(),
        product.category.clone().into(),
        json!(product.grades).into(),
        product.shelf_life_days.into(),
        product.pack_base.into(),
        json!(product.certificates).into(),
        product.catalogue_code.clone().into(),
        product.tax_code.clone().into(),
        is_active.into(),
        now.into(),
    ];
    db::row(txn, &sql, values).await
}

const PRICE: &str =
    "id, grade, price_fen, pricing_unit, from_on, source, created_at, proposed_by, approved_at";

pub async fn insert_reference_price(
    txn: &WriteTxn,
    product_id: Uuid,
    price: &ReferencePriceRow,
) -> Result<(), DbErr> {
    let sql = "insert into reference_price (id, product_id, grade, price_fen, pricing_unit, from_on, source, created_at,
                                            proposed_by)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values: [Value; 9] = [
        price.id.into(),
        product_id.into(),
        price.grade.clone().into(),
        price.price_fen.into(),
        price.pricing_unit.clone().into(),
        price.from_on.into(),
        price.source.clone().into(),
        price.created_at.into(),
        price.proposed_by.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// A reference price of a product.
pub async fn find_reference_price(
    connection: &impl ConnectionTrait,
    product_id: Uuid,
    id: Uuid,
) -> Result<Option<ReferencePriceRow>, DbErr> {
    let sql = format!("select {PRICE} from reference_price where id = $1 and product_id = $2");
    db::row(connection, &sql, [id.into(), product_id.into()]).await
}

/// Puts a proposed price in force; `false` when it is already, or the approver proposed it.
pub async fn approve_reference_price(
    txn: &WriteTxn,
    id: Uuid,
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "update reference_price set approved_by = $2, approved_at = $3
               where id = $1 and approved_at is null and proposed_by <> $2";
    Ok(db::change(txn, sql, [id.into(), by.into(), now.into()]).await? == 1)
}

pub async fn list_reference_prices(
    connection: &impl ConnectionTrait,
    product_id: Uuid,
    page: PageRequest,
) -> Result<Vec<ReferencePriceRow>, DbErr> {
    let before = if page.before.is_some() { "and id < $3" } else { "" };
    let sql = format!(
        "select {PRICE} from reference_price
         where product_id = $1 {before} order by id desc limit $2"
    );
    let limit = i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let values = [Some(product_id.into()), Some(limit.into()), page.before.map(Value::from)];
    db::rows(connection, &sql, values.into_iter().flatten()).await
}

fn as_json(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "::jsonb" } else { "" }
}
