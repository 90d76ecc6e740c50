//! Endpoints: Double-entry accounts.

use chrono::{DateTime, NaiveDate, Utc};
use poem::Body;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Binary, Json};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, ResponseContent};
use uuid::Uuid;

use super::export::{self, Format};
use super::{AccountFilter, AccountKind, AccountView, EntryView, PostingView, SideView};
use crate::app::App;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::Yuan;
use crate::members::access::Signed;
use crate::routes::Tag;

/// Double-entry accounts.
#[derive(Debug)]
pub struct Api(pub App);

/// What an account holds: receivable and deposit per institution, payable per household, the others one per county.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum LedgerAccountKind {
    Receivable,
    Deposit,
    Payable,
    Escrow,
    Clearing,
    Rounding,
    Fee,
}

/// An account and its balance. Debit is positive, credit negative: a household that is owed money has a negative
/// payable.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct LedgerAccount {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    pub kind: LedgerAccountKind,
    /// The institution or household; absent for the accounts a county has one of.
    pub owner_id: Option<Uuid>,
    pub balance: Yuan,
    /// The day at whose end the balance stood; absent for the balance now.
    pub as_of: Option<NaiveDate>,
}

/// What an entry moved on one account.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct LedgerPosting {
    pub entry_id: Uuid,
    pub occurred_on: NaiveDate,
    /// Debit positive, credit negative.
    pub amount: Yuan,
    /// What happened, such as `acceptance`.
    pub kind: String,
    /// The kind of thing that made the entry, such as `settlement`.
    pub source_kind: String,
    pub source_id: Uuid,
    /// The entry that this one takes back.
    pub reverses_id: Option<Uuid>,
}

/// An entry; its postings sum to zero.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct LedgerEntry {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// What happened, such as `acceptance`.
    pub kind: String,
    /// The kind of thing that made the entry, such as `settlement`.
    pub source_kind: String,
    pub source_id: Uuid,
    pub occurred_on: NaiveDate,
    /// The entry that this one takes back.
    pub reverses_id: Option<Uuid>,
    /// The entry that takes this one back.
    pub reversed_by_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub postings: Vec<LedgerSide>,
}

/// One side of an entry.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct LedgerSide {
    pub account_id: Uuid,
    pub account_kind: LedgerAccountKind,
    pub owner_id: Option<Uuid>,
    /// Debit positive, credit negative.
    pub amount: Yuan,
}

/// The programs that a ledger is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum LedgerFormat {
    Hledger,
    Beancount,
    Csv,
}

/// A ledger as a file.
#[derive(ResponseContent)]
pub enum LedgerFile {
    #[oai(content_type = "text/plain; charset=utf-8")]
    Journal(Binary<Body>),
    #[oai(content_type = "text/csv; charset=utf-8")]
    Csv(Binary<Body>),
}

/// An exported ledger.
#[derive(ApiResponse)]
pub enum LedgerExport {
    /// The ledger at one moment. It is sent while it is read: an answer that breaks off is not whole.
    #[oai(status = 200)]
    Sent(
        LedgerFile,
        /// The name of the file.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Ledger")]
impl Api {
    /// List ledger accounts
    ///
    /// For finance and auditors of a county or above, newest first. With `as_of`, balances are those at the end of
    /// that day.
    #[oai(path = "/ledger/accounts", method = "get", operation_id = "list_ledger_accounts")]
    async fn list_ledger_accounts(
        &self,
        caller: Signed,
        request: &poem::Request,
        /// Only accounts of this kind.
        kind: Query<Option<LedgerAccountKind>>,
        /// Only accounts of this institution or household.
        owner_id: Query<Option<Uuid>>,
        /// Balances at the end of this day.
        as_of: Query<Option<NaiveDate>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<LedgerAccount>> {
        let filter =
            AccountFilter { kind: kind.0.map(AccountKind::from), owner_id: owner_id.0, as_of: as_of.0 };
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let accounts = super::list_accounts(&self.0, &caller, filter, page).await?;
        Ok(Listed::new(accounts.map(|account| shape(account, as_of.0)), request.uri()))
    }

    /// List the postings of an account
    ///
    /// Newest first, for finance and auditors of a county or above.
    #[oai(path = "/ledger/accounts/:id/postings", method = "get", operation_id = "list_ledger_postings")]
    async fn list_ledger_postings(
        &self,
        caller: Signed,
        request: &poem::Request,
        id: Path<Uuid>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<LedgerPosting>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let postings = super::list_postings(&self.0, &caller, id.0, page).await?;
        Ok(Listed::new(postings.map(LedgerPosting::from), request.uri()))
    }

    /// Get a ledger entry
    ///
    /// With all its postings, for finance and auditors of a county or above.
    #[oai(path = "/ledger/entries/:id", method = "get", operation_id = "get_ledger_entry")]
    async fn get_ledger_entry(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<LedgerEntry>> {
        Ok(Json(super::find_entry(&self.0, &caller, id.0).await?.into()))
    }

    /// Export the ledger
    ///
    /// For finance and auditors: the accounts, entries and balances of their counties as an hledger journal, a
    /// beancount file or csv. Every amount stands in yuan (CNY) and in whole fen (FEN); what each account must hold
    /// at the end of every day on which it moved stands after the entries of the day, and without `to` what is stored
    /// with each account at the end. Households and institutions are named by their ids. Two at a time.
    #[oai(path = "/ledger/export", method = "get", operation_id = "export_ledger")]
    async fn export_ledger(
        &self,
        caller: Signed,
        format: Query<LedgerFormat>,
        /// The first day; what was before it becomes opening balances.
        from: Query<Option<NaiveDate>>,
        /// The last day.
        to: Query<Option<NaiveDate>>,
    ) -> Answer<LedgerExport> {
        let pieces = export::export(&self.0, &caller, format.0.into(), from.0, to.0).await?;
        let stream = futures_util::stream::unfold(pieces, |mut pieces| async {
            pieces.recv().await.map(|piece| (piece, pieces))
        });
        let body = Binary(Body::from_bytes_stream(stream));
        let (file, ending) = match format.0 {
            LedgerFormat::Hledger => (LedgerFile::Journal(body), "journal"),
            LedgerFormat::Beancount => (LedgerFile::Journal(body), "beancount"),
            LedgerFormat::Csv => (LedgerFile::Csv(body), "csv"),
        };
        Ok(LedgerExport::Sent(file, format!("attachment; filename=\"ledger.{ending}\"")))
    }
}

impl From<LedgerFormat> for Format {
    fn from(format: LedgerFormat) -> Self {
        match format {
            LedgerFormat::Hledger => Self::Hledger,
            LedgerFormat::Beancount => Self::Beancount,
            LedgerFormat::Csv => Self::Csv,
        }
    }
}

fn shape(account: AccountView, as_of: Option<NaiveDate>) -> LedgerAccount {
    LedgerAccount {
        id: account.id,
        county: account.county_code,
        kind: account.kind.into(),
        owner_id: account.owner_id,
        balance: Yuan(account.balance),
        as_of,
    }
}

impl From<PostingView> for LedgerPosting {
    fn from(posting: PostingView) -> Self {
        Self {
            entry_id: posting.entry_id,
            occurred_on: posting.occurred_on,
            amount: Yuan(posting.amount),
            kind: posting.kind,
            source_kind: posting.source_kind,
            source_id: posting.source_id,
            reverses_id: posting.reverses_id,
        }
    }
}

impl From<EntryView> for LedgerEntry {
    fn from(entry: EntryView) -> Self {
        Self {
            id: entry.id,
            county: entry.county_code,
            kind: entry.kind,
            source_kind: entry.source_kind,
            source_id: entry.source_id,
            occurred_on: entry.occurred_on,
            reverses_id: entry.reverses_id,
            reversed_by_id: entry.reversed_by_id,
            created_at: entry.created_at,
            postings: entry.postings.into_iter().map(LedgerSide::from).collect(),
        }
    }
}

impl From<SideView> for LedgerSide {
    fn from(side: SideView) -> Self {
        Self {
            account_id: side.account_id,
            account_kind: side.kind.into(),
            owner_id: side.owner_id,
            amount: Yuan(side.amount),
        }
    }
}

impl From<AccountKind> for LedgerAccountKind {
    fn from(kind: AccountKind) -> Self {
        match kind {
            AccountKind::Receivable => Self::Receivable,
            AccountKind::Deposit => Self::Deposit,
            AccountKind::Payable => Self::Payable,
            AccountKind::Escrow => Self::Escrow,
            AccountKind::Clearing => Self::Clearing,
            AccountKind::Rounding => Self::Rounding,
            AccountKind::Fee => Self::Fee,
        }
    }
}

impl From<LedgerAccountKind> for AccountKind {
    fn from(kind: LedgerAccountKind) -> Self {
        match kind {
            LedgerAccountKind::Receivable => Self::Receivable,
            LedgerAccountKind::Deposit => Self::Deposit,
            LedgerAccountKind::Payable => Self::Payable,
            LedgerAccountKind::Escrow => Self::Escrow,
            LedgerAccountKind::Clearing => Self::Clearing,
            LedgerAccountKind::Rounding => Self::Rounding,
            LedgerAccountKind::Fee => Self::Fee,
        }
    }
}
