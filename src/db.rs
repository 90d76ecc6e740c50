//! The one place that opens databases and begins transactions.
//!
//! Reads go through a pool that cannot write. Writes go through [`WriteTxn`], which only [`Db::begin`] makes, so that
//! a stray autocommit write does not compile. On `SQLite` one connection writes, behind a process-wide lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, ExecResult, FromQueryResult, IsolationLevel, QueryResult, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::refusal::{Failure, Outcome, Refusal};

/// How often a transaction that lost a race is tried again before the caller is asked to come back.
const WRITE_ATTEMPTS_MAX: u32 = 6;

/// Any number will do, as long as every process of every version takes the same.
const MIGRATION_LOCK: i64 = 0x7a68_7578;

/// Statements sent since the process began, for `/metrics` and for tests that bound round trips.
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Statements sent since the process began.
#[must_use]
pub fn statements_sent() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}

/// A database: many readers, and writers that hold a transaction.
#[derive(Clone, Debug)]
pub struct Db {
    writer: DatabaseConnection,
    reader: Reader,
    /// `SQLite` has one writer; waiting here is fair and cheap, waiting in its busy handler is neither.
    gate: Option<Arc<Mutex<()>>>,
}

/// A connection pool that can only read.
#[derive(Clone, Debug)]
pub struct Reader(DatabaseConnection);

/// The database as it was at one moment, however long the reading takes and whoever writes meanwhile. It holds a
/// connection of the readers until it is dropped.
#[derive(Debug)]
pub struct Snapshot(DatabaseTransaction);

/// Proof that a transaction is open. Dropped without commit, it rolls back.
#[derive(Debug)]
pub struct WriteTxn {
    txn: DatabaseTransaction,
    /// PostgreSQL answers `COMMIT` of a failed transaction with success and stores nothing.
    has_failed: AtomicBool,
    _gate: Option<OwnedMutexGuard<()>>,
}

/// What a transaction answered, which has been committed.
#[derive(Debug)]
pub struct Committed<T>(T);

impl<T> Committed<T> {
    /// The answer.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Db {
    /// Opens the database at `url` (`sqlite://…` or `postgres://…`) with at most `connections` readers and,
    /// on PostgreSQL, as many writers.
    pub async fn open(url: &str, connections: u32) -> Result<Self, DbErr> {
        let is_sqlite = url.starts_with("sqlite:");
        let writer = Database::connect(options(url, if is_sqlite { 1 } else { connections }, false)).await?;
        let reader = Database::connect(options(url, connections, true)).await?;
        let gate = is_sqlite.then(|| Arc::new(Mutex::new(())));
        Ok(Self { writer, reader: Reader(reader), gate })
    }

    /// Applies the missing migrations on a connection of its own, one process at a time.
    ///
    /// On `SQLite` foreign keys are off meanwhile, as a table that others refer to can only be changed by rebuilding it
    /// (<https://www.sqlite.org/lang_altertable.html#otheralter>); they are checked before the commit.
    pub async fn migrate(url: &str) -> Result<(), DbErr> {
        let mut options = options(url, 1, false);
        options.map_sqlx_sqlite_opts(|sqlite| sqlite_options(sqlite, false).foreign_keys(false));
        let connection = Database::connect(options).await?;
        let txn = begin(&connection).await?;
        if txn.get_database_backend() == DbBackend::Postgres {
            txn.execute_unprepared(&format!("select pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
        }
        let is_behind = !Migrator::get_pending_migrations(&txn).await?.is_empty();
        Migrator::up(&txn, None).await?;
        if is_behind {
            refuse_dangling(&txn).await?;
        }
        txn.commit().await?;
        connection.close().await
    }

    /// Whether this binary's migrations have all been applied.
    pub async fn is_current(&self) -> Result<bool, DbErr> {
        #[derive(FromQueryResult)]
        struct Applied {
            version: String,
        }
        let applied = rows::<Applied>(&self.reader, "select version from seaql_migrations", []).await?;
        Ok(Migrator::migrations().iter().all(|known| applied.iter().any(|row| row.version == known.name())))
    }

    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// Begins a transaction for writing. Dropped without [`WriteTxn::commit`], it rolls back.
    pub async fn begin(&self) -> Outcome<WriteTxn> {
        let gate = match &self.gate {
            Some(gate) => Some(Arc::clone(gate).lock_owned().await),
            None => None,
        };
        Ok(WriteTxn { txn: begin(&self.writer).await?, has_failed: AtomicBool::new(false), _gate: gate })
    }

    /// Runs `work`, which begins and commits one transaction. Losing a race (serialisation failure, deadlock, busy
    /// file) runs it again, a bounded number of times, then answers [`Refusal::Busy`].
    pub async fn write<T, W: Future<Output = Outcome<Committed<T>>>>(
        &self,
        work: impl Fn() -> W,
    ) -> Outcome<T> {
        for attempt in 1..=WRITE_ATTEMPTS_MAX {
            match work().await {
                Err(failure) if is_worth_repeating(&failure) => {
                    tracing::debug!(attempt, %failure, "transaction lost a race");
                    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 5)).await;
                }
                done => return done.map(Committed::into_inner),
            }
        }
        Err(Refusal::Busy { retry_after_seconds: 1 }.into())
    }

    /// Sends `changes`, each with the number of rows it must change, in a transaction of their own, and answers `value`
    /// once it has committed. When one changes another number nothing is written, and the numbers of all are answered.
    /// On PostgreSQL that takes one round trip: rows are locked no longer than they are written.
    pub async fn write_at_once<T>(
        &self,
        changes: Vec<(Change, u64)>,
        value: T,
    ) -> Outcome<Result<Committed<T>, Vec<u64>>> {
        let (changes, expected): (Vec<Change>, Vec<u64>) = changes.into_iter().unzip();
        if self.backend() == DbBackend::Postgres {
            STATEMENTS.fetch_add(1, Ordering::Relaxed);
            let together = Together::of(changes).requiring(&expected);
            let statement = Statement::from_sql_and_values(self.backend(), together.sql, together.values);
            return match self.writer.query_one_raw(statement).await {
                Ok(_) => Ok(Ok(Committed(value))),
                Err(error) => counts_of(&error).map(Err).ok_or_else(|| error.into()),
            };
        }
        let txn = self.begin().await?;
        let counts = change_together(&txn, changes).await?;
        if counts == expected { txn.commit(value).await.map(Ok) } else { Ok(Err(counts)) }
    }

    /// Closes both pools.
    pub async fn close(self) -> Result<(), DbErr> {
        self.reader.0.close().await?;
        self.writer.close().await
    }
}

impl WriteTxn {
    /// Commits, and answers `value` as proof of it. A transaction in which a statement failed is refused, whoever
    /// swallowed the error.
    pub async fn commit<T>(self, value: T) -> Outcome<Committed<T>> {
        if self.has_failed.load(Ordering::Relaxed) {
            self.txn.rollback().await?;
            return Err(Failure::Broken("a failed statement was swallowed inside a transaction".to_owned()));
        }
        self.txn.commit().await?;
        Ok(Committed(value))
    }

    fn noted<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        if result.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

#[async_trait]
impl ConnectionTrait for WriteTxn {
    fn get_database_backend(&self) -> DbBackend {
        self.txn.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.noted(self.txn.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.noted(self.txn.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.noted(self.txn.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.noted(self.txn.query_all_raw(statement).await)
    }
}

impl Reader {
    /// Keeps the database as it is now for a reading of many statements.
    pub async fn snapshot(&self) -> Result<Snapshot, DbErr> {
        let is_postgres = self.0.get_database_backend() == DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: is_postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        };
        Ok(Snapshot(self.0.begin_with_options(options).await?))
    }
}

#[async_trait]
impl ConnectionTrait for Snapshot {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(DbErr::Custom("a snapshot cannot write".to_owned()))
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(DbErr::Custom("a snapshot cannot write".to_owned()))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        self.0.query_all_raw(statement).await
    }
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(DbErr::Custom("a reader cannot write".to_owned()))
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(DbErr::Custom("a reader cannot write".to_owned()))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        self.0.query_all_raw(statement).await
    }
}

/// All rows of a query. Write `$1`, `$2` … on both engines; never put a value into the text.
pub async fn rows<T: FromQueryResult>(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<T>, DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.query_all_raw(statement).await?.iter().map(|row| T::from_query_result(row, "")).collect()
}

/// The first row of a query, if there is one.
pub async fn row<T: FromQueryResult>(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<T>, DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.query_one_raw(statement).await?.map(|row| T::from_query_result(&row, "")).transpose()
}

/// Runs a statement that changes rows and answers how many it changed.
pub async fn change(
    txn: &WriteTxn,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, values);
    Ok(txn.execute_raw(statement).await?.rows_affected())
}

/// A statement that changes rows and waits to be sent, alone or together with others. It has no `returning`.
#[derive(Clone, Debug)]
pub struct Change {
    pub sql: String,
    pub values: Vec<Value>,
}

/// Sends changes that do not depend on each other's rows, and answers how many rows each of them changed. PostgreSQL
/// gets them as one statement, which saves a round trip each, holds locks for a shorter time and looks at foreign keys
/// when all is written; `SQLite`, to which there is no way to save, one after the other. Both begin with the first.
pub async fn change_together(txn: &WriteTxn, changes: Vec<Change>) -> Result<Vec<u64>, DbErr> {
    if txn.get_database_backend() == DbBackend::Postgres {
        #[derive(FromQueryResult)]
        struct Counts {
            counts: serde_json::Value,
        }
        let together = Together::of(changes).counting();
        let counted: Option<Counts> = row(txn, &together.sql, together.values).await?;
        let counts = counted.map(|row| serde_json::from_value(row.counts)).transpose();
        return counts.map_err(|error| DbErr::Type(error.to_string())).map(Option::unwrap_or_default);
    }
    let mut counts = Vec::with_capacity(changes.len());
    for one in changes {
        counts.push(change(txn, &one.sql, one.values).await?);
    }
    Ok(counts)
}

impl Change {
    /// The same with a condition more, for a statement that ends in its `where`.
    #[must_use]
    pub fn and(mut self, condition: &str, values: Vec<Value>) -> Self {
        self.sql = format!("{} and {}", self.sql, counted_from(condition, self.values.len()));
        self.values.extend(values);
        self
    }
}

/// The error by which `require_counts` refuses, see the migration that makes it.
const COUNTS_DIFFER: &str = "ZX001";

/// The counts for which `require_counts` refused, if it did.
fn counts_of(error: &DbErr) -> Option<Vec<u64>> {
    let cause = database_error(error)?;
    let has_refused = cause.code().is_some_and(|code| code == COUNTS_DIFFER);
    has_refused.then(|| serde_json::from_str(cause.message()).ok()).flatten()
}

/// Changes that stand in one `with`, their placeholders counted through.
struct Together {
    with: String,
    /// The number of rows each changes, as a JSON array.
    counts: String,
    values: Vec<Value>,
}

impl Together {
    fn of(changes: Vec<Change>) -> Self {
        let (mut parts, mut counts, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (position, change) in changes.into_iter().enumerate() {
            parts.push(format!(
                "change{position} as ({} returning 1)",
                counted_from(&change.sql, values.len())
            ));
            counts.push(format!("(select count(*) from change{position})"));
            values.extend(change.values);
        }
        let counts = format!("json_build_array({})", counts.join(", "));
        Self { with: parts.join(", "), counts, values }
    }

    /// Answers the counts.
    fn counting(self) -> Change {
        Change { sql: format!("with {} select {} as counts", self.with, self.counts), values: self.values }
    }

    /// Fails when the counts are not `expected`: a statement that fails has written nothing.
    fn requiring(mut self, expected: &[u64]) -> Change {
        // As PostgreSQL writes an array.
        let expected: Vec<String> = expected.iter().map(u64::to_string).collect();
        self.values.push(format!("[{}]", expected.join(", ")).into());
        let parameter = self.values.len();
        let sql = format!("with {} select require_counts({}::text, ${parameter})", self.with, self.counts);
        Change { sql, values: self.values }
    }
}

/// The statement with `$1` raised to `$1 + before`, and so on.
fn counted_from(sql: &str, before: usize) -> String {
    let mut pieces = sql.split('$');
    let mut counted = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at_checked(digits).unwrap_or((piece, ""));
        counted.push('$');
        match number.parse::<usize>() {
            Ok(number) => counted.push_str(&(number + before).to_string()),
            Err(_) => counted.push_str(number),
        }
        counted.push_str(rest);
    }
    counted
}

/// The type of one column of a set parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Uuid,
    Integer,
    Text,
    Date,
    Boolean,
    /// The inner value itself, as JSON.
    Json,
}

/// A `select` that turns the one parameter `$n`, a JSON array of arrays made by [`set_parameter`], into rows with the
/// given columns, on both engines. The text stays the same whatever the number of rows: one prepared statement, one
/// round trip.
#[must_use]
pub fn set_rows(backend: DbBackend, parameter: &str, columns: &[(&str, ColumnType)]) -> String {
    let is_postgres = backend == DbBackend::Postgres;
    let selected: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(position, (name, kind))| match (kind, is_postgres) {
            (ColumnType::Uuid, true) => format!("(item.value->>{position})::uuid as {name}"),
            (ColumnType::Uuid, false) => format!("unhex(item.value->>{position}) as {name}"),
            (ColumnType::Integer, true) => format!("(item.value->>{position})::bigint as {name}"),
            (ColumnType::Integer, false) => format!("cast(item.value->>{position} as integer) as {name}"),
            (ColumnType::Date, true) => format!("(item.value->>{position})::date as {name}"),
            (ColumnType::Boolean, true) => format!("(item.value->>{position})::boolean as {name}"),
            (ColumnType::Json, _) => format!("(item.value->{position}) as {name}"),
            (ColumnType::Text, _) | (ColumnType::Date | ColumnType::Boolean, false) => {
                format!("(item.value->>{position}) as {name}")
            }
        })
        .collect();
    let source = if is_postgres {
        format!("jsonb_array_elements({parameter}::jsonb) as item(value)")
    } else {
        format!("json_each({parameter}) as item")
    };
    format!("select {} from {source}", selected.join(", "))
}

/// The condition that a column is one of a set of ids, for a parameter made by [`set_parameter`]. PostgreSQL, which guesses
/// a hundred rows for such a set and then reads small tables whole, gets an array, for which it takes the index.
#[must_use]
pub fn in_ids(backend: DbBackend, column: &str, parameter: &str) -> String {
    let source = set_rows(backend, parameter, &[("id", ColumnType::Uuid)]);
    if backend == DbBackend::Postgres {
        format!("{column} = any (array({source}))")
    } else {
        format!("{column} in ({source})")
    }
}

/// The parameter for [`set_rows`]: one inner array per row. Write ids with [`set_id`].
#[must_use]
pub fn set_parameter(rows: Vec<Vec<serde_json::Value>>) -> Value {
    serde_json::Value::from(rows).to_string().into()
}

/// An id inside a set parameter.
#[must_use]
pub fn set_id(id: uuid::Uuid) -> serde_json::Value {
    serde_json::Value::String(id.simple().to_string())
}

/// `for update` on PostgreSQL; `SQLite` has one writer and no such clause.
#[must_use]
pub fn for_update(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "for update" } else { "" }
}

/// Whether the error is a unique constraint that refused a duplicate.
#[must_use]
pub fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    connection
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await
}

fn is_worth_repeating(failure: &Failure) -> bool {
    match failure {
        Failure::LostRace => true,
        Failure::Database(error) => is_lost_race(error),
        Failure::Refused(_) | Failure::Broken(_) => false,
    }
}

/// Serialisation failure, deadlock, lock timeout; busy or locked file.
fn is_lost_race(error: &DbErr) -> bool {
    let code = database_error(error).and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01" | "55P03" | "5" | "6" | "261" | "517"))
}

/// What the database itself answered, if it did.
fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))
        | DbErr::Conn(RuntimeErr::SqlxError(cause)) => cause.as_database_error(),
        _ => None,
    }
}

fn options(url: &str, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections.max(1))
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false)
        .test_before_acquire_if_idle_for(Duration::from_secs(30));
    options.map_sqlx_sqlite_opts(move |sqlite| sqlite_options(sqlite, read_only));
    options.map_sqlx_postgres_opts(move |postgres| {
        // Compiling a statement takes longer than any of ours should run.
        let postgres = postgres.options([("jit", "off")]);
        if read_only {
            postgres.options([("default_transaction_read_only", "on")])
        } else {
            // A connection keeps the plan by which it looks up a parent row. One made while the table was empty would
            // read the whole of it, row by row as it grows, until statistics are gathered anew.
            postgres.options([("enable_seqscan", "off")])
        }
    });
    options
}

fn sqlite_options(sqlite: SqliteConnectOptions, read_only: bool) -> SqliteConnectOptions {
    let sqlite = sqlite
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .create_if_missing(!read_only);
    if read_only { sqlite.pragma("query_only", "on") } else { sqlite }
}

/// Refuses rows that refer to nothing, where the engine did not watch them.
async fn refuse_dangling(txn: &DatabaseTransaction) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Dangling {
        table: String,
        parent: String,
    }
    if txn.get_database_backend() == DbBackend::Postgres {
        return Ok(());
    }
    match row::<Dangling>(txn, "pragma foreign_key_check", []).await? {
        Some(Dangling { table, parent }) => {
            Err(DbErr::Migration(format!("a row of {table} names a {parent} that there is not")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_sent_together_count_their_placeholders_through() {
        let change = |sql: &str, values: Vec<Value>| Change { sql: sql.to_owned(), values };
        let together = Together::of(vec![
            change("insert into one values ($1, $2, $1)", vec![1.into(), 2.into()]),
            change("insert into other values ($10, $1::uuid)", vec![3.into()]),
        ])
        .counting();
        assert_eq!(
            together.sql,
            "with change0 as (insert into one values ($1, $2, $1) returning 1), \
             change1 as (insert into other values ($12, $3::uuid) returning 1) \
             select json_build_array((select count(*) from change0), (select count(*) from change1)) as counts"
        );
        assert_eq!(together.values.len(), 3);
    }
}
