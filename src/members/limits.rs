//! How often somebody may show a wrong secret within a window: counted in the cache, which goes on in this process when
//! Redis is away. Tries that arrive together are counted one by one as they fail, and whoever was too many by then is
//! answered like any other that is too many, also with the right secret: a wave of guesses learns no more than one after
//! the other.

use std::time::Duration;

use crate::app::App;
use crate::refusal::{Outcome, Refusal};

/// The limits of one try.
#[derive(Clone, Debug)]
pub struct Limits(Vec<Limit>);

/// How many failures something may have within the window.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What is counted, such as `sign_in:peer:127.0.0.1`. Never a secret or a number of somebody.
    pub counter: String,
    pub failures_max: u64,
}

impl Limits {
    #[must_use]
    pub const fn new(limits: Vec<Limit>) -> Self {
        Self(limits)
    }

    /// Refuses a try that is too many already. Asked before the secret is looked at, and again once it proved right.
    pub async fn check(&self, app: &App) -> Outcome<()> {
        for limit in &self.0 {
            if app.cache.counted(&limit.counter).await >= limit.failures_max {
                return Err(too_many(app).into());
            }
        }
        Ok(())
    }

    /// Counts a failure; refused when it was one too many.
    pub async fn count_failure(&self, app: &App) -> Outcome<()> {
        let mut is_within = true;
        for limit in &self.0 {
            is_within &= app.cache.count(&limit.counter, window(app)).await <= limit.failures_max;
        }
        if is_within { Ok(()) } else { Err(too_many(app).into()) }
    }

    /// Forgets the failures of the first limit, which is the one of the secret itself.
    pub async fn forget(&self, app: &App) {
        if let Some(own) = self.0.first() {
            app.cache.forget_count(&own.counter).await;
        }
    }
}

/// The time within which failures are counted.
#[must_use]
pub fn window(app: &App) -> Duration {
    Duration::from_secs(app.settings.sign_in_window_seconds)
}

/// The refusal of one that is too many.
#[must_use]
pub fn too_many(app: &App) -> Refusal {
    Refusal::TooManyAttempts { retry_after_seconds: app.settings.sign_in_window_seconds }
}
