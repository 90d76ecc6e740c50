//! What every operation is handed: the database, the cache, the clock, where ids and numbers come from, the settings.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::db::Db;
use crate::http::outbound::Outbound;
use crate::http::pace::Pace;
use crate::id::{Ids, secret_hash};
use crate::idempotency::InFlight;
use crate::ledger::export::Exports;
use crate::members::one_time_codes::sms::SmsGateway;
use crate::members::passwords::Hashing;
use crate::members::sealed::Keys;
use crate::numbers::Numbers;
use crate::settings::Settings;

/// The service, cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    pub db: Db,
    pub cache: Cache,
    pub clock: Clock,
    pub ids: Ids,
    pub numbers: Numbers,
    pub in_flight: InFlight,
    pub hashing: Hashing,
    pub pace: Pace,
    pub keys: Keys,
    pub outbound: Outbound,
    pub sms: SmsGateway,
    pub exports: Exports,
    pub settings: Arc<Settings>,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the database cannot be opened: {0}")]
    Database(#[from] DbErr),
    #[error("setting redis_url: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("encrypted connections cannot be made: {0}")]
    Tls(String),
}

impl App {
    /// Opens the database of `settings` as it is; run [`Db::migrate`] before.
    pub async fn open(settings: Settings, clock: Clock, ids: Ids) -> Result<Self, StartError> {
        let db = Db::open(&settings.database_url, settings.database_connections).await?;
        let cache = match &settings.redis_url {
            Some(url) => {
                Cache::redis(url, secret_hash(&settings.database_url).get(..12).unwrap_or_default())?
            }
            None => Cache::memory(),
        };
        let outbound = Outbound::new(settings.outbound(), Duration::from_secs(settings.outbound_seconds_max))
            .map_err(|error| StartError::Tls(error.to_string()))?;
        Ok(Self {
            db,
            cache,
            clock,
            ids,
            numbers: Numbers::default(),
            in_flight: InFlight::default(),
            hashing: Hashing::new(settings.password_hashes_parallel, settings.password_hash_kib),
            pace: Pace::new(settings.requests_per_second_max),
            keys: keys_of(&settings),
            sms: SmsGateway::of(
                settings.sms_url.as_deref(),
                settings.sms_token_file.clone(),
                outbound.clone(),
            ),
            outbound,
            exports: Exports::default(),
            settings: Arc::new(settings),
        })
    }
}

fn keys_of(settings: &Settings) -> Keys {
    match &settings.key_ring {
        Some(ring) => Keys::of_text(ring.clone()),
        None => Keys::of(settings.keys.as_deref(), crate::cli::migrate::sqlite_path(&settings.database_url)),
    }
}
