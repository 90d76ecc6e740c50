//! SQL of bank statements and their lines. Lines are only added: nothing here changes or removes one.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::rules::LineState;
use super::{NewLine, NewStatement};
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::CountyScope;

/// Lines written or looked up by one statement.
pub const CHUNK: usize = 2_000;

const COLUMNS: &str = "id, county_code, bank, format, account_masked, currency, from_on, to_on, opening_minor,
    opening_currency, closing_minor, closing_currency, line_count, in_minor, out_minor, imported_by, imported_at";

/// A line's state, by the names of [`LineState`].
const LINE_STATE: &str = "case
    when exists (select 1 from bank_statement_match matched
                 where matched.line_id = line.id and matched.reversed_at is null) then 'matched'
    when exists (select 1 from bank_statement_explanation explained where explained.line_id = line.id) then 'explained'
    when line.amount_minor <= 0 then 'outgoing'
    when line.currency <> 'CNY' then 'foreign_currency'
    else 'open' end";

#[derive(Debug, FromQueryResult)]
pub struct StatementRow {
    pub id: Uuid,
    pub county_code: String,
    pub bank: String,
    pub format: String,
    pub account_masked: Option<String>,
    pub currency: String,
    pub from_on: NaiveDate,
    pub to_on: NaiveDate,
    pub opening_minor: Option<i64>,
    pub opening_currency: Option<String>,
    pub closing_minor: Option<i64>,
    pub closing_currency: Option<String>,
    pub line_count: i64,
    pub in_minor: i64,
    pub out_minor: i64,
    pub imported_by: Option<Uuid>,
    pub imported_at: DateTime<Utc>,
}

#[derive(Debug, FromQueryResult)]
pub struct LineRow {
    pub id: Uuid,
    /// Of the statement that brought it first.
    pub statement_id: Uuid,
    /// In the statement that is read.
    pub position: i64,
    pub currency: String,
    pub amount_minor: i64,
    pub booked_on: NaiveDate,
    pub booked_at: Option<DateTime<Utc>>,
    pub value_on: Option<NaiveDate>,
    pub payer_name: Option<String>,
    /// Sealed.
    pub payer_account: Option<String>,
    pub remark: String,
    pub bank_reference: Option<String>,
    pub balance_minor: Option<i64>,
    pub state: String,
    /// Of a standing match.
    pub payment_id: Option<Uuid>,
}

/// Adds a statement, unless the county has the same part of the same file; answers whether it did.
pub async fn insert(txn: &WriteTxn, new: &NewStatement, imported_at: DateTime<Utc>) -> Result<bool, DbErr> {
    let sql = "insert into bank_statement (id, county_code, bank, format, account_masked, account_sealed,
                   account_fingerprint, currency, from_on, to_on, opening_minor, opening_currency, closing_minor,
                   closing_currency, line_count, in_minor, out_minor, file_digest, file_part, imported_by, imported_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
               on conflict (county_code, file_digest, file_part) do nothing";
    let (view, figures) = (&new.view, &new.view.figures);
    let values: [Value; 21] = [
        view.id.into(),
        view.county_code.clone().into(),
        figures.bank.clone().into(),
        figures.format.clone().into(),
        figures.account_masked.clone().into(),
        new.account_sealed.clone().into(),
        new.account_fingerprint.clone().into(),
        figures.currency.as_str().into(),
        figures.from_on.into(),
        figures.to_on.into(),
        figures.opening.map(|opening| opening.minor).into(),
        figures.opening.map(|opening| opening.currency.as_str().to_owned()).into(),
        figures.closing.map(|closing| closing.minor).into(),
        figures.closing.map(|closing| closing.currency.as_str().to_owned()).into(),
        figures.totals.line_count.into(),
        figures.totals.in_minor.into(),
        figures.totals.out_minor.into(),
        new.file_digest.clone().into(),
        new.file_part.into(),
        view.imported_by.into(),
        imported_at.into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// Adds the lines that the county does not have yet and answers how many; those it has are noted as repeated.
pub async fn insert_lines(txn: &WriteTxn, new: &NewStatement) -> Result<u64, DbErr> {
    let mut added = 0_u64;
    for lines in new.lines.chunks(CHUNK) {
        added = added.saturating_add(insert_chunk(txn, new, lines).await?);
    }
    Ok(added)
}

async fn insert_chunk(txn: &WriteTxn, new: &NewStatement, lines: &[NewLine]) -> Result<u64, DbErr> {
    use ColumnType::{Date, Integer, Text, Time, Uuid as Id};

    let columns = [
        ("id", Id),
        ("position", Integer),
        ("amount_minor", Integer),
        ("booked_on", Date),
        ("booked_at", Time),
        ("value_on", Date),
        ("payer_name", Text),
        ("payer_account", Text),
        ("payer_account_fingerprint", Text),
        ("remark", Text),
        ("bank_reference", Text),
        ("balance_minor", Integer),
        ("identity", Text),
    ];
    let backend = txn.get_database_backend();
    let set = db::set_rows(backend, "$1", &columns);
    // `where true`: without it SQLite takes `on` for the condition of a join.
    let sql = format!(
        "insert into bank_statement_line (id, statement_id, county_code, position, currency, amount_minor, booked_on,
                                          booked_at, value_on, payer_name, payer_account, payer_account_fingerprint,
                                          remark, bank_reference, balance_minor, identity)
         select id, $2, $3, position, $4, amount_minor, booked_on, booked_at, value_on, payer_name, payer_account,
                payer_account_fingerprint, remark, bank_reference, balance_minor, identity
         from ({set}) as line where true on conflict (county_code, identity) do nothing"
    );
    let (id, county) = (new.view.id, new.view.county_code.as_str());
    let values: [Value; 4] = [
        db::set_parameter(lines.iter().map(row_of).collect()),
        id.into(),
        county.into(),
        new.view.figures.currency.as_str().into(),
    ];
    let added = db::change(txn, &sql, values).await?;
    if added < u64::try_from(lines.len()).unwrap_or(u64::MAX) {
        let set = db::set_rows(backend, "$1", &[("position", Integer), ("identity", Text)]);
        let sql = format!(
            "insert into bank_statement_repeat (statement_id, position, line_id)
             select $2, line.position, known.id from ({set}) as line
             join bank_statement_line known on known.county_code = $3 and known.identity = line.identity
             where known.statement_id <> $2"
        );
        let rows = lines.iter().map(|line| vec![json!(line.position), json!(line.identity)]);
        db::change(txn, &sql, [db::set_parameter(rows.collect()), id.into(), county.into()]).await?;
    }
    Ok(added)
}

fn row_of(new: &NewLine) -> Vec<Json> {
    let line = &new.line;
    vec![
        db::set_id(new.id),
        json!(new.position),
        json!(line.amount_minor),
        json!(line.booked_on),
        json!(line.booked_at.map(db::set_time)),
        json!(line.value_on),
        json!(line.payer_name),
        json!(new.payer_account_sealed),
        json!(new.payer_account_fingerprint),
        json!(line.remark),
        json!(line.bank_reference),
        json!(line.balance_minor),
        json!(new.identity),
    ]
}

/// How many of these lines the county has.
pub async fn count_known(
    connection: &impl ConnectionTrait,
    county_code: &str,
    lines: &[NewLine],
) -> Result<u64, DbErr> {
    #[derive(FromQueryResult)]
    struct Known {
        known: i64,
    }
    let set = db::set_rows(connection.get_database_backend(), "$1", &[("identity", ColumnType::Text)]);
    let sql = format!(
        "select count(*) as known from ({set}) as line
         join bank_statement_line known on known.county_code = $2 and known.identity = line.identity"
    );
    let mut count = 0_u64;
    for lines in lines.chunks(CHUNK) {
        let rows = lines.iter().map(|line| vec![json!(line.identity)]);
        let values = [db::set_parameter(rows.collect()), county_code.into()];
        let known: Option<Known> = db::row(connection, &sql, values).await?;
        count = count.saturating_add(known.map_or(0, |row| u64::try_from(row.known).unwrap_or(0)));
    }
    Ok(count)
}

/// The statements of a file that the county has, in its order.
pub async fn find_by_file(
    connection: &impl ConnectionTrait,
    county_code: &str,
    file_digest: &str,
) -> Result<Vec<StatementRow>, DbErr> {
    let sql = format!(
        "select {COLUMNS} from bank_statement where county_code = $1 and file_digest = $2 order by file_part"
    );
    db::rows(connection, &sql, [county_code.into(), file_digest.into()]).await
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    request: PageRequest,
) -> Result<Vec<StatementRow>, DbErr> {
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> =
        vec![limit.into(), counties.from.clone().into(), counties.before.clone().into()];
    let mut older = "";
    if let Some(before) = request.before {
        values.push(before.into());
        older = "and id < $4";
    }
    let sql = format!(
        "select {COLUMNS} from bank_statement where county_code >= $2 and county_code < $3 {older}
         order by id desc limit $1"
    );
    db::rows(connection, &sql, values).await
}

/// A statement of one of the counties.
pub async fn find(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    id: Uuid,
) -> Result<Option<StatementRow>, DbErr> {
    let sql = format!(
        "select {COLUMNS} from bank_statement where id = $1 and county_code >= $2 and county_code < $3"
    );
    db::row(connection, &sql, [id.into(), counties.from.clone().into(), counties.before.clone().into()]).await
}

/// Where a line stands in a statement.
pub async fn position_of(
    connection: &impl ConnectionTrait,
    statement_id: Uuid,
    line_id: Uuid,
) -> Result<Option<i64>, DbErr> {
    #[derive(FromQueryResult)]
    struct Place {
        position: i64,
    }
    let sql = "select position from bank_statement_line where id = $2 and statement_id = $1
               union all select position from bank_statement_repeat where line_id = $2 and statement_id = $1";
    let place: Option<Place> = db::row(connection, sql, [statement_id.into(), line_id.into()]).await?;
    Ok(place.map(|place| place.position))
}

/// Lines of a statement behind a position, its own and those it repeats, in the order of the file; one more than
/// `limit`. With a state only those in it.
pub async fn list_lines(
    connection: &impl ConnectionTrait,
    statement_id: Uuid,
    after: i64,
    limit: u64,
    state: Option<LineState>,
) -> Result<Vec<LineRow>, DbErr> {
    let limit = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![statement_id.into(), after.into(), limit.into()];
    let mut in_state = String::new();
    if let Some(state) = state {
        values.push(state.as_str().into());
        in_state = format!("and {LINE_STATE} = $4");
    }
    // Each half is cut before they are put together: a page reads a page, whatever the length of the statement. Only a
    // state that few lines are in is looked for further, to the end of the statement at most.
    let sql = format!(
        "select line.id, line.statement_id, place.position, line.currency, line.amount_minor, line.booked_on,
                line.booked_at, line.value_on, line.payer_name, line.payer_account, line.remark,
                line.bank_reference, line.balance_minor, {LINE_STATE} as state, standing.payment_id
         from (
             select * from (select line.id, line.position from bank_statement_line line
                            where line.statement_id = $1 and line.position > $2 {in_state}
                            order by line.position limit $3) as own
             union all
             select * from (select line.id, again.position from bank_statement_repeat again
                            join bank_statement_line line on line.id = again.line_id
                            where again.statement_id = $1 and again.position > $2 {in_state}
                            order by again.position limit $3) as repeated
         ) place join bank_statement_line line on line.id = place.id
         left join bank_statement_match standing on standing.line_id = line.id and standing.reversed_at is null
         order by place.position limit $3"
    );
    db::rows(connection, &sql, values).await
}
