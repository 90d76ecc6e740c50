//! Endpoint: what a bank tells by itself.

use poem::Request;
use poem_openapi::auth::ApiKey;
use poem_openapi::payload::Binary;
use poem_openapi::{Object, OpenApi, SecurityScheme};
use uuid::Uuid;

use super::Signature;
use crate::app::App;
use crate::http::answers::Done;
use crate::http::problem::{Answer, Problem};
use crate::payouts::results::Imported;
use crate::refusal::Refusal;
use crate::routes::Tag;

/// What a bank tells by itself.
#[derive(Debug)]
pub struct Api(pub App);

/// The signature of the bank, in `webhook-id`, `webhook-timestamp` and `webhook-signature` (Standard Webhooks). That it is
/// right is known once the body was read.
#[derive(Debug, SecurityScheme)]
#[oai(
    rename = "bank_signature",
    ty = "api_key",
    key_name = "webhook-signature",
    key_in = "header",
    checker = "read"
)]
pub struct BankSigned(Signature);

/// What a message of the bank changed.
#[derive(Debug, Object)]
pub struct BankCallbackTaken {
    pub payout_batch_id: Uuid,
    pub paid: usize,
    pub returned: usize,
    /// Payouts whose result the bank does not know itself.
    pub unknown: usize,
    pub pending: usize,
    pub unchanged: usize,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payouts")]
impl Api {
    /// Take what the bank tells
    ///
    /// For the bank's own system: what became of payouts of a batch, as pain.002, csv or xlsx in the form of the import,
    /// signed as Standard Webhooks describes with the secret that both sides set. A message of more than five minutes ago
    /// is refused; the same `webhook-id` again is answered from the first and changes nothing.
    #[oai(path = "/callbacks/bank", method = "post", operation_id = "take_bank_callback")]
    async fn take_bank_callback(
        &self,
        signed: BankSigned,
        file: Binary<Vec<u8>>,
    ) -> Answer<Done<BankCallbackTaken>> {
        let done = super::take(&self.0, &signed.0, file.0).await?;
        Ok(Done::once(done.is_replay, done.value.into()))
    }
}

async fn read(request: &Request, signature: ApiKey) -> poem::Result<Signature> {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match (header("webhook-id"), header("webhook-timestamp")) {
        (Some(id), Some(timestamp)) => Ok(Signature { id, timestamp, signature: signature.key }),
        _ => Err(Problem::from(Refusal::NotSignedIn).into()),
    }
}

impl From<Imported> for BankCallbackTaken {
    fn from(imported: Imported) -> Self {
        Self {
            payout_batch_id: imported.batch.id,
            paid: imported.paid,
            returned: imported.returned,
            unknown: imported.unknown,
            pending: imported.pending,
            unchanged: imported.unchanged,
        }
    }
}
