//! SQL of one-time codes. A code is stored as a keyed fingerprint.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use super::rules::{PAUSE, Purpose, TRIES};
use crate::db::{self, WriteTxn};

/// A code that is to be stored.
#[derive(Clone, Debug)]
pub struct NewCode {
    pub id: Uuid,
    pub phone_fingerprint: String,
    pub purpose: Purpose,
    pub code_fingerprint: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A code that may still be used.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LiveCode {
    pub id: Uuid,
    pub code_fingerprint: String,
}

/// Stores a code in place of the last one for the phone; `false` when that one was made a moment ago.
pub async fn replace(txn: &WriteTxn, new: &NewCode) -> Result<bool, DbErr> {
    let sql =
        "insert into one_time_code (phone_fingerprint, id, purpose, code_fingerprint, created_at, expires_at,
                                          tries_left, used_at)
               values ($1, $2, $3, $4, $5, $6, $7, null)
               on conflict (phone_fingerprint) do update set
                   id = excluded.id, purpose = excluded.purpose, code_fingerprint = excluded.code_fingerprint,
                   created_at = excluded.created_at, expires_at = excluded.expires_at,
                   tries_left = excluded.tries_left, used_at = null
               where one_time_code.created_at <= $8";
    let values = [
        new.phone_fingerprint.clone().into(),
        new.id.into(),
        new.purpose.as_str().into(),
        new.code_fingerprint.clone().into(),
        new.created_at.into(),
        new.expires_at.into(),
        TRIES.into(),
        (new.created_at - PAUSE).into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// When the last code for a phone was made.
pub async fn made_at(
    connection: &impl ConnectionTrait,
    phone_fingerprint: &str,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Made {
        created_at: DateTime<Utc>,
    }
    let sql = "select created_at from one_time_code where phone_fingerprint = $1";
    Ok(db::row::<Made>(connection, sql, [phone_fingerprint.into()]).await?.map(|made| made.created_at))
}

/// The code for a phone and purpose, locked, if it can still be used.
pub async fn live(
    txn: &WriteTxn,
    phone_fingerprint: &str,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<LiveCode>, DbErr> {
    let lock = db::for_update(txn.get_database_backend());
    let sql = format!(
        "select id, code_fingerprint from one_time_code
         where phone_fingerprint = $1 and purpose = $2 and used_at is null and tries_left > 0 and expires_at > $3 {lock}"
    );
    let values = [phone_fingerprint.into(), purpose.as_str().into(), now.into()];
    db::row(txn, &sql, values).await
}

/// Uses a code up; `false` when somebody was faster.
pub async fn use_up(txn: &WriteTxn, id: Uuid, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "update one_time_code set used_at = $2 where id = $1 and used_at is null and tries_left > 0";
    Ok(db::change(txn, sql, [id.into(), now.into()]).await? == 1)
}

/// Takes one of the tries of a code.
pub async fn take_try(txn: &WriteTxn, id: Uuid) -> Result<(), DbErr> {
    let sql = "update one_time_code set tries_left = tries_left - 1 where id = $1 and tries_left > 0";
    db::change(txn, sql, [id.into()]).await?;
    Ok(())
}

/// Forgets codes that ended before a moment, at most `limit` of them.
pub async fn forget(txn: &WriteTxn, before: DateTime<Utc>, limit: i64) -> Result<u64, DbErr> {
    let sql = "delete from one_time_code where phone_fingerprint in
                   (select phone_fingerprint from one_time_code where expires_at < $1 order by expires_at limit $2)";
    db::change(txn, sql, [before.into(), limit.into()]).await
}

/// Somebody who signs in by phone.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Owner {
    pub id: Uuid,
    pub county_code: Option<String>,
}

/// The one active person who signs in with a phone.
pub async fn owner(
    connection: &impl ConnectionTrait,
    phone_fingerprint: &str,
) -> Result<Option<Owner>, DbErr> {
    let sql = "select id, county_code from principal where phone_fingerprint = $1 and is_active";
    db::row(connection, sql, [phone_fingerprint.into()]).await
}

/// The phone somebody signs in with, sealed.
pub async fn phone_sealed(
    connection: &impl ConnectionTrait,
    principal_id: Uuid,
) -> Result<Option<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Phone {
        phone_sealed: Option<String>,
    }
    let sql = "select phone_sealed from principal where id = $1";
    let found: Option<Phone> = db::row(connection, sql, [principal_id.into()]).await?;
    Ok(found.and_then(|found| found.phone_sealed))
}
