//! Numbers people read aloud, such as `PO-341823-2026-000123`. Order numbers are handed out from blocks and may leave
//! gaps; numbers of papers come from the transaction that issues the paper and leave none.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use sea_orm::FromQueryResult;
use tokio::sync::Mutex;

use crate::db::{self, Db, WriteTxn};
use crate::refusal::{Failure, Outcome};

/// How many order numbers a process takes at once: few enough that a restart leaves small gaps.
pub const BLOCK: i64 = 50;

/// The series of numbers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    PurchaseOrder,
    Delivery,
    Settlement,
    Payment,
    DepositUse,
    PayoutBatch,
    SettlementStatement,
    MonthlyStatement,
    PaymentSlip,
}

/// The blocks this process holds.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Arc<Mutex<HashMap<String, Block>>>);

#[derive(Debug)]
struct Block {
    next: i64,
    last: i64,
}

impl Series {
    const fn prefix(self) -> &'static str {
        match self {
            Self::PurchaseOrder => "PO",
            Self::Delivery => "DN",
            Self::Settlement => "ST",
            Self::Payment => "PM",
            Self::DepositUse => "DU",
            Self::PayoutBatch => "PB",
            Self::SettlementStatement => "SS",
            Self::MonthlyStatement => "MS",
            Self::PaymentSlip => "PS",
        }
    }

    fn name(self, county_code: &str, day: NaiveDate) -> String {
        format!("{}-{county_code}-{}", self.prefix(), day.year())
    }
}

impl Numbers {
    /// The next number of a series that may leave gaps. Takes a block in a transaction of its own when it runs out,
    /// so that orders do not wait for each other on one counter.
    pub async fn next(&self, db: &Db, series: Series, county_code: &str, day: NaiveDate) -> Outcome<String> {
        let name = series.name(county_code, day);
        let mut blocks = self.0.lock().await;
        let block = blocks.entry(name.clone()).or_insert(Block { next: 1, last: 0 });
        if block.next > block.last {
            let taken = db.write(|| async {
                let txn = db.begin().await?;
                let last = advance(&txn, &name, BLOCK).await?;
                txn.commit(last).await
            });
            let last = taken.await?;
            *block = Block { next: last - BLOCK + 1, last };
        }
        let number = block.next;
        block.next += 1;
        Ok(format!("{name}-{number:06}"))
    }
}

/// The next number of a paper, gap-free: it is taken by `txn` and returned when `txn` rolls back.
pub async fn next_of_paper(
    txn: &WriteTxn,
    series: Series,
    county_code: &str,
    day: NaiveDate,
) -> Outcome<String> {
    let name = series.name(county_code, day);
    let number = advance(txn, &name, 1).await?;
    Ok(format!("{name}-{number:06}"))
}

async fn advance(txn: &WriteTxn, name: &str, by: i64) -> Outcome<i64> {
    #[derive(FromQueryResult)]
    struct Value {
        value: i64,
    }
    let sql = "insert into counter (name, value) values ($1, $2)
               on conflict (name) do update set value = counter.value + excluded.value returning value";
    let row: Option<Value> = db::row(txn, sql, [name.into(), by.into()]).await?;
    row.map(|row| row.value).ok_or_else(|| Failure::Broken("a counter answered no value".to_owned()))
}
