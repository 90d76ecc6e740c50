//! The whole ledger as a text that other programs check: all accounts declared, every posting, and what every account
//! must hold at the end of every day on which it moved. Written piece by piece, so that memory does not grow with the
//! ledger, and read from one snapshot, so that it balances while others write.

use std::sync::Arc;
use std::time::Duration;

use chrono::{Datelike, NaiveDate};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

use super::rules::{AccountKey, AccountKind};
use crate::app::App;
use crate::db::{Reader, Snapshot};
use crate::members::access::{Caller, CountyScope};
use crate::refusal::{Failure, Outcome, Refusal};

mod store;
mod text;

use store::{AccountRow, BATCH, Figure, Place, PostingRow};
pub use text::Format;
use text::{Account, Claim, Entry};

/// Exports at the same time; each holds a connection for as long as its reader takes.
const EXPORTS_MAX: usize = 2;

/// A reader who takes nothing for so long is gone, and the snapshot is given up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pieces that wait for the reader.
const PIECES_WAITING_MAX: usize = 4;

/// Which part of the ledger, and for which program.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub format: Format,
    pub counties: CountyScope,
    /// The days before it become opening balances.
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

/// The exports that are under way in this process.
#[derive(Clone, Debug)]
pub struct Exports(Arc<Semaphore>);

impl Default for Exports {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(EXPORTS_MAX)))
    }
}

impl Exports {
    /// Leave to write one more file.
    ///
    /// Refused with [`Refusal::Busy`] while [`EXPORTS_MAX`] others are under way.
    pub fn begin(&self) -> Outcome<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        Ok(permit.map_err(|_| Refusal::Busy { retry_after_seconds: 10 })?)
    }
}

/// A ledger on its way, piece by piece. An error in place of a piece means that what came before is not whole.
pub type Pieces = mpsc::Receiver<Result<String, std::io::Error>>;

/// Exports the ledger of the caller's counties.
///
/// Refused with [`Refusal::Busy`] while [`EXPORTS_MAX`] others are under way.
pub async fn export(
    app: &App,
    caller: &Caller,
    format: Format,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Outcome<Pieces> {
    let counties = super::counties_of(caller)?;
    let wanted = Wanted { format, counties, from, to };
    check(&wanted)?;
    let permit = app.exports.begin()?;
    let snapshot = app.db.reader().snapshot().await?;
    let (sender, pieces) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::spawn(async move {
        if let Err(failure) = write(&snapshot, &wanted, &sender).await {
            tracing::warn!(%failure, "an export of the ledger broke off");
            let broken = std::io::Error::other("the export broke off");
            let _ = sender.send_timeout(Err(broken), PATIENCE).await;
        }
        drop(permit);
    });
    Ok(pieces)
}

/// The same for whoever runs the service, of any counties.
pub async fn export_all(reader: &Reader, wanted: Wanted) -> Outcome<Pieces> {
    check(&wanted)?;
    let snapshot = reader.snapshot().await?;
    let (sender, pieces) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::spawn(async move {
        if let Err(failure) = write(&snapshot, &wanted, &sender).await {
            let broken = std::io::Error::other(failure.to_string());
            let _ = sender.send(Err(broken)).await;
        }
    });
    Ok(pieces)
}

/// Years of four digits only, as neither program reads others, and a period that does not end before it begins.
fn check(wanted: &Wanted) -> Result<(), Refusal> {
    for (name, day) in [("/from", wanted.from), ("/to", wanted.to)] {
        if day.is_some_and(|day| !(1900..=9998).contains(&day.year())) {
            return Err(Refusal::invalid(name, "a day from 1900-01-01 to 9998-12-31"));
        }
    }
    match (wanted.from, wanted.to) {
        (Some(from), Some(to)) if to < from => Err(Refusal::invalid("/to", format!("not before {from}"))),
        _ => Ok(()),
    }
}

type Sender = mpsc::Sender<Result<String, std::io::Error>>;

async fn write(snapshot: &Snapshot, wanted: &Wanted, sender: &Sender) -> Outcome<()> {
    let days = store::days(snapshot, &wanted.counties, wanted.from, wanted.to).await?;
    let first = wanted.from.or_else(|| days.first().copied()).unwrap_or_default();
    let format = wanted.format;
    send(sender, format.head(&scope_of(&wanted.counties), first)).await?;
    accounts(snapshot, wanted, Figure::Stored, sender, |account, _| format.declaration(account, first))
        .await?;
    if let Some(from) = wanted.from {
        claim(snapshot, wanted, (Claim::Opening, Figure::Before(from), from), sender).await?;
    }
    for day in &days {
        postings(snapshot, wanted, *day, sender).await?;
        claim(snapshot, wanted, (Claim::EndOfDay, Figure::AtEndOf(*day), *day), sender).await?;
    }
    // What is kept with an account is its balance now, so it says nothing about an earlier day.
    if wanted.to.is_none() {
        let last = days.last().copied().unwrap_or(first);
        claim(snapshot, wanted, (Claim::Stored, Figure::Stored, last), sender).await?;
    }
    Ok(())
}

/// The balances of accounts as of a day. Opening balances of nothing are left out.
async fn claim(
    snapshot: &Snapshot,
    wanted: &Wanted,
    (claim, figure, day): (Claim, Figure, NaiveDate),
    sender: &Sender,
) -> Outcome<()> {
    let format = wanted.format;
    send(sender, format.claims(claim, day)).await?;
    accounts(snapshot, wanted, figure, sender, |account, row| {
        if claim == Claim::Opening && row.balance_fen == 0 {
            return String::new();
        }
        format.claim(claim, day, account, crate::money::Fen::new(row.balance_fen))
    })
    .await
}

/// One text for every account, batch by batch.
async fn accounts(
    snapshot: &Snapshot,
    wanted: &Wanted,
    figure: Figure,
    sender: &Sender,
    text: impl Fn(&Account, &AccountRow) -> String,
) -> Outcome<()> {
    let mut after: Option<Uuid> = None;
    loop {
        let rows = store::accounts(snapshot, &wanted.counties, figure, after).await?;
        let mut piece = String::new();
        for row in &rows {
            let account = account_of(&row.county_code, &row.kind, row.owner_id)?;
            piece.push_str(&text(&account, row));
        }
        send(sender, piece).await?;
        after = rows.last().map(|row| row.id);
        if rows.len() < BATCH {
            return Ok(());
        }
    }
}

/// The entries of a day with their postings. An entry may be longer than a batch.
async fn postings(snapshot: &Snapshot, wanted: &Wanted, day: NaiveDate, sender: &Sender) -> Outcome<()> {
    let mut place: Option<Place> = None;
    loop {
        let rows = store::postings(snapshot, &wanted.counties, day, place.as_ref()).await?;
        let mut piece = String::new();
        for row in &rows {
            let entry = entry_of(row);
            if place.as_ref().is_none_or(|place| place.entry_id != entry.id) {
                piece.push_str(&wanted.format.entry(&entry));
            }
            let account = account_of(&row.account_county, &row.account_kind, row.owner_id)?;
            let amount = crate::money::Fen::new(row.amount_fen);
            piece.push_str(&wanted.format.posting(&entry, row.line_no, &account, amount));
            place = Some(Place {
                county_code: row.entry_county.clone(),
                entry_id: row.entry_id,
                line_no: row.line_no,
            });
        }
        send(sender, piece).await?;
        if rows.len() < BATCH {
            return Ok(());
        }
    }
}

async fn send(sender: &Sender, piece: String) -> Outcome<()> {
    if piece.is_empty() {
        return Ok(());
    }
    let sent = sender.send_timeout(Ok(piece), PATIENCE).await;
    sent.map_err(|_| Failure::Broken("the reader of an export went away".to_owned()))
}

fn scope_of(counties: &CountyScope) -> String {
    let CountyScope { from, before } = counties;
    if from.is_empty() {
        "all counties".to_owned()
    } else {
        format!("counties from {from} to before {before}")
    }
}

fn account_of(county_code: &str, kind: &str, owner: Option<Uuid>) -> Outcome<Account> {
    let kind =
        AccountKind::parse(kind).ok_or_else(|| Failure::Broken(format!("unknown account kind {kind}")))?;
    Ok(Account { county_code: county_code.to_owned(), key: AccountKey { kind, owner } })
}

fn entry_of(row: &PostingRow) -> Entry {
    Entry {
        id: row.entry_id,
        county_code: row.entry_county.clone(),
        kind: row.entry_kind.clone(),
        source_kind: row.source_kind.clone(),
        source_id: row.source_id,
        occurred_on: row.occurred_on,
        reverses_id: row.reverses_id,
    }
}
