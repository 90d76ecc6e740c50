//! The catalogue of a county and its reference prices. A product is never deleted: lots and orders name it.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role};
use crate::money::{Fen, Price};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
mod rules;
mod store;

pub use rules::{Changes, NewProduct, ProductFacts, is_label, is_slug};
use store::{ProductRow, ReferencePriceRow};

/// A product as its readers see it.
#[derive(Clone, Debug)]
pub struct ProductView {
    pub id: Uuid,
    pub product: NewProduct,
    pub is_active: bool,
    pub version: i64,
}

/// A price to be noted for a product.
#[derive(Clone, Debug)]
pub struct NewReferencePrice {
    pub grade: Option<String>,
    pub price: Price,
    pub from_on: NaiveDate,
    /// Where the price was seen.
    pub source: String,
}

/// What a product should cost from a day on.
#[derive(Clone, Debug)]
pub struct ReferencePriceView {
    pub id: Uuid,
    pub noted: NewReferencePrice,
    pub created_at: DateTime<Utc>,
    /// In force since; nothing while it is proposed.
    pub approved_at: Option<DateTime<Utc>>,
}

/// The products of these ids, by id; ids that are none are left out. One statement whatever their number.
pub async fn find_many(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Outcome<HashMap<Uuid, ProductFacts>> {
    let rows = store::find_many(connection, ids).await?;
    rows.into_iter().map(|row| facts_of(row).map(|facts| (facts.id, facts))).collect()
}

/// The products of a county that are on offer and whose code or name is among `words`. A name may fit several.
pub async fn find_named(
    connection: &impl ConnectionTrait,
    county_code: &str,
    words: &[String],
) -> Outcome<Vec<ProductFacts>> {
    let rows = store::find_named(connection, county_code, words).await?;
    rows.into_iter().map(facts_of).collect()
}

/// Writes products inside an open transaction, in one statement, and answers their ids in the same order.
///
/// Refused when one is no entry of a catalogue or its code exists in the county.
pub async fn insert_many(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    products: Vec<NewProduct>,
) -> Outcome<Vec<Uuid>> {
    products.iter().try_for_each(rules::check)?;
    let now = app.clock.now();
    let identified: Vec<(Uuid, &NewProduct)> =
        products.iter().map(|product| (app.ids.next(now), product)).collect();
    let inserted = store::insert_many(txn, &identified, now).await?;
    if usize::try_from(inserted) != Ok(products.len()) {
        return Err(Refusal::Duplicate { detail: "a product of this code exists already".to_owned() }.into());
    }
    let events = identified.iter().map(|(id, product)| Event {
        county_code: Some(product.county_code.clone()),
        household_id: None,
        action: "create_product",
        subject_kind: "product",
        subject_id: *id,
        before: None,
        after: Some(told(product, true)),
    });
    trail::record(txn, &app.ids, now, actor, events.collect()).await?;
    Ok(identified.into_iter().map(|(id, _)| id).collect())
}

/// Adds a product to the catalogue of the caller's county. For officers of the whole county.
pub async fn create(app: &App, caller: &Caller, product: NewProduct) -> Outcome<ProductView> {
    refuse_unless_keeper(caller)?;
    rules::check(&product)?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let ids = insert_many(&txn, app, &caller.actor(), vec![product.clone()]).await?;
            let id = ids.first().copied().ok_or_else(|| Failure::Broken("no product was made".to_owned()))?;
            txn.commit(ProductView { id, product: product.clone(), is_active: true, version: 1 }).await
        })
        .await
}

/// One product of the caller's county.
pub async fn get(app: &App, caller: &Caller, id: Uuid) -> Outcome<ProductView> {
    refuse_administrators(caller)?;
    view_of(find(app.db.reader(), caller, id, false).await?)
}

/// The catalogue of the caller's county, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    category: Option<&str>,
    page: PageRequest,
) -> Outcome<Page<ProductView>> {
    refuse_administrators(caller)?;
    if category.is_some_and(|category| !is_slug(category)) {
        return Err(Refusal::Malformed { detail: "category: a slug, such as tea".to_owned() }.into());
    }
    let rows = store::list(app.db.reader(), caller.county_code.as_deref(), category, page).await?;
    let views: Outcome<Vec<ProductView>> = rows.into_iter().map(view_of).collect();
    Ok(Page::cut(views?, page, |view| view.id))
}

/// Changes a product as it was at `version`. For officers of the whole county.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: Uuid,
    version: i64,
    changes: Changes,
) -> Outcome<ProductView> {
    refuse_unless_keeper(caller)?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let before = view_of(find(&txn, caller, id, true).await?)?;
            let is_active = changes.is_active.unwrap_or(before.is_active);
            let product = changes.clone().applied_to(before.product.clone());
            rules::check(&product)?;
            let now = app.clock.now();
            let row = store::update(&txn, id, version, &product, is_active, now).await?;
            let after = view_of(row.ok_or(Refusal::Stale)?)?;
            let event = Event {
                county_code: Some(product.county_code.clone()),
                household_id: None,
                action: "edit_product",
                subject_kind: "product",
                subject_id: id,
                before: Some(told(&before.product, before.is_active)),
                after: Some(told(&after.product, after.is_active)),
            };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(after).await
        })
        .await
}

/// Proposes what a product should cost from a day on. For officers of the whole county; another of them approves it.
pub async fn add_reference_price(
    app: &App,
    caller: &Caller,
    product_id: Uuid,
    new: NewReferencePrice,
) -> Outcome<ReferencePriceView> {
    refuse_unless_keeper(caller)?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let product = find(&txn, caller, product_id, false).await?;
            let county_code = product.county_code.clone();
            refuse_misfit(&new, &facts_of(product)?)?;
            let now = app.clock.now();
            let row = row_of(app.ids.next(now), &new, caller.principal_id, now);
            store::insert_reference_price(&txn, product_id, &row).await?;
            let event = Event {
                county_code: Some(county_code),
                household_id: None,
                action: "create_reference_price",
                subject_kind: "reference_price",
                subject_id: row.id,
                before: None,
                after: Some(json!({
                    "product_id": product_id, "grade": row.grade, "price_fen": row.price_fen,
                    "pricing_unit": row.pricing_unit, "from_on": row.from_on, "source": row.source,
                })),
            };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            let view =
                ReferencePriceView { id: row.id, noted: new.clone(), created_at: now, approved_at: None };
            txn.commit(view).await
        })
        .await
}

/// Puts a proposed reference price in force. By another officer of the whole county than the one who proposed it.
pub async fn approve_reference_price(
    app: &App,
    caller: &Caller,
    product_id: Uuid,
    id: Uuid,
) -> Outcome<ReferencePriceView> {
    refuse_unless_keeper(caller)?;
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let product = find(&txn, caller, product_id, false).await?;
            let found = store::find_reference_price(&txn, product_id, id).await?;
            let found = found.ok_or(Refusal::NotFound("reference price"))?;
            if !store::approve_reference_price(&txn, id, caller.principal_id, now).await? {
                return Err(why_not_approved(&found, caller).into());
            }
            let event = Event {
                county_code: Some(product.county_code),
                household_id: None,
                action: "approve_reference_price",
                subject_kind: "reference_price",
                subject_id: id,
                before: None,
                after: Some(json!({ "approved_at": now })),
            };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(reference_price_of(ReferencePriceRow { approved_at: Some(now), ..found })?).await
        })
        .await
}

fn why_not_approved(found: &ReferencePriceRow, caller: &Caller) -> Refusal {
    if found.approved_at.is_none() && found.proposed_by == Some(caller.principal_id) {
        return Refusal::SecondPersonNeeded;
    }
    Refusal::WrongState { what: "reference price", from: "approved".to_owned(), attempted: "approve it" }
}

/// The reference prices of a product, newest first, proposed ones too.
pub async fn list_reference_prices(
    app: &App,
    caller: &Caller,
    product_id: Uuid,
    page: PageRequest,
) -> Outcome<Page<ReferencePriceView>> {
    refuse_administrators(caller)?;
    find(app.db.reader(), caller, product_id, false).await?;
    let rows = store::list_reference_prices(app.db.reader(), product_id, page).await?;
    let views: Outcome<Vec<ReferencePriceView>> = rows.into_iter().map(reference_price_of).collect();
    Ok(Page::cut(views?, page, |view| view.id))
}

/// Whoever administers the system has no business with what is sold in it.
fn refuse_administrators(caller: &Caller) -> Result<(), Refusal> {
    if caller.role.is_administration() { Err(Refusal::NotAllowed) } else { Ok(()) }
}

/// The catalogue is the county's: officers of a township read it.
fn refuse_unless_keeper(caller: &Caller) -> Result<(), Refusal> {
    caller.allow(&[Role::Officer])?;
    let county = format!("{:0<12}", caller.county()?);
    if caller.region()?.contains(&county) { Ok(()) } else { Err(Refusal::NotAllowed) }
}

async fn find(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    id: Uuid,
    is_locked: bool,
) -> Outcome<ProductRow> {
    let row = store::find(connection, caller.county_code.as_deref(), id, is_locked).await?;
    Ok(row.ok_or(Refusal::NotFound("product"))?)
}

fn refuse_misfit(new: &NewReferencePrice, product: &ProductFacts) -> Result<(), Refusal> {
    new.price.for_measure(product.measure).map_err(|error| Refusal::invalid("/price", error))?;
    if new.grade.as_ref().is_some_and(|grade| !product.grades.contains(grade)) {
        return Err(Refusal::invalid("/grade", "is not a grade of this product"));
    }
    if !(2000..=2100).contains(&new.from_on.year()) {
        return Err(Refusal::invalid("/from_on", "must lie between 2000 and 2100"));
    }
    if new.source.trim().is_empty() || new.source.contains(char::is_control) {
        return Err(Refusal::invalid("/source", "must say where the price was seen"));
    }
    Ok(())
}

fn row_of(id: Uuid, new: &NewReferencePrice, by: Uuid, now: DateTime<Utc>) -> ReferencePriceRow {
    ReferencePriceRow {
        id,
        grade: new.grade.clone(),
        price_fen: new.price.fen.get(),
        pricing_unit: new.price.per.as_str().to_owned(),
        from_on: new.from_on,
        source: new.source.clone(),
        created_at: now,
        proposed_by: Some(by),
        approved_at: None,
    }
}

fn reference_price_of(row: ReferencePriceRow) -> Outcome<ReferencePriceView> {
    let broken = || Failure::Broken(format!("reference price {} cannot be read", row.id));
    let per = row.pricing_unit.parse().map_err(|()| broken())?;
    let price = Price::new(Fen::new(row.price_fen), per).map_err(|_| broken())?;
    let noted = NewReferencePrice { grade: row.grade, price, from_on: row.from_on, source: row.source };
    Ok(ReferencePriceView { id: row.id, noted, created_at: row.created_at, approved_at: row.approved_at })
}

fn view_of(row: ProductRow) -> Outcome<ProductView> {
    let broken = || Failure::Broken(format!("product {} cannot be read", row.id));
    Ok(ProductView {
        id: row.id,
        is_active: row.is_active,
        version: row.version,
        product: NewProduct {
            measure: row.measure.parse().map_err(|()| broken())?,
            pricing_unit: row.pricing_unit.parse().map_err(|()| broken())?,
            grades: serde_json::from_value(row.grades).map_err(|_| broken())?,
            certificates: serde_json::from_value(row.certificates).map_err(|_| broken())?,
            county_code: row.county_code,
            code: row.code,
            name: row.name,
            category: row.category,
            shelf_life_days: row.shelf_life_days,
            pack_base: row.pack_base,
            catalogue_code: row.catalogue_code,
            tax_code: row.tax_code,
        },
    })
}

fn facts_of(row: ProductRow) -> Outcome<ProductFacts> {
    let view = view_of(row)?;
    Ok(ProductFacts {
        id: view.id,
        county_code: view.product.county_code,
        code: view.product.code,
        name: view.product.name,
        category: view.product.category,
        measure: view.product.measure,
        pricing_unit: view.product.pricing_unit,
        pack_base: view.product.pack_base,
        grades: view.product.grades,
        shelf_life_days: view.product.shelf_life_days,
        certificates: view.product.certificates,
        is_active: view.is_active,
    })
}

/// A product as the audit trail tells it.
fn told(product: &NewProduct, is_active: bool) -> Json {
    json!({
        "code": product.code, "name": product.name, "category": product.category,
        "measure": product.measure.as_str(), "pricing_unit": product.pricing_unit.as_str(),
        "grades": product.grades, "shelf_life_days": product.shelf_life_days, "pack_base": product.pack_base,
        "certificates": product.certificates, "catalogue_code": product.catalogue_code,
        "tax_code": product.tax_code, "is_active": is_active,
    })
}
