//! Attacks by the address: parameters that nobody published, pages and files of others, pictures, and places to be sent to.
//! There are no pages to sign in on here and no pictures are taken; what is nearest to an attack on them is tried instead.

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use zhuxiao::members::access::Role;

use super::count;
use crate::access::arranged::{FOREIGN, NEIGHBOUR, OWN, Side, add_other_county};
use crate::support::{Answer, World};

async fn county() -> World {
    World::new().await.with_regions().await
}

#[tokio::test]
async fn at_b16_members_that_were_never_published_are_not_there_for_the_asking() {
    let world = county().await;
    let side = Side::arrange(&world, OWN).await;
    for query in ["include=household.bank_card", "fields=id_number", "expand=household", "bank_account=1"] {
        let path = format!("/v1/lots?{query}");
        world.get(side.person(Role::Buyer), &path).await.refused(400, "malformed_request");
    }
}

#[tokio::test]
async fn at_b29_a_parameter_given_twice_is_no_parameter() {
    let world = county().await;
    add_other_county(&world).await;
    let own = Side::arrange(&world, OWN).await;
    let foreign = Side::arrange(&world, FOREIGN).await;
    for query in ["region=341823&region=341824", "region[]=341823&region[]=341824", "region%5B%5D=341824"] {
        let answer = world.get(own.person(Role::Officer), &format!("/v1/households?{query}")).await;
        answer.refused(400, "malformed_request");
        assert!(!answer.text.contains(foreign.id("household")));
    }
}

#[tokio::test]
async fn at_b22_papers_and_files_of_another_institution_do_not_exist() {
    let world = county().await;
    let own = Side::arrange(&world, OWN).await;
    let other = Side::arrange(&world, NEIGHBOUR).await;
    let pages = |side: &Side| {
        let paper = side.id("paper").to_owned();
        [
            format!("/v1/papers/{paper}/file?format=html"),
            format!("/v1/papers/{paper}/file?format=xlsx"),
            format!("/v1/papers/{paper}/file?format=json"),
            format!("/v1/settlements/{}", side.id("settlement")),
        ]
    };
    let buyer = own.person(Role::Buyer);
    for (theirs, ours) in pages(&other).iter().zip(pages(&own)) {
        world.get(buyer, theirs).await.refused(404, "not_found");
        let answer = world.request(Method::GET, Some(buyer), &ours).send().await.unwrap();
        assert!(answer.status().is_success(), "{ours}: {}", answer.status());
    }
}

#[tokio::test]
async fn at_b23_files_of_another_household_do_not_exist_and_nobody_gets_any() {
    let world = county().await;
    let own = Side::arrange(&world, OWN).await;
    let other = Side::arrange(&world, NEIGHBOUR).await;
    let file = format!("/v1/papers/{}/file?format=json", other.id("paper"));
    for role in [Role::Household, Role::Helper] {
        world.get(own.person(role), &file).await.refused(404, "not_found");
    }
    world.get_as(None, &file).await.refused(401, "not_signed_in");
    world.get_as(None, "/files/01958000-0000-7000-8000-000000000000").await.refused(404, "not_found");
}

/// The head of a picture of 30,000 by 30,000 points, and one that says where it was taken.
const PICTURES: [&[u8]; 2] = [
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x75\x30\0\0\x75\x30\x08\x06\0\0\0",
    b"\xff\xd8\xff\xe1\0\x18Exif\0\0MM\0*\0\0\0\x08\0\x01\x88\x25GPS",
];

#[tokio::test]
async fn at_f12_pictures_are_not_taken_and_nothing_of_them_is_kept() {
    let world = county().await;
    let side = Side::arrange(&world, OWN).await;
    let officer = side.person(Role::Officer);
    let before = count(&world, "household").await;
    for (picture, kind) in PICTURES.into_iter().zip(["image/png", "image/jpeg"]) {
        let request = |content: &str| {
            let request = world.request(Method::POST, Some(officer), "/v1/households/import");
            request.header("content-type", content).body(picture.to_vec())
        };
        // What a body says of itself counts for nothing: it is read, and is no table.
        for said in [kind, "application/octet-stream"] {
            Answer::of(request(said)).await.refused(422, "invalid_value");
        }
    }
    assert_eq!(count(&world, "household").await, before);
}

#[tokio::test]
async fn at_w11_nobody_is_sent_anywhere_by_an_address() {
    let world = county().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let places =
        ["//evil.example", "/%5Cevil.example", "https:evil.example", "%0d%0aLocation:%20//evil.example"];
    for path in ["/web/login", "/docs", "/v1/sessions", "/"] {
        for place in places {
            let answer = client.get(format!("{}{path}?next={place}", world.base)).send().await.unwrap();
            let target = answer.headers().get("location").map(|target| target.to_str().unwrap().to_owned());
            assert!(
                target.is_none_or(|target| target.starts_with('/') && !target.starts_with("//")),
                "{path}"
            );
            let body: Value = answer.json().await.unwrap_or_default();
            assert!(body.get("next").is_none());
        }
    }
    let split = client.get(format!("{}/web/login?next=%0d%0aLocation:", world.base)).send().await.unwrap();
    assert_eq!(split.status().as_u16(), 400);
}
