//! Figures for the bureau and for the public: sales, coverage, what is unsold, income, progress. Reads what the other
//! slices wrote and writes nothing; every figure is the sum of the rows it is made from, inside the caller's region.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::cache::Topic;
use crate::members::access::{Caller, RegionScope, Role};
use crate::refusal::{Outcome, Refusal};

pub mod api;
pub mod coverage;
pub mod income;
pub mod overdue;
pub mod progress;
pub mod reconciliation;
pub mod rules;
pub mod sales;
mod store;
pub mod unsold;

/// Answers are kept this long, or until a write drops the topic.
const KEPT: Duration = Duration::from_mins(5);

/// Whose rows a report shows: the caller's region, or `narrowed` when it lies inside. A region outside it, or none at
/// all, does not exist for the caller.
async fn region_of(app: &App, caller: &Caller, narrowed: Option<&str>) -> Outcome<RegionScope> {
    caller.allow(&[Role::Officer, Role::Finance, Role::Auditor])?;
    let own = caller.region()?;
    let Some(code) = narrowed else { return Ok(own.clone()) };
    let region = RegionScope::of(code);
    let is_inside = own.from <= region.from && region.before <= own.before;
    if !is_inside || store::region_level(app.db.reader(), &region.code).await?.is_none() {
        return Err(Refusal::NotFound("region").into());
    }
    Ok(region)
}

/// The answer of a report, kept until a write drops what reports show.
async fn kept<T, W>(app: &App, key: &str, read: impl FnOnce() -> W + Send) -> Outcome<T>
where
    T: Serialize + DeserializeOwned,
    W: Future<Output = Outcome<T>> + Send,
{
    app.cache.answer(Topic::Reports, key, KEPT, read).await
}
