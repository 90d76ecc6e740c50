//! Those who sign in. They are made on the command line by whoever runs the service; nobody makes themselves one.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::members::access::Role;
use crate::refusal::{Outcome, Refusal};
use crate::trail::{self, Actor, Event};

mod rules;
pub(crate) mod store;

pub use rules::{NewPrincipal, Place};

/// Makes a principal and answers its id.
///
/// Refused when the account exists, the password is too short or the role and its place do not fit.
pub async fn create(app: &App, actor: &Actor, new: NewPrincipal) -> Outcome<Uuid> {
    rules::check(&new)?;
    let password_hash = app.hashing.hash(&new.password).await?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let id = insert(app, &txn, actor, &new, &password_hash).await?;
            txn.commit(id).await
        })
        .await
}

/// Makes a principal inside an open transaction, with a password hashed before.
pub async fn insert(
    app: &App,
    txn: &WriteTxn,
    actor: &Actor,
    new: &NewPrincipal,
    password_hash: &str,
) -> Outcome<Uuid> {
    let now = app.clock.now();
    let id = app.ids.next(now);
    if !store::insert(txn, id, new, password_hash, now).await? {
        return Err(
            Refusal::Duplicate { detail: format!("the account {} exists already", new.account) }.into()
        );
    }
    let event = Event {
        county_code: new.county_code.clone(),
        household_id: None,
        action: "create_principal",
        subject_kind: "principal",
        subject_id: id,
        before: None,
        after: Some(serde_json::json!({ "account": told_account(new), "role": new.role.as_str() })),
    };
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(id)
}

/// Ends for good the sign-in of everybody of a household: no sessions, no account, no name. Answers how many there were.
pub async fn retire_of_household(txn: &WriteTxn, household_id: Uuid, now: DateTime<Utc>) -> Outcome<u64> {
    store::revoke_sessions_of_household(txn, household_id, now).await?;
    Ok(store::retire_of_household(txn, household_id).await?)
}

/// Households sign in by their phone, or whatever their helper made up from their name: the trail does without.
fn told_account(new: &NewPrincipal) -> Option<&str> {
    (new.role != Role::Household).then_some(new.account.as_str())
}
