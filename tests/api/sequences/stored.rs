//! What the database says of one county, in the words of the model.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sea_orm::FromQueryResult;
use uuid::Uuid;
use zhuxiao::app::App;
use zhuxiao::db;

use super::model::{Balances, Bank, Line, Model, Parts, sum};

/// Lines, payments and payouts as text, so that a difference can be read.
pub type Facts = BTreeMap<String, String>;

#[derive(FromQueryResult)]
struct LineRow {
    id: Uuid,
    settlement_id: Uuid,
    institution_id: Uuid,
    household_id: Uuid,
    sold_on: NaiveDate,
    amount_fen: i64,
    received_fen: i64,
    paid_out_fen: i64,
    allocation_id: Uuid,
}

/// The lines of a settlement, each with its allocation.
pub async fn lines_of(app: &App, settlement: Uuid) -> Vec<(Uuid, Line)> {
    let rows = line_rows(app, "settlement_id = $1", settlement.into()).await;
    rows.into_iter().map(|row| (row.allocation_id, line(&row))).collect()
}

async fn line_rows(app: &App, condition: &str, value: sea_orm::Value) -> Vec<LineRow> {
    let sql = format!(
        "select id, settlement_id, institution_id, household_id, sold_on, amount_fen, received_fen, paid_out_fen,
                allocation_id
         from settlement_line where {condition}"
    );
    db::rows(app.db.reader(), &sql, [value]).await.unwrap()
}

fn line(row: &LineRow) -> Line {
    Line {
        id: row.id,
        settlement: row.settlement_id,
        institution: row.institution_id,
        household: row.household_id,
        sold_on: row.sold_on,
        amount: row.amount_fen,
        received: row.received_fen,
        paid_out: row.paid_out_fen,
    }
}

/// The payouts of a batch: id, household and parts.
pub async fn payouts_of(app: &App, batch: Uuid) -> Vec<(Uuid, Uuid, Parts)> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        household_id: Uuid,
        settlement_line_id: Uuid,
        amount_fen: i64,
    }
    let sql = "select payout.id, payout.household_id, part.settlement_line_id, part.amount_fen
               from payout join payout_part part on part.payout_id = payout.id where payout.batch_id = $1";
    let rows: Vec<Row> = db::rows(app.db.reader(), sql, [batch.into()]).await.unwrap();
    let mut payouts: BTreeMap<(Uuid, Uuid), Parts> = BTreeMap::new();
    for row in rows {
        let parts = payouts.entry((row.id, row.household_id)).or_default();
        parts.insert(row.settlement_line_id, row.amount_fen);
    }
    payouts.into_iter().map(|((id, household), parts)| (id, household, parts)).collect()
}

/// The use of a deposit by a prepaid order, and the settlement it paid.
pub async fn use_of(app: &App, order: Uuid) -> Option<(Uuid, Uuid)> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        settlement_id: Uuid,
    }
    let sql = "select used.id, part.settlement_id from deposit_use used
               join deposit_use_part part on part.deposit_use_id = used.id where used.order_id = $1 limit 1";
    let row: Option<Row> = db::row(app.db.reader(), sql, [order.into()]).await.unwrap();
    row.map(|row| (row.id, row.settlement_id))
}

pub async fn balances(app: &App, county: &str) -> Balances {
    #[derive(FromQueryResult)]
    struct Row {
        kind: String,
        owner_id: Option<Uuid>,
        balance_fen: i64,
    }
    let sql =
        "select kind, owner_id, balance_fen from ledger_account where county_code = $1 and balance_fen <> 0";
    let rows: Vec<Row> = db::rows(app.db.reader(), sql, [county.into()]).await.unwrap();
    rows.into_iter().map(|row| ((row.kind, row.owner_id), row.balance_fen)).collect()
}

/// Everything that the model knows too.
pub async fn facts(app: &App, county: &str) -> Facts {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        state: String,
        amount_fen: i64,
        more_fen: i64,
    }
    let mut facts = Facts::new();
    for row in line_rows(app, "county_code = $1", county.into()).await {
        facts.insert(format!("line {}", row.id), told_line(&line(&row)));
    }
    let payments =
        "select id, state, amount_fen, deposited_fen as more_fen from payment where county_code = $1";
    let uses = "select id, state, amount_fen, amount_fen as more_fen from deposit_use where county_code = $1";
    let payouts = "select id, amount_fen,
                          case when state = 'instructed' and unknown_since is not null then 'unknown'
                               when state = 'returned' and return_code <> 'other' and retry_allowed_at is null
                               then 'bounced' else state end as state,
                          (select cast(sum(amount_fen) as bigint) from payout_part where payout_id = payout.id) as more_fen
                   from payout where county_code = $1";
    for (kind, sql) in [("payment", payments), ("use", uses), ("payout", payouts)] {
        let rows: Vec<Row> = db::rows(app.db.reader(), sql, [county.into()]).await.unwrap();
        for row in rows {
            facts.insert(
                format!("{kind} {}", row.id),
                format!("{} {} {}", row.state, row.amount_fen, row.more_fen),
            );
        }
    }
    facts
}

/// The same, from the model.
pub fn expected(model: &Model) -> Facts {
    let mut facts = Facts::new();
    for line in model.lines.values() {
        facts.insert(format!("line {}", line.id), told_line(line));
    }
    for payment in &model.payments {
        let state = if payment.is_reversed { "reversed" } else { "recorded" };
        let told = format!("{state} {} {}", payment.amount, payment.deposited());
        facts.insert(format!("payment {}", payment.id), told);
    }
    for used in &model.uses {
        let state = if used.is_reversed { "reversed" } else { "recorded" };
        let amount = sum(&used.parts);
        facts.insert(format!("use {}", used.id), format!("{state} {amount} {amount}"));
    }
    for payout in &model.payouts {
        let state = match payout.bank {
            Bank::Drafted => "drafted",
            Bank::Instructed => "instructed",
            Bank::Unknown => "unknown",
            Bank::Paid => "paid",
            Bank::Returned => "returned",
            Bank::Bounced => "bounced",
        };
        let amount = sum(&payout.parts);
        facts.insert(format!("payout {}", payout.id), format!("{state} {amount} {amount}"));
    }
    facts
}

fn told_line(line: &Line) -> String {
    format!("amount {} received {} paid out {}", line.amount, line.received, line.paid_out)
}
