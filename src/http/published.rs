//! What the contract says about an address, read off the document that the service publishes: the methods it has, the
//! query parameters of each, and which operations move stock or money. So no rule here needs a list of its own.

use std::collections::HashMap;

use poem::http::Method;
use serde_json::Value;

/// The contract, by the number of parts of a path.
#[derive(Debug, Default)]
pub struct Published {
    paths: HashMap<usize, Vec<Path>>,
}

#[derive(Debug)]
struct Path {
    parts: Vec<Part>,
    operations: Vec<Operation>,
}

/// One part of a path between slashes.
#[derive(Debug)]
enum Part {
    Word(String),
    Any,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    method: Method,
    queries: Vec<String>,
    moves_stock_or_money: bool,
}

impl Published {
    /// Reads the document. What is not in it is not published.
    pub fn read(document: &str) -> serde_json::Result<Self> {
        let document: Value = serde_json::from_str(document)?;
        let mut published = Self::default();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let parts: Vec<Part> = path.split('/').map(Part::read).collect();
            let operations = item.as_object().into_iter().flatten();
            let operations =
                operations.filter_map(|(method, operation)| Operation::read(method, operation)).collect();
            published.paths.entry(parts.len()).or_default().push(Path { parts, operations });
        }
        Ok(published)
    }

    /// The operation that a request is for. Asking for the head of an answer is asking for it.
    #[must_use]
    pub fn operation(&self, method: &Method, path: &str) -> Option<&Operation> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.path(path)?.operations.iter().find(|operation| operation.method == *method)
    }

    /// The methods of a path, as an `Allow` header lists them.
    #[must_use]
    pub fn methods(&self, path: &str) -> Option<String> {
        let operations = &self.path(path)?.operations;
        let mut names: Vec<&str> = operations.iter().map(|operation| operation.method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        Some(names.join(", "))
    }

    /// Words come before parameters, as they do in the router.
    fn path(&self, path: &str) -> Option<&Path> {
        let parts: Vec<&str> = path.split('/').collect();
        let alike = self.paths.get(&parts.len())?.iter().filter(|known| known.fits(&parts));
        alike.max_by_key(|known| known.parts.iter().filter(|part| matches!(part, Part::Word(_))).count())
    }
}

impl Path {
    fn fits(&self, parts: &[&str]) -> bool {
        self.parts.iter().zip(parts).all(|(known, part)| match known {
            Part::Word(word) => word == part,
            Part::Any => !part.is_empty(),
        })
    }
}

impl Part {
    fn read(text: &str) -> Self {
        if text.starts_with('{') { Self::Any } else { Self::Word(text.to_owned()) }
    }
}

impl Operation {
    fn read(method: &str, operation: &Value) -> Option<Self> {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?;
        let parameters = || operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
        let named = |place: &'static str| {
            let there =
                parameters().filter(move |parameter| parameter.get("in").is_some_and(|at| at == place));
            there.filter_map(|parameter| parameter.get("name")?.as_str())
        };
        let queries = named("query").map(str::to_owned).collect();
        // An operation wants a key exactly when it moves stock or money.
        let moves_stock_or_money = named("header").any(|name| name == "Idempotency-Key");
        Some(Self { method, queries, moves_stock_or_money })
    }

    /// Whether it must get through when others have to wait.
    #[must_use]
    pub fn moves_stock_or_money(&self) -> bool {
        self.moves_stock_or_money
    }

    /// The first query parameter that is not the operation's or is given again, with what is wrong with it. None of
    /// ours is a list.
    #[must_use]
    pub fn fault_of_query<'a>(&self, given: &'a [(String, String)]) -> Option<(&'a str, &'static str)> {
        given.iter().enumerate().find_map(|(index, (name, _))| {
            let is_again = given.iter().take(index).any(|(before, _)| before == name);
            if !self.queries.contains(name) {
                Some((name.as_str(), "is not a parameter of this operation"))
            } else if is_again {
                Some((name.as_str(), "is given more than once"))
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"paths": {
        "/v1/lots": {"get": {"parameters": [{"in": "query", "name": "limit"}]},
                     "post": {"parameters": [{"in": "header", "name": "Idempotency-Key"}]}},
        "/v1/lots/{id}": {"get": {}, "patch": {}},
        "/v1/lots/import": {"post": {}}
    }}"#;

    #[test]
    fn a_path_is_known_by_its_words_before_its_parameters() {
        let published = Published::read(DOCUMENT).unwrap();
        assert_eq!(published.methods("/v1/lots/import").as_deref(), Some("POST"));
        assert_eq!(published.methods("/v1/lots/7").as_deref(), Some("GET, PATCH, HEAD"));
        for unknown in ["/v1/lots/", "/v1", "/v1/lots/7/x", "", "/v2/lots"] {
            assert_eq!(published.methods(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_parameter_that_is_unknown_or_given_twice_is_named() {
        let published = Published::read(DOCUMENT).unwrap();
        let list = published.operation(&Method::HEAD, "/v1/lots").unwrap();
        let given = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| ((*name).to_owned(), String::new())).collect()
        };
        assert_eq!(list.fault_of_query(&given(&["limit"])), None);
        assert_eq!(list.fault_of_query(&given(&["limit", "page"])).unwrap().0, "page");
        assert_eq!(list.fault_of_query(&given(&["limit[]"])).unwrap().0, "limit[]");
        assert_eq!(list.fault_of_query(&given(&["limit", "limit"])).unwrap().1, "is given more than once");
        assert!(!list.moves_stock_or_money());
        assert!(published.operation(&Method::POST, "/v1/lots").unwrap().moves_stock_or_money());
        assert!(published.operation(&Method::PUT, "/v1/lots").is_none());
    }
}
