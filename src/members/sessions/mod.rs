//! Signing in and out. A token is shown once; only its hash is stored. Unknown accounts, wrong passwords, wrong codes and
//! blocked people get one answer after the same work.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::edge::current_request_id;
use crate::id::{new_secret, secret_hash};
use crate::members::access::{Caller, Role};
use crate::members::households;
use crate::members::limits::{Limit, Limits, window};
use crate::members::one_time_codes::{self, Purpose};
use crate::members::second_factors::{self, Checked};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
mod callers;
mod store;

pub use callers::caller_of;
use store::PrincipalRow;

/// Live sessions of one person at most; the oldest ends when another begins.
const SESSIONS_MAX: u64 = 20;

/// A code is used up by wrong tries of its own; several codes make this many times as many.
const CODES: u64 = 2;

/// Failed sign-ins of one peer that the trail takes within a window; those beyond are still answered and counted.
const NOTED_MAX: u64 = 200;

/// Passwords longer than this are refused before any hashing.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// What somebody signs in with.
#[derive(Clone, Debug)]
pub enum Credentials {
    Password {
        account: String,
        password: String,
        /// Of the second factor, from those who have one.
        code: Option<String>,
    },
    OneTimeCode {
        phone: String,
        code: String,
    },
}

/// A fresh session and its token.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub session_id: Uuid,
    pub token: String,
    pub expires_at: DateTime<Utc>,
    pub role: Role,
}

/// One of the caller's own sessions.
#[derive(Clone, Debug)]
pub struct SessionView {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What a sign-in came to, before anything is answered.
struct Tried {
    /// Whoever the account or the phone belongs to.
    principal: Option<PrincipalRow>,
    is_right: bool,
}

/// Signs in with account and password, and a code of the second factor from those who have one; or with a phone and the
/// one-time code that was sent to it.
///
/// Refused with one and the same [`Refusal::SignInFailed`] for every reason, and with [`Refusal::TooManyAttempts`]
/// after too many failures for the account or from the peer.
pub async fn sign_in(app: &App, credentials: &Credentials, peer: &str) -> Outcome<SignedIn> {
    let limits = limits(app, credentials, peer);
    if let Err(refused) = limits.check(app).await {
        note_failure(app, None, "blocked", peer).await?;
        return Err(refused);
    }
    let tried = match credentials {
        Credentials::Password { account, password, code } => {
            by_password(app, account, password, code.as_deref()).await?
        }
        Credentials::OneTimeCode { phone, code } => by_code(app, phone, code).await?,
    };
    let Some(principal) = tried.principal.clone().filter(|principal| tried.is_right && principal.is_active)
    else {
        note_failure(app, tried.principal.as_ref(), "wrong", peer).await?;
        limits.count_failure(app).await?;
        return Err(Refusal::SignInFailed.into());
    };
    limits.check(app).await?;
    limits.forget(app).await;
    begin(app, &principal).await
}

/// For a password its account, for a code its phone, and for both the peer, behind which a whole office may sit.
fn limits(app: &App, credentials: &Credentials, peer: &str) -> Limits {
    let tries_max = app.settings.sign_in_tries_max;
    let own = match credentials {
        Credentials::Password { account, .. } => {
            Limit { counter: format!("sign_in:account:{}", secret_hash(account)), failures_max: tries_max }
        }
        Credentials::OneTimeCode { phone, .. } => {
            // However it is written, it is one phone.
            let phone = households::phone(phone).unwrap_or_default();
            let counter = format!("sign_in:phone:{}", secret_hash(&phone));
            Limit { counter, failures_max: tries_max.saturating_mul(CODES) }
        }
    };
    let of_peer =
        Limit { counter: format!("sign_in:peer:{peer}"), failures_max: app.settings.sign_in_peer_tries_max };
    Limits::new(vec![own, of_peer])
}

async fn by_password(app: &App, account: &str, password: &str, code: Option<&str>) -> Outcome<Tried> {
    let principal = store::find_principal(app.db.reader(), account).await?;
    let is_short = password.len() <= PASSWORD_BYTES_MAX;
    let stored = principal.as_ref().filter(|_| is_short).and_then(|known| known.password_hash.as_deref());
    let mut is_right = app.hashing.verify(if is_short { password } else { "" }, stored).await?;
    if let Some(known) = &principal {
        is_right &= match second_factors::check(app, known.id, code).await? {
            Checked::NotNeeded => true,
            Checked::Right { step } => is_right && use_step(app, known.id, step).await?,
            Checked::Wrong => false,
        };
    }
    Ok(Tried { principal, is_right })
}

async fn use_step(app: &App, principal_id: Uuid, step: i64) -> Outcome<bool> {
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let is_first = second_factors::use_step(&txn, principal_id, step).await?;
            txn.commit(is_first).await
        })
        .await
}

async fn by_code(app: &App, phone: &str, code: &str) -> Outcome<Tried> {
    let owner = one_time_codes::take(app, phone, Purpose::SignIn, code).await?;
    let principal = match owner {
        Some(id) => store::principal(app.db.reader(), id).await?,
        None => None,
    };
    Ok(Tried { is_right: principal.is_some(), principal })
}

async fn begin(app: &App, principal: &PrincipalRow) -> Outcome<SignedIn> {
    let role = Role::parse(&principal.role).ok_or_else(|| callers::unknown_role(&principal.role))?;
    let now = app.clock.now();
    let signed_in = SignedIn {
        session_id: app.ids.next(now),
        expires_at: now + TimeDelta::hours(app.settings.session_hours),
        token: new_secret().map_err(|error| Failure::Broken(error.to_string()))?,
        role,
    };
    let actor = actor(Some(principal.id), role.as_str());
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            store::insert_session(&txn, principal.id, &signed_in, &secret_hash(&signed_in.token), now)
                .await?;
            store::end_oldest(&txn, principal.id, SESSIONS_MAX, now).await?;
            let event =
                event("create_session", principal.county_code.clone(), "session", signed_in.session_id);
            trail::record(&txn, &app.ids, now, &actor, vec![event]).await?;
            txn.commit(()).await
        })
        .await?;
    Ok(signed_in)
}

/// The caller's own live sessions, newest first.
pub async fn list(app: &App, caller: &Caller) -> Outcome<Vec<SessionView>> {
    let now = app.clock.now();
    let idle_since = callers::idle_since(app, now);
    Ok(store::list_sessions(app.db.reader(), caller.principal_id, now, idle_since, SESSIONS_MAX).await?)
}

/// Ends one of the caller's own sessions.
pub async fn revoke(app: &App, caller: &Caller, session_id: Uuid) -> Outcome<()> {
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            if !store::revoke_session(&txn, caller.principal_id, session_id, now).await? {
                return Err(Refusal::NotFound("session").into());
            }
            let event = event("delete_session", caller.county_code.clone(), "session", session_id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await
}

/// Ends every session of the caller, this one too, and answers how many.
pub async fn revoke_all(app: &App, caller: &Caller) -> Outcome<u64> {
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let ended = end_others(&txn, caller.principal_id, None, now).await?;
            let event =
                event("delete_all_sessions", caller.county_code.clone(), "principal", caller.principal_id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(ended).await
        })
        .await
}

/// Ends the sessions of somebody but `kept`, inside an open transaction.
pub async fn end_others(
    txn: &WriteTxn,
    principal_id: Uuid,
    kept: Option<Uuid>,
    now: DateTime<Utc>,
) -> Outcome<u64> {
    Ok(store::revoke_others(txn, principal_id, kept.unwrap_or(Uuid::nil()), now).await?)
}

/// Leaves a failed sign-in in the trail: who it was about if anybody, and where it came from. Never what was typed.
async fn note_failure(
    app: &App,
    principal: Option<&PrincipalRow>,
    reason: &'static str,
    peer: &str,
) -> Outcome<()> {
    if app.cache.count(&format!("sign_in:noted:{peer}"), window(app)).await > NOTED_MAX {
        return Ok(());
    }
    let now = app.clock.now();
    let county_code = principal.and_then(|known| known.county_code.clone());
    let about = principal.map_or(Uuid::nil(), |known| known.id);
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let mut event = event("fail_sign_in", county_code.clone(), "principal", about);
            event.after = Some(serde_json::json!({ "reason": reason }));
            trail::record(&txn, &app.ids, now, &actor(None, "nobody"), vec![event]).await?;
            txn.commit(()).await
        })
        .await
}

fn actor(principal_id: Option<Uuid>, role: &'static str) -> Actor {
    Actor { principal_id, role, request_id: current_request_id(), peer: crate::http::peer::current_peer() }
}

fn event(
    action: &'static str,
    county_code: Option<String>,
    subject_kind: &'static str,
    subject_id: Uuid,
) -> Event {
    Event { county_code, household_id: None, action, subject_kind, subject_id, before: None, after: None }
}
