//! Password hashing with Argon2id, a bounded number at a time and off the request threads, so that a wave of sign-ins
//! does not starve everybody else. No password is ever kept, logged or compared in the clear.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::refusal::{Failure, Outcome};

/// Two passes; with 19 MiB or more this is the OWASP password storage recommendation for Argon2id.
const PASSES: u32 = 2;

/// Hashes and verifies passwords.
#[derive(Clone, Debug)]
pub struct Hashing {
    permits: Arc<Semaphore>,
    memory_kib: u32,
    /// A hash no password matches: unknown accounts take as long as known ones.
    decoy: Arc<tokio::sync::OnceCell<String>>,
}

impl Hashing {
    #[must_use]
    pub fn new(parallel: usize, memory_kib: u32) -> Self {
        Self { permits: Arc::new(Semaphore::new(parallel)), memory_kib, decoy: Arc::default() }
    }

    /// A PHC string with its own salt.
    pub async fn hash(&self, password: &str) -> Outcome<String> {
        let password = password.to_owned();
        self.run(move |argon2| argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).ok())
            .await?
            .ok_or_else(|| Failure::Broken("a password could not be hashed".to_owned()))
    }

    /// Whether `password` is the one behind `stored`. Without a stored hash the answer is no, after the same work.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Outcome<bool> {
        let decoy = self.decoy.get_or_try_init(|| self.hash("no one has this password")).await?;
        let is_known = stored.is_some();
        let password = password.to_owned();
        let stored = stored.unwrap_or(decoy).to_owned();
        let matches = self
            .run(move |argon2| {
                PasswordHash::new(&stored)
                    .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(is_known && matches)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Argon2<'_>) -> T + Send + 'static,
    ) -> Outcome<T> {
        let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| broken(&error))?;
        let params = Params::new(self.memory_kib, PASSES, 1, None).map_err(|error| broken(&error))?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
        })
        .await
        .map_err(|error| broken(&error))
    }
}
