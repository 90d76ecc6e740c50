//! One database per test: an SQLite file, or a copy of a migrated PostgreSQL template. Gone when the test ends.

use std::path::PathBuf;

use sea_orm::{ConnectionTrait, Database};
use uuid::Uuid;

use super::migrated;

/// The template every PostgreSQL test database is copied from: one per build of the tests, as a build may change the
/// schema.
fn template() -> String {
    let binary = std::env::current_exe().unwrap();
    let built = std::fs::metadata(&binary).unwrap().modified().unwrap();
    let nanos = built.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("zhuxiao_template_{nanos}")
}

/// Serialises the making of the template between the processes of one run.
const TEMPLATE_LOCK: i64 = 74_021;

pub struct TestDatabase {
    pub url: String,
    /// The file of keys that seal personal data.
    pub keys: PathBuf,
    file: Option<PathBuf>,
    /// The server's address and the name to drop.
    copy: Option<(String, String)>,
}

impl TestDatabase {
    pub async fn create() -> Self {
        match std::env::var("ZHUXIAO_TEST_DATABASE_URL") {
            Ok(server) => Self::copy_template(server).await,
            Err(_) => Self::in_a_file().await,
        }
    }

    /// A database without any table.
    pub async fn empty() -> Self {
        match std::env::var("ZHUXIAO_TEST_DATABASE_URL") {
            Ok(server) => {
                let admin = Database::connect(&server).await.unwrap();
                let name = format!("test_{}", Uuid::now_v7().simple());
                admin
                    .execute_unprepared(&format!("create database {name} template template0"))
                    .await
                    .unwrap();
                admin.close().await.unwrap();
                Self {
                    url: address(&server, &name),
                    keys: keys_file(),
                    file: None,
                    copy: Some((server, name)),
                }
            }
            Err(_) => Self::file(),
        }
    }

    async fn in_a_file() -> Self {
        let database = Self::file();
        migrated(&database.url).await;
        database
    }

    fn file() -> Self {
        let file = scratch("db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        Self { url, keys: keys_file(), file: Some(file), copy: None }
    }

    async fn copy_template(server: String) -> Self {
        let admin = Database::connect(&server).await.unwrap();
        admin.execute_unprepared(&format!("select pg_advisory_lock({TEMPLATE_LOCK})")).await.unwrap();
        let template = template();
        let made = admin.execute_unprepared(&format!("create database {template}")).await;
        if made.is_ok() {
            migrated(&address(&server, &template)).await;
        }
        let name = format!("test_{}", Uuid::now_v7().simple());
        let copied = format!("create database {name} template {template} strategy file_copy");
        admin.execute_unprepared(&copied).await.unwrap();
        admin.close().await.unwrap();
        Self { url: address(&server, &name), keys: keys_file(), file: None, copy: Some((server, name)) }
    }
}

/// A file name of this test alone, in memory where that is possible.
fn scratch(extension: &str) -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    let folder = if shm.is_dir() { shm } else { std::env::temp_dir() };
    folder.join(format!("zhuxiao-test-{}.{extension}", Uuid::now_v7().simple()))
}

fn keys_file() -> PathBuf {
    let file = scratch("keys");
    std::fs::write(&file, format!("test={}\n", "5a".repeat(32))).unwrap();
    file
}

/// The server's address with another database name.
fn address(server: &str, name: &str) -> String {
    let (front, _) = server.rsplit_once('/').unwrap();
    format!("{front}/{name}")
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.keys);
        if let Some(file) = &self.file {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
            }
        }
        if let Some((server, name)) = self.copy.take() {
            // A thread of its own, as a test's runtime cannot be blocked on from within.
            let dropped = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let admin = Database::connect(&server).await.unwrap();
                    let _ = admin.execute_unprepared(&format!("drop database {name} with (force)")).await;
                });
            });
            let _ = dropped.join();
        }
    }
}
