//! What each household earned from accepted sales in a period, those that earned nothing first. Names are masked for
//! those who check figures and need no names.

use chrono::{DateTime, Utc};

use super::rules::{self, IncomeCursor, Period, SHEET_ROWS_MAX};
use crate::app::App;
use crate::http::page::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::members::access::{Caller, Role};
use crate::members::households::mask_name;
use crate::refusal::{Outcome, Refusal};

pub mod api;
mod store;

pub use store::Earner;

/// Which households are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// A page of a list.
    Page { limit: Option<u64>, cursor: Option<&'a str> },
    /// All of them, for a sheet.
    All,
}

/// Figures that households share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub amount_fen: i64,
    pub received_fen: i64,
    pub paid_out_fen: i64,
    pub sales: i64,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub region: String,
    pub period: Period,
    pub as_of: DateTime<Utc>,
    pub earners: Vec<Earner>,
    pub next: Option<String>,
}

/// Incomes in the caller's region, the lowest first. Refused when all are wanted and they are more than 50,000.
pub async fn report(
    app: &App,
    caller: &Caller,
    period: Period,
    region: Option<&str>,
    wanted: Wanted<'_>,
) -> Outcome<Report> {
    let region = super::region_of(app, caller, region).await?;
    let period = period.checked()?;
    let (rows_max, after) = match wanted {
        Wanted::Page { limit, cursor } => page(limit, cursor)?,
        Wanted::All => (SHEET_ROWS_MAX, None),
    };
    let as_of = app.clock.now();
    let mut earners = store::earners(app.db.reader(), &region, period, after, rows_max).await?;
    if matches!(wanted, Wanted::All) {
        rules::bounded(&earners, SHEET_ROWS_MAX)?;
    }
    let has_more = earners.len() > rows_max;
    earners.truncate(rows_max);
    let next = earners
        .last()
        .filter(|_| has_more)
        .map(|last| IncomeCursor { amount_fen: last.amount_fen, household_id: last.household_id }.write());
    if caller.role != Role::Officer {
        for earner in &mut earners {
            earner.head_name = mask_name(&earner.head_name);
        }
    }
    Ok(Report { region: region.code, period, as_of, earners, next })
}

/// Sums over the households of a report.
#[must_use]
pub fn total(earners: &[Earner]) -> Figures {
    let sum = |figure: fn(&Earner) -> i64| earners.iter().map(figure).fold(0, i64::saturating_add);
    Figures {
        amount_fen: sum(|earner| earner.amount_fen),
        received_fen: sum(|earner| earner.received_fen),
        paid_out_fen: sum(|earner| earner.paid_out_fen),
        sales: sum(|earner| earner.sales),
    }
}

fn page(limit: Option<u64>, cursor: Option<&str>) -> Result<(usize, Option<IncomeCursor>), Refusal> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Refusal::Malformed { detail: format!("limit: between 1 and {LIMIT_MAX}") });
    }
    let after = cursor.map(IncomeCursor::parse).transpose()?;
    Ok((usize::try_from(limit).unwrap_or(usize::MAX), after))
}
