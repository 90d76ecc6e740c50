//! SQL of sessions.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use super::{SessionView, SignedIn};
use crate::db::{self, WriteTxn};

#[derive(Debug, FromQueryResult)]
pub struct PrincipalRow {
    pub id: Uuid,
    pub county_code: Option<String>,
    pub password_hash: String,
    pub role: String,
    pub is_active: bool,
}

#[derive(Debug, FromQueryResult)]
pub struct SessionRow {
    pub session_id: Uuid,
    pub principal_id: Uuid,
    pub county_code: Option<String>,
    pub account: String,
    pub display_name: String,
    pub role: String,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub region_code: Option<String>,
}

pub async fn find_principal(
    connection: &impl ConnectionTrait,
    account: &str,
) -> Result<Option<PrincipalRow>, DbErr> {
    let sql = "select id, county_code, password_hash, role, is_active from principal where account = $1";
    db::row(connection, sql, [account.into()]).await
}

pub async fn insert_session(
    txn: &WriteTxn,
    principal_id: Uuid,
    signed_in: &SignedIn,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql = "insert into session (id, principal_id, token_hash, created_at, expires_at)
               values ($1, $2, $3, $4, $5)";
    let values = [
        signed_in.session_id.into(),
        principal_id.into(),
        token_hash.into(),
        now.into(),
        signed_in.expires_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

pub async fn find_session(
    connection: &impl ConnectionTrait,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<SessionRow>, DbErr> {
    // Somebody of an institution writes into the books of its county.
    let sql = "select session.id as session_id, principal.id as principal_id,
                      coalesce(institution.county_code, principal.county_code) as county_code, principal.account, principal.display_name, principal.role, principal.household_id,
                      principal.institution_id, principal.region_code
               from session join principal on principal.id = session.principal_id
               left join institution on institution.id = principal.institution_id
               where session.token_hash = $1 and session.revoked_at is null and session.expires_at > $2
                 and principal.is_active";
    db::row(connection, sql, [token_hash.into(), now.into()]).await
}

pub async fn list_sessions(
    connection: &impl ConnectionTrait,
    principal_id: Uuid,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<SessionView>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    }
    let sql = "select id, created_at, expires_at from session
               where principal_id = $1 and revoked_at is null and expires_at > $2 order by id desc limit $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<Row> = db::rows(connection, sql, [principal_id.into(), now.into(), limit.into()]).await?;
    Ok(rows
        .into_iter()
        .map(|row| SessionView { id: row.id, created_at: row.created_at, expires_at: row.expires_at })
        .collect())
}

pub async fn revoke_session(
    txn: &WriteTxn,
    principal_id: Uuid,
    session_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "update session set revoked_at = $3
               where id = $1 and principal_id = $2 and revoked_at is null";
    Ok(db::change(txn, sql, [session_id.into(), principal_id.into(), now.into()]).await? == 1)
}
