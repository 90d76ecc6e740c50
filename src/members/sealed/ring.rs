//! The ring of keys: its text, the file it stands in, and how one key seals and opens. A key is never shown, neither by
//! `Debug` nor in a message.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;
use std::time::SystemTime;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::id;

/// Bytes that make two seals of one text differ.
pub const NONCE_BYTES: usize = 12;

/// A file of keys is never larger.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Keys of a ring at most.
const KEYS_MAX: usize = 500;

/// How often the file is opened again because somebody else has replaced it meanwhile.
const ADD_ATTEMPTS_MAX: u32 = 5;

/// How a key seals. Every one authenticates what it seals and where it stands. SM4-GCM, where a norm asks for it, becomes
/// a variant of this and of [`Cipher`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Aes256Gcm,
}

/// A key with its algorithm.
enum Cipher {
    Aes256Gcm(Box<Aes256Gcm>),
}

/// One key per line, `id=hexadecimal` or `id=algorithm:hexadecimal`; the last one seals, all of them open. The first makes
/// fingerprints, since those stored must stay equal to those made when keys are added.
pub struct Ring(Vec<Key>);

pub struct Key {
    pub id: String,
    pub algorithm: Algorithm,
    cipher: Cipher,
    fingerprints: Hmac<Sha256>,
}

/// By which it is seen that a file was replaced or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Algorithm {
    const ALL: [Self; 1] = [Self::Aes256Gcm];

    /// As it stands in a sealed text and in a file of keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes256gcm",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    fn cipher(self, key: &[u8]) -> Option<Cipher> {
        match self {
            Self::Aes256Gcm => Some(Cipher::Aes256Gcm(Box::new(Aes256Gcm::new_from_slice(key).ok()?))),
        }
    }
}

impl Key {
    /// Nothing when the text is too long for its algorithm.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
        match &self.cipher {
            Cipher::Aes256Gcm(cipher) => cipher.encrypt(&nonce.into(), payload).ok(),
        }
    }

    /// Nothing when it was changed, moved or sealed with another key.
    pub fn open(&self, nonce: [u8; NONCE_BYTES], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
        match &self.cipher {
            Cipher::Aes256Gcm(cipher) => cipher.decrypt(&nonce.into(), payload).ok(),
        }
    }

    /// What makes fingerprints with this key.
    pub fn fingerprints(&self) -> Hmac<Sha256> {
        self.fingerprints.clone()
    }

    fn parse(line: &str) -> Result<Self> {
        let malformed = || bad("a line is not id=64 hexadecimal digits");
        let (id, rest) = line.split_once('=').ok_or_else(malformed)?;
        let (id, rest) = (id.trim(), rest.trim());
        let is_plain =
            !id.is_empty() && id.len() <= 40 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_plain {
            return Err(bad("the id of a key is not 1 to 40 letters and digits"));
        }
        let (algorithm, key) = match rest.split_once(':') {
            Some((name, key)) => {
                let known = Algorithm::parse(name.trim());
                // Not shown when it is none of the names there could be: it might be part of a key.
                let shown = if name.len() <= 20 { name.trim() } else { "that is named" };
                (known.ok_or_else(|| bad(&format!("the algorithm {shown} of key {id} is not known")))?, key)
            }
            None => (Algorithm::Aes256Gcm, rest),
        };
        let key = hex::decode(key.trim()).map_err(|_| malformed())?;
        let cipher = algorithm.cipher(&key).ok_or_else(malformed)?;
        // Sealing and fingerprints each take a key of their own, derived where it is not the one of the file.
        let mac = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).map_err(|_| malformed());
        let mut derived = mac(&key)?;
        derived.update(b"zhuxiao fingerprints");
        let fingerprints = mac(&derived.finalize().into_bytes())?;
        Ok(Self { id: id.to_owned(), algorithm, cipher, fingerprints })
    }
}

impl Ring {
    /// Reads the text of a ring. Messages name lines by their ids and hold no key.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<Key> = lines.map(Key::parse).collect::<Result<_>>()?;
        if keys.is_empty() {
            return Err(bad("it holds no key"));
        }
        if keys.len() > KEYS_MAX {
            return Err(bad("it holds more than 500 keys"));
        }
        let mut ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() < keys.len() {
            return Err(bad("two of its keys have the same id"));
        }
        Ok(Self(keys))
    }

    pub fn read(file: &Path) -> Result<Self> {
        Self::parse(&text_of(&File::open(file)?)?)
    }

    /// In the order of the file.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The one that makes fingerprints.
    pub fn first(&self) -> Option<&Key> {
        self.0.first()
    }

    /// The one that seals.
    pub fn newest(&self) -> Option<&Key> {
        self.0.last()
    }

    pub fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Stamp {
    pub fn of(file: &Path) -> Option<Self> {
        let found = std::fs::metadata(file).ok()?;
        Some(Self { modified: found.modified().ok(), bytes: found.len(), inode: found.ino() })
    }
}

/// Makes a file with one fresh key that only its owner reads. The name appears with the content in it, so that of two
/// processes that start together one makes the key and both read it.
pub fn make(file: &Path) -> Result<()> {
    let draft = Draft::write(file, &format!("k1={}\n", fresh()?), 0o600)?;
    match std::fs::hard_link(&draft.0, file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Appends a fresh key to a file and answers its id. The file is replaced at once, so that whoever reads it finds the ring
/// of before or the whole new one; of two that add at once the second waits. Its owner stays the one it had.
pub fn add(file: &Path) -> Result<String> {
    for _ in 0..ADD_ATTEMPTS_MAX {
        let before = File::open(file)?;
        before.lock()?;
        // Whoever held the lock may have put another file into its place.
        if Stamp::of(file).map(|stamp| stamp.inode) == Some(before.metadata()?.ino()) {
            return add_to(file, &before);
        }
    }
    Err(bad("somebody else keeps changing it"))
}

fn add_to(file: &Path, before: &File) -> Result<String> {
    let text = text_of(before)?;
    let ring = Ring::parse(&text)?;
    let id = (ring.0.len().saturating_add(1)..=KEYS_MAX)
        .map(|number| format!("k{number}"))
        .find(|id| ring.find(id).is_none())
        .ok_or_else(|| bad("it cannot hold more keys"))?;
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{newline}{id}={}\n", fresh()?);
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(bad("it cannot hold more keys"));
    }
    let owned = before.metadata()?;
    // A group that was let in stays so; others never are.
    let draft = Draft::write(file, &text, owned.permissions().mode() & 0o040 | 0o600)?;
    let made = std::fs::metadata(&draft.0)?;
    if (made.uid(), made.gid()) != (owned.uid(), owned.gid()) {
        fchown(File::open(&draft.0)?, Some(owned.uid()), Some(owned.gid()))?;
    }
    std::fs::rename(&draft.0, file)?;
    Ok(id)
}

/// A file beside the one that is meant, gone when it is dropped.
struct Draft(std::path::PathBuf);

impl Draft {
    fn write(beside: &Path, text: &str, mode: u32) -> Result<Self> {
        let draft = Self(beside.with_extension(fresh()?));
        let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0)?;
        written.write_all(text.as_bytes())?;
        written.set_permissions(Permissions::from_mode(mode))?;
        written.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn text_of(file: &File) -> Result<String> {
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn fresh() -> Result<String> {
    id::new_secret().map_err(|error| Error::other(error.to_string()))
}

fn bad(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidData, reason)
}
