//! Regions from a table that somebody has as csv or xlsx. All of a file or nothing: one bad cell refuses the file.
//!
//! Two layouts are read: `code,level,name,parent`, and one without `parent` (or `level`), where both follow from the
//! digits of the code.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use serde_json::json;

use super::{Level, NewRegion, insert_many, normalise, parent_of, store};
use crate::app::App;
use crate::members::access::RegionScope;
use crate::refusal::Outcome;
use crate::sheet::{BadCell, Column, ImportReport, Row, Table, parse_date};
use crate::trail::{self, Actor, Event};

/// The columns of a table of regions.
pub const COLUMNS: [Column; 5] = [
    Column { key: "code", titles: &["区划代码", "代码", "code12", "code9"], required: true },
    Column { key: "name", titles: &["名称", "区划名称"], required: true },
    Column { key: "level", titles: &["级别"], required: false },
    Column { key: "parent", titles: &["上级代码", "parent_code", "parent_code12"], required: false },
    Column { key: "valid_to", titles: &["失效日期"], required: false },
];

const NAME_CHARS_MAX: usize = 100;

/// How a file of regions is to be read.
#[derive(Clone, Debug)]
pub struct RegionImport {
    /// Only regions in this one or above it are accepted.
    pub within: Option<RegionScope>,
    pub valid_from: NaiveDate,
    pub is_dry_run: bool,
}

/// Reads the regions of a file and adds those that are new, in one transaction, unless a cell is refused.
pub async fn import(app: &App, actor: &Actor, table: &Table, how: &RegionImport) -> Outcome<ImportReport> {
    let known = store::find_many(app.db.reader(), &codes_named(table)).await?;
    let known: HashSet<String> = known.into_iter().map(|region| region.code).collect();
    let (new, refused) = read(table, how, &known);
    let mut report = ImportReport { rows: table.rows.len(), refused, ..ImportReport::default() };
    if !report.refused.is_empty() {
        return Ok(report);
    }
    let fresh = new.iter().filter(|region| !known.contains(&region.code)).count();
    report.created = u64::try_from(fresh).unwrap_or(u64::MAX);
    report.existing = u64::try_from(new.len() - fresh).unwrap_or(u64::MAX);
    if !how.is_dry_run {
        write(app, actor, how, new).await?;
    }
    Ok(report)
}

async fn write(app: &App, actor: &Actor, how: &RegionImport, new: Vec<NewRegion>) -> Outcome<()> {
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let changed = insert_many(&txn, new.clone()).await?;
            if changed > 0 {
                // Regions have codes instead of ids; the import as a whole is the subject.
                let event = Event {
                    county_code: None,
                    household_id: None,
                    action: "import_regions",
                    subject_kind: "region",
                    subject_id: app.ids.next(now),
                    before: None,
                    after: Some(json!({ "rows": changed, "valid_from": how.valid_from })),
                };
                trail::record(&txn, &app.ids, now, actor, vec![event]).await?;
            }
            txn.commit(()).await
        })
        .await
}

/// Every code a file names, also as the region above.
fn codes_named(table: &Table) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for row in &table.rows {
        let code = normalise(table.get(row, "code"));
        codes.extend(code.as_deref().and_then(parent_of));
        codes.extend(code);
        codes.extend(normalise(table.get(row, "parent")));
    }
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn read(table: &Table, how: &RegionImport, known: &HashSet<String>) -> (Vec<NewRegion>, Vec<BadCell>) {
    let mut first_row: HashMap<String, usize> = HashMap::new();
    for row in &table.rows {
        if let Some(code) = normalise(table.get(row, "code")) {
            first_row.entry(code).or_insert(row.number);
        }
    }
    let (mut new, mut refused) = (Vec::new(), Vec::new());
    for row in &table.rows {
        match read_row(table, row, how) {
            Err(bad) => refused.push(bad),
            Ok(region) if first_row.get(&region.code) != Some(&row.number) => {
                refused.push(table.bad_cell(row, "code", "this code stands in the file twice"));
            }
            Ok(region) => {
                match place(region, table, row, |code| known.contains(code) || first_row.contains_key(code)) {
                    Ok(region) => new.push(region),
                    Err(bad) => refused.push(bad),
                }
            }
        }
    }
    (new, refused)
}

fn read_row(table: &Table, row: &Row, how: &RegionImport) -> Result<NewRegion, BadCell> {
    let bad = |key: &str, reason: &str| table.bad_cell(row, key, reason);
    let code = normalise(table.get(row, "code")).ok_or_else(|| bad("code", "write 2 to 12 digits"))?;
    let is_related =
        |within: &RegionScope| within.contains(&code) || RegionScope::of(&code).contains(&within.code);
    if !how.within.as_ref().is_none_or(is_related) {
        return Err(bad("code", "lies outside the region of this import"));
    }
    let level = match table.get(row, "level") {
        "" => Level::of(&code),
        name => Level::parse(name)
            .ok_or_else(|| bad("level", "write province, city, county, township or village"))?,
    };
    if level != Level::of(&code) {
        return Err(bad("level", "does not fit the digits of the code"));
    }
    let name = table.get(row, "name").to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(bad("name", "write 1 to 100 characters"));
    }
    let valid_to = match table.get(row, "valid_to") {
        "" => None,
        text => Some(parse_date(text).ok_or_else(|| bad("valid_to", "write a day such as 2023-06-30"))?),
    };
    Ok(NewRegion { code, level, name, parent_code: None, valid_from: how.valid_from, valid_to })
}

/// Puts a region below the one that the file names or the digits say. Counties and higher may stand alone, so that a
/// county can be imported without the nation.
fn place(
    region: NewRegion,
    table: &Table,
    row: &Row,
    exists: impl Fn(&str) -> bool,
) -> Result<NewRegion, BadCell> {
    let named = match table.get(row, "parent") {
        "" => None,
        text => Some(
            normalise(text).filter(|parent| Level::of(parent) < region.level && exists(parent)).ok_or_else(
                || table.bad_cell(row, "parent", "there is no such region above; add it first"),
            )?,
        ),
    };
    let parent_code = named.or_else(|| parent_of(&region.code).filter(|parent| exists(parent)));
    if parent_code.is_none() && region.level > Level::County {
        return Err(table.bad_cell(row, "code", "the region above it is not there; add it first"));
    }
    Ok(NewRegion { parent_code, ..region })
}
