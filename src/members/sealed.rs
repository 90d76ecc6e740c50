//! What is personal at rest: authenticated encryption, bound to the row and column it stands in, and keyed fingerprints by
//! which equal ones are found without opening them. The keys come from a file, which is read on first need and again
//! whenever it has changed, or from the environment; neither they nor what they seal is ever logged or shown by `Debug`.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aes_gcm::aead::Payload;
use hmac::Mac;
use uuid::Uuid;

use crate::refusal::{Failure, Outcome, Refusal};
use crate::settings::Secret;

mod ring;
mod rotation;
mod store;

pub use ring::Algorithm;
use ring::{Key, NONCE_BYTES, Ring, Stamp};
pub use rotation::{KeyUse, Resealed, Rotated, rotate, uses};

/// The form of a sealed text: `v2:<algorithm>:<key id>:<hexadecimal nonce and ciphertext>`.
const FORM: &str = "v2";

/// The form before it, always of AES-256-GCM: `v1:<key id>:<hexadecimal nonce and ciphertext>`. It is opened, and no more
/// written.
const FORM_BEFORE: &str = "v1";

/// The column a text is sealed for. With the row's id it goes into the seal, so that a sealed text that is moved to
/// another row or column does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    HouseholdIdentityNumber,
    HouseholdPhone,
    HouseholdAddress,
    HouseholdBankAccount,
    /// Of the payee a payout was instructed for; the row is the payout's.
    PayoutPayeeName,
    PayoutPayeeAccount,
    /// The account that a payout batch is paid from.
    PayoutBatchDebtorAccount,
    /// The county's own account.
    StatementAccount,
    /// Of whoever paid or was paid.
    StatementLineAccount,
    /// The phone that somebody signs in with.
    PrincipalPhone,
    /// What codes of a second factor are made of; the row is the principal's.
    SecondFactorSecret,
    /// Signs what an institution's own system is told.
    WebhookSecret,
}

/// Where the texts of a kind stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: &'static str,
    /// The column with the id that goes into the seal.
    pub key: &'static str,
    pub column: &'static str,
}

/// What a fingerprint is of, so that those of different things are never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    BankAccount,
    HouseholdIdentityNumber,
    HouseholdPhone,
    StatementLine,
    SignInPhone,
    OneTimeCode,
}

/// The keys, read on first need and again when their file has changed, so that no process needs a restart for a new key.
#[derive(Clone, Debug)]
pub struct Keys {
    source: Source,
    held: Arc<RwLock<Option<Held>>>,
}

#[derive(Clone, Debug)]
enum Source {
    /// Of the environment; a process keeps those it was started with.
    Text(Secret),
    /// Named by the operator; it must be there.
    Named(PathBuf),
    /// Beside an `SQLite` database; made on first need.
    BesideDatabase(PathBuf),
    Missing,
}

/// A ring that was read, and by what it is seen that its file has changed since.
#[derive(Clone, Debug)]
struct Held {
    stamp: Option<Stamp>,
    ring: Arc<Ring>,
}

impl Sealed {
    /// Every kind, for what goes over all that is sealed.
    pub const ALL: [Self; 12] = [
        Self::HouseholdPhone,
        Self::HouseholdBankAccount,
        Self::PayoutPayeeName,
        Self::PayoutPayeeAccount,
        Self::PayoutBatchDebtorAccount,
        Self::StatementAccount,
        Self::StatementLineAccount,
        Self::WebhookSecret,
        Self::HouseholdIdentityNumber,
        Self::HouseholdAddress,
        Self::PrincipalPhone,
        Self::SecondFactorSecret,
    ];

    #[must_use]
    pub const fn place(self) -> Place {
        let (table, key, column) = match self {
            Self::HouseholdPhone => ("household", "id", "phone_sealed"),
            Self::HouseholdBankAccount => ("household", "id", "bank_account_sealed"),
            Self::PayoutPayeeName => ("payout_payee", "payout_id", "name_sealed"),
            Self::PayoutPayeeAccount => ("payout_payee", "payout_id", "account_sealed"),
            Self::PayoutBatchDebtorAccount => ("payout_batch", "id", "debtor_account_sealed"),
            Self::StatementAccount => ("bank_statement", "id", "account_sealed"),
            Self::StatementLineAccount => ("bank_statement_line", "id", "payer_account"),
            Self::WebhookSecret => ("webhook", "id", "secret_sealed"),
            Self::HouseholdIdentityNumber => ("household", "id", "identity_number_sealed"),
            Self::HouseholdAddress => ("household", "id", "address_sealed"),
            Self::PrincipalPhone => ("principal", "id", "phone_sealed"),
            Self::SecondFactorSecret => ("second_factor", "principal_id", "secret_sealed"),
        };
        Place { table, key, column }
    }

    fn bound_to(self, row: Uuid) -> String {
        let column = match self {
            Self::HouseholdIdentityNumber => "household.identity_number",
            Self::HouseholdPhone => "household.phone",
            Self::HouseholdAddress => "household.address",
            Self::HouseholdBankAccount => "household.bank_account",
            Self::PayoutPayeeName => "payout_payee.name",
            Self::PayoutPayeeAccount => "payout_payee.account",
            Self::PayoutBatchDebtorAccount => "payout_batch.debtor_account",
            Self::StatementAccount => "bank_statement.account",
            Self::StatementLineAccount => "bank_statement_line.payer_account",
            Self::PrincipalPhone => "principal.phone",
            Self::SecondFactorSecret => "second_factor.secret",
            Self::WebhookSecret => "webhook.secret",
        };
        format!("{column}:{row}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

impl Keys {
    /// The keys of the file an operator named, or of `zhuxiao.keys` beside an `SQLite` database.
    #[must_use]
    pub fn of(named: Option<&Path>, database_file: Option<&str>) -> Self {
        let source = match (named, database_file) {
            (Some(file), _) => Source::Named(file.to_owned()),
            (None, Some(database)) => {
                Source::BesideDatabase(Path::new(database).with_file_name("zhuxiao.keys"))
            }
            (None, None) => Source::Missing,
        };
        Self { source, held: Arc::default() }
    }

    /// The keys of a text, in the form of a file; commas may stand for ends of lines.
    #[must_use]
    pub fn of_text(text: Secret) -> Self {
        Self { source: Source::Text(text), held: Arc::default() }
    }

    /// The file that keys are added to. Refused for keys that come from elsewhere.
    pub fn file(&self) -> Outcome<&Path> {
        match &self.source {
            Source::Named(file) | Source::BesideDatabase(file) => Ok(file),
            Source::Text(_) => Err(Refusal::WrongState {
                what: "key ring",
                from: "taken from the environment: add the key there".to_owned(),
                attempted: "add",
            }
            .into()),
            Source::Missing => Err(Refusal::KeysMissing.into()),
        }
    }

    /// Appends a fresh key to the file, or makes the file with the first one; answers its id. From now on it seals.
    pub fn add(&self) -> Outcome<String> {
        let file = self.file()?;
        let failed =
            |error: std::io::Error| Failure::Broken(format!("keys file {}: {error}", file.display()));
        if file.try_exists().map_err(failed)? {
            return ring::add(file).map_err(failed);
        }
        ring::make(file).map_err(failed)?;
        Ok(self.ring()?.newest().map(|key| key.id.clone()).unwrap_or_default())
    }

    /// Seals a text for one column of one row. Refused with [`Refusal::KeysMissing`] when there is no key.
    pub fn seal(&self, column: Sealed, row: Uuid, text: &str) -> Outcome<String> {
        let ring = self.ring()?;
        let key = ring.newest().ok_or(Refusal::KeysMissing)?;
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| Failure::Broken(error.to_string()))?;
        let place = column.bound_to(row);
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        let sealed = key
            .seal(nonce, payload)
            .ok_or_else(|| Failure::Broken("a text could not be sealed".to_owned()))?;
        Ok(format!("{}{}{}", prefix(key), hex::encode(nonce), hex::encode(sealed)))
    }

    /// The same text gives the same fingerprint, 64 hexadecimal digits, and without the first key of the ring none gives
    /// it: numbers of accounts are few enough to be tried out against a plain hash (HMAC-SHA-256, RFC 2104).
    pub fn fingerprint(&self, of: Fingerprint, text: &str) -> Outcome<String> {
        let ring = self.ring()?;
        let mut mac = ring.first().ok_or(Refusal::KeysMissing)?.fingerprints();
        mac.update(match of {
            Fingerprint::BankAccount => b"bank_account:".as_slice(),
            Fingerprint::HouseholdIdentityNumber => b"household.identity_number:",
            Fingerprint::HouseholdPhone => b"household.phone:",
            Fingerprint::StatementLine => b"bank_statement_line:",
            Fingerprint::SignInPhone => b"sign_in_phone:",
            Fingerprint::OneTimeCode => b"one_time_code:",
        });
        mac.update(text.as_bytes());
        Ok(hex::encode(mac.finalize().into_bytes()))
    }

    /// Opens what [`Keys::seal`] sealed for the same column and row.
    pub fn open(&self, column: Sealed, row: Uuid, sealed: &str) -> Outcome<String> {
        let broken = |why: &str| Failure::Broken(format!("{} does not open: {why}", column.bound_to(row)));
        let (algorithm, id, body) = parts(sealed).ok_or_else(|| broken("unknown form"))?;
        let algorithm = Algorithm::parse(algorithm).ok_or_else(|| {
            let shown: String = algorithm.chars().take(20).collect();
            broken(&format!("its algorithm {shown} is not known"))
        })?;
        let ring = self.ring()?;
        let key = ring.find(id).filter(|key| key.algorithm == algorithm);
        let key = key.ok_or_else(|| broken("its key is not in the ring"))?;
        let body = hex::decode(body).map_err(|_| broken("not hexadecimal"))?;
        let (nonce, text) = body.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| broken("too short"))?;
        let place = column.bound_to(row);
        let payload = Payload { msg: text, aad: place.as_bytes() };
        let text = key
            .open(*nonce, payload)
            .ok_or_else(|| broken("it was changed, moved or sealed with another key"))?;
        String::from_utf8(text).map_err(|_| broken("not text"))
    }

    /// The ring as its source has it now. A file that cannot be read any more leaves the ring of before in force.
    fn ring(&self) -> Outcome<Arc<Ring>> {
        let stamp = self.stamp();
        let is_current = |held: &&Held| stamp.is_none() || held.stamp == stamp;
        if let Some(held) =
            self.held.read().unwrap_or_else(PoisonError::into_inner).as_ref().filter(is_current)
        {
            return Ok(Arc::clone(&held.ring));
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let ring = match (self.load(), held.as_ref()) {
            (Ok(ring), _) => Arc::new(ring),
            (Err(failure), Some(before)) => {
                tracing::error!(%failure, "the keys file has changed and cannot be read; its keys of before stay");
                Arc::clone(&before.ring)
            }
            (Err(failure), None) => return Err(failure),
        };
        // Not the stamp of a file that has just been made: the next caller looks at it again.
        *held = Some(Held { stamp, ring: Arc::clone(&ring) });
        Ok(ring)
    }

    /// Of the file as it is now; nothing when there is none.
    fn stamp(&self) -> Option<Stamp> {
        match &self.source {
            Source::Named(file) | Source::BesideDatabase(file) => Stamp::of(file),
            Source::Text(_) | Source::Missing => None,
        }
    }

    fn load(&self) -> Outcome<Ring> {
        let broken = |file: &Path, error: &dyn fmt::Display| {
            Failure::Broken(format!("keys file {}: {error}", file.display()))
        };
        match &self.source {
            Source::Missing => Err(Refusal::KeysMissing.into()),
            Source::Text(text) => {
                ring_of(text).map_err(|error| Failure::Broken(format!("setting key_ring: {error}")))
            }
            Source::Named(file) => match Ring::read(file) {
                Ok(ring) => Ok(ring),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    tracing::error!(file = %file.display(), "the keys file does not exist");
                    Err(Refusal::KeysMissing.into())
                }
                Err(error) => Err(broken(file, &error)),
            },
            Source::BesideDatabase(file) => match Ring::read(file) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    ring::make(file).and_then(|()| Ring::read(file)).map_err(|error| broken(file, &error))
                }
                done => done.map_err(|error| broken(file, &error)),
            },
        }
    }
}

/// Why the text of a ring cannot be used, if it cannot.
pub fn check_ring(text: &Secret) -> Result<(), String> {
    ring_of(text).map(|_| ()).map_err(|error| error.to_string())
}

fn ring_of(text: &Secret) -> std::io::Result<Ring> {
    Ring::parse(&text.0.replace(',', "\n"))
}

/// How every text begins that a key seals.
fn prefix(key: &Key) -> String {
    format!("{FORM}:{}:{}:", key.algorithm.name(), key.id)
}

/// How a text may begin that a key opens.
fn prefixes(key: &Key) -> Vec<String> {
    let before = (key.algorithm == Algorithm::Aes256Gcm).then(|| format!("{FORM_BEFORE}:{}:", key.id));
    before.into_iter().chain([prefix(key)]).collect()
}

/// Algorithm, key id and body of a sealed text.
fn parts(sealed: &str) -> Option<(&str, &str, &str)> {
    let (form, rest) = sealed.split_once(':')?;
    let (algorithm, rest) = match form {
        FORM => rest.split_once(':')?,
        FORM_BEFORE => (Algorithm::Aes256Gcm.name(), rest),
        _ => return None,
    };
    let (id, body) = rest.split_once(':')?;
    Some((algorithm, id, body))
}

#[cfg(test)]
mod tests;
