//! Changing a password, and asking for it again before something that matters.

use crate::app::App;
use crate::members::access::Caller;
use crate::members::limits::{Limit, Limits};
use crate::members::password_policy::{self, Policy};
use crate::members::sealed::Sealed;
use crate::members::sessions;
use crate::refusal::{Outcome, Refusal};
use crate::trail;

use super::store;

/// Refuses a password that the policy of this service does not take.
pub(super) fn check_new(app: &App, password: &str, own: &[&str], pointer: &str) -> Result<(), Refusal> {
    let policy =
        Policy { chars_min: app.settings.password_chars_min, kinds_min: app.settings.password_kinds_min };
    password_policy::check(policy, password, own, pointer)
}

/// Refuses, at `pointer`, a password that is not the caller's. Failures are counted as failed sign-ins are.
pub async fn check_password(app: &App, caller: &Caller, password: &str, pointer: &str) -> Outcome<()> {
    checked(app, caller, password, pointer).await.map(|_| ())
}

/// Puts a new password in place of the caller's and ends every other session of theirs.
pub async fn change_password(app: &App, caller: &Caller, current: &str, new: &str) -> Outcome<()> {
    let stored = checked(app, caller, current, "/current_password").await?;
    let phone = stored.phone_sealed.as_ref();
    let phone =
        phone.map(|sealed| app.keys.open(Sealed::PrincipalPhone, caller.principal_id, sealed)).transpose()?;
    let own = [
        caller.account.as_str(),
        caller.display_name.as_str(),
        phone.as_deref().unwrap_or(""),
        stored.institution_name.as_deref().unwrap_or(""),
    ];
    check_new(app, new, &own, "/new_password")?;
    if current == new {
        return Err(Refusal::invalid("/new_password", "is the one you have (新密码不得与原密码相同)").into());
    }
    let hash = app.hashing.hash(new).await?;
    let before = stored.password_hash.unwrap_or_default();
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            if !store::set_password(&txn, caller.principal_id, &hash, &before, now).await? {
                return Err(Refusal::Stale.into());
            }
            sessions::end_others(&txn, caller.principal_id, Some(caller.session_id), now).await?;
            let event = super::event("change_password", caller.county_code.clone(), caller.principal_id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await
}

async fn checked(app: &App, caller: &Caller, password: &str, pointer: &str) -> Outcome<store::PasswordRow> {
    let counter = format!("password:{}", caller.principal_id);
    let limits = Limits::new(vec![Limit { counter, failures_max: app.settings.sign_in_tries_max }]);
    limits.check(app).await?;
    let stored = store::password(app.db.reader(), caller.principal_id).await?;
    let stored = stored.ok_or(Refusal::NotSignedIn)?;
    if !app.hashing.verify(password, stored.password_hash.as_deref()).await? {
        limits.count_failure(app).await?;
        return Err(Refusal::invalid(pointer, "is not your password (原密码不正确)").into());
    }
    limits.check(app).await?;
    limits.forget(app).await;
    Ok(stored)
}
