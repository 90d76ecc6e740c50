//! What is personal at rest: AES-256-GCM, bound to the row and column it stands in, and keyed fingerprints by which equal
//! ones are found without opening them. The keys come from a file that is read on first need; neither they nor what they
//! seal is ever logged or shown by `Debug`.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::refusal::{Failure, Outcome, Refusal};

/// The form of a sealed text: `v1:<key id>:<hexadecimal nonce and ciphertext>`.
const FORM: &str = "v1";

const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;

/// A file of keys is never larger.
const FILE_BYTES_MAX: u64 = 64 << 10;

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

/// The keys, read from their file on first need.
#[derive(Clone, Debug)]
pub struct Keys {
    source: Source,
    ring: Arc<OnceLock<Ring>>,
}

#[derive(Clone, Debug)]
enum Source {
    /// Named by the operator; it must be there.
    Named(PathBuf),
    /// Beside an `SQLite` database; made on first need.
    BesideDatabase(PathBuf),
    Missing,
}

/// One key per line, `id=hexadecimal`; the last one seals, all of them open. The first makes fingerprints, since those
/// stored must stay equal to those made when keys are added.
struct Ring(Vec<Key>);

struct Key {
    id: String,
    cipher: Aes256Gcm,
    fingerprints: Hmac<Sha256>,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Sealed {
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
        };
        format!("{column}:{row}")
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
        Self { source, ring: Arc::default() }
    }

    /// Seals a text for one column of one row. Refused with [`Refusal::KeysMissing`] when there is no key.
    pub fn seal(&self, column: Sealed, row: Uuid, text: &str) -> Outcome<String> {
        let ring = self.ring()?;
        let key = ring.0.last().ok_or(Refusal::KeysMissing)?;
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| Failure::Broken(error.to_string()))?;
        let place = column.bound_to(row);
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        let sealed = key
            .cipher
            .encrypt(&nonce.into(), payload)
            .map_err(|_| Failure::Broken("a text could not be sealed".to_owned()))?;
        Ok(format!("{FORM}:{}:{}{}", key.id, hex::encode(nonce), hex::encode(sealed)))
    }

    /// The same text gives the same fingerprint, 64 hexadecimal digits, and without the first key of the file none gives
    /// it: numbers of accounts are few enough to be tried out against a plain hash (HMAC-SHA-256, RFC 2104).
    pub fn fingerprint(&self, of: Fingerprint, text: &str) -> Outcome<String> {
        let key = self.ring()?.0.first().ok_or(Refusal::KeysMissing)?;
        let mut mac = key.fingerprints.clone();
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
        let mut parts = sealed.splitn(3, ':');
        let (Some(FORM), Some(id), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(broken("unknown form"));
        };
        let ring = self.ring()?;
        let key =
            ring.0.iter().find(|key| key.id == id).ok_or_else(|| broken("its key is not in the file"))?;
        let body = hex::decode(body).map_err(|_| broken("not hexadecimal"))?;
        let (nonce, text) = body.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| broken("too short"))?;
        let place = column.bound_to(row);
        let payload = Payload { msg: text, aad: place.as_bytes() };
        let text = key
            .cipher
            .decrypt(&(*nonce).into(), payload)
            .map_err(|_| broken("it was changed, moved or sealed with another key"))?;
        String::from_utf8(text).map_err(|_| broken("not text"))
    }

    fn ring(&self) -> Outcome<&Ring> {
        if let Some(ring) = self.ring.get() {
            return Ok(ring);
        }
        let ring = self.load()?;
        Ok(self.ring.get_or_init(|| ring))
    }

    fn load(&self) -> Outcome<Ring> {
        let broken = |file: &Path, error: &dyn fmt::Display| {
            Failure::Broken(format!("keys file {}: {error}", file.display()))
        };
        match &self.source {
            Source::Missing => Err(Refusal::KeysMissing.into()),
            Source::Named(file) => match read(file) {
                Ok(ring) => Ok(ring),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    tracing::error!(file = %file.display(), "the keys file does not exist");
                    Err(Refusal::KeysMissing.into())
                }
                Err(error) => Err(broken(file, &error)),
            },
            Source::BesideDatabase(file) => match read(file) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    make(file).and_then(|()| read(file)).map_err(|error| broken(file, &error))
                }
                done => done.map_err(|error| broken(file, &error)),
            },
        }
    }
}

fn read(file: &Path) -> std::io::Result<Ring> {
    use std::io::Read;

    let mut text = String::new();
    std::fs::File::open(file)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|line| parse(line).ok_or_else(|| bad("a line is not id=64 hexadecimal digits")));
    let ring = Ring(keys.collect::<std::io::Result<_>>()?);
    if ring.0.is_empty() { Err(bad("it holds no key")) } else { Ok(ring) }
}

fn parse(line: &str) -> Option<Key> {
    let (id, key) = line.split_once('=')?;
    let (id, key) = (id.trim(), hex::decode(key.trim()).ok()?);
    let is_plain = !id.is_empty() && id.len() <= 40 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let key: [u8; KEY_BYTES] = key.try_into().ok()?;
    // Sealing and fingerprints each take a key of their own, derived where it is not the one of the file.
    let mut derived = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    derived.update(b"zhuxiao fingerprints");
    let fingerprints = Hmac::<Sha256>::new_from_slice(&derived.finalize().into_bytes()).ok()?;
    is_plain.then(|| Key { id: id.to_owned(), cipher: Aes256Gcm::new(&key.into()), fingerprints })
}

fn bad(reason: &str) -> std::io::Error {
    std::io::Error::new(ErrorKind::InvalidData, reason)
}

/// Makes a file with one fresh key that only its owner reads. The name appears with the content in it, so that of two
/// processes that start together one makes the key and both read it.
fn make(file: &Path) -> std::io::Result<()> {
    let secret = crate::id::new_secret().map_err(|error| std::io::Error::other(error.to_string()))?;
    let draft_name = crate::id::new_secret().map_err(|error| std::io::Error::other(error.to_string()))?;
    let draft = file.with_extension(draft_name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&draft)?;
    written.write_all(format!("k1={secret}\n").as_bytes())?;
    written.sync_all()?;
    let linked = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("sealed-{}", crate::id::new_secret().unwrap()));
            std::fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn keys(&self) -> Keys {
            Keys::of(None, self.0.join("some.db").to_str())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const ROW: Uuid = Uuid::from_u128(7);

    #[test]
    fn a_sealed_phone_opens_again_also_for_a_process_that_starts_later() {
        let folder = Folder::new();
        let sealed = folder.keys().seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
        assert!(sealed.starts_with("v1:k1:") && !sealed.contains("13812345678"));
        assert_eq!(folder.keys().open(Sealed::HouseholdPhone, ROW, &sealed).unwrap(), "13812345678");
        let again = folder.keys().seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
        assert_ne!(sealed, again, "two seals of one text must not look alike");
    }

    #[test]
    fn a_seal_moved_to_another_row_or_column_or_changed_does_not_open() {
        let folder = Folder::new();
        let keys = folder.keys();
        let sealed = keys.seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
        assert!(keys.open(Sealed::HouseholdPhone, Uuid::from_u128(8), &sealed).is_err());
        assert!(keys.open(Sealed::HouseholdBankAccount, ROW, &sealed).is_err());
        let flipped = if sealed.ends_with('0') { '1' } else { '0' };
        let changed = format!("{}{flipped}", &sealed[..sealed.len() - 1]);
        assert!(keys.open(Sealed::HouseholdPhone, ROW, &changed).is_err());
        for bad in ["", "13812345678", "v1:k1:", "v1:k1:00", "v1:k9:00112233", "v2:k1:00"] {
            assert!(keys.open(Sealed::HouseholdPhone, ROW, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn after_a_new_key_is_added_old_seals_open_and_new_ones_use_it() {
        let folder = Folder::new();
        let old = folder.keys().seal(Sealed::HouseholdPhone, ROW, "13812345678").unwrap();
        let file = folder.0.join("zhuxiao.keys");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}k2={}\n", "ab".repeat(32))).unwrap();
        let keys = folder.keys();
        assert_eq!(keys.open(Sealed::HouseholdPhone, ROW, &old).unwrap(), "13812345678");
        assert!(keys.seal(Sealed::HouseholdPhone, ROW, "1").unwrap().starts_with("v1:k2:"));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_the_file_that_is_made() {
        use std::os::unix::fs::PermissionsExt;

        let folder = Folder::new();
        folder.keys().seal(Sealed::HouseholdPhone, ROW, "1").unwrap();
        let mode = std::fs::metadata(folder.0.join("zhuxiao.keys")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "the draft is gone");
    }

    #[test]
    fn without_a_file_nothing_is_sealed_and_a_named_file_is_never_made() {
        let folder = Folder::new();
        let named = folder.0.join("named.keys");
        for keys in [Keys::of(None, None), Keys::of(Some(&named), None)] {
            let refused = keys.seal(Sealed::HouseholdPhone, ROW, "1").unwrap_err();
            assert!(matches!(refused, Failure::Refused(Refusal::KeysMissing)));
        }
        assert!(!named.exists());
        std::fs::write(&named, "k1=short\n").unwrap();
        assert!(Keys::of(Some(&named), None).seal(Sealed::HouseholdPhone, ROW, "1").is_err());
    }

    #[test]
    fn a_fingerprint_is_the_same_for_the_same_text_also_after_a_key_is_added_and_differs_by_what_it_is_of() {
        let folder = Folder::new();
        let account = "6228480402564890018";
        let made = folder.keys().fingerprint(Fingerprint::BankAccount, account).unwrap();
        assert_eq!(made.len(), 64);
        let file = folder.0.join("zhuxiao.keys");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}k2={}\n", "ab".repeat(32))).unwrap();
        assert_eq!(folder.keys().fingerprint(Fingerprint::BankAccount, account).unwrap(), made);
        assert_ne!(folder.keys().fingerprint(Fingerprint::StatementLine, account).unwrap(), made);
        assert_ne!(Folder::new().keys().fingerprint(Fingerprint::BankAccount, account).unwrap(), made);
    }

    #[test]
    fn debug_shows_no_key() {
        let folder = Folder::new();
        let keys = folder.keys();
        keys.seal(Sealed::HouseholdPhone, ROW, "1").unwrap();
        let text = std::fs::read_to_string(folder.0.join("zhuxiao.keys")).unwrap();
        let key = text.trim().split_once('=').unwrap().1;
        assert!(!format!("{keys:?}").contains(key));
    }
}
