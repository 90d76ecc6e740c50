//! The specification of `zhuxiao demo`: the same seed gives the same demo, nothing is ever added twice or to other data,
//! the books balance, and what is left can be looked at and bought.

use std::process::{Command, Output};

use serde_json::{Value, json};
use zhuxiao::cli::Ended;
use zhuxiao::cli::demo::{self, Prepared, Progress, Wanted};

use crate::support::{Answer, World};

const SMALL: Wanted = Wanted { seed: 7, households: 60, orders: 12 };

async fn filled(world: &World, wanted: Wanted) -> Prepared {
    demo::prepare(&world.app.settings, wanted, Progress::silent()).await.unwrap()
}

/// The program itself on the world's database.
fn demo_command(world: &World, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
    command.args(["demo", "--no-serve", "--json", "--database-url", world.database_url()]).args(flags);
    if let Some(keys) = &world.app.settings.keys {
        command.env("ZHUXIAO_KEYS", keys);
    }
    // What steers the tests is no setting of the program.
    command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL").output().unwrap()
}

#[tokio::test]
async fn the_same_seed_gives_the_same_demo_and_another_seed_another() {
    let (one, same, other) = (World::new().await, World::new().await, World::new().await);
    let first = filled(&one, SMALL).await;
    assert!(!first.was_there);
    assert_eq!(filled(&same, SMALL).await.summary.digest, first.summary.digest);
    let seeded = filled(&other, Wanted { seed: 8, ..SMALL }).await;
    assert_ne!(seeded.summary.digest, first.summary.digest);
}

#[tokio::test]
async fn the_books_of_the_demo_balance_and_all_of_the_line_has_happened() {
    let world = World::new().await;
    let summary = filled(&world, Wanted { orders: 40, ..SMALL }).await.summary;
    assert_eq!(summary.audit.findings, 0);
    assert!(summary.audit.checks > 50, "{:?}", summary.audit);
    assert_eq!((summary.counts["townships"], summary.counts["villages"]), (11, 144));
    assert!(summary.counts["lots"] >= 120, "two per household, and more when much is wanted");
    assert_eq!(summary.households_total, 60);
    assert_eq!((summary.purchase_lines.total, summary.purchase_lines.mapped), (1_315, 771));
    assert_eq!(summary.purchase_lines.left_out.values().sum::<usize>(), 1_315 - 771);
    assert!(summary.households_earned > 30 && summary.on_sale_lots > 0);
    assert!(summary.orders_by_state["closed"] > 0, "{:?}", summary.orders_by_state);
    assert!(summary.counts["payouts_paid"] > 0 && summary.delivery_lines_refused > 0);
}

#[tokio::test]
async fn a_second_run_says_what_is_there_and_adds_nothing() {
    let world = World::new().await;
    let flags = ["--households", "40", "--orders", "6"];
    let first = demo_command(&world, &flags);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let told: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!((&told["households"], &told["orders"], &told["seed"]), (&json!(40), &json!(6), &json!(2020)));
    for flags in [&flags[..], &["--households", "50", "--seed", "1"]] {
        let again = demo_command(&world, flags);
        assert_eq!(again.status.code(), Some(0));
        assert!(again.stdout == first.stdout, "the same summary, computed from the same rows");
        let message = String::from_utf8(again.stderr).unwrap();
        assert!(message.contains("already holds the demo of seed 2020 with 40 households"), "{message}");
    }
}

#[tokio::test]
async fn a_database_that_holds_other_data_is_left_alone() {
    let world = World::new().await.with_regions().await;
    match demo::prepare(&world.app.settings, SMALL, Progress::silent()).await {
        Err(Ended::NotAllowed(message)) => assert!(message.contains("not the demo's"), "{message}"),
        other => panic!("{other:?}"),
    }
    let output = demo_command(&world, &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0));
    assert_eq!(world.execute("delete from product", Vec::new()).await, 0, "nothing was written");
}

#[tokio::test]
async fn every_sign_in_works_and_what_is_left_can_be_ordered() {
    let world = World::new().await;
    let facts = filled(&world, SMALL).await.summary.facts;
    world.clock.set(format!("{}-12-01T01:00:00Z", facts.year).parse().unwrap());
    let mut buyer = String::new();
    for one in demo::sign_ins() {
        let body = json!({ "account": one.account, "password": one.password });
        let session = world.post_as(None, "/v1/sessions", body).await.created();
        let token = session["token"].as_str().unwrap().to_owned();
        let me = world.client.get(format!("{}/v1/me", world.base)).bearer_auth(&token);
        assert_eq!(Answer::of(me).await.ok()["role"], one.role);
        if one.role == "buyer" {
            buyer = token;
        }
    }
    let mine = world.client.get(format!("{}/v1/institutions", world.base)).bearer_auth(&buyer);
    let institution = Answer::of(mine).await.ok()["items"][0]["id"].clone();
    let lots = world.client.get(format!("{}/v1/lots?limit=200", world.base)).bearer_auth(&buyer);
    let lots = Answer::of(lots).await.ok();
    let last_day = format!("{}-12-31", facts.year);
    let mut keeps =
        lots["items"].as_array().unwrap().iter().filter(|lot| lot["sell_by"].as_str().unwrap() > &*last_day);
    let lot = keeps.next().unwrap();
    let order = json!({ "institution_id": institution, "policy": "max_min", "lines": [{
        "product_id": lot["product_id"], "quantity": lot["available"], "max_price": lot["price"],
        "needed_by": last_day }] });
    let placed = world.client.post(format!("{}/v1/orders", world.base)).bearer_auth(&buyer);
    let placed = placed.header("Idempotency-Key", "after-the-demo").json(&order);
    assert_eq!(Answer::of(placed).await.created()["state"], "placed");
}
