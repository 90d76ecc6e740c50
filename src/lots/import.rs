//! Lots from a table that somebody has as csv or xlsx. All of a file or nothing: one bad cell refuses the file. The
//! number of a row (编号) makes the same file twice nothing new. Never guesses a unit that nobody wrote.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::rules::{Certificate, NewLot, Offer, Place, accept};
use super::store::{HouseholdRow, VillageRow};
use super::{insert_many, store};
use crate::app::App;
use crate::members::access::RegionScope;
use crate::money::{Fen, Price};
use crate::products::{self, ProductFacts};
use crate::quantity::{Quantity, Unit};
use crate::refusal::{Outcome, Refusal};
use crate::sheet::{BadCell, Column, ImportReport, Row, Table, parse_date};
use crate::trail::Actor;

const COLUMNS: [Column; 14] = [
    Column { key: "external_ref", titles: &["编号", "批次编号"], required: true },
    Column { key: "household_ref", titles: &["农户编号", "户编号"], required: true },
    Column { key: "product", titles: &["产品", "产品名称"], required: true },
    Column { key: "grade", titles: &["等级"], required: false },
    Column { key: "amount", titles: &["数量"], required: true },
    Column { key: "unit", titles: &["单位", "数量单位"], required: false },
    Column { key: "price", titles: &["单价", "价格"], required: true },
    Column { key: "per", titles: &["计价单位"], required: false },
    Column { key: "ready_from", titles: &["可供日期", "上市日期"], required: true },
    Column { key: "sell_by", titles: &["截止日期", "最晚销售日期"], required: false },
    Column { key: "village", titles: &["取货村", "村"], required: false },
    Column { key: "certificate_kind", titles: &["证书类型"], required: false },
    Column { key: "certificate_number", titles: &["证书编号"], required: false },
    Column { key: "certificate_until", titles: &["证书有效期"], required: false },
];

/// A county has some hundred villages.
const VILLAGES_MAX: i64 = 10_000;

/// How a file of lots is to be read.
#[derive(Clone, Debug)]
pub struct LotImport {
    /// Six digits.
    pub county_code: String,
    /// Only households of this region are accepted.
    pub within: RegionScope,
    pub is_dry_run: bool,
}

/// What the rows of a file name, as the database knows it.
struct Known {
    households: HashMap<String, HouseholdRow>,
    products: HashMap<String, Vec<ProductFacts>>,
    villages: Vec<VillageRow>,
    external_refs: HashSet<String>,
    today: NaiveDate,
}

/// Reads the lots of a csv or xlsx file and offers those that are new, in one transaction, unless a cell is refused.
pub async fn import(app: &App, actor: &Actor, file: Vec<u8>, how: &LotImport) -> Outcome<ImportReport> {
    let table = Table::read_beside(file, &COLUMNS).await?;
    let known = look_up(app, &table, how).await?;
    let (lots, refused) = read(&table, how, &known);
    let mut report = ImportReport { rows: table.rows.len(), refused, ..ImportReport::default() };
    if !report.refused.is_empty() {
        return Ok(report);
    }
    report.created = u64::try_from(lots.len()).unwrap_or(u64::MAX);
    report.existing = u64::try_from(table.rows.len().saturating_sub(lots.len())).unwrap_or(u64::MAX);
    if how.is_dry_run || lots.is_empty() {
        return Ok(report);
    }
    let written = app.db.write(|| async {
        let txn = app.db.begin().await?;
        insert_many(&txn, app, actor, lots.clone()).await?;
        txn.commit(()).await
    });
    written.await?;
    app.cache.drop_all().await;
    Ok(report)
}

/// Looks up all that the file names, one statement per kind.
async fn look_up(app: &App, table: &Table, how: &LotImport) -> Outcome<Known> {
    let (reader, county) = (app.db.reader(), how.county_code.as_str());
    let households =
        store::find_households(reader, county, &how.within, &named(table, "household_ref")).await?;
    let mut products: HashMap<String, Vec<ProductFacts>> = HashMap::new();
    for product in products::find_named(reader, county, &named(table, "product")).await? {
        if product.name != product.code {
            products.entry(product.name.clone()).or_default().push(product.clone());
        }
        products.entry(product.code.clone()).or_default().push(product);
    }
    let external_refs = store::find_known_refs(reader, county, &named(table, "external_ref")).await?;
    Ok(Known {
        households: households.into_iter().map(|row| (row.external_ref.clone(), row)).collect(),
        products,
        villages: store::list_villages(reader, &RegionScope::of(county), VILLAGES_MAX).await?,
        external_refs: external_refs.into_iter().collect(),
        today: app.clock.today(),
    })
}

/// What stands in a column, each text once.
fn named(table: &Table, key: &str) -> Vec<String> {
    let mut texts: Vec<String> = table.rows.iter().map(|row| table.get(row, key).to_owned()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The rows that are new, and the cells that cannot be read.
fn read(table: &Table, how: &LotImport, known: &Known) -> (Vec<NewLot>, Vec<BadCell>) {
    let mut seen: HashSet<&str> = HashSet::new();
    let (mut lots, mut refused) = (Vec::new(), Vec::new());
    for row in &table.rows {
        let external_ref = table.get(row, "external_ref");
        if external_ref.is_empty() {
            refused.push(table.bad_cell(row, "external_ref", "is missing"));
        } else if !seen.insert(external_ref) {
            refused.push(table.bad_cell(row, "external_ref", "this number stands in the file twice"));
        } else if !known.external_refs.contains(external_ref) {
            match read_row(table, row, how, known) {
                Ok(lot) => lots.push(lot),
                Err(bad) => refused.push(bad),
            }
        }
    }
    (lots, refused)
}

fn read_row(table: &Table, row: &Row, how: &LotImport, known: &Known) -> Result<NewLot, BadCell> {
    let bad = |key: &str, reason: &str| table.bad_cell(row, key, reason);
    let household = known
        .households
        .get(table.get(row, "household_ref"))
        .ok_or_else(|| bad("household_ref", "there is no household of this number in your region"))?;
    let product = find_product(table, row, known)?;
    let village_code = find_village(table, row, known, &household.village_code)?;
    let offer = Offer {
        product_id: product.id,
        external_ref: Some(table.get(row, "external_ref").to_owned()),
        grade: Some(table.get(row, "grade").to_owned()).filter(|grade| !grade.is_empty()),
        quantity: read_quantity(table, row)?,
        price: read_price(table, row)?,
        ready_from: read_day(table, row, "ready_from")?.ok_or_else(|| bad("ready_from", "is missing"))?,
        sell_by: read_day(table, row, "sell_by")?,
        certificates: read_certificate(table, row)?.into_iter().collect(),
    };
    let place = Place { county_code: how.county_code.clone(), household_id: household.id, village_code };
    accept(offer, place, product, known.today).map_err(|refusal| cell_of(table, row, &refusal))
}

fn find_product<'k>(table: &Table, row: &Row, known: &'k Known) -> Result<&'k ProductFacts, BadCell> {
    match known.products.get(table.get(row, "product")).map(Vec::as_slice) {
        Some([product]) => Ok(product),
        Some([_, ..]) => {
            Err(table.bad_cell(row, "product", "several products bear this name; write the code"))
        }
        _ => Err(table.bad_cell(row, "product", "there is no product of this code or name in the catalogue")),
    }
}

/// A pickup village by code or name, the household's own when none is written.
fn find_village(table: &Table, row: &Row, known: &Known, own: &str) -> Result<String, BadCell> {
    let text = table.get(row, "village");
    let wanted = if text.is_empty() { own } else { text };
    let is_valid = |village: &&VillageRow| {
        village.valid_from <= known.today && village.valid_to.is_none_or(|last| known.today <= last)
    };
    let called = || known.villages.iter().filter(|village| village.code == wanted || village.name == wanted);
    let valid: Vec<&VillageRow> = called().filter(is_valid).collect();
    match valid.as_slice() {
        [village] => Ok(village.code.clone()),
        [_, _, ..] => Err(table.bad_cell(
            row,
            "village",
            "several villages bear this name; write the code of 12 digits",
        )),
        [] if called().next().is_some() => Err(table.bad_cell(
            row,
            "village",
            "this village is no longer valid; write the one that replaced it",
        )),
        [] => Err(table.bad_cell(row, "village", "there is no such village in the county")),
    }
}

fn read_quantity(table: &Table, row: &Row) -> Result<Quantity, BadCell> {
    let unit = read_unit(table, row, "unit", "amount")?;
    Quantity::parse(table.get(row, "amount"), unit)
        .map_err(|error| table.bad_cell(row, "amount", error.to_string()))
}

fn read_price(table: &Table, row: &Row) -> Result<Price, BadCell> {
    let per = read_unit(table, row, "per", "price")?;
    let fen = Fen::parse(table.get(row, "price"))
        .map_err(|error| table.bad_cell(row, "price", error.to_string()))?;
    Price::new(fen, per).map_err(|error| table.bad_cell(row, "price", error.to_string()))
}

/// The unit in a column of its own, else the one in the header of the figure: 数量(斤), 单价(元/斤).
fn read_unit(table: &Table, row: &Row, key: &str, figure: &str) -> Result<Unit, BadCell> {
    const KNOWN: &str = "write one of 斤 两 公斤 千克 kg 吨 枚 个 只 头 箱";
    let text = table.get(row, key);
    let in_header = table.unit(figure).unwrap_or_default();
    let text = if text.is_empty() { in_header.as_str() } else { text };
    let text = text.strip_prefix("元/").unwrap_or(text);
    let unit = match text {
        "斤" | "市斤" => Some(Unit::Jin),
        "两" => Some(Unit::Liang),
        "公斤" | "千克" | "kg" | "KG" | "Kg" => Some(Unit::Kg),
        "吨" => Some(Unit::Ton),
        "枚" | "个" => Some(Unit::Piece),
        "只" | "头" => Some(Unit::Head),
        "箱" => Some(Unit::Box),
        other => other.parse().ok(),
    };
    let place = if table.has(key) { key } else { figure };
    unit.ok_or_else(|| table.bad_cell(row, place, format!("the unit is missing or unknown; {KNOWN}")))
}

fn read_day(table: &Table, row: &Row, key: &str) -> Result<Option<NaiveDate>, BadCell> {
    match table.get(row, key) {
        "" => Ok(None),
        text => parse_date(text)
            .map(Some)
            .ok_or_else(|| table.bad_cell(row, key, "write a day of the calendar, such as 2027-03-20")),
    }
}

fn read_certificate(table: &Table, row: &Row) -> Result<Option<Certificate>, BadCell> {
    let (kind, number) = (table.get(row, "certificate_kind"), table.get(row, "certificate_number"));
    let valid_until = read_day(table, row, "certificate_until")?;
    match (kind, number, valid_until) {
        ("", "", None) => Ok(None),
        (kind, number, Some(valid_until)) if !kind.is_empty() && !number.is_empty() => {
            Ok(Some(Certificate { kind: kind.to_owned(), number: number.to_owned(), valid_until }))
        }
        _ => {
            let reason = "a certificate has a kind, a number and a last day; write all three or none";
            let empty = ["certificate_kind", "certificate_number", "certificate_until"]
                .into_iter()
                .find(|key| table.get(row, key).is_empty());
            Err(table.bad_cell(row, empty.unwrap_or("certificate_kind"), reason))
        }
    }
}

/// The cell that a refused member of an offer came from.
fn cell_of(table: &Table, row: &Row, refusal: &Refusal) -> BadCell {
    let Refusal::Invalid { pointer, detail } = refusal else {
        return table.bad_cell(row, "product", "cannot be offered");
    };
    let key = match pointer.as_str() {
        "/quantity" => "amount",
        "/price" => "price",
        "/grade" => "grade",
        "/ready_from" => "ready_from",
        "/sell_by" => "sell_by",
        "/external_ref" => "external_ref",
        "/certificates/0/kind" => "certificate_kind",
        "/certificates/0/number" => "certificate_number",
        "/certificates/0/valid_until" => "certificate_until",
        _ => "product",
    };
    table.bad_cell(row, key, detail.clone())
}
