//! Signing in and out. A token is shown once; only its hash is stored. Unknown accounts, wrong passwords and blocked
//! people get one answer after the same work.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::id::{new_secret, secret_hash};
use crate::members::access::{Caller, RegionScope, Role, Scope};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
mod store;

/// Sessions listed at most; older ones have long expired.
const SESSIONS_LISTED_MAX: u64 = 100;

/// Passwords longer than this are refused before any hashing.
const PASSWORD_BYTES_MAX: usize = 1_024;

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
    pub expires_at: DateTime<Utc>,
}

/// Signs in with account and password.
///
/// Refused with one and the same [`Refusal::SignInFailed`] for every reason, and with [`Refusal::TooManyAttempts`]
/// after too many failures for the account or from the peer.
pub async fn sign_in(app: &App, account: &str, password: &str, peer: &str) -> Outcome<SignedIn> {
    let limits = limits(app, account, peer);
    refuse_when_over(app, &limits).await?;
    let found = store::find_principal(app.db.reader(), account).await?;
    let is_short = password.len() <= PASSWORD_BYTES_MAX;
    let stored = found.as_ref().filter(|_| is_short).map(|principal| principal.password_hash.as_str());
    let matches = app.hashing.verify(if is_short { password } else { "" }, stored).await?;
    let Some(principal) = found.filter(|principal| matches && principal.is_active) else {
        count_failure(app, &limits).await;
        return Err(Refusal::SignInFailed.into());
    };
    app.cache.forget_count(&limits[0].counter).await;
    let role = Role::parse(&principal.role).ok_or_else(|| unknown_role(&principal.role))?;
    let now = app.clock.now();
    let token = new_secret().map_err(|error| Failure::Broken(error.to_string()))?;
    let signed_in = SignedIn {
        session_id: app.ids.next(now),
        expires_at: now + TimeDelta::hours(app.settings.session_hours),
        token,
        role,
    };
    let actor = Actor {
        principal_id: Some(principal.id),
        role: role.as_str(),
        request_id: crate::http::edge::current_request_id(),
    };
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            store::insert_session(&txn, principal.id, &signed_in, &secret_hash(&signed_in.token), now)
                .await?;
            let event = session_event("create_session", principal.county_code.clone(), signed_in.session_id);
            trail::record(&txn, &app.ids, now, &actor, vec![event]).await?;
            txn.commit(()).await
        })
        .await?;
    Ok(signed_in)
}

/// The caller behind a token; refused when it is unknown, expired, revoked or its owner is blocked.
pub async fn caller_of(app: &App, token: &str) -> Outcome<Caller> {
    let found = store::find_session(app.db.reader(), &secret_hash(token), app.clock.now()).await?;
    let session = found.ok_or(Refusal::NotSignedIn)?;
    let role = Role::parse(&session.role).ok_or_else(|| unknown_role(&session.role))?;
    let misplaced = || Failure::Broken(format!("principal {} has no place", session.principal_id));
    let scope = match role {
        Role::Household => Scope::Household(session.household_id.ok_or_else(misplaced)?),
        Role::Helper => Scope::Helper(session.principal_id),
        Role::Buyer | Role::Approver => Scope::Institution(session.institution_id.ok_or_else(misplaced)?),
        Role::Officer | Role::Finance | Role::Auditor | Role::Admin => {
            Scope::Region(RegionScope::of(session.region_code.as_deref().ok_or_else(misplaced)?))
        }
    };
    Ok(Caller {
        principal_id: session.principal_id,
        session_id: session.session_id,
        account: session.account,
        display_name: session.display_name,
        role,
        scope,
        county_code: session.county_code,
    })
}

/// The caller's own live sessions, newest first.
pub async fn list(app: &App, caller: &Caller) -> Outcome<Vec<SessionView>> {
    Ok(store::list_sessions(app.db.reader(), caller.principal_id, app.clock.now(), SESSIONS_LISTED_MAX)
        .await?)
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
            let event = session_event("delete_session", caller.county_code.clone(), session_id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await
}

/// How many failures something may have within the window.
struct Limit {
    counter: String,
    failures_max: u64,
}

/// Per account, and twenty times as many per peer, behind which a whole office may sit.
fn limits(app: &App, account: &str, peer: &str) -> [Limit; 2] {
    let failures_max = app.settings.sign_in_tries_max;
    [
        Limit { counter: format!("sign_in:account:{}", secret_hash(account)), failures_max },
        Limit { counter: format!("sign_in:peer:{peer}"), failures_max: failures_max.saturating_mul(20) },
    ]
}

async fn refuse_when_over(app: &App, limits: &[Limit]) -> Outcome<()> {
    for limit in limits {
        if app.cache.counted(&limit.counter).await >= limit.failures_max {
            let retry_after_seconds = app.settings.sign_in_window_seconds;
            return Err(Refusal::TooManyAttempts { retry_after_seconds }.into());
        }
    }
    Ok(())
}

async fn count_failure(app: &App, limits: &[Limit]) {
    let window = Duration::from_secs(app.settings.sign_in_window_seconds);
    for limit in limits {
        app.cache.count(&limit.counter, window).await;
    }
}

fn session_event(action: &'static str, county_code: Option<String>, session_id: Uuid) -> Event {
    Event {
        county_code,
        household_id: None,
        action,
        subject_kind: "session",
        subject_id: session_id,
        before: None,
        after: None,
    }
}

fn unknown_role(role: &str) -> Failure {
    Failure::Broken(format!("unknown role {role}"))
}
