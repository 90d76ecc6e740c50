//! What a bank tells by itself: a signed message with the same file that finance would import. The signature is that of
//! Standard Webhooks over the bytes as they came; a message of more than five minutes ago is refused, and one that comes
//! again is answered from the first.

use chrono::DateTime;
use uuid::Uuid;

use super::results::{self, Imported, Teller};
use super::{answers, store};
use crate::app::App;
use crate::id::content_hash;
use crate::idempotency::{Key, Once};
use crate::members::access::CountyScope;
use crate::refusal::{Outcome, Refusal};
use crate::trail::Actor;
use crate::webhooks;

pub mod api;

/// Who tells, where a person's id is asked for. No person has it.
const BANK: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_6261_6e6b);

/// Characters of a message's id at most, as of an `Idempotency-Key`.
const ID_CHARS_MAX: usize = 100;

/// The headers that sign a message.
#[derive(Clone, Debug)]
pub struct Signature {
    pub id: String,
    /// Seconds since 1970.
    pub timestamp: String,
    pub signature: String,
}

/// Records what the bank says. Payouts that it does not name stay as they are.
///
/// Refused with [`Refusal::NotSignedIn`] when the signature is not that of the bank or too old.
pub async fn take(app: &App, signature: &Signature, body: Vec<u8>) -> Outcome<Once<Imported>> {
    check(app, signature, &body)?;
    let hash = content_hash(&body);
    let told = answers::read(body).await?;
    let payouts: Vec<Uuid> = told.answers.iter().take(1).map(|answer| answer.payout_id).collect();
    let number = told.message.as_ref().map(|message| message.id.as_str());
    let batch = store::batch_told(app.db.reader(), number, payouts.first().copied()).await?;
    let batch = batch.ok_or(Refusal::NotFound("payout batch"))?;
    let teller = Teller { id: BANK, actor: Actor::service("bank"), counties: CountyScope::all() };
    let key = Key { principal_id: BANK, key: signature.id.clone(), fingerprint: hash.clone() };
    results::take(app, &teller, &key, batch, results::File { told, hash, is_partial: true }).await
}

fn check(app: &App, signature: &Signature, body: &[u8]) -> Outcome<()> {
    let setting = "ZHUXIAO_BANK_CALLBACK_SECRET";
    let secret = app.settings.bank_callback_secret.as_ref().ok_or(Refusal::SettingMissing { setting })?;
    let Signature { id, timestamp, signature } = signature;
    let seconds = timestamp.parse().ok().filter(|seconds: &i64| seconds.to_string() == *timestamp);
    let sent_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let is_now = sent_at.is_some_and(|at| (app.clock.now() - at).abs() <= webhooks::TOLERANCE);
    let is_named = (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let is_signed =
        seconds.is_some_and(|seconds| webhooks::is_signed(&secret.0, id, seconds, body, signature));
    if is_now && is_named && is_signed { Ok(()) } else { Err(Refusal::NotSignedIn.into()) }
}
