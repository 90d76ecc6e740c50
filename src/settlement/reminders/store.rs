//! SQL of reminders. They are only added.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::ReminderView;
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::RegionScope;
use crate::money::Fen;
use crate::settlement::is_unpaid;

/// Whose reminders are listed.
#[derive(Clone, Debug)]
pub enum Debtors {
    /// Institutions of a region.
    In(RegionScope),
    One(Uuid),
}

/// A reminder that is to be raised.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Missing {
    pub county_code: String,
    pub settlement_id: Uuid,
    pub institution_id: Uuid,
    pub step: i64,
    pub due_on: NaiveDate,
    pub open_fen: i64,
}

/// The due days of settlements that are unpaid, up to a day: few, however many the settlements.
pub async fn unpaid_due_days(
    connection: &impl ConnectionTrait,
    last: NaiveDate,
) -> Result<Vec<NaiveDate>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        due_on: NaiveDate,
    }
    let unpaid = is_unpaid("s");
    let sql = format!(
        "select distinct s.due_on from settlement s where {unpaid} and s.due_on <= $1 order by s.due_on"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, [last.into()]).await?;
    Ok(rows.into_iter().map(|row| row.due_on).collect())
}

/// Unpaid settlements whose due day has reached a step that they have no reminder of, the longest overdue first.
pub async fn missing(
    connection: &impl ConnectionTrait,
    steps: &[(NaiveDate, i64)],
    limit: usize,
) -> Result<Vec<Missing>, DbErr> {
    let columns = [("due_on", ColumnType::Date), ("step", ColumnType::Integer)];
    let unpaid = is_unpaid("s");
    let sql = format!(
        "select s.county_code, s.id as settlement_id, s.institution_id, reached.step, s.due_on,
                s.amount_fen + s.fee_fen - s.received_fen - s.fee_received_fen as open_fen
         from ({}) as reached join settlement s on s.due_on = reached.due_on and {unpaid}
         where not exists (select 1 from payment_reminder r
                           where r.settlement_id = s.id and r.step = reached.step)
         order by s.due_on, s.id limit $2",
        db::set_rows(connection.get_database_backend(), "$1", &columns)
    );
    let steps = steps.iter().map(|(due_on, step)| vec![json!(due_on), json!(step)]).collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db::rows(connection, &sql, [db::set_parameter(steps), limit.into()]).await
}

/// Adds those that nobody else has added; answers which.
pub async fn insert(
    txn: &WriteTxn,
    reminders: &[(Uuid, Missing)],
    raised_on: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let columns = [
        ("id", ColumnType::Uuid),
        ("county_code", ColumnType::Text),
        ("settlement_id", ColumnType::Uuid),
        ("institution_id", ColumnType::Uuid),
        ("step", ColumnType::Integer),
        ("due_on", ColumnType::Date),
        ("open_fen", ColumnType::Integer),
    ];
    let names = columns.map(|(name, _)| name).join(", ");
    let sql = format!(
        "insert into payment_reminder ({names}, raised_on, created_at)
         select {names}, $2, $3 from ({}) as new where true
         on conflict (settlement_id, step) do nothing returning id",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = reminders.iter().map(|(id, missing)| {
        vec![
            db::set_id(*id),
            json!(missing.county_code),
            db::set_id(missing.settlement_id),
            db::set_id(missing.institution_id),
            json!(missing.step),
            json!(missing.due_on),
            json!(missing.open_fen),
        ]
    });
    let values = [db::set_parameter(rows.collect()), raised_on.into(), now.into()];
    let rows: Vec<Row> = db::rows(txn, &sql, values).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    debtors: &Debtors,
    institution_id: Option<Uuid>,
    request: PageRequest,
) -> Result<Vec<ReminderView>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        settlement_id: Uuid,
        settlement_number: String,
        institution_id: Uuid,
        institution_name: String,
        step: i64,
        due_on: NaiveDate,
        open_fen: i64,
        raised_on: NaiveDate,
        created_at: DateTime<Utc>,
    }
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![limit.into()];
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let mut conditions = match debtors {
        Debtors::In(region) => vec![
            format!("institution.region_code >= {}", bind(region.from.clone().into())),
            format!("institution.region_code < {}", bind(region.before.clone().into())),
        ],
        Debtors::One(id) => vec![format!("r.institution_id = {}", bind((*id).into()))],
    };
    if let Some(id) = institution_id {
        conditions.push(format!("r.institution_id = {}", bind(id.into())));
    }
    if let Some(before) = request.before {
        conditions.push(format!("r.id < {}", bind(before.into())));
    }
    let sql = format!(
        "select r.id, r.settlement_id, s.number as settlement_number, r.institution_id,
                institution.name as institution_name, r.step, r.due_on, r.open_fen, r.raised_on, r.created_at
         from payment_reminder r join institution on institution.id = r.institution_id
         join settlement s on s.id = r.settlement_id
         where {} order by r.id desc limit $1",
        conditions.join(" and ")
    );
    let rows: Vec<Row> = db::rows(connection, &sql, values).await?;
    let view = |row: Row| ReminderView {
        id: row.id,
        settlement_id: row.settlement_id,
        settlement_number: row.settlement_number,
        institution_id: row.institution_id,
        institution_name: row.institution_name,
        step: row.step,
        due_on: row.due_on,
        open: Fen::new(row.open_fen),
        raised_on: row.raised_on,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(view).collect())
}
