//! SQL of the reconciliation: statements of a county's accounts, their lines, and what moved its escrow account.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use super::rules::Item;
use super::{Account, ITEMS_MAX};
use crate::audit::dialect::sum;
use crate::db::{self, ColumnType};
use crate::members::access::CountyScope;
use crate::money::Fen;

/// The accounts of counties that have a statement in CNY with a closing balance by a day, each with the newest.
pub async fn accounts(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    as_of: NaiveDate,
) -> Result<Vec<Account>, DbErr> {
    let sql = "select county_code, statement_id, account, masked, first_on, to_on, closing_fen from (
                   select county_code, id as statement_id, coalesce(account_fingerprint, '') as account,
                          account_masked as masked, to_on, closing_minor as closing_fen,
                          min(from_on) over (partition by county_code, coalesce(account_fingerprint, '')) as first_on,
                          row_number() over (partition by county_code, coalesce(account_fingerprint, '')
                                             order by to_on desc, id desc) as place
                   from bank_statement
                   where currency = 'CNY' and closing_currency = 'CNY' and to_on <= $3
                     and county_code >= $1 and county_code < $2) newest
               where place = 1 order by county_code, account";
    let values = [counties.from.clone().into(), counties.before.clone().into(), as_of.into()];
    db::rows(connection, sql, values).await
}

/// What a county's escrow account held at the end of a day.
pub async fn escrow(
    connection: &impl ConnectionTrait,
    county_code: &str,
    as_of: NaiveDate,
) -> Result<Fen, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        held_fen: i64,
    }
    let sql = format!(
        "select {} as held_fen from ledger_posting posting
         join ledger_account account on account.id = posting.account_id
         where account.county_code = $1 and account.kind = 'escrow' and posting.occurred_on <= $2",
        sum("posting.amount_fen")
    );
    let row: Option<Row> = db::row(connection, &sql, [county_code.into(), as_of.into()]).await?;
    Ok(row.map_or(Fen::ZERO, |row| Fen::new(row.held_fen)))
}

#[derive(FromQueryResult)]
struct ItemRow {
    id: Uuid,
    day: NaiveDate,
    amount_fen: i64,
    told: String,
}

impl From<ItemRow> for Item {
    fn from(row: ItemRow) -> Self {
        Self { id: row.id, day: row.day, amount: Fen::new(row.amount_fen), told: row.told }
    }
}

/// The lines of a county's accounts in CNY from a day to a day, one more than [`ITEMS_MAX`] when there are too many.
pub async fn lines(
    connection: &impl ConnectionTrait,
    county_code: &str,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<Item>, DbErr> {
    // Accounts without any closing balance are not compared, so neither are their lines.
    let sql = "select line.id, line.booked_on as day, line.amount_minor as amount_fen,
                      coalesce(nullif(line.remark, ''), line.payer_name, '') as told
               from bank_statement_line line join bank_statement told on told.id = line.statement_id
               where line.county_code = $1 and line.currency = 'CNY' and line.amount_minor <> 0
                 and line.booked_on >= $2 and line.booked_on <= $3
                 and exists (select 1 from bank_statement closed
                             where closed.county_code = $1 and closed.closing_currency = 'CNY' and closed.to_on <= $3
                               and coalesce(closed.account_fingerprint, '') = coalesce(told.account_fingerprint, ''))
               order by line.booked_on, line.id limit $4";
    let values = [county_code.into(), from.into(), to.into(), limit()];
    let rows: Vec<ItemRow> = db::rows(connection, sql, values).await?;
    Ok(rows.into_iter().map(Item::from).collect())
}

/// What moved a county's escrow account from a day to a day. An entry and the one that reverses it leave nothing to
/// find at the bank when both lie in between.
pub async fn moves(
    connection: &impl ConnectionTrait,
    county_code: &str,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<Item>, DbErr> {
    let sql = "select entry.id, entry.occurred_on as day, posting.amount_fen,
                      coalesce(payment.number, batch.number, entry.kind) as told
               from ledger_account account
               join ledger_posting posting on posting.account_id = account.id
                    and posting.occurred_on >= $2 and posting.occurred_on <= $3
               join ledger_entry entry on entry.id = posting.entry_id
               left join ledger_entry original on original.id = entry.reverses_id
               left join ledger_entry reversal on reversal.reverses_id = entry.id
               left join payment on entry.source_kind = 'payment' and payment.id = entry.source_id
               left join payout_batch batch on entry.source_kind = 'payout_batch' and batch.id = entry.source_id
               where account.county_code = $1 and account.kind = 'escrow'
                 and (original.id is null or original.occurred_on < $2)
                 and (reversal.id is null or reversal.occurred_on > $3)
               order by entry.occurred_on, entry.id limit $4";
    let values = [county_code.into(), from.into(), to.into(), limit()];
    let rows: Vec<ItemRow> = db::rows(connection, sql, values).await?;
    Ok(rows.into_iter().map(Item::from).collect())
}

/// The payouts that entries paid, each with its entry: a bank may tell of them one by one.
pub async fn payouts_of(
    connection: &impl ConnectionTrait,
    entry_ids: &[Uuid],
) -> Result<Vec<(Uuid, Item)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        entry_id: Uuid,
        id: Uuid,
        day: NaiveDate,
        amount_fen: i64,
        told: String,
    }
    let sql = format!(
        "select paid.result_entry_id as entry_id, paid.id, entry.occurred_on as day, -paid.amount_fen as amount_fen,
                batch.number as told
         from ({}) as wanted join ledger_entry entry on entry.id = wanted.id
         join payout_batch batch on batch.id = entry.source_id and entry.kind = 'payout_paid'
         join payout paid on paid.batch_id = batch.id and paid.result_entry_id = entry.id
         order by paid.id limit $2",
        db::set_rows(connection.get_database_backend(), "$1", &[("id", ColumnType::Uuid)])
    );
    let ids = db::set_parameter(entry_ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let rows: Vec<Row> = db::rows(connection, &sql, [ids, limit()]).await?;
    let item = |row: Row| {
        let Row { entry_id, id, day, amount_fen, told } = row;
        (entry_id, Item { id, day, amount: Fen::new(amount_fen), told })
    };
    Ok(rows.into_iter().map(item).collect())
}

/// Whether a person has closed a problem about this very difference with evidence.
pub async fn is_explained(connection: &impl ConnectionTrait, case_key: &str) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {}
    let sql = "select id from problem
               where rule = 'bank_balance_differs' and case_key = $1 and closed_by is not null limit 1";
    Ok(db::row::<Row>(connection, sql, [case_key.into()]).await?.is_some())
}

fn limit() -> sea_orm::Value {
    i64::try_from(ITEMS_MAX).unwrap_or(i64::MAX).saturating_add(1).into()
}
