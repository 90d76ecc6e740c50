//! The report on what is left as JSON and as a sheet.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Enum, Object};

use super::{Figures, Report};
use crate::http::scalars::{Amount, Yuan};
use crate::money::Fen;
use crate::quantity::Measure;
use crate::reports::api::{NamedProduct, NamedRegion};
use crate::reports::rules::Grouping;
use crate::sheet::table::{Cell, Column, Table};

/// The places products are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum UnsoldGrouping {
    Village,
    Township,
}

/// What is left to sell.
#[derive(Debug, Object)]
pub struct UnsoldReport {
    /// Twelve digits: this region and all below it.
    pub region: String,
    /// When the figures were read.
    pub as_of: DateTime<Utc>,
    /// The most urgent first.
    pub groups: Vec<UnsoldGroup>,
    pub total: UnsoldFigures,
}

/// One product in one village or township.
#[derive(Debug, Object)]
pub struct UnsoldGroup {
    pub product: NamedProduct,
    pub place: NamedRegion,
    pub figures: UnsoldFigures,
}

/// On sale and neither held, confirmed nor delivered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct UnsoldFigures {
    /// Of products sold by mass.
    pub mass: Amount,
    /// Of products sold by the piece.
    pub count: Amount,
    /// At the price each lot asks.
    pub value: Yuan,
    pub lots: u64,
    /// Different ones.
    pub households: u64,
    /// The earliest; absent when nothing is left.
    pub sell_by: Option<NaiveDate>,
    /// From today to the earliest; negative once it is past.
    pub days_to_sell_by: Option<i64>,
}

impl From<UnsoldGrouping> for Grouping {
    fn from(grouping: UnsoldGrouping) -> Self {
        match grouping {
            UnsoldGrouping::Village => Self::Village,
            UnsoldGrouping::Township => Self::Township,
        }
    }
}

impl From<Report> for UnsoldReport {
    fn from(report: Report) -> Self {
        let groups = report.groups.into_iter().map(|group| UnsoldGroup {
            figures: shape((&group).into(), report.today),
            product: NamedProduct::new(group.product, Some(group.product_name)),
            place: NamedRegion::new(group.place, group.place_name),
        });
        Self {
            region: report.region,
            as_of: report.as_of,
            groups: groups.collect(),
            total: shape(report.total, report.today),
        }
    }
}

fn shape(figures: Figures, today: NaiveDate) -> UnsoldFigures {
    UnsoldFigures {
        mass: Amount::new(figures.mass_g, Measure::Mass),
        count: Amount::new(figures.pieces, Measure::Count),
        value: Yuan(Fen::new(figures.value_fen)),
        lots: figures.lots.unsigned_abs(),
        households: figures.households.unsigned_abs(),
        sell_by: figures.sell_by,
        days_to_sell_by: days_left(figures, today),
    }
}

fn days_left(figures: Figures, today: NaiveDate) -> Option<i64> {
    figures.sell_by.map(|sell_by| sell_by.signed_duration_since(today).num_days())
}

/// The report as a sheet.
pub fn table(report: &Report) -> Table {
    let place =
        if report.grouping == Grouping::Township { ["乡镇代码", "乡镇"] } else { ["村代码", "村"] };
    let mut columns = vec![Column::of("产品")];
    columns.extend(place.map(Column::of));
    columns.extend(["剩余重量(公斤)", "剩余数量(枚/头/箱)", "价值(元)", "批次(个)"].map(Column::summed));
    columns.extend(["农户(户)", "最早销售截止日", "剩余天数(天)"].map(Column::of));
    let rows = report.groups.iter().map(|group| {
        let named = [
            Cell::Text(group.product_name.clone()),
            Cell::Text(group.place.clone()),
            Cell::text(group.place_name.as_deref()),
        ];
        named.into_iter().chain(cells(group.into(), report.today)).collect()
    });
    let label = [Cell::Text("合计".to_owned()), Cell::Empty, Cell::Empty];
    Table {
        name: format!("unsold_{}_{}", report.region, report.today),
        columns,
        rows: rows.collect(),
        total: label.into_iter().chain(cells(report.total, report.today)).collect(),
    }
}

fn cells(figures: Figures, today: NaiveDate) -> [Cell; 7] {
    [
        Cell::Kilos(figures.mass_g),
        Cell::Number(figures.pieces),
        Cell::Yuan(figures.value_fen),
        Cell::Number(figures.lots),
        Cell::Number(figures.households),
        figures.sell_by.map_or(Cell::Empty, Cell::Day),
        days_left(figures, today).map_or(Cell::Empty, Cell::Number),
    ]
}
