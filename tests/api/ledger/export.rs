//! The specification of GET /v1/ledger/export. What hledger and beancount say about it is in `tests/contract/ledger`.

use std::collections::BTreeMap;

use uuid::Uuid;
use zhuxiao::ledger::export::{self, Format, Wanted};
use zhuxiao::members::access::{CountyScope, Role};
use zhuxiao::members::principals::Place;

use super::{acceptance, post, reverse};
use crate::support::World;

/// A csv export read back: every claim it makes was compared with the sum of the postings before it.
#[derive(Debug, Default)]
struct Book {
    balances: BTreeMap<String, i64>,
    postings: usize,
    claims: BTreeMap<&'static str, usize>,
    reversals: Vec<(String, String)>,
}

fn read(text: &str) -> Book {
    let mut book = Book::default();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let mut last_day = String::new();
    for row in rows.records() {
        let row = row.unwrap();
        let (record, day, account) = (&row[0], row[1].to_owned(), row[9].to_owned());
        let fen: i64 = row[11].parse().unwrap();
        assert!(last_day <= day, "days are in order");
        last_day = day;
        assert_eq!(row[10].replace('.', "").parse::<i64>().unwrap(), fen, "yuan and fen are the same money");
        let balance = book.balances.entry(account.clone()).or_default();
        match record {
            "opening" => *balance = fen,
            "posting" => {
                *balance += fen;
                book.postings += 1;
                if !row[7].is_empty() && row[8] == *"1" {
                    book.reversals.push((row[3].to_owned(), row[7].to_owned()));
                }
            }
            "balance" | "stored" => assert_eq!(*balance, fen, "{record} of {account}"),
            other => panic!("{other} is no record"),
        }
        let kinds = ["opening", "posting", "balance", "stored"];
        *book.claims.entry(kinds.into_iter().find(|kind| *kind == record).unwrap()).or_default() += 1;
    }
    book
}

async fn exported(world: &World, query: &str) -> String {
    let finance = world.official(Role::Finance).await;
    let answer = world.get(&finance, &format!("/v1/ledger/export?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

#[tokio::test]
async fn every_claim_of_an_export_is_the_sum_of_the_postings_before_it_and_a_reversal_names_its_original() {
    let world = World::new().await.with_regions().await;
    let (school, wang, li) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let first = post(&world, acceptance("2027-03-01", school, &[(wang, 100), (li, 7)])).await.unwrap();
    post(&world, acceptance("2027-03-03", school, &[(wang, 250)])).await.unwrap();
    let reversal = reverse(&world, first, "2027-03-04").await.unwrap();
    let book = read(&exported(&world, "format=csv").await);
    assert_eq!(book.reversals, [(reversal.to_string(), first.to_string())]);
    assert_eq!((book.postings, book.claims["balance"], book.claims["stored"]), (8, 3 + 2 + 3, 3));
    assert_eq!(book.balances[&format!("liabilities:341823:payable-{wang}")], -250);
    let journal = exported(&world, "format=hledger").await;
    assert!(journal.contains(&format!("reverses:{first}")), "{journal}");
    let beancount = exported(&world, "format=beancount").await;
    assert!(beancount.contains(&format!("reverses: \"{first}\"")), "{beancount}");
}

#[tokio::test]
async fn what_was_before_a_period_is_its_opening_and_what_is_after_it_is_left_out() {
    let world = World::new().await.with_regions().await;
    let (school, wang) = (Uuid::now_v7(), Uuid::now_v7());
    for (day, fen) in [("2027-03-01", 100), ("2027-03-03", 250), ("2027-03-05", 31)] {
        post(&world, acceptance(day, school, &[(wang, fen)])).await.unwrap();
    }
    let book = read(&exported(&world, "format=csv&from=2027-03-02&to=2027-03-04").await);
    assert_eq!(book.balances[&format!("assets:341823:receivable-{school}")], 350);
    assert_eq!((book.claims["opening"], book.postings, book.claims.get("stored")), (2, 2, None));
    let finance = world.official(Role::Finance).await;
    let path = "/v1/ledger/export?format=csv&from=2027-03-02&to=2027-03-01";
    world.get(&finance, path).await.refused(422, "invalid_value");
    world.get(&finance, "/v1/ledger/export?format=ledger").await.refused(400, "invalid_parameter");
}

#[tokio::test]
async fn an_export_is_of_one_moment_while_others_write() {
    let world = World::new().await.with_regions().await;
    let school = Uuid::now_v7();
    // An entry longer than a batch, and more pieces than wait for a reader.
    let owed: Vec<(Uuid, i64)> = (1..=4_500).map(|fen| (Uuid::now_v7(), fen)).collect();
    post(&world, acceptance("2027-03-01", school, &owed)).await.unwrap();
    let counties = CountyScope { from: "341823".to_owned(), before: "341824".to_owned() };
    let wanted = Wanted { format: Format::Csv, counties, from: None, to: None };
    let mut pieces = export::export_all(world.app.db.reader(), wanted).await.unwrap();
    let mut text = pieces.recv().await.unwrap().unwrap();
    post(&world, acceptance("2027-03-01", school, &owed)).await.unwrap();
    while let Some(piece) = pieces.recv().await {
        text.push_str(&piece.unwrap());
    }
    let book = read(&text);
    assert_eq!((book.postings, book.claims["stored"]), (4_501, 4_501), "the first entry only, and all of it");
}

#[tokio::test]
async fn the_ledger_of_a_county_is_not_exported_to_others() {
    let world = World::new().await.with_regions().await;
    let school = Uuid::now_v7();
    post(&world, acceptance("2027-03-01", school, &[(Uuid::now_v7(), 100)])).await.unwrap();
    for place in ["341824000000", "341823100000"] {
        let finance = world.person(Role::Finance, Place::Region(place.to_owned())).await;
        let text = world.get(&finance, "/v1/ledger/export?format=hledger").await.text;
        assert!(!text.contains("account ") && !text.contains(&school.to_string()), "{place}: {text}");
    }
    let auditor = world.official(Role::Auditor).await;
    assert!(world.get(&auditor, "/v1/ledger/export?format=hledger").await.text.contains(&school.to_string()));
}
