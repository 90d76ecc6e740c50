//! SQL of links. They are only added.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::rules::{EventFields, Head, Held, Link};
use crate::db::{self, Change, ColumnType};

const EVENT: &str =
    "event.id, event.county_code, event.at, event.actor_id, event.actor_role, event.household_id,
    event.action, event.subject_kind, event.subject_id, event.before_json, event.after_json, event.request_id,
    event.peer";

#[derive(FromQueryResult)]
struct EventRow {
    id: Uuid,
    county_code: Option<String>,
    at: DateTime<Utc>,
    actor_id: Option<Uuid>,
    actor_role: String,
    household_id: Option<Uuid>,
    action: String,
    subject_kind: String,
    subject_id: Uuid,
    before_json: Option<Json>,
    after_json: Option<Json>,
    request_id: Option<String>,
    peer: Option<String>,
}

impl From<EventRow> for EventFields {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            county_code: row.county_code,
            at: row.at,
            actor_id: row.actor_id,
            actor_role: row.actor_role,
            household_id: row.household_id,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            before: row.before_json,
            after: row.after_json,
            request_id: row.request_id,
            peer: row.peer,
        }
    }
}

/// The newest link.
pub async fn head(connection: &impl ConnectionTrait) -> Result<Option<Head>, DbErr> {
    let sql = "select number, digest from trail_link order by number desc limit 1";
    Ok(db::row::<HeadRow>(connection, sql, []).await?.map(HeadRow::into_head))
}

/// The link of a number.
pub async fn link_of(connection: &impl ConnectionTrait, number: i64) -> Result<Option<Head>, DbErr> {
    let sql = "select number, digest from trail_link where number = $1";
    Ok(db::row::<HeadRow>(connection, sql, [number.into()]).await?.map(HeadRow::into_head))
}

#[derive(FromQueryResult)]
struct HeadRow {
    number: i64,
    digest: String,
}

impl HeadRow {
    fn into_head(self) -> Head {
        Head { number: self.number, digest: self.digest }
    }
}

/// The greatest id of a chained event.
pub async fn last_chained(connection: &impl ConnectionTrait) -> Result<Option<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        event_id: Uuid,
    }
    let sql = "select event_id from chained_event order by event_id desc limit 1";
    Ok(db::row::<Row>(connection, sql, []).await?.map(|row| row.event_id))
}

/// Events from an id on that no link holds, in the order of their ids.
pub async fn unchained(
    connection: &impl ConnectionTrait,
    from: Uuid,
    limit: usize,
) -> Result<Vec<EventFields>, DbErr> {
    let sql = format!(
        "select {EVENT} from audit_event event
         where event.id >= $1 and not exists (select 1 from chained_event chained where chained.event_id = event.id)
         order by event.id limit $2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db::rows::<EventRow>(connection, &sql, [from.into(), limit.into()]).await?;
    Ok(rows.into_iter().map(EventFields::from).collect())
}

/// Ids of events between two ids that no link holds.
pub async fn passed_over(
    connection: &impl ConnectionTrait,
    from: Uuid,
    before: Uuid,
    limit: usize,
) -> Result<Vec<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let sql = "select event.id from audit_event event
               where event.id >= $1 and event.id < $2
                 and not exists (select 1 from chained_event chained where chained.event_id = event.id)
               order by event.id limit $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db::rows::<Row>(connection, sql, [from.into(), before.into(), limit.into()]).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The statements that add a link and say what it holds. Neither adds anything when another process was first.
pub fn additions(
    backend: DbBackend,
    link: &Head,
    events: &[(Uuid, String)],
    now: DateTime<Utc>,
) -> [Change; 2] {
    use ColumnType::{Integer, Text, Time, Uuid as Id};

    let link_columns =
        [("number", Integer), ("event_count", Integer), ("digest", Text), ("chained_at", Time)];
    // `where true`: without it SQLite takes `on` for the condition of a join.
    let add_head = format!(
        "insert into trail_link (number, event_count, digest, chained_at)
         select number, event_count, digest, chained_at from ({}) as link where true on conflict do nothing",
        db::set_rows(backend, "$1", &link_columns)
    );
    let row = vec![json!(link.number), json!(events.len()), json!(link.digest), db::set_time(now)];
    let event_columns = [("event_id", Id), ("link_number", Integer), ("position", Integer), ("digest", Text)];
    let add_events = format!(
        "insert into chained_event (event_id, link_number, position, digest)
         select event_id, link_number, position, digest from ({}) as held where true on conflict do nothing",
        db::set_rows(backend, "$1", &event_columns)
    );
    let rows = events.iter().zip(1_u64..).map(|((id, digest), position)| {
        vec![db::set_id(*id), json!(link.number), json!(position), json!(digest)]
    });
    [Change::adding(add_head, vec![row]), Change::adding(add_events, rows.collect())]
}

/// Links after a number, in the order of their numbers.
pub async fn links_after(
    connection: &impl ConnectionTrait,
    number: i64,
    limit: u64,
) -> Result<Vec<Link>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        number: i64,
        event_count: i64,
        digest: String,
    }
    let sql = "select number, event_count, digest from trail_link where number > $1 order by number limit $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db::rows::<Row>(connection, sql, [number.into(), limit.into()]).await?;
    let link = |row: Row| Link {
        head: Head { number: row.number, digest: row.digest },
        event_count: row.event_count,
    };
    Ok(rows.into_iter().map(link).collect())
}

/// The number of the last link made before a moment; zero when there is none.
pub async fn last_before(connection: &impl ConnectionTrait, moment: DateTime<Utc>) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        number: i64,
    }
    let sql = "select number from trail_link where chained_at < $1 order by number desc limit 1";
    Ok(db::row::<Row>(connection, sql, [moment.into()]).await?.map_or(0, |row| row.number))
}

/// What links of a range of numbers hold, in their order.
pub async fn chained(connection: &impl ConnectionTrait, first: i64, last: i64) -> Result<Vec<Held>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        event_id: Uuid,
        link_number: i64,
        position: i64,
        digest: String,
    }
    let sql = format!(
        "select chained.event_id, chained.link_number, chained.position, chained.digest, {EVENT}
         from chained_event chained left join audit_event event on event.id = chained.event_id
         where chained.link_number between $1 and $2 order by chained.link_number, chained.position"
    );
    let statement =
        Statement::from_sql_and_values(connection.get_database_backend(), sql, [first.into(), last.into()]);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|result| {
            let row = Row::from_query_result(result, "")?;
            let is_there: Option<Uuid> = result.try_get("", "id")?;
            let event =
                is_there.map(|_| EventRow::from_query_result(result, "")).transpose()?.map(EventFields::from);
            Ok(Held {
                event_id: row.event_id,
                link_number: row.link_number,
                position: row.position,
                digest: row.digest,
                event,
            })
        })
        .collect()
}
