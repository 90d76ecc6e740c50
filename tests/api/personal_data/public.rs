//! What the public sees tells of no single household.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::reports::arranged::{Books, Sale};
use crate::support::{VILLAGES, World};

/// Households with a lot on sale in a village.
async fn offer(world: &World, product: Uuid, village: &str, count: usize) {
    for _ in 0..count {
        let household = world.household(village, "general").await;
        world.lot(household, product, village, 10, 40).await;
    }
    world.app.cache.drop_all().await;
}

async fn townships(world: &World, query: &str) -> Vec<Value> {
    let page = world.get_as(None, &format!("/v1/public/lots{query}")).await.ok();
    page["items"].as_array().unwrap().iter().map(|lot| lot["township"].clone()).collect()
}

#[tokio::test]
async fn the_township_of_a_lot_is_told_when_three_households_sell_there_and_in_the_others_of_the_county() {
    let world = World::new().await.with_regions().await;
    let product = world.product("rice").await;
    offer(&world, product, VILLAGES[0], 2).await;
    assert_eq!(townships(&world, "").await, [Value::Null, Value::Null]);
    assert_eq!(townships(&world, "?township=341823100").await, [Value::Null; 0], "nor by asking for it");
    assert_eq!(townships(&world, "?township=341823").await.len(), 2);
    offer(&world, product, VILLAGES[2], 3).await;
    assert!(
        townships(&world, "").await.iter().all(Value::is_null),
        "one hidden alone would be the other one"
    );
    offer(&world, product, VILLAGES[1], 1).await;
    let told = townships(&world, "").await;
    let of = |code: &str| told.iter().filter(|township| **township == *code).count();
    assert_eq!((of("341823100000"), of("341823101000")), (3, 3));
    world.get_as(None, "/v1/public/lots?township=341823100001").await.refused(400, "malformed_request");
}

#[tokio::test]
async fn two_readings_of_the_progress_never_differ_by_what_one_household_sold() {
    let world = World::new().await.with_regions().await;
    let books = Books::open(&world).await;
    let product = world.product("tea").await;
    let institution = world.institution("甲中学", "school").await;
    let mut households = Vec::new();
    for village in VILLAGES {
        households.push(world.household(village, "registered").await);
    }
    let sell = |number: usize, day: &'static str, fen: i64| {
        let (books, household) = (&books, households[number]);
        let sale = Sale { day: day.to_owned(), ..Sale::of(household, VILLAGES[number], product, 1_000, fen) };
        async move {
            let paper = books.paper(institution, household, product).await;
            books.sell(paper, &sale).await;
        }
    };
    let read = || async {
        world.app.cache.drop_all().await;
        world.get_as(None, "/v1/public/progress?region=341823").await.ok()
    };
    for number in 0..3 {
        sell(number, "2027-02-01", 1_000).await;
    }
    let first = read().await;
    assert_eq!((&first["amount"], &first["until"]), (&json!("30.00"), &json!("2027-02-01")));
    sell(3, "2027-02-10", 777).await;
    let second = read().await;
    assert_eq!((&second["amount"], &second["households"]), (&first["amount"], &first["households"]));
    for number in 0..3 {
        sell(number, "2027-02-20", 1_000).await;
    }
    let third = read().await;
    assert_eq!((&third["amount"], &third["until"]), (&json!("67.77"), &json!("2027-02-20")));
    for number in 0..4 {
        sell(number, "2027-03-01", 1_000).await;
    }
    assert_eq!(read().await["amount"], "67.77", "today is not over");
    world.clock.advance(chrono::TimeDelta::days(1));
    assert_eq!(read().await["amount"], "107.77");
}
