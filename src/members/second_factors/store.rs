//! SQL of second factors. A secret is stored sealed.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::db::{self, WriteTxn};

/// A row of `second_factor`.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub secret_sealed: String,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub last_step: i64,
}

pub async fn find(connection: &impl ConnectionTrait, principal_id: Uuid) -> Result<Option<Row>, DbErr> {
    let sql = "select secret_sealed, confirmed_at, last_step from second_factor where principal_id = $1";
    db::row(connection, sql, [principal_id.into()]).await
}

/// Puts a secret, not yet in force, in place of the one there was; `false` when that is in force and may not be replaced.
pub async fn replace(
    txn: &WriteTxn,
    principal_id: Uuid,
    secret_sealed: &str,
    may_replace_confirmed: bool,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "insert into second_factor (principal_id, secret_sealed, created_at, confirmed_at, last_step)
               values ($1, $2, $3, null, 0)
               on conflict (principal_id) do update set secret_sealed = excluded.secret_sealed,
                   created_at = excluded.created_at, confirmed_at = null, last_step = 0
               where second_factor.confirmed_at is null or $4";
    let values = [principal_id.into(), secret_sealed.into(), now.into(), may_replace_confirmed.into()];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// Uses up the code of a step; `false` when it or a later one was used already.
pub async fn use_step(txn: &WriteTxn, principal_id: Uuid, step: i64) -> Result<bool, DbErr> {
    let sql = "update second_factor set last_step = $2 where principal_id = $1 and last_step < $2";
    Ok(db::change(txn, sql, [principal_id.into(), step.into()]).await? == 1)
}

/// Puts the secret in force; `false` when it is already.
pub async fn confirm(txn: &WriteTxn, principal_id: Uuid, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "update second_factor set confirmed_at = $2 where principal_id = $1 and confirmed_at is null";
    Ok(db::change(txn, sql, [principal_id.into(), now.into()]).await? == 1)
}

/// Takes the second factor away; `false` when there was none.
pub async fn remove(txn: &WriteTxn, principal_id: Uuid) -> Result<bool, DbErr> {
    let sql = "delete from second_factor where principal_id = $1";
    Ok(db::change(txn, sql, [principal_id.into()]).await? == 1)
}
