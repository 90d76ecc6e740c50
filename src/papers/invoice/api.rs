//! Endpoints: What invoices of a settlement need.

use chrono::NaiveDate;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{Group, InvoiceData, Line, Treatment};
use crate::app::App;
use crate::http::problem::Answer;
use crate::http::scalars::{Amount, DecimalText, UnitPrice, Yuan};
use crate::members::access::Signed;
use crate::money::Fen;
use crate::routes::Tag;

/// What invoices of a settlement need.
#[derive(Debug)]
pub struct Api(pub App);

/// How a line is invoiced: `self_produced` 自产自销免税, `cooperative` by the household's cooperative and exempt as well,
/// `purchase` 收购发票 written by the buying enterprise, `small_scale` taxed with the tax in the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum TaxTreatment {
    SelfProduced,
    Cooperative,
    Purchase,
    SmallScale,
}

/// Invoice data of a settlement. Every sum equals the sum of its lines.
#[derive(Debug, Object)]
pub struct SettlementInvoiceData {
    pub settlement_number: String,
    /// The day of the sale; the rates are those of this day.
    pub settled_on: NaiveDate,
    pub buyer_name: String,
    pub buyer_credit_code: String,
    /// What is invoiced in one way stands together.
    pub groups: Vec<InvoiceGroup>,
    /// With the tax that is in it.
    pub amount: Yuan,
    /// Without it.
    pub net: Yuan,
    pub tax: Yuan,
}

/// Lines that are invoiced in one way.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct InvoiceGroup {
    pub treatment: TaxTreatment,
    /// Such as `0.03`; `0` is exempt.
    pub rate: DecimalText,
    /// What the buyer may deduct of the price, such as `0.09`.
    pub deduction_rate: Option<DecimalText>,
    /// The same when the goods become goods of the highest rate.
    pub deduction_rate_processing: Option<DecimalText>,
    /// Where the rates are written.
    pub source: String,
    pub amount: Yuan,
    pub net: Yuan,
    pub tax: Yuan,
    /// At `deduction_rate`.
    pub deduction: Option<Yuan>,
    pub lines: Vec<InvoiceLine>,
}

/// One line of an invoice.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct InvoiceLine {
    pub settlement_line_id: Uuid,
    /// Masked.
    pub seller_name: String,
    /// Of the table 商品和服务税收分类编码: 19 digits.
    pub tax_code: String,
    pub goods_name: String,
    pub quantity: Amount,
    /// With the tax that is in it.
    pub price: UnitPrice,
    pub amount: Yuan,
    pub net: Yuan,
    pub tax: Yuan,
    pub deduction: Option<Yuan>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Settlements")]
impl Api {
    /// Get the invoice data of a settlement
    ///
    /// For its institution and officials of the county: per line the code of the tax classification, goods, quantity,
    /// amount and treatment, with the rates of the day of the sale and their source. Tax and deduction are computed on
    /// the sum of what is invoiced together and fall on the lines by largest remainder.
    #[oai(path = "/settlements/:id/invoice_data", method = "get", operation_id = "get_invoice_data")]
    async fn get_invoice_data(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<SettlementInvoiceData>> {
        Ok(Json(super::data(&self.0, &caller, id.0).await?.into()))
    }
}

impl From<InvoiceData> for SettlementInvoiceData {
    fn from(data: InvoiceData) -> Self {
        let (amount, tax): (Fen, Fen) = (
            data.groups.iter().map(|group| group.amount).sum(),
            data.groups.iter().map(|group| group.tax).sum(),
        );
        Self {
            settlement_number: data.settlement_number,
            settled_on: data.settled_on,
            buyer_name: data.buyer,
            buyer_credit_code: data.credit_code,
            groups: data.groups.into_iter().map(InvoiceGroup::from).collect(),
            amount: Yuan(amount),
            net: net(amount, tax),
            tax: Yuan(tax),
        }
    }
}

impl From<Group> for InvoiceGroup {
    fn from(group: Group) -> Self {
        Self {
            treatment: group.rate.treatment.into(),
            rate: DecimalText(group.rate.rate.text),
            deduction_rate: group.rate.deduction.map(|rate| DecimalText(rate.text)),
            deduction_rate_processing: group.rate.deduction_processing.map(|rate| DecimalText(rate.text)),
            source: group.rate.source,
            amount: Yuan(group.amount),
            net: net(group.amount, group.tax),
            tax: Yuan(group.tax),
            deduction: group.deduction.map(Yuan),
            lines: group.lines.into_iter().map(InvoiceLine::from).collect(),
        }
    }
}

impl From<Line> for InvoiceLine {
    fn from(line: Line) -> Self {
        Self {
            settlement_line_id: line.settlement_line_id,
            seller_name: line.seller,
            tax_code: line.tax_code,
            goods_name: line.goods,
            quantity: Amount::new(line.quantity_base, line.measure),
            price: line.price.into(),
            amount: Yuan(line.amount),
            net: net(line.amount, line.tax),
            tax: Yuan(line.tax),
            deduction: line.deduction.map(Yuan),
        }
    }
}

impl From<Treatment> for TaxTreatment {
    fn from(treatment: Treatment) -> Self {
        match treatment {
            Treatment::SelfProduced => Self::SelfProduced,
            Treatment::Cooperative => Self::Cooperative,
            Treatment::Purchase => Self::Purchase,
            Treatment::SmallScale => Self::SmallScale,
        }
    }
}

/// A tax within an amount is at most the amount.
fn net(amount: Fen, tax: Fen) -> Yuan {
    Yuan(amount.checked_sub(tax).unwrap_or(Fen::ZERO))
}
