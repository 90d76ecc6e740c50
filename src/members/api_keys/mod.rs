//! Keys that an institution's own systems send instead of a session's token. A key acts for the person who made it, for
//! what its scopes name and no longer than a year; it makes no keys and reaches nothing about people.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::clock::day_start;
use crate::db::WriteTxn;
use crate::id::{new_secret, secret_hash};
use crate::members::access::{Caller, Role};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Event};

pub mod api;
mod rules;
mod store;

pub use rules::Scope;
pub use store::Row as KeyView;

/// What every key begins with, so that it is known for one wherever it turns up.
pub const PREFIX: &str = "zxk_";

/// Live keys of one person at most.
const KEYS_MAX: i64 = 20;

const OWNERS: [Role; 2] = [Role::Buyer, Role::Approver];

/// A key that is to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: String,
    pub scopes: Vec<String>,
    /// The last day it is good for; a year from now when absent.
    pub last_on: Option<NaiveDate>,
}

/// A key and what it was made for. The key is shown once.
#[derive(Clone, Debug)]
pub struct MadeKey {
    pub key: String,
    pub view: KeyView,
}

/// A key in use, and whose it is.
#[derive(Clone, Debug)]
pub struct KeyInUse {
    pub id: Uuid,
    pub principal_id: Uuid,
    pub scopes: Vec<Scope>,
}

/// Makes a key. Refused for scopes there are not, for more than a year, and beyond [`KEYS_MAX`] keys.
pub async fn create(app: &App, caller: &Caller, new: &NewKey) -> Outcome<MadeKey> {
    caller.allow(&OWNERS)?;
    let now = app.clock.now();
    let scopes = rules::scopes(&new.scopes)?;
    let expires_at = expiry(new.last_on, now)?;
    let secret = new_secret().map_err(|error| Failure::Broken(error.to_string()))?;
    let key = format!("{PREFIX}{secret}");
    let view = KeyView {
        id: app.ids.next(now),
        name: new.name.clone(),
        scopes: rules::stored(&scopes),
        created_at: now,
        expires_at,
    };
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            if !store::insert(&txn, caller.principal_id, &view, &secret_hash(&key), KEYS_MAX).await? {
                let from = format!("{KEYS_MAX} keys strong");
                return Err(
                    Refusal::WrongState { what: "set of your keys", from, attempted: "add one" }.into()
                );
            }
            let mut event = event("create_api_key", caller, view.id);
            event.after = Some(serde_json::json!({ "scopes": view.scopes, "expires_at": view.expires_at }));
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await?;
    Ok(MadeKey { key, view })
}

/// The caller's live keys, newest first.
pub async fn list(app: &App, caller: &Caller) -> Outcome<Vec<KeyView>> {
    caller.allow(&OWNERS)?;
    Ok(store::list(app.db.reader(), caller.principal_id, app.clock.now(), KEYS_MAX).await?)
}

/// Ends one of the caller's keys.
pub async fn revoke(app: &App, caller: &Caller, id: Uuid) -> Outcome<()> {
    caller.allow(&OWNERS)?;
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            if !store::revoke(&txn, caller.principal_id, id, now).await? {
                return Err(Refusal::NotFound("key").into());
            }
            let event = event("delete_api_key", caller, id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await
}

/// Ends every key of a person inside an open transaction.
pub(crate) async fn revoke_all(txn: &WriteTxn, principal_id: Uuid, now: DateTime<Utc>) -> Outcome<u64> {
    Ok(store::revoke_all(txn, principal_id, now).await?)
}

/// The key behind a token, if it is one and in use.
pub async fn in_use(app: &App, token: &str) -> Outcome<Option<KeyInUse>> {
    let found = store::live(app.db.reader(), &secret_hash(token), app.clock.now()).await?;
    Ok(found.map(|live| KeyInUse {
        id: live.id,
        principal_id: live.principal_id,
        scopes: rules::read(&live.scopes),
    }))
}

fn expiry(last_on: Option<NaiveDate>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    let latest = now + rules::GOOD_FOR_MAX;
    let Some(last_on) = last_on else { return Ok(latest) };
    let ends = last_on.succ_opt().and_then(day_start);
    ends.filter(|ends| (now..=latest).contains(ends))
        .ok_or_else(|| Refusal::invalid("/last_on", "must lie within a year from today"))
}

fn event(action: &'static str, caller: &Caller, id: Uuid) -> Event {
    Event {
        county_code: caller.county_code.clone(),
        household_id: None,
        action,
        subject_kind: "api_key",
        subject_id: id,
        before: None,
        after: None,
    }
}
