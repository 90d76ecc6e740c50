//! SQL of deposits and their uses. The state of a use changes only where its `WHERE` says from what.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::{Reversal, UseView};
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::RegionScope;
use crate::money::Fen;

const COLUMNS: &str =
    "used.id, used.county_code, used.number, used.institution_id, used.order_id, used.amount_fen,
    used.used_on, used.used_by, used.entry_id, used.created_at, used.reversed_by, used.reversed_at,
    used.reversal_reason";

#[derive(FromQueryResult)]
struct UseRow {
    id: Uuid,
    county_code: String,
    number: String,
    institution_id: Uuid,
    order_id: Option<Uuid>,
    amount_fen: i64,
    used_on: NaiveDate,
    used_by: Option<Uuid>,
    entry_id: Uuid,
    created_at: DateTime<Utc>,
    reversed_by: Option<Uuid>,
    reversed_at: Option<DateTime<Utc>>,
    reversal_reason: Option<String>,
}

impl From<UseRow> for UseView {
    fn from(row: UseRow) -> Self {
        let reversal = row.reversed_by.zip(row.reversed_at).zip(row.reversal_reason);
        Self {
            id: row.id,
            county_code: row.county_code,
            number: row.number,
            institution_id: row.institution_id,
            order_id: row.order_id,
            amount: Fen::new(row.amount_fen),
            used_on: row.used_on,
            used_by: row.used_by,
            entry_id: row.entry_id,
            created_at: row.created_at,
            reversal: reversal.map(|((by, at), reason)| Reversal { by, at, reason }),
        }
    }
}

/// Credit is negative in the ledger: a deposit of 5.00 is a balance of -5.00 there.
pub async fn balance(connection: &impl ConnectionTrait, institution_id: Uuid) -> Result<Fen, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        balance_fen: i64,
    }
    let sql = "select account.balance_fen from institution join ledger_account account
               on account.county_code = institution.county_code and account.kind = 'deposit'
                  and account.owner_id = institution.id
               where institution.id = $1";
    let row: Option<Row> = db::row(connection, sql, [institution_id.into()]).await?;
    Ok(row.map_or(Fen::ZERO, |row| Fen::new(row.balance_fen).negated()))
}

pub async fn insert(txn: &WriteTxn, used: &UseView) -> Result<(), DbErr> {
    let sql = "insert into deposit_use (id, county_code, number, institution_id, order_id, amount_fen, used_on, state,
                                        used_by, entry_id, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, 'recorded', $8, $9, $10)";
    let values: [Value; 10] = [
        used.id.into(),
        used.county_code.clone().into(),
        used.number.clone().into(),
        used.institution_id.into(),
        used.order_id.into(),
        used.amount.get().into(),
        used.used_on.into(),
        used.used_by.into(),
        used.entry_id.into(),
        used.created_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// A use of the deposit of an institution of the region, locked.
pub async fn lock_use(txn: &WriteTxn, region: &RegionScope, id: Uuid) -> Result<Option<UseView>, DbErr> {
    let lock = if txn.get_database_backend() == DbBackend::Postgres { "for update of used" } else { "" };
    let sql = format!(
        "select {COLUMNS} from deposit_use used join institution on institution.id = used.institution_id
         where used.id = $1 and institution.region_code >= $2 and institution.region_code < $3 {lock}"
    );
    let values = [id.into(), region.from.clone().into(), region.before.clone().into()];
    Ok(db::row::<UseRow>(txn, &sql, values).await?.map(UseView::from))
}

/// Marks a recorded use as reversed; `false` when it was not recorded any more.
pub async fn reverse(txn: &WriteTxn, id: Uuid, reversal: &Reversal) -> Result<bool, DbErr> {
    let sql = "update deposit_use
               set state = 'reversed', reversed_by = $2, reversed_at = $3, reversal_reason = $4
               where id = $1 and state = 'recorded'";
    let values = [id.into(), reversal.by.into(), reversal.at.into(), reversal.reason.clone().into()];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    request: PageRequest,
) -> Result<Vec<UseView>, DbErr> {
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![institution_id.into(), limit.into()];
    let mut before = "";
    if let Some(cursor) = request.before {
        values.push(cursor.into());
        before = "and used.id < $3";
    }
    let sql = format!(
        "select {COLUMNS} from deposit_use used where used.institution_id = $1 {before}
         order by used.id desc limit $2"
    );
    Ok(db::rows::<UseRow>(connection, &sql, values).await?.into_iter().map(UseView::from).collect())
}
