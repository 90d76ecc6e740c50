//! SQL of principals.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::rules::{NewPrincipal, Place};
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::{CountyScope, Role};

/// What is stored of somebody's secrets.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    pub password_hash: Option<String>,
    /// The password was given by somebody else.
    pub must_change_password: bool,
    pub phone_sealed: Option<String>,
    pub phone_fingerprint: Option<String>,
    pub is_active: bool,
}

/// A row of `principal`, without secrets.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: Uuid,
    pub county_code: Option<String>,
    pub account: String,
    pub display_name: String,
    pub role: String,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub region_code: Option<String>,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub has_second_factor: bool,
}

/// What is known of somebody's password and of what must not be in a new one.
#[derive(Clone, Debug, FromQueryResult)]
pub struct PasswordRow {
    pub password_hash: Option<String>,
    pub phone_sealed: Option<String>,
    pub institution_name: Option<String>,
}

const COLUMNS: &str = "principal.id, principal.county_code, principal.account, principal.display_name, principal.role,
    principal.household_id, principal.institution_id, principal.region_code, principal.is_active, principal.created_at,
    exists (select 1 from second_factor factor where factor.principal_id = principal.id
            and factor.confirmed_at is not null) as has_second_factor";

/// Inserts a principal, who without a county gets that of their place; `false` when the account exists.
pub async fn insert(
    txn: &WriteTxn,
    id: Uuid,
    new: &NewPrincipal,
    secrets: &Secrets,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let (household, institution, region) = match &new.place {
        Place::Household(id) => (Some(*id), None, None),
        Place::Institution(id) => (None, Some(*id), None),
        Place::Region(code) => (None, None, Some(code.clone())),
        Place::Pairings => (None, None, None),
    };
    let sql =
        "insert into principal (id, county_code, account, password_hash, role, display_name, household_id, institution_id,
                                region_code, is_active, created_at, password_changed_at, must_change_password,
                                phone_sealed, phone_fingerprint)
         values ($1, coalesce($2, (select county_code from institution where id = $8),
                                  (select county_code from household where id = $7)),
                 $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14) on conflict (account) do nothing";
    let values = [
        id.into(),
        new.county_code.clone().into(),
        new.account.clone().into(),
        secrets.password_hash.clone().into(),
        new.role.as_str().into(),
        new.display_name.clone().into(),
        household.into(),
        institution.into(),
        region.into(),
        secrets.is_active.into(),
        now.into(),
        secrets.must_change_password.into(),
        secrets.phone_sealed.clone().into(),
        secrets.phone_fingerprint.clone().into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// Somebody of the counties, locked.
pub async fn find(txn: &WriteTxn, counties: &CountyScope, id: Uuid) -> Result<Option<Row>, DbErr> {
    let lock =
        if db::for_update(txn.get_database_backend()).is_empty() { "" } else { "for update of principal" };
    let sql = format!(
        "select {COLUMNS} from principal where id = $1 and county_code >= $2 and county_code < $3 {lock}"
    );
    db::row(txn, &sql, [id.into(), counties.from.clone().into(), counties.before.clone().into()]).await
}

/// People of the counties, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    role: Option<Role>,
    request: PageRequest,
) -> Result<Vec<Row>, DbErr> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut values: Vec<Value> =
        vec![limit.into(), counties.from.clone().into(), counties.before.clone().into()];
    let mut conditions = vec!["county_code >= $2 and county_code < $3".to_owned()];
    if let Some(role) = role {
        values.push(role.as_str().into());
        conditions.push(format!("role = ${}", values.len()));
    }
    if let Some(before) = request.before {
        values.push(before.into());
        conditions.push(format!("id < ${}", values.len()));
    }
    let sql = format!(
        "select {COLUMNS} from principal where {} order by id desc limit $1",
        conditions.join(" and ")
    );
    db::rows(connection, &sql, values).await
}

/// Whether a household or an institution is of a county.
pub async fn is_in_county(
    connection: &impl ConnectionTrait,
    place: &Place,
    county_code: &str,
) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        #[expect(dead_code, reason = "that there is a row is the answer")]
        id: Uuid,
    }
    let (table, id) = match place {
        Place::Household(id) => ("household", *id),
        Place::Institution(id) => ("institution", *id),
        Place::Region(_) | Place::Pairings => return Ok(true),
    };
    let sql = format!("select id from {table} where id = $1 and county_code = $2");
    Ok(db::row::<Found>(connection, &sql, [id.into(), county_code.into()]).await?.is_some())
}

/// Gives somebody another role, who is not active until it is confirmed.
pub async fn change_role(txn: &WriteTxn, id: Uuid, role: Role) -> Result<(), DbErr> {
    let sql = "update principal set role = $2, is_active = $3 where id = $1";
    db::change(txn, sql, [id.into(), role.as_str().into(), false.into()]).await?;
    Ok(())
}

/// Lets somebody in or keeps them out; `false` when it is so already.
pub async fn set_active(txn: &WriteTxn, id: Uuid, is_active: bool) -> Result<bool, DbErr> {
    let sql = "update principal set is_active = $2 where id = $1 and is_active <> $2";
    Ok(db::change(txn, sql, [id.into(), is_active.into()]).await? == 1)
}

/// The password of somebody, and the words that must not be in another.
pub async fn password(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<PasswordRow>, DbErr> {
    let sql = "select principal.password_hash, principal.phone_sealed, institution.name as institution_name
               from principal left join institution on institution.id = principal.institution_id
               where principal.id = $1";
    db::row(connection, sql, [id.into()]).await
}

/// Puts a password in place of the one that was checked; `false` when another came between.
pub async fn set_password(
    txn: &WriteTxn,
    id: Uuid,
    password_hash: &str,
    checked: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "update principal set password_hash = $2, password_changed_at = $4, must_change_password = $5
               where id = $1 and password_hash = $3";
    let values = [id.into(), password_hash.into(), checked.into(), now.into(), false.into()];
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

pub async fn remove_second_factors_of_household(txn: &WriteTxn, household_id: Uuid) -> Result<(), DbErr> {
    let sql = "delete from second_factor
               where principal_id in (select id from principal where household_id = $1)";
    db::change(txn, sql, [household_id.into()]).await?;
    Ok(())
}

/// Takes account, name and phone of whoever signs in for a household, and answers how many there were. Accounts stay unique.
pub async fn retire_of_household(txn: &WriteTxn, household_id: Uuid) -> Result<u64, DbErr> {
    let id = if txn.get_database_backend() == DbBackend::Postgres { "id::text" } else { "lower(hex(id))" };
    let sql = format!(
        "update principal set is_active = $2, account = 'erased-' || {id}, display_name = '已注销', password_hash = ''
         where household_id = $1"
    );
    db::change(txn, &sql, [household_id.into(), false.into()]).await
}
