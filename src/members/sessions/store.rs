//! SQL of sessions.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use super::{SessionView, SignedIn};
use crate::db::{self, WriteTxn};

/// Who signs in.
#[derive(Clone, Debug, FromQueryResult)]
pub struct PrincipalRow {
    pub id: Uuid,
    pub county_code: Option<String>,
    pub password_hash: Option<String>,
    pub role: String,
    pub is_active: bool,
}

/// Somebody who may call.
#[derive(Debug, FromQueryResult)]
pub struct PersonRow {
    pub principal_id: Uuid,
    pub county_code: Option<String>,
    pub account: String,
    pub display_name: String,
    pub role: String,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub region_code: Option<String>,
}

/// A live session and whose it is.
#[derive(Debug, FromQueryResult)]
pub struct SessionRow {
    pub session_id: Uuid,
    pub last_used_at: DateTime<Utc>,
    pub password_changed_at: Option<DateTime<Utc>>,
    pub must_change_password: bool,
    pub has_second_factor: bool,
    #[sea_orm(nested)]
    pub person: PersonRow,
}

/// Somebody of an institution writes into the books of its county.
const PERSON: &str = "principal.id as principal_id,
    coalesce(institution.county_code, principal.county_code) as county_code, principal.account, principal.display_name,
    principal.role, principal.household_id, principal.institution_id, principal.region_code";

const PRINCIPAL: &str = "select id, county_code, password_hash, role, is_active from principal";

pub async fn find_principal(
    connection: &impl ConnectionTrait,
    account: &str,
) -> Result<Option<PrincipalRow>, DbErr> {
    db::row(connection, &format!("{PRINCIPAL} where account = $1"), [account.into()]).await
}

pub async fn principal(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<PrincipalRow>, DbErr> {
    db::row(connection, &format!("{PRINCIPAL} where id = $1"), [id.into()]).await
}

pub async fn insert_session(
    txn: &WriteTxn,
    principal_id: Uuid,
    signed_in: &SignedIn,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql = "insert into session (id, principal_id, token_hash, created_at, expires_at, last_used_at)
               values ($1, $2, $3, $4, $5, $4)";
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
    idle_since: DateTime<Utc>,
) -> Result<Option<SessionRow>, DbErr> {
    let sql = format!(
        "select session.id as session_id, coalesce(session.last_used_at, session.created_at) as last_used_at,
                principal.password_changed_at, principal.must_change_password,
                exists (select 1 from second_factor factor where factor.principal_id = principal.id
                        and factor.confirmed_at is not null) as has_second_factor, {PERSON}
         from session join principal on principal.id = session.principal_id
         left join institution on institution.id = principal.institution_id
         where session.token_hash = $1 and session.revoked_at is null and session.expires_at > $2
           and coalesce(session.last_used_at, session.created_at) > $3 and principal.is_active"
    );
    db::row(connection, &sql, [token_hash.into(), now.into(), idle_since.into()]).await
}

/// Somebody who is let in.
pub async fn person(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<PersonRow>, DbErr> {
    let sql = format!(
        "select {PERSON} from principal left join institution on institution.id = principal.institution_id
         where principal.id = $1 and principal.is_active"
    );
    db::row(connection, &sql, [id.into()]).await
}

pub async fn note_use(txn: &WriteTxn, session_id: Uuid, now: DateTime<Utc>) -> Result<(), DbErr> {
    let sql =
        "update session set last_used_at = $2 where id = $1 and coalesce(last_used_at, created_at) < $2";
    db::change(txn, sql, [session_id.into(), now.into()]).await?;
    Ok(())
}

pub async fn list_sessions(
    connection: &impl ConnectionTrait,
    principal_id: Uuid,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<SessionView>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        created_at: DateTime<Utc>,
        last_used_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    }
    let sql =
        "select id, created_at, coalesce(last_used_at, created_at) as last_used_at, expires_at from session
               where principal_id = $1 and revoked_at is null and expires_at > $2
                 and coalesce(last_used_at, created_at) > $3 order by id desc limit $4";
    let values = [principal_id.into(), now.into(), idle_since.into(), signed(limit).into()];
    let rows: Vec<Row> = db::rows(connection, sql, values).await?;
    let view = |row: Row| SessionView {
        id: row.id,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
    };
    Ok(rows.into_iter().map(view).collect())
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

/// Ends every session of somebody but one.
pub async fn revoke_others(
    txn: &WriteTxn,
    principal_id: Uuid,
    kept: Uuid,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let sql = "update session set revoked_at = $3
               where principal_id = $1 and id <> $2 and revoked_at is null and expires_at > $3";
    db::change(txn, sql, [principal_id.into(), kept.into(), now.into()]).await
}

/// Ends what somebody has beyond the newest `kept` sessions.
pub async fn end_oldest(
    txn: &WriteTxn,
    principal_id: Uuid,
    kept: u64,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql = "update session set revoked_at = $2
               where principal_id = $1 and revoked_at is null and expires_at > $2
                 and id < (select id from session where principal_id = $1 and revoked_at is null and expires_at > $2
                           order by id desc limit 1 offset $3)";
    let last = signed(kept.saturating_sub(1));
    db::change(txn, sql, [principal_id.into(), now.into(), last.into()]).await?;
    Ok(())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
