//! The one place that opens databases and begins transactions.
//!
//! Reads go through a pool that cannot write. Writes go through [`WriteTxn`], which only [`Db::begin`] makes, so that
//! a stray autocommit write does not compile. On `SQLite` one connection writes, behind a process-wide lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
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

mod groups;

use groups::Groups;
pub use groups::{Change, Written, change_together};

/// How often a transaction that lost a race is tried again before the caller is asked to come back.
const WRITE_ATTEMPTS_MAX: u32 = 6;

/// How often a connection that lost a race is tried again: for two seconds.
const CONNECT_ATTEMPTS_MAX: u32 = 100;

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
    /// How PostgreSQL is sent what [`Db::write_at_once`] writes.
    groups: Option<Groups>,
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
        let writer = connect(options(url, if is_sqlite { 1 } else { connections }, false)).await?;
        let reader = connect(options(url, connections, true)).await?;
        let gate = is_sqlite.then(|| Arc::new(Mutex::new(())));
        let groups = (!is_sqlite).then(|| Groups::of(writer.clone()));
        Ok(Self { writer, reader: Reader(reader), gate, groups })
    }

    /// Applies the missing migrations on a connection of its own, one process at a time.
    ///
    /// On `SQLite` foreign keys are off meanwhile, as a table that others refer to can only be changed by rebuilding it
    /// (<https://www.sqlite.org/lang_altertable.html#otheralter>); they are checked before the commit.
    pub async fn migrate(url: &str) -> Result<(), DbErr> {
        let mut options = options(url, 1, false);
        options.map_sqlx_sqlite_opts(|sqlite| sqlite_options(sqlite, false).foreign_keys(false));
        let connection = connect(options).await?;
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

    /// Sends `changes` in a transaction of their own, and answers `value` once it has committed. When one changes another
    /// number of rows than it must, nothing is written, and its position is answered. On PostgreSQL that takes one round
    /// trip, shared with whoever else writes the same kind of thing at that moment: rows are locked no longer than they
    /// are written.
    pub async fn write_at_once<T>(
        &self,
        changes: Vec<Change>,
        value: T,
    ) -> Outcome<Result<Committed<T>, usize>> {
        if let Some(groups) = &self.groups {
            return Ok(match groups.write(changes).await? {
                Written::All => Ok(Committed(value)),
                Written::Nothing { missed } => Err(missed),
            });
        }
        let txn = self.begin().await?;
        match change_together(&txn, changes).await? {
            Written::All => txn.commit(value).await.map(Ok),
            Written::Nothing { missed } => Ok(Err(missed)),
        }
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

/// The type of one column of a set parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Uuid,
    Integer,
    Text,
    Date,
    /// Written by [`set_time`].
    Time,
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
            (ColumnType::Time, true) => format!("(item.value->>{position})::timestamptz as {name}"),
            (ColumnType::Boolean, true) => format!("(item.value->>{position})::boolean as {name}"),
            (ColumnType::Json, _) => format!("(item.value->{position}) as {name}"),
            (ColumnType::Text, _) | (ColumnType::Date | ColumnType::Time | ColumnType::Boolean, false) => {
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

/// A moment inside a set parameter, as both engines write it.
#[must_use]
pub fn set_time(at: DateTime<Utc>) -> serde_json::Value {
    serde_json::Value::String(at.to_rfc3339_opts(SecondsFormat::AutoSi, false))
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

/// Connects. `SQLite` does not wait when two processes turn one new file into a write-ahead one: the loser tries again.
async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let mut attempt = 1;
    loop {
        match Database::connect(options.clone()).await {
            Err(error) if is_lost_race(&error) && attempt < CONNECT_ATTEMPTS_MAX => {
                tracing::debug!(attempt, %error, "connecting lost a race");
                tokio::time::sleep(Duration::from_millis(20)).await;
                attempt += 1;
            }
            done => return done,
        }
    }
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
