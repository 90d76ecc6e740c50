//! The specification of the key ring: a key is added and everything sealed again while the service runs, a rotation that was
//! stopped goes on, nothing needs the old key afterwards, and what cannot be opened is named and left alone.

use std::process::{Command, Output};

use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::audit;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::members::sealed::{Keys, Sealed, rotate};
use zhuxiao::settings::Secret;

use crate::support::World;
use crate::support::builders::VILLAGES;
use crate::tampering::chain;
use crate::webhooks::webhook_of;

/// The program itself on the world's database and keys.
fn keys(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
    command.arg("keys").args(arguments).args(["--json", "--database-url", world.database_url()]);
    command.env("ZHUXIAO_KEYS", world.app.settings.keys.as_ref().unwrap());
    // What steers the tests is no setting of the program.
    command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL").output().unwrap()
}

fn done(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every sealed text: its kind, its row and the text.
pub async fn sealed_texts(world: &World) -> Vec<(Sealed, Uuid, String)> {
    let connection = Database::connect(world.database_url()).await.unwrap();
    let mut found = Vec::new();
    for kind in Sealed::ALL {
        let place = kind.place();
        let sql = format!(
            "select {} as id, {} as text from {} where {1} is not null",
            place.key, place.column, place.table
        );
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        for row in connection.query_all_raw(statement).await.unwrap() {
            found.push((kind, row.try_get("", "id").unwrap(), row.try_get("", "text").unwrap()));
        }
    }
    connection.close().await.unwrap();
    found
}

fn opened(keys: &Keys, texts: &[(Sealed, Uuid, String)]) -> Vec<String> {
    let mut clear: Vec<String> =
        texts.iter().map(|(kind, row, text)| keys.open(*kind, *row, text).unwrap()).collect();
    clear.sort();
    clear
}

/// Books with every kind of sealed text.
async fn books() -> World {
    let world = chain::books().await;
    for number in 0..3 {
        let household = world.with_account(world.household(VILLAGES[0], "general").await).await;
        let phone =
            world.app.keys.seal(Sealed::HouseholdPhone, household, &format!("1391234000{number}")).unwrap();
        let sql = "update household set phone_sealed = $2 where id = $1";
        world.execute(sql, vec![household.into(), phone.into()]).await;
    }
    let payees =
        "insert into payout_payee (payout_id, name_sealed, account_sealed) select id, 'x', 'x' from payout";
    assert!(world.execute(payees, Vec::new()).await > 0);
    world.person_with_phone(Role::Helper, Place::Pairings, "13912340008").await;
    let factors = "insert into second_factor (principal_id, secret_sealed, created_at, last_step)
                   select id, 'x', created_at, 0 from principal";
    assert!(world.execute(factors, Vec::new()).await > 0);
    let institution = world.institution("示范医院", "hospital").await;
    webhook_of(&world, institution, "https://1.1.1.1/").await;
    for (kind, clear) in [
        (Sealed::PayoutBatchDebtorAccount, "6228480402564890018"),
        (Sealed::StatementAccount, "6228480402564890026"),
        (Sealed::StatementLineAccount, "6228480402564890034"),
        (Sealed::PayoutPayeeName, "仲雅妮"),
        (Sealed::PayoutPayeeAccount, "6228480402564890042"),
        (Sealed::HouseholdIdentityNumber, "341823190001010014"),
        (Sealed::HouseholdAddress, "示范一村 1 号"),
        (Sealed::PrincipalPhone, "13912340009"),
        (Sealed::SecondFactorSecret, "3132333435363738393031323334353637383930"),
    ] {
        seal_all(&world, kind, clear).await;
    }
    world
}

/// Seals a text for every row of a table.
async fn seal_all(world: &World, kind: Sealed, clear: &str) {
    let place = kind.place();
    let connection = Database::connect(world.database_url()).await.unwrap();
    let sql = format!("select {} as id from {}", place.key, place.table);
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    for row in rows.unwrap() {
        let id: Uuid = row.try_get("", "id").unwrap();
        let text = world.app.keys.seal(kind, id, clear).unwrap();
        let masked = if kind == Sealed::StatementAccount { ", account_masked = '****0026'" } else { "" };
        let sql =
            format!("update {} set {} = $2{masked} where {} = $1", place.table, place.column, place.key);
        world.execute(&sql, vec![id.into(), text.into()]).await;
    }
    connection.close().await.unwrap();
}

fn file_text(world: &World) -> String {
    std::fs::read_to_string(world.app.settings.keys.as_ref().unwrap()).unwrap()
}

#[tokio::test]
async fn after_a_rotation_everything_opens_with_the_new_key_alone_and_the_books_are_clean() {
    let world = books().await;
    let before = sealed_texts(&world).await;
    let kinds: std::collections::BTreeSet<String> =
        before.iter().map(|(kind, ..)| kind.place().to_string()).collect();
    assert_eq!(kinds.len(), Sealed::ALL.len(), "a kind is not tried: {kinds:?}");
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    let clear = opened(&world.app.keys, &before);
    assert_eq!(done(&keys(&world, &["add"]))["id"], "k2");
    let told = done(&keys(&world, &["rotate"]));
    assert_eq!((&told["key"], &told["left"]), (&json!("k2"), &json!(0)));
    assert_eq!(told["texts"], json!(before.len()));
    let after = sealed_texts(&world).await;
    assert!(after.iter().all(|(.., text)| text.starts_with("v2:aes256gcm:k2:")));
    let ring = file_text(&world);
    let newest = ring.lines().last().unwrap();
    assert_eq!(opened(&Keys::of_text(Secret(newest.to_owned())), &after), clear);
    assert_eq!(audit::verify(world.app.db.reader()).await.unwrap(), findings);
    let again = done(&keys(&world, &["rotate"]));
    assert_eq!((&again["texts"], &again["left"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_service_that_runs_meanwhile_opens_and_seals_with_the_new_key_without_a_restart() {
    let world = books().await;
    let officer = world.official(Role::Officer).await;
    let before = world.get(&officer, "/v1/households?limit=200").await.ok();
    done(&keys(&world, &["add"]));
    done(&keys(&world, &["rotate"]));
    assert_eq!(world.get(&officer, "/v1/households?limit=200").await.ok(), before);
    let household =
        json!({ "village": VILLAGES[0], "head_name": "新户", "status": "general", "phone": "13912345679" });
    world.post(&officer, "/v1/households", household).await.created();
    let listed = done(&keys(&world, &["list"]));
    let used: Vec<(&str, bool)> = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["id"].as_str().unwrap(), key["texts"].as_i64().unwrap() > 0))
        .collect();
    assert_eq!(used, [("test", false), ("k2", true)]);
    assert_eq!(
        (&listed["keys"][0]["makes_fingerprints"], &listed["keys"][1]["seals"]),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn a_rotation_that_was_stopped_goes_on_where_it_was_and_all_opens_in_between() {
    let world = books().await;
    let before = sealed_texts(&world).await;
    let clear = opened(&world.app.keys, &before);
    done(&keys(&world, &["add"]));
    let mut texts = 0;
    for run in 1.. {
        let told = done(&keys(&world, &["rotate", "--batches", "1"]));
        texts += told["texts"].as_i64().unwrap();
        assert_eq!(opened(&world.app.keys, &sealed_texts(&world).await), clear);
        if told["left"] == 0 {
            assert_eq!(run, Sealed::ALL.len(), "one batch per column");
            break;
        }
        assert!(told["texts"].as_i64().unwrap() > 0 && run < 20, "it does not go on: {told}");
    }
    assert_eq!(usize::try_from(texts).unwrap(), before.len(), "nothing is sealed twice");
}

#[tokio::test]
async fn what_was_sealed_again_stands_in_the_trail_as_counts_and_never_as_values() {
    let world = books().await;
    let before = sealed_texts(&world).await;
    let clear = opened(&world.app.keys, &before);
    done(&keys(&world, &["add"]));
    done(&keys(&world, &["rotate"]));
    let connection = Database::connect(world.database_url()).await.unwrap();
    let sql =
        "select cast(after_json as text) as told from audit_event where action = 'rotate_keys' order by id";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    let told: Vec<String> = rows.unwrap().iter().map(|row| row.try_get("", "told").unwrap()).collect();
    assert_eq!(told.len(), Sealed::ALL.len(), "a row per column and batch");
    let read = |text: &String| serde_json::from_str::<Value>(text).unwrap();
    let texts: i64 = told.iter().map(|text| read(text)["texts"].as_i64().unwrap()).sum();
    assert_eq!(usize::try_from(texts).unwrap(), before.len());
    assert!(
        told.iter().all(|text| read(text)["key"] == "k2" && !text.contains("v2:") && !text.contains("v1:"))
    );
    assert!(clear.iter().all(|one| !told.iter().any(|text| text.contains(one.as_str()))));
}

#[tokio::test]
async fn a_text_that_does_not_open_ends_the_rotation_with_its_place_and_changes_nothing() {
    let world = books().await;
    let file = world.app.settings.keys.clone().unwrap();
    std::fs::write(&file, format!("test={}\nk2={}\n", "77".repeat(32), "88".repeat(32))).unwrap();
    let before = sealed_texts(&world).await;
    let output = keys(&world, &["rotate"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("household.phone:") && message.contains("does not open"), "{message}");
    assert_eq!(sealed_texts(&world).await, before);
    std::fs::write(&file, format!("other={}\n", "88".repeat(32))).unwrap();
    let output = keys(&world, &["rotate"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("its key is not in the ring"));
    assert_eq!(sealed_texts(&world).await, before);
}

#[tokio::test]
async fn what_is_edited_beside_a_rotation_stays_as_it_was_edited() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let mut paths = Vec::new();
    for number in 0..20 {
        let household = json!({
            "village": VILLAGES[0], "head_name": "示范户", "status": "general", "phone": format!("139000000{number:02}"),
        });
        let made = world.post(&officer, "/v1/households", household).await.created();
        paths.push(format!("/v1/households/{}", made["id"].as_str().unwrap()));
    }
    world.app.keys.add().unwrap();
    let rotations = async {
        for _ in 0..5 {
            rotate(&world.app, None, |_, _| {}).await.unwrap();
            world.app.keys.add().unwrap();
        }
    };
    let edits = async {
        for (number, path) in paths.iter().enumerate() {
            let change = json!({ "phone": format!("138000000{number:02}") });
            world.patch(&officer, path, "\"1\"", change).await.ok();
        }
    };
    tokio::join!(rotations, edits);
    assert_eq!(rotate(&world.app, None, |_, _| {}).await.unwrap().left(), 0);
    let mut clear = opened(&world.app.keys, &sealed_texts(&world).await);
    clear.retain(|text| text.len() == 11);
    let expected: Vec<String> = (0..20).map(|number| format!("138000000{number:02}")).collect();
    assert_eq!(clear, expected);
}

#[tokio::test]
async fn every_sealed_column_of_the_schema_is_one_that_rotates() {
    let world = World::new().await;
    let connection = Database::connect(world.database_url()).await.unwrap();
    let sql = if world.database_url().starts_with("postgres") {
        "select table_name || '.' || column_name as place from information_schema.columns
         where table_schema = 'public' and column_name like '%sealed%'"
    } else {
        "select m.name || '.' || c.name as place from sqlite_master m join pragma_table_info(m.name) c
         where m.type = 'table' and c.name like '%sealed%'"
    };
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    let known = Sealed::ALL.map(|kind| kind.place().to_string());
    let places: Vec<String> = rows.unwrap().iter().map(|row| row.try_get("", "place").unwrap()).collect();
    assert!(places.len() >= 6);
    assert!(places.iter().all(|place| known.contains(place)), "{places:?}");
}

#[tokio::test]
async fn keys_of_the_environment_serve_and_are_not_added_to() {
    let world = books().await;
    let ring = format!("{},k2={}", file_text(&world).trim(), "ab".repeat(32));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
        command.arg("keys").args(arguments).args(["--json", "--database-url", world.database_url()]);
        command.env("ZHUXIAO_KEY_RING", &ring).env_remove("ZHUXIAO_KEYS");
        command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL").output().unwrap()
    };
    assert_eq!(done(&run(&["rotate"]))["key"], "k2");
    let refused = run(&["add"]);
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(4), "{message}");
    assert!(message.contains("environment") && !message.contains("abab"), "{message}");
}
