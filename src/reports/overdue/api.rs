//! The list of what is overdue as JSON and as a sheet.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::{Figures, Group, Report};
use crate::http::scalars::Yuan;
use crate::money::Fen;
use crate::sheet::table::{Cell, Column, Table};

/// What was due and not paid at the end of a day.
#[derive(Debug, Object)]
pub struct OverdueReport {
    /// Twelve digits: this region and all below it.
    pub region: String,
    /// The day at whose end it was so.
    pub day: NaiveDate,
    /// When the figures were read.
    pub as_of: DateTime<Utc>,
    /// The longest overdue first.
    pub groups: Vec<OverdueGroup>,
    pub total: OverdueFigures,
}

/// What one institution had not paid.
#[derive(Debug, Object)]
pub struct OverdueGroup {
    pub institution_id: Uuid,
    pub institution_name: String,
    pub institution_kind: String,
    pub figures: OverdueFigures,
}

/// Figures of settlements that were overdue.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct OverdueFigures {
    pub settlements: u64,
    /// What households waited for.
    pub goods: Yuan,
    pub fee: Yuan,
    /// Goods and fee.
    pub open: Yuan,
    /// Accrued on the goods since they were due, each settlement rounded once. Shown, not booked.
    pub interest: Yuan,
    /// The earliest; absent when nothing was overdue.
    pub due_on: Option<NaiveDate>,
    /// From the earliest due day to the day of the list.
    pub days_overdue: u64,
}

impl From<Report> for OverdueReport {
    fn from(report: Report) -> Self {
        Self {
            region: report.region,
            day: report.day,
            as_of: report.as_of,
            groups: report.groups.into_iter().map(OverdueGroup::from).collect(),
            total: report.total.into(),
        }
    }
}

impl From<Group> for OverdueGroup {
    fn from(group: Group) -> Self {
        Self {
            institution_id: group.institution_id,
            institution_name: group.name,
            institution_kind: group.kind,
            figures: group.figures.into(),
        }
    }
}

impl From<Figures> for OverdueFigures {
    fn from(figures: Figures) -> Self {
        Self {
            settlements: figures.settlements.unsigned_abs(),
            goods: Yuan(Fen::new(figures.goods_fen)),
            fee: Yuan(Fen::new(figures.fee_fen)),
            open: Yuan(figures.open()),
            interest: Yuan(Fen::new(figures.interest_fen)),
            due_on: figures.due_on,
            days_overdue: figures.days_overdue.unsigned_abs(),
        }
    }
}

/// The report as a sheet.
pub fn table(report: &Report) -> Table {
    let mut columns = vec![Column::of("采购单位"), Column::of("单位类型")];
    columns.extend(
        ["结算单(张)", "逾期货款(元)", "逾期服务费(元)", "逾期合计(元)", "逾期利息(元)"].map(Column::summed),
    );
    columns.extend(["最早应付日", "逾期天数(天)"].map(Column::of));
    let rows = report.groups.iter().map(|group| {
        let named = [Cell::Text(group.name.clone()), Cell::Text(group.kind.clone())];
        named.into_iter().chain(cells(group.figures)).collect()
    });
    let label = [Cell::Text("合计".to_owned()), Cell::Empty];
    Table {
        name: format!("overdue_{}_{}", report.region, report.day),
        columns,
        rows: rows.collect(),
        total: label.into_iter().chain(cells(report.total)).collect(),
    }
}

fn cells(figures: Figures) -> [Cell; 7] {
    [
        Cell::Number(figures.settlements),
        Cell::Yuan(figures.goods_fen),
        Cell::Yuan(figures.fee_fen),
        Cell::Yuan(figures.open().get()),
        Cell::Yuan(figures.interest_fen),
        figures.due_on.map_or(Cell::Empty, Cell::Day),
        Cell::Number(figures.days_overdue),
    ]
}
