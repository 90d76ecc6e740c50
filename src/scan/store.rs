//! SQL of the search: which tables and columns of text there are, and their rows a bounded page at a time. The only place
//! that reads a schema; nothing of it is known before, so that a column of tomorrow is searched as well.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};
use uuid::Uuid;

use crate::db;

/// Rows of a page on `SQLite`.
const PAGE_ROWS: i64 = 500;

/// Pages of the database (8 KiB) that are read at a time on PostgreSQL, which has no number of a row to go by.
const PAGE_BLOCKS: i64 = 64;

/// A table, and the columns of it that may hold text.
#[derive(Clone, Debug)]
pub struct TextTable {
    pub name: String,
    key: Vec<String>,
    pub columns: Vec<String>,
}

/// Where the next page begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place(i64);

/// A row: its key, and its texts in the order of the columns.
#[derive(Clone, Debug)]
pub struct TextRow {
    pub key: String,
    pub texts: Vec<Option<String>>,
}

/// Every table of the database.
pub async fn tables(connection: &impl ConnectionTrait) -> Result<Vec<TextTable>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        table_name: String,
        column_name: String,
        is_text: bool,
        is_key: bool,
    }
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "select c.table_name::text, c.column_name::text,
                    c.data_type in ('text','character varying','character','json','jsonb') as is_text,
                    exists (select 1 from information_schema.table_constraints t
                            join information_schema.key_column_usage k on k.constraint_name = t.constraint_name
                             and k.table_schema = t.table_schema and k.table_name = t.table_name
                            where t.constraint_type = 'PRIMARY KEY' and t.table_schema = c.table_schema
                              and t.table_name = c.table_name and k.column_name = c.column_name) as is_key
             from information_schema.columns c
             join information_schema.tables i on i.table_schema = c.table_schema and i.table_name = c.table_name
             where c.table_schema = 'public' and i.table_type = 'BASE TABLE'
             order by c.table_name, c.ordinal_position"
        }
        // A column takes a text there whatever its type, so all of them are looked at.
        _ => {
            "select m.name as table_name, c.name as column_name, true as is_text, c.pk > 0 as is_key
             from sqlite_master m join pragma_table_info(m.name) c
             where m.type = 'table' and m.name not like 'sqlite_%' order by m.name, c.cid"
        }
    };
    let rows: Vec<Row> = db::rows(connection, sql, []).await?;
    let tables = rows.chunk_by(|one, other| one.table_name == other.table_name).map(|columns| {
        let named = |wanted: fn(&Row) -> bool| {
            columns.iter().filter(|row| wanted(row)).map(|row| row.column_name.clone()).collect()
        };
        TextTable {
            name: columns.first().map(|row| row.table_name.clone()).unwrap_or_default(),
            key: named(|row| row.is_key),
            columns: named(|row| row.is_text),
        }
    });
    Ok(tables.filter(|table| !table.columns.is_empty()).collect())
}

/// The rows of a page, and where the next one begins; nothing there when this was the last.
pub async fn page(
    connection: &impl ConnectionTrait,
    table: &TextTable,
    from: Place,
) -> Result<(Vec<TextRow>, Option<Place>), DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        return blocks(connection, table, from).await;
    }
    let texts = texts(table, |column| format!("case when typeof({column}) = 'text' then {column} end"));
    let sql = format!(
        "select {} as row_key, rowid as place{texts} from {} where rowid > $1 order by rowid limit $2",
        key(table, |column| {
            format!("case when typeof({column}) = 'blob' then hex({column}) else cast({column} as text) end")
        }),
        quoted(&table.name)
    );
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, [from.0.into(), PAGE_ROWS.into()]);
    let found = connection.query_all_raw(statement).await?;
    let next = match found.last() {
        Some(last) => Some(Place(last.try_get("", "place")?)),
        None => None,
    };
    Ok((shaped(&found, table)?, next))
}

async fn blocks(
    connection: &impl ConnectionTrait,
    table: &TextTable,
    from: Place,
) -> Result<(Vec<TextRow>, Option<Place>), DbErr> {
    #[derive(FromQueryResult)]
    struct Size {
        blocks: i64,
    }
    let size = "select pg_relation_size(to_regclass($1)) / current_setting('block_size')::bigint as blocks";
    let size: Option<Size> = db::row(connection, size, [quoted(&table.name).into()]).await?;
    let to = from.0.saturating_add(PAGE_BLOCKS);
    let texts = texts(table, |column| format!("{column}::text"));
    let sql = format!(
        "select {} as row_key{texts} from {} where ctid >= '({},0)'::tid and ctid < '({to},0)'::tid",
        key(table, |column| format!("{column}::text")),
        quoted(&table.name),
        from.0
    );
    let found = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let has_more = size.is_some_and(|size| to < size.blocks);
    Ok((shaped(&found, table)?, has_more.then_some(Place(to))))
}

fn texts(table: &TextTable, shown: impl Fn(&str) -> String) -> String {
    let columns = table.columns.iter().zip(0_usize..);
    let shown = columns.map(|(column, place)| format!(", {} as text_{place}", shown(&quoted(column))));
    shown.collect::<Vec<_>>().concat()
}

/// The parts of the key with a stroke between; the whole row has none in a table without one.
fn key(table: &TextTable, shown: impl Fn(&str) -> String) -> String {
    let parts: Vec<String> = table.key.iter().map(|column| shown(&quoted(column))).collect();
    if parts.is_empty() { "''".to_owned() } else { parts.join(" || '/' || ") }
}

fn shaped(found: &[sea_orm::QueryResult], table: &TextTable) -> Result<Vec<TextRow>, DbErr> {
    let rows = found.iter().map(|row| {
        let key: Option<String> = row.try_get("", "row_key")?;
        let texts = (0..table.columns.len()).map(|place| row.try_get("", &format!("text_{place}")));
        Ok(TextRow { key: hyphenated(&key.unwrap_or_default()), texts: texts.collect::<Result<_, DbErr>>()? })
    });
    rows.collect()
}

/// Ids that an engine writes as digits alone, as people read them.
fn hyphenated(key: &str) -> String {
    let parts = key.split('/').map(|part| match Uuid::try_parse(part) {
        Ok(id) if part.len() == 32 => id.to_string(),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A name out of the schema itself, as a name in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
