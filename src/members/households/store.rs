//! SQL of households, their statuses and survey visits.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::rules::{Status, VisitOutcome};
use super::sealing::SealedFacts;
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::{RegionScope, Scope};

/// A row of `household`.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: Uuid,
    pub county_code: String,
    pub village_code: String,
    pub external_ref: Option<String>,
    pub head_name: String,
    pub identity_number_sealed: Option<String>,
    pub identity_fingerprint: Option<String>,
    pub phone_sealed: Option<String>,
    pub phone_fingerprint: Option<String>,
    pub bank_account_sealed: Option<String>,
    pub address_sealed: Option<String>,
    pub status: String,
    pub consent_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub erased_at: Option<DateTime<Utc>>,
    pub version: i64,
}

/// A row of `household_status`.
#[derive(Clone, Debug, FromQueryResult)]
pub struct StatusRow {
    pub status: String,
    pub from_on: NaiveDate,
    pub to_on: Option<NaiveDate>,
}

/// The last row of `survey_visit` of a household.
#[derive(Clone, Debug, FromQueryResult)]
pub struct VisitRow {
    pub visited_on: NaiveDate,
    pub outcome: String,
}

/// Which households a list shows, within the caller's scope.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub region: Option<RegionScope>,
    pub status: Option<Status>,
}

/// What an edit changes; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub head_name: Option<String>,
    pub external_ref: Option<String>,
    pub sealed: SealedFacts,
    pub consent_on: Option<NaiveDate>,
}

const COLUMNS: &str = "household.id, household.county_code, household.village_code, household.external_ref,
    household.head_name, household.identity_number_sealed, household.identity_fingerprint, household.phone_sealed,
    household.phone_fingerprint, household.bank_account_sealed, household.address_sealed, household.status,
    household.consent_on, household.created_at, household.updated_at, household.erased_at, household.version";

/// The condition that keeps a query to the households of a scope. See [`super::scope_condition`].
pub fn scope_condition(scope: &Scope, alias: &str, today: NaiveDate, first: usize) -> (String, Vec<Value>) {
    let second = first + 1;
    match scope {
        Scope::Household(id) => (format!("{alias}.id = ${first}"), vec![(*id).into()]),
        Scope::Helper(id) => (
            format!(
                "exists (select 1 from pairing as paired
                         where paired.household_id = {alias}.id and paired.helper_id = ${first}
                           and paired.from_on <= ${second}
                           and (paired.to_on is null or paired.to_on >= ${second}))"
            ),
            vec![(*id).into(), today.into()],
        ),
        Scope::Institution(_) => ("1 = 0".to_owned(), Vec::new()),
        Scope::Region(region) => (
            format!("({alias}.village_code >= ${first} and {alias}.village_code < ${second})"),
            vec![region.from.clone().into(), region.before.clone().into()],
        ),
    }
}

pub async fn find(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
    today: NaiveDate,
) -> Result<Option<Row>, DbErr> {
    let (condition, more) = scope_condition(scope, "household", today, 2);
    let sql = format!("select {COLUMNS} from household where household.id = $1 and {condition}");
    let mut values = vec![id.into()];
    values.extend(more);
    db::row(connection, &sql, values).await
}

pub async fn list(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    filter: &Filter,
    today: NaiveDate,
    request: PageRequest,
) -> Result<Vec<Row>, DbErr> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_add(1);
    let (condition, more) = scope_condition(scope, "household", today, 2);
    let mut values: Vec<Value> = vec![limit.into()];
    values.extend(more);
    let mut conditions = vec![condition];
    let mut also = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(format!("household.{condition} ${}", values.len()));
    };
    if let Some(region) = &filter.region {
        also("village_code >=", region.from.clone().into());
        also("village_code <", region.before.clone().into());
    }
    if let Some(status) = filter.status {
        also("status =", status.as_str().into());
    }
    if let Some(before) = request.before {
        also("id <", before.into());
    }
    let sql = format!(
        "select {COLUMNS} from household where {} order by household.id desc limit $1",
        conditions.join(" and ")
    );
    db::rows(connection, &sql, values).await
}

pub async fn statuses(connection: &impl ConnectionTrait, id: Uuid) -> Result<Vec<StatusRow>, DbErr> {
    let sql =
        "select status, from_on, to_on from household_status where household_id = $1 order by from_on desc";
    db::rows(connection, sql, [id.into()]).await
}

pub async fn last_visit(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<VisitRow>, DbErr> {
    let sql = "select visited_on, outcome from survey_visit where household_id = $1
               order by visited_on desc, id desc limit 1";
    db::row(connection, sql, [id.into()]).await
}

/// A household to be written, sealed.
#[derive(Clone, Debug)]
pub struct Insert {
    pub row: Row,
    /// The identity number, masked.
    pub masked: Option<String>,
    pub status_id: Uuid,
    pub status_from: NaiveDate,
}

/// Adds households in one statement.
pub async fn insert(txn: &WriteTxn, inserts: &[Insert], now: DateTime<Utc>) -> Result<(), DbErr> {
    let backend = txn.get_database_backend();
    let date = if backend == DbBackend::Postgres { "::date" } else { "" };
    let columns = [
        ("id", ColumnType::Uuid),
        ("county_code", ColumnType::Text),
        ("village_code", ColumnType::Text),
        ("external_ref", ColumnType::Text),
        ("head_name", ColumnType::Text),
        ("identity_number_sealed", ColumnType::Text),
        ("identity_fingerprint", ColumnType::Text),
        ("phone_sealed", ColumnType::Text),
        ("phone_fingerprint", ColumnType::Text),
        ("bank_account_sealed", ColumnType::Text),
        ("address_sealed", ColumnType::Text),
        ("status", ColumnType::Text),
        ("consent_on", ColumnType::Text),
    ];
    let sql = format!(
        "insert into household (id, county_code, village_code, external_ref, head_name, identity_number_sealed,
                                identity_fingerprint, phone_sealed, phone_fingerprint, bank_account_sealed,
                                address_sealed, status, consent_on, created_at, updated_at, version)
         select id, county_code, village_code, external_ref, head_name, identity_number_sealed,
                identity_fingerprint, phone_sealed, phone_fingerprint, bank_account_sealed, address_sealed, status,
                consent_on{date}, $2, $2, 1
         from ({}) as new",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = inserts.iter().map(|Insert { row, .. }| {
        vec![
            db::set_id(row.id),
            json!(row.county_code),
            json!(row.village_code),
            json!(row.external_ref),
            json!(row.head_name),
            json!(row.identity_number_sealed),
            json!(row.identity_fingerprint),
            json!(row.phone_sealed),
            json!(row.phone_fingerprint),
            json!(row.bank_account_sealed),
            json!(row.address_sealed),
            json!(row.status),
            json!(row.consent_on),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect()), now.into()]).await?;
    insert_statuses(txn, inserts).await
}

async fn insert_statuses(txn: &WriteTxn, inserts: &[Insert]) -> Result<(), DbErr> {
    let backend = txn.get_database_backend();
    let date = if backend == DbBackend::Postgres { "::date" } else { "" };
    let columns = [
        ("id", ColumnType::Uuid),
        ("household_id", ColumnType::Uuid),
        ("status", ColumnType::Text),
        ("from_on", ColumnType::Text),
    ];
    let sql = format!(
        "insert into household_status (id, household_id, status, from_on)
         select id, household_id, status, from_on{date} from ({}) as new",
        db::set_rows(backend, "$1", &columns)
    );
    let rows = inserts.iter().map(|insert| {
        vec![
            db::set_id(insert.status_id),
            db::set_id(insert.row.id),
            json!(insert.row.status),
            json!(insert.status_from),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect())]).await?;
    Ok(())
}

/// Changes a household of the version that was read; `false` when it is another one by now.
pub async fn update(
    txn: &WriteTxn,
    id: Uuid,
    version: i64,
    changes: &Changes,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = "update household
               set head_name = coalesce($3, head_name), external_ref = coalesce($4, external_ref),
                   phone_sealed = coalesce($5, phone_sealed),
                   bank_account_sealed = coalesce($6, bank_account_sealed),
                   consent_on = coalesce($7, consent_on), updated_at = $8, version = version + 1,
                   identity_number_sealed = coalesce($9, identity_number_sealed),
                   identity_fingerprint = coalesce($10, identity_fingerprint),
                   phone_fingerprint = coalesce($11, phone_fingerprint),
                   address_sealed = coalesce($12, address_sealed)
               where id = $1 and version = $2 and erased_at is null";
    let sealed = &changes.sealed;
    let values = [
        id.into(),
        version.into(),
        changes.head_name.clone().into(),
        changes.external_ref.clone().into(),
        sealed.phone_sealed.clone().into(),
        sealed.bank_account_sealed.clone().into(),
        changes.consent_on.into(),
        now.into(),
        sealed.identity_number_sealed.clone().into(),
        sealed.identity_fingerprint.clone().into(),
        sealed.phone_fingerprint.clone().into(),
        sealed.address_sealed.clone().into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// Takes out what is personal; `false` when it is gone already.
pub async fn erase(txn: &WriteTxn, id: Uuid, pseudonym: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "update household
               set head_name = $2, external_ref = null, identity_number_sealed = null, identity_fingerprint = null,
                   phone_sealed = null, phone_fingerprint = null, bank_account_sealed = null, address_sealed = null,
                   erased_at = $3, updated_at = $3, version = version + 1
               where id = $1 and erased_at is null";
    let is_done = db::change(txn, sql, [id.into(), pseudonym.into(), now.into()]).await? == 1;
    let sql = "update survey_visit set note = null where household_id = $1 and note is not null";
    db::change(txn, sql, [id.into()]).await?;
    Ok(is_done)
}

/// A status that follows another one.
#[derive(Clone, Debug)]
pub struct NextStatus {
    pub id: Uuid,
    pub household_id: Uuid,
    pub status: Status,
    pub from_on: NaiveDate,
    /// The day before `from_on`.
    pub previous_to_on: NaiveDate,
}

/// Ends the open status the day before and opens the next; `false` when the open one does not begin before it.
pub async fn follow_status(txn: &WriteTxn, next: &NextStatus, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "update household_status set to_on = $3
               where household_id = $1 and to_on is null and from_on < $2 and status <> $4";
    let values = [
        next.household_id.into(),
        next.from_on.into(),
        next.previous_to_on.into(),
        next.status.as_str().into(),
    ];
    if db::change(txn, sql, values).await? != 1 {
        return Ok(false);
    }
    let sql = "insert into household_status (id, household_id, status, from_on) values ($1, $2, $3, $4)";
    let values = [next.id.into(), next.household_id.into(), next.status.as_str().into(), next.from_on.into()];
    db::change(txn, sql, values).await?;
    let sql = "update household set status = $2, updated_at = $3, version = version + 1 where id = $1";
    db::change(txn, sql, [next.household_id.into(), next.status.as_str().into(), now.into()]).await?;
    Ok(true)
}

/// A visit to be written.
#[derive(Clone, Debug)]
pub struct Visit {
    pub id: Uuid,
    pub county_code: String,
    pub household_id: Uuid,
    pub visited_on: NaiveDate,
    pub outcome: VisitOutcome,
    pub note: Option<String>,
    pub visited_by: Uuid,
}

pub async fn insert_visit(txn: &WriteTxn, visit: &Visit, now: DateTime<Utc>) -> Result<(), DbErr> {
    let sql = "insert into survey_visit (id, county_code, household_id, visited_on, outcome, note, visited_by, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        visit.id.into(),
        visit.county_code.clone().into(),
        visit.household_id.into(),
        visit.visited_on.into(),
        visit.outcome.as_str().into(),
        visit.note.clone().into(),
        visit.visited_by.into(),
        now.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// Which of the (county, external reference) pairs are taken, in one statement.
pub async fn taken_refs(
    connection: &impl ConnectionTrait,
    pairs: &[(String, String)],
) -> Result<Vec<(String, String)>, DbErr> {
    taken(connection, "external_ref", pairs).await
}

/// Which of the (county, fingerprint of an identity number) pairs are taken, in one statement.
pub async fn taken_identities(
    connection: &impl ConnectionTrait,
    pairs: &[(String, String)],
) -> Result<Vec<(String, String)>, DbErr> {
    taken(connection, "identity_fingerprint", pairs).await
}

async fn taken(
    connection: &impl ConnectionTrait,
    column: &'static str,
    pairs: &[(String, String)],
) -> Result<Vec<(String, String)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Taken {
        county_code: String,
        value: String,
    }
    let columns = [("county_code", ColumnType::Text), ("value", ColumnType::Text)];
    let sql = format!(
        "select household.county_code, household.{column} as value from ({}) as wanted
         join household on household.county_code = wanted.county_code and household.{column} = wanted.value",
        db::set_rows(connection.get_database_backend(), "$1", &columns)
    );
    let rows = pairs.iter().map(|(county, value)| vec![json!(county), json!(value)]);
    let taken: Vec<Taken> = db::rows(connection, &sql, [db::set_parameter(rows.collect())]).await?;
    Ok(taken.into_iter().map(|taken| (taken.county_code, taken.value)).collect())
}

/// Another household of the county than `id` with this identity number.
pub async fn other_with_identity(
    connection: &impl ConnectionTrait,
    county: &str,
    fingerprint: &str,
    id: Uuid,
) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        #[expect(dead_code, reason = "a row is the answer")]
        id: Uuid,
    }
    let sql = "select id from household where identity_fingerprint = $1 and county_code = $2 and id <> $3";
    Ok(db::row::<Found>(connection, sql, [fingerprint.into(), county.into(), id.into()]).await?.is_some())
}

/// What a household is looked up by.
#[derive(Clone, Debug)]
pub enum LookUp {
    IdentityNumber(String),
    Phone(String),
}

/// The households of a scope whose number has this fingerprint, the newest first, at most `limit`.
pub async fn with_fingerprint(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    wanted: &LookUp,
    today: NaiveDate,
    limit: u64,
) -> Result<Vec<Row>, DbErr> {
    let (column, fingerprint) = match wanted {
        LookUp::IdentityNumber(fingerprint) => ("identity_fingerprint", fingerprint),
        LookUp::Phone(fingerprint) => ("phone_fingerprint", fingerprint),
    };
    let (condition, more) = scope_condition(scope, "household", today, 3);
    let sql = format!(
        "select {COLUMNS} from household where household.{column} = $1 and {condition}
         order by household.id desc limit $2"
    );
    let mut values: Vec<Value> = vec![fingerprint.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    values.extend(more);
    db::rows(connection, &sql, values).await
}

/// Somebody who hands goods over.
#[derive(FromQueryResult)]
pub struct ContactRow {
    pub id: Uuid,
    pub head_name: String,
    pub phone_sealed: Option<String>,
}

/// Names and sealed phones of households, in one statement.
pub async fn contacts(
    connection: &impl ConnectionTrait,
    households: &[Uuid],
) -> Result<Vec<ContactRow>, DbErr> {
    let sql = format!(
        "select id, head_name, phone_sealed from household where {}",
        db::in_ids(connection.get_database_backend(), "id", "$1")
    );
    let parameter = db::set_parameter(households.iter().map(|id| vec![db::set_id(*id)]).collect());
    db::rows(connection, &sql, [parameter]).await
}

/// A household that has a bank account.
#[derive(FromQueryResult)]
pub struct PayeeRow {
    pub id: Uuid,
    pub head_name: String,
    pub bank_account_sealed: String,
}

/// Names and sealed bank accounts of households, of those that have one, in one statement.
pub async fn payees(connection: &impl ConnectionTrait, households: &[Uuid]) -> Result<Vec<PayeeRow>, DbErr> {
    let sql = format!(
        "select id, head_name, bank_account_sealed from household
         where {} and bank_account_sealed is not null",
        db::in_ids(connection.get_database_backend(), "id", "$1")
    );
    let parameter = db::set_parameter(households.iter().map(|id| vec![db::set_id(*id)]).collect());
    db::rows(connection, &sql, [parameter]).await
}
