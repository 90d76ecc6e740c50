//! The specification of the audit: consistent books pass, and one fen, gram or piece changed by hand in any table of
//! the money and stock path is found and the row named.

pub mod chain;
mod kinds;
mod money;
mod papers;
mod since;
mod statements;
mod swaps;
mod trail_chain;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;
use zhuxiao::audit;

use crate::orders::Market;
use crate::support::World;
use crate::support::builders::drop_guards;

/// Whole numbers that are not figures of money or stock; those of the chain of the trail have tests of their own.
const NOT_FIGURES: [&str; 14] = [
    "version",
    "line_no",
    "position",
    "tier",
    "round",
    "rating",
    "shelf_life_days",
    "applied_at",
    "number",
    "event_count",
    "link_number",
    "last_step",
    "tries_left",
    "reveal_count",
];

/// What test builders write below the API, without events.
const BUILT: [&str; 4] = ["household", "institution", "product", "lot"];

/// The columns that make up the key of a row.
fn key_columns(table: &str) -> &'static [&'static str] {
    match table {
        "ledger_posting" => &["entry_id", "line_no"],
        "payment_part" => &["payment_id", "settlement_line_id"],
        "payment_fee_part" => &["payment_id", "settlement_id"],
        "deposit_use_part" => &["deposit_use_id", "settlement_line_id"],
        "deposit_use_fee_part" => &["deposit_use_id", "settlement_id"],
        "payout_part" => &["payout_id", "settlement_line_id"],
        "counter" => &["name"],
        "trail_link" => &["number"],
        "chained_event" => &["event_id"],
        _ => &["id"],
    }
}

/// A row: the values of its key, and the key as the audit writes it.
struct Row {
    key: Vec<Value>,
    told: String,
}

#[tokio::test]
async fn consistent_books_have_no_finding() {
    let world = chain::books().await;
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// Households, lots and institutions of the market stand below the API and have no events; all else has.
#[tokio::test]
async fn orders_that_are_placed_confirmed_cancelled_and_expired_leave_nothing_to_find() {
    let market = Market::new().await;
    market.place("100").await;
    market.world.clock.advance(chrono::TimeDelta::hours(1));
    let confirmed = market.place("500").await;
    market.confirm(&confirmed).await.ok();
    let cancelled = market.place("200").await;
    let path = format!("/v1/orders/{}/cancel", cancelled["id"].as_str().unwrap());
    market.world.post(&market.buyer, &path, serde_json::json!(null)).await.ok();
    market.place("10").await;
    let mut findings = audit::verify(market.world.app.db.reader()).await.unwrap();
    findings.retain(|finding| finding.invariant != 8 || !BUILT.contains(&finding.table));
    assert!(findings.is_empty(), "{findings:#?}");
}

#[tokio::test]
async fn one_fen_or_gram_changed_in_any_figure_of_any_row_is_found_and_the_row_named() {
    let world = chain::books().await;
    let connection = Database::connect(world.database_url()).await.unwrap();
    drop_guards(&connection).await;
    let figures = figures(&connection).await;
    assert!(figures.len() >= 35, "the schema has lost its figures: {figures:?}");
    for (table, column) in figures {
        let rows = rows(&connection, &table, &column).await;
        assert!(!rows.is_empty(), "the books have no {table} with {column}");
        let mut found = 0;
        for row in &rows {
            for by in [1_i64, -1] {
                if !change(&connection, &table, &column, row, by).await {
                    continue;
                }
                assert_named(&world, &table, &column, row, by).await;
                assert!(change(&connection, &table, &column, row, -by).await);
                found += 1;
            }
        }
        assert!(found > 0, "the database refuses every change of {table}.{column}: nothing was tested");
    }
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// What `zhuxiao audit` answers: its exit code, stdout and stderr.
pub fn audited(database_url: &str, flags: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
    command.args(["audit", "--database-url", database_url]).args(flags);
    // What steers the tests is no setting of the program.
    command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_command_ends_with_three_and_names_the_row_once_a_gram_was_changed() {
    let world = chain::books().await;
    let (code, stdout, stderr) = audited(world.database_url(), &[]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    world.execute("update lot set held_base = held_base + 1 where held_base > 0", Vec::new()).await;
    let lot = chain::LOT_HELD.to_string();
    let (code, stdout, stderr) = audited(world.database_url(), &[]);
    assert_eq!(code, Some(3), "{stdout} {stderr}");
    let told = format!("invariant 1, lot, {lot}, held_base, stored 10001, recomputed 10000,");
    assert!(stdout.lines().any(|line| line.starts_with(&told)), "{stdout}");
    assert!(stderr.contains("1 difference"), "{stderr}");
    let (code, stdout, _) = audited(world.database_url(), &["--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, verdict["findings"][0]["row_id"].as_str()), (Some(3), Some(lot.as_str())));
}

#[tokio::test]
async fn the_command_compares_a_head_that_was_kept_elsewhere() {
    let world = chain::books().await;
    while zhuxiao::trail::chain::sweep(&world.app).await.unwrap() > 0 {}
    let (code, stdout, _) = audited(world.database_url(), &["--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let head = verdict["head"].as_str().unwrap();
    assert_eq!((code, audited(world.database_url(), &["--head", head]).0), (Some(0), Some(0)));
    let another = format!("9999:{}", head.split_once(':').unwrap().1);
    let (code, stdout, stderr) = audited(world.database_url(), &["--head", &another]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stdout.starts_with("invariant 8, trail_link, 9999, digest, stored nothing"), "{stdout}");
    let (code, _, stderr) = audited(world.database_url(), &["--head", "9999"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("number:digest"), "{stderr}");
}

#[tokio::test]
async fn the_command_puts_what_it_found_on_the_problem_list_when_asked_to() {
    let world = chain::books().await;
    world.execute("update lot set held_base = held_base + 1 where held_base > 0", Vec::new()).await;
    let (code, _, stderr) = audited(world.database_url(), &["--raise"]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("1 raised as problems, 0 closed"), "{stderr}");
    world.execute("update lot set held_base = held_base - 1 where held_base > 0", Vec::new()).await;
    let (code, _, stderr) = audited(world.database_url(), &["--raise"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("0 raised as problems, 1 closed"), "{stderr}");
}

#[tokio::test]
async fn the_command_makes_no_database_where_there_is_none() {
    let file = std::env::temp_dir().join(format!("zhuxiao-none-{}.db", Uuid::now_v7().simple()));
    let (code, _, stderr) = audited(&format!("sqlite://{}?mode=rwc", file.display()), &[]);
    assert_eq!((code, file.exists()), (Some(1), false), "{stderr}");
}

#[tokio::test]
async fn a_row_that_disappears_is_missed() {
    for (table, missed_in) in [
        ("payment_part", "payment"),
        ("payout_part", "payout"),
        ("ledger_posting", "ledger_entry"),
        ("settlement_line", "settlement"),
        ("audit_event", "purchase_order"),
    ] {
        let world = chain::books().await;
        if table == "settlement_line" {
            for part in ["payment_part", "payout_part", "deposit_use_part"] {
                world.execute(&format!("delete from {part}"), Vec::new()).await;
            }
        }
        world.tamper(&format!("delete from {table}"), Vec::new()).await;
        let findings = audit::verify(world.app.db.reader()).await.unwrap();
        assert!(findings.iter().any(|finding| finding.table == missed_in), "{table}: {findings:#?}");
    }
}

#[tokio::test]
async fn an_expired_order_that_still_holds_stock_is_found() {
    let world = chain::books().await;
    world.execute("update purchase_order set state = 'expired' where state = 'placed'", Vec::new()).await;
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    let found = findings.iter().find(|finding| finding.table == "allocation").unwrap();
    assert_eq!((found.column, found.stored.as_deref()), ("state", Some("held")));
}

#[tokio::test]
async fn a_posting_on_another_day_or_account_than_its_source_calls_for_is_found() {
    let world = chain::books().await;
    world
        .tamper("update ledger_posting set occurred_on = '2027-01-01' where amount_fen = 751000", Vec::new())
        .await;
    let mut findings = audit::verify(world.app.db.reader()).await.unwrap();
    // The money is in escrow on another day than at the bank, too.
    findings.retain(|finding| finding.what != audit::BANK_AGREES);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!((findings[0].table, findings[0].column), ("ledger_posting", "occurred_on"));
    let moved =
        "update ledger_posting set account_id = (select id from ledger_account where kind = 'rounding')
                 where amount_fen = 751000";
    world.tamper(moved, Vec::new()).await;
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    assert!(findings.iter().any(|found| found.table == "ledger_posting" && found.column == "amount_fen"));
}

#[tokio::test]
async fn a_gap_in_the_numbers_of_papers_is_found() {
    let world = chain::books().await;
    world
        .execute("update payment set number = 'PM-341823-2027-000003' where state = 'reversed'", Vec::new())
        .await;
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    assert!(findings.iter().any(|found| found.table == "counter" && found.row_id == "PM-341823-2027"));
    assert!(findings.iter().any(|found| found.table == "payment" && found.column == "number"));
}

#[tokio::test]
async fn a_number_that_is_none_is_found_and_the_audit_goes_on() {
    for number in
        ["PM-341823-2027-00000x", "PM-341823-2027-", "nonsense", "PM-341823-2027-99999999999999999999"]
    {
        let world = chain::books().await;
        let sql = "update payment set number = $1 where state = 'reversed'";
        world.execute(sql, vec![number.into()]).await;
        let findings = audit::verify(world.app.db.reader()).await.unwrap();
        let found = findings.iter().find(|found| found.table == "payment" && found.column == "number");
        assert_eq!(found.and_then(|found| found.stored.as_deref()), Some(number), "{findings:#?}");
        assert!(findings.iter().any(|found| found.table == "counter"), "{findings:#?}");
    }
}

async fn assert_named(world: &World, table: &str, column: &str, row: &Row, by: i64) {
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    assert!(
        findings.iter().any(|finding| finding.table == table && finding.row_id == row.told),
        "{table} {} {column} {by:+}: {findings:#?}",
        row.told
    );
}

/// Every whole-number column of the schema but those that are no figures: a new figure is tested without being listed.
async fn figures(connection: &DatabaseConnection) -> Vec<(String, String)> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "select table_name::text as t, column_name::text as c from information_schema.columns
             where table_schema = 'public' and data_type = 'bigint' order by 1, 2"
        }
        _ => {
            "select m.name as t, c.name as c from sqlite_master m join pragma_table_info(m.name) c
             where m.type = 'table' and lower(c.type) = 'bigint' order by 1, 2"
        }
    };
    let found = query(connection, sql).await;
    let named = found.iter().map(|row| (row.try_get("", "t").unwrap(), row.try_get("", "c").unwrap()));
    named.filter(|(_, column): &(String, String)| !NOT_FIGURES.contains(&column.as_str())).collect()
}

async fn rows(connection: &DatabaseConnection, table: &str, column: &str) -> Vec<Row> {
    let columns = key_columns(table);
    let sql = format!("select {} from {table} where {column} is not null", columns.join(", "));
    let found = query(connection, &sql).await;
    let key_of = |row: &QueryResult| {
        let parts = columns.iter().map(|column| match *column {
            "line_no" => {
                let line: i64 = row.try_get("", column).unwrap();
                (Value::from(line), line.to_string())
            }
            "name" => {
                let name: String = row.try_get("", column).unwrap();
                (Value::from(name.clone()), name)
            }
            _ => {
                let id: Uuid = row.try_get("", column).unwrap();
                (Value::from(id), id.to_string())
            }
        });
        let (key, told): (Vec<Value>, Vec<String>) = parts.unzip();
        Row { key, told: told.join("/") }
    };
    found.iter().map(key_of).collect()
}

/// Changes one figure by hand; `false` when the database itself refuses it.
async fn change(connection: &DatabaseConnection, table: &str, column: &str, row: &Row, by: i64) -> bool {
    let places: Vec<String> =
        key_columns(table).iter().enumerate().map(|(at, key)| format!("{key} = ${}", at + 1)).collect();
    let sql = format!("update {table} set {column} = {column} + ({by}) where {}", places.join(" and "));
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), &sql, row.key.clone());
    match connection.execute_raw(statement).await {
        Ok(done) => {
            assert_eq!(done.rows_affected(), 1, "{table} {}", row.told);
            true
        }
        Err(error) => {
            assert!(error.to_string().to_lowercase().contains("check"), "{error}");
            false
        }
    }
}

async fn query(connection: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(connection.get_database_backend(), sql.to_owned());
    connection.query_all_raw(statement).await.unwrap()
}
