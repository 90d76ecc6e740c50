//! One-time codes: six digits sent to a phone, good for five minutes, once, and for one purpose. A phone that belongs to
//! nobody gets the same answer, after the same work, and no message.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::http::peer::current_peer;
use crate::members::access::{Caller, Role};
use crate::members::households;
use crate::members::limits;
use crate::members::sealed::{Fingerprint, Sealed};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
mod rules;
pub mod sms;
mod store;

pub use rules::Purpose;

use sms::Message;

/// Draws for one code; that all of them are unfair happens less than once in a universe.
const DRAWS: usize = 8;

/// Messages that one peer may ask for within a window of failed sign-ins.
const PEER_CODES_MAX: u64 = 20;

/// Codes forgotten by one sweep.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

/// Codes that ended are kept so long.
const KEPT: TimeDelta = TimeDelta::days(1);

/// A code was sent, if the phone is somebody's.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub expires_in_seconds: i64,
    pub next_in_seconds: i64,
}

/// Sends a code to the person who signs in with a phone.
///
/// Refused when a code was asked for a moment ago, or too many from this peer, and when no messages can be sent at all.
pub async fn send(app: &App, phone: &str, purpose: Purpose, peer: &str) -> Outcome<Sent> {
    let phone = households::phone(phone).map_err(|reason| Refusal::invalid("/phone", reason))?;
    if app.sms.is_missing() {
        return Err(Refusal::SettingMissing { setting: "ZHUXIAO_SMS_URL" }.into());
    }
    refuse_flood(app, peer).await?;
    let now = app.clock.now();
    let code = draw()?;
    let id = app.ids.next(now);
    let new = store::NewCode {
        id,
        phone_fingerprint: app.keys.fingerprint(Fingerprint::SignInPhone, &phone)?,
        purpose,
        code_fingerprint: app.keys.fingerprint(Fingerprint::OneTimeCode, &format!("{id}:{code}"))?,
        created_at: now,
        expires_at: now + rules::GOOD_FOR,
    };
    let owner = store::owner(app.db.reader(), &new.phone_fingerprint).await?;
    let event = asked_for(owner.as_ref(), purpose);
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            if !store::replace(&txn, &new).await? {
                let made_at = store::made_at(&txn, &new.phone_fingerprint).await?.unwrap_or(now);
                return Err(too_soon(made_at, now));
            }
            trail::record(&txn, &app.ids, now, &nobody(), vec![event.clone()]).await?;
            txn.commit(()).await
        })
        .await?;
    if owner.is_some() {
        app.sms.send(Message { phone, text: purpose.text(&code) });
    }
    Ok(Sent {
        expires_in_seconds: rules::GOOD_FOR.num_seconds(),
        next_in_seconds: rules::PAUSE.num_seconds(),
    })
}

/// Uses up the code of a phone for a purpose and answers whose phone it is; nothing when the code is not right.
pub async fn take(app: &App, phone: &str, purpose: Purpose, code: &str) -> Outcome<Option<Uuid>> {
    let Ok(phone) = households::phone(phone) else { return Ok(None) };
    let now = app.clock.now();
    let phone_fingerprint = app.keys.fingerprint(Fingerprint::SignInPhone, &phone)?;
    let owner = store::owner(app.db.reader(), &phone_fingerprint).await?;
    let is_right = app
        .db
        .write(|| async {
            let txn = app.db.begin().await?;
            let Some(live) = store::live(&txn, &phone_fingerprint, purpose, now).await? else {
                return txn.commit(false).await;
            };
            let given = app.keys.fingerprint(Fingerprint::OneTimeCode, &format!("{}:{code}", live.id))?;
            if given == live.code_fingerprint {
                let is_first = store::use_up(&txn, live.id, now).await?;
                return txn.commit(is_first).await;
            }
            store::take_try(&txn, live.id).await?;
            txn.commit(false).await
        })
        .await?;
    Ok(owner.filter(|_| is_right).map(|owner| owner.id))
}

/// Refuses a household that signs in by phone and does not send the code for `purpose` that went to it. Whoever has no phone here
/// has shown a password, which must do.
pub async fn confirm(app: &App, caller: &Caller, purpose: Purpose, code: Option<&str>) -> Outcome<()> {
    if caller.role != Role::Household {
        return Ok(());
    }
    let Some(sealed) = store::phone_sealed(app.db.reader(), caller.principal_id).await? else {
        return Ok(());
    };
    let phone = app.keys.open(Sealed::PrincipalPhone, caller.principal_id, &sealed)?;
    let owner = take(app, &phone, purpose, code.unwrap_or("")).await?;
    if owner == Some(caller.principal_id) { Ok(()) } else { Err(Refusal::SignInFailed.into()) }
}

/// Forgets codes that ended long ago.
pub async fn forget_old(app: &App) -> Outcome<u64> {
    let before = app.clock.now() - KEPT;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let forgotten = store::forget(&txn, before, FORGOTTEN_AT_ONCE).await?;
            txn.commit(forgotten).await
        })
        .await
}

async fn refuse_flood(app: &App, peer: &str) -> Outcome<()> {
    if app.cache.count(&format!("one_time_codes:peer:{peer}"), limits::window(app)).await > PEER_CODES_MAX {
        return Err(limits::too_many(app).into());
    }
    Ok(())
}

fn too_soon(made_at: DateTime<Utc>, now: DateTime<Utc>) -> Failure {
    let left = (made_at + rules::PAUSE - now).num_seconds().max(1);
    Refusal::TooManyAttempts { retry_after_seconds: u64::try_from(left).unwrap_or(1) }.into()
}

fn draw() -> Outcome<String> {
    let mut bytes = [0_u8; DRAWS * 4];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Broken(error.to_string()))?;
    let draws = bytes.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four));
    rules::digits_of(draws).ok_or_else(|| Failure::Broken("no code could be drawn".to_owned()))
}

/// Somebody who has not signed in yet.
fn nobody() -> Actor {
    Actor {
        principal_id: None,
        role: "nobody",
        request_id: crate::http::edge::current_request_id(),
        peer: current_peer(),
    }
}

fn asked_for(owner: Option<&store::Owner>, purpose: Purpose) -> Event {
    Event {
        county_code: owner.and_then(|owner| owner.county_code.clone()),
        household_id: None,
        action: "create_one_time_code",
        subject_kind: "principal",
        subject_id: owner.map_or(Uuid::nil(), |owner| owner.id),
        before: None,
        after: Some(serde_json::json!({ "purpose": purpose.as_str() })),
    }
}
