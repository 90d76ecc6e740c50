//! SQL of payments. The state of a payment changes only where its `WHERE` says from what.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::PaymentView;
use super::matches::Match;
use super::rules::State;
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::RegionScope;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome};
use crate::settlement::deposits::Reversal;

const COLUMNS: &str = "payment.id, payment.county_code, payment.number, payment.institution_id,
    institution.name as institution_name, payment.amount_fen, payment.deposited_fen, payment.received_on,
    payment.reference, payment.state, payment.recorded_by, payment.entry_id, payment.created_at,
    payment.reversed_by, payment.reversed_at, payment.reversal_reason";

/// Stands in `recorded_by`, which is never null, when the service booked a payment by itself.
const BY_ITSELF: Uuid = Uuid::nil();

/// Who pays, and in which county.
#[derive(Debug, FromQueryResult)]
pub struct Payer {
    pub id: Uuid,
    pub county_code: String,
    pub name: String,
}

#[derive(Debug, FromQueryResult)]
pub struct PaymentRow {
    id: Uuid,
    county_code: String,
    number: String,
    institution_id: Uuid,
    institution_name: String,
    amount_fen: i64,
    deposited_fen: i64,
    received_on: NaiveDate,
    reference: String,
    state: String,
    recorded_by: Uuid,
    entry_id: Uuid,
    created_at: DateTime<Utc>,
    reversed_by: Option<Uuid>,
    reversed_at: Option<DateTime<Utc>>,
    reversal_reason: Option<String>,
}

/// Whose payments are listed.
#[derive(Clone, Debug)]
pub enum Payers {
    /// Institutions of a region.
    In(RegionScope),
    One(Uuid),
}

impl TryFrom<PaymentRow> for PaymentView {
    type Error = Failure;

    fn try_from(row: PaymentRow) -> Outcome<Self> {
        let state = State::parse(&row.state)
            .ok_or_else(|| Failure::Broken(format!("unknown payment state {}", row.state)))?;
        let reversal = row.reversed_by.zip(row.reversed_at).zip(row.reversal_reason);
        Ok(Self {
            id: row.id,
            county_code: row.county_code,
            number: row.number,
            institution_id: row.institution_id,
            institution_name: row.institution_name,
            amount: Fen::new(row.amount_fen),
            deposited: Fen::new(row.deposited_fen),
            received_on: row.received_on,
            reference: row.reference,
            state,
            recorded_by: Some(row.recorded_by).filter(|by| *by != BY_ITSELF),
            entry_id: row.entry_id,
            created_at: row.created_at,
            reversal: reversal.map(|((by, at), reason)| Reversal { by, at, reason }),
        })
    }
}

pub async fn find_payer(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    institution_id: Uuid,
) -> Result<Option<Payer>, DbErr> {
    let sql = "select id, county_code, name from institution
               where id = $1 and region_code >= $2 and region_code < $3";
    let values = [institution_id.into(), region.from.clone().into(), region.before.clone().into()];
    db::row(connection, sql, values).await
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    payers: &Payers,
    institution_id: Option<Uuid>,
    request: PageRequest,
) -> Result<Vec<PaymentRow>, DbErr> {
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![limit.into()];
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let mut conditions = match payers {
        Payers::In(region) => vec![
            format!("institution.region_code >= {}", bind(region.from.clone().into())),
            format!("institution.region_code < {}", bind(region.before.clone().into())),
        ],
        Payers::One(id) => vec![format!("payment.institution_id = {}", bind((*id).into()))],
    };
    if let Some(id) = institution_id {
        conditions.push(format!("payment.institution_id = {}", bind(id.into())));
    }
    if let Some(before) = request.before {
        conditions.push(format!("payment.id < {}", bind(before.into())));
    }
    let conditions = conditions.join(" and ");
    let sql = format!(
        "select {COLUMNS} from payment join institution on institution.id = payment.institution_id
         where {conditions} order by payment.id desc limit $1"
    );
    db::rows(connection, &sql, values).await
}

/// A payment of an institution of the region, locked.
pub async fn lock(txn: &WriteTxn, region: &RegionScope, id: Uuid) -> Result<Option<PaymentRow>, DbErr> {
    let lock = if txn.get_database_backend() == DbBackend::Postgres { "for update of payment" } else { "" };
    let sql = format!(
        "select {COLUMNS} from payment join institution on institution.id = payment.institution_id
         where payment.id = $1 and institution.region_code >= $2 and institution.region_code < $3 {lock}"
    );
    let values = [id.into(), region.from.clone().into(), region.before.clone().into()];
    db::row(txn, &sql, values).await
}

pub async fn insert(txn: &WriteTxn, payment: &PaymentView) -> Result<(), DbErr> {
    let sql = "insert into payment (id, county_code, number, institution_id, amount_fen, deposited_fen, received_on,
                                    reference, state, recorded_by, entry_id, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values: [Value; 12] = [
        payment.id.into(),
        payment.county_code.clone().into(),
        payment.number.clone().into(),
        payment.institution_id.into(),
        payment.amount.get().into(),
        payment.deposited.get().into(),
        payment.received_on.into(),
        payment.reference.clone().into(),
        payment.state.as_str().into(),
        payment.recorded_by.unwrap_or(BY_ITSELF).into(),
        payment.entry_id.into(),
        payment.created_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// Marks a recorded payment as reversed; `false` when it was not recorded any more.
pub async fn reverse(txn: &WriteTxn, id: Uuid, reversal: &Reversal) -> Result<bool, DbErr> {
    let sql =
        "update payment set state = 'reversed', reversed_by = $2, reversed_at = $3, reversal_reason = $4
               where id = $1 and state = 'recorded'";
    let values = [id.into(), reversal.by.into(), reversal.at.into(), reversal.reason.clone().into()];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// A line that has a standing match already is refused by the index.
pub async fn insert_match(txn: &WriteTxn, new: &Match) -> Result<(), DbErr> {
    let sql = "insert into bank_statement_match (id, county_code, line_id, payment_id, kind, matched_by, matched_at)
               values ($1, $2, $3, $4, $5, $6, $7)";
    let values: [Value; 7] = [
        new.id.into(),
        new.county_code.clone().into(),
        new.line.line_id.into(),
        new.payment_id.into(),
        new.line.kind.as_str().into(),
        new.matched_by.into(),
        new.matched_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// Ends the standing match of a payment and answers which that was.
pub async fn end_match(txn: &WriteTxn, payment_id: Uuid, now: DateTime<Utc>) -> Result<Option<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let sql = "update bank_statement_match set reversed_at = $2 where payment_id = $1 and reversed_at is null
               returning id";
    Ok(db::row::<Row>(txn, sql, [payment_id.into(), now.into()]).await?.map(|row| row.id))
}
