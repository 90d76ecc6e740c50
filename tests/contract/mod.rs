//! The contract: generated, committed, complete, and free of what generators of clients stumble over.

use std::collections::BTreeSet;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use zhuxiao::app::App;
use zhuxiao::cli::openapi::{PUBLIC_OPERATIONS, document};
use zhuxiao::clock::Clock;
use zhuxiao::id::Ids;
use zhuxiao::routes::service;
use zhuxiao::settings::Settings;

async fn app() -> App {
    let settings = Settings { database_url: "sqlite::memory:".to_owned(), ..Settings::default() };
    App::open(settings, Clock::System, Ids::default()).await.unwrap()
}

pub async fn contract() -> Value {
    serde_json::from_str(&document(&service(&app().await)).unwrap()).unwrap()
}

/// Every operation as (method, path, operation).
pub fn operations(contract: &Value) -> Vec<(String, String, Value)> {
    let paths = contract["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (method.clone(), path.clone(), operation.clone()))
    });
    methods.collect()
}

#[tokio::test]
async fn the_committed_contract_is_the_one_that_is_served() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/v1.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(committed == contract().await, "run: cargo run -- openapi > openapi/v1.json");
}

#[tokio::test]
async fn no_key_of_the_contract_is_written_twice() {
    let text = service(&app().await).spec();
    let mut reader = serde_json::Deserializer::from_str(&text);
    NoTwice.deserialize(&mut reader).unwrap();
}

#[tokio::test]
async fn path_parameters_stand_in_the_order_of_the_path() {
    for (method, path, operation) in operations(&contract().await) {
        let in_path: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let declared: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(declared, in_path, "{method} {path} would swap its arguments");
    }
}

#[tokio::test]
async fn every_operation_has_id_summary_description_tag_and_security_or_is_public() {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&contract().await) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
        assert!(ids.insert(id.to_owned()), "{id} twice");
        for member in ["summary", "description"] {
            assert!(operation[member].as_str().is_some_and(|text| !text.is_empty()), "{id} has no {member}");
        }
        assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{id} has no tag");
        let is_secured = operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
        assert_ne!(is_secured, PUBLIC_OPERATIONS.contains(&id), "{id} is secured, or public, not both");
    }
}

#[tokio::test]
async fn every_operation_names_its_problem_answers() {
    let contract = contract().await;
    for (_, _, operation) in operations(&contract) {
        let id = operation["operationId"].as_str().unwrap();
        let takes = |header: &str| {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.any(|parameter| parameter["name"] == header)
        };
        let always = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "500", "503"];
        let stale = takes("If-Match").then_some("412");
        let missing = (takes("If-Match") || takes("Idempotency-Key")).then_some("428");
        for status in always.into_iter().chain(stale).chain(missing) {
            let reference = operation["responses"][status]["$ref"].as_str();
            let shared = reference.and_then(|reference| contract.pointer(reference.strip_prefix('#')?));
            let problem = shared.map(|answer| &answer["content"]["application/problem+json"]);
            assert!(problem.is_some_and(Value::is_object), "{id} has no problem for {status}");
        }
    }
}

/// Reads JSON and fails at a key that an object has twice; a plain reader keeps the last silently.
struct NoTwice;

impl<'de> DeserializeSeed<'de> for NoTwice {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NoTwice {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(NoTwice)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = members.next_key::<String>()? {
            members.next_value_seed(NoTwice)?;
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("key {key} is written twice")));
            }
        }
        Ok(())
    }
}
