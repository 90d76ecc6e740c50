//! The layout's rules, read off the sources: who may use what, and what must not be anywhere.

use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The code of a file without its tests and without comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn refuse(name: impl Fn(&Path) -> bool, forbidden: &[&str]) {
    for (path, text) in sources("src") {
        if name(&path) {
            let code = code(&text);
            for word in forbidden {
                assert!(!code.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

fn is_named(path: &Path, names: &[&str]) -> bool {
    path.file_name().is_some_and(|name| names.iter().any(|known| name == *known))
}

#[test]
fn rules_know_no_database_no_http_and_no_time_of_day() {
    let is_rules = |path: &Path| {
        is_named(path, &["rules.rs", "allocation.rs", "money.rs", "quantity.rs"])
            || path.to_string_lossy().contains("/allocation/")
    };
    refuse(is_rules, &["sea_orm", "entity::", "poem", "redis", "tokio", "async ", "Utc::now", "SystemTime"]);
}

#[test]
fn stores_know_no_http_framework() {
    refuse(|path| is_named(path, &["store.rs"]), &["poem"]);
}

#[test]
fn endpoints_know_no_database() {
    refuse(|path| is_named(path, &["api.rs"]), &["sea_orm", "entity::", "store::", "db::"]);
}

#[test]
fn what_endpoints_share_imports_no_slice() {
    let slices = [
        "orders",
        "lots",
        "products",
        "deliveries",
        "settlement",
        "payments",
        "payouts",
        "ledger",
        "reports",
        "regions",
    ];
    for (path, text) in sources("src/http") {
        for slice in slices {
            assert!(!code(&text).contains(&format!("crate::{slice}")), "{} imports {slice}", path.display());
        }
    }
}

#[test]
fn no_path_prefix_holds_a_parameter() {
    for (path, text) in sources("src") {
        let mut prefixes = text.match_indices("prefix_path = \"").map(|(at, _)| &text[at + 15..]);
        assert!(prefixes.all(|rest| !rest.split('"').next().unwrap().contains(':')), "{}", path.display());
    }
}

#[test]
fn only_db_begins_transactions() {
    for (path, text) in sources("src") {
        if !is_named(&path, &["db.rs"]) {
            assert!(!code(&text).contains("begin_with_options"), "{}", path.display());
            assert!(!code(&text).contains("Database::connect"), "{}", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_fits_its_length() {
    for folder in ["src", "entity/src", "migration/src", "tests"] {
        for (path, text) in sources(folder) {
            assert!(text.starts_with("//! "), "{} does not say what it is for", path.display());
            let lines = code(&text).lines().count();
            assert!(lines <= 600, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for folder in ["src", "entity/src", "migration/src"] {
        for (path, text) in sources(folder) {
            for mark in ["todo!(", "unimplemented!(", "TODO", "FIXME", "#[ignore", "#[allow("] {
                assert!(!text.contains(mark), "{} holds {mark}", path.display());
            }
        }
    }
}
