//! SQL of principals.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use uuid::Uuid;

use super::rules::{NewPrincipal, Place};
use crate::db::{self, WriteTxn};

/// Inserts a principal; `false` when the account exists.
pub async fn insert(
    txn: &WriteTxn,
    id: Uuid,
    new: &NewPrincipal,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let (household, institution, region) = match &new.place {
        Place::Household(id) => (Some(*id), None, None),
        Place::Institution(id) => (None, Some(*id), None),
        Place::Region(code) => (None, None, Some(code.clone())),
        Place::Pairings => (None, None, None),
    };
    let sql =
        "insert into principal (id, county_code, account, password_hash, role, display_name, household_id,
                                      institution_id, region_code, is_active, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (account) do nothing";
    let values = [
        id.into(),
        new.county_code.clone().into(),
        new.account.clone().into(),
        password_hash.into(),
        new.role.as_str().into(),
        new.display_name.clone().into(),
        household.into(),
        institution.into(),
        region.into(),
        true.into(),
        now.into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

pub async fn revoke_sessions_of_household(
    txn: &WriteTxn,
    household_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql = "update session set revoked_at = $2
               where revoked_at is null
                 and principal_id in (select id from principal where household_id = $1)";
    db::change(txn, sql, [household_id.into(), now.into()]).await?;
    Ok(())
}

/// Takes account and name of whoever signs in for a household, and answers how many there were. Accounts stay unique.
pub async fn retire_of_household(txn: &WriteTxn, household_id: Uuid) -> Result<u64, DbErr> {
    let id = if txn.get_database_backend() == DbBackend::Postgres { "id::text" } else { "lower(hex(id))" };
    let sql = format!(
        "update principal set is_active = $2, account = 'erased-' || {id}, display_name = '已注销', password_hash = ''
         where household_id = $1"
    );
    db::change(txn, &sql, [household_id.into(), false.into()]).await
}
