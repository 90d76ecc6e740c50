//! SQL of principals.

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
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
