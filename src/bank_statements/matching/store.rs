//! SQL of matching: lines that wait, what the numbers in them stand for, and who they may be from. Payments and their
//! matches are written by `payments`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

use super::rules::{Debt, Named, SUMMED_MAX};
use crate::db::{self, ColumnType, WriteTxn};
use crate::members::access::CountyScope;
use crate::money::Fen;

/// Institutions of a county that are looked at.
const INSTITUTIONS_MAX: u64 = 5_000;

/// Settlements that one number stands for, and that have the amount of one line, at most.
const DEBTS_MAX: u64 = 100;

/// A line as matching sees it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LineRow {
    pub id: Uuid,
    pub county_code: String,
    pub currency: String,
    pub amount_minor: i64,
    pub booked_on: NaiveDate,
    pub payer_name: Option<String>,
    pub payer_account_fingerprint: Option<String>,
    pub remark: String,
    pub bank_reference: Option<String>,
}

const LINE: &str =
    "line.id, line.county_code, line.currency, line.amount_minor, line.booked_on, line.payer_name,
    line.payer_account_fingerprint, line.remark, line.bank_reference";

/// Incoming CNY lines that a statement brought, in its order.
pub async fn incoming_of(
    connection: &impl ConnectionTrait,
    statement_id: Uuid,
) -> Result<Vec<LineRow>, DbErr> {
    let sql = format!(
        "select {LINE} from bank_statement_line line
         where line.statement_id = $1 and line.currency = 'CNY' and line.amount_minor > 0 order by line.position"
    );
    db::rows(connection, &sql, [statement_id.into()]).await
}

/// A line of one of the counties.
pub async fn find(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    id: Uuid,
) -> Result<Option<LineRow>, DbErr> {
    let sql = format!(
        "select {LINE} from bank_statement_line line
         where line.id = $1 and line.county_code >= $2 and line.county_code < $3"
    );
    db::row(connection, &sql, [id.into(), counties.from.clone().into(), counties.before.clone().into()]).await
}

/// Two people who match the same line come one after the other.
pub async fn lock(txn: &WriteTxn, id: Uuid) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Locked {}
    if txn.get_database_backend() == DbBackend::Postgres {
        let sql = "select id from bank_statement_line where id = $1 for no key update";
        db::row::<Locked>(txn, sql, [id.into()]).await?;
    }
    Ok(())
}

/// Whether a payment stands for the line.
pub async fn is_matched(connection: &impl ConnectionTrait, line_id: Uuid) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {}
    let sql = "select id from bank_statement_match where line_id = $1 and reversed_at is null";
    Ok(db::row::<Row>(connection, sql, [line_id.into()]).await?.is_some())
}

/// The institutions of a county by their ids, with their names.
pub async fn institutions(
    connection: &impl ConnectionTrait,
    county_code: &str,
) -> Result<BTreeMap<Uuid, String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
    }
    let sql = format!(
        "select id, name from institution where county_code = $1 order by id limit {INSTITUTIONS_MAX}"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, [county_code.into()]).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// Which institutions paid from which account so far, by its fingerprint.
pub async fn known_payers(
    connection: &impl ConnectionTrait,
    county_code: &str,
    fingerprints: &BTreeSet<String>,
) -> Result<HashMap<String, BTreeSet<Uuid>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        fingerprint: String,
        institution_id: Uuid,
    }
    let set = db::set_rows(connection.get_database_backend(), "$1", &[("fingerprint", ColumnType::Text)]);
    let sql = format!(
        "select distinct wanted.fingerprint, payment.institution_id
         from ({set}) wanted
         join bank_statement_line line
           on line.county_code = $2 and line.payer_account_fingerprint = wanted.fingerprint
         join bank_statement_match known on known.line_id = line.id and known.reversed_at is null
         join payment on payment.id = known.payment_id"
    );
    let wanted = fingerprints.iter().map(|one| vec![json!(one)]).collect();
    let rows: Vec<Row> = db::rows(connection, &sql, [db::set_parameter(wanted), county_code.into()]).await?;
    let mut payers: HashMap<String, BTreeSet<Uuid>> = HashMap::new();
    for row in rows {
        payers.entry(row.fingerprint).or_default().insert(row.institution_id);
    }
    Ok(payers)
}

#[derive(FromQueryResult)]
struct NamedRow {
    wanted: String,
    institution_id: Uuid,
    settlement_id: Option<Uuid>,
    settlement_number: Option<String>,
    open_fen: i64,
    ahead_fen: Option<i64>,
}

/// What numbers of orders and settlements of a county stand for; those that stand for nothing are left out. Something is
/// to be paid ahead for a prepaid order that is confirmed and of which nothing is settled.
pub async fn named(
    connection: &impl ConnectionTrait,
    county_code: &str,
    numbers: &BTreeSet<String>,
) -> Result<HashMap<String, Named>, DbErr> {
    let set = db::set_rows(connection.get_database_backend(), "$1", &[("number", ColumnType::Text)]);
    let sql = format!(
        "with wanted as ({set})
         select wanted.number as wanted, o.institution_id, s.id as settlement_id, s.number as settlement_number,
                coalesce(s.amount_fen + s.fee_fen - s.received_fen - s.fee_received_fen, 0) as open_fen,
                case when o.payment_mode = 'prepaid' and o.state = 'confirmed' and s.id is null
                     then o.amount_fen end as ahead_fen
         from wanted join purchase_order o on o.number = wanted.number
         left join settlement s on s.order_id = o.id where o.county_code = $2
         union all
         select wanted.number, s.institution_id, s.id, s.number,
                s.amount_fen + s.fee_fen - s.received_fen - s.fee_received_fen, null
         from wanted join settlement s on s.number = wanted.number where s.county_code = $2
         order by 1, 3"
    );
    let wanted = numbers.iter().map(|number| vec![json!(number)]).collect();
    let rows: Vec<NamedRow> =
        db::rows(connection, &sql, [db::set_parameter(wanted), county_code.into()]).await?;
    let mut found: HashMap<String, Named> = HashMap::new();
    for row in rows {
        let named = found.entry(row.wanted.clone()).or_insert_with(|| Named {
            number: row.wanted,
            institution_id: row.institution_id,
            debts: Vec::new(),
            ahead: row.ahead_fen.map(Fen::new),
        });
        let debt = row.settlement_id.zip(row.settlement_number).filter(|_| row.open_fen > 0);
        named.debts.extend(debt.map(|(settlement_id, number)| Debt {
            settlement_id,
            number,
            open: Fen::new(row.open_fen),
        }));
    }
    Ok(found)
}

/// The oldest debts of some institutions, [`SUMMED_MAX`] of each at most, the oldest first.
pub async fn oldest_debts(
    connection: &impl ConnectionTrait,
    institution_ids: &BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, Vec<Debt>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        institution_id: Uuid,
        id: Uuid,
        number: String,
        open_fen: i64,
    }
    let sql = format!(
        "select institution_id, id, number, open_fen from (
             select institution_id, id, number, settled_on,
                    amount_fen + fee_fen - received_fen - fee_received_fen as open_fen,
                    row_number() over (partition by institution_id order by settled_on, id) as place
             from settlement where received_fen + fee_received_fen < amount_fen + fee_fen and {}
         ) as debt where place <= {SUMMED_MAX} order by settled_on, id",
        db::in_ids(connection.get_database_backend(), "institution_id", "$1")
    );
    let ids = institution_ids.iter().map(|id| vec![db::set_id(*id)]).collect();
    let rows: Vec<Row> = db::rows(connection, &sql, [db::set_parameter(ids)]).await?;
    let mut debts: HashMap<Uuid, Vec<Debt>> = HashMap::new();
    for row in rows {
        let debt = Debt { settlement_id: row.id, number: row.number, open: Fen::new(row.open_fen) };
        debts.entry(row.institution_id).or_default().push(debt);
    }
    Ok(debts)
}

/// The institutions of a county that owe exactly an amount for one of their settlements.
pub async fn owing_exactly(
    connection: &impl ConnectionTrait,
    county_code: &str,
    amount: Fen,
) -> Result<Vec<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        institution_id: Uuid,
    }
    let sql = format!(
        "select distinct institution_id from settlement
         where county_code = $1 and received_fen + fee_received_fen < amount_fen + fee_fen
           and amount_fen + fee_fen - received_fen - fee_received_fen = $2
         order by institution_id limit {DEBTS_MAX}"
    );
    let rows: Vec<Row> = db::rows(connection, &sql, [county_code.into(), amount.get().into()]).await?;
    Ok(rows.into_iter().map(|row| row.institution_id).collect())
}

/// A note that says what a line is that is no payment.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub id: Uuid,
    pub county_code: String,
    pub line_id: Uuid,
    pub note: String,
    pub explained_by: Uuid,
    pub explained_at: DateTime<Utc>,
}

pub async fn insert_explanation(txn: &WriteTxn, new: &Explanation) -> Result<(), DbErr> {
    let sql =
        "insert into bank_statement_explanation (id, county_code, line_id, note, explained_by, explained_at)
               values ($1, $2, $3, $4, $5, $6)";
    let values: [sea_orm::Value; 6] = [
        new.id.into(),
        new.county_code.clone().into(),
        new.line_id.into(),
        new.note.clone().into(),
        new.explained_by.into(),
        new.explained_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}
