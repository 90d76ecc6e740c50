//! Time-based one-time passwords (RFC 6238 over RFC 4226: HMAC-SHA-1, 30 seconds, six digits, which is what the common
//! authenticator apps read). Pure.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// How long a code is shown.
pub const STEP_SECONDS: i64 = 30;

/// Codes of the step before and after are taken too, for clocks that differ (RFC 6238, 5.2).
const STEPS_APART: i64 = 1;

/// RFC 4226 recommends a secret as long as the digest.
pub const SECRET_BYTES: usize = 20;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The six digits of a step; nothing for a step before 1970.
#[must_use]
pub fn code_at(secret: &[u8], step: i64) -> Option<String> {
    let counter = u64::try_from(step).ok()?;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&counter.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last()? & 0x0f);
    let four: [u8; 4] = digest.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    let number = (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000;
    Some(format!("{number:06}"))
}

/// The step whose code `code` is at `at_seconds`, if it is later than `last_step`: a code serves once.
#[must_use]
pub fn step_of(secret: &[u8], code: &str, at_seconds: i64, last_step: i64) -> Option<i64> {
    let now = at_seconds.div_euclid(STEP_SECONDS);
    let near = now.saturating_sub(STEPS_APART)..=now.saturating_add(STEPS_APART);
    let mut found = None;
    // Every step is tried, so that the time taken does not tell which one it was.
    for step in near {
        if code_at(secret, step).is_some_and(|right| is_same(&right, code)) && step > last_step {
            found = Some(step);
        }
    }
    found
}

/// Compares without telling by its time where the two differ.
fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
    one.len() == other.len() && differences == 0
}

/// The secret as people type it into an app (RFC 4648 base32, without padding).
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let mut five = [0_u8; 5];
        five.iter_mut().zip(chunk).for_each(|(place, byte)| *place = *byte);
        let bits = five.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let signs = chunk.len().saturating_mul(8).div_ceil(5);
        for position in 0..signs {
            let shift = 35_usize.saturating_sub(position.saturating_mul(5));
            let index = usize::try_from((bits >> shift) & 0x1f).unwrap_or(0);
            text.push(ALPHABET.get(index).map_or('A', |sign| char::from(*sign)));
        }
    }
    text
}

/// What an app reads from a picture: the key URI that the common authenticator apps understand.
#[must_use]
pub fn key_uri(issuer: &str, account: &str, secret: &[u8]) -> String {
    let (issuer, account) = (percent(issuer), percent(account));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP_SECONDS}",
        base32(secret)
    )
}

/// Everything but the unreserved characters of RFC 3986 in hexadecimal.
fn percent(text: &str) -> String {
    let mut safe = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            // A string is written without fail.
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn the_codes_are_those_of_the_appendix_of_rfc_6238() {
        let shown = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in shown {
            assert_eq!(code_at(SECRET, seconds / STEP_SECONDS).as_deref(), Some(code), "{seconds}");
        }
    }

    #[test]
    fn a_code_serves_for_its_step_and_its_neighbours_and_only_once() {
        let at = 1_111_111_109;
        let step = at / STEP_SECONDS;
        assert_eq!(step_of(SECRET, "081804", at, 0), Some(step));
        assert_eq!(step_of(SECRET, "081804", at + STEP_SECONDS, 0), Some(step));
        assert_eq!(step_of(SECRET, "081804", at - STEP_SECONDS, 0), Some(step));
        assert_eq!(step_of(SECRET, "081804", at + 2 * STEP_SECONDS, 0), None);
        assert_eq!(step_of(SECRET, "081804", at, step), None, "it was used");
        for wrong in ["081805", "", "0818040", "8180４"] {
            assert_eq!(step_of(SECRET, wrong, at, 0), None, "{wrong}");
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        let pairs = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
        ];
        for (plain, written) in pairs {
            assert_eq!(base32(plain.as_bytes()), written);
        }
    }

    #[test]
    fn a_key_uri_names_issuer_and_account_and_holds_the_secret() {
        let uri = key_uri("Zhuxiao 助销", "officer-1", b"foob");
        assert!(
            uri.starts_with("otpauth://totp/Zhuxiao%20%E5%8A%A9%E9%94%80:officer-1?secret=MZXW6YQ&"),
            "{uri}"
        );
    }
}
