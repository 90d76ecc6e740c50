//! SQL of webhooks and their deliveries. A delivery is claimed by a lease: of any number of processes one attempts it.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;

/// A webhook as stored.
#[derive(Clone, Debug, FromQueryResult)]
pub struct WebhookRow {
    pub id: Uuid,
    pub county_code: String,
    pub institution_id: Uuid,
    pub url: String,
    pub events: String,
    pub secret_sealed: String,
    pub failures: i32,
    pub created_by: Uuid,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A delivery as stored.
#[derive(Clone, Debug, FromQueryResult)]
pub struct DeliveryRow {
    pub id: Uuid,
    pub event: String,
    pub subject_id: Uuid,
    pub state: String,
    pub attempts: i32,
    pub next_at: DateTime<Utc>,
    pub last_status: Option<i32>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A delivery that this process is to attempt.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Claimed {
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub payload: String,
    /// With the one that is to be made.
    pub attempts: i32,
}

/// A delivery that is to be made.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub event: &'static str,
    pub subject_id: Uuid,
    pub payload: String,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub struct Attempted<'a> {
    pub delivery: &'a Claimed,
    pub status: Option<i32>,
    pub error: Option<String>,
    /// When the next attempt is made, if there is one.
    pub next_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

const COLUMNS: &str =
    "id, county_code, institution_id, url, events, secret_sealed, failures, created_by, created_at,
                       ended_at";

/// Adds a webhook unless the institution has `limit` of them; answers whether it was added.
pub async fn insert(txn: &WriteTxn, row: &WebhookRow, limit: i64) -> Result<bool, DbErr> {
    let (uuid, time) = match txn.get_database_backend() {
        DbBackend::Postgres => ("::uuid", "::timestamptz"),
        _ => ("", ""),
    };
    let sql = format!(
        "insert into webhook (id, county_code, institution_id, url, events, secret_sealed, created_by, created_at)
         select $1{uuid}, $2, $3{uuid}, $4, $5, $6, $7{uuid}, $8{time}
         where (select count(*) from webhook where institution_id = $3{uuid} and ended_at is null) < $9"
    );
    let values: [Value; 9] = [
        row.id.into(),
        row.county_code.clone().into(),
        row.institution_id.into(),
        row.url.clone().into(),
        row.events.clone().into(),
        row.secret_sealed.clone().into(),
        row.created_by.into(),
        row.created_at.into(),
        limit.into(),
    ];
    Ok(db::change(txn, &sql, values).await? == 1)
}

/// One row more than the page holds, newest first, without those that have ended.
pub async fn list(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    page: PageRequest,
) -> Result<Vec<WebhookRow>, DbErr> {
    let sql = format!(
        "select {COLUMNS} from webhook
         where institution_id = $1 and ended_at is null and id < $2 order by id desc limit $3"
    );
    db::rows(connection, &sql, [institution_id.into(), before(page), one_more(page)]).await
}

/// A webhook of an institution, also one that has ended.
pub async fn find(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    id: Uuid,
) -> Result<Option<WebhookRow>, DbErr> {
    let sql = format!("select {COLUMNS} from webhook where id = $1 and institution_id = $2");
    db::row(connection, &sql, [id.into(), institution_id.into()]).await
}

/// A webhook that has not ended, whosever it is.
pub async fn live(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<WebhookRow>, DbErr> {
    let sql = format!("select {COLUMNS} from webhook where id = $1 and ended_at is null");
    db::row(connection, &sql, [id.into()]).await
}

/// The live webhooks of institutions.
pub async fn of_institutions(
    connection: &impl ConnectionTrait,
    institution_ids: &[Uuid],
) -> Result<Vec<WebhookRow>, DbErr> {
    let condition = db::in_ids(connection.get_database_backend(), "institution_id", "$1");
    let sql = format!("select {COLUMNS} from webhook where {condition} and ended_at is null order by id");
    let ids = institution_ids.iter().map(|id| vec![db::set_id(*id)]).collect();
    db::rows(connection, &sql, [db::set_parameter(ids)]).await
}

/// Ends a webhook, and what waits for it; answers whether it was live.
pub async fn end(txn: &WriteTxn, id: Uuid, institution_id: Uuid, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "update webhook set ended_at = $3 where id = $1 and institution_id = $2 and ended_at is null";
    if db::change(txn, sql, [id.into(), institution_id.into(), now.into()]).await? == 0 {
        return Ok(false);
    }
    let sql =
        "update webhook_delivery set state = 'failed', ended_at = $2, last_error = 'the webhook was deleted'
               where webhook_id = $1 and state = 'pending'";
    db::change(txn, sql, [id.into(), now.into()]).await?;
    Ok(true)
}

/// Adds deliveries, due at once.
pub async fn insert_deliveries(
    txn: &WriteTxn,
    deliveries: &[NewDelivery],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let columns = [
        ("id", ColumnType::Uuid),
        ("webhook_id", ColumnType::Uuid),
        ("event", ColumnType::Text),
        ("subject_id", ColumnType::Uuid),
        ("payload", ColumnType::Text),
    ];
    let names = columns.map(|(name, _)| name).join(", ");
    let time = if txn.get_database_backend() == DbBackend::Postgres { "::timestamptz" } else { "" };
    let sql = format!(
        "insert into webhook_delivery ({names}, state, next_at, created_at)
         select {names}, 'pending', $2{time}, $2{time} from ({}) as news",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = deliveries.iter().map(|one| {
        vec![
            db::set_id(one.id),
            db::set_id(one.webhook_id),
            json!(one.event),
            db::set_id(one.subject_id),
            json!(one.payload),
        ]
    });
    db::change(txn, &sql, [db::set_parameter(rows.collect()), now.into()]).await?;
    Ok(())
}

/// One row more than the page holds, newest first.
pub async fn deliveries(
    connection: &impl ConnectionTrait,
    webhook_id: Uuid,
    page: PageRequest,
) -> Result<Vec<DeliveryRow>, DbErr> {
    let sql = "select id, event, subject_id, state, attempts, next_at, last_status, last_error, created_at, ended_at
               from webhook_delivery where webhook_id = $1 and id < $2 order by id desc limit $3";
    db::rows(connection, sql, [webhook_id.into(), before(page), one_more(page)]).await
}

/// Whether anything is due, without locking.
pub async fn is_any_due(connection: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Due {
        #[expect(dead_code, reason = "that there is one is the answer")]
        id: Uuid,
    }
    let sql = "select id from webhook_delivery
               where state = 'pending' and next_at <= $1 and (lease_until is null or lease_until <= $1) limit 1";
    Ok(db::row::<Due>(connection, sql, [now.into()]).await?.is_some())
}

/// Claims what is due until `until`, the oldest first and at most one delivery of a webhook at a time. Webhooks whose last
/// attempt failed are claimed apart from the others, so that they do not keep those waiting.
pub async fn claim(
    txn: &WriteTxn,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
    is_failing: bool,
    limit: usize,
) -> Result<Vec<Claimed>, DbErr> {
    let backend = txn.get_database_backend();
    let locked = if backend == DbBackend::Postgres { "for update of d skip locked" } else { "" };
    let failing = if is_failing { "w.failures > 0" } else { "w.failures = 0" };
    let sql = format!(
        "update webhook_delivery set lease_until = $2, attempts = attempts + 1
         where id in (
             select d.id from webhook_delivery d join webhook w on w.id = d.webhook_id
             where d.state = 'pending' and d.next_at <= $1 and (d.lease_until is null or d.lease_until <= $1)
               and w.ended_at is null and {failing}
               and not exists (select 1 from webhook_delivery other
                               where other.webhook_id = d.webhook_id and other.id <> d.id
                                 and other.state = 'pending'
                                 and (other.lease_until > $1 or (other.id < d.id and other.next_at <= $1)))
             order by d.id limit $3 {locked})
         returning id, webhook_id, payload, attempts"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db::rows(txn, &sql, [now.into(), until.into(), limit.into()]).await
}

/// Notes what became of an attempt, unless somebody else has claimed the delivery since.
pub async fn note(txn: &WriteTxn, attempted: &Attempted<'_>) -> Result<bool, DbErr> {
    let is_delivered = attempted.error.is_none();
    let state = match (is_delivered, attempted.next_at) {
        (true, _) => "delivered",
        (false, Some(_)) => "pending",
        (false, None) => "failed",
    };
    let ended_at = (state != "pending").then_some(attempted.at);
    let sql = "update webhook_delivery
               set state = $3, last_status = $4, last_error = $5, next_at = $6, ended_at = $7, lease_until = null
               where id = $1 and attempts = $2 and state = 'pending'";
    let values: [Value; 7] = [
        attempted.delivery.id.into(),
        attempted.delivery.attempts.into(),
        state.into(),
        attempted.status.into(),
        attempted.error.clone().into(),
        attempted.next_at.unwrap_or(attempted.at).into(),
        ended_at.into(),
    ];
    if db::change(txn, sql, values).await? == 0 {
        return Ok(false);
    }
    let failures = if is_delivered { "0" } else { "failures + 1" };
    let sql = format!("update webhook set failures = {failures} where id = $1");
    db::change(txn, &sql, [attempted.delivery.webhook_id.into()]).await?;
    Ok(true)
}

/// Forgets deliveries that ended before a moment, at most `limit`; answers how many.
pub async fn forget(txn: &WriteTxn, before: DateTime<Utc>, limit: i64) -> Result<u64, DbErr> {
    let sql = "delete from webhook_delivery where id in (
                   select id from webhook_delivery where state <> 'pending' and ended_at < $1 limit $2)";
    db::change(txn, sql, [before.into(), limit.into()]).await
}

fn before(page: PageRequest) -> Value {
    page.before.unwrap_or(Uuid::max()).into()
}

fn one_more(page: PageRequest) -> Value {
    i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX).into()
}
