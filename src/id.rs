//! Ids and secrets. Ids are UUIDv7; a seeded source repeats itself, so that the same seed gives the same demo.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Where ids come from.
#[derive(Clone, Debug, Default)]
pub enum Ids {
    #[default]
    Random,
    /// The same seed and the same order of calls give the same ids. Never used to make a secret.
    Seeded { seed: u64, drawn: Arc<AtomicU64> },
}

impl Ids {
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded { seed, drawn: Arc::default() }
    }

    /// A `UUIDv7` of the moment `at`.
    #[must_use]
    pub fn next(&self, at: DateTime<Utc>) -> Uuid {
        let mut tail = [0_u8; 10];
        match self {
            // Without randomness the tail stays zero: a second id of the same millisecond is then
            // refused by its primary key instead of being a duplicate.
            Self::Random => getrandom::fill(&mut tail).unwrap_or(()),
            Self::Seeded { seed, drawn } => {
                let position = drawn.fetch_add(1, Ordering::SeqCst);
                let digest = Sha256::digest([seed.to_be_bytes(), position.to_be_bytes()].concat());
                tail.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
            }
        }
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

/// The lowest id of a moment.
#[must_use]
pub fn first_of(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// The millisecond an id was made in; nothing for an id of another version than 7.
#[must_use]
pub fn moment_of(id: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// A bearer token of 256 random bits in hexadecimal. The caller gets it once; only [`secret_hash`] of it is stored.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// SHA-256 in hexadecimal. Right for secrets of full entropy; passwords need Argon2id instead.
#[must_use]
pub fn secret_hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// SHA-256 of a file in hexadecimal.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_they_are_version_seven() {
        let at: DateTime<Utc> = "2027-03-20T00:00:00Z".parse().unwrap();
        let (first, second) = (Ids::seeded(7), Ids::seeded(7));
        let drawn: Vec<Uuid> = (0..3).map(|_| first.next(at)).collect();
        assert_eq!(drawn, (0..3).map(|_| second.next(at)).collect::<Vec<_>>());
        assert_ne!(drawn[0], drawn[1]);
        assert!(drawn.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn ids_made_at_or_after_a_moment_are_not_below_its_first() {
        let at: DateTime<Utc> = "2027-03-01T00:00:00Z".parse().unwrap();
        let ids = Ids::Random;
        assert!((0..100).all(|_| ids.next(at) >= first_of(at)));
        assert!((0..100).all(|_| ids.next(at - chrono::TimeDelta::milliseconds(1)) < first_of(at)));
        assert_eq!(moment_of(ids.next(at)), Some(at));
        assert_eq!(moment_of(Uuid::nil()), None);
    }
}
