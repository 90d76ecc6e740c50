//! Endpoints of what households offer. Thin: parse, call one operation, shape the answer.

use chrono::{DateTime, NaiveDate, Utc};
use poem::Request;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Binary, Json};
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{
    Certificate, Changes, Filters, LotImport, LotView, Offer, PublicLotView, SELLERS, State, sees_all,
};
use crate::app::App;
use crate::http::answers::{Created, Versioned, etag, idempotency_key, version_matched};
use crate::http::body::Body;
use crate::http::page::{Listed, Page, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::{Amount, UnitPrice};
use crate::members::access::{Caller, RegionScope, Role, Signed};
use crate::quantity::{Quantity, Unit};
use crate::refusal::Refusal;
use crate::regions;
use crate::routes::Tag;
use crate::sheet::{BadCell, ImportReport};

/// Bad cells that one answer names at most; a file with more has one cause for them.
const REFUSED_TOLD_MAX: usize = 1_000;

/// What households offer.
#[derive(Debug)]
pub struct Api(pub App);

/// Whether a lot can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum LotState {
    OnSale,
    /// Nothing more is sold of it; what is held or confirmed stays promised.
    Withdrawn,
}

/// A paper that comes with a lot.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct LotCertificate {
    /// A slug, such as `food_production`.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub kind: String,
    #[oai(validator(min_length = 1, max_length = 60))]
    pub number: String,
    pub valid_until: NaiveDate,
}

/// A lot to be offered.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct LotOffer {
    /// Whose it is. A household leaves it out; helpers and officers must say.
    pub household_id: Option<Uuid>,
    pub product_id: Uuid,
    pub quantity: Amount,
    pub price: UnitPrice,
    /// One of the product's grades; left out when it has none.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub grade: Option<String>,
    pub ready_from: NaiveDate,
    /// The last day to sell; the product's shelf life after `ready_from` when left out.
    pub sell_by: Option<NaiveDate>,
    /// Pickup village, 12 digits; the household's own when left out.
    #[oai(validator(min_length = 2, max_length = 12))]
    pub village: Option<String>,
    /// The number it has in your own list, unique in the county.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub external_ref: Option<String>,
    #[oai(default, validator(max_items = 20))]
    pub certificates: Vec<LotCertificate>,
}

/// What is to change of a lot; what is left out stays.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct LotChanges {
    /// The whole of what is offered, at least what is held, confirmed and delivered.
    pub quantity: Option<Amount>,
    pub price: Option<UnitPrice>,
    pub sell_by: Option<NaiveDate>,
}

/// A lot. Buyers are not told whose it is, where exactly, and how much of it is promised.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Lot {
    pub id: Uuid,
    pub household_id: Option<Uuid>,
    pub product_id: Uuid,
    /// The product's name.
    pub product: String,
    pub grade: Option<String>,
    pub price: UnitPrice,
    /// Pickup village, 12 digits.
    pub village: Option<String>,
    /// Township of the pickup village, 12 digits.
    pub township: Option<String>,
    pub township_name: Option<String>,
    pub external_ref: Option<String>,
    pub offered: Option<Amount>,
    /// Taken out of sale for orders that are not confirmed yet.
    pub held: Option<Amount>,
    pub confirmed: Option<Amount>,
    pub delivered: Option<Amount>,
    /// Offered less held, confirmed and delivered.
    pub available: Amount,
    pub ready_from: NaiveDate,
    pub sell_by: NaiveDate,
    pub certificates: Option<Vec<LotCertificate>>,
    /// The last day on which every certificate the product needs is valid; absent when one is missing.
    pub certified_until: Option<NaiveDate>,
    pub state: LotState,
    pub created_at: Option<DateTime<Utc>>,
}

/// A lot as anybody may see it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PublicLot {
    pub id: Uuid,
    pub product_id: Uuid,
    /// The product's name.
    pub product: String,
    pub grade: Option<String>,
    /// Township of the pickup village, 12 digits; absent where fewer than three households have something on sale, and
    /// where that could be worked out from the others.
    pub township: Option<String>,
    pub township_name: Option<String>,
    pub price: UnitPrice,
    pub available: Amount,
    pub ready_from: NaiveDate,
    pub sell_by: NaiveDate,
}

/// A cell that cannot be read.
#[derive(Debug, Object)]
pub struct LotCellRefused {
    pub sheet: String,
    /// As your program numbers it, from 1.
    pub row: u64,
    pub column: String,
    pub value: String,
    pub reason: String,
}

/// What an import of lots did, or would do. When a cell was refused, nothing of the file was imported.
#[derive(Debug, Object)]
pub struct LotImportReport {
    pub is_dry_run: bool,
    /// Rows of the table, blank ones left out.
    pub rows: u64,
    /// Rows that became, or would become, a lot.
    pub created: u64,
    /// Rows that are there already, from an earlier import.
    pub existing: u64,
    /// How many cells were refused.
    pub refused_count: u64,
    /// The first 1,000 of them.
    pub refused: Vec<LotCellRefused>,
}

#[OpenApi(prefix_path = "/v1")]
impl Api {
    /// Offer a lot
    ///
    /// A household offers its own; helpers and officers for a household they name. Needs an Idempotency-Key.
    #[oai(path = "/lots", method = "post", operation_id = "offer_lot", tag = "Tag::Lots")]
    async fn offer_lot(
        &self,
        caller: Signed,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<String>>,
        body: Body<LotOffer>,
    ) -> Answer<Created<Lot>> {
        caller.allow(&SELLERS)?;
        let key =
            self::idempotency_key(caller.principal_id, idempotency_key.0.as_deref(), "offer_lot", &body.0)?;
        let (household_id, village) = (body.0.household_id, body.0.village.clone());
        let offer = body.0.into_offer()?;
        let once = super::offer(&self.0, &caller, &key, household_id, village, offer).await?;
        let location = format!("/v1/lots/{}", once.value.id);
        let tag = etag(once.value.version);
        let lot = Json(shape(once.value, &caller));
        Ok(Created::Created(lot, location, Some(tag), once.is_replay.then_some(true)))
    }

    /// List lots
    ///
    /// Those that exist for you, newest first: your own, your households', your region's; for buyers those on sale.
    #[oai(path = "/lots", method = "get", operation_id = "list_lots", tag = "Tag::Lots")]
    async fn list_lots(
        &self,
        caller: Signed,
        request: &Request,
        product_id: Query<Option<Uuid>>,
        household_id: Query<Option<Uuid>>,
        state: Query<Option<LotState>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Lot>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let filters = Filters {
            product_id: product_id.0,
            household_id: household_id.0,
            state: state.0.map(State::from),
            region: None,
        };
        let page = super::list(&self.0, &caller, &filters, page).await?;
        Ok(Listed::new(page.map(|lot| shape(lot, &caller)), request.uri()))
    }

    /// Read a lot
    ///
    /// With the version to edit it by. For buyers only while it is on sale.
    #[oai(path = "/lots/:id", method = "get", operation_id = "get_lot", tag = "Tag::Lots")]
    async fn get_lot(&self, caller: Signed, id: Path<Uuid>) -> Answer<Versioned<Lot>> {
        let lot = super::get(&self.0, &caller, id.0).await?;
        Ok(Versioned::new(lot.version, shape(lot, &caller)))
    }

    /// Edit a lot
    ///
    /// Price, quantity and last day. What is promised to buyers stays promised at the price it was promised at.
    #[oai(path = "/lots/:id", method = "patch", operation_id = "edit_lot", tag = "Tag::Lots")]
    async fn edit_lot(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: Header<Option<String>>,
        body: Body<LotChanges>,
    ) -> Answer<Versioned<Lot>> {
        caller.allow(&SELLERS)?;
        let version = version_matched(if_match.0.as_deref())?;
        let lot = super::edit(&self.0, &caller, id.0, version, body.0.into_changes()?).await?;
        Ok(Versioned::new(lot.version, shape(lot, &caller)))
    }

    /// Withdraw a lot
    ///
    /// Nothing more is sold of it; what is held or confirmed stays promised.
    #[oai(path = "/lots/:id/withdraw", method = "post", operation_id = "withdraw_lot", tag = "Tag::Lots")]
    async fn withdraw_lot(&self, caller: Signed, id: Path<Uuid>) -> Answer<Versioned<Lot>> {
        let lot = super::withdraw(&self.0, &caller, id.0).await?;
        Ok(Versioned::new(lot.version, shape(lot, &caller)))
    }

    /// Import lots
    ///
    /// A csv or xlsx file of lots of households of your region, all or nothing; the same file twice adds nothing.
    /// `dry_run=true` only says what would happen. For officers.
    #[oai(path = "/lots/import", method = "post", operation_id = "import_lots", tag = "Tag::Lots")]
    async fn import_lots(
        &self,
        caller: Signed,
        dry_run: Query<Option<bool>>,
        file: Binary<Vec<u8>>,
    ) -> Answer<Json<LotImportReport>> {
        caller.allow(&[Role::Officer])?;
        let how = LotImport {
            county_code: caller.county()?.to_owned(),
            within: caller.region()?.clone(),
            is_dry_run: dry_run.0.unwrap_or(false),
        };
        let report = super::import(&self.0, &caller.actor(), file.0, &how).await?;
        Ok(Json(LotImportReport::new(report, how.is_dry_run)))
    }

    /// List what is on sale
    ///
    /// Without sign-in and without households: product, grade, township, price and what is available, newest first.
    #[oai(path = "/public/lots", method = "get", operation_id = "list_public_lots", tag = "Tag::Public")]
    async fn list_public_lots(
        &self,
        request: &Request,
        product_id: Query<Option<Uuid>>,
        /// A township or a region above it, 2 to 12 digits.
        #[oai(validator(min_length = 2, max_length = 12))]
        township: Query<Option<String>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<PublicLot>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let region = township.0.as_deref().map(read_region).transpose()?;
        if region.as_ref().is_some_and(|region| !region.code.ends_with("000")) {
            let detail = "township: a township or a region above it; villages are not told".to_owned();
            return Err(Refusal::Malformed { detail }.into());
        }
        let filters = Filters { product_id: product_id.0, region, ..Filters::default() };
        let found = super::list_public(&self.0, &filters, page).await?;
        let page = Page { items: found.items, next: found.next };
        Ok(Listed::new(page.map(PublicLot::from), request.uri()))
    }
}

impl LotOffer {
    fn into_offer(self) -> Result<Offer, Refusal> {
        Ok(Offer {
            product_id: self.product_id,
            external_ref: self.external_ref,
            grade: self.grade,
            quantity: read_quantity(&self.quantity)?,
            price: read_price(&self.price)?,
            ready_from: self.ready_from,
            sell_by: self.sell_by,
            certificates: self.certificates.into_iter().map(Certificate::from).collect(),
        })
    }
}

impl LotChanges {
    fn into_changes(self) -> Result<Changes, Refusal> {
        Ok(Changes {
            quantity: self.quantity.as_ref().map(read_quantity).transpose()?,
            price: self.price.as_ref().map(read_price).transpose()?,
            sell_by: self.sell_by,
        })
    }
}

/// Of whatever measure its unit is; whether that is the product's is for the rules to say.
fn read_quantity(amount: &Amount) -> Result<Quantity, Refusal> {
    amount.quantity(Unit::from(amount.unit).measure(), "/quantity")
}

fn read_price(price: &UnitPrice) -> Result<crate::money::Price, Refusal> {
    price.price(Unit::from(price.per).measure(), "/price")
}

fn read_region(code: &str) -> Result<RegionScope, Refusal> {
    let malformed = || Refusal::Malformed { detail: "township: a region code of 2 to 12 digits".to_owned() };
    regions::normalise(code).map(|code| RegionScope::of(&code)).ok_or_else(malformed)
}

fn shape(lot: LotView, caller: &Caller) -> Lot {
    let is_told = sees_all(caller);
    let amount = |base| Amount::new(base, lot.measure);
    Lot {
        id: lot.id,
        household_id: is_told.then_some(lot.household_id),
        product_id: lot.product_id,
        available: amount(lot.available_base()),
        offered: is_told.then(|| amount(lot.offered_base)),
        held: is_told.then(|| amount(lot.held_base)),
        confirmed: is_told.then(|| amount(lot.confirmed_base)),
        delivered: is_told.then(|| amount(lot.delivered_base)),
        product: lot.product_name,
        grade: lot.grade,
        price: lot.price.into(),
        village: is_told.then_some(lot.village_code),
        township: lot.township_code,
        township_name: lot.township_name,
        external_ref: lot.external_ref.filter(|_| is_told),
        ready_from: lot.ready_from,
        sell_by: lot.sell_by,
        certificates: is_told.then(|| lot.certificates.into_iter().map(LotCertificate::from).collect()),
        certified_until: lot.certified_until,
        state: lot.state.into(),
        created_at: is_told.then_some(lot.created_at),
    }
}

impl From<LotCertificate> for Certificate {
    fn from(paper: LotCertificate) -> Self {
        Self { kind: paper.kind, number: paper.number, valid_until: paper.valid_until }
    }
}

impl From<Certificate> for LotCertificate {
    fn from(paper: Certificate) -> Self {
        Self { kind: paper.kind, number: paper.number, valid_until: paper.valid_until }
    }
}

impl From<State> for LotState {
    fn from(state: State) -> Self {
        match state {
            State::OnSale => Self::OnSale,
            State::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<LotState> for State {
    fn from(state: LotState) -> Self {
        match state {
            LotState::OnSale => Self::OnSale,
            LotState::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<PublicLotView> for PublicLot {
    fn from(lot: PublicLotView) -> Self {
        Self {
            id: lot.id,
            product_id: lot.product_id,
            product: lot.product_name,
            grade: lot.grade,
            township: lot.township_code,
            township_name: lot.township_name,
            price: lot.price.into(),
            available: Amount::new(lot.available_base, lot.measure),
            ready_from: lot.ready_from,
            sell_by: lot.sell_by,
        }
    }
}

impl LotImportReport {
    fn new(report: ImportReport, is_dry_run: bool) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            is_dry_run,
            rows: count(report.rows),
            created: report.created,
            existing: report.existing,
            refused_count: count(report.refused.len()),
            refused: report.refused.into_iter().take(REFUSED_TOLD_MAX).map(LotCellRefused::from).collect(),
        }
    }
}

impl From<BadCell> for LotCellRefused {
    fn from(cell: BadCell) -> Self {
        Self {
            sheet: cell.sheet,
            row: u64::try_from(cell.row).unwrap_or(u64::MAX),
            column: cell.column,
            value: cell.value,
            reason: cell.reason,
        }
    }
}
