//! `zhuxiao migrate`: applies the missing schema changes, one process at a time.

use super::{Common, Ended, say};
use crate::db::Db;

/// Migrates the database of the settings.
pub async fn run(common: &Common) -> Result<(), Ended> {
    let settings = common.settings(Vec::new())?;
    prepare(&settings.database_url).await?;
    say(if common.is_json() { r#"{"migrated":true}"# } else { "migrated" });
    Ok(())
}

/// Makes the folder of an SQLite file and applies the missing changes.
pub async fn prepare(database_url: &str) -> Result<(), Ended> {
    if let Some(path) = sqlite_path(database_url)
        && let Some(folder) =
            std::path::Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        tokio::fs::create_dir_all(folder).await?;
    }
    Ok(Db::migrate(database_url).await?)
}

/// The file behind an SQLite URL; `None` for other engines and for memory.
#[must_use]
pub fn sqlite_path(database_url: &str) -> Option<&str> {
    let rest = database_url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or(path);
    (path != ":memory:" && !path.is_empty()).then_some(path)
}
