//! The specification of /v1/regions, as tests over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;

use crate::households::Cast;
use crate::support::World;

fn codes(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everybody_who_is_signed_in_reads_regions_and_nobody_else() {
    let cast = Cast::new().await;
    cast.only(&Role::ALL, Method::GET, "/v1/regions", None).await;
    cast.only(&Role::ALL, Method::GET, "/v1/regions/341823", None).await;
}

#[tokio::test]
async fn a_region_lists_what_is_directly_below_it_page_by_page() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let roots = world.get(&officer, "/v1/regions").await.ok();
    assert_eq!(codes(&roots), ["340000000000"]);
    let first = world.get(&officer, "/v1/regions?parent=341823&limit=1").await;
    assert!(first.header("link").contains("parent=341823"));
    let first = first.ok();
    assert_eq!(codes(&first), ["341823100000"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second =
        world.get(&officer, &format!("/v1/regions?parent=341823&limit=1&cursor={cursor}")).await.ok();
    assert_eq!(codes(&second), ["341823101000"]);
    assert_eq!(second.get("next_cursor"), None);
    world.get(&officer, "/v1/regions?parent=99").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_revoked_region_is_not_listed_but_can_still_be_read() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let day: chrono::NaiveDate = "2027-02-28".parse().unwrap();
    let sql = "update region set valid_to = $1 where code = '341823100002'";
    world.execute(sql, vec![day.into()]).await;
    let listed = world.get(&officer, "/v1/regions?parent=341823100").await.ok();
    assert_eq!(codes(&listed), ["341823100001"]);
    let read = world.get(&officer, "/v1/regions/341823100002").await.ok();
    assert_eq!((&read["valid_to"], &read["level"]), (&json!("2027-02-28"), &json!("village")));
}

#[tokio::test]
async fn a_code_of_fewer_digits_names_the_region_and_an_unknown_one_does_not_exist() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let read = world.get(&officer, "/v1/regions/341823").await.ok();
    assert_eq!((&read["name"], &read["parent"]), (&json!("泾县"), &json!("341800000000")));
    for code in ["999999", "abcdef"] {
        world.get(&officer, &format!("/v1/regions/{code}")).await.refused(404, "not_found");
    }
    world.get(&officer, "/v1/regions/3").await.refused(400, "invalid_parameter");
}
