//! Money, amounts, prices, dates and enumerations as the API writes them. A decimal is a string, never a JSON number.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use poem_openapi::{Enum, Object};
use serde_json::Value;
use std::borrow::Cow;

use crate::money::{Fen, Price};
use crate::quantity::{self, Measure, Quantity, Unit};
use crate::refusal::Refusal;

/// Yuan as a decimal string with two decimals, such as `"12.50"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yuan(pub Fen);

impl Type for Yuan {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_yuan".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            pattern: Some(r"^-?\d{1,14}(\.\d{1,2})?$".to_owned()),
            example: Some(Value::from("12.50")),
            ..MetaSchema::new_with_format("string", "yuan")
        }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for Yuan {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => Fen::parse(&text).map(Self).map_err(ParseError::custom),
            other => Err(ParseError::custom(not_a_string(other.as_ref()))),
        }
    }
}

impl ParseFromParameter for Yuan {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Fen::parse(value).map(Self).map_err(ParseError::custom)
    }
}

impl ToJSON for Yuan {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.to_string()))
    }
}

impl From<Fen> for Yuan {
    fn from(fen: Fen) -> Self {
        Self(fen)
    }
}

/// A decimal string such as `"32.5"`: ASCII digits, at most one point, no sign, no exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecimalText(pub String);

impl Type for DecimalText {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_decimal".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            pattern: Some(r"^\d{1,20}(\.\d{1,9})?$".to_owned()),
            example: Some(Value::from("32.5")),
            ..MetaSchema::new_with_format("string", "decimal")
        }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for DecimalText {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => Ok(Self(text)),
            other => Err(ParseError::custom(not_a_string(other.as_ref()))),
        }
    }
}

impl ToJSON for DecimalText {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}

impl std::fmt::Display for DecimalText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn not_a_string(value: Option<&Value>) -> &'static str {
    match value {
        Some(Value::Number(_)) => "write the decimal as a string in quotes, not as a number",
        Some(Value::Null) | None => "is missing",
        Some(_) => "write a decimal string such as \"12.50\"",
    }
}

/// A unit of quantity or price: jin 500 g, liang 50 g, kg, ton 1,000,000 g; piece, head, box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "Unit", rename_all = "snake_case")]
pub enum UnitName {
    Jin,
    Liang,
    Kg,
    Ton,
    Piece,
    Head,
    Box,
}

impl From<Unit> for UnitName {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Jin => Self::Jin,
            Unit::Liang => Self::Liang,
            Unit::Kg => Self::Kg,
            Unit::Ton => Self::Ton,
            Unit::Piece => Self::Piece,
            Unit::Head => Self::Head,
            Unit::Box => Self::Box,
        }
    }
}

impl From<UnitName> for Unit {
    fn from(unit: UnitName) -> Self {
        match unit {
            UnitName::Jin => Self::Jin,
            UnitName::Liang => Self::Liang,
            UnitName::Kg => Self::Kg,
            UnitName::Ton => Self::Ton,
            UnitName::Piece => Self::Piece,
            UnitName::Head => Self::Head,
            UnitName::Box => Self::Box,
        }
    }
}

impl std::fmt::Display for UnitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Unit::from(*self).fmt(f)
    }
}

/// An amount of produce, such as `{"amount": "32.5", "unit": "jin"}`.
#[derive(Clone, Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct Amount {
    pub amount: DecimalText,
    pub unit: UnitName,
}

impl Amount {
    /// Grams shown in kilos, pieces as they are.
    #[must_use]
    pub fn new(base: i64, measure: Measure) -> Self {
        Self { amount: DecimalText(quantity::show_base(base, measure)), unit: measure.shown_in().into() }
    }

    /// A positive, whole quantity of the given measure; `pointer` says where it stood in the body.
    pub fn quantity(&self, measure: Measure, pointer: &str) -> Result<Quantity, Refusal> {
        Quantity::parse(&self.amount.0, self.unit.into())
            .and_then(|quantity| quantity.for_measure(measure))
            .map_err(|error| Refusal::invalid(pointer, error))
    }

    /// A whole quantity that may be zero, in grams or pieces.
    pub fn base_or_zero(&self, measure: Measure, pointer: &str) -> Result<i64, Refusal> {
        let unit = Unit::from(self.unit);
        if unit.measure() != measure {
            return Err(Refusal::invalid(pointer, quantity::QuantityError::WrongMeasure(measure)));
        }
        quantity::parse_base(&self.amount.0, unit).map_err(|error| Refusal::invalid(pointer, error))
    }
}

/// A price, such as `{"amount": "32.00", "per": "jin"}`.
#[derive(Clone, Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct UnitPrice {
    pub amount: Yuan,
    pub per: UnitName,
}

impl UnitPrice {
    /// A price above zero for a product of the given measure.
    pub fn price(&self, measure: Measure, pointer: &str) -> Result<Price, Refusal> {
        Price::new(self.amount.0, self.per.into())
            .and_then(|price| price.for_measure(measure))
            .map_err(|error| Refusal::invalid(pointer, error))
    }
}

impl From<Price> for UnitPrice {
    fn from(price: Price) -> Self {
        Self { amount: Yuan(price.fen), per: price.per.into() }
    }
}
