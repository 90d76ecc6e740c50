//! The audit trail: who wrote what, for whom, from where, before and after, in the transaction of the write itself.
//! Rows are only added. Personal data in the clear never goes into `before` or `after`.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::db::{self, Change, WriteTxn};
use crate::id::Ids;

pub mod chain;

/// Who acts: a signed-in person, or the service itself (sweeper, import on the command line).
#[derive(Clone, Debug)]
pub struct Actor {
    pub principal_id: Option<Uuid>,
    pub role: &'static str,
    pub request_id: Option<String>,
    /// The address the request came from.
    pub peer: Option<String>,
}

impl Actor {
    /// The service acting by itself.
    #[must_use]
    pub const fn service(role: &'static str) -> Self {
        Self { principal_id: None, role, request_id: None, peer: None }
    }
}

/// One thing that was written.
#[derive(Clone, Debug)]
pub struct Event {
    pub county_code: Option<String>,
    /// The household on whose behalf it was written, if any.
    pub household_id: Option<Uuid>,
    /// The operation, such as `place_order`.
    pub action: &'static str,
    /// The table, such as `purchase_order`, and the row in it.
    pub subject_kind: &'static str,
    pub subject_id: Uuid,
    pub before: Option<Json>,
    pub after: Option<Json>,
}

/// Adds events to the trail in one statement, whatever their number.
pub async fn record(
    txn: &WriteTxn,
    ids: &Ids,
    now: DateTime<Utc>,
    actor: &Actor,
    events: Vec<Event>,
) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    addition(txn.get_database_backend(), ids, now, actor, events).send(txn).await?;
    Ok(())
}

/// The statement that adds events, for a transaction that sends it together with others.
#[must_use]
pub fn addition(
    backend: DbBackend,
    ids: &Ids,
    now: DateTime<Utc>,
    actor: &Actor,
    events: Vec<Event>,
) -> Change {
    use db::ColumnType::{Text, Time, Uuid as Id};

    let rows = events.into_iter().map(|event| {
        vec![
            db::set_id(ids.next(now)),
            json!(event.county_code),
            db::set_time(now),
            actor.principal_id.map_or(Json::Null, db::set_id),
            json!(actor.role),
            event.household_id.map_or(Json::Null, db::set_id),
            json!(event.action),
            json!(event.subject_kind),
            db::set_id(event.subject_id),
            json!(event.before.map(|before| before.to_string())),
            json!(event.after.map(|after| after.to_string())),
            json!(actor.request_id),
            json!(actor.peer),
        ]
    });
    let columns = [
        ("id", Id),
        ("county_code", Text),
        ("at", Time),
        ("actor_id", Id),
        ("actor_role", Text),
        ("household_id", Id),
        ("action", Text),
        ("subject_kind", Text),
        ("subject_id", Id),
        ("before_text", Text),
        ("after_text", Text),
        ("request_id", Text),
        ("peer", Text),
    ];
    let json = if backend == DbBackend::Postgres { "::jsonb" } else { "" };
    let sql = format!(
        "insert into audit_event (id, county_code, at, actor_id, actor_role, household_id, action, subject_kind,
                                  subject_id, before_json, after_json, request_id, peer)
         select id, county_code, at, actor_id, actor_role, household_id, action, subject_kind, subject_id,
                before_text{json}, after_text{json}, request_id, peer
         from ({}) as event",
        db::set_rows(backend, "$1", &columns)
    );
    Change::adding(sql, rows.collect())
}
