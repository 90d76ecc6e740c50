//! Rotation: every sealed text is opened and sealed again with the newest key, a bounded batch at a time, beside whoever
//! is served meanwhile. A text that somebody else writes in between is left to them, and to the next pass. What was done
//! stays done when the process is killed; the next run goes on with what is not under the newest key.
//!
//! Fingerprints are not made anew: they compare with what was stored before, so the first key of the ring stays.

use uuid::Uuid;

use super::store::{self, Replacement, SealedText};
use super::{Place, Sealed, prefix, prefixes};
use crate::app::App;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

/// Texts of a batch: one statement and one transaction.
const BATCH: u64 = 500;

/// Passes over all columns, each for what was sealed with an older key during the one before.
const PASSES_MAX: usize = 3;

/// What became of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealed {
    pub place: Place,
    /// Texts sealed again by this run.
    pub texts: u64,
    /// Texts that are not under the newest key now.
    pub left: i64,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The key that everything is sealed with, as far as nothing is left.
    pub key: String,
    pub columns: Vec<Resealed>,
}

impl Rotated {
    #[must_use]
    pub fn texts(&self) -> u64 {
        self.columns.iter().map(|column| column.texts).fold(0, u64::saturating_add)
    }

    #[must_use]
    pub fn left(&self) -> i64 {
        self.columns.iter().map(|column| column.left).fold(0, i64::saturating_add)
    }
}

/// A key, and how many texts are sealed with it.
#[derive(Clone, Debug)]
pub struct KeyUse {
    pub id: String,
    pub algorithm: &'static str,
    pub seals: bool,
    pub makes_fingerprints: bool,
    pub texts: i64,
}

/// Seals everything with the newest key, at most `batches_max` batches of it, and tells after each how many texts it was.
pub async fn rotate(app: &App, batches_max: Option<u64>, tell: impl Fn(Place, u64)) -> Outcome<Rotated> {
    let ring = app.keys.ring()?;
    let key = ring.newest().ok_or(Refusal::KeysMissing)?;
    let newest = Newest { id: key.id.clone(), prefix: prefix(key) };
    let run = Run { app, id: app.ids.next(app.clock.now()), newest };
    let mut columns: Vec<Resealed> =
        Sealed::ALL.map(|column| Resealed { place: column.place(), texts: 0, left: 0 }).to_vec();
    let mut batches_left = batches_max.unwrap_or(u64::MAX);
    for _ in 0..PASSES_MAX {
        for (column, done) in Sealed::ALL.into_iter().zip(&mut columns) {
            done.texts = done.texts.saturating_add(run.pass(column, &mut batches_left, &tell).await?);
            done.left = store::count_without(app.db.reader(), done.place, &run.newest.prefix).await?;
        }
        if batches_left == 0 || columns.iter().all(|column| column.left == 0) {
            break;
        }
    }
    Ok(Rotated { key: run.newest.id, columns })
}

/// Which keys there are and how much each is needed for.
pub async fn uses(app: &App) -> Outcome<Vec<KeyUse>> {
    let ring = app.keys.ring()?;
    let all: Vec<String> = ring.keys().iter().flat_map(prefixes).collect();
    let mut counted: Vec<(String, i64)> = Vec::new();
    for column in Sealed::ALL {
        counted.extend(store::counts(app.db.reader(), column.place(), &all).await?);
    }
    let is = |one: Option<&super::Key>, id: &str| one.is_some_and(|key| key.id == id);
    let uses = ring.keys().iter().map(|key| {
        let own = prefixes(key);
        let texts = counted.iter().filter(|(prefix, _)| own.contains(prefix)).map(|(_, texts)| *texts);
        KeyUse {
            id: key.id.clone(),
            algorithm: key.algorithm.name(),
            seals: is(ring.newest(), &key.id),
            makes_fingerprints: is(ring.first(), &key.id),
            texts: texts.fold(0, i64::saturating_add),
        }
    });
    Ok(uses.collect())
}

/// The key that seals now, and how every text begins that it has sealed.
struct Newest {
    id: String,
    prefix: String,
}

struct Run<'a> {
    app: &'a App,
    id: Uuid,
    newest: Newest,
}

impl Run<'_> {
    /// One pass over a column by id.
    async fn pass(&self, column: Sealed, batches_left: &mut u64, tell: &impl Fn(Place, u64)) -> Outcome<u64> {
        let (reader, place) = (self.app.db.reader(), column.place());
        let (mut resealed, mut after) = (0_u64, Uuid::nil());
        while *batches_left > 0 {
            let texts = store::without_prefix(reader, place, &self.newest.prefix, after, BATCH).await?;
            let Some(last) = texts.last() else { break };
            after = last.id;
            *batches_left = batches_left.saturating_sub(1);
            let written = self.write(column, &texts).await?;
            tell(place, written);
            resealed = resealed.saturating_add(written);
        }
        Ok(resealed)
    }

    /// One batch: its texts and the row of the trail that says so, or nothing.
    async fn write(&self, column: Sealed, texts: &[SealedText]) -> Outcome<u64> {
        let (app, place) = (self.app, column.place());
        let fresh = texts.iter().map(|text| self.replacement(column, text)).collect::<Outcome<Vec<_>>>()?;
        app.db
            .write(|| async {
                let txn = app.db.begin().await?;
                let written = store::replace(&txn, place, &fresh).await?;
                if written > 0 {
                    let actor = Actor::service("command_line");
                    let events = vec![self.event(place, written)];
                    trail::record(&txn, &app.ids, app.clock.now(), &actor, events).await?;
                }
                txn.commit(written).await
            })
            .await
    }

    fn replacement(&self, column: Sealed, text: &SealedText) -> Outcome<Replacement> {
        let clear = self.app.keys.open(column, text.id, &text.text)?;
        let after = self.app.keys.seal(column, text.id, &clear)?;
        if after.starts_with(&self.newest.prefix) {
            Ok(Replacement { id: text.id, before: text.text.clone(), after })
        } else {
            Err(Failure::Broken("a key was added meanwhile; run the rotation again".to_owned()))
        }
    }

    /// How many texts of which column, and never a value. The subject is the run.
    fn event(&self, place: Place, texts: u64) -> Event {
        Event {
            county_code: None,
            household_id: None,
            action: "rotate_keys",
            subject_kind: "key_ring",
            subject_id: self.id,
            before: None,
            after: Some(serde_json::json!({
                "table": place.table, "column": place.column, "texts": texts, "key": self.newest.id,
            })),
        }
    }
}
