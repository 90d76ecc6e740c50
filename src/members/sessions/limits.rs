//! How often somebody may fail to sign in: for one account, for one phone, and from one peer. Counted in the cache, which
//! goes on in this process when Redis is away.

use std::time::Duration;

use super::Credentials;
use crate::app::App;
use crate::id::secret_hash;
use crate::refusal::{Outcome, Refusal};

/// A code is used up by wrong tries of its own; several codes make this many times as many.
const CODES: u64 = 2;

/// Failed sign-ins of one peer that the trail takes within a window; those beyond are still answered and counted.
const NOTED_MAX: u64 = 200;

/// The limits of one sign-in.
pub struct Limits {
    limits: [Limit; 2],
    noted: String,
}

/// How many failures something may have within the window.
struct Limit {
    counter: String,
    failures_max: u64,
}

impl Limits {
    /// For a password its account, for a code its phone, and for both the peer, behind which a whole office may sit.
    pub fn of(app: &App, credentials: &Credentials, peer: &str) -> Self {
        let tries_max = app.settings.sign_in_tries_max;
        let own = match credentials {
            Credentials::Password { account, .. } => Limit {
                counter: format!("sign_in:account:{}", secret_hash(account)),
                failures_max: tries_max,
            },
            Credentials::OneTimeCode { phone, .. } => Limit {
                counter: format!("sign_in:phone:{}", secret_hash(phone)),
                failures_max: tries_max.saturating_mul(CODES),
            },
        };
        let of_peer = Limit {
            counter: format!("sign_in:peer:{peer}"),
            failures_max: app.settings.sign_in_peer_tries_max,
        };
        Self { limits: [own, of_peer], noted: format!("sign_in:noted:{peer}") }
    }

    pub async fn check(&self, app: &App) -> Outcome<()> {
        for limit in &self.limits {
            if app.cache.counted(&limit.counter).await >= limit.failures_max {
                let retry_after_seconds = app.settings.sign_in_window_seconds;
                return Err(Refusal::TooManyAttempts { retry_after_seconds }.into());
            }
        }
        Ok(())
    }

    pub async fn count_failure(&self, app: &App) {
        for limit in &self.limits {
            app.cache.count(&limit.counter, window(app)).await;
        }
    }

    /// After a success the own failures are forgotten, those of the peer are not.
    pub async fn forget(&self, app: &App) {
        let [own, _] = &self.limits;
        app.cache.forget_count(&own.counter).await;
    }

    /// Whether one more failure goes into the trail.
    pub async fn may_note(&self, app: &App) -> bool {
        app.cache.count(&self.noted, window(app)).await <= NOTED_MAX
    }
}

fn window(app: &App) -> Duration {
    Duration::from_secs(app.settings.sign_in_window_seconds)
}
