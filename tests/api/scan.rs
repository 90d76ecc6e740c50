//! The specification of the search for personal data: numbers in the clear are found wherever they stand, and what the
//! demo stores, logs and exports holds none.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::Value;
use uuid::Uuid;
use zhuxiao::cli::demo::{self, Progress, Wanted};
use zhuxiao::members::sealed::Sealed;
use zhuxiao::sheet::{Limits, each_part};

use crate::keys::sealed_texts;
use crate::support::builders::VILLAGES;
use crate::support::{Person, World};

const IDENTITY: &str = "11010519491231002X";
const PHONE: &str = "13812345678";
const CARD: &str = "6228480402564890018";

/// Files of one test, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("zhuxiao-scan-{}", Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn scan(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
    command.arg("scan").args(arguments);
    // What steers the tests is no setting of the program.
    command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL").output().unwrap()
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn workbook(cell: &str) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, "联系电话").unwrap();
    sheet.write_string(1, 0, cell).unwrap();
    sheet.write_number(2, 0, 13_912_345_678.0).unwrap();
    book.save_to_buffer().unwrap()
}

#[tokio::test]
async fn a_number_in_the_clear_is_found_in_whatever_column_it_stands_and_shown_masked() {
    let world = World::new().await.with_regions().await;
    let household = world.with_account(world.household(VILLAGES[0], "general").await).await;
    let address = world.database_url();
    let clean = scan(&["--database-url", address]);
    assert_eq!(clean.status.code(), Some(0), "{}", String::from_utf8_lossy(&clean.stderr));
    assert!(clean.stdout.is_empty());
    let sql = "update household set head_name = $2 where id = $1";
    world.execute(sql, vec![household.into(), format!("仲雅妮{PHONE}").into()]).await;
    world
        .execute(
            "update region set name = $1 where code = '341823100001'",
            vec![format!("卡{CARD}村").into()],
        )
        .await;
    let found = scan(&["--database-url", address]);
    let text = String::from_utf8(found.stdout).unwrap();
    assert_eq!(found.status.code(), Some(3));
    assert_eq!(
        text,
        format!(
            "household, head_name, {household}, mobile_phone, 138****5678\n\
             region, name, 341823100001, bank_card, ***************0018\n"
        )
    );
    let json = told(&scan(&["--json", "--database-url", address]));
    assert_eq!(json["findings"][0]["row"], household.to_string());
    assert_eq!((&json["is_cut"], json["tables"].as_u64().unwrap() > 40), (&Value::Bool(false), true));
}

#[tokio::test]
async fn more_rows_than_one_page_holds_are_all_searched_and_what_is_listed_is_bounded() {
    let world = World::new().await;
    let sql = format!(
        "with recursive number(n) as (select 1 union all select n + 1 from number where n < 1500)
         insert into problem_run (name, run_at) select 'x ' || n || ' {PHONE}', $1 from number"
    );
    world.execute(&sql, vec![world.clock.now().into()]).await;
    let found = scan(&["--json", "--database-url", world.database_url()]);
    let findings = told(&found);
    assert_eq!((found.status.code(), findings["findings"].as_array().unwrap().len()), (Some(3), 1_000));
    assert_eq!(findings["is_cut"], true);
    world.execute("delete from problem_run where name not like '% 1499 %'", Vec::new()).await;
    let findings = told(&scan(&["--json", "--database-url", world.database_url()]));
    assert_eq!(findings["findings"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn numbers_in_logs_tables_and_workbooks_are_found_with_their_place() {
    let folder = Folder::new();
    let long =
        format!("{{\"at\":1}}\n{{\"message\":\"called {PHONE}\"}}\n{}{IDENTITY}\n", "x ".repeat(1_100_000));
    let (gb, ..) = encoding_rs::GB18030.encode("姓名,电话\n啊13812345678,1\n");
    let lines = folder.file("service.log", long.as_bytes());
    let csv = folder.file("export.csv", &gb);
    let xlsx = folder.file("export.xlsx", &workbook(CARD));
    let clean = folder.file("clean.json", b"{\"id\":\"0193a5b0-c000-7000-8000-138123456780\",\"n\":1000}");
    let found = scan(&["--no-database", "--file", &clean]);
    assert_eq!((found.status.code(), found.stdout.len()), (Some(0), 0));
    let found = scan(&["--json", "--no-database", "--file", &lines, &csv, &xlsx, &clean]);
    assert_eq!(found.status.code(), Some(3), "{}", String::from_utf8_lossy(&found.stderr));
    let findings = told(&found);
    let places: Vec<(String, String)> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let place = if one["line"].is_null() { &one["part"] } else { &one["line"] };
            (
                format!("{} {place}", one["file"].as_str().unwrap().rsplit('/').next().unwrap()),
                one["kind"].to_string(),
            )
        })
        .collect();
    let expected = [
        ("service.log 2", "mobile_phone"),
        ("service.log 3", "identity_number"),
        ("export.csv 2", "mobile_phone"),
        ("export.xlsx \"xl/sharedstrings.xml\"", "bank_card"),
        ("export.xlsx \"xl/worksheets/sheet1.xml\"", "mobile_phone"),
    ];
    let expected = expected.map(|(place, kind)| (place.to_owned(), format!("\"{kind}\"")));
    assert_eq!(places, expected);
    assert_eq!(findings["files"], 4);
    let text = found.stdout.iter().map(|byte| char::from(*byte)).collect::<String>();
    assert!([IDENTITY, PHONE, CARD, "13912345678"].iter().all(|number| !text.contains(number)));
}

#[tokio::test]
async fn a_file_that_is_not_there_and_one_that_unpacks_to_too_much_end_the_search() {
    let folder = Folder::new();
    let missing = folder.0.join("none.log").display().to_string();
    assert_eq!(scan(&["--no-database", "--file", &missing]).status.code(), Some(1));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("xl/workbook.xml", zip::write::SimpleFileOptions::default()).unwrap();
    for _ in 0..300 {
        zip.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = folder.file("bomb.xlsx", &zip.finish().unwrap().into_inner());
    let found = scan(&["--no-database", "--file", &bomb]);
    let message = String::from_utf8(found.stderr).unwrap();
    assert_eq!(found.status.code(), Some(1), "{message}");
    assert!(message.contains("unpacks to more than"), "{message}");
    assert_eq!(scan(&["--no-database"]).status.code(), Some(2), "nothing to search");
}

/// What tracing writes, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_dump_the_logs_and_all_exports_of_the_demo_hold_none_of_its_identity_phone_and_card_numbers() {
    let log = Log::default();
    let kept = log.clone();
    let filter = tracing_subscriber::EnvFilter::new("zhuxiao=trace,debug");
    let subscriber =
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(move || kept.clone());
    let _ = subscriber.try_init();
    let world = World::new().await;
    let wanted = Wanted { seed: 7, households: 60, orders: 12 };
    let facts = demo::prepare(&world.app.settings, wanted, Progress::silent()).await.unwrap().summary.facts;
    world.clock.set(format!("{}-12-01T01:00:00Z", facts.year).parse().unwrap());
    let texts = sealed_texts(&world).await;
    let numbers: std::collections::BTreeSet<String> = texts
        .iter()
        .filter(|(kind, ..)| !matches!(kind, Sealed::PayoutPayeeName | Sealed::HouseholdAddress))
        .map(|(kind, row, text)| world.app.keys.open(*kind, *row, text).unwrap())
        .collect();
    assert!(numbers.len() >= 180, "identity number, phone and account per household: {}", numbers.len());
    let is_number = |number: &String| {
        number.len() >= 11 && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'X')
    };
    assert!(numbers.iter().all(is_number));
    let mut searched = exports(&world, facts.year).await;
    searched.push(("dump".to_owned(), dump(&world).await));
    searched.push(("log".to_owned(), String::from_utf8(log.0.lock().unwrap().clone()).unwrap()));
    for (name, text) in &searched {
        assert!(text.len() > 100, "{name} is empty: {text}");
        for number in &numbers {
            assert!(!text.contains(number.as_str()), "{number} stands in {name}");
        }
    }
    assert!(
        searched.iter().any(|(_, text)| text.contains("****")),
        "nothing shows an account, not even masked"
    );
}

/// Everything that the service writes for others to keep, but the file for the bank, whose purpose accounts are.
async fn exports(world: &World, year: i32) -> Vec<(String, String)> {
    let finance = signed_in(world, "finance").await;
    let period = format!("from={year}-01-01&to={year}-12-31");
    let mut paths: Vec<String> =
        ["hledger", "beancount", "csv"].map(|format| format!("/v1/ledger/export?format={format}")).to_vec();
    for report in ["sales", "coverage", "income", "unsold", "overdue", "reconciliation"] {
        let period = if matches!(report, "sales" | "coverage" | "income") { period.as_str() } else { "" };
        paths.extend(
            ["json", "csv", "xlsx"].map(|format| format!("/v1/reports/{report}?{period}&format={format}")),
        );
    }
    let papers = world.get(&finance, "/v1/papers?limit=200").await.ok();
    for paper in papers["items"].as_array().unwrap() {
        let id = paper["id"].as_str().unwrap();
        paths.extend(["json", "html", "xlsx"].map(|format| format!("/v1/papers/{id}/file?format={format}")));
    }
    for list in ["households", "payout_batches", "payments", "settlements"] {
        paths.push(format!("/v1/{list}?limit=200"));
    }
    let mut exports = Vec::new();
    for path in paths {
        let response = world.request(reqwest::Method::GET, Some(&finance), &path).send().await.unwrap();
        let status = response.status();
        let bytes = response.bytes().await.unwrap();
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&bytes));
        exports.push((path, unpacked(&bytes)));
    }
    exports
}

async fn signed_in(world: &World, role: &str) -> Person {
    let one = demo::sign_ins().into_iter().find(|one| one.role == role).unwrap();
    let body = serde_json::json!({ "account": one.account, "password": one.password });
    let session = world.post_as(None, "/v1/sessions", body).await.created();
    let token = session["token"].as_str().unwrap().to_owned();
    Person { id: Uuid::nil(), token, role: zhuxiao::members::access::Role::parse(role).unwrap() }
}

fn unpacked(bytes: &[u8]) -> String {
    if !bytes.starts_with(b"PK\x03\x04") {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::new();
    each_part(bytes, &Limits::default(), |_, part| text.push_str(&String::from_utf8_lossy(part))).unwrap();
    text
}

/// The bytes of an SQLite file and its log; every row of every table on PostgreSQL.
async fn dump(world: &World) -> String {
    if let Some(file) = world.database_url().strip_prefix("sqlite://") {
        let file = file.split('?').next().unwrap();
        let read = |suffix: &str| std::fs::read(format!("{file}{suffix}")).unwrap_or_default();
        let bytes = [read(""), read("-wal")].concat();
        return bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect();
    }
    let connection = Database::connect(world.database_url()).await.unwrap();
    let query = async |sql: String| {
        connection
            .query_all_raw(Statement::from_string(connection.get_database_backend(), sql))
            .await
            .unwrap()
    };
    let tables =
        query("select tablename::text as name from pg_tables where schemaname = 'public'".to_owned()).await;
    let mut dump = String::new();
    for table in tables {
        let name: String = table.try_get("", "name").unwrap();
        for row in query(format!("select t::text as line from \"{name}\" t")).await {
            dump.push_str(&row.try_get::<String>("", "line").unwrap());
            dump.push('\n');
        }
    }
    dump
}
