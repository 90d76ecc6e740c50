//! What institutions had not paid on a day though it was due: by institution, with days and interest. The day of the year's
//! list is 31 March, by which agencies and public institutions publish what they owe small enterprises from the year before
//! (保障中小企业款项支付条例, State Council Decree 728 of 2020, revised by Decree 802 of 2025).

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rules::{self, GROUPS_MAX, SHEET_ROWS_MAX};
use crate::app::App;
use crate::members::access::Caller;
use crate::money::Fen;
use crate::refusal::{Outcome, Refusal};
use crate::settlement::late::{self, Receipts};

pub mod api;
mod store;

/// Figures that institutions share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub settlements: i64,
    /// What households wait for.
    pub goods_fen: i64,
    pub fee_fen: i64,
    pub interest_fen: i64,
    /// The earliest.
    pub due_on: Option<NaiveDate>,
    /// Of the earliest.
    pub days_overdue: i64,
}

/// What one institution had not paid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    pub institution_id: Uuid,
    pub name: String,
    pub kind: String,
    pub figures: Figures,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub region: String,
    /// The day at whose end it was so.
    pub day: NaiveDate,
    pub as_of: DateTime<Utc>,
    /// The longest overdue first.
    pub groups: Vec<Group>,
    pub total: Figures,
}

/// Which day is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// 31 March of it.
    pub year: Option<i32>,
    pub as_of: Option<NaiveDate>,
}

impl Asked {
    /// The day; today when none is named. Refused when both are, and when it has not come.
    fn day(self, today: NaiveDate) -> Result<NaiveDate, Refusal> {
        let day = match (self.year, self.as_of) {
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid("", "Name a year, whose 31 March is meant, or a day `as_of`."));
            }
            (Some(year), None) => NaiveDate::from_ymd_opt(year, 3, 31)
                .ok_or_else(|| Refusal::invalid("", "year: there is no such year."))?,
            (None, Some(day)) => day,
            (None, None) => today,
        };
        if day.year() < 1900 {
            return Err(Refusal::invalid("", "Name a day of the years since 1900."));
        }
        if day > today {
            return Err(Refusal::invalid(
                "",
                format!("{day} is to come; nobody knows what will be paid by then."),
            ));
        }
        Ok(day)
    }
}

/// What was overdue at the end of a day in the caller's region, by institution. Refused when it is more than 50,000
/// settlements or 10,000 institutions.
pub async fn report(app: &App, caller: &Caller, asked: Asked, region: Option<&str>) -> Outcome<Report> {
    let region = super::region_of(app, caller, region).await?;
    let day = asked.day(app.clock.today())?;
    let key = format!("overdue:{}:{day}", region.code);
    super::kept(app, &key, || async {
        let (reader, as_of) = (app.db.reader(), app.clock.now());
        let overdue = store::overdue(reader, &region, day).await?;
        rules::bounded(&overdue, SHEET_ROWS_MAX)?;
        let ids: Vec<Uuid> = overdue.iter().map(|one| one.id).collect();
        let received = late::receipts_of(reader, &ids, day).await?;
        let groups = grouped(overdue, |id| received.get(&id).cloned().unwrap_or_default(), day);
        rules::bounded(&groups, GROUPS_MAX)?;
        let total = groups.iter().fold(Figures::default(), |sum, group| sum.plus(group.figures));
        Ok(Report { region: region.code.clone(), day, as_of, groups, total })
    })
    .await
}

impl Figures {
    fn plus(self, other: Self) -> Self {
        Self {
            settlements: self.settlements.saturating_add(other.settlements),
            goods_fen: self.goods_fen.saturating_add(other.goods_fen),
            fee_fen: self.fee_fen.saturating_add(other.fee_fen),
            interest_fen: self.interest_fen.saturating_add(other.interest_fen),
            due_on: [self.due_on, other.due_on].into_iter().flatten().min(),
            days_overdue: self.days_overdue.max(other.days_overdue),
        }
    }

    /// Goods and fee.
    #[must_use]
    pub fn open(self) -> Fen {
        [Fen::new(self.goods_fen), Fen::new(self.fee_fen)].into_iter().sum()
    }
}

fn grouped(overdue: Vec<store::Overdue>, received: impl Fn(Uuid) -> Receipts, day: NaiveDate) -> Vec<Group> {
    let mut groups: BTreeMap<Uuid, Group> = BTreeMap::new();
    for one in overdue {
        let (goods, fee) = (Fen::new(one.amount_fen), Fen::new(one.fee_fen));
        let found = late::lateness(goods, fee, &received(one.id), one.due_on, day);
        let figures = Figures {
            settlements: 1,
            goods_fen: found.goods_open.get(),
            fee_fen: found.fee_open.get(),
            interest_fen: found.interest.get(),
            due_on: Some(one.due_on),
            days_overdue: found.days_overdue,
        };
        let group = groups.entry(one.institution_id).or_insert_with(|| Group {
            institution_id: one.institution_id,
            name: one.institution_name,
            kind: one.institution_kind,
            figures: Figures::default(),
        });
        group.figures = group.figures.plus(figures);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|one, other| {
        let order = |group: &Group| (group.figures.due_on, std::cmp::Reverse(group.figures.open()));
        order(one).cmp(&order(other)).then_with(|| one.institution_id.cmp(&other.institution_id))
    });
    groups
}
