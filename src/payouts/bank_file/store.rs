//! SQL of files for the bank. Reads what was frozen, and nothing that changes later.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::db::{self, WriteTxn};

/// A payout and whom it goes to.
#[derive(FromQueryResult)]
pub struct PayeeRow {
    pub payout_id: Uuid,
    pub amount_fen: i64,
    pub name_sealed: String,
    pub account_sealed: String,
}

/// The next payouts of a batch behind one, in the order of their ids.
pub async fn payees_after(
    connection: &impl ConnectionTrait,
    batch_id: Uuid,
    after: Uuid,
    limit: usize,
) -> Result<Vec<PayeeRow>, DbErr> {
    let sql = "select payout.id as payout_id, payout.amount_fen, payee.name_sealed, payee.account_sealed
               from payout join payout_payee payee on payee.payout_id = payout.id
               where payout.batch_id = $1 and payout.id > $2 order by payout.id limit $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db::rows(connection, sql, [batch_id.into(), after.into(), limit.into()]).await
}

/// How many payouts of a batch have a payee.
pub async fn payee_count(txn: &WriteTxn, batch_id: Uuid) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        count: i64,
    }
    let sql = "select count(*) as count from payout join payout_payee payee on payee.payout_id = payout.id
               where payout.batch_id = $1";
    Ok(db::row::<Row>(txn, sql, [batch_id.into()]).await?.map_or(0, |row| row.count))
}
