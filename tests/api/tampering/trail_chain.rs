//! The specification of the links of the audit trail: whoever edits, removes, puts in or moves an event after it was
//! chained is found, and whoever writes the chain anew or cuts it is found by a head that was kept elsewhere.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::json;
use uuid::Uuid;
use zhuxiao::app::App;
use zhuxiao::audit::{self, Finding, Head};
use zhuxiao::clock::Clock;
use zhuxiao::db::{self, Db};
use zhuxiao::id::Ids;
use zhuxiao::settings::Settings;
use zhuxiao::trail::{self, Actor, Event, chain};

use super::kinds::unguard;
use crate::support::COUNTY;
use crate::support::databases::TestDatabase;

/// A trail of a few events in three links. No service runs beside it that would chain by itself.
struct Trail {
    database: TestDatabase,
    app: App,
    /// In the order in which they were written.
    events: Vec<Uuid>,
}

#[derive(sea_orm::FromQueryResult)]
struct Id {
    id: Uuid,
}

impl Trail {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let settings = Settings { database_url: database.url.clone(), ..Settings::default() };
        let clock = Clock::manual("2027-03-20T02:00:00Z".parse().unwrap());
        let app = App::open(settings, clock, Ids::default()).await.unwrap();
        let mut chained = Self { database, app, events: Vec::new() };
        for _ in 0..3 {
            chained.write(3).await;
            assert_eq!(chain::sweep(&chained.app).await.unwrap(), 3);
        }
        chained
    }

    /// Writes so many events, each a second after the other.
    async fn write(&mut self, count: i64) {
        let (app, actor) = (&self.app, Actor::service("test"));
        for amount in 0..count {
            app.clock.advance(chrono::TimeDelta::seconds(1));
            let event = Event {
                county_code: Some(COUNTY.to_owned()),
                household_id: None,
                action: "explain_bank_statement_line",
                subject_kind: "bank_statement_explanation",
                subject_id: Uuid::now_v7(),
                before: None,
                after: Some(json!({ "note": "利息", "b": [amount, null], "a": { "z": true, "y": "\"" } })),
            };
            let txn = app.db.begin().await.unwrap();
            trail::record(&txn, &app.ids, app.clock.now(), &actor, vec![event]).await.unwrap();
            txn.commit(()).await.unwrap();
        }
        let sql = "select id from audit_event order by id";
        let ids: Vec<Id> = db::rows(app.db.reader(), sql, []).await.unwrap();
        self.events = ids.into_iter().map(|row| row.id).collect();
    }

    /// Does to the database what nothing should, with the ids of events as `{0}`, `{1}` and so on.
    async fn tamper(&self, statements: &[&str]) {
        let mut options = sea_orm::ConnectOptions::new(self.database.url.clone());
        options.max_connections(1);
        let connection: DatabaseConnection = Database::connect(options).await.unwrap();
        unguard(&connection).await;
        for sql in statements {
            let mut sql = (*sql).to_owned();
            for (position, id) in self.events.iter().enumerate() {
                let written = match connection.get_database_backend() {
                    DbBackend::Postgres => format!("'{id}'::uuid"),
                    _ => format!("x'{}'", id.simple()),
                };
                sql = sql.replace(&format!("{{{position}}}"), &written);
            }
            assert!(connection.execute_unprepared(&sql).await.unwrap().rows_affected() > 0, "{sql}");
        }
        connection.close().await.unwrap();
    }

    async fn findings(&self) -> Vec<Finding> {
        audit::verify(self.app.db.reader()).await.unwrap()
    }

    async fn head(&self) -> Head {
        chain::head(self.app.db.reader()).await.unwrap().unwrap()
    }

    /// Table, row and column of what a kept head finds beside everything else.
    async fn found_by(&self, head: &Head) -> Vec<(&'static str, String, &'static str)> {
        let reader = self.app.db.reader();
        let mut verdict = audit::verify_with(reader, None, |_, _| {}).await.unwrap();
        audit::compare_head(reader, head, &mut verdict).await.unwrap();
        verdict.findings.iter().map(told).collect()
    }
}

fn told(finding: &Finding) -> (&'static str, String, &'static str) {
    assert_eq!(finding.invariant, 8);
    (finding.table, finding.row_id.clone(), finding.column)
}

#[tokio::test]
async fn what_is_written_is_chained_once_and_the_chain_holds() {
    let mut chained = Trail::open().await;
    assert_eq!(chained.findings().await, []);
    let before = chained.head().await;
    assert_eq!((before.number, chain::sweep(&chained.app).await.unwrap()), (3, 0));
    assert_eq!(chained.head().await, before);
    chained.write(1).await;
    assert_eq!(chained.findings().await, [], "what was written just now is not chained yet");
    assert_eq!(chain::sweep(&chained.app).await.unwrap(), 1);
    assert_eq!(chained.found_by(&before).await, []);
    let verdict = audit::verify_with(chained.app.db.reader(), None, |_, _| {}).await.unwrap();
    assert_eq!(verdict.head, Some(chained.head().await.to_string()));
}

#[tokio::test]
async fn an_event_that_was_edited_is_named_whatever_of_it_was() {
    for edit in [
        "at = '2027-01-01T00:00:00+00:00'",
        "actor_role = 'officer'",
        "actor_id = {0}",
        "county_code = '341824'",
        "household_id = {0}",
        "action = 'record_payment'",
        "subject_id = {0}",
        "before_json = '{}'",
        "after_json = '{\"note\": \"货款\"}'",
        "after_json = null",
        "request_id = ''",
    ] {
        let chained = Trail::open().await;
        chained.tamper(&[&format!("update audit_event set {edit} where id = {{4}}")]).await;
        let found: Vec<_> = chained.findings().await.iter().map(told).collect();
        assert_eq!(found, [("audit_event", chained.events[4].to_string(), "digest")], "{edit}");
    }
}

#[tokio::test]
async fn an_event_that_was_removed_is_named() {
    let chained = Trail::open().await;
    chained.tamper(&["delete from audit_event where id = {4}"]).await;
    let found: Vec<_> = chained.findings().await.iter().map(told).collect();
    assert_eq!(found, [("audit_event", chained.events[4].to_string(), "id")]);
    // Whoever removes what the link says of it too is found by the link.
    chained.tamper(&["delete from chained_event where event_id = {4}"]).await;
    let found: Vec<_> = chained.findings().await.iter().map(told).collect();
    let link = |column| ("trail_link", "2".to_owned(), column);
    assert_eq!(found, [link("event_count"), link("digest")]);
}

#[tokio::test]
async fn an_event_that_was_put_in_behind_what_is_chained_is_named() {
    let chained = Trail::open().await;
    let forged = zhuxiao::id::first_of("2025-01-01T00:00:00Z".parse().unwrap());
    let sql = "insert into audit_event (id, at, actor_role, action, subject_kind, subject_id)
               values ($1, $2, 'finance', 'explain_bank_statement_line', 'bank_statement_explanation', $1)";
    let connection = Database::connect(&chained.database.url).await.unwrap();
    let values = [forged.into(), chained.app.clock.now().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.execute_raw(statement).await.unwrap();
    connection.close().await.unwrap();
    let named = ("audit_event", forged.to_string(), "id");
    let found: Vec<_> = chained.findings().await.iter().map(told).collect();
    assert!(found.contains(&named), "{found:?}");
    assert_eq!(chain::sweep(&chained.app).await.unwrap(), 0, "it is not chained afterwards");
}

#[tokio::test]
async fn events_that_changed_places_are_found_by_their_link() {
    let chained = Trail::open().await;
    chained
        .tamper(&[
            "update chained_event set position = 9 where event_id = {3}",
            "update chained_event set position = 1 where event_id = {4}",
            "update chained_event set position = 2 where event_id = {3}",
        ])
        .await;
    let found: Vec<_> = chained.findings().await.iter().map(told).collect();
    assert_eq!(found, [("trail_link", "2".to_owned(), "digest")]);
}

#[tokio::test]
async fn a_link_that_is_gone_or_edited_is_found() {
    let chained = Trail::open().await;
    chained
        .tamper(&[
            "delete from chained_event where link_number = 2",
            "delete from trail_link where number = 2",
        ])
        .await;
    let found: Vec<_> = chained.findings().await.iter().map(told).collect();
    let third = |column| ("trail_link", "3".to_owned(), column);
    assert_eq!(found, [third("number"), third("digest")]);
    let chained = Trail::open().await;
    chained
        .tamper(&[
            "update trail_link set digest = replace(digest, substr(digest, 1, 4), '0000') where number = 2",
        ])
        .await;
    let found: Vec<_> = chained.findings().await.iter().map(told).collect();
    assert_eq!(found, [("trail_link", "2".to_owned(), "digest"), third("digest")]);
}

/// Whoever may do anything can also make the chain anew; only a head that they cannot reach tells.
#[tokio::test]
async fn a_trail_that_was_cut_or_written_anew_is_found_by_a_head_kept_elsewhere() {
    let chained = Trail::open().await;
    let kept = chained.head().await;
    chained
        .tamper(&[
            "delete from audit_event where id in (select event_id from chained_event where link_number = 3)",
            "delete from chained_event where link_number = 3",
            "delete from trail_link where number = 3",
        ])
        .await;
    assert_eq!(chained.findings().await, [], "the chain alone cannot tell");
    let cut = vec![("trail_link", "3".to_owned(), "digest")];
    assert_eq!(chained.found_by(&kept).await, cut);
    let mut chained = chained;
    chained.write(3).await;
    assert_eq!(chain::sweep(&chained.app).await.unwrap(), 3);
    assert_eq!(chained.head().await.number, 3);
    assert_eq!(chained.found_by(&kept).await, cut);
}

#[tokio::test]
async fn an_audit_of_what_was_touched_since_looks_at_the_links_made_since() {
    let mut chained = Trail::open().await;
    chained.app.clock.advance(chrono::TimeDelta::days(2));
    let since = chained.app.clock.now();
    chained.write(2).await;
    assert_eq!(chain::sweep(&chained.app).await.unwrap(), 2);
    let reader = chained.app.db.reader();
    let narrowed = || async { audit::verify_with(reader, Some(since), |_, _| {}).await.unwrap().findings };
    assert_eq!(narrowed().await, []);
    chained.tamper(&["update audit_event set request_id = 'x' where id in ({1}, {10})"]).await;
    let found: Vec<_> = narrowed().await.iter().map(told).collect();
    assert_eq!(found, [("audit_event", chained.events[10].to_string(), "digest")]);
    assert_eq!(chained.findings().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_that_chain_at_once_chain_every_event_once() {
    let mut chained = Trail::open().await;
    chained.write(40).await;
    let mut linking = tokio::task::JoinSet::new();
    for _ in 0..4 {
        // Of two processes: each has its own pools.
        let mut app = chained.app.clone();
        app.db = Db::open(&chained.database.url, 2).await.unwrap();
        linking.spawn(async move { chain::sweep(&app).await.unwrap() });
    }
    let mut total = 0;
    while let Some(done) = linking.join_next().await {
        total += done.unwrap();
    }
    total += chain::sweep(&chained.app).await.unwrap();
    assert_eq!(total, 40);
    assert_eq!(chained.findings().await, []);
}
