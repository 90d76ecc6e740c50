//! A request that moves stock or money takes effect at most once per `Idempotency-Key` and caller: its answer is
//! stored beside its effect, in the same transaction. This file never runs a request outside such a transaction.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::{self, Change, Committed, WriteTxn, Written};
use crate::refusal::{Failure, Outcome, Refusal};

/// Answers are kept this long; after it a key may be used anew.
pub const KEPT_DAYS: i64 = 7;

/// Answers forgotten at a time.
const FORGOTTEN_MAX: i64 = 1_000;

/// Who sent which request under which key.
#[derive(Clone, Debug)]
pub struct Key {
    pub principal_id: Uuid,
    pub key: String,
    /// Hash of the operation and the body: the same key with another request is refused.
    pub fingerprint: String,
}

/// The answer of an operation, and whether it is the stored one of an earlier request.
#[derive(Clone, Debug)]
pub struct Once<T> {
    pub value: T,
    pub is_replay: bool,
}

/// An answer that is stored under its key.
#[derive(Debug)]
pub struct Kept<T>(T);

/// The keys this process is working on.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Mutex<HashSet<(Uuid, String)>>>);

/// Removes its key when the request ends, however it ends.
struct Claim<'a> {
    in_flight: &'a InFlight,
    key: (Uuid, String),
}

impl InFlight {
    fn claim(&self, key: &Key) -> Result<Claim<'_>, Refusal> {
        let pair = (key.principal_id, key.key.clone());
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pair.clone());
        if is_new { Ok(Claim { in_flight: self, key: pair }) } else { Err(Refusal::IdempotencyKeyInFlight) }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Runs `work`, which begins a transaction and ends it with [`commit`]. When something is stored under `key` already,
/// the effect is rolled back, or was refused as it came too late, and the stored answer is given: a first request, which
/// most are, does not look for it.
///
/// Refused with [`Refusal::IdempotencyKeyReused`] when the key was used for another request, and with
/// [`Refusal::IdempotencyKeyInFlight`] while this process works on it.
pub async fn once<T: DeserializeOwned, W: Future<Output = Outcome<Committed<Kept<T>>>>>(
    app: &App,
    key: &Key,
    work: impl Fn() -> W,
) -> Outcome<Once<T>> {
    let _claim = app.in_flight.claim(key)?;
    match app.db.write(work).await {
        Ok(Kept(value)) => Ok(Once { value, is_replay: false }),
        // What was done under the key may be why it cannot be done again.
        Err(Failure::Refused(refusal)) => match find(app.db.reader(), key).await? {
            Some(stored) => replay(key, &stored),
            None => Err(refusal.into()),
        },
        Err(failure) => Err(failure),
    }
}

/// Stores the answer under the key and commits. Refused, and rolled back, when another process was first.
pub async fn commit<T: Serialize>(
    txn: WriteTxn,
    key: &Key,
    now: DateTime<Utc>,
    value: T,
) -> Outcome<Committed<Kept<T>>> {
    commit_with(txn, Vec::new(), key, now, value).await
}

/// As [`commit`], and sends `changes` together with the answer. When one changes another number of rows than it must, the
/// race for them was lost and all is rolled back.
pub async fn commit_with<T: Serialize>(
    txn: WriteTxn,
    mut changes: Vec<Change>,
    key: &Key,
    now: DateTime<Utc>,
    value: T,
) -> Outcome<Committed<Kept<T>>> {
    let last = changes.len();
    changes.push(keeping(txn.get_database_backend(), key, &value, now)?);
    match db::change_together(&txn, changes).await? {
        Written::All => txn.commit(Kept(value)).await,
        Written::Nothing { missed } => Err(why_nothing(missed == last)),
    }
}

/// As [`commit_with`], in a transaction of its own that nothing else is done in.
pub async fn commit_at_once<T: Serialize>(
    app: &App,
    mut changes: Vec<Change>,
    key: &Key,
    now: DateTime<Utc>,
    value: T,
) -> Outcome<Committed<Kept<T>>> {
    let last = changes.len();
    changes.push(keeping(app.db.backend(), key, &value, now)?);
    app.db.write_at_once(changes, Kept(value)).await?.map_err(|missed| why_nothing(missed == last))
}

/// When only the answer could not be kept, somebody else has one under the key.
fn why_nothing(is_answer: bool) -> Failure {
    if is_answer { Refusal::IdempotencyKeyInFlight.into() } else { Failure::LostRace }
}

/// Forgets answers older than [`KEPT_DAYS`], a bounded number at a time.
pub async fn forget_old(app: &App) -> Outcome<u64> {
    let before = app.clock.now() - TimeDelta::days(KEPT_DAYS);
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let forgotten = db::change(
                &txn,
                "delete from idempotency_key where (principal_id, key) in
                   (select principal_id, key from idempotency_key where created_at < $1 limit $2)",
                [before.into(), FORGOTTEN_MAX.into()],
            )
            .await?;
            txn.commit(forgotten).await
        })
        .await
}

#[derive(FromQueryResult)]
struct Stored {
    fingerprint: String,
    response: String,
}

async fn find(connection: &impl ConnectionTrait, key: &Key) -> Result<Option<Stored>, DbErr> {
    let sql = "select fingerprint, response from idempotency_key where principal_id = $1 and key = $2";
    db::row(connection, sql, [key.principal_id.into(), key.key.clone().into()]).await
}

/// Adds one row, or none when the key has been used.
fn keeping<T: Serialize>(backend: DbBackend, key: &Key, value: &T, now: DateTime<Utc>) -> Outcome<Change> {
    use db::ColumnType::{Text, Time, Uuid as Id};

    let response = serde_json::to_string(value).map_err(|error| Failure::Broken(error.to_string()))?;
    let columns = [
        ("principal_id", Id),
        ("key", Text),
        ("fingerprint", Text),
        ("response", Text),
        ("created_at", Time),
    ];
    let row = vec![
        db::set_id(key.principal_id),
        json!(key.key),
        json!(key.fingerprint),
        json!(response),
        db::set_time(now),
    ];
    // `where true`: without it SQLite takes `on` for the condition of a join.
    let sql = format!(
        "insert into idempotency_key (principal_id, key, fingerprint, response, created_at)
         select principal_id, key, fingerprint, response, created_at from ({}) as kept where true
         on conflict (principal_id, key) do nothing",
        db::set_rows(backend, "$1", &columns)
    );
    Ok(Change::adding(sql, vec![row]))
}

fn replay<T: DeserializeOwned>(key: &Key, stored: &Stored) -> Outcome<Once<T>> {
    if stored.fingerprint != key.fingerprint {
        return Err(Refusal::IdempotencyKeyReused.into());
    }
    let value = serde_json::from_str(&stored.response).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Once { value, is_replay: true })
}
