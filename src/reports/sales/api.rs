//! The sales report as JSON and as a sheet.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::{Figures, Group, Report};
use crate::http::scalars::{Amount, Yuan};
use crate::money::Fen;
use crate::quantity::Measure;
use crate::reports::api::{NamedProduct, NamedRegion};
use crate::reports::rules::Grouping;
use crate::sheet::table::{Cell, Column, Table};

/// Accepted sales of a period.
#[derive(Debug, Object)]
pub struct SalesReport {
    /// Twelve digits: this region and all below it.
    pub region: String,
    pub from: NaiveDate,
    /// Included.
    pub to: NaiveDate,
    /// When the figures were read.
    pub as_of: DateTime<Utc>,
    pub groups: Vec<SalesGroup>,
    pub total: SalesFigures,
}

/// One group; of the first nine fields those that were asked for.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SalesGroup {
    pub village: Option<NamedRegion>,
    pub township: Option<NamedRegion>,
    pub product: Option<NamedProduct>,
    pub category: Option<String>,
    pub institution: Option<NamedInstitution>,
    pub institution_kind: Option<String>,
    /// On the day of the sale.
    pub household_status: Option<String>,
    /// Year and month.
    pub month: Option<String>,
    pub day: Option<NaiveDate>,
    pub figures: SalesFigures,
}

/// A buyer by name.
#[derive(Debug, Object)]
pub struct NamedInstitution {
    pub id: Uuid,
    pub name: String,
}

/// Money and quantities of the groups add up to the total; a household in two groups is one household in the total.
#[derive(Debug, Object)]
pub struct SalesFigures {
    pub amount: Yuan,
    /// Of the amount, what institutions have paid.
    pub received: Yuan,
    /// Of the amount, what households have been paid.
    pub paid_out: Yuan,
    /// Of products sold by mass.
    pub mass: Amount,
    /// Of products sold by the piece.
    pub count: Amount,
    /// Different ones.
    pub households: u64,
    /// Different ones.
    pub institutions: u64,
    /// Accepted lines.
    pub sales: u64,
}

impl From<Report> for SalesReport {
    fn from(report: Report) -> Self {
        Self {
            region: report.region,
            from: report.period.from,
            to: report.period.to,
            as_of: report.as_of,
            groups: report.groups.into_iter().map(SalesGroup::from).collect(),
            total: report.total.into(),
        }
    }
}

impl From<Group> for SalesGroup {
    fn from(group: Group) -> Self {
        let figures = figures(&group).into();
        Self {
            village: group.village.map(|code| NamedRegion::new(code, group.village_name)),
            township: group.township.map(|code| NamedRegion::new(code, group.township_name)),
            product: group.product.map(|id| NamedProduct::new(id, group.product_name)),
            category: group.category,
            institution: group
                .institution
                .map(|id| NamedInstitution { id, name: group.institution_name.unwrap_or_default() }),
            institution_kind: group.institution_kind,
            household_status: group.household_status,
            month: group.month,
            day: group.day,
            figures,
        }
    }
}

impl From<Figures> for SalesFigures {
    fn from(figures: Figures) -> Self {
        Self {
            amount: Yuan(Fen::new(figures.amount_fen)),
            received: Yuan(Fen::new(figures.received_fen)),
            paid_out: Yuan(Fen::new(figures.paid_out_fen)),
            mass: Amount::new(figures.mass_g, Measure::Mass),
            count: Amount::new(figures.pieces, Measure::Count),
            households: figures.households.unsigned_abs(),
            institutions: figures.institutions.unsigned_abs(),
            sales: figures.sales.unsigned_abs(),
        }
    }
}

fn figures(group: &Group) -> Figures {
    Figures {
        amount_fen: group.amount_fen,
        received_fen: group.received_fen,
        paid_out_fen: group.paid_out_fen,
        mass_g: group.mass_g,
        pieces: group.pieces,
        households: group.households,
        institutions: group.institutions,
        sales: group.sales,
    }
}

/// The report as a sheet.
pub fn table(report: &Report) -> Table {
    let mut columns: Vec<Column> =
        report.groupings.iter().flat_map(|grouping| titles(*grouping)).copied().map(Column::of).collect();
    let keys = columns.len();
    columns.extend(
        ["销售额(元)", "已收款(元)", "已付农户(元)", "重量(公斤)", "数量(枚/头/箱)"].map(Column::summed),
    );
    columns.extend([Column::of("农户(户)"), Column::of("采购单位(家)"), Column::summed("销售(笔)")]);
    let rows = report.groups.iter().map(|group| {
        let named = report.groupings.iter().flat_map(|grouping| cells(*grouping, group));
        named.chain(figure_cells(figures(group))).collect()
    });
    let label = (0..keys).map(|place| if place == 0 { Cell::Text("合计".to_owned()) } else { Cell::Empty });
    let total = label.chain(figure_cells(report.total)).collect();
    Table {
        name: format!("sales_{}_{}_{}", report.region, report.period.from, report.period.to),
        columns,
        rows: rows.collect(),
        total,
    }
}

const fn titles(grouping: Grouping) -> &'static [&'static str] {
    match grouping {
        Grouping::Village => &["村代码", "村"],
        Grouping::Township => &["乡镇代码", "乡镇"],
        Grouping::Product => &["产品"],
        Grouping::Category => &["品类"],
        Grouping::Institution => &["采购单位"],
        Grouping::InstitutionKind => &["单位类型"],
        Grouping::HouseholdStatus => &["户类型(销售当日)"],
        Grouping::Month => &["月份"],
        Grouping::Day => &["日期"],
    }
}

fn cells(grouping: Grouping, group: &Group) -> Vec<Cell> {
    let text = |text: &Option<String>| Cell::text(text.as_deref());
    match grouping {
        Grouping::Village => vec![text(&group.village), text(&group.village_name)],
        Grouping::Township => vec![text(&group.township), text(&group.township_name)],
        Grouping::Product => vec![text(&group.product_name)],
        Grouping::Category => vec![text(&group.category)],
        Grouping::Institution => vec![text(&group.institution_name)],
        Grouping::InstitutionKind => vec![text(&group.institution_kind)],
        Grouping::HouseholdStatus => vec![text(&group.household_status)],
        Grouping::Month => vec![text(&group.month)],
        Grouping::Day => vec![group.day.map_or(Cell::Empty, Cell::Day)],
    }
}

fn figure_cells(figures: Figures) -> [Cell; 8] {
    [
        Cell::Yuan(figures.amount_fen),
        Cell::Yuan(figures.received_fen),
        Cell::Yuan(figures.paid_out_fen),
        Cell::Kilos(figures.mass_g),
        Cell::Number(figures.pieces),
        Cell::Number(figures.households),
        Cell::Number(figures.institutions),
        Cell::Number(figures.sales),
    ]
}
