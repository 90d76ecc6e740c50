//! Settings: flags over `ZHUXIAO_*` over `zhuxiao.toml` over defaults. An invalid one stops the start and is named.
//! Secrets come from files or the environment, never from flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::http::outbound;
use crate::members::sealed;
use crate::webhooks;

/// The database when nothing is set.
pub const DEFAULT_DATABASE_URL: &str = "sqlite://data/zhuxiao.db?mode=rwc";

/// Settings whose text is taken from the environment as it is written there.
const AS_WRITTEN: [(&str, &str); 5] = [
    ("bank_callback_secret", "ZHUXIAO_BANK_CALLBACK_SECRET"),
    ("key_ring", "ZHUXIAO_KEY_RING"),
    ("escrow_account", "ZHUXIAO_ESCROW_ACCOUNT"),
    ("escrow_account_name", "ZHUXIAO_ESCROW_ACCOUNT_NAME"),
    ("escrow_account_bank", "ZHUXIAO_ESCROW_ACCOUNT_BANK"),
];

/// Everything an operator can set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `sqlite://path?mode=rwc` or `postgres://…`
    pub database_url: String,
    /// `redis://…`; without it the cache is in this process.
    pub redis_url: Option<String>,
    pub listen: SocketAddr,
    /// A tracing filter, such as `info` or `zhuxiao=debug,info`.
    pub log: String,
    pub log_format: LogFormat,
    /// File with the key that seals phones and bank accounts; made beside the database when it is missing.
    pub keys: Option<PathBuf>,
    /// The keys themselves instead of a file of them, in the same form with commas for ends of lines: for `ZHUXIAO_KEY_RING`,
    /// where secrets come from the environment. A process keeps those it was started with.
    pub key_ring: Option<Secret>,
    pub database_connections: u32,
    pub connections_max: usize,
    pub request_seconds_max: u64,
    pub body_bytes_max: usize,
    pub upload_bytes_max: usize,
    pub hold_minutes: i64,
    pub sweep_seconds: u64,
    pub session_hours: i64,
    /// Lots that spoil within so many days of the needed-by date are shared first.
    pub spoils_within_days: i64,
    /// Candidate lots read for one order line at most.
    pub candidates_max: u64,
    /// Days after an acceptance within which an institution pays that has no payment term of its own.
    pub payment_days: i64,
    /// An institution that owes something for more days than this after it was due orders nothing on credit.
    pub overdue_block_days: i64,
    /// The account that households are paid from: 8 to 34 digits. Quote it in `zhuxiao.toml`. Without it, its name and its
    /// bank no file for the bank is written.
    pub escrow_account: Option<String>,
    /// The name its bank knows the account by, at most 70 characters.
    pub escrow_account_name: Option<String>,
    /// The bank that keeps it, at most 70 characters.
    pub escrow_account_bank: Option<String>,
    /// What the bank signs with that tells results of payouts by itself: `whsec_` and Base64 of 24 to 64 bytes. Without it
    /// nothing is taken from it.
    pub bank_callback_secret: Option<Secret>,
    /// What webhooks are to be told is looked up this often.
    pub webhook_seconds: u64,
    /// The rules that raise problems run this often.
    pub problem_minutes: i64,
    /// The whole audit runs this often, and what it finds becomes problems.
    pub audit_hours: i64,
    pub sign_in_tries_max: u64,
    pub sign_in_window_seconds: u64,
    /// Webhooks and gateways may be called over `http`: for development and tests.
    pub outbound_plain_http: bool,
    /// Sockets that are called though they are not on the public internet, or on another port than 80 and 443, such as
    /// `10.1.2.3:8443`, separated by commas.
    pub outbound_allowed: Sockets,
    /// The longest that one call to somebody else's address takes.
    pub outbound_seconds_max: u64,
    /// Passwords hashed at the same time; the rest wait their turn.
    pub password_hashes_parallel: usize,
    /// Memory of one password hash. OWASP's floor for Argon2id with two passes is 19 MiB.
    pub password_hash_kib: u32,
}

/// A setting that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}

/// Addresses with ports, written as one text with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Sockets(pub Vec<SocketAddr>);

impl TryFrom<String> for Sockets {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read = parts.map(|part| {
            part.parse().map_err(|_| format!("{part} is no address with a port, such as 10.1.2.3:8443"))
        });
        read.collect::<Result<_, _>>().map(Self)
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Json,
    Text,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("setting {name}: {reason}")]
pub struct SettingError {
    pub name: String,
    pub reason: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database_url: DEFAULT_DATABASE_URL.to_owned(),
            redis_url: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            log: "info".to_owned(),
            log_format: LogFormat::default(),
            keys: None,
            key_ring: None,
            database_connections: 8,
            connections_max: 4_096,
            request_seconds_max: 30,
            body_bytes_max: 1 << 20,
            upload_bytes_max: 20 << 20,
            hold_minutes: 30,
            sweep_seconds: 10,
            session_hours: 12,
            spoils_within_days: 7,
            candidates_max: 20_000,
            payment_days: 30,
            overdue_block_days: 30,
            escrow_account: None,
            escrow_account_name: None,
            escrow_account_bank: None,
            bank_callback_secret: None,
            webhook_seconds: 1,
            problem_minutes: 10,
            audit_hours: 24,
            sign_in_tries_max: 5,
            sign_in_window_seconds: 900,
            outbound_plain_http: false,
            outbound_allowed: Sockets::default(),
            outbound_seconds_max: 15,
            password_hashes_parallel: 1,
            password_hash_kib: 19_456,
        }
    }
}

impl Settings {
    /// What may be called besides the public internet.
    #[must_use]
    pub fn outbound(&self) -> outbound::Policy {
        outbound::Policy { plain_http: self.outbound_plain_http, allowed: self.outbound_allowed.0.clone() }
    }

    /// Reads `zhuxiao.toml` (or the file named by `file`), then the environment, then `flags` as
    /// (setting, value) pairs.
    pub fn load(file: Option<&str>, flags: Vec<(&'static str, String)>) -> Result<Self, SettingError> {
        let source = match file {
            Some(named) => config::File::new(named, config::FileFormat::Toml).required(true),
            None => config::File::new("zhuxiao.toml", config::FileFormat::Toml).required(false),
        };
        let environment = config::Environment::with_prefix("ZHUXIAO").prefix_separator("_").try_parsing(true);
        let mut builder = config::Config::builder().add_source(source).add_source(environment);
        // What the reader of the environment takes for a number loses leading zeros, and digits beyond those of a float.
        for (name, variable) in AS_WRITTEN {
            builder = builder
                .set_override_option(name, std::env::var(variable).ok())
                .map_err(|error| unusable(&error))?;
        }
        for (name, value) in flags {
            builder = builder.set_override(name, value).map_err(|error| unusable(&error))?;
        }
        let settings: Self =
            builder.build().and_then(config::Config::try_deserialize).map_err(|error| unusable(&error))?;
        settings.checked()
    }

    fn checked(self) -> Result<Self, SettingError> {
        let has_known_scheme = ["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| self.database_url.starts_with(scheme));
        ensure(has_known_scheme, "database_url", "begin it with sqlite:// or postgres://")?;
        let is_redis = self.redis_url.as_ref().is_none_or(|url| url.starts_with("redis"));
        ensure(is_redis, "redis_url", "begin it with redis://")?;
        let filter = tracing_subscriber::EnvFilter::try_new(&self.log);
        ensure(filter.is_ok(), "log", "write a filter such as info or zhuxiao=debug,info")?;
        if let Some(ring) = &self.key_ring {
            ensure(self.keys.is_none(), "key_ring", "not together with keys")?;
            sealed::check_ring(ring)
                .map_err(|reason| SettingError { name: "key_ring".to_owned(), reason })?;
        }
        ensure((1..=1_440).contains(&self.hold_minutes), "hold_minutes", "between 1 and 1440")?;
        ensure((1..=3_600).contains(&self.sweep_seconds), "sweep_seconds", "between 1 and 3600")?;
        ensure((1..=720).contains(&self.session_hours), "session_hours", "between 1 and 720")?;
        ensure((1..=60).contains(&self.payment_days), "payment_days", "between 1 and 60")?;
        ensure((0..=365).contains(&self.overdue_block_days), "overdue_block_days", "between 0 and 365")?;
        let is_account = |digits: &String| {
            (8..=34).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        ensure(self.escrow_account.as_ref().is_none_or(is_account), "escrow_account", "8 to 34 digits")?;
        for (name, text) in [
            ("escrow_account_name", &self.escrow_account_name),
            ("escrow_account_bank", &self.escrow_account_bank),
        ] {
            let is_plain =
                |text: &String| (1..=70).contains(&text.chars().count()) && !text.contains(char::is_control);
            ensure(text.as_ref().is_none_or(is_plain), name, "1 to 70 characters")?;
        }
        let is_secret = |secret: &Secret| webhooks::is_secret(&secret.0);
        ensure(
            self.bank_callback_secret.as_ref().is_none_or(is_secret),
            "bank_callback_secret",
            "whsec_ and Base64 of 24 to 64 bytes",
        )?;
        ensure((1..=3_600).contains(&self.webhook_seconds), "webhook_seconds", "between 1 and 3600")?;
        ensure((1..=1_440).contains(&self.problem_minutes), "problem_minutes", "between 1 and 1440")?;
        ensure((1..=720).contains(&self.audit_hours), "audit_hours", "between 1 and 720")?;
        ensure((0..=365).contains(&self.spoils_within_days), "spoils_within_days", "between 0 and 365")?;
        ensure((1..=200_000).contains(&self.candidates_max), "candidates_max", "between 1 and 200000")?;
        ensure((1..=200).contains(&self.database_connections), "database_connections", "between 1 and 200")?;
        ensure(self.connections_max >= 1, "connections_max", "at least 1")?;
        ensure((1..=600).contains(&self.request_seconds_max), "request_seconds_max", "between 1 and 600")?;
        ensure((1_024..=16 << 20).contains(&self.body_bytes_max), "body_bytes_max", "1 KiB to 16 MiB")?;
        ensure((1_024..=100 << 20).contains(&self.upload_bytes_max), "upload_bytes_max", "1 KiB to 100 MiB")?;
        ensure(self.sign_in_tries_max >= 1, "sign_in_tries_max", "at least 1")?;
        ensure(self.sign_in_window_seconds >= 1, "sign_in_window_seconds", "at least 1")?;
        ensure((1..=15).contains(&self.outbound_seconds_max), "outbound_seconds_max", "between 1 and 15")?;
        ensure((1..=64).contains(&self.password_hashes_parallel), "password_hashes_parallel", "1 to 64")?;
        ensure((1_024..=1 << 20).contains(&self.password_hash_kib), "password_hash_kib", "1024 to 1048576")?;
        Ok(self)
    }
}

fn ensure(holds: bool, name: &str, reason: &str) -> Result<(), SettingError> {
    if holds { Ok(()) } else { Err(SettingError { name: name.to_owned(), reason: reason.to_owned() }) }
}

/// Names the setting where the configuration reader knows it; its message otherwise names the unknown field.
fn unusable(error: &config::ConfigError) -> SettingError {
    let name = match error {
        config::ConfigError::Type { key: Some(key), .. } | config::ConfigError::At { key: Some(key), .. } => {
            key.clone()
        }
        config::ConfigError::FileParse { uri, .. } => {
            uri.clone().unwrap_or_else(|| "zhuxiao.toml".to_owned())
        }
        _ => "zhuxiao.toml or environment".to_owned(),
    };
    SettingError { name, reason: error.to_string() }
}
