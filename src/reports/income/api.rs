//! The income report as JSON pages and as a sheet.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::{Earner, Figures, Report};
use crate::http::scalars::Yuan;
use crate::members::households::mask_name;
use crate::money::Fen;
use crate::reports::api::NamedRegion;
use crate::sheet::table::{Cell, Column, Table};

/// A page of households by income, the lowest first.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct IncomeReport {
    /// Twelve digits: this region and all below it.
    pub region: String,
    pub from: NaiveDate,
    /// Included.
    pub to: NaiveDate,
    /// When the figures were read.
    pub as_of: DateTime<Utc>,
    pub items: Vec<HouseholdIncome>,
    /// Send it as `cursor` to get the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// What one household earned from accepted sales.
#[derive(Debug, Object)]
pub struct HouseholdIncome {
    pub household_id: Uuid,
    /// Of its head; masked for finance and audit.
    pub head_name: String,
    pub village: NamedRegion,
    /// On the last day of the period.
    pub household_status: String,
    pub income: Yuan,
    /// Of the income, what institutions have paid.
    pub received: Yuan,
    /// Of the income, what the household has been paid.
    pub paid_out: Yuan,
    /// Accepted lines.
    pub sales: u64,
}

impl From<Report> for IncomeReport {
    fn from(report: Report) -> Self {
        Self {
            region: report.region,
            from: report.period.from,
            to: report.period.to,
            as_of: report.as_of,
            items: report.earners.into_iter().map(HouseholdIncome::from).collect(),
            next_cursor: report.next,
        }
    }
}

impl From<Earner> for HouseholdIncome {
    fn from(earner: Earner) -> Self {
        Self {
            household_id: earner.household_id,
            head_name: earner.head_name,
            village: NamedRegion::new(earner.village_code, earner.village_name),
            household_status: earner.household_status,
            income: Yuan(Fen::new(earner.amount_fen)),
            received: Yuan(Fen::new(earner.received_fen)),
            paid_out: Yuan(Fen::new(earner.paid_out_fen)),
            sales: earner.sales.unsigned_abs(),
        }
    }
}

/// The report as a sheet. Files are passed on, so their names are masked for everybody.
pub fn table(report: &Report) -> Table {
    let mut columns: Vec<Column> = ["户主", "村代码", "村", "户类型"].into_iter().map(Column::of).collect();
    columns.extend(["收入(元)", "已收款(元)", "已付农户(元)", "销售(笔)"].map(Column::summed));
    let rows = report.earners.iter().map(|earner| {
        let named = [
            Cell::Text(mask_name(&earner.head_name)),
            Cell::Text(earner.village_code.clone()),
            Cell::text(earner.village_name.as_deref()),
            Cell::Text(earner.household_status.clone()),
        ];
        named.into_iter().chain(cells(super::total(std::slice::from_ref(earner)))).collect()
    });
    let label = [Cell::Text("合计".to_owned()), Cell::Empty, Cell::Empty, Cell::Empty];
    Table {
        name: format!("income_{}_{}_{}", report.region, report.period.from, report.period.to),
        columns,
        rows: rows.collect(),
        total: label.into_iter().chain(cells(super::total(&report.earners))).collect(),
    }
}

fn cells(figures: Figures) -> [Cell; 4] {
    [
        Cell::Yuan(figures.amount_fen),
        Cell::Yuan(figures.received_fen),
        Cell::Yuan(figures.paid_out_fen),
        Cell::Number(figures.sales),
    ]
}
