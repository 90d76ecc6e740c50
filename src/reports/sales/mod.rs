//! Accepted sales of a period, grouped by what the caller names. Amounts are those of the settlement lines; a status is
//! the one on the day of the sale.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rules::{self, GROUPS_MAX, Grouping, Period};
use crate::app::App;
use crate::members::access::Caller;
use crate::refusal::Outcome;

pub mod api;
mod store;

pub use store::Group;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub period: Period,
    /// As the caller wrote it: `village,category`.
    pub group_by: Option<String>,
    /// A region inside the caller's own.
    pub region: Option<String>,
}

/// Figures that groups share. Money and quantities of groups add up to the total; a household in two groups is one
/// household in the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub amount_fen: i64,
    pub received_fen: i64,
    pub paid_out_fen: i64,
    pub mass_g: i64,
    pub pieces: i64,
    pub households: i64,
    pub institutions: i64,
    pub sales: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub region: String,
    pub period: Period,
    pub groupings: Vec<Grouping>,
    pub as_of: DateTime<Utc>,
    pub groups: Vec<Group>,
    pub total: Figures,
}

/// The sales report of the caller's region. Refused when it has more than 10,000 groups.
pub async fn report(app: &App, caller: &Caller, asked: Asked) -> Outcome<Report> {
    let region = super::region_of(app, caller, asked.region.as_deref()).await?;
    let period = asked.period.checked()?;
    let groupings = rules::parse_group_by(asked.group_by.as_deref())?;
    let names: Vec<&str> = groupings.iter().map(|grouping| grouping.as_str()).collect();
    let key = format!("sales:{}:{}:{}:{}", region.code, period.from, period.to, names.join(","));
    super::kept(app, &key, || async {
        let as_of = app.clock.now();
        let groups = store::groups(app.db.reader(), &region, period, &groupings).await?;
        rules::bounded(&groups, GROUPS_MAX)?;
        let total = total(&groups);
        Ok(Report { region: region.code.clone(), period, groupings: groupings.clone(), as_of, groups, total })
    })
    .await
}

/// The sum of the groups; people and institutions were counted once each by the same query.
fn total(groups: &[Group]) -> Figures {
    let counted = groups.first();
    let sum = |figure: fn(&Group) -> i64| groups.iter().map(figure).fold(0, i64::saturating_add);
    Figures {
        amount_fen: sum(|group| group.amount_fen),
        received_fen: sum(|group| group.received_fen),
        paid_out_fen: sum(|group| group.paid_out_fen),
        mass_g: sum(|group| group.mass_g),
        pieces: sum(|group| group.pieces),
        households: counted.map_or(0, |group| group.all_households),
        institutions: counted.map_or(0, |group| group.all_institutions),
        sales: sum(|group| group.sales),
    }
}
