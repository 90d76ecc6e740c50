//! JSON bodies, read strictly: a member given twice, a NUL character or a value of the wrong kind is refused with the
//! place where it stands. Nothing reaches an operation that was not read here.

use std::fmt;

use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::payload::{Json, ParsePayload, Payload};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::http::problem::{Problem, plain_reason};
use crate::refusal::Refusal;

/// A JSON request body.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: Type> Payload for Body<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        Json::<T>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ParseFromJSON> ParsePayload for Body<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        read(&bytes).map(Self).map_err(|refusal| Problem::from(refusal).into())
    }
}

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }

    fn request_meta() -> Option<poem_openapi::registry::MetaRequest> {
        Some(poem_openapi::registry::MetaRequest {
            description: None,
            content: vec![poem_openapi::registry::MetaMediaType {
                content_type: Self::CONTENT_TYPE,
                schema: <Self as Payload>::schema_ref(),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        match request.content_type() {
            Some(kind) if Self::check_content_type(kind) => {
                <Self as ParsePayload>::from_request(request, body).await
            }
            _ => Err(Problem::of(415, "unsupported_media_type", "Send the body as application/json.").into()),
        }
    }
}

/// Reads a body as `T`.
fn read<T: ParseFromJSON>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let value =
        value.map_err(|error| Refusal::Malformed { detail: format!("The body is not JSON: {error}.") })?;
    if let Some(pointer) = find_nul(&value, String::new()) {
        return Err(Refusal::invalid(pointer, "must not contain a NUL character"));
    }
    T::parse_from_json(Some(value.clone())).map_err(|error| {
        let mut registry = Registry::new();
        T::register(&mut registry);
        find_fault(&registry, &T::schema_ref(), &value, String::new())
            .unwrap_or_else(|| Refusal::invalid("", plain_reason(error.message())))
    })
}

fn find_nul(value: &Value, pointer: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(pointer),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| find_nul(item, format!("{pointer}/{index}")))
        }
        Value::Object(members) => {
            members.iter().find_map(|(name, member)| find_nul(member, format!("{pointer}/{name}")))
        }
        _ => None,
    }
}

/// Says where a refused body first departs from its schema. Runs only after a body was refused.
fn find_fault(
    registry: &Registry,
    schema: &MetaSchemaRef,
    value: &Value,
    pointer: String,
) -> Option<Refusal> {
    let schema = resolve(registry, schema)?;
    if !schema.all_of.is_empty() {
        return schema.all_of.iter().find_map(|part| find_fault(registry, part, value, pointer.clone()));
    }
    match (schema.ty, value) {
        ("object", Value::Object(members)) => find_fault_in_object(registry, schema, members, &pointer),
        ("array", Value::Array(items)) => {
            let kind = schema.items.as_deref()?;
            items
                .iter()
                .enumerate()
                .find_map(|(index, item)| find_fault(registry, kind, item, format!("{pointer}/{index}")))
        }
        ("string", Value::String(text)) => find_fault_in_text(schema, text, &pointer),
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {
            find_fault_in_number(schema, number, &pointer)
        }
        ("boolean", Value::Bool(_)) | ("", _) => None,
        ("string", Value::Number(_)) if matches!(schema.format, Some("yuan" | "decimal")) => {
            Some(Refusal::invalid(pointer, "write the decimal as a string in quotes, not as a number"))
        }
        (expected, _) => Some(Refusal::invalid(pointer, format!("must be of type {expected}"))),
    }
}

fn find_fault_in_object(
    registry: &Registry,
    schema: &MetaSchema,
    members: &Map<String, Value>,
    pointer: &str,
) -> Option<Refusal> {
    let is_null = |name: &str| members.get(name).is_none_or(Value::is_null);
    if let Some(missing) = schema.required.iter().find(|name| is_null(name)) {
        return Some(Refusal::invalid(format!("{pointer}/{missing}"), "is missing"));
    }
    let is_known = |name: &str| schema.properties.iter().any(|(known, _)| *known == name);
    if let Some(unknown) = members.keys().find(|name| !schema.properties.is_empty() && !is_known(name)) {
        return Some(Refusal::invalid(format!("{pointer}/{unknown}"), "is not a member of this object"));
    }
    schema.properties.iter().find_map(|(name, kind)| {
        let member = members.get(*name).filter(|member| !member.is_null())?;
        find_fault(registry, kind, member, format!("{pointer}/{name}"))
    })
}

fn find_fault_in_number(schema: &MetaSchema, number: &Number, pointer: &str) -> Option<Refusal> {
    let number = number.as_f64()?;
    let least =
        schema.minimum.filter(|least| number < *least).map(|least| format!("must be at least {least}"));
    let most = schema.maximum.filter(|most| number > *most).map(|most| format!("must be at most {most}"));
    least.or(most).map(|detail| Refusal::invalid(pointer, detail))
}

fn find_fault_in_text(schema: &MetaSchema, text: &str, pointer: &str) -> Option<Refusal> {
    let refuse = |detail: String| Some(Refusal::invalid(pointer, detail));
    let length = text.chars().count();
    match schema.format {
        Some("yuan") => {
            return crate::money::Fen::parse(text).err().and_then(|error| refuse(error.to_string()));
        }
        Some("naive-date" | "date") if text.parse::<chrono::NaiveDate>().is_err() => {
            return refuse("must be a day of the calendar, written 2027-03-20".to_owned());
        }
        Some("uuid") if uuid::Uuid::try_parse(text).is_err() => {
            return refuse("must be an id as the API gave it".to_owned());
        }
        _ => {}
    }
    if !schema.enum_items.is_empty() && !schema.enum_items.contains(&Value::from(text)) {
        let known: Vec<&str> = schema.enum_items.iter().filter_map(Value::as_str).collect();
        return refuse(format!("must be one of {}", known.join(", ")));
    }
    if schema.max_length.is_some_and(|most| length > most)
        || schema.min_length.is_some_and(|least| length < least)
    {
        let (least, most) = (schema.min_length.unwrap_or(0), schema.max_length.unwrap_or(usize::MAX));
        return refuse(format!("must have {least} to {most} characters"));
    }
    None
}

fn resolve<'a>(registry: &'a Registry, schema: &'a MetaSchemaRef) -> Option<&'a MetaSchema> {
    match schema {
        MetaSchemaRef::Inline(schema) => Some(schema),
        MetaSchemaRef::Reference(name) => registry.schemas.get(name),
    }
}

/// Builds a JSON value and refuses a member that is given twice, of which `serde_json` would keep the last.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("member {name:?} is given twice")));
            }
            let member = access.next_value_seed(Strict)?;
            members.insert(name, member);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::scalars::Amount;

    fn refusal(text: &str) -> Refusal {
        read::<Amount>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_member_given_twice_is_not_json() {
        let twice = refusal(r#"{"amount": "1", "amount": "2", "unit": "kg"}"#);
        assert!(matches!(twice, Refusal::Malformed { detail } if detail.contains("given twice")));
    }

    #[test]
    fn broken_json_a_lone_surrogate_and_trailing_text_are_not_json() {
        for text in ["{", "", r#"{"amount": "\ud800", "unit": "kg"}"#, r#"{"amount":"1","unit":"kg"} x"#] {
            assert!(matches!(refusal(text), Refusal::Malformed { .. }), "{text}");
        }
    }

    #[test]
    fn the_place_of_a_bad_value_is_named() {
        for (text, place) in [
            (r#"{"amount": 1, "unit": "kg"}"#, "/amount"),
            (r#"{"unit": "kg"}"#, "/amount"),
            (r#"{"amount": "1", "unit": "pound"}"#, "/unit"),
            (r#"{"amount": "1", "unit": "kg", "weight": 1}"#, "/weight"),
            ("{\"amount\": \"1\\u0000\", \"unit\": \"kg\"}", "/amount"),
        ] {
            assert!(matches!(refusal(text), Refusal::Invalid { pointer, .. } if pointer == place), "{text}");
        }
    }
}
