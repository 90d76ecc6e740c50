//! A request that moves stock or money takes effect at most once per `Idempotency-Key` and caller: its answer is
//! stored beside its effect, in the same transaction. This file never runs a request outside such a transaction.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::app::App;
use crate::db::{self, Change, Committed, WriteTxn};
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

/// As [`commit`], and sends `changes` together with the answer, each with the number of rows it must change. When one
/// changes another number, the race for them was lost and all is rolled back.
pub async fn commit_with<T: Serialize>(
    txn: WriteTxn,
    changes: Vec<(Change, u64)>,
    key: &Key,
    now: DateTime<Utc>,
    value: T,
) -> Outcome<Committed<Kept<T>>> {
    let (mut changes, expected): (Vec<Change>, Vec<u64>) = changes.into_iter().unzip();
    changes.push(keeping(key, &value, now)?);
    let mut counts = db::change_together(&txn, changes).await?;
    if counts.pop() != Some(1) {
        return Err(Refusal::IdempotencyKeyInFlight.into());
    }
    if counts != expected {
        return Err(Failure::LostRace);
    }
    txn.commit(Kept(value)).await
}

/// As [`commit_with`], in a transaction of its own that nothing else is done in.
pub async fn commit_at_once<T: Serialize>(
    app: &App,
    mut changes: Vec<(Change, u64)>,
    key: &Key,
    now: DateTime<Utc>,
    value: T,
) -> Outcome<Committed<Kept<T>>> {
    changes.push((keeping(key, &value, now)?, 1));
    match app.db.write_at_once(changes, Kept(value)).await? {
        Ok(committed) => Ok(committed),
        Err(counts) if counts.last() == Some(&1) => Err(Failure::LostRace),
        Err(_) => Err(Refusal::IdempotencyKeyInFlight.into()),
    }
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
fn keeping<T: Serialize>(key: &Key, value: &T, now: DateTime<Utc>) -> Outcome<Change> {
    let response = serde_json::to_string(value).map_err(|error| Failure::Broken(error.to_string()))?;
    let sql = "insert into idempotency_key (principal_id, key, fingerprint, response, created_at)
               values ($1, $2, $3, $4, $5) on conflict (principal_id, key) do nothing";
    let values = vec![
        key.principal_id.into(),
        key.key.clone().into(),
        key.fingerprint.clone().into(),
        response.into(),
        now.into(),
    ];
    Ok(Change { sql: sql.to_owned(), values })
}

fn replay<T: DeserializeOwned>(key: &Key, stored: &Stored) -> Outcome<Once<T>> {
    if stored.fingerprint != key.fingerprint {
        return Err(Refusal::IdempotencyKeyReused.into());
    }
    let value = serde_json::from_str(&stored.response).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Once { value, is_replay: true })
}
