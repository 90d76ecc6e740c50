//! SQL of settlements.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::rules::SettlementState;
use super::{AcceptedLine, LineView, NewSettlement, Settled, SettlementFilter, SettlementView, Sight};
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::money::{Fen, Price};
use crate::quantity::{Measure, Unit};
use crate::refusal::{Failure, Outcome};

/// A line to be written: what was accepted, under which id, for how much.
#[derive(Debug)]
pub struct NewLine<'a> {
    pub id: Uuid,
    pub amount: Fen,
    pub line: &'a AcceptedLine,
}

pub async fn insert_settlement(
    txn: &WriteTxn,
    new: &NewSettlement,
    settled: &Settled,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql = "insert into settlement (id, county_code, number, order_id, acceptance_id, institution_id, amount_fen,
                                       received_fen, fee_fen, fee_received_fen, settled_on, due_on, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, 0, $8, 0, $9, $10, $11)";
    let values: [Value; 11] = [
        settled.id.into(),
        new.county_code.clone().into(),
        settled.number.clone().into(),
        new.order_id.into(),
        new.acceptance_id.into(),
        new.institution_id.into(),
        settled.amount.get().into(),
        settled.fee.get().into(),
        new.settled_on.into(),
        settled.due_on.into(),
        now.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// Writes the lines with the facts that reports group by, as they are on the day of the sale.
pub async fn insert_lines(
    txn: &WriteTxn,
    new: &NewSettlement,
    settlement_id: Uuid,
    lines: &[NewLine<'_>],
) -> Outcome<()> {
    use ColumnType::{Integer, Text, Uuid as Id};
    let columns = [
        ("id", Id),
        ("delivery_line_id", Id),
        ("allocation_id", Id),
        ("household_id", Id),
        ("product_id", Id),
        ("quantity_base", Integer),
        ("price_fen", Integer),
        ("pricing_unit", Text),
        ("amount_fen", Integer),
    ];
    let sql = format!(
        "insert into settlement_line (id, settlement_id, delivery_line_id, allocation_id, household_id, county_code,
             village_code, household_status, product_id, category, institution_id, institution_kind, sold_on, measure,
             quantity_base, price_fen, pricing_unit, amount_fen, received_fen, paid_out_fen)
         select line.id, $2, line.delivery_line_id, line.allocation_id, household.id, $3, household.village_code,
                coalesce((select history.status from household_status history
                          where history.household_id = household.id and history.from_on <= $4
                          order by history.from_on desc limit 1), household.status),
                product.id, product.category, institution.id, institution.kind, $4, product.measure,
                line.quantity_base, line.price_fen, line.pricing_unit, line.amount_fen, 0, 0
         from ({}) as line
         join household on household.id = line.household_id
         join product on product.id = line.product_id
         join institution on institution.id = $5",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = lines.iter().map(|new| {
        vec![
            db::set_id(new.id),
            db::set_id(new.line.delivery_line_id),
            db::set_id(new.line.allocation_id),
            db::set_id(new.line.household_id),
            db::set_id(new.line.product_id),
            json!(new.line.accepted_base),
            json!(new.line.price.fen),
            json!(new.line.price.per.as_str()),
            json!(new.amount),
        ]
    });
    let values = [
        db::set_parameter(rows.collect()),
        settlement_id.into(),
        new.county_code.clone().into(),
        new.settled_on.into(),
        new.institution_id.into(),
    ];
    let written = db::change(txn, &sql, values).await?;
    if usize::try_from(written).ok() == Some(lines.len()) {
        Ok(())
    } else {
        Err(Failure::Broken(format!("{written} of {} settlement lines written", lines.len())))
    }
}

/// Values bound so far; the text gets their names.
#[derive(Debug, Default)]
pub struct Bound {
    /// How many values of the statement stand before these.
    before: usize,
    values: Vec<Value>,
}

impl Bound {
    pub fn after(before: usize) -> Self {
        Self { before, values: Vec::new() }
    }

    fn name(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.before.saturating_add(self.values.len()))
    }

    pub fn into_values(self) -> Vec<Value> {
        self.values
    }
}

impl Sight {
    /// What holds for a whole settlement `s`; none when only lines are seen.
    fn of_settlement(&self, bound: &mut Bound) -> Option<String> {
        match self {
            Self::Counties(counties) => Some(format!(
                "s.county_code >= {} and s.county_code < {}",
                bound.name(counties.from.clone()),
                bound.name(counties.before.clone())
            )),
            Self::Institution(id) => Some(format!("s.institution_id = {}", bound.name(*id))),
            Self::Villages(_) | Self::Household(_) | Self::Paired { .. } => None,
        }
    }

    /// What holds for a `line`. Who sees a whole settlement sees all its lines.
    pub(super) fn of_line(&self, bound: &mut Bound) -> String {
        match self {
            Self::Counties(_) | Self::Institution(_) => "true".to_owned(),
            Self::Villages(region) => format!(
                "line.village_code >= {} and line.village_code < {}",
                bound.name(region.from.clone()),
                bound.name(region.before.clone())
            ),
            Self::Household(id) => format!("line.household_id = {}", bound.name(*id)),
            Self::Paired { helper_id, on } => {
                let (helper, day) = (bound.name(*helper_id), bound.name(*on));
                format!(
                    "line.household_id in (select household_id from pairing where helper_id = {helper}
                         and from_on <= {day} and (to_on is null or to_on >= {day}))"
                )
            }
        }
    }
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    sight: &Sight,
    filter: SettlementFilter,
    request: PageRequest,
) -> Result<Vec<SettlementView>, DbErr> {
    let mut bound = Bound::default();
    let (figures, source, seen) = match sight.of_settlement(&mut bound) {
        Some(seen) => ("s", "settlement s".to_owned(), seen),
        None => ("own", own_sums(&sight.of_line(&mut bound)), "true".to_owned()),
    };
    let mut conditions = vec![seen];
    if let Some(id) = filter.id {
        conditions.push(format!("s.id = {}", bound.name(id)));
    }
    if let Some(institution_id) = filter.institution_id {
        conditions.push(format!("s.institution_id = {}", bound.name(institution_id)));
    }
    if let Some(state) = filter.state {
        let (owed, received) = (
            format!("({figures}.amount_fen + {figures}.fee_fen)"),
            format!("({figures}.received_fen + {figures}.fee_received_fen)"),
        );
        conditions.push(match state {
            SettlementState::Open => format!("{received} = 0 and {owed} > 0"),
            SettlementState::PartPaid => format!("{received} > 0 and {received} < {owed}"),
            SettlementState::Paid => format!("{received} = {owed}"),
        });
    }
    if let Some(before) = request.before {
        conditions.push(format!("s.id < {}", bound.name(before)));
    }
    let limit = bound.name(i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX));
    let sql = format!(
        "select s.id, s.number, s.county_code, s.order_id, s.acceptance_id, s.institution_id, {figures}.amount_fen,
                {figures}.received_fen, {figures}.fee_fen, {figures}.fee_received_fen, s.settled_on, s.due_on
         from {source} where {} order by s.id desc limit {limit}",
        conditions.join(" and ")
    );
    let rows: Vec<SettlementRow> = db::rows(connection, &sql, bound.into_values()).await?;
    Ok(rows.into_iter().map(SettlementView::from).collect())
}

/// Settlements with the sums of the lines for which `seen` holds. Households bear no fee.
fn own_sums(seen: &str) -> String {
    format!(
        "settlement s join (
             select line.settlement_id, cast(sum(line.amount_fen) as bigint) as amount_fen,
                    cast(sum(line.received_fen) as bigint) as received_fen, cast(0 as bigint) as fee_fen,
                    cast(0 as bigint) as fee_received_fen
             from settlement_line line where {seen} group by line.settlement_id
         ) own on own.settlement_id = s.id"
    )
}

pub async fn lines_of(
    connection: &impl ConnectionTrait,
    sight: &Sight,
    settlement_id: Uuid,
) -> Outcome<Vec<LineView>> {
    let mut bound = Bound::default();
    let id = bound.name(settlement_id);
    let seen = sight.of_line(&mut bound);
    let sql = format!(
        "select line.id, line.allocation_id, line.household_id, line.village_code, line.product_id, line.sold_on,
                line.measure, line.quantity_base, line.price_fen, line.pricing_unit, line.amount_fen,
                line.received_fen, line.paid_out_fen
         from settlement_line line where line.settlement_id = {id} and {seen} order by line.id"
    );
    let rows: Vec<LineRow> = db::rows(connection, &sql, bound.into_values()).await?;
    rows.into_iter().map(LineView::try_from).collect()
}

#[derive(FromQueryResult)]
struct SettlementRow {
    id: Uuid,
    number: String,
    county_code: String,
    order_id: Uuid,
    acceptance_id: Uuid,
    institution_id: Uuid,
    amount_fen: i64,
    received_fen: i64,
    fee_fen: i64,
    fee_received_fen: i64,
    settled_on: NaiveDate,
    due_on: NaiveDate,
}

#[derive(FromQueryResult)]
struct LineRow {
    id: Uuid,
    allocation_id: Uuid,
    household_id: Uuid,
    village_code: String,
    product_id: Uuid,
    sold_on: NaiveDate,
    measure: String,
    quantity_base: i64,
    price_fen: i64,
    pricing_unit: String,
    amount_fen: i64,
    received_fen: i64,
    paid_out_fen: i64,
}

impl From<SettlementRow> for SettlementView {
    fn from(row: SettlementRow) -> Self {
        let mut view = Self {
            id: row.id,
            number: row.number,
            county_code: row.county_code,
            order_id: row.order_id,
            acceptance_id: row.acceptance_id,
            institution_id: row.institution_id,
            amount: Fen::new(row.amount_fen),
            received: Fen::new(row.received_fen),
            fee: Fen::new(row.fee_fen),
            fee_received: Fen::new(row.fee_received_fen),
            state: SettlementState::Open,
            settled_on: row.settled_on,
            due_on: row.due_on,
            days_overdue: 0,
            interest: Fen::ZERO,
        };
        view.state = SettlementState::of(view.owed(), view.paid());
        view
    }
}

impl TryFrom<LineRow> for LineView {
    type Error = Failure;

    fn try_from(row: LineRow) -> Outcome<Self> {
        let unreadable = || Failure::Broken(format!("settlement line {} cannot be read", row.id));
        let unit: Unit = row.pricing_unit.parse().map_err(|()| unreadable())?;
        let measure: Measure = row.measure.parse().map_err(|()| unreadable())?;
        let price = Price::new(Fen::new(row.price_fen), unit).map_err(|_| unreadable())?;
        Ok(Self {
            id: row.id,
            allocation_id: row.allocation_id,
            household_id: row.household_id,
            village_code: row.village_code,
            product_id: row.product_id,
            sold_on: row.sold_on,
            measure,
            quantity_base: row.quantity_base,
            price,
            amount: Fen::new(row.amount_fen),
            received: Fen::new(row.received_fen),
            paid_out: Fen::new(row.paid_out_fen),
        })
    }
}
