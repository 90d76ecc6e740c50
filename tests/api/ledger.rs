//! The specification of /v1/ledger, as tests over HTTP.

mod export;

use chrono::NaiveDate;
use uuid::Uuid;
use zhuxiao::db::statements_sent;
use zhuxiao::ledger::{self, AccountKey, AccountKind, NewEntry};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::money::Fen;
use zhuxiao::refusal::{Failure, Outcome, Refusal};

use crate::support::{COUNTY, World};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn receivable(owner: Uuid) -> AccountKey {
    AccountKey { kind: AccountKind::Receivable, owner: Some(owner) }
}

fn payable(owner: Uuid) -> AccountKey {
    AccountKey { kind: AccountKind::Payable, owner: Some(owner) }
}

/// What an acceptance posts: the institution owes the sum of what the households are owed.
fn acceptance(on: &str, institution: Uuid, owed: &[(Uuid, i64)]) -> NewEntry {
    let total: i64 = owed.iter().map(|part| part.1).sum();
    let mut postings = vec![(receivable(institution), Fen::new(total))];
    postings.extend(owed.iter().map(|(household, fen)| (payable(*household), Fen::new(-fen))));
    NewEntry {
        county_code: COUNTY.to_owned(),
        kind: "acceptance",
        source_kind: "settlement",
        source_id: Uuid::now_v7(),
        occurred_on: day(on),
        postings,
    }
}

async fn post(world: &World, entry: NewEntry) -> Outcome<Uuid> {
    let app = &world.app;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let id = ledger::post(&txn, app, entry.clone()).await?;
            txn.commit(id).await
        })
        .await
}

async fn reverse(world: &World, entry: Uuid, on: &str) -> Outcome<Uuid> {
    let app = &world.app;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let id = ledger::reverse(&txn, app, entry, day(on)).await?;
            txn.commit(id).await
        })
        .await
}

async fn balance(world: &World, owner: Uuid, as_of: &str) -> String {
    let finance = world.official(Role::Finance).await;
    let path = format!("/v1/ledger/accounts?owner_id={owner}{as_of}");
    let accounts = world.get(&finance, &path).await.ok();
    accounts["items"][0]["balance"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_entry_moves_both_sides_and_its_postings_sum_to_zero() {
    let world = World::new().await.with_regions().await;
    let (school, wang, li) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let entry = post(&world, acceptance("2027-03-01", school, &[(wang, 1200), (li, 34)])).await.unwrap();

    let finance = world.official(Role::Finance).await;
    let shown = world.get(&finance, &format!("/v1/ledger/entries/{entry}")).await.ok();
    assert_eq!(shown["kind"], "acceptance");
    assert_eq!(shown["occurred_on"], "2027-03-01");
    let amounts: Vec<&str> = shown["postings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|posting| posting["amount"].as_str().unwrap())
        .collect();
    assert_eq!(amounts, ["12.34", "-12.00", "-0.34"]);
    assert_eq!(balance(&world, school, "").await, "12.34");
    assert_eq!(balance(&world, wang, "").await, "-12.00");
}

#[tokio::test]
async fn balances_are_readable_as_of_the_end_of_any_day() {
    let world = World::new().await.with_regions().await;
    let (school, wang) = (Uuid::now_v7(), Uuid::now_v7());
    post(&world, acceptance("2027-03-01", school, &[(wang, 100)])).await.unwrap();
    post(&world, acceptance("2027-03-03", school, &[(wang, 250)])).await.unwrap();
    for (as_of, expected) in [
        ("2027-02-28", "0.00"),
        ("2027-03-01", "1.00"),
        ("2027-03-02", "1.00"),
        ("2027-03-03", "3.50"),
        ("2027-12-31", "3.50"),
    ] {
        assert_eq!(balance(&world, school, &format!("&as_of={as_of}")).await, expected, "{as_of}");
    }
}

#[tokio::test]
async fn an_unbalanced_entry_is_refused_before_anything_is_written() {
    let world = World::new().await.with_regions().await;
    let mut entry = acceptance("2027-03-01", Uuid::now_v7(), &[(Uuid::now_v7(), 100)]);
    entry.postings[0].1 = Fen::new(99);
    assert!(matches!(post(&world, entry).await, Err(Failure::Broken(_))));
    let finance = world.official(Role::Finance).await;
    assert_eq!(world.get(&finance, "/v1/ledger/accounts").await.ok()["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_reversal_names_the_original_and_brings_the_balances_back() {
    let world = World::new().await.with_regions().await;
    let (school, wang) = (Uuid::now_v7(), Uuid::now_v7());
    let entry = post(&world, acceptance("2027-03-01", school, &[(wang, 100)])).await.unwrap();
    let reversal = reverse(&world, entry, "2027-03-02").await.unwrap();

    let finance = world.official(Role::Finance).await;
    let shown = world.get(&finance, &format!("/v1/ledger/entries/{reversal}")).await.ok();
    assert_eq!(shown["reverses_id"], entry.to_string());
    let original = world.get(&finance, &format!("/v1/ledger/entries/{entry}")).await.ok();
    let sides = shown["postings"].as_array().unwrap().iter().zip(original["postings"].as_array().unwrap());
    let amount = |side: &serde_json::Value| side["amount"].as_str().unwrap().replace('-', "");
    assert!(
        sides
            .clone()
            .all(|(one, other)| one["account_id"] == other["account_id"] && amount(one) == amount(other))
    );
    assert_eq!(sides.count(), 2);
    assert_eq!(original["reversed_by_id"], reversal.to_string());
    assert_eq!(balance(&world, school, "").await, "0.00");
    assert_eq!(balance(&world, school, "&as_of=2027-03-01").await, "1.00");
}

#[tokio::test]
async fn an_entry_is_reversed_once_and_a_reversal_never() {
    let world = World::new().await.with_regions().await;
    let entry =
        post(&world, acceptance("2027-03-01", Uuid::now_v7(), &[(Uuid::now_v7(), 100)])).await.unwrap();
    let reversal = reverse(&world, entry, "2027-03-01").await.unwrap();
    for refused in [entry, reversal] {
        let answer = reverse(&world, refused, "2027-03-01").await;
        assert!(matches!(answer, Err(Failure::Refused(Refusal::WrongState { .. }))), "{answer:?}");
    }
    let unknown = reverse(&world, Uuid::now_v7(), "2027-03-01").await;
    assert!(matches!(unknown, Err(Failure::Refused(Refusal::NotFound(_)))));
}

#[tokio::test]
async fn the_number_of_statements_does_not_grow_with_the_postings() {
    let world = World::new().await.with_regions().await;
    let school = Uuid::now_v7();
    let households: Vec<(Uuid, i64)> = (1..=500).map(|fen| (Uuid::now_v7(), fen)).collect();
    let before = statements_sent();
    post(&world, acceptance("2027-03-01", school, &households)).await.unwrap();
    let first = statements_sent() - before;
    post(&world, acceptance("2027-03-01", school, &households)).await.unwrap();
    let second = statements_sent() - before - first;
    assert!(first <= 7 && second <= 5, "{first} statements with new accounts, {second} with known ones");
    assert_eq!(balance(&world, school, "").await, "2505.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_posted_at_the_same_time_lose_nothing() {
    let world = World::new().await.with_regions().await;
    let (school, wang, li) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let posted = (0..16).map(|turn| {
        let owed = if turn % 2 == 0 { [(wang, 100), (li, 1)] } else { [(li, 1), (wang, 100)] };
        let (app, entry) = (world.app.clone(), acceptance("2027-03-01", school, &owed));
        tokio::spawn(async move {
            app.db
                .write(|| async {
                    let txn = app.db.begin().await?;
                    let id = ledger::post(&txn, &app, entry.clone()).await?;
                    txn.commit(id).await
                })
                .await
        })
    });
    for task in posted.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    assert_eq!(balance(&world, school, "").await, "16.16");
    assert_eq!(balance(&world, li, "").await, "-0.16");
    assert_eq!(balance(&world, li, "&as_of=2027-03-01").await, "-0.16");
}

#[tokio::test]
async fn postings_of_an_account_are_paged_newest_first() {
    let world = World::new().await.with_regions().await;
    let (school, wang) = (Uuid::now_v7(), Uuid::now_v7());
    for fen in 1..=5 {
        // Ids of one millisecond have no order among them.
        world.clock.advance(chrono::TimeDelta::milliseconds(1));
        post(&world, acceptance("2027-03-01", school, &[(wang, fen)])).await.unwrap();
    }
    let auditor = world.official(Role::Auditor).await;
    let accounts = world.get(&auditor, "/v1/ledger/accounts?kind=receivable").await.ok();
    assert_eq!(accounts["items"].as_array().unwrap().len(), 1);
    let path = format!("/v1/ledger/accounts/{}/postings", accounts["items"][0]["id"].as_str().unwrap());
    let mut amounts = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&auditor, &format!("{path}?limit=2{cursor}")).await.ok();
        for item in page["items"].as_array().unwrap() {
            amounts.push(item["amount"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(amounts, ["0.05", "0.04", "0.03", "0.02", "0.01"]);
}

#[tokio::test]
async fn only_finance_and_auditors_read_the_ledger() {
    let world = World::new().await.with_regions().await;
    let household = world.household("341823100001", "registered").await;
    let institution = world.institution("示范学校", "school").await;
    let people = [
        world.person(Role::Household, Place::Household(household)).await,
        world.person(Role::Helper, Place::Pairings).await,
        world.person(Role::Buyer, Place::Institution(institution)).await,
        world.person(Role::Approver, Place::Institution(institution)).await,
        world.official(Role::Officer).await,
        world.official(Role::Admin).await,
    ];
    let id = Uuid::now_v7();
    for path in [
        "/v1/ledger/accounts".to_owned(),
        format!("/v1/ledger/accounts/{id}/postings"),
        format!("/v1/ledger/entries/{id}"),
    ] {
        for person in &people {
            world.get(person, &path).await.refused(403, "not_allowed");
        }
        world.get_as(None, &path).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn the_ledger_of_another_county_does_not_exist() {
    let world = World::new().await.with_regions().await;
    let mut entry = acceptance("2027-03-01", Uuid::now_v7(), &[(Uuid::now_v7(), 100)]);
    entry.county_code = "341824".to_owned();
    let id = post(&world, entry).await.unwrap();
    let province = world.person(Role::Auditor, Place::Region("340000000000".to_owned())).await;
    let accounts = world.get(&province, "/v1/ledger/accounts?kind=payable").await.ok();
    let account = accounts["items"][0]["id"].as_str().unwrap().to_owned();
    world.get(&province, &format!("/v1/ledger/entries/{id}")).await.ok();

    let township = world.person(Role::Finance, Place::Region("341823100000".to_owned())).await;
    for person in [&world.official(Role::Finance).await, &township] {
        world.get(person, &format!("/v1/ledger/entries/{id}")).await.refused(404, "not_found");
        world.get(person, &format!("/v1/ledger/accounts/{account}/postings")).await.refused(404, "not_found");
        let none = world.get(person, "/v1/ledger/accounts").await.ok();
        assert_eq!(none["items"].as_array().unwrap().len(), 0);
    }
}
