//! Endpoints of the catalogue and its reference prices. Thin: parse, call one operation, shape the answer.

use chrono::{DateTime, NaiveDate, Utc};
use poem::Request;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{Changes, NewProduct, NewReferencePrice, ProductView, ReferencePriceView};
use crate::app::App;
use crate::http::answers::{Created, Versioned, version_matched};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::{Amount, UnitName, UnitPrice};
use crate::members::access::Signed;
use crate::quantity::Measure;
use crate::refusal::Refusal;
use crate::routes::Tag;

/// The catalogue and its reference prices.
#[derive(Debug)]
pub struct Api(pub App);

/// How a product is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ProductMeasure {
    /// By weight.
    Mass,
    /// By the piece.
    Count,
}

/// A product to be added to the catalogue.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ProductDraft {
    /// A slug, unique in the county, such as `tea-spring`.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub code: String,
    #[oai(validator(min_length = 1, max_length = 60))]
    pub name: String,
    /// A slug, such as `tea`.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub category: String,
    pub measure: ProductMeasure,
    pub pricing_unit: UnitName,
    /// Best first; leave empty when the product is not graded.
    #[oai(default, validator(max_items = 20))]
    pub grades: Vec<String>,
    /// Days it keeps after the day it is ready.
    #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
    pub shelf_life_days: Option<i64>,
    /// What one pack holds; leave out when it is sold loose.
    pub pack: Option<Amount>,
    /// Slugs of the kinds of certificates a lot needs.
    #[oai(default, validator(max_items = 20))]
    pub certificates: Vec<String>,
    /// Of the government procurement catalogue 2022: `A` and 8 digits.
    #[oai(validator(min_length = 9, max_length = 9))]
    pub catalogue_code: String,
    /// Of the tax classification of goods: 19 digits.
    #[oai(validator(min_length = 19, max_length = 19))]
    pub tax_code: String,
}

/// What is to change of a product; what is left out stays.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ProductChanges {
    #[oai(validator(min_length = 1, max_length = 60))]
    pub name: Option<String>,
    /// A slug, such as `tea`.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub category: Option<String>,
    /// Best first. Lots keep the grade they have.
    #[oai(validator(max_items = 20))]
    pub grades: Option<Vec<String>>,
    /// Days it keeps after the day it is ready.
    #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
    pub shelf_life_days: Option<i64>,
    /// What one pack holds.
    pub pack: Option<Amount>,
    /// Slugs of the kinds of certificates a lot needs.
    #[oai(validator(max_items = 20))]
    pub certificates: Option<Vec<String>>,
    /// Of the government procurement catalogue 2022: `A` and 8 digits.
    #[oai(validator(min_length = 9, max_length = 9))]
    pub catalogue_code: Option<String>,
    /// Of the tax classification of goods: 19 digits.
    #[oai(validator(min_length = 19, max_length = 19))]
    pub tax_code: Option<String>,
    /// `false` ends new lots of it; those on sale stay.
    pub is_active: Option<bool>,
}

/// An entry of the catalogue.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Product {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    pub code: String,
    pub name: String,
    pub category: String,
    pub measure: ProductMeasure,
    pub pricing_unit: UnitName,
    /// Best first; empty when the product is not graded.
    pub grades: Vec<String>,
    pub shelf_life_days: Option<i64>,
    /// What one pack holds; absent when it is sold loose.
    pub pack: Option<Amount>,
    /// Slugs of the kinds of certificates a lot needs.
    pub certificates: Vec<String>,
    pub catalogue_code: String,
    pub tax_code: String,
    /// Whether new lots of it may be offered.
    pub is_active: bool,
}

/// What a product should cost from a day on, to be noted.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ReferencePriceDraft {
    /// One of the product's grades; leave out when it is for all.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub grade: Option<String>,
    pub price: UnitPrice,
    pub from_on: NaiveDate,
    /// Where the price was seen.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub source: String,
}

/// What a product should cost from a day on.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ReferencePrice {
    pub id: Uuid,
    pub grade: Option<String>,
    pub price: UnitPrice,
    pub from_on: NaiveDate,
    pub source: String,
    pub created_at: DateTime<Utc>,
    /// In force since; absent while it is proposed.
    pub approved_at: Option<DateTime<Utc>>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Products")]
impl Api {
    /// Add a product to the catalogue
    ///
    /// For officers of the whole county.
    #[oai(path = "/products", method = "post", operation_id = "create_product")]
    async fn create_product(&self, caller: Signed, body: Body<ProductDraft>) -> Answer<Created<Product>> {
        super::refuse_unless_keeper(&caller)?;
        let draft = body.0.into_product(caller.county()?)?;
        let view = super::create(&self.0, &caller, draft).await?;
        Ok(Created::versioned(format!("/v1/products/{}", view.id), view.version, view.into()))
    }

    /// List the catalogue
    ///
    /// The products of your county, newest first.
    #[oai(path = "/products", method = "get", operation_id = "list_products")]
    async fn list_products(
        &self,
        caller: Signed,
        request: &Request,
        #[oai(validator(max_length = 60))] category: Query<Option<String>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Product>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let page = super::list(&self.0, &caller, category.0.as_deref(), page).await?;
        Ok(Listed::new(page.map(Product::from), request.uri()))
    }

    /// Read a product
    ///
    /// One of your county, with the version to edit it by.
    #[oai(path = "/products/:id", method = "get", operation_id = "get_product")]
    async fn get_product(&self, caller: Signed, id: Path<Uuid>) -> Answer<Versioned<Product>> {
        let view = super::get(&self.0, &caller, id.0).await?;
        Ok(Versioned::new(view.version, view.into()))
    }

    /// Edit a product
    ///
    /// For officers of the whole county. How it is measured and priced cannot change: lots hang on it.
    #[oai(path = "/products/:id", method = "patch", operation_id = "edit_product")]
    async fn edit_product(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: Header<Option<String>>,
        body: Body<ProductChanges>,
    ) -> Answer<Versioned<Product>> {
        super::refuse_unless_keeper(&caller)?;
        let version = version_matched(if_match.0.as_deref())?;
        let before = super::get(&self.0, &caller, id.0).await?;
        let changes = body.0.into_changes(before.product.measure)?;
        let view = super::edit(&self.0, &caller, id.0, version, changes).await?;
        Ok(Versioned::new(view.version, view.into()))
    }

    /// Propose a reference price
    ///
    /// What the product should cost from a day on, and where that was seen. For officers of the whole county; it is in force
    /// once another of them has approved it.
    #[oai(path = "/products/:id/reference_prices", method = "post", operation_id = "create_reference_price")]
    async fn create_reference_price(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<ReferencePriceDraft>,
    ) -> Answer<Created<ReferencePrice>> {
        super::refuse_unless_keeper(&caller)?;
        let product = super::get(&self.0, &caller, id.0).await?.product;
        let new = body.0.into_noted(product.measure)?;
        let view = super::add_reference_price(&self.0, &caller, id.0, new).await?;
        Ok(Created::at(format!("/v1/products/{}/reference_prices", id.0), view.into()))
    }

    /// Approve a reference price
    ///
    /// By another officer of the whole county than the one who proposed it.
    #[oai(
        path = "/products/:id/reference_prices/:price_id/approve",
        method = "post",
        operation_id = "approve_reference_price"
    )]
    async fn approve_reference_price(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        price_id: Path<Uuid>,
    ) -> Answer<Json<ReferencePrice>> {
        Ok(Json(super::approve_reference_price(&self.0, &caller, id.0, price_id.0).await?.into()))
    }

    /// List the reference prices of a product
    ///
    /// Newest first.
    #[oai(path = "/products/:id/reference_prices", method = "get", operation_id = "list_reference_prices")]
    async fn list_reference_prices(
        &self,
        caller: Signed,
        request: &Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<ReferencePrice>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let page = super::list_reference_prices(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(page.map(ReferencePrice::from), request.uri()))
    }
}

impl ProductDraft {
    fn into_product(self, county_code: &str) -> Result<NewProduct, Refusal> {
        let measure = Measure::from(self.measure);
        Ok(NewProduct {
            county_code: county_code.to_owned(),
            code: self.code,
            name: self.name,
            category: self.category,
            measure,
            pricing_unit: self.pricing_unit.into(),
            grades: self.grades,
            shelf_life_days: self.shelf_life_days,
            pack_base: pack_base(self.pack.as_ref(), measure)?.unwrap_or(1),
            certificates: self.certificates,
            catalogue_code: self.catalogue_code,
            tax_code: self.tax_code,
        })
    }
}

impl ProductChanges {
    fn into_changes(self, measure: Measure) -> Result<Changes, Refusal> {
        Ok(Changes {
            name: self.name,
            category: self.category,
            grades: self.grades,
            shelf_life_days: self.shelf_life_days,
            pack_base: pack_base(self.pack.as_ref(), measure)?,
            certificates: self.certificates,
            catalogue_code: self.catalogue_code,
            tax_code: self.tax_code,
            is_active: self.is_active,
        })
    }
}

impl ReferencePriceDraft {
    fn into_noted(self, measure: Measure) -> Result<NewReferencePrice, Refusal> {
        let price = self.price.price(measure, "/price")?;
        Ok(NewReferencePrice { grade: self.grade, price, from_on: self.from_on, source: self.source })
    }
}

fn pack_base(pack: Option<&Amount>, measure: Measure) -> Result<Option<i64>, Refusal> {
    pack.map(|pack| pack.quantity(measure, "/pack").map(crate::quantity::Quantity::base)).transpose()
}

impl From<ProductMeasure> for Measure {
    fn from(measure: ProductMeasure) -> Self {
        match measure {
            ProductMeasure::Mass => Self::Mass,
            ProductMeasure::Count => Self::Count,
        }
    }
}

impl From<Measure> for ProductMeasure {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Mass => Self::Mass,
            Measure::Count => Self::Count,
        }
    }
}

impl From<ProductView> for Product {
    fn from(view: ProductView) -> Self {
        let product = view.product;
        Self {
            id: view.id,
            county: product.county_code,
            code: product.code,
            name: product.name,
            category: product.category,
            measure: product.measure.into(),
            pricing_unit: product.pricing_unit.into(),
            grades: product.grades,
            shelf_life_days: product.shelf_life_days,
            pack: (product.pack_base > 1).then(|| Amount::new(product.pack_base, product.measure)),
            certificates: product.certificates,
            catalogue_code: product.catalogue_code,
            tax_code: product.tax_code,
            is_active: view.is_active,
        }
    }
}

impl From<ReferencePriceView> for ReferencePrice {
    fn from(view: ReferencePriceView) -> Self {
        Self {
            id: view.id,
            grade: view.noted.grade,
            price: view.noted.price.into(),
            from_on: view.noted.from_on,
            source: view.noted.source,
            created_at: view.created_at,
            approved_at: view.approved_at,
        }
    }
}
