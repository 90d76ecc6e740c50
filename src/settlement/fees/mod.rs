//! What an operator charges institutions on top of what households are owed: dated rates per county, none unless somebody
//! sets one. The fee of a settlement is the rate in force on the day of the acceptance of the sum of its lines. Nothing
//! here touches what a household is owed.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role};
use crate::money::Rate;
use crate::refusal::{Outcome, Refusal};
use crate::trail::{self, Event};

pub mod api;
mod rules;
mod store;

/// Who bears fees, and who watches them.
const READERS: [Role; 5] = [Role::Buyer, Role::Approver, Role::Officer, Role::Finance, Role::Auditor];

/// A rate to be set.
#[derive(Clone, Debug)]
pub struct NewFeeRate {
    pub from_on: NaiveDate,
    pub rate: Rate,
    /// Who decided it, and where that can be read.
    pub source: String,
}

/// A rate of a county, in force from a day on until another one is.
#[derive(Clone, Debug)]
pub struct FeeRateView {
    pub id: Uuid,
    pub county_code: String,
    pub set: NewFeeRate,
    pub set_by: Uuid,
    pub created_at: DateTime<Utc>,
}

/// Sets the rate of the caller's county from a day to come on. Of two rates of one day the later one counts, so that a
/// slip of the pen is put right before it bears on anything.
pub async fn create(app: &App, caller: &Caller, new: NewFeeRate) -> Outcome<FeeRateView> {
    let county_code = keepers_county(caller)?;
    rules::check(&new, app.clock.today())?;
    app.db
        .write(|| async {
            let now = app.clock.now();
            let txn = app.db.begin().await?;
            let view = FeeRateView {
                id: app.ids.next(now),
                county_code: county_code.to_owned(),
                set: new.clone(),
                set_by: caller.principal_id,
                created_at: now,
            };
            store::insert(&txn, &view).await?;
            let event = Event {
                county_code: Some(county_code.to_owned()),
                household_id: None,
                action: "create_fee_rate",
                subject_kind: "fee_rate",
                subject_id: view.id,
                before: None,
                after: Some(json!({
                    "from_on": new.from_on, "rate_ppm": new.rate.ppm(), "source": new.source,
                })),
            };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(view).await
        })
        .await
}

/// The rates of the caller's county, the one set last first.
pub async fn list(app: &App, caller: &Caller, request: PageRequest) -> Outcome<Page<FeeRateView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), caller.county()?, request).await?;
    Ok(Page::cut(rows, request, |rate| rate.id))
}

/// The rate is the county's: finance of a township reads it.
fn keepers_county(caller: &Caller) -> Result<&str, Refusal> {
    caller.allow(&[Role::Finance])?;
    let county = caller.county()?;
    if caller.region()?.counties().contains(county) { Ok(county) } else { Err(Refusal::NotAllowed) }
}
