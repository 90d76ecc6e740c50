//! Sets of rows that are written at once. PostgreSQL gets all of a request's, and those of other requests that wait for
//! the same kind of write, as one statement: one round trip, one plan, one flush of the log for all of them. Nobody waits
//! to be joined by others: whatever has come while earlier ones were under way goes together.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use serde_json::Value as Json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{WriteTxn, change, database_error};
use crate::refusal::{Failure, Outcome, Refusal};

/// Statements under way at most: while one waits for the disk the next can be worked on.
const SENDING_MAX: usize = 2;

/// Requests whose rows go together at most.
const MEMBERS_MAX: usize = 32;

/// Bytes of rows that go together at most, unless one request alone has more.
const BYTES_MAX: usize = 1 << 20;

/// Requests that may wait to be sent; whoever comes then is asked to come back.
const WAITING_MAX: usize = 1_000;

/// A statement that changes rows, and the set of them: it waits to be sent, alone or together with others. The set is the
/// only parameter, `$1`, see [`super::set_rows`]; the statement has no `returning`.
#[derive(Clone, Debug)]
pub struct Change {
    sql: String,
    /// A JSON array of arrays.
    rows: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Adds a row for each of the set.
    Adds(usize),
    /// Changes the rows of these ids, each once, whatever stands in the set about it.
    Moves(HashSet<Uuid>),
}

/// Whether a set of changes was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    All,
    /// The change at this position is the first that changed another number of rows than it must.
    Nothing {
        missed: usize,
    },
}

impl Change {
    /// A statement that must add a row for each of the set.
    #[must_use]
    pub fn adding(sql: String, rows: Vec<Vec<Json>>) -> Self {
        let kind = Kind::Adds(rows.len());
        Self { sql, rows: Json::from(rows).to_string(), kind }
    }

    /// A statement that must change the rows of these ids, by all that the set says of each.
    #[must_use]
    pub fn moving(sql: String, rows: Vec<Vec<Json>>, ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self { sql, rows: Json::from(rows).to_string(), kind: Kind::Moves(ids.into_iter().collect()) }
    }

    /// Sends it alone, and answers whether it changed as many rows as it must.
    pub async fn send(self, txn: &WriteTxn) -> Result<bool, DbErr> {
        let expected = self.expected();
        Ok(change(txn, &self.sql, [self.rows.into()]).await? == expected)
    }

    /// Rows that must be changed.
    fn expected(&self) -> u64 {
        let rows = match &self.kind {
            Kind::Adds(rows) => *rows,
            Kind::Moves(ids) => ids.len(),
        };
        u64::try_from(rows).unwrap_or(u64::MAX)
    }

    /// The same statement with the rows of both.
    fn join(&mut self, other: Self) {
        let inner = |rows: &str| rows.get(1..rows.len().saturating_sub(1)).unwrap_or_default().to_owned();
        let (ours, theirs) = (inner(&self.rows), inner(&other.rows));
        let comma = if ours.is_empty() || theirs.is_empty() { "" } else { "," };
        self.rows = format!("[{ours}{comma}{theirs}]");
        match (&mut self.kind, other.kind) {
            (Kind::Adds(ours), Kind::Adds(theirs)) => *ours = ours.saturating_add(theirs),
            (Kind::Moves(ours), Kind::Moves(theirs)) => ours.extend(theirs),
            (Kind::Adds(_), Kind::Moves(_)) | (Kind::Moves(_), Kind::Adds(_)) => {}
        }
    }
}

/// Sends changes that do not depend on each other's rows. PostgreSQL gets them as one statement, which saves a round trip
/// each, holds locks for a shorter time and looks at foreign keys when all is written; `SQLite`, to which there is no way
/// to save, one after the other. Both begin with the first. When not all is written, the transaction must be rolled back.
pub async fn change_together(txn: &WriteTxn, changes: Vec<Change>) -> Result<Written, DbErr> {
    if txn.get_database_backend() == DbBackend::Postgres {
        return send_together(txn, changes).await;
    }
    for (missed, one) in changes.into_iter().enumerate() {
        if !one.send(txn).await? {
            return Ok(Written::Nothing { missed });
        }
    }
    Ok(Written::All)
}

/// Sends changes to PostgreSQL as one statement, which fails when they change other numbers of rows than they must: a
/// statement that fails has written nothing.
async fn send_together(connection: &impl ConnectionTrait, changes: Vec<Change>) -> Result<Written, DbErr> {
    let expected: Vec<u64> = changes.iter().map(Change::expected).collect();
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql_of(&changes), values_of(changes));
    match connection.query_one_raw(statement).await {
        Ok(_) => Ok(Written::All),
        Err(error) => {
            let counts = counts_of(&error).ok_or(error)?;
            let missed = counts.iter().zip(&expected).position(|(count, expected)| count != expected);
            Ok(missed.map_or(Written::All, |missed| Written::Nothing { missed }))
        }
    }
}

/// The changes in one `with`, each with its set; the last parameter is the numbers of rows they must change.
fn sql_of(changes: &[Change]) -> String {
    let numbered = || changes.iter().enumerate();
    let parts: Vec<String> = numbered()
        .map(|(position, change)| {
            let sql = change.sql.replace("$1", &format!("${}", position + 1));
            format!("change{position} as ({sql} returning 1)")
        })
        .collect();
    let counts: Vec<String> =
        numbered().map(|(position, _)| format!("(select count(*) from change{position})")).collect();
    format!(
        "with {} select require_counts(json_build_array({})::text, ${})",
        parts.join(", "),
        counts.join(", "),
        changes.len() + 1
    )
}

fn values_of(changes: Vec<Change>) -> Vec<sea_orm::Value> {
    // As PostgreSQL writes an array.
    let expected: Vec<String> = changes.iter().map(|change| change.expected().to_string()).collect();
    let sets = changes.into_iter().map(|change| change.rows.into());
    sets.chain([format!("[{}]", expected.join(", ")).into()]).collect()
}

/// The writes of this process that wait for PostgreSQL.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    writer: DatabaseConnection,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Member>,
    /// Tasks that send what waits.
    sending: usize,
}

/// What one request writes.
#[derive(Debug)]
struct Member {
    changes: Vec<Change>,
    done: oneshot::Sender<Result<Written, DbErr>>,
}

impl Groups {
    pub(super) fn of(writer: DatabaseConnection) -> Self {
        Self { writer, queue: Arc::default() }
    }

    /// Writes all of the changes, or nothing. They are written even when the caller does not wait for it any more.
    pub(super) async fn write(&self, changes: Vec<Change>) -> Outcome<Written> {
        let (done, written) = oneshot::channel();
        let must_send = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.waiting.len() >= WAITING_MAX {
                return Err(Refusal::Busy { retry_after_seconds: 1 }.into());
            }
            queue.waiting.push_back(Member { changes, done });
            let has_room = queue.sending < SENDING_MAX;
            queue.sending += usize::from(has_room);
            has_room
        };
        if must_send {
            tokio::spawn(self.clone().send_waiting());
        }
        match written.await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Failure::Broken("what was to be written has been dropped".to_owned())),
        }
    }

    /// Sends groups until nothing waits.
    async fn send_waiting(self) {
        while let Some(group) = self.next_group() {
            self.send_group(group).await;
        }
    }

    /// The request that has waited longest and what can go with it. Without one, this task is not counted any more.
    fn next_group(&self) -> Option<Vec<Member>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = queue.waiting.pop_front() else {
            queue.sending = queue.sending.saturating_sub(1);
            return None;
        };
        let mut bytes = first.bytes();
        let mut group = vec![first];
        let mut left = VecDeque::with_capacity(queue.waiting.len());
        for member in queue.waiting.drain(..) {
            let fits = group.len() < MEMBERS_MAX
                && bytes.saturating_add(member.bytes()) <= BYTES_MAX
                && group.first().is_some_and(|first| member.is_like(first));
            if fits {
                bytes += member.bytes();
                group.push(member);
            } else {
                left.push_back(member);
            }
        }
        queue.waiting = left;
        Some(group)
    }

    /// Sends a group as one; when the database refuses that, each of its members alone: the fault of one is not that of
    /// the others. What is not known to be refused, as the connection was lost, is not sent again.
    async fn send_group(&self, group: Vec<Member>) {
        let joined = joined(group.iter().map(|member| &member.changes));
        let result = self.send(joined).await;
        let is_refused = match &result {
            Ok(written) => *written != Written::All,
            Err(error) => database_error(error).is_some(),
        };
        if is_refused && group.len() > 1 {
            join_all(group.into_iter().map(|member| async {
                let result = self.send(member.changes).await;
                // Whoever does not wait any more does not want to know.
                let _ = member.done.send(result);
            }))
            .await;
            return;
        }
        for member in group {
            let _ = member.done.send(result.clone());
        }
    }

    async fn send(&self, changes: Vec<Change>) -> Result<Written, DbErr> {
        super::STATEMENTS.fetch_add(1, Ordering::Relaxed);
        send_together(&self.writer, changes).await
    }
}

impl Member {
    /// Whether the same statements write both.
    fn is_like(&self, other: &Self) -> bool {
        self.changes.len() == other.changes.len()
            && self.changes.iter().zip(&other.changes).all(|(ours, theirs)| ours.sql == theirs.sql)
    }

    fn bytes(&self) -> usize {
        self.changes.iter().map(|change| change.rows.len()).sum()
    }
}

/// The changes of all members, set by set.
fn joined<'a>(members: impl Iterator<Item = &'a Vec<Change>>) -> Vec<Change> {
    members
        .cloned()
        .reduce(|mut joined, changes| {
            for (one, other) in joined.iter_mut().zip(changes) {
                one.join(other);
            }
            joined
        })
        .unwrap_or_default()
}

/// The error by which `require_counts` refuses, see the migration that makes it.
const COUNTS_DIFFER: &str = "ZX001";

/// The counts for which `require_counts` refused, if it did.
fn counts_of(error: &DbErr) -> Option<Vec<u64>> {
    let cause = database_error(error)?;
    let has_refused = DatabaseError::code(cause).is_some_and(|code| code == COUNTS_DIFFER);
    has_refused.then(|| serde_json::from_str(cause.message()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(sql: &str, rows: &[i64]) -> Change {
        Change::adding(sql.to_owned(), rows.iter().map(|row| vec![json!(row)]).collect())
    }

    #[test]
    fn changes_sent_together_have_a_parameter_each() {
        let changes =
            vec![change("insert into one select $1", &[1]), change("insert into other select $1, $1", &[2])];
        assert_eq!(
            sql_of(&changes),
            "with change0 as (insert into one select $1 returning 1), \
             change1 as (insert into other select $2, $2 returning 1) \
             select require_counts(json_build_array((select count(*) from change0), \
             (select count(*) from change1))::text, $3)"
        );
        assert_eq!(values_of(changes), ["[[1]]".into(), "[[2]]".into(), "[1, 1]".into()]);
    }

    #[test]
    fn sets_of_several_requests_become_one_set() {
        let members = [vec![change("sql", &[1, 2])], vec![change("sql", &[])], vec![change("sql", &[3])]];
        let joined = joined(members.iter());
        let shown: Vec<_> = joined.iter().map(|change| (change.rows.as_str(), change.expected())).collect();
        assert_eq!(shown, [("[[1],[2],[3]]", 3)]);
    }

    #[test]
    fn a_row_that_several_requests_move_is_moved_once() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let moving = |id: Uuid| vec![Change::moving("sql".to_owned(), vec![vec![json!(id)]], [id])];
        let joined = joined([moving(one), moving(other), moving(one)].iter());
        assert_eq!(joined[0].expected(), 2);
    }

    #[tokio::test]
    async fn whoever_comes_when_too_many_wait_is_asked_to_come_back() {
        let groups = Groups::of(DatabaseConnection::default());
        {
            let mut queue = groups.queue.lock().unwrap();
            queue.sending = SENDING_MAX;
            for _ in 0..WAITING_MAX {
                let (done, _) = oneshot::channel();
                queue.waiting.push_back(Member { changes: Vec::new(), done });
            }
        }
        let refused = groups.write(vec![change("a", &[1])]).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused(Refusal::Busy { .. })), "{refused}");
        assert_eq!(groups.queue.lock().unwrap().waiting.len(), WAITING_MAX);
    }

    #[test]
    fn a_group_is_of_one_kind_and_the_rest_waits() {
        let groups = Groups::of(DatabaseConnection::default());
        for (sql, row) in [("a", 1), ("b", 2), ("a", 3), ("b", 4)] {
            let (done, _) = oneshot::channel();
            groups
                .queue
                .lock()
                .unwrap()
                .waiting
                .push_back(Member { changes: vec![change(sql, &[row])], done });
        }
        let mut sent = Vec::new();
        while let Some(group) = groups.next_group() {
            let joined = joined(group.iter().map(|member| &member.changes));
            sent.push(format!("{} {}", joined[0].sql, joined[0].rows));
        }
        assert_eq!(sent, ["a [[1],[3]]", "b [[2],[4]]"]);
    }
}
