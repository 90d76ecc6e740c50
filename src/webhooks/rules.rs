//! What a webhook is told, how it is signed, and when it is tried again. Signatures are those of Standard Webhooks
//! (<https://www.standardwebhooks.com>, version 1: HMAC-SHA-256 over id, timestamp and body).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// How a secret begins, as receivers' libraries expect it.
const SECRET_PREFIX: &str = "whsec_";

/// Bytes of a secret.
pub const SECRET_BYTES: usize = 32;

/// How long after a failed attempt the next one is made, in seconds: 8 attempts over 32 hours.
const PAUSES_SECONDS: [i64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400];

/// How far the clock of a sender may be from ours.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Something that happened to what an institution has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    OrderConfirmed,
    OrderDelivering,
    OrderAccepted,
    OrderSettled,
    OrderCancelled,
    PaperIssued,
}

/// One thing to tell, about a row that people know by its number.
#[derive(Clone, Debug)]
pub struct News {
    pub event: Event,
    pub institution_id: Uuid,
    pub subject_id: Uuid,
    pub number: String,
}

impl Event {
    pub const ALL: [Self; 6] = [
        Self::OrderConfirmed,
        Self::OrderDelivering,
        Self::OrderAccepted,
        Self::OrderSettled,
        Self::OrderCancelled,
        Self::PaperIssued,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderConfirmed => "order.confirmed",
            Self::OrderDelivering => "order.delivering",
            Self::OrderAccepted => "order.accepted",
            Self::OrderSettled => "order.settled",
            Self::OrderCancelled => "order.cancelled",
            Self::PaperIssued => "paper.issued",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }
}

/// Events as they are stored, and whether one is among them; none stored means all.
#[must_use]
pub fn stored(events: &[Event]) -> String {
    events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(",")
}

/// The events that a stored list names.
#[must_use]
pub fn wanted(stored: &str) -> Vec<Event> {
    if stored.is_empty() { Event::ALL.to_vec() } else { stored.split(',').filter_map(Event::parse).collect() }
}

/// The body that is sent. It names what happened and where to read more; whoever wants more asks with a session.
#[must_use]
pub fn payload(news: &News, at: DateTime<Utc>) -> String {
    serde_json::json!({
        "type": news.event.as_str(),
        "timestamp": at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        "data": { "id": news.subject_id, "number": news.number, "institution_id": news.institution_id },
    })
    .to_string()
}

/// A secret as its owner is told it.
#[must_use]
pub fn secret_text(bytes: &[u8]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
}

/// The signature of a message, `v1,` and Base64; nothing for a secret that is none.
#[must_use]
pub fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let mac = mac_of(secret, id, timestamp, body)?;
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// Whether one of the signatures of a header is that of the message, compared in constant time.
#[must_use]
pub fn is_signed(secret: &str, id: &str, timestamp: i64, body: &[u8], header: &str) -> bool {
    let Some(mac) = mac_of(secret, id, timestamp, body) else { return false };
    let signatures = header.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    signatures.take(SIGNATURES_MAX).any(|one| mac.clone().verify_slice(&one).is_ok())
}

/// Signatures of a header that are looked at: two while a secret is replaced.
const SIGNATURES_MAX: usize = 5;

fn mac_of(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let key = STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(mac)
}

/// Whether a text is a secret of the form and strength that Standard Webhooks asks for.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    let bytes = text.strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
    bytes.is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}

/// How long to wait after so many attempts; nothing when it was the last.
#[must_use]
pub fn pause_after(attempts: i32) -> Option<TimeDelta> {
    let made = usize::try_from(attempts).ok()?.checked_sub(1)?;
    PAUSES_SECONDS.get(made).map(|seconds| TimeDelta::seconds(*seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference libraries of Standard Webhooks.
    #[test]
    fn a_signature_is_that_of_the_reference() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signature = signature(secret, id, 1_614_265_330, body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(is_signed(secret, id, 1_614_265_330, body, &format!("v1,AAAA {signature}")));
        assert!(!is_signed(secret, id, 1_614_265_331, body, &signature));
        assert!(!is_signed(secret, "msg_other", 1_614_265_330, body, &signature));
        assert!(!is_signed(secret, id, 1_614_265_330, br#"{"test":  2432232314}"#, &signature));
        for header in ["", "v1,", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1, x", "g0hM"] {
            assert!(!is_signed(secret, id, 1_614_265_330, body, header), "{header}");
        }
    }

    #[test]
    fn a_secret_has_the_form_that_receivers_read() {
        let text = secret_text(&[7; SECRET_BYTES]);
        assert!(is_secret(&text) && text.starts_with("whsec_"));
        for bad in ["", "whsec_", "whsec_AAAA", "secret", "whsec_!!!!"] {
            assert!(!is_secret(bad), "{bad}");
        }
    }

    #[test]
    fn attempts_end_and_their_pauses_grow() {
        let pauses: Vec<TimeDelta> = (1..).map_while(pause_after).collect();
        assert_eq!(pauses.len(), 7);
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(pause_after(0), None);
    }

    #[test]
    fn no_event_stored_means_all_of_them() {
        assert_eq!(wanted(""), Event::ALL);
        assert_eq!(
            wanted(&stored(&[Event::PaperIssued, Event::OrderSettled])),
            [Event::PaperIssued, Event::OrderSettled]
        );
    }
}
