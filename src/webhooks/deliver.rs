//! Sends what webhooks are to be told. Every process does it; a lease keeps two from sending the same at the same moment,
//! and ends by itself when a process is killed. A bounded number of attempts is under way, one per webhook; webhooks that
//! fail have their own part of it, so that those that never answer keep no others waiting.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::rules;
use super::store::{self, Attempted, Claimed};
use crate::app::App;
use crate::http::outbound::Refused;
use crate::members::sealed::Sealed;
use crate::refusal::{Failure, Outcome};

/// Attempts under way at most.
pub const WORKERS_MAX: usize = 128;

/// Of those, attempts at webhooks whose last one failed.
pub const FAILING_WORKERS_MAX: usize = 32;

/// How long an attempt may hold its delivery: longer than it may take.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// How long deliveries are kept that have ended, and how many are forgotten at a time.
const KEPT: TimeDelta = TimeDelta::days(30);
const FORGOTTEN_MAX: i64 = 1_000;

/// Sends for as long as the service runs.
pub async fn run(app: App) {
    let mut pause = tokio::time::interval(Duration::from_secs(app.settings.webhook_seconds));
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut sound, mut failing) = (JoinSet::new(), JoinSet::new());
    loop {
        pause.tick().await;
        for (workers, is_failing, most) in [
            (&mut sound, false, WORKERS_MAX.saturating_sub(FAILING_WORKERS_MAX)),
            (&mut failing, true, FAILING_WORKERS_MAX),
        ] {
            while workers.try_join_next().is_some() {}
            match claim(&app, is_failing, most.saturating_sub(workers.len())).await {
                Ok(claimed) => claimed.into_iter().for_each(|one| {
                    let app = app.clone();
                    workers.spawn(async move { attempt(&app, &one).await });
                }),
                Err(failure) => tracing::warn!(%failure, "what webhooks are told could not be looked up"),
            }
        }
    }
}

/// Attempts what is due now, all of it at once and no more than [`run`] would; answers how many attempts it made.
pub async fn sweep(app: &App) -> Outcome<usize> {
    let sound = claim(app, false, WORKERS_MAX.saturating_sub(FAILING_WORKERS_MAX)).await?;
    let failing = claim(app, true, FAILING_WORKERS_MAX).await?;
    let claimed: Vec<Claimed> = sound.into_iter().chain(failing).collect();
    join_all(claimed.iter().map(|one| attempt(app, one))).await;
    Ok(claimed.len())
}

async fn claim(app: &App, is_failing: bool, limit: usize) -> Outcome<Vec<Claimed>> {
    let now = app.clock.now();
    if limit == 0 || !store::is_any_due(app.db.reader(), now).await? {
        return Ok(Vec::new());
    }
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let claimed = store::claim(&txn, (now, now + LEASE), is_failing, limit).await?;
            txn.commit(claimed).await
        })
        .await
}

/// One attempt and what became of it. What cannot even be noted is attempted again when its lease has ended.
async fn attempt(app: &App, delivery: &Claimed) {
    let sent = send(app, delivery).await;
    let (status, error) = match sent {
        Ok(status) if (200..300).contains(&status) => (Some(status), None),
        Ok(status) => (Some(status), Some(format!("answered {status}"))),
        Err(why) => (None, Some(why)),
    };
    let at = app.clock.now();
    let pause = rules::pause_after(delivery.attempts).filter(|_| error.is_some());
    let attempted = Attempted {
        delivery,
        status: status.map(i32::from),
        error,
        next_at: pause.map(|pause| at + pause),
        at,
    };
    let noted = app.db.write(|| async {
        let txn = app.db.begin().await?;
        let noted = store::note(&txn, &attempted).await?;
        txn.commit(noted).await
    });
    if let Err(failure) = noted.await {
        tracing::warn!(%failure, delivery = %delivery.id, "an attempt could not be noted");
    }
}

/// The status that was answered, or why there was none.
async fn send(app: &App, delivery: &Claimed) -> Result<u16, String> {
    let broken = |failure: Failure| {
        tracing::error!(%failure, delivery = %delivery.id, "a delivery could not be prepared");
        "could not be prepared".to_owned()
    };
    let webhook =
        store::live(app.db.reader(), delivery.webhook_id).await.map_err(|error| broken(error.into()))?;
    let webhook = webhook.ok_or("the webhook was deleted")?;
    let secret = app.keys.open(Sealed::WebhookSecret, webhook.id, &webhook.secret_sealed).map_err(broken)?;
    let (id, timestamp) = (delivery.id.to_string(), app.clock.now().timestamp());
    let signature = rules::signature(&secret, &id, timestamp, delivery.payload.as_bytes())
        .ok_or_else(|| broken(Failure::Broken("the secret of a webhook is none".to_owned())))?;
    let timestamp = timestamp.to_string();
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", id.as_str()),
        ("webhook-timestamp", timestamp.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    let sent = app.outbound.post(&webhook.url, &headers, delivery.payload.clone().into_bytes()).await;
    sent.map(|answer| answer.status).map_err(|refused| told(&refused))
}

/// Why there was no answer, without what a network library says about itself.
fn told(refused: &Refused) -> String {
    match refused {
        Refused::Unreachable(_) => "no connection".to_owned(),
        other => other.to_string(),
    }
}

/// Forgets deliveries that ended long ago, at most [`FORGOTTEN_MAX`] of them; answers how many.
pub async fn forget_old(app: &App) -> Outcome<u64> {
    let before = app.clock.now() - KEPT;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let forgotten = store::forget(&txn, before, FORGOTTEN_MAX).await?;
            txn.commit(forgotten).await
        })
        .await
}
