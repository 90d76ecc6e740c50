//! The data the demo starts from, embedded so that the binary needs no other file. Reads and joins; never
//! writes and never draws random numbers. `data/NOTICE` holds the licences of the two files that come from others.
//!
//! # Where each file comes from
//! - `regions.csv`: Jing County, its 11 townships and 144 villages on 2019-10-31, and the city and province
//!   above it. From china-division 2.3.1 (modood/Administrative-divisions-of-China), MIT.
//! - `products.csv`: written for this project. Prices, shelf lives, seasons and lot sizes are plausible, not
//!   quoted. `catalogue_code` is from the government procurement catalogue 2022 (Ministry of Finance);
//!   `tax_code` from the tax classification list of the State Taxation Administration, of which only the
//!   farm part was at hand: [`TaxMatch`] says how well each code fits.
//! - `purchase_lines.csv`: 1,315 purchase lines as published with guanmai's gmfe/gm-printer (commit 085d8c4),
//!   ISC. Its authors call it mock data. The names of its buyers are replaced by numbers, which only tell which
//!   lines belong together.
//! - `purchase_mapping.csv`, `purchase_exceptions.csv`: written for this project: what a county household
//!   could deliver for each of those goods, or why nothing. A brand gives way to the county's goods of the
//!   same kind and weight, a named place of origin does not. An exception is a line whose remark makes its
//!   quantity impossible, such as two watermelons of one jin together.
//! - `institutions.csv`, `names.csv`, `cooperatives.csv`: all made up. The credit codes have valid check
//!   digits but a body (`DEM0…`) that stands for no organisation; kinds are spread so that each occurs.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::quantity::{Measure, Unit};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionLevel {
    Province,
    City,
    County,
    Township,
    Village,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Region {
    /// 12-digit statistical code.
    pub code: String,
    pub level: RegionLevel,
    pub name: String,
    /// Absent for the province only.
    pub parent: Option<String>,
}

/// How well a product's tax code fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxMatch {
    Exact,
    /// The code of a group the product belongs to; its own code is not in the list at hand.
    Ancestor,
    /// The list at hand has no fitting code; a neighbour stands in. Never print it on a real invoice.
    Placeholder,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Product {
    pub code: String,
    pub name: String,
    pub category: String,
    pub measure: Measure,
    pub pricing_unit: Unit,
    /// Fen per pricing unit.
    pub reference_price_fen: i64,
    /// Best first; empty when the product is not graded.
    #[serde(deserialize_with = "semicolon_list")]
    pub grades: Vec<String>,
    pub shelf_life_days: i64,
    /// 1 to 12, ascending.
    #[serde(deserialize_with = "month_list")]
    pub season_months: Vec<u32>,
    /// Grams or pieces in one pack; 0 when it is sold loose.
    pub pack_base: i64,
    #[serde(deserialize_with = "semicolon_list")]
    pub certificates: Vec<String>,
    /// Grams or pieces: the smallest lot one household plausibly offers.
    pub lot_min_base: i64,
    /// Grams or pieces: the largest.
    pub lot_max_base: i64,
    pub catalogue_code: String,
    pub tax_code: String,
    pub tax_match: TaxMatch,
}

/// One purchase line as the source has it.
#[derive(Debug, Clone, Deserialize)]
pub struct PurchaseLine {
    pub line: i64,
    pub sku_name: String,
    pub sale_unit: String,
    pub buyer: String,
    /// Decimal text, in sale units.
    pub amount: String,
}

/// Why a purchase line has no product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    NotACountyProduct,
    ProcessedElsewhere,
    /// The county sells the goods, not soaked, peeled, minced or by that cut.
    PreparationNotOffered,
    Seafood,
    UnitNotConvertible,
    /// The source says that one jin is a tenth of a jin.
    UnitContradictory,
    /// The line asks for goods of a place elsewhere.
    NamedOrigin,
    NotFood,
    UnclearName,
    /// The remark contradicts the amount.
    NoQuantity,
}

impl LeftOut {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotACountyProduct => "not a product of the county",
            Self::ProcessedElsewhere => "processed elsewhere",
            Self::PreparationNotOffered => "prepared in a way that is not offered",
            Self::Seafood => "seafood",
            Self::UnitNotConvertible => "in a unit that cannot be converted",
            Self::UnitContradictory => "in a unit that contradicts itself",
            Self::NamedOrigin => "of a named place elsewhere",
            Self::NotFood => "not food",
            Self::UnclearName => "unclear name",
            Self::NoQuantity => "without a possible quantity",
        }
    }
}

/// What one kind of goods in one sale unit stands for: a product and a base quantity, or a reason.
#[derive(Debug, Clone, Deserialize)]
pub struct Mapping {
    pub sku_name: String,
    pub sale_unit: String,
    pub product: Option<String>,
    /// Grams or pieces in one sale unit.
    pub base_per_sale_unit: Option<i64>,
    pub reason: Option<LeftOut>,
}

#[derive(Debug, Clone, Deserialize)]
struct Exception {
    line: i64,
    reason: LeftOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstitutionKind {
    Agency,
    School,
    Hospital,
    PublicInstitution,
    Enterprise,
    Union,
}

/// A made-up institution that takes the lines of one buyer of the source.
#[derive(Debug, Clone, Deserialize)]
pub struct Institution {
    pub source_buyer: String,
    pub name: String,
    pub kind: InstitutionKind,
    pub credit_code: String,
    pub township_code: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    Surname,
    Given,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NamePart {
    pub kind: NameKind,
    pub text: String,
    pub weight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CooperativeKind {
    Park,
    LeadingEnterprise,
    Cooperative,
    FamilyFarm,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Cooperative {
    pub name: String,
    pub kind: CooperativeKind,
    pub township_code: String,
}

/// The purchase lines, each either a product and quantity or counted under its reason.
#[derive(Debug, Clone)]
pub struct MappedLines {
    /// In the order of [`institutions`]; an institution none of whose lines maps has an empty list.
    pub orders: Vec<MappedOrder>,
    pub mapped: usize,
    pub left_out: BTreeMap<LeftOut, usize>,
}

#[derive(Debug, Clone)]
pub struct MappedOrder {
    pub institution: Institution,
    /// In the order of the source. The same product may occur twice.
    pub lines: Vec<MappedLine>,
}

#[derive(Debug, Clone)]
pub struct MappedLine {
    /// The line's number in the source.
    pub line: i64,
    pub product: String,
    /// Grams or pieces.
    pub base_quantity: i64,
}

/// The embedded files do not fit together. Only a change to the files can cause it.
#[derive(Debug)]
pub enum DataError {
    Csv(csv::Error),
    /// The line's goods have no mapping row, or one with neither product nor reason.
    NoMapping {
        line: i64,
    },
    NoInstitution {
        line: i64,
    },
    /// The amount is no decimal number or does not come to whole grams or pieces.
    BadAmount {
        line: i64,
    },
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Csv(error) => write!(f, "embedded demo data cannot be read: {error}"),
            Self::NoMapping { line } => write!(f, "purchase line {line} has no mapping"),
            Self::NoInstitution { line } => write!(f, "purchase line {line} has no institution"),
            Self::BadAmount { line } => write!(f, "purchase line {line} has no usable amount"),
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Csv(error) => Some(error),
            Self::NoMapping { .. } | Self::NoInstitution { .. } | Self::BadAmount { .. } => None,
        }
    }
}

impl From<csv::Error> for DataError {
    fn from(error: csv::Error) -> Self {
        Self::Csv(error)
    }
}

/// # Errors
/// Only when the embedded file was broken, as for all functions of this module.
pub fn regions() -> Result<Vec<Region>, csv::Error> {
    rows(include_str!("data/regions.csv"))
}

/// # Errors
/// See [`regions`].
pub fn products() -> Result<Vec<Product>, csv::Error> {
    rows(include_str!("data/products.csv"))
}

/// # Errors
/// See [`regions`].
pub fn purchase_lines() -> Result<Vec<PurchaseLine>, csv::Error> {
    rows(include_str!("data/purchase_lines.csv"))
}

/// # Errors
/// See [`regions`].
pub fn mapping() -> Result<Vec<Mapping>, csv::Error> {
    rows(include_str!("data/purchase_mapping.csv"))
}

/// # Errors
/// See [`regions`].
pub fn institutions() -> Result<Vec<Institution>, csv::Error> {
    rows(include_str!("data/institutions.csv"))
}

/// # Errors
/// See [`regions`].
pub fn names() -> Result<Vec<NamePart>, csv::Error> {
    rows(include_str!("data/names.csv"))
}

/// # Errors
/// See [`regions`].
pub fn cooperatives() -> Result<Vec<Cooperative>, csv::Error> {
    rows(include_str!("data/cooperatives.csv"))
}

fn exceptions() -> Result<Vec<Exception>, csv::Error> {
    rows(include_str!("data/purchase_exceptions.csv"))
}

/// Joins lines, mapping and institutions.
///
/// # Errors
/// When a line lacks a mapping, an institution or a usable amount.
pub fn mapped_orders() -> Result<MappedLines, DataError> {
    let mapping = mapping()?;
    let mapping: BTreeMap<(&str, &str), &Mapping> =
        mapping.iter().map(|row| ((row.sku_name.as_str(), row.sale_unit.as_str()), row)).collect();
    let exceptions: BTreeMap<i64, LeftOut> =
        exceptions()?.into_iter().map(|row| (row.line, row.reason)).collect();
    let mut orders: Vec<MappedOrder> = institutions()?
        .into_iter()
        .map(|institution| MappedOrder { institution, lines: Vec::new() })
        .collect();
    let mut left_out: BTreeMap<LeftOut, usize> = BTreeMap::new();
    for line in purchase_lines()? {
        let number = line.line;
        let row = mapping
            .get(&(line.sku_name.as_str(), line.sale_unit.as_str()))
            .ok_or(DataError::NoMapping { line: number })?;
        match map_line(&line, row, exceptions.get(&number).copied())? {
            Outcome::LeftOut(reason) => *left_out.entry(reason).or_default() += 1,
            Outcome::Mapped(mapped) => orders
                .iter_mut()
                .find(|order| order.institution.source_buyer == line.buyer)
                .ok_or(DataError::NoInstitution { line: number })?
                .lines
                .push(mapped),
        }
    }
    let mapped = orders.iter().map(|order| order.lines.len()).sum();
    Ok(MappedLines { orders, mapped, left_out })
}

enum Outcome {
    LeftOut(LeftOut),
    Mapped(MappedLine),
}

fn map_line(line: &PurchaseLine, row: &Mapping, exception: Option<LeftOut>) -> Result<Outcome, DataError> {
    if let Some(reason) = exception.or(row.reason) {
        return Ok(Outcome::LeftOut(reason));
    }
    let (Some(product), Some(base)) = (row.product.clone(), row.base_per_sale_unit) else {
        return Err(DataError::NoMapping { line: line.line });
    };
    let base_quantity = whole_base(&line.amount, base).ok_or(DataError::BadAmount { line: line.line })?;
    Ok(Outcome::Mapped(MappedLine { line: line.line, product, base_quantity }))
}

/// `amount` x `base`, if that is a positive whole number. Takes up to three decimals.
fn whole_base(amount: &str, base: i64) -> Option<i64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let thousandths: i64 = format!("{whole}{fraction:0<3}").parse().ok()?;
    let product = thousandths.checked_mul(base)?;
    (product > 0 && product % 1000 == 0).then_some(product / 1000)
}

fn rows<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, csv::Error> {
    csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect()
}

fn semicolon_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(';').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

fn month_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    let parts = semicolon_list(deserializer)?;
    parts.iter().map(|part| part.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests;
