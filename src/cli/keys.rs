//! `zhuxiao keys`: which keys there are, a new one, and everything sealed again with the newest. Never shows a key.
//! Adding and rotating may run beside processes that serve: those look at the file again when it has changed.

use std::io::IsTerminal;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Common, Ended, audit, say};
use crate::app::App;
use crate::clock::Clock;
use crate::id::Ids;
use crate::members::sealed::{self, KeyUse, Rotated};

/// What can be done with the keys that seal personal data.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the keys and how many texts each has sealed
    List,
    /// Append a fresh key to the keys file; from then on it seals
    Add,
    /// Seal everything again with the newest key; may be stopped at any time and goes on when run again
    Rotate(RotateArgs),
}

/// Flags of `keys rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Stop after so many batches of 500 texts [default: when all is done]
    #[arg(long, value_name = "NUMBER")]
    batches: Option<u64>,
}

/// Runs a `keys` command.
pub async fn run(common: &Common, command: KeysCommand) -> Result<(), Ended> {
    let settings = common.settings(Vec::new())?;
    // A missing or older database is said so, and not made.
    audit::open(&settings.database_url).await?.close().await?;
    let app = App::open(settings, Clock::System, Ids::default()).await?;
    match command {
        KeysCommand::List => list(common, &app).await,
        KeysCommand::Add => add(common, &app),
        KeysCommand::Rotate(args) => rotate(common, &app, args.batches).await,
    }
}

async fn list(common: &Common, app: &App) -> Result<(), Ended> {
    let uses = sealed::uses(app).await?;
    if common.is_json() {
        let keys: Vec<serde_json::Value> = uses.iter().map(shape).collect();
        say(&json!({ "keys": keys }).to_string());
    } else {
        for key in &uses {
            say(&line(key));
        }
    }
    Ok(())
}

fn shape(key: &KeyUse) -> serde_json::Value {
    json!({
        "id": key.id, "algorithm": key.algorithm, "seals": key.seals,
        "makes_fingerprints": key.makes_fingerprints, "texts": key.texts,
    })
}

/// `k1, aes256gcm, 120 texts, makes fingerprints`.
fn line(key: &KeyUse) -> String {
    let mut line = format!("{}, {}, {} texts", key.id, key.algorithm, key.texts);
    if key.makes_fingerprints {
        line.push_str(", makes fingerprints: it must stay");
    }
    if key.seals {
        line.push_str(", seals");
    }
    line
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
fn add(common: &Common, app: &App) -> Result<(), Ended> {
    let id = app.keys.add()?;
    say(&if common.is_json() { json!({ "id": id }).to_string() } else { id });
    eprintln!(
        "zhuxiao: the new key seals from now on; keep a copy of the file apart from the database, give it to every \
         process, then run `zhuxiao keys rotate`"
    );
    Ok(())
}

#[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
async fn rotate(common: &Common, app: &App, batches: Option<u64>) -> Result<(), Ended> {
    let bar = progress();
    let done = sealed::rotate(app, batches, |place, texts| {
        bar.set_message(place.to_string());
        bar.inc(texts);
    })
    .await?;
    bar.finish_and_clear();
    tell(common, &done);
    if done.left() > 0 {
        eprintln!("zhuxiao: {} texts are not under key {} yet; run this again", done.left(), done.key);
    } else {
        eprintln!(
            "zhuxiao: everything is under key {}; only fingerprints need the first key, which must stay",
            done.key
        );
    }
    Ok(())
}

fn tell(common: &Common, done: &Rotated) {
    if common.is_json() {
        let columns = done.columns.iter().map(|column| {
            json!({ "column": column.place.to_string(), "texts": column.texts, "left": column.left })
        });
        let columns: Vec<serde_json::Value> = columns.collect();
        say(&json!({ "key": done.key, "texts": done.texts(), "left": done.left(), "columns": columns })
            .to_string());
    } else {
        for column in &done.columns {
            say(&format!("{}, {} sealed again, {} left", column.place, column.texts, column.left));
        }
    }
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {pos} sealed again {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
