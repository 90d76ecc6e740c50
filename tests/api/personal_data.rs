//! The specification of personal data: sealed at rest, masked in every answer, shown in the clear only for a reason, to
//! whom it is about, or to whom an open delivery needs it. The numbers here are of people born in 1800 and of phones that
//! no network has.

mod erasure;
mod export;
mod find;
mod masks;
mod public;
mod reveal;

use serde_json::{Value, json};
use zhuxiao::members::access::Role;

use crate::support::{Person, VILLAGES, World};

/// Of one who was born on the first day of 1800, in the county.
pub const NUMBER: &str = "341823180001010015";
pub const OTHER_NUMBER: &str = "341823180001010023";
pub const MASKED_NUMBER: &str = "341823********0015";
pub const PHONE: &str = "12900000001";
pub const ACCOUNT: &str = "0000000000000012345";
pub const ADDRESS: &str = "示范组虚构路1号";
pub const NAME: &str = "仲虚妮";

/// What must not be anywhere in the clear.
pub const SECRETS: [&str; 4] = [NUMBER, PHONE, ACCOUNT, ADDRESS];

pub fn new_household() -> Value {
    json!({
        "village": VILLAGES[0], "head_name": NAME, "status": "registered", "identity_number": NUMBER,
        "phone": PHONE, "bank_account": ACCOUNT, "address": ADDRESS, "external_ref": "泾-001",
    })
}

/// A household with everything personal there is, and its officer.
pub async fn with_household() -> (World, Person, String) {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    // Ids of one millisecond have no order among them.
    world.clock.advance(chrono::TimeDelta::milliseconds(1));
    let id = made(&world, &officer, new_household()).await;
    (world, officer, id)
}

pub async fn made(world: &World, officer: &Person, body: Value) -> String {
    world.post(officer, "/v1/households", body).await.created()["id"].as_str().unwrap().to_owned()
}

/// The trail as an auditor reads it, newest first.
pub async fn events(world: &World, action: &str) -> Vec<Value> {
    let auditor = world.official(Role::Auditor).await;
    let items = world.get(&auditor, "/v1/audit_events?limit=200").await.ok()["items"].clone();
    items.as_array().unwrap().iter().filter(|event| event["action"] == action).cloned().collect()
}

/// Every text of every table, for tests that search below the API.
pub async fn stored_texts(world: &World) -> Vec<String> {
    use sea_orm::ConnectionTrait;

    let connection = sea_orm::Database::connect(world.database_url()).await.unwrap();
    let backend = connection.get_database_backend();
    let statement = |sql: String| sea_orm::Statement::from_string(backend, sql);
    let tables = if backend == sea_orm::DbBackend::Postgres {
        "select table_name as name from information_schema.tables where table_schema = current_schema()"
    } else {
        "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
    };
    let mut texts = Vec::new();
    for table in connection.query_all_raw(statement(tables.to_owned())).await.unwrap() {
        let table: String = table.try_get("", "name").unwrap();
        let columns = if backend == sea_orm::DbBackend::Postgres {
            format!("select row_to_json(one)::text as line from {table} as one")
        } else {
            let named = format!("select name from pragma_table_info('{table}')");
            let named = connection.query_all_raw(statement(named)).await.unwrap();
            let named = named.iter().map(|row| row.try_get::<String>("", "name").unwrap());
            let joined = named.map(|name| format!("coalesce(cast(\"{name}\" as text), '')"));
            format!("select {} as line from {table}", joined.collect::<Vec<_>>().join(" || '|' || "))
        };
        for row in connection.query_all_raw(statement(columns)).await.unwrap() {
            // Ids are bytes on SQLite and need not be text.
            texts.extend(row.try_get::<Option<String>>("", "line").ok().flatten());
        }
    }
    assert!(texts.len() > 5);
    texts
}
