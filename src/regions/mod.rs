//! The region tree: statistical codes valid from and to a day. A code is never deleted, only given a last day, as old
//! rows keep naming it.

use std::collections::HashSet;

use chrono::NaiveDate;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::refusal::{Outcome, Refusal};

pub mod api;
mod rules;
mod store;
mod table;

pub use rules::{Level, Region, county_of, normalise, parent_of};
pub use table::{COLUMNS, RegionImport, import};

/// A region to be added.
pub type NewRegion = Region;

/// Regions written by one statement.
const CHUNK: usize = 1_000;

/// The region with a code of 2 to 12 digits, for use in something new.
///
/// Refused with [`Refusal::RegionUnknown`] when there is none, or not yet, and with [`Refusal::RegionRevoked`] when its
/// last day is over. `pointer` says where the code stood in the body.
pub async fn require(
    connection: &impl ConnectionTrait,
    code: &str,
    today: NaiveDate,
    pointer: &str,
) -> Outcome<Region> {
    let unknown = || Refusal::RegionUnknown { pointer: pointer.to_owned(), code: code.to_owned() };
    let normal = normalise(code).ok_or_else(unknown)?;
    let region = store::find(connection, &normal).await?.ok_or_else(unknown)?;
    usable(region, today, pointer).map_err(Into::into)
}

/// As [`require`], and the region is a village.
pub async fn require_village(
    connection: &impl ConnectionTrait,
    code: &str,
    today: NaiveDate,
    pointer: &str,
) -> Outcome<Region> {
    let region = require(connection, code, today, pointer).await?;
    if region.level == Level::Village {
        Ok(region)
    } else {
        Err(Refusal::invalid(pointer, format!("{} is not a village; give all 12 digits", region.name)).into())
    }
}

/// The regions among `codes` that exist, valid or not, in one statement.
pub async fn find_many(connection: &impl ConnectionTrait, codes: &[String]) -> Outcome<Vec<Region>> {
    Ok(store::find_many(connection, codes).await?)
}

/// Adds regions, set-based. A code that exists is left alone, except that it may be given its last day; so the same set
/// twice changes nothing. Answers how many rows were added or given a last day.
///
/// Refused when a region names a region above it that neither exists nor is among them.
pub async fn insert_many(txn: &WriteTxn, mut new: Vec<NewRegion>) -> Outcome<u64> {
    new.sort_by(|one, other| (one.level, &one.code).cmp(&(other.level, &other.code)));
    new.dedup_by(|one, other| one.code == other.code);
    let mut changed = 0;
    for chunk in new.chunks(CHUNK) {
        refuse_orphans(txn, chunk).await?;
        changed += store::insert(txn, chunk).await?;
    }
    Ok(changed)
}

/// The regions directly below `parent`, or the topmost ones, valid today, by code.
pub async fn list(app: &App, parent: Option<&str>, request: PageRequest) -> Outcome<Page<Region>> {
    let today = app.clock.today();
    let parent = match parent {
        Some(code) => Some(find(app, code).await?.code),
        None => None,
    };
    let after = request.before.map_or_else(String::new, code_behind);
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_add(1);
    let rows = store::children(app.db.reader(), parent.as_deref(), today, &after, limit).await?;
    Ok(Page::cut(rows, request, |region| cursor_id(&region.code)))
}

/// One region, valid or not.
pub async fn find(app: &App, code: &str) -> Outcome<Region> {
    let code = normalise(code).ok_or(Refusal::NotFound("region"))?;
    Ok(store::find(app.db.reader(), &code).await?.ok_or(Refusal::NotFound("region"))?)
}

/// The regions with these codes, in the same order and with the refusals of [`require`], in one statement.
/// `pointers` says where each code stood in the body.
pub async fn require_all(
    connection: &impl ConnectionTrait,
    codes: &[String],
    today: NaiveDate,
    pointers: &[String],
) -> Outcome<Vec<Region>> {
    let normal: Vec<Option<String>> = codes.iter().map(|code| normalise(code)).collect();
    let mut wanted: Vec<String> = normal.iter().flatten().cloned().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = store::find_many(connection, &wanted).await?;
    let mut regions = Vec::with_capacity(codes.len());
    for ((code, normal), pointer) in codes.iter().zip(normal).zip(pointers) {
        let region = normal.and_then(|code| found.iter().find(|region| region.code == code));
        let unknown = || Refusal::RegionUnknown { pointer: pointer.clone(), code: code.clone() };
        regions.push(usable(region.cloned().ok_or_else(unknown)?, today, pointer)?);
    }
    Ok(regions)
}

fn usable(region: Region, today: NaiveDate, pointer: &str) -> Result<Region, Refusal> {
    if region.is_valid_on(today) {
        return Ok(region);
    }
    let (pointer, code) = (pointer.to_owned(), region.code);
    if today < region.valid_from {
        Err(Refusal::RegionUnknown { pointer, code })
    } else {
        Err(Refusal::RegionRevoked { pointer, code })
    }
}

async fn refuse_orphans(txn: &WriteTxn, chunk: &[Region]) -> Outcome<()> {
    let here: HashSet<&str> = chunk.iter().map(|region| region.code.as_str()).collect();
    let named = chunk.iter().filter_map(|region| region.parent_code.clone());
    let mut elsewhere: Vec<String> = named.filter(|code| !here.contains(code.as_str())).collect();
    elsewhere.sort_unstable();
    elsewhere.dedup();
    let found = store::find_many(txn, &elsewhere).await?;
    match elsewhere.into_iter().find(|code| found.iter().all(|region| region.code != *code)) {
        Some(code) => Err(Refusal::RegionUnknown { pointer: "/parent".to_owned(), code }.into()),
        None => Ok(()),
    }
}

/// Cursors carry ids; a region's is the number that its code is.
fn cursor_id(code: &str) -> Uuid {
    Uuid::from_u128(code.parse().unwrap_or(0))
}

fn code_behind(id: Uuid) -> String {
    format!("{:012}", id.as_u128())
}
