//! `zhuxiao openapi`: writes the contract as the service serves it. What the framework writes in a way that other tools
//! read wrongly is put right here, in one walk over the document.

use poem::http::StatusCode;
use poem_openapi::OpenApiService;
use serde_json::{Map, Value};

use super::{Ended, say};
use crate::app::App;
use crate::clock::Clock;
use crate::id::Ids;
use crate::settings::Settings;

/// Operations that need no sign-in. An operation that is neither here nor secured fails the contract test.
pub const PUBLIC_OPERATIONS: [&str; 4] =
    ["create_session", "create_one_time_code", "list_public_lots", "get_public_progress"];

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
    share_problems(&mut document);
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

/// Every operation of the document.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    items.flat_map(Map::values_mut).filter_map(Value::as_object_mut)
}

/// The problem answers are the same everywhere: each stands once among the components, where operations point to it.
/// Those that only a header can bring about are left out where there is no such header.
fn share_problems(document: &mut Value) {
    let mut shared = Map::new();
    for operation in operations(document) {
        let takes = |header: &str| {
            let parameters = operation.get("parameters").and_then(Value::as_array);
            parameters
                .into_iter()
                .flatten()
                .any(|parameter| parameter.get("name").is_some_and(|name| name == header))
        };
        let (takes_version, takes_key) = (takes("If-Match"), takes("Idempotency-Key"));
        let Some(Value::Object(answers)) = operation.get_mut("responses") else { continue };
        answers.retain(|status, _| match status.as_str() {
            "412" => takes_version,
            "428" => takes_version || takes_key,
            _ => true,
        });
        for (status, answer) in answers.iter_mut() {
            if answer.pointer("/content/application~1problem+json").is_none() {
                continue;
            }
            let name = component_name(status);
            let reference = serde_json::json!({ "$ref": format!("#/components/responses/{name}") });
            shared.insert(name, std::mem::replace(answer, reference));
        }
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("responses".to_owned(), Value::Object(shared));
    }
}

/// `404` is called `NotFound`.
fn component_name(status: &str) -> String {
    let reason = StatusCode::from_bytes(status.as_bytes()).ok().and_then(|status| status.canonical_reason());
    reason.unwrap_or(status).replace(' ', "")
}

/// An operation without `security` would look forgotten; the public ones say that they need none.
fn open_public_operations(document: &mut Value) {
    for operation in operations(document) {
        let id = operation.get("operationId").and_then(Value::as_str);
        if id.is_some_and(|id| PUBLIC_OPERATIONS.contains(&id)) {
            operation.entry("security").or_insert(Value::Array(Vec::new()));
        }
    }
}
