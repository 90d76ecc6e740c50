//! SQL of invoice data: the settlement, its lines with what an invoice needs of them, and the rates of tax.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use super::rules::{DatedRate, Rate, TaxRate, Treatment};
use crate::db;
use crate::refusal::{Failure, Outcome};

/// A settlement as an invoice names it.
#[derive(Debug, FromQueryResult)]
pub struct HeadRow {
    pub county_code: String,
    pub institution_id: Uuid,
    pub number: String,
    pub settled_on: NaiveDate,
    pub institution: String,
    pub credit_code: String,
    pub institution_kind: String,
}

/// A line as an invoice names it.
#[derive(Debug, FromQueryResult)]
pub struct LineRow {
    pub id: Uuid,
    pub head_name: String,
    pub product: String,
    pub tax_code: String,
    pub measure: String,
    pub quantity_base: i64,
    pub price_fen: i64,
    pub pricing_unit: String,
    pub amount_fen: i64,
    /// On the day of the sale.
    pub is_of_cooperative: bool,
}

pub async fn head(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<HeadRow>, DbErr> {
    let sql = "select s.county_code, s.institution_id, s.number, s.settled_on, i.name as institution, i.credit_code,
                      i.kind as institution_kind
               from settlement s join institution i on i.id = s.institution_id where s.id = $1";
    db::row(connection, sql, [id.into()]).await
}

pub async fn lines(
    connection: &impl ConnectionTrait,
    settlement_id: Uuid,
    limit: i64,
) -> Result<Vec<LineRow>, DbErr> {
    let sql = "select line.id, household.head_name, product.name as product, product.tax_code, line.measure,
                      line.quantity_base, line.price_fen, line.pricing_unit, line.amount_fen,
                      exists (select 1 from cooperative_member member
                              join cooperative on cooperative.id = member.cooperative_id
                              where member.household_id = line.household_id and cooperative.kind = 'cooperative'
                                and member.from_on <= line.sold_on
                                and (member.to_on is null or member.to_on >= line.sold_on)) as is_of_cooperative
               from settlement_line line join household on household.id = line.household_id
               join product on product.id = line.product_id
               where line.settlement_id = $1 order by line.id limit $2";
    db::rows(connection, sql, [settlement_id.into(), limit.into()]).await
}

/// Every rate there is; there are a handful.
pub async fn rates(connection: &impl ConnectionTrait) -> Outcome<Vec<TaxRate>> {
    #[derive(FromQueryResult)]
    struct Row {
        treatment: String,
        from_on: NaiveDate,
        to_on: Option<NaiveDate>,
        rate: String,
        deduction: Option<String>,
        deduction_processing: Option<String>,
        source: String,
    }
    let sql = "select treatment, from_on, to_on, rate, deduction, deduction_processing, source from tax_rate";
    let rows: Vec<Row> = db::rows(connection, sql, []).await?;
    let unreadable = |what: &str| Failure::Broken(format!("a rate of tax cannot be read: {what}"));
    let dated = |text: String| match Rate::parse(&text) {
        Some(rate) => Ok(DatedRate { text, rate }),
        None => Err(unreadable(&text)),
    };
    let rate = |row: Row| {
        Ok(TaxRate {
            treatment: Treatment::parse(&row.treatment).ok_or_else(|| unreadable(&row.treatment))?,
            from_on: row.from_on,
            to_on: row.to_on,
            rate: dated(row.rate)?,
            deduction: row.deduction.map(dated).transpose()?,
            deduction_processing: row.deduction_processing.map(dated).transpose()?,
            source: row.source,
        })
    };
    rows.into_iter().map(rate).collect()
}
