//! Settings: flags over `ZHUXIAO_*` over `zhuxiao.toml` over defaults. An invalid one stops the start and is named.
//! Secrets come from files or the environment, never from flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::http::outbound;
use crate::http::peer::Proxies;
use crate::members::one_time_codes::sms;
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

/// Settings that are lists; in the environment their members are separated by commas.
const LISTS: [&str; 2] = ["hosts", "cors_origins"];

/// Everything an operator can set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `sqlite://path?mode=rwc` or `postgres://…`
    pub database_url: String,
    /// `redis://…`; without it the cache is in this process.
    pub redis_url: Option<String>,
    pub listen: SocketAddr,
    /// Where `/metrics` is served, for whoever runs the service. Without it they are served nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// The names that requests may call the service by, without ports; none means any.
    pub hosts: Vec<String>,
    /// Origins, such as `https://office.example`, whose pages may read answers; none by default.
    pub cors_origins: Vec<String>,
    /// Whether a proxy speaks TLS for us, so that browsers may be told to never come without it.
    pub behind_tls: bool,
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
    /// From an answer to the next request on its connection.
    pub idle_seconds_max: u64,
    /// From the first byte of a request to the end of its head.
    pub head_seconds_max: u64,
    /// From there to the end of its body.
    pub body_seconds_max: u64,
    /// From there to its answer.
    pub request_seconds_max: u64,
    /// For which a client may take no byte of an answer.
    pub stall_seconds_max: u64,
    /// Operations under way at once; a quarter is kept for those that move stock or money.
    pub requests_max: usize,
    /// Requests of one person that last; twice as many may come at once.
    pub requests_per_second_max: u32,
    pub body_bytes_max: usize,
    pub upload_bytes_max: usize,
    pub hold_minutes: i64,
    pub sweep_seconds: u64,
    /// A session ends so long after it began, however much it is used.
    pub session_hours: i64,
    /// A session ends so long after it was last used.
    pub session_idle_minutes: i64,
    /// Officers, finance, auditors and administrators need a second factor.
    pub totp_required: bool,
    /// Characters of a password at least.
    pub password_chars_min: usize,
    /// Kinds of characters of a password at least, of lower case, upper case, digits and others. ASVS 5.0 forbids such a rule,
    /// assessments after GB/T 22239 ask for three.
    pub password_kinds_min: usize,
    /// Passwords older than this must be changed; 0 is never. ASVS 5.0 forbids such a rule, assessments after GB/T 22239 ask
    /// for 90.
    pub password_days_max: i64,
    /// The proxies whose `X-Forwarded-For` is believed: addresses and networks, separated by commas.
    pub trusted_proxies: Proxies,
    /// Where text messages are posted as JSON; `log:` writes them into the log, for whoever develops. None are sent without.
    pub sms_url: Option<String>,
    /// A file with the token that the gateway wants as a bearer.
    pub sms_token_file: Option<PathBuf>,
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
    /// Households whose personal data one person is shown in the clear on one day.
    pub reveals_per_day_max: u64,
    /// Failed sign-ins of one account within the window.
    pub sign_in_tries_max: u64,
    /// Failed sign-ins of one peer within the window.
    pub sign_in_peer_tries_max: u64,
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
            admin_listen: None,
            hosts: Vec::new(),
            cors_origins: Vec::new(),
            behind_tls: false,
            log: "info".to_owned(),
            log_format: LogFormat::default(),
            keys: None,
            key_ring: None,
            database_connections: 8,
            connections_max: 4_096,
            idle_seconds_max: 75,
            head_seconds_max: 10,
            body_seconds_max: 30,
            request_seconds_max: 30,
            stall_seconds_max: 60,
            requests_max: 512,
            requests_per_second_max: 50,
            body_bytes_max: 1 << 20,
            upload_bytes_max: 20 << 20,
            hold_minutes: 30,
            sweep_seconds: 10,
            session_hours: 12,
            session_idle_minutes: 30,
            totp_required: true,
            password_chars_min: 12,
            password_kinds_min: 1,
            password_days_max: 0,
            trusted_proxies: Proxies::default(),
            sms_url: None,
            sms_token_file: None,
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
            reveals_per_day_max: 100,
            sign_in_tries_max: 5,
            sign_in_peer_tries_max: 20,
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
        let environment = environment.list_separator(",");
        let environment = LISTS.iter().fold(environment, |all, name| all.with_list_parse_key(name));
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

    fn checked(mut self) -> Result<Self, SettingError> {
        // A variable that is set to nothing is a list with one empty member.
        self.hosts.retain(|host| !host.is_empty());
        self.cors_origins.retain(|origin| !origin.is_empty());
        self.check_edges()?;
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
        ensure(
            (1..=43_200).contains(&self.session_idle_minutes),
            "session_idle_minutes",
            "between 1 and 43200",
        )?;
        ensure((8..=64).contains(&self.password_chars_min), "password_chars_min", "between 8 and 64")?;
        ensure((1..=4).contains(&self.password_kinds_min), "password_kinds_min", "between 1 and 4")?;
        ensure((0..=3_650).contains(&self.password_days_max), "password_days_max", "between 0 and 3650")?;
        let is_gateway =
            |url: &String| url == sms::LOG || url.starts_with("https://") || url.starts_with("http://");
        ensure(
            self.sms_url.as_ref().is_none_or(is_gateway),
            "sms_url",
            "begin it with https://, or write log:",
        )?;
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
        ensure((1_024..=16 << 20).contains(&self.body_bytes_max), "body_bytes_max", "1 KiB to 16 MiB")?;
        ensure((1_024..=100 << 20).contains(&self.upload_bytes_max), "upload_bytes_max", "1 KiB to 100 MiB")?;
        ensure(
            (1..=10_000).contains(&self.reveals_per_day_max),
            "reveals_per_day_max",
            "between 1 and 10000",
        )?;
        ensure(self.sign_in_tries_max >= 1, "sign_in_tries_max", "at least 1")?;
        ensure(self.sign_in_peer_tries_max >= 1, "sign_in_peer_tries_max", "at least 1")?;
        ensure(self.sign_in_window_seconds >= 1, "sign_in_window_seconds", "at least 1")?;
        ensure((1..=15).contains(&self.outbound_seconds_max), "outbound_seconds_max", "between 1 and 15")?;
        ensure((1..=64).contains(&self.password_hashes_parallel), "password_hashes_parallel", "1 to 64")?;
        ensure((1_024..=1 << 20).contains(&self.password_hash_kib), "password_hash_kib", "1024 to 1048576")?;
        Ok(self)
    }
}

impl Settings {
    /// What decides who gets in and how long they may take.
    fn check_edges(&self) -> Result<(), SettingError> {
        let is_name = |host: &String| {
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        };
        ensure(self.hosts.iter().all(is_name), "hosts", "names such as county.example, without ports")?;
        let is_origin = |origin: &String| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let is_plain = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':')
            };
            host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_plain))
        };
        ensure(
            self.cors_origins.iter().all(is_origin),
            "cors_origins",
            "origins such as https://office.example",
        )?;
        ensure((1..=1_000_000).contains(&self.connections_max), "connections_max", "between 1 and 1000000")?;
        for (name, seconds) in [
            ("idle_seconds_max", self.idle_seconds_max),
            ("head_seconds_max", self.head_seconds_max),
            ("body_seconds_max", self.body_seconds_max),
            ("request_seconds_max", self.request_seconds_max),
            ("stall_seconds_max", self.stall_seconds_max),
        ] {
            ensure((1..=600).contains(&seconds), name, "between 1 and 600")?;
        }
        ensure((2..=100_000).contains(&self.requests_max), "requests_max", "between 2 and 100000")?;
        let is_rate = (1..=1_000_000).contains(&self.requests_per_second_max);
        ensure(is_rate, "requests_per_second_max", "between 1 and 1000000")
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
