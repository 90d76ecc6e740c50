//! What a key may be used for. Pure.

use chrono::TimeDelta;

use crate::refusal::Refusal;

/// What a key can be made for: the first part of the paths it reaches. Nothing about people, sessions and keys.
pub const NOUNS: [&str; 11] = [
    "regions",
    "products",
    "lots",
    "orders",
    "deliveries",
    "settlements",
    "payments",
    "institutions",
    "papers",
    "webhooks",
    "reports",
];

/// How long a key is good for at most.
pub const GOOD_FOR_MAX: TimeDelta = TimeDelta::days(366);

/// Scopes of one key at most: each noun, to read and to write.
pub const SCOPES_MAX: usize = NOUNS.len() * 2;

/// One thing a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    noun: &'static str,
    /// Writing includes reading.
    is_write: bool,
}

impl Scope {
    /// Reads `orders:read` or `orders:write`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (noun, verb) = text.split_once(':')?;
        let noun = NOUNS.into_iter().find(|known| *known == noun)?;
        match verb {
            "read" => Some(Self { noun, is_write: false }),
            "write" => Some(Self { noun, is_write: true }),
            _ => None,
        }
    }

    /// Whether a request to `path` is within this scope.
    #[must_use]
    pub fn covers(self, path: &str, is_safe: bool) -> bool {
        let noun = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
        noun == Some(self.noun) && (is_safe || self.is_write)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.noun, if self.is_write { "write" } else { "read" })
    }
}

/// The scopes of a new key, each once.
pub fn scopes(named: &[String]) -> Result<Vec<Scope>, Refusal> {
    if named.is_empty() || named.len() > SCOPES_MAX {
        return Err(Refusal::invalid("/scopes", format!("between 1 and {SCOPES_MAX} scopes")));
    }
    let mut scopes = Vec::with_capacity(named.len());
    for (position, name) in named.iter().enumerate() {
        let scope = Scope::parse(name).ok_or_else(|| {
            let known = NOUNS.join(", ");
            Refusal::invalid(
                format!("/scopes/{position}"),
                format!("write noun:read or noun:write with one of {known}"),
            )
        })?;
        scopes.push(scope);
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

/// Scopes as they are stored.
#[must_use]
pub fn stored(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::to_string).collect::<Vec<_>>().join(" ")
}

/// Scopes that were [`stored`]; what is no scope any more grants nothing.
#[must_use]
pub fn read(stored: &str) -> Vec<Scope> {
    stored.split(' ').filter_map(Scope::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_its_noun_and_writing_includes_reading() {
        let read = Scope::parse("orders:read").unwrap();
        assert!(read.covers("/v1/orders", true) && read.covers("/v1/orders/1/allocations", true));
        assert!(!read.covers("/v1/orders", false) && !read.covers("/v1/lots", true));
        let write = Scope::parse("orders:write").unwrap();
        assert!(write.covers("/v1/orders", false) && write.covers("/v1/orders", true));
        assert!(!write.covers("/v1/ordersandmore", true) && !write.covers("/orders", true));
    }

    #[test]
    fn there_is_no_scope_for_people_sessions_and_keys() {
        for name in [
            "me:read",
            "sessions:write",
            "principals:read",
            "api_keys:write",
            "households:read",
            "orders",
            "orders:",
        ] {
            assert_eq!(Scope::parse(name), None, "{name}");
        }
    }

    #[test]
    fn scopes_are_stored_once_each_and_read_again() {
        let named = ["orders:write", "lots:read", "orders:write"].map(str::to_owned);
        let made = scopes(&named).unwrap();
        assert_eq!(stored(&made), "lots:read orders:write");
        assert_eq!(read(&stored(&made)), made);
        assert!(scopes(&[]).is_err() && scopes(&["all".to_owned()]).is_err());
    }
}
