//! Households from a table that a bureau has as csv or xlsx. All of a file or nothing: one bad cell refuses the file.
//! A household whose number (编号) is known in its county is left as it is, so the same file twice makes nothing new.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::bulk::{CHUNK, NewHousehold, insert_many};
use super::rules::{self, Status};
use super::{sealing, store};
use crate::app::App;
use crate::members::access::RegionScope;
use crate::refusal::Outcome;
use crate::regions::{self, Level, Region};
use crate::sheet::{BadCell, Column, ImportReport, Row, Table, looks_like_lost_digits, parse_date};
use crate::trail::Actor;

/// The columns of a table of households.
pub const COLUMNS: [Column; 10] = [
    Column { key: "external_ref", titles: &["编号", "户编号"], required: true },
    Column { key: "head_name", titles: &["户主姓名", "户主", "姓名"], required: true },
    Column { key: "village", titles: &["村代码", "行政村代码", "区划代码"], required: true },
    Column { key: "status", titles: &["户类型", "类型"], required: true },
    Column { key: "status_from", titles: &["认定日期", "识别日期"], required: false },
    Column {
        key: "identity_number", titles: &["身份证号", "身份证号码", "公民身份号码"], required: false
    },
    Column { key: "phone", titles: &["联系电话", "电话", "手机号"], required: false },
    Column { key: "bank_account", titles: &["银行账号", "银行卡号"], required: false },
    Column { key: "address", titles: &["住址", "家庭住址", "地址"], required: false },
    Column { key: "consent_on", titles: &["同意日期", "授权日期"], required: false },
];

const REF_CHARS_MAX: usize = 50;

/// How a file of households is to be read.
#[derive(Clone, Debug)]
pub struct HouseholdImport {
    /// Only villages in this region are accepted.
    pub within: RegionScope,
    pub is_dry_run: bool,
}

/// Reads the households of a file and makes those that are new, in one transaction, unless a cell is refused.
/// `told` hears how many rows have been written.
pub async fn import(
    app: &App,
    actor: &Actor,
    table: &Table,
    how: &HouseholdImport,
    told: &(dyn Fn(usize) + Send + Sync),
) -> Outcome<ImportReport> {
    let today = app.clock.today();
    let codes = table.rows.iter().filter_map(|row| regions::normalise(table.get(row, "village")));
    let codes: HashSet<String> = codes.collect();
    let villages = regions::find_many(app.db.reader(), &Vec::from_iter(codes)).await?;
    let reading = Reading {
        table,
        how,
        today,
        villages: villages.into_iter().map(|region| (region.code.clone(), region)).collect(),
    };
    let (read, refused) = reading.rows();
    let mut report = ImportReport { rows: table.rows.len(), refused, ..ImportReport::default() };
    if !report.refused.is_empty() {
        return Ok(report);
    }
    let new = without_known(app, read).await?;
    report.refused = with_known_identity(app, table, &new).await?;
    if !report.refused.is_empty() {
        return Ok(report);
    }
    let new: Vec<NewHousehold> = new.into_iter().map(|read| read.household).collect();
    report.created = u64::try_from(new.len()).unwrap_or(u64::MAX);
    report.existing = u64::try_from(report.rows - new.len()).unwrap_or(u64::MAX);
    if !how.is_dry_run && !new.is_empty() {
        write(app, actor, &new, told).await?;
    }
    Ok(report)
}

async fn write(
    app: &App,
    actor: &Actor,
    new: &[NewHousehold],
    told: &(dyn Fn(usize) + Send + Sync),
) -> Outcome<()> {
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            for chunk in new.chunks(CHUNK) {
                insert_many(&txn, app, actor, chunk.to_vec()).await.map_err(super::ref_taken)?;
                told(chunk.len());
            }
            txn.commit(()).await
        })
        .await
}

/// A household and the row it was read from.
struct Read<'a> {
    row: &'a Row,
    household: NewHousehold,
}

async fn without_known<'a>(app: &App, read: Vec<Read<'a>>) -> Outcome<Vec<Read<'a>>> {
    let pair = |read: &Read<'_>| {
        let new = &read.household;
        (regions::county_of(&new.village_code), new.external_ref.clone().unwrap_or_default())
    };
    let pairs: Vec<(String, String)> = read.iter().map(pair).collect();
    let taken: HashSet<_> = store::taken_refs(app.db.reader(), &pairs).await?.into_iter().collect();
    Ok(read.into_iter().filter(|read| !taken.contains(&pair(read))).collect())
}

/// The cells of new households whose identity number another household of the county has.
async fn with_known_identity(app: &App, table: &Table, new: &[Read<'_>]) -> Outcome<Vec<BadCell>> {
    let mut pairs = Vec::new();
    for read in new {
        if let Some(number) = &read.household.identity_number {
            let county = regions::county_of(&read.household.village_code);
            pairs.push((read.row, (county, sealing::identity_fingerprint(app, number)?)));
        }
    }
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<(String, String)> = pairs.iter().map(|(_, pair)| pair.clone()).collect();
    let taken: HashSet<_> = store::taken_identities(app.db.reader(), &wanted).await?.into_iter().collect();
    let known = pairs.into_iter().filter(|(_, pair)| taken.contains(pair));
    let reason = "another household of the county has this identity number";
    Ok(known.map(|(row, _)| bad_cell(table, row, "identity_number", reason)).collect())
}

/// Columns of which a report of bad cells must not repeat what stands in them.
const PERSONAL: [&str; 4] = ["identity_number", "phone", "bank_account", "address"];

fn bad_cell(table: &Table, row: &Row, key: &str, reason: impl Into<String>) -> BadCell {
    let mut cell = table.bad_cell(row, key, reason);
    if PERSONAL.contains(&key) {
        cell.value = if key == "address" { String::new() } else { rules::mask_digits(&cell.value) };
    }
    cell
}

struct Reading<'a> {
    table: &'a Table,
    how: &'a HouseholdImport,
    today: NaiveDate,
    villages: HashMap<String, Region>,
}

impl<'a> Reading<'a> {
    fn rows(&self) -> (Vec<Read<'a>>, Vec<BadCell>) {
        let (mut read, mut refused) = (Vec::new(), Vec::new());
        let mut seen: HashMap<(&str, String), usize> = HashMap::new();
        for row in &self.table.rows {
            let before = refused.len();
            let household = self.row(row, &mut refused);
            let identity = household.as_ref().and_then(|household| household.identity_number.clone());
            let numbers = [
                ("external_ref", Some(self.table.get(row, "external_ref").to_owned())),
                ("identity_number", identity),
            ];
            for (key, number) in numbers {
                let Some(number) = number.filter(|number| !number.is_empty()) else { continue };
                let first = *seen.entry((key, number)).or_insert(row.number);
                if first != row.number {
                    let reason = format!("this number stands in row {first} already");
                    refused.push(bad_cell(self.table, row, key, reason));
                }
            }
            if refused.len() == before {
                read.extend(household.map(|household| Read { row, household }));
            }
        }
        (read, refused)
    }

    /// Notes every bad cell of a row, not only the first.
    fn row(&self, row: &'a Row, refused: &mut Vec<BadCell>) -> Option<NewHousehold> {
        let external_ref = self.cell(row, "external_ref", refused, external_ref);
        let head_name =
            self.cell(row, "head_name", refused, |text| rules::head_name(text).map_err(str::to_owned));
        let village = self.cell(row, "village", refused, |text| self.village(text));
        let status = self.cell(row, "status", refused, |text| {
            Status::parse_written(text).ok_or_else(|| {
                "write 脱贫户, 脱贫不稳定户, 边缘易致贫户, 突发严重困难户 or 一般农户".to_owned()
            })
        });
        let status_from = self.optional(row, "status_from", refused, |text| self.day(text));
        let identity_number = self.optional(row, "identity_number", refused, |text| {
            digits(text, |text| rules::identity_number(text, self.today))
        });
        let phone = self.optional(row, "phone", refused, |text| digits(text, rules::phone));
        let bank_account =
            self.optional(row, "bank_account", refused, |text| digits(text, rules::bank_account));
        let address =
            self.optional(row, "address", refused, |text| rules::address(text).map_err(str::to_owned));
        let consent_on = self.optional(row, "consent_on", refused, |text| self.day(text));
        Some(NewHousehold {
            id: None,
            village_code: village?,
            head_name: head_name?,
            status: status?,
            status_from: status_from.unwrap_or(self.today),
            identity_number,
            phone,
            bank_account,
            address,
            external_ref: Some(external_ref?),
            consent_on,
        })
    }

    fn cell<T>(
        &self,
        row: &Row,
        key: &str,
        refused: &mut Vec<BadCell>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(self.table.get(row, key)) {
            Ok(value) => Some(value),
            Err(reason) => {
                refused.push(bad_cell(self.table, row, key, reason));
                None
            }
        }
    }

    fn optional<T>(
        &self,
        row: &Row,
        key: &str,
        refused: &mut Vec<BadCell>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.table.get(row, key).is_empty() { None } else { self.cell(row, key, refused, read) }
    }

    fn village(&self, text: &str) -> Result<String, String> {
        let code = regions::normalise(text).ok_or("write the 12 digits of the village")?;
        let village = self.villages.get(&code).ok_or("there is no village with this code")?;
        if village.level != Level::Village {
            return Err(format!("{} is not a village", village.name));
        }
        if !village.is_valid_on(self.today) {
            return Err("this code is not valid any more; use the one that replaced it".to_owned());
        }
        if !self.how.within.contains(&code) {
            return Err("lies outside the region of this import".to_owned());
        }
        Ok(code)
    }

    fn day(&self, text: &str) -> Result<NaiveDate, String> {
        let day = parse_date(text).ok_or("write a day such as 2020-02-15")?;
        if day <= self.today { Ok(day) } else { Err("lies in the future".to_owned()) }
    }
}

fn external_ref(text: &str) -> Result<String, String> {
    if looks_like_lost_digits(text) {
        return Err(LOST_DIGITS.to_owned());
    }
    let is_plain = !text.is_empty() && text.chars().count() <= REF_CHARS_MAX;
    if is_plain { Ok(text.to_owned()) } else { Err(format!("write 1 to {REF_CHARS_MAX} characters")) }
}

const LOST_DIGITS: &str =
    "the spreadsheet shortened this number; format the column as text and type it again";

fn digits(text: &str, read: impl Fn(&str) -> Result<String, &'static str>) -> Result<String, String> {
    if looks_like_lost_digits(text) {
        return Err(LOST_DIGITS.to_owned());
    }
    read(text).map_err(str::to_owned)
}
