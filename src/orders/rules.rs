//! What an order may ask for and what each state allows. Pure.

use chrono::{NaiveDate, TimeDelta};
use uuid::Uuid;

use super::allocation::{Policy, Tier};
use crate::money::{Fen, Price};
use crate::quantity::{Measure, Quantity, Unit};
use crate::refusal::Refusal;

/// Lines of one order at most.
pub const LINES_MAX: usize = 50;

/// How far ahead produce may be ordered.
const NEEDED_BY_DAYS_MAX: i64 = 730;

/// What an institution asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRequest {
    pub institution_id: Uuid,
    pub policy: Policy,
    pub payment_mode: PaymentMode,
    pub lines: Vec<LineRequest>,
}

/// Whether goods or money move first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaymentMode {
    /// 先货后款: delivered, then paid until the settlement is due.
    #[default]
    GoodsFirst,
    /// 先款后货: dispatched once the institution's deposit covers it, and paid from that when it is accepted.
    Prepaid,
}

impl PaymentMode {
    pub const ALL: [Self; 2] = [Self::GoodsFirst, Self::Prepaid];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GoodsFirst => "goods_first",
            Self::Prepaid => "prepaid",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// One line as the buyer wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRequest {
    pub product_id: Uuid,
    pub quantity: RawAmount,
    pub max_price_fen: Fen,
    pub max_price_per: Unit,
    pub needed_by: NaiveDate,
    pub region: Option<String>,
    pub grade: Option<String>,
    pub min_share: Option<RawAmount>,
    pub max_households: Option<u32>,
    pub allow_partial: bool,
}

/// An amount before the product's measure is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAmount {
    pub amount: String,
    pub unit: Unit,
}

/// What a line needs to know of its product.
#[derive(Clone, Debug)]
pub struct Product {
    pub id: Uuid,
    pub name: String,
    pub measure: Measure,
    pub pack_base: i64,
    pub grades: Vec<String>,
    pub category: String,
}

/// A line that can be filled.
#[derive(Clone, Debug)]
pub struct Line {
    pub product: Product,
    pub quantity_base: i64,
    pub max_price: Price,
    pub needed_by: NaiveDate,
    pub grade: Option<String>,
    pub min_share_base: Option<i64>,
    pub max_households: Option<u32>,
    pub allow_partial: bool,
}

/// Refuses an order without lines or with too many.
pub fn check_size(request: &OrderRequest) -> Result<(), Refusal> {
    if (1..=LINES_MAX).contains(&request.lines.len()) {
        Ok(())
    } else {
        Err(Refusal::invalid("/lines", format!("1 to {LINES_MAX} lines")))
    }
}

/// Reads one line against its product; `index` says which, for the pointer of a refusal.
pub fn read_line(
    index: usize,
    line: &LineRequest,
    product: &Product,
    today: NaiveDate,
) -> Result<Line, Refusal> {
    let at = |member: &str| format!("/lines/{index}/{member}");
    let quantity = read_amount(&line.quantity, product.measure, &at("quantity"))?;
    let max_price = Price::new(line.max_price_fen, line.max_price_per)
        .and_then(|price| price.for_measure(product.measure))
        .map_err(|error| Refusal::invalid(at("max_price"), error))?;
    let latest = today + TimeDelta::days(NEEDED_BY_DAYS_MAX);
    if line.needed_by < today || line.needed_by > latest {
        return Err(Refusal::invalid(at("needed_by"), format!("between {today} and {latest}")));
    }
    if let Some(grade) = line.grade.as_ref().filter(|grade| !product.grades.contains(grade)) {
        let known = product.grades.join(", ");
        return Err(Refusal::invalid(
            at("grade"),
            format!("{grade} is not a grade of this product ({known})"),
        ));
    }
    let min_share =
        line.min_share.as_ref().map(|share| read_amount(share, product.measure, &at("min_share")));
    let min_share_base = min_share.transpose()?.map(Quantity::base);
    if min_share_base.is_some_and(|share| share > quantity.base()) {
        return Err(Refusal::invalid(at("min_share"), "must not be above the quantity"));
    }
    if line.max_households == Some(0) {
        return Err(Refusal::invalid(at("max_households"), "at least 1"));
    }
    Ok(Line {
        product: product.clone(),
        quantity_base: quantity.base(),
        max_price,
        needed_by: line.needed_by,
        grade: line.grade.clone(),
        min_share_base,
        max_households: line.max_households,
        allow_partial: line.allow_partial,
    })
}

fn read_amount(raw: &RawAmount, measure: Measure, pointer: &str) -> Result<Quantity, Refusal> {
    Quantity::parse(&raw.amount, raw.unit)
        .and_then(|quantity| quantity.for_measure(measure))
        .map_err(|error| Refusal::invalid(pointer, error))
}

/// Whose turn a lot is: produce that spoils within so many days of the day it is needed comes first, then monitored
/// households, then registered ones, then the rest.
#[must_use]
pub fn tier(status: &str, sell_by: NaiveDate, needed_by: NaiveDate, spoils_within_days: i64) -> Tier {
    if sell_by < needed_by + TimeDelta::days(spoils_within_days) {
        return Tier::Spoiling;
    }
    match status {
        "monitored_unstable" | "monitored_marginal" | "monitored_hardship" => Tier::Monitored,
        "registered" => Tier::Registered,
        _ => Tier::Others,
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Placed,
    Confirmed,
    Delivering,
    Accepted,
    Settled,
    Closed,
    Cancelled,
    Expired,
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Placed,
        Self::Confirmed,
        Self::Delivering,
        Self::Accepted,
        Self::Settled,
        Self::Closed,
        Self::Cancelled,
        Self::Expired,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Delivering => "delivering",
            Self::Accepted => "accepted",
            Self::Settled => "settled",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Whether goods of an allocation are still to be picked up or weighed, by the stored states of the order and of it.
#[must_use]
pub fn is_to_be_picked_up(order: &str, allocation: &str) -> bool {
    let is_under_way = matches!(State::parse(order), Some(State::Confirmed | State::Delivering));
    is_under_way && matches!(allocation, "confirmed" | "dispatched")
}

/// The refusal of a step that the order's state does not allow.
#[must_use]
pub fn wrong_state(from: &str, attempted: &'static str) -> Refusal {
    Refusal::WrongState { what: "order", from: from.to_owned(), attempted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn eggs() -> Product {
        Product {
            id: Uuid::nil(),
            name: "鸡蛋".to_owned(),
            measure: Measure::Count,
            pack_base: 1,
            grades: vec!["土鸡蛋".to_owned()],
            category: "eggs".to_owned(),
        }
    }

    fn line() -> LineRequest {
        LineRequest {
            product_id: Uuid::nil(),
            quantity: RawAmount { amount: "30".to_owned(), unit: Unit::Piece },
            max_price_fen: Fen::new(150),
            max_price_per: Unit::Piece,
            needed_by: day("2027-03-20"),
            region: None,
            grade: None,
            min_share: None,
            max_households: None,
            allow_partial: false,
        }
    }

    fn pointer_of(line: &LineRequest) -> String {
        match read_line(2, line, &eggs(), day("2027-03-01")) {
            Err(Refusal::Invalid { pointer, .. }) => pointer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_that_reads_well_is_taken() {
        assert_eq!(read_line(0, &line(), &eggs(), day("2027-03-01")).unwrap().quantity_base, 30);
    }

    #[test]
    fn every_bad_member_of_a_line_is_refused_where_it_stands() {
        let kilos = RawAmount { amount: "3".to_owned(), unit: Unit::Kg };
        let many = RawAmount { amount: "31".to_owned(), unit: Unit::Piece };
        assert_eq!(pointer_of(&LineRequest { quantity: kilos.clone(), ..line() }), "/lines/2/quantity");
        assert_eq!(pointer_of(&LineRequest { max_price_per: Unit::Kg, ..line() }), "/lines/2/max_price");
        assert_eq!(pointer_of(&LineRequest { max_price_fen: Fen::ZERO, ..line() }), "/lines/2/max_price");
        assert_eq!(pointer_of(&LineRequest { needed_by: day("2027-02-28"), ..line() }), "/lines/2/needed_by");
        assert_eq!(pointer_of(&LineRequest { needed_by: day("2037-02-28"), ..line() }), "/lines/2/needed_by");
        assert_eq!(pointer_of(&LineRequest { grade: Some("一级".to_owned()), ..line() }), "/lines/2/grade");
        assert_eq!(pointer_of(&LineRequest { min_share: Some(many), ..line() }), "/lines/2/min_share");
        assert_eq!(pointer_of(&LineRequest { max_households: Some(0), ..line() }), "/lines/2/max_households");
    }

    #[test]
    fn what_spoils_comes_first_then_the_household_status_decides() {
        let (needed, far) = (day("2027-03-20"), day("2027-12-31"));
        assert_eq!(tier("general", day("2027-03-26"), needed, 7), Tier::Spoiling);
        assert_eq!(tier("general", day("2027-03-27"), needed, 7), Tier::Others);
        assert_eq!(tier("monitored_hardship", far, needed, 7), Tier::Monitored);
        assert_eq!(tier("registered", far, needed, 7), Tier::Registered);
    }
}
