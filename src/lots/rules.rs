//! What a lot must be, what of it may still change, and until when its certificates hold. Pure: no database, no HTTP,
//! no time of day.

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::Price;
use crate::products::{ProductFacts, is_label, is_slug};
use crate::quantity::{Measure, Quantity, show_base};
use crate::refusal::Refusal;

/// A lot of a product that needs no certificate is certified until this day.
const FOREVER: Option<NaiveDate> = NaiveDate::from_ymd_opt(9999, 12, 31);

/// A paper that comes with a lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// A slug, such as `food_production`.
    pub kind: String,
    pub number: String,
    pub valid_until: NaiveDate,
}

/// What somebody offers, as they said it. Quantity and price may still be of the wrong measure.
#[derive(Clone, Debug)]
pub struct Offer {
    pub product_id: Uuid,
    pub external_ref: Option<String>,
    pub grade: Option<String>,
    pub quantity: Quantity,
    pub price: Price,
    pub ready_from: NaiveDate,
    /// The product's shelf life after `ready_from` when it is not said.
    pub sell_by: Option<NaiveDate>,
    pub certificates: Vec<Certificate>,
}

/// Whose lot it is and where it is picked up.
#[derive(Clone, Debug)]
pub struct Place {
    /// Six digits.
    pub county_code: String,
    pub household_id: Uuid,
    /// Twelve digits.
    pub village_code: String,
}

/// A lot as it is to be written.
#[derive(Clone, Debug)]
pub struct NewLot {
    pub place: Place,
    pub product_id: Uuid,
    /// The number it has in somebody's own list, unique in the county.
    pub external_ref: Option<String>,
    pub grade: Option<String>,
    pub price: Price,
    pub offered_base: i64,
    pub ready_from: NaiveDate,
    pub sell_by: NaiveDate,
    pub certificates: Vec<Certificate>,
    /// See [`certified_until`].
    pub certified_until: Option<NaiveDate>,
}

/// Whether a lot can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    OnSale,
    /// Nothing more is sold of it; what is held or confirmed stays promised.
    Withdrawn,
}

/// What of a lot decides whether it may change.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub state: State,
    pub version: i64,
    pub measure: Measure,
    pub ready_from: NaiveDate,
    /// Held, confirmed and delivered together.
    pub promised_base: i64,
}

/// What is to change of a lot; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub price: Option<Price>,
    pub quantity: Option<Quantity>,
    pub sell_by: Option<NaiveDate>,
}

impl State {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnSale => "on_sale",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::OnSale, Self::Withdrawn].into_iter().find(|state| state.as_str() == name)
    }
}

/// Makes a lot of an offer, or says which member is not acceptable.
pub fn accept(
    offer: Offer,
    place: Place,
    product: &ProductFacts,
    today: NaiveDate,
) -> Result<NewLot, Refusal> {
    if !product.is_active {
        return Err(Refusal::invalid("/product_id", "is no longer offered; choose another product"));
    }
    let quantity =
        offer.quantity.for_measure(product.measure).map_err(|error| Refusal::invalid("/quantity", error))?;
    let price =
        offer.price.for_measure(product.measure).map_err(|error| Refusal::invalid("/price", error))?;
    check_grade(offer.grade.as_deref(), &product.grades)?;
    check_certificates(&offer.certificates)?;
    check_year(offer.ready_from, "/ready_from")?;
    let sell_by = match offer.sell_by {
        Some(day) => day,
        None => kept_until(offer.ready_from, product.shelf_life_days)?,
    };
    check_sell_by(sell_by, offer.ready_from, today)?;
    if offer.external_ref.as_deref().is_some_and(|number| !is_label(number)) {
        return Err(Refusal::invalid("/external_ref", "must have 1 to 60 characters, no control characters"));
    }
    Ok(NewLot {
        place,
        product_id: product.id,
        external_ref: offer.external_ref,
        grade: offer.grade,
        price,
        offered_base: quantity.base(),
        ready_from: offer.ready_from,
        sell_by,
        certified_until: certified_until(&product.certificates, &offer.certificates),
        certificates: offer.certificates,
    })
}

/// The last day on which every required certificate is valid: `None` when one is missing, the end of time when none
/// is required. Of several of one kind the longest counts.
#[must_use]
pub fn certified_until(required: &[String], certificates: &[Certificate]) -> Option<NaiveDate> {
    let valid_until = |kind: &String| {
        let of_kind = certificates.iter().filter(|certificate| certificate.kind == *kind);
        of_kind.map(|certificate| certificate.valid_until).max()
    };
    let days: Option<Vec<NaiveDate>> = required.iter().map(valid_until).collect();
    days?.into_iter().min().or(FOREVER)
}

/// Refuses changes that this lot does not allow: it is withdrawn, was changed since it was read, would offer less than
/// is promised, or would be past its own day.
pub fn check_changes(
    standing: &Standing,
    version: i64,
    changes: &Changes,
    today: NaiveDate,
) -> Result<(), Refusal> {
    if standing.state == State::Withdrawn {
        return Err(wrong_state(standing.state, "edit"));
    }
    if standing.version != version {
        return Err(Refusal::Stale);
    }
    if let Some(price) = changes.price {
        price.for_measure(standing.measure).map_err(|error| Refusal::invalid("/price", error))?;
    }
    if let Some(quantity) = changes.quantity {
        let quantity =
            quantity.for_measure(standing.measure).map_err(|error| Refusal::invalid("/quantity", error))?;
        if quantity.base() < standing.promised_base {
            return Err(promised(standing));
        }
    }
    changes.sell_by.map_or(Ok(()), |day| check_sell_by(day, standing.ready_from, today))
}

/// A step that the state of a lot does not allow.
#[must_use]
pub fn wrong_state(state: State, attempted: &'static str) -> Refusal {
    let from = match state {
        State::OnSale => "on sale",
        State::Withdrawn => "withdrawn",
    };
    Refusal::WrongState { what: "lot", from: from.to_owned(), attempted }
}

fn promised(standing: &Standing) -> Refusal {
    let amount = show_base(standing.promised_base, standing.measure);
    let from = format!("promised to buyers up to {amount} {}", standing.measure.shown_in());
    Refusal::WrongState { what: "lot", from, attempted: "offer less than that" }
}

fn check_grade(grade: Option<&str>, grades: &[String]) -> Result<(), Refusal> {
    match grade {
        None if grades.is_empty() => Ok(()),
        Some(grade) if grades.iter().any(|known| known == grade) => Ok(()),
        Some(_) if grades.is_empty() => Err(Refusal::invalid("/grade", "this product is not graded")),
        _ => Err(Refusal::invalid("/grade", format!("must be one of {}", grades.join(", ")))),
    }
}

fn check_certificates(certificates: &[Certificate]) -> Result<(), Refusal> {
    for (index, certificate) in certificates.iter().enumerate() {
        let pointer = |member: &str| format!("/certificates/{index}/{member}");
        if !is_slug(&certificate.kind) {
            return Err(Refusal::invalid(pointer("kind"), "must be a slug, such as food_production"));
        }
        if !is_label(&certificate.number) {
            let detail = "must have 1 to 60 characters, no control characters";
            return Err(Refusal::invalid(pointer("number"), detail));
        }
        check_year(certificate.valid_until, &pointer("valid_until"))?;
    }
    Ok(())
}

/// Days far off are mistakes, and the engines do not order years of five digits alike.
fn check_year(day: NaiveDate, pointer: &str) -> Result<(), Refusal> {
    if (2000..=2100).contains(&day.year()) {
        Ok(())
    } else {
        Err(Refusal::invalid(pointer, "must lie between 2000 and 2100"))
    }
}

fn kept_until(ready_from: NaiveDate, shelf_life_days: Option<i64>) -> Result<NaiveDate, Refusal> {
    let days = shelf_life_days.and_then(|days| u64::try_from(days).ok());
    let day = days.and_then(|days| ready_from.checked_add_days(Days::new(days)));
    day.ok_or_else(|| Refusal::invalid("/sell_by", "is missing: the product has no shelf life to go by"))
}

fn check_sell_by(sell_by: NaiveDate, ready_from: NaiveDate, today: NaiveDate) -> Result<(), Refusal> {
    check_year(sell_by, "/sell_by")?;
    if sell_by < ready_from {
        return Err(Refusal::invalid("/sell_by", "must not lie before ready_from"));
    }
    if sell_by < today {
        return Err(Refusal::invalid("/sell_by", format!("{sell_by} is over; today is {today}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn paper(kind: &str, valid_until: &str) -> Certificate {
        Certificate { kind: kind.to_owned(), number: "1".to_owned(), valid_until: day(valid_until) }
    }

    #[test]
    fn a_lot_is_certified_until_the_first_required_certificate_ends() {
        let required = ["food".to_owned(), "animal".to_owned()];
        let food = paper("food", "2027-05-01");
        let animal = paper("animal", "2027-04-01");
        let other = paper("organic", "2027-03-01");
        let all = [food.clone(), animal, other.clone()];
        assert_eq!(certified_until(&required, &all), Some(day("2027-04-01")));
        assert_eq!(certified_until(&required, &[food, other.clone()]), None);
        assert_eq!(certified_until(&[], &[other]), Some(day("9999-12-31")));
    }

    #[test]
    fn of_several_certificates_of_a_kind_the_longest_counts() {
        let papers = [paper("food", "2027-05-01"), paper("food", "2028-05-01")];
        assert_eq!(certified_until(&["food".to_owned()], &papers), Some(day("2028-05-01")));
    }

    #[test]
    fn a_lot_cannot_offer_less_than_it_has_promised() {
        let standing = Standing {
            state: State::OnSale,
            version: 3,
            measure: Measure::Mass,
            ready_from: day("2027-03-01"),
            promised_base: 2_000,
        };
        let offering =
            |base| Changes { quantity: Quantity::from_base(base, Measure::Mass).ok(), ..Changes::default() };
        let today = day("2027-03-02");
        assert_eq!(check_changes(&standing, 3, &offering(2_000), today), Ok(()));
        let refused = check_changes(&standing, 3, &offering(1_999), today);
        assert!(matches!(refused, Err(Refusal::WrongState { .. })), "{refused:?}");
        assert_eq!(check_changes(&standing, 2, &offering(2_000), today), Err(Refusal::Stale));
    }

    #[test]
    fn a_sell_by_day_is_neither_over_nor_before_the_lot_is_ready() {
        let today = day("2027-03-02");
        assert!(check_sell_by(day("2027-03-02"), day("2027-03-02"), today).is_ok());
        assert!(check_sell_by(day("2027-03-01"), day("2027-02-01"), today).is_err());
        assert!(check_sell_by(day("2027-03-03"), day("2027-03-04"), today).is_err());
    }
}
