//! The chain that makes the audit trail tamper-evident: whatever has been written is taken in, in the background, by links
//! whose digests are made of every field of every event and of the link before. An event that is edited, removed, put in
//! or moved afterwards breaks it; a chain that was cut or written anew does not hold a head that was kept elsewhere.
//!
//! What was written since the last link, some seconds, is not chained yet.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::app::App;
use crate::clock::Clock;
use crate::id;
use crate::refusal::Outcome;

mod rules;
mod store;

pub use rules::{Break, Head};

/// Events of one link at most.
const EVENTS_MAX: usize = 1_000;

/// Links made by one sweep at most; the next one goes on.
const LINKS_MAX: usize = 20;

/// Links read at a time.
const LINKS_READ: u64 = 8;

/// An event may become visible so long after others that were made later, as its transaction took longer. Every sweep
/// looks that far back; what turns up behind the links after that was put in.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// Chains what no link holds yet, and answers how many events that were. Any number of processes may do it.
pub async fn sweep(app: &App) -> Outcome<usize> {
    let now = app.clock.now();
    let last = store::last_chained(app.db.reader()).await?;
    let mut from = last.map_or(Uuid::nil(), |last| settled_before(last, now));
    let mut chained = 0_usize;
    for _ in 0..LINKS_MAX {
        let Some((added, last)) = link(app, from).await? else { break };
        chained = chained.saturating_add(added);
        from = last;
    }
    Ok(chained)
}

/// Chains events from an id on by one link, and answers how many and the last of them. Nothing is chained when there is
/// none or another process was first.
async fn link(app: &App, from: Uuid) -> Outcome<Option<(usize, Uuid)>> {
    let (reader, now) = (app.db.reader(), app.clock.now());
    // The head before the events: a link that comes between takes the number, and this one adds nothing.
    let before = store::head(reader).await?.unwrap_or_else(Head::beginning);
    let events: Vec<(Uuid, String)> = store::unchained(reader, from, EVENTS_MAX)
        .await?
        .iter()
        .map(|event| (event.id, rules::event_digest(event)))
        .collect();
    let Some((last, _)) = events.last() else { return Ok(None) };
    let number = before.number.saturating_add(1);
    let digests = events.iter().map(|(_, digest)| digest.as_str());
    let link = Head { number, digest: rules::link_digest(&before.digest, number, digests) };
    let additions = store::additions(app.db.backend(), &link, &events, now);
    let written = app.db.write_at_once(additions.into(), ()).await?;
    Ok(written.is_ok().then_some((events.len(), *last)))
}

/// The newest link: print it, keep it elsewhere, and compare it later.
pub async fn head(connection: &impl ConnectionTrait) -> Outcome<Option<Head>> {
    Ok(store::head(connection).await?)
}

/// What is not as it was chained, at most `limit` of it and a few more. With `since`, only what was chained since then.
pub async fn verify(
    connection: &impl ConnectionTrait,
    since: Option<DateTime<Utc>>,
    limit: usize,
) -> Outcome<Vec<Break>> {
    let mut before = match since {
        Some(since) => {
            let number = store::last_before(connection, since).await?;
            store::link_of(connection, number).await?.unwrap_or_else(Head::beginning)
        }
        None => Head::beginning(),
    };
    let mut breaks = put_in(connection, since, limit).await?;
    while breaks.len() < limit {
        let links = store::links_after(connection, before.number, LINKS_READ).await?;
        let (Some(first), Some(last)) = (links.first(), links.last()) else { break };
        let held = store::chained(connection, first.head.number, last.head.number).await?;
        let mut held = held.chunk_by(|one, other| one.link_number == other.link_number).peekable();
        for link in links {
            let own =
                held.next_if(|held| held.first().is_some_and(|one| one.link_number == link.head.number));
            breaks.extend(rules::breaks(&before, &link, own.unwrap_or_default()));
            before = link.head;
        }
    }
    Ok(breaks)
}

/// Whether the chain still holds a head that was kept elsewhere.
pub async fn compare(connection: &impl ConnectionTrait, kept: &Head) -> Outcome<Option<Break>> {
    let stored = store::link_of(connection, kept.number).await?;
    let is_same = stored.as_ref() == Some(kept);
    Ok((!is_same).then(|| Break {
        table: "trail_link",
        row_id: kept.number.to_string(),
        column: "digest",
        stored: stored.map(|stored| stored.digest),
        recomputed: Some(kept.digest.clone()),
        what: "the chain holds the head that was kept",
    }))
}

/// Events that turned up behind what is chained.
async fn put_in(
    connection: &impl ConnectionTrait,
    since: Option<DateTime<Utc>>,
    limit: usize,
) -> Outcome<Vec<Break>> {
    let Some(last) = store::last_chained(connection).await? else { return Ok(Vec::new()) };
    let from = since.map_or(Uuid::nil(), id::first_of);
    let before = settled_before(last, Clock::System.now());
    let ids = store::passed_over(connection, from, before, limit).await?;
    let put_in = |id: Uuid| Break {
        table: "audit_event",
        row_id: id.to_string(),
        column: "id",
        stored: Some(id.to_string()),
        recomputed: None,
        what: "no event was put in behind what is chained",
    };
    Ok(ids.into_iter().map(put_in).collect())
}

/// The first id of the moment before which every transaction had ended when an event of this id was chained. An id of days
/// to come, such as the demo has, says nothing about what is written now.
fn settled_before(last: Uuid, now: DateTime<Utc>) -> Uuid {
    let at = id::moment_of(last).map(|at| at.min(now));
    at.and_then(|at| at.checked_sub_signed(LATE)).map_or(Uuid::nil(), id::first_of)
}
