//! Who is behind a token: a session that is neither over nor idle, or a key of an institution's own system.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::store::{self, PersonRow};
use crate::app::App;
use crate::id::secret_hash;
use crate::members::access::{Caller, Reach, RegionScope, Role, Scope};
use crate::members::api_keys;
use crate::refusal::{Failure, Outcome, Refusal};

/// That a session is in use is written down this often, so that a request seldom has to write.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// The caller behind a token; refused when it is unknown, expired, idle or revoked, or its owner is kept out.
pub async fn caller_of(app: &App, token: &str) -> Outcome<Caller> {
    if token.starts_with(api_keys::PREFIX) {
        return by_key(app, token).await;
    }
    let now = app.clock.now();
    let hash = secret_hash(token);
    let found = store::find_session(app.db.reader(), &hash, now, idle_since(app, now)).await?;
    let session = found.ok_or(Refusal::NotSignedIn)?;
    if session.last_used_at + USE_NOTED_EVERY <= now {
        note_use(app, session.session_id, now).await;
    }
    let unfinished = unfinished(app, &session, now)?;
    let reach = unfinished.map_or(Reach::Whole, Reach::Unfinished);
    caller(session.person, session.session_id, reach)
}

/// Sessions last used before this are idle. What was used within the minute before a note counts as used with it, so
/// that nobody is cut off early.
pub(super) fn idle_since(app: &App, now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::minutes(app.settings.session_idle_minutes) - USE_NOTED_EVERY
}

async fn by_key(app: &App, token: &str) -> Outcome<Caller> {
    let key = api_keys::in_use(app, token).await?.ok_or(Refusal::NotSignedIn)?;
    let person = store::person(app.db.reader(), key.principal_id).await?.ok_or(Refusal::NotSignedIn)?;
    caller(person, key.id, Reach::Scopes(key.scopes))
}

/// Notes that a session is in use. When that fails, the session ends a little early, and the request goes on.
async fn note_use(app: &App, session_id: Uuid, now: DateTime<Utc>) {
    let noted = app
        .db
        .write(|| async {
            let txn = app.db.begin().await?;
            store::note_use(&txn, session_id, now).await?;
            txn.commit(()).await
        })
        .await;
    if let Err(failure) = noted {
        tracing::warn!(%failure, "the use of a session could not be noted");
    }
}

/// What is still missing before a session reaches anything.
fn unfinished(app: &App, session: &store::SessionRow, now: DateTime<Utc>) -> Outcome<Option<Refusal>> {
    let role = role_of(&session.person)?;
    let days_max = app.settings.password_days_max;
    let is_old = days_max > 0
        && session.password_changed_at.is_some_and(|changed| changed + TimeDelta::days(days_max) <= now);
    if session.must_change_password || is_old {
        return Ok(Some(Refusal::PasswordExpired));
    }
    if app.settings.totp_required && role.needs_second_factor() && !session.has_second_factor {
        return Ok(Some(Refusal::SecondFactorMissing));
    }
    Ok(None)
}

fn caller(person: PersonRow, session_id: Uuid, reach: Reach) -> Outcome<Caller> {
    let role = role_of(&person)?;
    let misplaced = || Failure::Broken(format!("principal {} has no place", person.principal_id));
    let scope = match role {
        Role::Household => Scope::Household(person.household_id.ok_or_else(misplaced)?),
        Role::Helper => Scope::Helper(person.principal_id),
        Role::Buyer | Role::Approver => Scope::Institution(person.institution_id.ok_or_else(misplaced)?),
        Role::Officer | Role::Finance | Role::Auditor | Role::Security | Role::Admin => {
            Scope::Region(RegionScope::of(person.region_code.as_deref().ok_or_else(misplaced)?))
        }
    };
    Ok(Caller {
        principal_id: person.principal_id,
        session_id,
        account: person.account,
        display_name: person.display_name,
        role,
        scope,
        county_code: person.county_code,
        reach,
    })
}

fn role_of(person: &PersonRow) -> Outcome<Role> {
    Role::parse(&person.role).ok_or_else(|| unknown_role(&person.role))
}

pub(super) fn unknown_role(role: &str) -> Failure {
    Failure::Broken(format!("unknown role {role}"))
}
