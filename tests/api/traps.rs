//! What the libraries do that would come back unnoticed: each trap has a test that fails when it is open again.

use std::io::Write;

use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::json;
use zhuxiao::db::{self, Change, Db};
use zhuxiao::members::access::Role;

use crate::support::databases::TestDatabase;
use crate::support::{Answer, PASSWORD, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_may_migrate_one_database_at_once() {
    let database = TestDatabase::empty().await;
    let migrations: Vec<_> = (0..3)
        .map(|_| {
            let url = database.url.clone();
            tokio::spawn(async move { Db::migrate(&url).await })
        })
        .collect();
    for migration in migrations {
        migration.await.unwrap().unwrap();
    }
    let db = Db::open(&database.url, 2).await.unwrap();
    assert!(db.is_current().await.unwrap());
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_written_at_once_is_written_whole_and_nobody_suffers_from_another() {
    let database = TestDatabase::create().await;
    let db = Db::open(&database.url, 4).await.unwrap();
    let adding = |name: String, value: Option<i64>| {
        let set = db::set_rows(
            db.backend(),
            "$1",
            &[("name", db::ColumnType::Text), ("value", db::ColumnType::Integer)],
        );
        let sql = format!(
            "insert into counter (name, value) select name, value from ({set}) as new where true
             on conflict (name) do nothing"
        );
        Change::adding(sql, vec![vec![json!(name), json!(value)]])
    };
    db.write_at_once(vec![adding("taken".to_owned(), Some(0))], ()).await.unwrap().unwrap();
    let mut writing = tokio::task::JoinSet::new();
    for number in 0..24 {
        let db = db.clone();
        // Every fifth finds its second name taken, every seventh has a value that the table refuses.
        let second = if number % 5 == 4 { "taken".to_owned() } else { format!("second {number}") };
        let value = (number % 7 != 6).then_some(number);
        let changes = vec![adding(format!("first {number}"), Some(number)), adding(second, value)];
        writing.spawn(async move { (number, db.write_at_once(changes, ()).await) });
    }
    let (mut written, mut refused, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(answered) = writing.join_next().await {
        match answered.unwrap() {
            (number, Ok(Ok(_))) => written.push(number),
            (number, Ok(Err(missed))) => {
                assert_eq!(missed, 1);
                refused.push(number);
            }
            (number, Err(_)) => failed.push(number),
        }
    }
    for numbers in [&mut written, &mut refused, &mut failed] {
        numbers.sort_unstable();
    }
    assert_eq!(refused, [4, 9, 14, 19]);
    assert_eq!(failed, [6, 13, 20]);
    let names: Vec<Name> = db::rows(db.reader(), "select name from counter order by name", []).await.unwrap();
    let mut expected: Vec<String> =
        written.iter().flat_map(|number| [format!("first {number}"), format!("second {number}")]).collect();
    expected.push("taken".to_owned());
    expected.sort_unstable();
    assert_eq!(names.into_iter().map(|row| row.name).collect::<Vec<_>>(), expected);
}

#[derive(sea_orm::FromQueryResult)]
struct Name {
    name: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transactions_that_read_and_then_write_do_not_fail_or_lose_an_update() {
    #[derive(sea_orm::FromQueryResult)]
    struct Value {
        value: i64,
    }
    let database = TestDatabase::create().await;
    // Two of everything, as two processes would have: the lock inside one process must not be what saves us.
    let processes = [Db::open(&database.url, 4).await.unwrap(), Db::open(&database.url, 4).await.unwrap()];
    let first = &processes[0];
    let made = first.write(|| async {
        let txn = first.begin().await?;
        db::change(&txn, "insert into counter (name, value) values ('race', 0)", []).await?;
        txn.commit(()).await
    });
    made.await.unwrap();
    let mut racing = tokio::task::JoinSet::new();
    for writer in 0..16_usize {
        let db = processes[writer % 2].clone();
        racing.spawn(async move {
            for _ in 0..10 {
                let lock = db::for_update(db.backend());
                let written = db.write(|| async {
                    let txn = db.begin().await?;
                    let sql = format!("select value from counter where name = 'race' {lock}");
                    let read: Option<Value> = db::row(&txn, &sql, []).await?;
                    let next = read.unwrap().value + 1;
                    db::change(&txn, "update counter set value = $1 where name = 'race'", [next.into()])
                        .await?;
                    txn.commit(()).await
                });
                written.await.unwrap();
            }
        });
    }
    racing.join_all().await;
    let read: Option<Value> =
        db::row(processes[0].reader(), "select value from counter where name = 'race'", []).await.unwrap();
    assert_eq!(read.unwrap().value, 160);
}

#[tokio::test]
async fn a_transaction_in_which_a_statement_failed_is_not_committed_whoever_swallows_the_error() {
    let world = World::new().await;
    let committed = world.app.db.write(|| async {
        let txn = world.app.db.begin().await?;
        db::change(&txn, "insert into counter (name, value) values ('kept', 1)", []).await?;
        let failed = db::change(&txn, "insert into counter (name, value) values ('kept', 2)", []).await;
        assert!(failed.is_err());
        txn.commit(()).await
    });
    assert!(committed.await.is_err());
    let sql = "select name from counter where name = 'kept'";
    let statement = Statement::from_string(world.app.db.backend(), sql);
    assert!(world.app.db.reader().query_one_raw(statement).await.unwrap().is_none());
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let world = World::new().await;
    let statement =
        Statement::from_string(world.app.db.backend(), "insert into counter (name, value) values ('x', 1)");
    assert!(world.app.db.reader().execute_raw(statement.clone()).await.is_err());
    assert!(world.app.db.reader().query_one_raw(statement).await.is_err());
}

#[tokio::test]
async fn a_compressed_body_is_refused_before_it_is_unpacked() {
    let world = World::new().await;
    // A gzip member of ten million spaces, stored as repeated copies: 10 kB on the wire.
    let mut packed = Vec::new();
    packed.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]).unwrap();
    packed.extend(std::iter::repeat_n([0_u8, 0, 0, 255, 255], 2_000).flatten());
    let request =
        world.request(Method::POST, None, "/v1/sessions").header("content-type", "application/json");
    let answer = Answer::of(request.header("content-encoding", "gzip").body(packed)).await;
    answer.refused(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_length_and_when_it_comes_in_chunks() {
    let world = World::new().await;
    let large = vec![b' '; 2 << 20];
    let stream =
        || world.request(Method::POST, None, "/v1/sessions").header("content-type", "application/json");
    Answer::of(stream().body(large.clone())).await.refused(413, "body_too_large");
    let chunks = futures_util::stream::iter(
        large.chunks(65_536).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
    );
    Answer::of(stream().body(reqwest::Body::wrap_stream(chunks))).await.refused(413, "body_too_large");
}

#[tokio::test]
async fn the_service_starts_and_signs_people_in_while_redis_is_away() {
    let world = World::with(|settings| settings.redis_url = Some("redis://127.0.0.1:1".to_owned())).await;
    let world = world.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let account = world.get(&officer, "/v1/me").await.ok()["account"].as_str().unwrap().to_owned();
    assert_eq!(world.get_as(None, "/readyz").await.status, StatusCode::OK);
    for _ in 0..5 {
        let wrong = json!({"account": account, "password": "not the password"});
        world.post_as(None, "/v1/sessions", wrong).await.refused(401, "sign_in_failed");
    }
    let right = json!({"account": account, "password": PASSWORD});
    world.post_as(None, "/v1/sessions", right).await.refused(429, "too_many_attempts");
}

/// Reads one row of every table through its entity, so that an entity cannot drift from its table.
macro_rules! read_each {
    ($reader:expr, $($table:ident),+ $(,)?) => {
        $( entity::$table::Entity::find().one($reader).await.unwrap_or_else(|error| panic!("{}: {error}", stringify!($table))); )+
    };
}

#[tokio::test]
async fn every_entity_is_the_table_that_the_migrations_make() {
    let world = World::new().await;
    read_each!(
        world.app.db.reader(),
        acceptance,
        allocation,
        api_key,
        audit_event,
        bank_statement,
        bank_statement_explanation,
        bank_statement_line,
        bank_statement_match,
        bank_statement_repeat,
        cooperative,
        cooperative_member,
        counter,
        delivery,
        delivery_line,
        deposit_use,
        deposit_use_fee_part,
        deposit_use_part,
        erasure_request,
        fee_rate,
        household,
        household_status,
        idempotency_key,
        institution,
        ledger_account,
        ledger_entry,
        ledger_posting,
        lot,
        one_time_code,
        order_line,
        pairing,
        paper,
        paper_print,
        payment,
        payment_fee_part,
        payment_part,
        payment_reminder,
        payment_term,
        payout,
        payout_batch,
        payout_left_out,
        payout_part,
        payout_payee,
        principal,
        problem,
        problem_run,
        product,
        purchase_order,
        reference_price,
        region,
        reveal_day,
        second_factor,
        session,
        settlement,
        settlement_line,
        survey_visit,
        tax_rate,
        webhook,
        webhook_delivery,
    );
}
