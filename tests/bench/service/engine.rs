//! The two engines: where the database is, and SQL below the API.

use std::path::{Path, PathBuf};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, Value};
use zhuxiao::db::Db;

/// A database of one run.
pub struct Engine {
    pub url: String,
    pub redis_url: Option<String>,
    /// The keys that seal bank accounts, where there are any.
    pub keys: Option<PathBuf>,
    /// The address for `pgbench` and where that program is; there on PostgreSQL only.
    pub pgbench: Option<String>,
}

impl Engine {
    pub fn sqlite(folder: &Path, name: &str) -> Self {
        let file = folder.join(format!("{name}.db"));
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
        Self {
            url: format!("sqlite://{}?mode=rwc", file.display()),
            redis_url: None,
            keys: None,
            pgbench: None,
        }
    }

    /// A database of the server that the environment names, if it names one.
    pub fn postgres(name: &str) -> Option<Self> {
        let server = std::env::var("BENCH_POSTGRES_URL").ok()?;
        Some(Self {
            url: format!("{}/{name}", server.rsplit_once('/')?.0),
            keys: None,
            redis_url: std::env::var("BENCH_REDIS_URL").ok(),
            pgbench: Some(std::env::var("BENCH_PGBENCH").unwrap_or_else(|_| "pgbench".to_owned())),
        })
    }

    pub fn is_postgres(&self) -> bool {
        self.pgbench.is_some()
    }

    pub fn name(&self) -> &'static str {
        if self.is_postgres() { "PostgreSQL with Redis" } else { "SQLite with the in-process cache" }
    }

    /// Takes a key that seals bank accounts.
    pub fn with_keys(mut self, folder: &Path) -> Self {
        let file = folder.join("keys");
        std::fs::write(&file, format!("bench={}\n", "5a".repeat(32))).unwrap();
        self.keys = Some(file);
        self
    }

    /// Creates the schema.
    pub async fn migrate(&self) {
        Db::migrate(&self.url).await.unwrap();
    }

    /// One connection that does not look at foreign keys, as parents of settled lines are not needed here.
    pub async fn connect(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.url);
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        let loose = if self.is_postgres() {
            "set session_replication_role = replica"
        } else {
            "pragma foreign_keys = off; pragma journal_mode = wal; pragma synchronous = normal"
        };
        connection.execute_unprepared(loose).await.unwrap();
        connection
    }

    /// The id with a number: two digits that say of what, then the number.
    pub fn id(&self, kind: &str, number: &str) -> String {
        if self.is_postgres() {
            format!("('{kind}' || lpad(to_hex(({number})::bigint), 30, '0'))::uuid")
        } else {
            format!("unhex('{kind}' || printf('%030x', {number}))")
        }
    }
}

/// Runs a statement with `$1` placeholders.
pub async fn execute(connection: &DatabaseConnection, sql: &str, values: Vec<Value>) {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.execute_raw(statement).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
}

/// An id as JSON writes it.
pub fn id_text(kind: &str, number: u64) -> String {
    let digits = format!("{kind}{number:030x}");
    uuid::Uuid::try_parse(&digits).unwrap().to_string()
}
