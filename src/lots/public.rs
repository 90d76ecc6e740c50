//! What anybody may see without signing in: what is on sale and in which township, never whose it is. A township in which
//! fewer than three households have something on sale is not told, as it would tell of one of them. Pages are cached until
//! a lot changes.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Filters, LotView, store, view_of};
use crate::app::App;
use crate::cache::Topic;
use crate::http::page::{Page, PageRequest};
use crate::members::households;
use crate::money::Price;
use crate::quantity::Measure;
use crate::refusal::Outcome;

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
    let key = cache_key(filters, app.clock.today(), page);
    app.cache.answer(Topic::PublicLots, &key, KEPT, || read(app, filters, page)).await
}

async fn read(app: &App, filters: &Filters, page: PageRequest) -> Outcome<PublicPage> {
    let rows = store::list_for_sale(app.db.reader(), filters, app.clock.today(), page).await?;
    let views: Outcome<Vec<LotView>> = rows.into_iter().map(view_of).collect();
    let views = views?;
    let mut counties: Vec<String> =
        views.iter().map(|lot| lot.village_code.get(..6).unwrap_or_default().to_owned()).collect();
    counties.sort_unstable();
    counties.dedup();
    let hidden = hidden_in(app, &counties).await?;
    // What is in a hidden township must not be learned by asking for it either.
    if filters.region.as_ref().is_some_and(|region| hidden.contains(township_of(&region.code))) {
        return Ok(PublicPage { items: Vec::new(), next: None });
    }
    let cut = Page::cut(views, page, |view| view.id).map(|lot| shown(lot, &hidden));
    Ok(PublicPage { items: cut.items, next: cut.next })
}

/// The townships of some counties that are not told. Counting who sells reads every lot on sale of a county, so all pages share
/// one count until a lot changes.
async fn hidden_in(app: &App, counties: &[String]) -> Outcome<HashSet<String>> {
    let today = app.clock.today();
    let key = format!("hidden {today} {}", counties.join(" "));
    let count = || async {
        Ok(hidden_townships(&store::households_on_sale(app.db.reader(), counties, today).await?))
    };
    app.cache.answer(Topic::PublicLots, &key, KEPT, count).await
}

fn shown(lot: LotView, hidden: &HashSet<String>) -> PublicLotView {
    let is_hidden = hidden.contains(township_of(&lot.village_code));
    let shown = PublicLotView::from(lot);
    if is_hidden { PublicLotView { township_code: None, township_name: None, ..shown } } else { shown }
}

/// The first nine digits.
fn township_of(code: &str) -> &str {
    code.get(..9).unwrap_or(code)
}

/// The townships that are not told, county by county, of all that have something on sale.
fn hidden_townships(on_sale: &[(String, i64)]) -> HashSet<String> {
    let mut counties: BTreeMap<&str, Vec<(&str, i64)>> = BTreeMap::new();
    for (township, households) in on_sale {
        counties.entry(township.get(..6).unwrap_or(township)).or_default().push((township, *households));
    }
    let hidden = counties.values().flat_map(|townships| {
        let counts: Vec<i64> = townships.iter().map(|(_, households)| *households).collect();
        let cells = households::hidden_cells(&counts);
        townships
            .iter()
            .zip(cells)
            .filter(|(_, is_hidden)| *is_hidden)
            .map(|((code, _), _)| (*code).to_owned())
    });
    hidden.collect()
}

/// Names the day too, on which lots go off sale without being changed.
fn cache_key(filters: &Filters, today: NaiveDate, page: PageRequest) -> String {
    let region = filters.region.as_ref().map(|region| &region.code);
    format!("{today} {:?} {region:?} {} {:?}", filters.product_id, page.limit, page.before)
}
