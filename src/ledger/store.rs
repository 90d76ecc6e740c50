//! SQL of the ledger. Nothing here updates or deletes an entry or a posting; only stored balances move.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::rules::{AccountKey, AccountKind};
use super::{AccountFilter, AccountView, PostingView, SideView};
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::CountyScope;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome};

#[derive(Clone, Debug, FromQueryResult)]
pub struct AccountRow {
    pub id: Uuid,
    pub county_code: String,
    pub kind: String,
    pub owner_id: Option<Uuid>,
    pub balance_fen: i64,
}

#[derive(Clone, Debug, FromQueryResult)]
pub struct EntryRow {
    pub id: Uuid,
    pub county_code: String,
    pub kind: String,
    pub source_kind: String,
    pub source_id: Uuid,
    pub occurred_on: NaiveDate,
    pub reverses_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, FromQueryResult)]
pub struct SideRow {
    pub account_id: Uuid,
    pub kind: String,
    pub owner_id: Option<Uuid>,
    pub amount_fen: i64,
}

impl AccountRow {
    pub fn key(&self) -> Outcome<AccountKey> {
        Ok(AccountKey { kind: kind_of(&self.kind)?, owner: self.owner_id })
    }
}

impl TryFrom<AccountRow> for AccountView {
    type Error = Failure;

    fn try_from(row: AccountRow) -> Outcome<Self> {
        Ok(Self {
            kind: kind_of(&row.kind)?,
            id: row.id,
            county_code: row.county_code,
            owner_id: row.owner_id,
            balance: Fen::new(row.balance_fen),
        })
    }
}

impl TryFrom<SideRow> for SideView {
    type Error = Failure;

    fn try_from(row: SideRow) -> Outcome<Self> {
        Ok(Self {
            kind: kind_of(&row.kind)?,
            account_id: row.account_id,
            owner_id: row.owner_id,
            amount: Fen::new(row.amount_fen),
        })
    }
}

fn kind_of(name: &str) -> Outcome<AccountKind> {
    AccountKind::parse(name).ok_or_else(|| Failure::Broken(format!("unknown account kind {name}")))
}

/// The accounts of `keys` that exist.
pub async fn find_accounts(
    txn: &WriteTxn,
    county_code: &str,
    keys: &[AccountKey],
) -> Result<Vec<AccountRow>, DbErr> {
    let columns = [("kind", ColumnType::Text), ("owner_id", ColumnType::Uuid)];
    // Two branches, as no index answers "equal, or both null".
    let sql = format!(
        "with wanted as ({})
         select account.id, account.county_code, account.kind, account.owner_id, account.balance_fen
         from wanted cross join ledger_account account
         where account.county_code = $2 and account.kind = wanted.kind and account.owner_id = wanted.owner_id
         union all
         select account.id, account.county_code, account.kind, account.owner_id, account.balance_fen
         from wanted cross join ledger_account account
         where account.county_code = $2 and account.kind = wanted.kind and account.owner_id is null
           and wanted.owner_id is null",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let keys = keys.iter().map(|key| vec![json!(key.kind.as_str()), json!(key.owner.map(db::set_id))]);
    db::rows(txn, &sql, [db::set_parameter(keys.collect()), county_code.into()]).await
}

/// Locks accounts in the order of their ids, so that two entries never wait for each other in a circle.
pub async fn lock_accounts(txn: &WriteTxn, ids: impl Iterator<Item = Uuid>) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Locked {}
    let backend = txn.get_database_backend();
    if backend != DbBackend::Postgres {
        return Ok(());
    }
    // An array, as PostgreSQL loses rows of joined sets when a row it waited for has changed meanwhile.
    let sql = format!(
        "select id from ledger_account where id = any(array({})) order by id for update",
        db::set_rows(backend, "$1", &[("id", ColumnType::Uuid)])
    );
    let ids = ids.map(|id| vec![db::set_id(id)]).collect();
    db::rows::<Locked>(txn, &sql, [db::set_parameter(ids)]).await?;
    Ok(())
}

/// Makes the accounts that do not exist yet, with a balance of zero.
pub async fn insert_missing_accounts(
    txn: &WriteTxn,
    county_code: &str,
    new: &[(Uuid, AccountKey)],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let columns = [("id", ColumnType::Uuid), ("kind", ColumnType::Text), ("owner_id", ColumnType::Uuid)];
    let sql = format!(
        "insert into ledger_account (id, county_code, kind, owner_id, balance_fen, created_at)
         select id, $2, kind, owner_id, 0, $3 from ({}) as new where true on conflict do nothing",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = new
        .iter()
        .map(|(id, key)| vec![db::set_id(*id), json!(key.kind.as_str()), json!(key.owner.map(db::set_id))]);
    db::change(txn, &sql, [db::set_parameter(rows.collect()), county_code.into(), now.into()]).await?;
    Ok(())
}

/// The accounts of an entry with what it moved on each, in the order of its postings.
pub async fn accounts_of(txn: &WriteTxn, entry_id: Uuid) -> Result<Vec<(AccountRow, Fen)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        county_code: String,
        kind: String,
        owner_id: Option<Uuid>,
        balance_fen: i64,
        amount_fen: i64,
    }
    let sql = "select account.id, account.county_code, account.kind, account.owner_id, account.balance_fen,
                      posting.amount_fen
               from ledger_posting posting join ledger_account account on account.id = posting.account_id
               where posting.entry_id = $1 order by posting.line_no";
    let rows: Vec<Row> = db::rows(txn, sql, [entry_id.into()]).await?;
    let account = |row: Row| {
        let amount = Fen::new(row.amount_fen);
        let Row { id, county_code, kind, owner_id, balance_fen, .. } = row;
        (AccountRow { id, county_code, kind, owner_id, balance_fen }, amount)
    };
    Ok(rows.into_iter().map(account).collect())
}

/// Adds an entry; `false` when it reverses one that is reversed already.
pub async fn insert_entry(txn: &WriteTxn, entry: &EntryRow) -> Result<bool, DbErr> {
    let sql =
        "insert into ledger_entry (id, county_code, kind, source_kind, source_id, occurred_on, reverses_id,
                                         created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (reverses_id) do nothing";
    let values: [Value; 8] = [
        entry.id.into(),
        entry.county_code.clone().into(),
        entry.kind.clone().into(),
        entry.source_kind.clone().into(),
        entry.source_id.into(),
        entry.occurred_on.into(),
        entry.reverses_id.into(),
        entry.created_at.into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

pub async fn insert_postings(
    txn: &WriteTxn,
    entry: &EntryRow,
    postings: &[(Uuid, Fen)],
) -> Result<(), DbErr> {
    let columns = [
        ("line_no", ColumnType::Integer),
        ("account_id", ColumnType::Uuid),
        ("amount_fen", ColumnType::Integer),
    ];
    let sql = format!(
        "insert into ledger_posting (entry_id, line_no, account_id, occurred_on, amount_fen)
         select $2, line_no, account_id, $3, amount_fen from ({}) as posting",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = (1_u64..)
        .zip(postings)
        .map(|(line_no, (account_id, amount))| vec![json!(line_no), db::set_id(*account_id), json!(amount)]);
    let values = [db::set_parameter(rows.collect()), entry.id.into(), entry.occurred_on.into()];
    db::change(txn, &sql, values).await?;
    Ok(())
}

/// Moves stored balances and answers how many moved. A deposit, which is a credit, is never moved beyond zero.
pub async fn move_balances(txn: &WriteTxn, postings: &[(Uuid, Fen)]) -> Result<u64, DbErr> {
    let columns = [("account_id", ColumnType::Uuid), ("amount_fen", ColumnType::Integer)];
    let sql = format!(
        "update ledger_account as account set balance_fen = account.balance_fen + moved.amount_fen
         from ({}) as moved
         where account.id = moved.account_id
           and (account.kind <> 'deposit' or account.balance_fen + moved.amount_fen <= 0)",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = postings.iter().map(|(account_id, amount)| vec![db::set_id(*account_id), json!(amount)]);
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await
}

pub async fn find_entry(
    connection: &impl ConnectionTrait,
    entry_id: Uuid,
) -> Result<Option<EntryRow>, DbErr> {
    let sql = "select id, county_code, kind, source_kind, source_id, occurred_on, reverses_id, created_at
               from ledger_entry where id = $1";
    db::row(connection, sql, [entry_id.into()]).await
}

/// The entry that reverses this one.
pub async fn reversal_of(connection: &impl ConnectionTrait, entry_id: Uuid) -> Result<Option<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let sql = "select id from ledger_entry where reverses_id = $1";
    Ok(db::row::<Row>(connection, sql, [entry_id.into()]).await?.map(|row| row.id))
}

pub async fn sides_of(connection: &impl ConnectionTrait, entry_id: Uuid) -> Result<Vec<SideRow>, DbErr> {
    let sql = "select posting.account_id, account.kind, account.owner_id, posting.amount_fen
               from ledger_posting posting join ledger_account account on account.id = posting.account_id
               where posting.entry_id = $1 order by posting.line_no";
    db::rows(connection, sql, [entry_id.into()]).await
}

pub async fn account_exists(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    account_id: Uuid,
) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {}
    let sql = "select id from ledger_account where id = $1 and county_code >= $2 and county_code < $3";
    let values = [account_id.into(), counties.from.clone().into(), counties.before.clone().into()];
    Ok(db::row::<Row>(connection, sql, values).await?.is_some())
}

/// One row more than the page holds, newest first.
pub async fn list_accounts(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    filter: AccountFilter,
    request: PageRequest,
) -> Result<Vec<AccountRow>, DbErr> {
    let mut values: Vec<Value> = vec![
        counties.from.clone().into(),
        counties.before.clone().into(),
        i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX).into(),
    ];
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let mut conditions = vec!["account.county_code >= $1 and account.county_code < $2".to_owned()];
    if let Some(kind) = filter.kind {
        conditions.push(format!("account.kind = {}", bind(kind.as_str().into())));
    }
    if let Some(owner_id) = filter.owner_id {
        conditions.push(format!("account.owner_id = {}", bind(owner_id.into())));
    }
    if let Some(before) = request.before {
        conditions.push(format!("account.id < {}", bind(before.into())));
    }
    let balance = filter.as_of.map_or_else(
        || "account.balance_fen".to_owned(),
        |day| {
            format!(
                "(select cast(coalesce(sum(posting.amount_fen), 0) as bigint) from ledger_posting posting
                   where posting.account_id = account.id and posting.occurred_on <= {})",
                bind(day.into())
            )
        },
    );
    let sql = format!(
        "select account.id, account.county_code, account.kind, account.owner_id, {balance} as balance_fen
         from ledger_account account where {} order by account.id desc limit $3",
        conditions.join(" and ")
    );
    db::rows(connection, &sql, values).await
}

/// One row more than the page holds, newest first. An account stands in an entry once at most.
pub async fn list_postings(
    connection: &impl ConnectionTrait,
    account_id: Uuid,
    request: PageRequest,
) -> Result<Vec<PostingView>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        entry_id: Uuid,
        occurred_on: NaiveDate,
        amount_fen: i64,
        kind: String,
        source_kind: String,
        source_id: Uuid,
        reverses_id: Option<Uuid>,
    }
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![account_id.into(), limit.into()];
    let mut before = "";
    if let Some(cursor) = request.before {
        values.push(cursor.into());
        before = "and posting.entry_id < $3";
    }
    let sql = format!(
        "select posting.entry_id, posting.occurred_on, posting.amount_fen, entry.kind, entry.source_kind,
                entry.source_id, entry.reverses_id
         from ledger_posting posting join ledger_entry entry on entry.id = posting.entry_id
         where posting.account_id = $1 {before} order by posting.entry_id desc limit $2"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, values).await?;
    let view = |row: Row| PostingView {
        entry_id: row.entry_id,
        occurred_on: row.occurred_on,
        amount: Fen::new(row.amount_fen),
        kind: row.kind,
        source_kind: row.source_kind,
        source_id: row.source_id,
        reverses_id: row.reverses_id,
    };
    Ok(rows.into_iter().map(view).collect())
}
