//! SQL of keys of institutions' own systems. Only the hash of a key is stored.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::db::{self, WriteTxn};

/// A row of `api_key`, without its secret.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: Uuid,
    pub name: String,
    pub scopes: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A key in use.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Live {
    pub id: Uuid,
    pub principal_id: Uuid,
    pub scopes: String,
}

/// Inserts a key unless its owner has `keys_max` already; then `false`.
pub async fn insert(
    txn: &WriteTxn,
    principal_id: Uuid,
    row: &Row,
    secret_hash: &str,
    keys_max: i64,
) -> Result<bool, DbErr> {
    // Whoever else makes a key for this person waits here.
    let lock = db::for_update(txn.get_database_backend());
    db::row::<Owner>(txn, &format!("select id from principal where id = $1 {lock}"), [principal_id.into()])
        .await?;
    let sql = "insert into api_key (id, principal_id, name, secret_hash, scopes, created_at, expires_at, revoked_at)
               select $1, $2, $3, $4, $5, $6, $7, null
               where (select count(*) from api_key
                      where principal_id = $2 and revoked_at is null and expires_at > $6) < $8";
    let values = [
        row.id.into(),
        principal_id.into(),
        row.name.clone().into(),
        secret_hash.into(),
        row.scopes.clone().into(),
        row.created_at.into(),
        row.expires_at.into(),
        keys_max.into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

#[derive(FromQueryResult)]
struct Owner {
    #[expect(dead_code, reason = "that the row is locked is what counts")]
    id: Uuid,
}

pub async fn list(
    connection: &impl ConnectionTrait,
    principal_id: Uuid,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Row>, DbErr> {
    let sql = "select id, name, scopes, created_at, expires_at from api_key
               where principal_id = $1 and revoked_at is null and expires_at > $2 order by id desc limit $3";
    db::rows(connection, sql, [principal_id.into(), now.into(), limit.into()]).await
}

pub async fn revoke(txn: &WriteTxn, principal_id: Uuid, id: Uuid, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "update api_key set revoked_at = $3 where id = $1 and principal_id = $2 and revoked_at is null";
    Ok(db::change(txn, sql, [id.into(), principal_id.into(), now.into()]).await? == 1)
}

/// Ends every key of a person.
pub async fn revoke_all(txn: &WriteTxn, principal_id: Uuid, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let sql = "update api_key set revoked_at = $2 where principal_id = $1 and revoked_at is null";
    db::change(txn, sql, [principal_id.into(), now.into()]).await
}

pub async fn live(
    connection: &impl ConnectionTrait,
    secret_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<Live>, DbErr> {
    let sql = "select id, principal_id, scopes from api_key
               where secret_hash = $1 and revoked_at is null and expires_at > $2";
    db::row(connection, sql, [secret_hash.into(), now.into()]).await
}
