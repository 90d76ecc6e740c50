//! The coverage report as JSON and as a sheet.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Enum, Object};

use super::{Group, Report};
use crate::http::scalars::DecimalText;
use crate::reports::rules::{Grouping, percent};
use crate::sheet::table::{Cell, Column, Table};

/// What the coverage report is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum CoverageGrouping {
    Village,
    Township,
    HouseholdStatus,
}

/// How many of the households with something to sell have sold.
#[derive(Debug, Object)]
pub struct CoverageReport {
    /// Twelve digits: this region and all below it.
    pub region: String,
    pub from: NaiveDate,
    /// Included.
    pub to: NaiveDate,
    /// When the figures were read.
    pub as_of: DateTime<Utc>,
    pub groups: Vec<CoverageGroup>,
    pub total: CoverageFigures,
}

/// One village, township or status.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct CoverageGroup {
    /// A region of twelve digits, or a status.
    pub code: String,
    /// Of the region.
    pub name: Option<String>,
    pub figures: CoverageFigures,
}

/// Households of the groups add up to the total; a village in two groups is one village in the total.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct CoverageFigures {
    /// All on file.
    pub households: u64,
    /// With something to sell: said at the last visit, on sale in the period, or sold in it.
    pub with_something_to_sell: u64,
    /// Of these, with an accepted sale in the period.
    pub sold: u64,
    /// Sold in percent of those with something to sell; absent when there are none.
    pub sold_percent: Option<DecimalText>,
    /// Villages where somebody has something to sell.
    pub villages: u64,
    /// Of these, where somebody has sold.
    pub villages_reached: u64,
    /// In percent; absent when there are none.
    pub villages_reached_percent: Option<DecimalText>,
    /// Households by what was said at their last visit up to the last day.
    pub survey: SurveyFigures,
}

/// Every household is in exactly one.
#[derive(Debug, Object)]
pub struct SurveyFigures {
    pub has_unsold: u64,
    pub nothing_unsold: u64,
    pub not_reached: u64,
    /// Never visited.
    pub not_asked: u64,
}

impl From<CoverageGrouping> for Grouping {
    fn from(grouping: CoverageGrouping) -> Self {
        match grouping {
            CoverageGrouping::Village => Self::Village,
            CoverageGrouping::Township => Self::Township,
            CoverageGrouping::HouseholdStatus => Self::HouseholdStatus,
        }
    }
}

impl From<Report> for CoverageReport {
    fn from(report: Report) -> Self {
        let groups = report.groups.into_iter().map(|group| CoverageGroup {
            figures: CoverageFigures::from(&group),
            code: group.code,
            name: group.name,
        });
        Self {
            region: report.region,
            from: report.period.from,
            to: report.period.to,
            as_of: report.as_of,
            groups: groups.collect(),
            total: CoverageFigures::from(&report.total),
        }
    }
}

impl From<&Group> for CoverageFigures {
    fn from(group: &Group) -> Self {
        Self {
            households: group.households.unsigned_abs(),
            with_something_to_sell: group.sellers.unsigned_abs(),
            sold: group.sold.unsigned_abs(),
            sold_percent: percent(group.sold, group.sellers).map(DecimalText),
            villages: group.villages.unsigned_abs(),
            villages_reached: group.villages_reached.unsigned_abs(),
            villages_reached_percent: percent(group.villages_reached, group.villages).map(DecimalText),
            survey: SurveyFigures {
                has_unsold: group.has_unsold.unsigned_abs(),
                nothing_unsold: group.nothing_unsold.unsigned_abs(),
                not_reached: group.not_reached.unsigned_abs(),
                not_asked: group.not_asked.unsigned_abs(),
            },
        }
    }
}

/// The report as a sheet.
pub fn table(report: &Report) -> Table {
    let (code, name) = match report.grouping {
        Grouping::Township => ("乡镇代码", "乡镇"),
        Grouping::HouseholdStatus => ("户类型", "名称"),
        _ => ("村代码", "村"),
    };
    let mut columns = vec![Column::of(code), Column::of(name)];
    columns.extend(["农户(户)", "有货农户(户)", "已售农户(户)"].map(Column::summed));
    columns.extend(["已售占比(%)", "有货村(个)", "已覆盖村(个)", "村覆盖率(%)"].map(Column::of));
    columns
        .extend(["摸排有滞销(户)", "摸排无滞销(户)", "摸排未联系上(户)", "未摸排(户)"].map(Column::summed));
    let rows = report.groups.iter().map(|group| {
        let named = [Cell::Text(group.code.clone()), Cell::text(group.name.as_deref())];
        named.into_iter().chain(cells(group)).collect()
    });
    let label = [Cell::Text("合计".to_owned()), Cell::Empty];
    Table {
        name: format!("coverage_{}_{}_{}", report.region, report.period.from, report.period.to),
        columns,
        rows: rows.collect(),
        total: label.into_iter().chain(cells(&report.total)).collect(),
    }
}

fn cells(group: &Group) -> [Cell; 11] {
    let share = |part, whole| percent(part, whole).map_or(Cell::Empty, Cell::Percent);
    [
        Cell::Number(group.households),
        Cell::Number(group.sellers),
        Cell::Number(group.sold),
        share(group.sold, group.sellers),
        Cell::Number(group.villages),
        Cell::Number(group.villages_reached),
        share(group.villages_reached, group.villages),
        Cell::Number(group.has_unsold),
        Cell::Number(group.nothing_unsold),
        Cell::Number(group.not_reached),
        Cell::Number(group.not_asked),
    ]
}
