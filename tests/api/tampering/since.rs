//! The specification of an audit of what was touched since a moment: it finds what a whole one finds about that, and
//! nothing that was not touched; and no event can be taken out of the trail of money unnoticed.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::json;
use uuid::Uuid;
use zhuxiao::audit::{self, Finding};
use zhuxiao::cli::demo::{self, Progress, Wanted};
use zhuxiao::members::access::Role;

use super::{change, key_columns, rows};
use crate::support::World;
use crate::support::builders::drop_guards;
use crate::support::purse::Purse;

/// Where a figure stands, and which of its rows were touched: by their own time or that of what they belong to.
pub const FIGURES: [(&str, &str, &str); 21] = [
    ("purchase_order", "amount_fen", "placed_at >= $1"),
    ("order_line", "quantity_base", "order_id in (select id from purchase_order where placed_at >= $1)"),
    ("allocation", "amount_fen", "order_id in (select id from purchase_order where placed_at >= $1)"),
    ("allocation", "quantity_base", "order_id in (select id from purchase_order where placed_at >= $1)"),
    ("lot", "offered_base", "created_at >= $1"),
    (
        "lot",
        "delivered_base",
        "id in (select a.lot_id from allocation a join delivery_line l on l.allocation_id = a.id
                join acceptance c on c.delivery_id = l.delivery_id where c.created_at >= $1)",
    ),
    (
        "delivery_line",
        "dispatched_base",
        "delivery_id in (select id from delivery where dispatched_at >= $1)",
    ),
    (
        "delivery_line",
        "accepted_base",
        "accepted_base is not null
         and delivery_id in (select delivery_id from acceptance where created_at >= $1)",
    ),
    ("settlement", "amount_fen", "created_at >= $1"),
    ("settlement", "fee_fen", "created_at >= $1"),
    (
        "settlement",
        "received_fen",
        "id in (select part.settlement_id from payment_part part join payment p on p.id = part.payment_id
                where p.created_at >= $1)",
    ),
    ("settlement_line", "price_fen", "settlement_id in (select id from settlement where created_at >= $1)"),
    (
        "settlement_line",
        "paid_out_fen",
        "id in (select part.settlement_line_id from payout_part part join payout p on p.id = part.payout_id
                join payout_batch b on b.id = p.batch_id where b.made_at >= $1)",
    ),
    ("payment", "amount_fen", "created_at >= $1"),
    ("payment_part", "amount_fen", "payment_id in (select id from payment where created_at >= $1)"),
    ("payout_batch", "amount_fen", "made_at >= $1"),
    ("payout", "amount_fen", "batch_id in (select id from payout_batch where executed_at >= $1)"),
    (
        "payout_part",
        "amount_fen",
        "payout_id in (select p.id from payout p join payout_batch b on b.id = p.batch_id where b.made_at >= $1)",
    ),
    ("ledger_posting", "amount_fen", "entry_id in (select id from ledger_entry where created_at >= $1)"),
    (
        "ledger_account",
        "balance_fen",
        "id in (select p.account_id from ledger_posting p join ledger_entry e on e.id = p.entry_id
                where e.created_at >= $1)",
    ),
    ("product", "pack_base", "created_at >= $1"),
];

pub async fn since(world: &World, since: DateTime<Utc>) -> Vec<Finding> {
    audit::verify_with(world.app.db.reader(), Some(since), |_, _| {}).await.unwrap().findings
}

/// The ids of the rows of a table that a condition about a moment holds for.
pub async fn touched(
    connection: &DatabaseConnection,
    table: &str,
    condition: &str,
    at: DateTime<Utc>,
) -> Vec<String> {
    let keys = key_columns(table);
    let sql = format!("select {} from {table} where {condition}", keys.join(", "));
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [at.into()]);
    let found = connection.query_all_raw(statement).await.unwrap();
    let told = |row: &sea_orm::QueryResult| {
        let parts = keys.iter().map(|key| match *key {
            "line_no" => row.try_get::<i64>("", key).unwrap().to_string(),
            _ => row.try_get::<Uuid>("", key).unwrap().to_string(),
        });
        parts.collect::<Vec<_>>().join("/")
    };
    found.iter().map(told).collect()
}

/// A sequence of numbers that a seed begins.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[tokio::test]
async fn an_audit_since_a_moment_finds_what_a_whole_one_finds_about_what_was_touched_since() {
    let seed: u64 = std::env::var("ZHUXIAO_TEST_SEED").map_or(20_270_301, |text| text.parse().unwrap());
    let world = World::new().await;
    let wanted = Wanted { seed: 7, households: 60, orders: 24 };
    let facts = demo::prepare(&world.app.settings, wanted, Progress::silent()).await.unwrap().summary.facts;
    let moment: DateTime<Utc> = format!("{}-08-01T00:00:00Z", facts.year).parse().unwrap();
    assert_eq!(since(&world, moment).await, Vec::new());
    let connection = Database::connect(world.database_url()).await.unwrap();
    drop_guards(&connection).await;
    let mut dice = Dice(seed);
    let (mut found_of, mut untouched) = (0, 0);
    for (table, column, condition) in FIGURES {
        let recent = touched(&connection, table, condition, moment).await;
        let all = rows(&connection, table, column).await;
        // The catalogue is made on the first day.
        assert!(table == "product" || !recent.is_empty() && recent.len() < all.len(), "{table} {column}");
        for _ in 0..4 {
            let row = &all[dice.below(all.len())];
            let by = if dice.below(2) == 0 { 1 } else { -1 };
            if !change(&connection, table, column, row, by).await {
                continue;
            }
            let whole = audit::verify(world.app.db.reader()).await.unwrap();
            let part = since(&world, moment).await;
            let who = format!("seed {seed}: {table} {} {column} {by:+}", row.told);
            assert!(part.iter().all(|finding| whole.contains(finding)), "{who}: {part:#?} of {whole:#?}");
            if recent.contains(&row.told) {
                assert!(whole.iter().any(|found| found.table == table && found.row_id == row.told), "{who}");
                assert_eq!(part, whole, "{who}");
                found_of += 1;
            } else if part.len() < whole.len() {
                untouched += 1;
            }
            assert!(change(&connection, table, column, row, -by).await);
        }
    }
    assert!(found_of > 5, "seed {seed}: {found_of} changes were of touched rows");
    assert!(untouched > 5, "seed {seed}: only {untouched} changes of old rows were left to a whole audit");
}

/// Settled, paid, reversed, paid again, paid out with one returned: the trail of it without any one of its events is
/// found wanting.
#[tokio::test]
async fn no_event_about_money_can_be_taken_out_of_the_trail_unnoticed() {
    let purse = Purse::open().await;
    let households = purse.households(2).await;
    purse.sold(&[(households[0], 700), (households[1], 300)]).await;
    let step = || purse.world.clock.advance(TimeDelta::seconds(1));
    let first = purse.pay("10.00").await;
    step();
    let moment = purse.world.clock.now();
    purse.reverse(&first).await.ok();
    step();
    purse.pay("10.00").await;
    step();
    let up_to = json!({ "up_to": purse.world.clock.today() });
    let batch = purse.world.post(&purse.finance, "/v1/payout_batches", up_to).await.created();
    step();
    let path = format!("/v1/payout_batches/{}", batch["id"].as_str().unwrap());
    let second = purse.world.official(Role::Finance).await;
    purse.world.post(&second, &format!("{path}/approve"), json!(null)).await.ok();
    step();
    let payouts = purse.world.get(&purse.finance, &format!("{path}/payouts")).await.ok();
    let result = |at: usize, result: &str| {
        let reason = (result == "returned").then_some("wrong card");
        json!({ "payout_id": payouts["items"][at]["id"], "result": result, "reason": reason })
    };
    let results = json!({ "results": [result(0, "paid"), result(1, "returned")] });
    purse.world.post(&second, &format!("{path}/results"), results).await.ok();
    purse.audited().await;

    let connection = Database::connect(purse.world.database_url()).await.unwrap();
    let of_money = "subject_kind in ('settlement', 'payment', 'payout_batch', 'payout')";
    let events =
        touched(&connection, "audit_event", &format!("{of_money} and at >= $1"), DateTime::UNIX_EPOCH).await;
    assert_eq!(events.len(), 1 + 3 + 3 + 6, "{events:?}");
    let newer = touched(&connection, "audit_event", "at >= $1", moment).await;
    let is_money = |found: &Finding| {
        found.table == "audit_event"
            || ["payment", "payout", "settlement"].iter().any(|kind| found.table.starts_with(kind))
    };
    for event in events {
        let id: Uuid = event.parse().unwrap();
        purse
            .world
            .execute("create table kept as select * from audit_event where id = $1", vec![id.into()])
            .await;
        purse.world.tamper("delete from audit_event where id = $1", vec![id.into()]).await;
        let findings = audit::verify(purse.world.app.db.reader()).await.unwrap();
        assert!(findings.iter().any(is_money), "event {event} is not missed: {findings:#?}");
        if newer.contains(&event) {
            let findings = since(&purse.world, moment).await;
            assert!(findings.iter().any(is_money), "event {event} is not missed since: {findings:#?}");
        }
        purse.world.execute("insert into audit_event select * from kept", Vec::new()).await;
        purse.world.execute("drop table kept", Vec::new()).await;
    }
    purse.audited().await;
}
