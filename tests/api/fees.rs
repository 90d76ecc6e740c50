//! The specification of fees: set by finance from a day to come on, borne by the institution alone, paid last.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::db::Db;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::databases::TestDatabase;
use crate::support::purse::Purse;

fn figures(settlement: &Json) -> [&str; 5] {
    ["amount", "fee", "total", "received", "state"].map(|name| settlement[name].as_str().unwrap())
}

#[tokio::test]
async fn without_a_rate_there_is_no_fee() {
    let purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 10_000)]).await;
    assert_eq!(figures(&purse.settlement(settlement).await), ["100.00", "0.00", "100.00", "0.00", "open"]);
    assert_eq!(purse.balance("kind=fee").await, "0.00");
}

#[tokio::test]
async fn a_fee_is_owed_by_the_institution_on_top_rounded_once_per_settlement_and_by_no_household() {
    let purse = Purse::open().await.with_fee("1.5").await;
    let homes = purse.households(2).await;
    let settlement = purse.sold(&[(homes[0], 3_333), (homes[1], 3_367)]).await;
    let shown = purse.settlement(settlement).await;
    assert_eq!(figures(&shown), ["67.00", "1.01", "68.01", "0.00", "open"], "1.005 of it");
    let [_, _, _, receivable, _] = purse.balances().await;
    assert_eq!((receivable.as_str(), purse.balance("kind=fee").await.as_str()), ("68.01", "-1.01"));
    for (home, owed) in homes.iter().zip(["-33.33", "-33.67"]) {
        assert_eq!(purse.balance(&format!("kind=payable&owner_id={home}")).await, owed);
    }
    let household = purse.world.person(Role::Household, Place::Household(homes[0])).await;
    let own = purse.world.get(&household, &format!("/v1/settlements/{settlement}")).await.ok();
    assert_eq!(figures(&own), ["33.33", "0.00", "33.33", "0.00", "open"]);
    purse.audited().await;
}

#[tokio::test]
async fn households_come_before_the_fee_and_a_settlement_is_paid_when_both_are() {
    let purse = Purse::open().await.with_fee("2").await;
    let homes = purse.households(2).await;
    let first = purse.sold(&[(homes[0], 10_000)]).await;
    let second = purse.sold(&[(homes[1], 10_000)]).await;
    purse.pay("100.00").await;
    let shown = purse.settlement(first).await;
    assert_eq!(figures(&shown), ["100.00", "2.00", "102.00", "100.00", "part_paid"]);
    assert_eq!(
        (&shown["fee_received"], purse.received_and_paid_out(homes[0]).await.0),
        (&json!("0.00"), 10_000)
    );
    let listed = purse.world.get(&purse.finance, "/v1/settlements?state=part_paid").await.ok();
    assert_eq!(listed["items"][0]["id"], json!(first));
    purse.pay("51.00").await;
    let shown = purse.settlement(first).await;
    assert_eq!((figures(&shown)[4], &shown["fee_received"]), ("paid", &json!("2.00")));
    assert_eq!(figures(&purse.settlement(second).await)[3], "49.00");
    let last = purse.pay("60.00").await;
    assert_eq!((&last["settled"], &last["deposited"]), (&json!("53.00"), &json!("7.00")));
    assert_eq!(purse.balances().await, ["211.00", "0.00", "0.00", "0.00", "-7.00"]);
    purse.audited().await;
}

#[tokio::test]
async fn a_fee_that_was_paid_is_owed_again_when_the_payment_is_reversed() {
    let purse = Purse::open().await.with_fee("2").await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 10_000)]).await;
    let payment = purse.pay("101.50").await;
    assert_eq!(purse.settlement(settlement).await["fee_received"], "1.50");
    purse.reverse(&payment).await.ok();
    let shown = purse.settlement(settlement).await;
    assert_eq!((figures(&shown)[3], &shown["fee_received"]), ("0.00", &json!("0.00")));
    purse.pay("102.00").await;
    assert_eq!(figures(&purse.settlement(settlement).await)[4], "paid");
    purse.audited().await;
}

#[tokio::test]
async fn a_deposit_pays_the_fee_after_the_households_and_gets_it_back_with_the_rest() {
    let purse = Purse::open().await.with_fee("2").await;
    let home = purse.households(1).await[0];
    let mut ahead = purse.payment("101.25");
    ahead["as_deposit"] = json!(true);
    purse.world.post(&purse.finance, "/v1/payments", ahead).await.created();
    let settlement = purse.sold(&[(home, 10_000)]).await;
    let path = format!("/v1/institutions/{}/deposit/uses", purse.school);
    let used = purse.world.post(&purse.finance, &path, json!({})).await.created();
    assert_eq!(used["amount"], "101.25");
    let shown = purse.settlement(settlement).await;
    assert_eq!(figures(&shown), ["100.00", "2.00", "102.00", "101.25", "part_paid"]);
    assert_eq!((&shown["fee_received"], purse.received_and_paid_out(home).await.0), (&json!("1.25"), 10_000));
    assert_eq!(purse.balances().await, ["101.25", "0.00", "0.00", "0.75", "0.00"]);
    purse.audited().await;
    let path = format!("/v1/deposit_uses/{}/reverse", used["id"].as_str().unwrap());
    purse.world.post(&purse.finance, &path, json!({ "reason": "used for another" })).await.ok();
    let shown = purse.settlement(settlement).await;
    assert_eq!((figures(&shown)[3], &shown["fee_received"]), ("0.00", &json!("0.00")));
    assert_eq!(purse.balances().await, ["101.25", "0.00", "0.00", "102.00", "-101.25"]);
    purse.audited().await;
}

#[tokio::test]
async fn a_payout_takes_nothing_of_the_fee() {
    let purse = Purse::open().await.with_fee("2").await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    purse.pay("102.00").await;
    let up_to = json!({ "up_to": purse.world.clock.today() });
    let batch = purse.world.post(&purse.finance, "/v1/payout_batches", up_to).await.created();
    assert_eq!(batch["amount"], "100.00", "{batch}");
}

#[tokio::test]
async fn what_is_settled_keeps_its_fee_when_the_rate_changes() {
    let mut purse = Purse::open().await.with_fee("1").await;
    let home = purse.households(1).await[0];
    let before = purse.sold(&[(home, 10_000)]).await;
    let tomorrow = purse.world.clock.today().succ_opt().unwrap();
    for percent in ["3", "0.25"] {
        let rate = json!({ "from_on": tomorrow, "percent": percent, "source": "会议纪要" });
        purse.world.post(&purse.finance, "/v1/fee_rates", rate).await.created();
        purse.world.clock.advance(chrono::TimeDelta::seconds(1));
    }
    let same_day = purse.sold(&[(home, 10_000)]).await;
    purse.later(1).await;
    let after = purse.sold(&[(home, 10_000)]).await;
    for (settlement, fee) in [(before, "1.00"), (same_day, "1.00"), (after, "0.25")] {
        assert_eq!(purse.settlement(settlement).await["fee"], fee);
    }
    let listed = purse.world.get(&purse.finance, "/v1/fee_rates").await.ok();
    let percents: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|rate| rate["percent"].as_str().unwrap()).collect();
    assert_eq!(percents, ["0.25", "3.00", "1.00"]);
    purse.audited().await;
}

#[tokio::test]
async fn a_rate_that_is_none_or_begins_on_a_day_that_has_begun_is_refused_and_changes_nothing() {
    let purse = Purse::open().await;
    let rate = |from_on: &str, percent: &str, source: &str| json!({ "from_on": from_on, "percent": percent, "source": source });
    for (refused, pointer) in [
        (rate("2027-03-01", "1", "纪要"), "/from_on"),
        (rate("2029-03-03", "1", "纪要"), "/from_on"),
        (rate("2027-03-02", "10.0001", "纪要"), "/percent"),
        (rate("2027-03-02", "1.23456", "纪要"), "/percent"),
        (rate("2027-03-02", "-1", "纪要"), "/percent"),
        (rate("2027-03-02", "1", "  "), "/source"),
    ] {
        let problem =
            purse.world.post(&purse.finance, "/v1/fee_rates", refused).await.refused(422, "invalid_value");
        assert_eq!(problem["pointer"], pointer);
    }
    let listed = purse.world.get(&purse.finance, "/v1/fee_rates").await.ok();
    assert_eq!(listed["items"], json!([]));
    let township = purse.finance_of_the_other_township().await;
    let right = rate("2027-03-02", "1", "纪要");
    purse.world.post(&township, "/v1/fee_rates", right).await.refused(403, "not_allowed");
}

/// The table of accounts is rebuilt for the new kind on SQLite; what refers to it must go on doing so.
#[tokio::test]
async fn a_database_of_before_fees_keeps_its_ledger_and_takes_a_fee_account() {
    let database = TestDatabase::empty().await;
    let connection = Database::connect(&database.url).await.unwrap();
    let names: Vec<String> = Migrator::migrations().iter().map(|known| known.name().to_owned()).collect();
    let before = names.iter().position(|name| name == "m0019_payment_terms").unwrap();
    Migrator::up(&connection, Some(u32::try_from(before).unwrap())).await.unwrap();
    let (account, entry) = (Uuid::now_v7(), Uuid::now_v7());
    let is_postgres = database.url.starts_with("postgres");
    let id = |id: Uuid| {
        if is_postgres { format!("'{id}'::uuid") } else { format!("x'{}'", id.simple()) }
    };
    let now = "'2027-03-01T00:00:00.000000Z'";
    for sql in [
        format!("insert into ledger_account values ({}, '341823', 'escrow', null, 5, {now})", id(account)),
        format!(
            "insert into ledger_entry values ({}, '341823', 'payment', 'payment', {}, '2027-03-01', null, {now})",
            id(entry),
            id(entry)
        ),
        format!("insert into ledger_posting values ({}, 1, {}, '2027-03-01', 5)", id(entry), id(account)),
    ] {
        connection.execute_unprepared(&sql).await.unwrap();
    }
    Db::migrate(&database.url).await.unwrap();
    let fee = format!(
        "insert into ledger_account values ({}, '341823', 'fee', null, 0, {now})",
        id(Uuid::now_v7())
    );
    connection.execute_unprepared(&fee).await.unwrap();
    let posting = |line: u8, account: Uuid| {
        format!("insert into ledger_posting values ({}, {line}, {}, '2027-03-01', 1)", id(entry), id(account))
    };
    connection.execute_unprepared(&posting(2, account)).await.unwrap();
    let dangling = connection.execute_unprepared(&posting(3, Uuid::now_v7())).await.unwrap_err();
    assert!(dangling.to_string().to_lowercase().contains("foreign key"), "{dangling}");
    let delete = format!("delete from ledger_account where id = {}", id(account));
    let lost = connection.execute_unprepared(&delete).await.unwrap_err();
    assert!(lost.to_string().to_lowercase().contains("foreign key"), "{lost}");
    connection.close().await.unwrap();
}
