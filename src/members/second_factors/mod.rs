//! The second factor of those who sign in with a password: codes of an authenticator app. Officers, finance, auditors and
//! administrators need one (`totp_required`); until it is in force their sessions reach nothing but what sets it up.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::members::access::Caller;
use crate::members::limits::{Limit, Limits};
use crate::members::principals;
use crate::members::sealed::Sealed;
use crate::members::sessions;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Event};

pub mod api;
mod rules;
mod store;

/// The name that apps show beside the account.
const ISSUER: &str = "Zhuxiao 助销";

/// A secret that was just made. Shown once.
#[derive(Clone, Debug)]
pub struct NewFactor {
    /// In base32, to be typed.
    pub secret: String,
    /// To be shown as a picture.
    pub uri: String,
}

/// The step that a code stands for, to be used up by [`use_step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// There is no second factor in force.
    NotNeeded,
    Right {
        step: i64,
    },
    Wrong,
}

/// Compares a code with the second factor in force. Nothing is used up yet.
pub async fn check(app: &App, principal_id: Uuid, code: Option<&str>) -> Outcome<Checked> {
    let Some(row) =
        store::find(app.db.reader(), principal_id).await?.filter(|row| row.confirmed_at.is_some())
    else {
        return Ok(Checked::NotNeeded);
    };
    let step = step_of(app, principal_id, &row, code.unwrap_or(""))?;
    Ok(step.map_or(Checked::Wrong, |step| Checked::Right { step }))
}

/// Uses up the code of a step inside an open transaction; `false` when somebody was faster.
pub async fn use_step(txn: &WriteTxn, principal_id: Uuid, step: i64) -> Outcome<bool> {
    Ok(store::use_step(txn, principal_id, step).await?)
}

/// Makes a secret, which is in force once [`confirm`] has seen a code of it. Needs the password again, and a code of the
/// second factor that is in force already.
pub async fn begin(app: &App, caller: &Caller, password: &str, code: Option<&str>) -> Outcome<NewFactor> {
    principals::check_password(app, caller, password, "/password").await?;
    let counter = format!("second_factor:{}", caller.principal_id);
    let limits = Limits::new(vec![Limit { counter, failures_max: app.settings.sign_in_tries_max }]);
    limits.check(app).await?;
    let checked = check(app, caller.principal_id, code).await?;
    if checked == Checked::Wrong {
        limits.count_failure(app).await?;
        return Err(wrong_code().into());
    }
    limits.check(app).await?;
    let mut secret = [0_u8; rules::SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| Failure::Broken(error.to_string()))?;
    let sealed = app.keys.seal(Sealed::SecondFactorSecret, caller.principal_id, &hex::encode(secret))?;
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let (is_first, may_replace) = match checked {
                Checked::Right { step } => (use_step(&txn, caller.principal_id, step).await?, true),
                // Without a code only what is not in force is replaced, whatever was confirmed meanwhile.
                Checked::NotNeeded | Checked::Wrong => (true, false),
            };
            if !is_first || !store::replace(&txn, caller.principal_id, &sealed, may_replace, now).await? {
                return Err(wrong_code().into());
            }
            let event = event("begin_second_factor", caller.county_code.clone(), caller.principal_id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await?;
    Ok(NewFactor { secret: rules::base32(&secret), uri: rules::key_uri(ISSUER, &caller.account, &secret) })
}

/// Puts a secret in force, once its first code is right, and ends every other session of the caller.
pub async fn confirm(app: &App, caller: &Caller, code: &str) -> Outcome<()> {
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let row = store::find(&txn, caller.principal_id).await?;
            let (what, attempted) = ("second factor", "confirm");
            let refused = |from: &str| Refusal::WrongState { what, from: from.to_owned(), attempted };
            let row = row.ok_or_else(|| refused("not set up"))?;
            if row.confirmed_at.is_some() {
                return Err(refused("in force").into());
            }
            let step = step_of(app, caller.principal_id, &row, code)?;
            let step = step.ok_or_else(wrong_code)?;
            let is_first = store::use_step(&txn, caller.principal_id, step).await?
                && store::confirm(&txn, caller.principal_id, now).await?;
            if !is_first {
                return Err(Failure::LostRace);
            }
            sessions::end_others(&txn, caller.principal_id, Some(caller.session_id), now).await?;
            let event = event("confirm_second_factor", caller.county_code.clone(), caller.principal_id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await
}

/// Takes the second factor away inside an open transaction, for somebody who lost it; `false` when there was none.
pub(crate) async fn remove(txn: &WriteTxn, principal_id: Uuid) -> Outcome<bool> {
    Ok(store::remove(txn, principal_id).await?)
}

fn wrong_code() -> Refusal {
    Refusal::invalid("/code", "is not the present code of your app")
}

fn step_of(app: &App, principal_id: Uuid, row: &store::Row, code: &str) -> Outcome<Option<i64>> {
    let secret = app.keys.open(Sealed::SecondFactorSecret, principal_id, &row.secret_sealed)?;
    let secret = hex::decode(secret).map_err(|error| Failure::Broken(error.to_string()))?;
    let at: DateTime<Utc> = app.clock.now();
    Ok(rules::step_of(&secret, code, at.timestamp(), row.last_step))
}

fn event(action: &'static str, county_code: Option<String>, principal_id: Uuid) -> Event {
    Event {
        county_code,
        household_id: None,
        action,
        subject_kind: "principal",
        subject_id: principal_id,
        before: None,
        after: None,
    }
}
