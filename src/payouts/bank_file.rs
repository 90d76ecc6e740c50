//! The file that tells a bank to pay a batch. It is written from what was frozen when the batch was approved, so that it
//! is the same to the byte whenever it is asked for, and every time it is asked for the trail says by whom. Nothing here
//! holds more than a page of payouts in memory, but for a workbook, which cannot be written in pieces.

use tokio::sync::mpsc;
use uuid::Uuid;

use super::payees::{self, Debtor};
use super::rules::end_to_end_id;
use super::{BatchView, CHUNK, Step, events, locked};
use crate::app::App;
use crate::clock::business_day;
use crate::members::access::{Caller, Role};
use crate::members::sealed::Sealed;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail;

mod form;
mod pain001;
mod store;

/// Pieces that wait for the reader.
const PIECES_WAITING_MAX: usize = 2;

/// The forms that banks take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ISO 20022 pain.001.001.09.
    Pain001,
    /// A workbook as people send it to their bank.
    Xlsx,
    /// The same as text.
    Csv,
}

impl Format {
    /// How the name of a file ends.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Pain001 => "xml",
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
        }
    }
}

/// A file on its way, piece by piece. An error in place of a piece means that what came before is not whole.
pub type Pieces = mpsc::Receiver<Result<Vec<u8>, std::io::Error>>;

/// A file for a bank.
#[derive(Debug)]
pub struct BankFile {
    /// With its ending.
    pub name: String,
    pub pieces: Pieces,
}

/// What a file says about a batch.
struct Order {
    batch: BatchView,
    approved: Step,
    debtor: Debtor,
}

/// One payout as a bank is told of it.
struct Line {
    end_to_end_id: String,
    name: String,
    account: String,
    amount: Fen,
}

/// Writes the file of an approved batch.
///
/// Refused with [`Refusal::WrongState`] before the batch is approved, with [`Refusal::SettingMissing`] when it is not set
/// which account it is paid from, and with [`Refusal::Busy`] while others are under way.
pub async fn write(app: &App, caller: &Caller, id: Uuid, format: Format) -> Outcome<BankFile> {
    caller.allow(&[Role::Finance])?;
    let permit = app.exports.begin()?;
    let order = order(app, caller, id, format).await?;
    let name = format!("{}.{}", order.batch.number, format.ending());
    let (sender, pieces) = mpsc::channel(PIECES_WAITING_MAX);
    let app = app.clone();
    tokio::spawn(async move {
        let written = match format {
            Format::Pain001 => pain001(&app, &order, &sender).await,
            Format::Csv => csv(&app, &order, &sender).await,
            Format::Xlsx => xlsx(&app, &order, &sender).await,
        };
        if let Err(failure) = written {
            tracing::warn!(%failure, "a file for the bank broke off");
            let broken = std::io::Error::other("the file broke off");
            let _ = sender.send_timeout(Err(broken), crate::ledger::export::PATIENCE).await;
        }
        drop(permit);
    });
    Ok(BankFile { name, pieces })
}

/// Reads what the file is about and notes in the trail who asked for it.
async fn order(app: &App, caller: &Caller, id: Uuid, format: Format) -> Outcome<Order> {
    let counties = caller.region()?.counties();
    app.db
        .write(|| async {
            let now = app.clock.now();
            let txn = app.db.begin().await?;
            let batch = locked(&txn, &counties, id).await?;
            let refuse = |from: &str| Refusal::WrongState {
                what: "payout batch",
                from: from.to_owned(),
                attempted: "write its file for the bank",
            };
            let approved = batch.approved.clone().ok_or_else(|| refuse(batch.state.as_str()))?;
            if store::payee_count(&txn, id).await? != batch.payout_count {
                return Err(refuse("approved without payees").into());
            }
            let debtor = match payees::debtor(&txn, app, id).await? {
                Some(debtor) => debtor,
                None => payees::freeze_debtor(&txn, app, id).await?,
            };
            let event = events::file_written(&batch, format.ending(), &debtor);
            let event = event.of(&batch, "write_payout_file");
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(Order { batch, approved, debtor }).await
        })
        .await
}

type Sender = mpsc::Sender<Result<Vec<u8>, std::io::Error>>;

async fn pain001(app: &App, order: &Order, sender: &Sender) -> Outcome<()> {
    send(sender, pain001::head(order).into_bytes()).await?;
    let mut after = Uuid::nil();
    while let Some((lines, last)) = lines_after(app, order.batch.id, after).await? {
        after = last;
        let piece: String = lines.iter().map(|line| pain001::transfer(line, &order.batch)).collect();
        send(sender, piece.into_bytes()).await?;
    }
    send(sender, pain001::TAIL.as_bytes().to_vec()).await
}

async fn csv(app: &App, order: &Order, sender: &Sender) -> Outcome<()> {
    send(sender, form::csv_head()?).await?;
    let (mut after, mut written) = (Uuid::nil(), 0);
    while let Some((lines, last)) = lines_after(app, order.batch.id, after).await? {
        after = last;
        send(sender, form::csv_lines(order, &lines, written)?).await?;
        written += lines.len();
    }
    Ok(())
}

async fn xlsx(app: &App, order: &Order, sender: &Sender) -> Outcome<()> {
    let mut book = form::Book::begin()?;
    let mut after = Uuid::nil();
    while let Some((lines, last)) = lines_after(app, order.batch.id, after).await? {
        after = last;
        book.add(order, &lines)?;
    }
    let whole = form::Totals::of(order);
    let bytes = tokio::task::spawn_blocking(move || book.finish(&whole)).await;
    send(sender, bytes.map_err(|error| Failure::Broken(error.to_string()))??).await
}

/// The next payouts of a batch behind one in the order of their ids, opened, and the last of them.
async fn lines_after(app: &App, batch_id: Uuid, after: Uuid) -> Outcome<Option<(Vec<Line>, Uuid)>> {
    let rows = store::payees_after(app.db.reader(), batch_id, after, CHUNK).await?;
    let Some(last) = rows.last().map(|row| row.payout_id) else { return Ok(None) };
    let lines = rows.into_iter().map(|row| {
        let open = |column, sealed: &str| app.keys.open(column, row.payout_id, sealed);
        Ok(Line {
            end_to_end_id: end_to_end_id(row.payout_id),
            name: open(Sealed::PayoutPayeeName, &row.name_sealed)?,
            account: open(Sealed::PayoutPayeeAccount, &row.account_sealed)?,
            amount: Fen::new(row.amount_fen),
        })
    });
    Ok(Some((lines.collect::<Outcome<Vec<_>>>()?, last)))
}

async fn send(sender: &Sender, piece: Vec<u8>) -> Outcome<()> {
    let sent = sender.send_timeout(Ok(piece), crate::ledger::export::PATIENCE).await;
    sent.map_err(|_| Failure::Broken("the reader of a file for the bank went away".to_owned()))
}

impl Order {
    /// The business day of the approval.
    fn day(&self) -> chrono::NaiveDate {
        business_day(self.approved.at)
    }
}
