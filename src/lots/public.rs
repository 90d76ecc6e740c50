//! What anybody may see without signing in: what is on sale and in which township, never whose it is. Pages are cached
//! until a lot changes.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Filters, LotView, store, view_of};
use crate::app::App;
use crate::cache::Topic;
use crate::http::page::{Page, PageRequest};
use crate::money::Price;
use crate::quantity::Measure;
use crate::refusal::{Failure, Outcome};

/// How long a page may be wrong when a drop of its topic was lost with the cache.
const KEPT: Duration = Duration::from_mins(1);

/// A lot without its household.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublicLotView {
    pub id: Uuid,
    pub product_id: Uuid,
    pub product_name: String,
    pub grade: Option<String>,
    pub township_code: Option<String>,
    pub township_name: Option<String>,
    pub price: Price,
    pub available_base: i64,
    pub measure: Measure,
    pub ready_from: NaiveDate,
    pub sell_by: NaiveDate,
}

/// A page as it is cached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublicPage {
    pub items: Vec<PublicLotView>,
    pub next: Option<String>,
}

impl From<LotView> for PublicLotView {
    fn from(lot: LotView) -> Self {
        Self {
            available_base: lot.available_base(),
            id: lot.id,
            product_id: lot.product_id,
            product_name: lot.product_name,
            grade: lot.grade,
            township_code: lot.township_code,
            township_name: lot.township_name,
            price: lot.price,
            measure: lot.measure,
            ready_from: lot.ready_from,
            sell_by: lot.sell_by,
        }
    }
}

/// A page of the lots on sale, newest first.
pub async fn list_public(app: &App, filters: &Filters, page: PageRequest) -> Outcome<PublicPage> {
    let today = app.clock.today();
    let key = cache_key(filters, today, page);
    if let Some(text) = app.cache.get(Topic::PublicLots, &key).await
        && let Ok(cached) = serde_json::from_str(&text)
    {
        return Ok(cached);
    }
    // Read before the query: a write in between makes what we store unreachable instead of stale.
    let generation = app.cache.generation(Topic::PublicLots).await;
    let rows = store::list_for_sale(app.db.reader(), filters, today, page).await?;
    let views: Outcome<Vec<LotView>> = rows.into_iter().map(view_of).collect();
    let cut = Page::cut(views?, page, |view| view.id).map(PublicLotView::from);
    let found = PublicPage { items: cut.items, next: cut.next };
    if let Some(generation) = generation {
        let text = serde_json::to_string(&found).map_err(|error| Failure::Broken(error.to_string()))?;
        app.cache.put(Topic::PublicLots, generation, &key, text, KEPT).await;
    }
    Ok(found)
}

/// Names the day too, on which lots go off sale without being changed.
fn cache_key(filters: &Filters, today: NaiveDate, page: PageRequest) -> String {
    let region = filters.region.as_ref().map(|region| &region.code);
    format!("{today} {:?} {region:?} {} {:?}", filters.product_id, page.limit, page.before)
}
