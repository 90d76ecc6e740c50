//! A property of an audit since a moment: a value of another row, of any kind, put into a column of a row that was touched
//! since is found by it exactly when a whole audit finds that row wrong, and it says nothing that the whole one does not.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, Value};
use zhuxiao::audit;
use zhuxiao::cli::demo::{self, Progress, Wanted};

use super::since::{Dice, FIGURES, since, touched};
use super::{Row, key_columns, query, rows};
use crate::support::World;
use crate::support::builders::drop_guards;

/// Corruptions that are tried of each table.
const TRIES: usize = 6;

/// The columns of a table that are neither its key nor name another row: below another parent a row is missed at the
/// one it left, which nobody touched.
async fn columns(connection: &DatabaseConnection, table: &str) -> Vec<String> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => format!(
            "select column_name::text as c from information_schema.columns
             where table_schema = 'public' and table_name = '{table}' order by 1"
        ),
        _ => format!("select name as c from pragma_table_info('{table}') order by 1"),
    };
    let named = query(connection, &sql).await;
    let named = named.iter().map(|row| row.try_get::<String>("", "c").unwrap());
    named
        .filter(|column| !key_columns(table).contains(&column.as_str()) && !column.ends_with("_id"))
        .collect()
}

fn key_condition(table: &str) -> String {
    let places = key_columns(table).iter().enumerate().map(|(at, key)| format!("{key} = ${}", at + 1));
    places.collect::<Vec<_>>().join(" and ")
}

async fn run(connection: &DatabaseConnection, sql: &str, values: Vec<Value>) -> Option<u64> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.execute_raw(statement).await.ok().map(|done| done.rows_affected())
}

/// Puts another row's value into a column; `false` when there is no other value or the database refuses it.
async fn swap(connection: &DatabaseConnection, table: &str, column: &str, row: &Row, place: usize) -> bool {
    let condition = key_condition(table);
    let own = format!("select {column} from {table} where {condition}");
    let others = format!("select distinct {column} from {table} where {column} is distinct from ({own})");
    // PostgreSQL takes no parameters in a statement that makes a table.
    let made = format!("create table kept as select {column} from {table} where false");
    run(connection, &made, Vec::new()).await.unwrap();
    run(connection, &format!("insert into kept {own}"), row.key.clone()).await.unwrap();
    let sql = format!(
        "update {table} set {column} = (select other.{column} from ({others}) as other order by 1 limit 1 offset {place})
         where {condition} and exists (select 1 from ({others}) as other limit 1 offset {place})"
    );
    let is_swapped = run(connection, &sql, row.key.clone()).await == Some(1);
    if !is_swapped {
        run(connection, "drop table kept", Vec::new()).await.unwrap();
    }
    is_swapped
}

async fn put_back(connection: &DatabaseConnection, table: &str, column: &str, row: &Row) {
    let condition = key_condition(table);
    let sql = format!("update {table} set {column} = (select {column} from kept) where {condition}");
    assert_eq!(run(connection, &sql, row.key.clone()).await, Some(1));
    run(connection, "drop table kept", Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_value_of_another_row_is_found_since_a_moment_as_well_as_by_a_whole_audit() {
    let seed: u64 = std::env::var("ZHUXIAO_TEST_SEED").map_or(20_270_302, |text| text.parse().unwrap());
    let world = World::new().await;
    let wanted = Wanted { seed: 7, households: 40, orders: 16 };
    let facts = demo::prepare(&world.app.settings, wanted, Progress::silent()).await.unwrap().summary.facts;
    let moment: DateTime<Utc> = format!("{}-08-01T00:00:00Z", facts.year).parse().unwrap();
    let mut options = sea_orm::ConnectOptions::new(world.database_url());
    options.max_connections(1);
    let connection = Database::connect(options).await.unwrap();
    drop_guards(&connection).await;
    let mut dice = Dice(seed);
    let mut found = 0;
    let mut done = std::collections::BTreeSet::new();
    for (table, figure, condition) in FIGURES {
        if !done.insert(table) {
            continue;
        }
        let recent = touched(&connection, table, condition, moment).await;
        let all: Vec<Row> = rows(&connection, table, figure).await;
        let recent: Vec<&Row> = all.iter().filter(|row| recent.contains(&row.told)).collect();
        let columns = columns(&connection, table).await;
        for _ in 0..TRIES {
            let (Some(row), column) =
                (recent.get(dice.below(recent.len().max(1))), &columns[dice.below(columns.len())])
            else {
                continue;
            };
            if !swap(&connection, table, column, row, dice.below(3)).await {
                continue;
            }
            let whole = audit::verify(world.app.db.reader()).await.unwrap();
            let part = since(&world, moment).await;
            let who = format!("seed {seed}: {table} {} {column}", row.told);
            assert!(part.iter().all(|one| whole.contains(one)), "{who}: {part:#?} of {whole:#?}");
            let mut of_row = whole.iter().filter(|one| one.table == table && one.row_id == row.told);
            assert!(of_row.all(|one| part.contains(one)), "{who}: {whole:#?} but {part:#?}");
            assert_eq!(whole.is_empty(), part.is_empty(), "{who}: {whole:#?}");
            found += usize::from(!whole.is_empty());
            put_back(&connection, table, column, row).await;
        }
    }
    assert_eq!(audit::verify(world.app.db.reader()).await.unwrap(), Vec::new());
    assert!(found > 15, "seed {seed}: only {found} corruptions were found at all");
}
