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

/// Longer answers are not kept: the cache is bounded in answers, not in bytes.
const KEPT_BYTES_MAX: usize = 1_000_000;

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

/// The kept answer under `key`, or what `read` finds, kept from then on. The generation is read first, so that a write
/// in between makes the answer unreachable instead of stale.
async fn kept<T, W>(app: &App, key: &str, read: impl FnOnce() -> W + Send) -> Outcome<T>
where
    T: Serialize + DeserializeOwned,
    W: Future<Output = Outcome<T>> + Send,
{
    if let Some(text) = app.cache.get(Topic::Reports, key).await
        && let Ok(answer) = serde_json::from_str(&text)
    {
        return Ok(answer);
    }
    let generation = app.cache.generation(Topic::Reports).await;
    let answer = read().await?;
    if let (Some(generation), Ok(text)) = (generation, serde_json::to_string(&answer))
        && text.len() <= KEPT_BYTES_MAX
    {
        app.cache.put(Topic::Reports, generation, key, text, KEPT).await;
    }
    Ok(answer)
}
