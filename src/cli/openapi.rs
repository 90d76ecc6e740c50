//! `zhuxiao openapi`: writes the contract as the service serves it. What the framework writes in a way that other tools
//! read wrongly is put right here, in one walk over the document.

use poem_openapi::OpenApiService;
use serde_json::{Map, Value};

use super::{Ended, say};
use crate::app::App;
use crate::clock::Clock;
use crate::id::Ids;
use crate::settings::Settings;

/// Operations that need no sign-in. An operation that is neither here nor secured fails the contract test.
pub const PUBLIC_OPERATIONS: [&str; 3] = ["create_session", "list_public_lots", "get_public_progress"];

/// Prints the contract.
pub async fn run() -> Result<(), Ended> {
    let settings = Settings { database_url: "sqlite::memory:".to_owned(), ..Settings::default() };
    let app = App::open(settings, Clock::System, Ids::default()).await?;
    let document =
        document(&crate::routes::service(&app)).map_err(|error| Ended::Failed(error.to_string()))?;
    say(&document);
    Ok(())
}

/// The contract of a service as JSON text.
pub fn document<T: poem_openapi::OpenApi>(service: &OpenApiService<T, ()>) -> serde_json::Result<String> {
    let mut document: Value = serde_json::from_str(&service.spec())?;
    tidy(&mut document);
    open_public_operations(&mut document);
    serde_json::to_string_pretty(&document)
}

fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(members) => {
            name_formats(members);
            lift_described_reference(members);
            if members.get("default").is_some_and(Value::is_null) {
                members.remove("default");
            }
            if let Some(Value::Object(headers)) = members.get_mut("headers") {
                *headers = std::mem::take(headers)
                    .into_iter()
                    .map(|(name, header)| (header_name(&name), header))
                    .collect();
            }
            members.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// The framework's own names of formats are unknown to every other tool.
fn name_formats(members: &mut Map<String, Value>) {
    if members.get("format").is_some_and(|format| format == "naive-date") {
        members.insert("format".to_owned(), "date".into());
    }
}

/// `{"allOf": [{"$ref"}, {"description"}]}` becomes `{"allOf": [{"$ref"}], "description"}`: the second part alone says
/// nothing about the type, and generators of clients drop the whole schema because of it.
fn lift_described_reference(members: &mut Map<String, Value>) {
    let Some(Value::Array(parts)) = members.get_mut("allOf") else { return };
    let is_reference = parts.first().is_some_and(|part| part.get("$ref").is_some());
    let is_described =
        parts.get(1).is_some_and(|part| part.get("$ref").is_none() && part.get("type").is_none());
    if parts.len() != 2 || !is_reference || !is_described {
        return;
    }
    if let Some(Value::Object(described)) = parts.pop() {
        for (name, value) in described {
            members.entry(name).or_insert(value);
        }
    }
}

fn header_name(shouted: &str) -> String {
    match shouted {
        "ETAG" => "ETag".to_owned(),
        "WWW-AUTHENTICATE" => "WWW-Authenticate".to_owned(),
        _ => {
            let part = |part: &str| {
                let (first, rest) = part.split_at(part.len().min(1));
                format!("{}{}", first.to_uppercase(), rest.to_lowercase())
            };
            shouted.split('-').map(part).collect::<Vec<_>>().join("-")
        }
    }
}

/// An operation without `security` would look forgotten; the public ones say that they need none.
fn open_public_operations(document: &mut Value) {
    let Some(Value::Object(paths)) = document.get_mut("paths") else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let is_public = operation
            .get("operationId")
            .and_then(Value::as_str)
            .is_some_and(|id| PUBLIC_OPERATIONS.contains(&id));
        if let Some(operation) = operation.as_object_mut().filter(|_| is_public) {
            operation.entry("security").or_insert(Value::Array(Vec::new()));
        }
    }
}
