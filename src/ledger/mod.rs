//! The double-entry ledger. Entries and postings are only added, never changed; a correction is the reversed entry,
//! naming the original. Debit is positive, credit is negative, and every entry sums to zero before it is written.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, CountyScope, Role};
use crate::money::Fen;
use crate::refusal::{Failure, Outcome, Refusal};

pub mod api;
pub mod export;
mod rules;
mod store;

pub use rules::{AccountKey, AccountKind};

/// An entry to be posted.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Six digits.
    pub county_code: String,
    /// What happened, such as `acceptance`.
    pub kind: &'static str,
    /// The table of the row that made it, such as `settlement`, and the row.
    pub source_kind: &'static str,
    pub source_id: Uuid,
    /// The business day it counts for.
    pub occurred_on: NaiveDate,
    /// Debit positive, credit negative.
    pub postings: Vec<(AccountKey, Fen)>,
}

/// An account with its balance today, or at the end of a day.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub id: Uuid,
    pub county_code: String,
    pub kind: AccountKind,
    pub owner_id: Option<Uuid>,
    pub balance: Fen,
}

/// One side of an entry, as the account sees it.
#[derive(Clone, Debug)]
pub struct PostingView {
    pub entry_id: Uuid,
    pub occurred_on: NaiveDate,
    pub amount: Fen,
    pub kind: String,
    pub source_kind: String,
    pub source_id: Uuid,
    pub reverses_id: Option<Uuid>,
}

/// An entry with all its sides.
#[derive(Clone, Debug)]
pub struct EntryView {
    pub id: Uuid,
    pub county_code: String,
    pub kind: String,
    pub source_kind: String,
    pub source_id: Uuid,
    pub occurred_on: NaiveDate,
    pub reverses_id: Option<Uuid>,
    pub reversed_by_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub postings: Vec<SideView>,
}

/// One side of an entry, as the entry sees it.
#[derive(Clone, Debug)]
pub struct SideView {
    pub account_id: Uuid,
    pub kind: AccountKind,
    pub owner_id: Option<Uuid>,
    pub amount: Fen,
}

/// Which accounts are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountFilter {
    pub kind: Option<AccountKind>,
    pub owner_id: Option<Uuid>,
    /// Balances at the end of this day instead of the stored ones.
    pub as_of: Option<NaiveDate>,
}

/// Posts an entry and answers its id. The number of statements does not depend on the number of postings.
///
/// [`Failure::Broken`] before anything is written when the postings are no entry: unbalanced, or on fewer than two
/// accounts after equal ones are merged and zeros dropped.
pub async fn post(txn: &WriteTxn, app: &App, new: NewEntry) -> Outcome<Uuid> {
    let postings = rules::balanced(&new.postings).map_err(|error| Failure::Broken(error.to_string()))?;
    let now = app.clock.now();
    let entry = store::EntryRow {
        id: app.ids.next(now),
        county_code: new.county_code,
        kind: new.kind.to_owned(),
        source_kind: new.source_kind.to_owned(),
        source_id: new.source_id,
        occurred_on: new.occurred_on,
        reverses_id: None,
        created_at: now,
    };
    let keys: Vec<AccountKey> = postings.iter().map(|posting| posting.0).collect();
    let accounts = accounts(txn, app, &entry.county_code, &keys).await?;
    let sides = postings.into_iter().map(|(key, amount)| {
        let account = accounts.get(&key).ok_or_else(|| Failure::Broken(format!("no account {key:?}")))?;
        Ok((account.clone(), amount))
    });
    let sides = sides.collect::<Outcome<Vec<_>>>()?;
    store::insert_entry(txn, &entry).await?;
    write_sides(txn, &entry, &sides).await?;
    Ok(entry.id)
}

/// Posts the reversed entry of `entry_id`, which names it, and answers its id.
///
/// Refused with [`Refusal::WrongState`] when it was reversed before or is a reversal itself.
pub async fn reverse(txn: &WriteTxn, app: &App, entry_id: Uuid, occurred_on: NaiveDate) -> Outcome<Uuid> {
    let original = store::find_entry(txn, entry_id).await?.ok_or(Refusal::NotFound("ledger entry"))?;
    let refused = |from: &str| Refusal::WrongState {
        what: "ledger entry",
        from: from.to_owned(),
        attempted: "reverse it",
    };
    if original.reverses_id.is_some() {
        return Err(refused("a reversal").into());
    }
    if occurred_on < original.occurred_on {
        return Err(Failure::Broken(format!("entry {entry_id} cannot be reversed before it occurred")));
    }
    let now = app.clock.now();
    let reversal = store::EntryRow {
        id: app.ids.next(now),
        occurred_on,
        reverses_id: Some(entry_id),
        created_at: now,
        ..original
    };
    if !store::insert_entry(txn, &reversal).await? {
        return Err(refused("reversed").into());
    }
    let accounts = store::accounts_of(txn, entry_id).await?;
    let sides: Vec<_> = accounts.into_iter().map(|(account, amount)| (account, amount.negated())).collect();
    write_sides(txn, &reversal, &sides).await?;
    Ok(reversal.id)
}

/// The accounts the caller may see, newest first. Finance and auditors whose region holds the whole county.
pub async fn list_accounts(
    app: &App,
    caller: &Caller,
    filter: AccountFilter,
    request: PageRequest,
) -> Outcome<Page<AccountView>> {
    let counties = counties_of(caller)?;
    let rows = store::list_accounts(app.db.reader(), &counties, filter, request).await?;
    let views = rows.into_iter().map(AccountView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |account| account.id))
}

/// The postings of an account, newest first.
pub async fn list_postings(
    app: &App,
    caller: &Caller,
    account_id: Uuid,
    request: PageRequest,
) -> Outcome<Page<PostingView>> {
    let counties = counties_of(caller)?;
    if !store::account_exists(app.db.reader(), &counties, account_id).await? {
        return Err(Refusal::NotFound("ledger account").into());
    }
    let rows = store::list_postings(app.db.reader(), account_id, request).await?;
    Ok(Page::cut(rows, request, |posting| posting.entry_id))
}

/// An entry with all its sides.
pub async fn find_entry(app: &App, caller: &Caller, entry_id: Uuid) -> Outcome<EntryView> {
    let counties = counties_of(caller)?;
    let reader = app.db.reader();
    let found = store::find_entry(reader, entry_id).await?;
    let entry = found
        .filter(|entry| counties.contains(&entry.county_code))
        .ok_or(Refusal::NotFound("ledger entry"))?;
    let sides = store::sides_of(reader, entry_id).await?;
    let postings = sides.into_iter().map(SideView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(EntryView {
        reversed_by_id: store::reversal_of(reader, entry_id).await?,
        id: entry.id,
        county_code: entry.county_code,
        kind: entry.kind,
        source_kind: entry.source_kind,
        source_id: entry.source_id,
        occurred_on: entry.occurred_on,
        reverses_id: entry.reverses_id,
        created_at: entry.created_at,
        postings,
    })
}

fn counties_of(caller: &Caller) -> Result<CountyScope, Refusal> {
    caller.allow(&[Role::Finance, Role::Auditor])?;
    Ok(caller.region()?.counties())
}

/// The accounts of `keys`; those that are missing are made first.
async fn accounts(
    txn: &WriteTxn,
    app: &App,
    county_code: &str,
    keys: &[AccountKey],
) -> Outcome<HashMap<AccountKey, store::AccountRow>> {
    let mut found = store::find_accounts(txn, county_code, keys).await?;
    if found.len() < keys.len() {
        let now = app.clock.now();
        let new: Vec<(Uuid, AccountKey)> = keys.iter().map(|key| (app.ids.next(now), *key)).collect();
        store::insert_missing_accounts(txn, county_code, &new, now).await?;
        found = store::find_accounts(txn, county_code, keys).await?;
    }
    found.into_iter().map(|row| Ok((row.key()?, row))).collect()
}

/// Adds the postings and moves the stored balances.
async fn write_sides(
    txn: &WriteTxn,
    entry: &store::EntryRow,
    sides: &[(store::AccountRow, Fen)],
) -> Outcome<()> {
    for (account, amount) in sides {
        // SQLite would go on in floating point where PostgreSQL refuses; there the balance read is the one written.
        account
            .balance_fen
            .checked_add(amount.get())
            .ok_or_else(|| Failure::Broken(format!("account {} cannot hold {amount} more", account.id)))?;
    }
    let postings: Vec<(Uuid, Fen)> = sides.iter().map(|(account, amount)| (account.id, *amount)).collect();
    store::lock_accounts(txn, postings.iter().map(|posting| posting.0)).await?;
    store::insert_postings(txn, entry, &postings).await?;
    let moved = store::move_balances(txn, &postings).await?;
    if usize::try_from(moved).ok() == Some(postings.len()) {
        Ok(())
    } else {
        Err(Failure::Broken(format!("{moved} of {} balances moved", postings.len())))
    }
}
