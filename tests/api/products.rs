//! The specification of /v1/products, as tests over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::{Answer, Person, World};

fn tea() -> Value {
    json!({
        "code": "tea-spring", "name": "汀溪兰香", "category": "tea", "measure": "mass", "pricing_unit": "jin",
        "grades": ["特级", "一级"], "shelf_life_days": 540, "pack": {"amount": "5", "unit": "liang"},
        "certificates": ["food_production"], "catalogue_code": "A07060303", "tax_code": "1010116010000000000",
    })
}

/// The tea with one member written otherwise.
fn tea_with(member: &str, value: Value) -> Value {
    let mut tea = tea();
    tea[member] = value;
    tea
}

async fn county_with_officer() -> (World, Person) {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    (world, officer)
}

#[tokio::test]
async fn an_officer_adds_a_product_and_everybody_of_the_county_reads_it() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let product = created.created();
    let path = format!("/v1/products/{}", product["id"].as_str().unwrap());
    assert_eq!(created.header("location"), path);
    assert_eq!(product["county"], "341823");
    assert_eq!(product["pack"], json!({"amount": "0.25", "unit": "kg"}));
    let household = world.household("341823100001", "general").await;
    let institution = world.institution("示范学校", "school").await;
    let mut readers = vec![
        world.person(Role::Household, Place::Household(household)).await,
        world.person(Role::Helper, Place::Pairings).await,
        world.person(Role::Buyer, Place::Institution(institution)).await,
        world.person(Role::Approver, Place::Institution(institution)).await,
    ];
    for role in [Role::Officer, Role::Finance, Role::Auditor] {
        readers.push(world.official(role).await);
    }
    for reader in &readers {
        assert_eq!(world.get(reader, &path).await.ok(), product, "{:?}", reader.role);
        let listed = world.get(reader, "/v1/products?category=tea").await.ok();
        assert_eq!(listed["items"], json!([product]), "{:?}", reader.role);
    }
    world.get_as(None, &path).await.refused(401, "not_signed_in");
    let admin = world.official(Role::Admin).await;
    for path in [&path, "/v1/products", &format!("{path}/reference_prices")] {
        world.get(&admin, path).await.refused(403, "not_allowed");
    }
}

#[tokio::test]
async fn only_an_officer_of_the_whole_county_writes_the_catalogue() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await.created();
    let path = format!("/v1/products/{}", created["id"].as_str().unwrap());
    let prices = format!("{path}/reference_prices");
    let household = world.household("341823100001", "general").await;
    let mut others = vec![
        world.person(Role::Household, Place::Household(household)).await,
        world.person(Role::Helper, Place::Pairings).await,
        world.person(Role::Officer, Place::Region("341823100000".to_owned())).await,
    ];
    for role in [Role::Finance, Role::Auditor, Role::Admin] {
        others.push(world.official(role).await);
    }
    let price =
        json!({"price": {"amount": "60.00", "per": "jin"}, "from_on": "2027-03-01", "source": "集市"});
    for other in &others {
        world.post(other, "/v1/products", tea_with("code", json!("tea-2"))).await.refused(403, "not_allowed");
        world.patch(other, &path, "\"1\"", json!({"name": "x"})).await.refused(403, "not_allowed");
        world.post(other, &prices, price.clone()).await.refused(403, "not_allowed");
    }
    let nobody = Answer::of(world.request(Method::PATCH, None, &path).json(&json!({}))).await;
    nobody.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_code_is_taken_once_in_a_county() {
    let (world, officer) = county_with_officer().await;
    world.post(&officer, "/v1/products", tea()).await.created();
    world.post(&officer, "/v1/products", tea()).await.refused(409, "duplicate");
    assert_eq!(world.get(&officer, "/v1/products").await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_product_that_is_wrong_is_refused_with_the_member_named_and_nothing_is_written() {
    let (world, officer) = county_with_officer().await;
    let wrong = [
        ("code", json!("Tea spring"), "/code"),
        ("code", json!("tea\u{0}"), "/code"),
        ("name", json!(" x"), "/name"),
        ("name", json!("x".repeat(61)), "/name"),
        ("category", json!("茶叶"), "/category"),
        ("measure", json!("volume"), "/measure"),
        ("pricing_unit", json!("piece"), "/pricing_unit"),
        ("grades", json!(["一级", "一级"]), "/grades/1"),
        ("grades", json!([""]), "/grades/0"),
        ("shelf_life_days", json!(0), "/shelf_life_days"),
        ("pack", json!({"amount": "0", "unit": "jin"}), "/pack"),
        ("pack", json!({"amount": "2", "unit": "piece"}), "/pack"),
        ("pack", json!({"amount": "0.0005", "unit": "kg"}), "/pack"),
        ("certificates", json!(["Food Production"]), "/certificates/0"),
        ("catalogue_code", json!("A0706030"), "/catalogue_code"),
        ("catalogue_code", json!("A0706030３"), "/catalogue_code"),
        ("tax_code", json!("101011601000000000x"), "/tax_code"),
        ("colour", json!("green"), "/colour"),
    ];
    for (member, value, pointer) in wrong {
        let answer = world.post(&officer, "/v1/products", tea_with(member, value.clone())).await;
        let problem = answer.refused(422, "invalid_value");
        assert_eq!(problem["pointer"], pointer, "{member} {value}: {problem}");
    }
    assert_eq!(world.get(&officer, "/v1/products").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_leaves_the_rest() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let path = created.header("location").to_owned();
    let changes = json!({"grades": ["特级"], "shelf_life_days": 365, "is_active": false});
    let edited = world.patch(&officer, &path, created.header("etag"), changes).await;
    let mut expected = created.created();
    expected["grades"] = json!(["特级"]);
    expected["shelf_life_days"] = json!(365);
    expected["is_active"] = json!(false);
    assert_eq!(edited.ok(), expected);
    assert_ne!(edited.header("etag"), created.header("etag"));
    assert_eq!(world.get(&officer, &path).await.ok(), expected);
}

#[tokio::test]
async fn an_edit_needs_the_version_that_was_read() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let path = created.header("location").to_owned();
    let name = json!({"name": "涌溪火青"});
    let bare = world.request(Method::PATCH, Some(&officer), &path).json(&name);
    Answer::of(bare).await.refused(428, "if_match_missing");
    world.patch(&officer, &path, created.header("etag"), name.clone()).await.ok();
    world.patch(&officer, &path, created.header("etag"), name).await.refused(412, "stale_version");
    world.patch(&officer, &path, "*", json!({"name": "x"})).await.refused(412, "stale_version");
}

#[tokio::test]
async fn an_edit_cannot_make_a_wrong_product() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let path = created.header("location").to_owned();
    for (changes, pointer) in [
        (json!({"pack": {"amount": "1", "unit": "piece"}}), "/pack"),
        (json!({"measure": "count"}), "/measure"),
        (json!({"code": "other"}), "/code"),
        (json!({"tax_code": "１".repeat(19)}), "/tax_code"),
    ] {
        let refused = world.patch(&officer, &path, created.header("etag"), changes).await;
        assert_eq!(refused.refused(422, "invalid_value")["pointer"], pointer);
    }
    assert_eq!(world.get(&officer, &path).await.ok(), created.created());
}

#[tokio::test]
async fn a_product_of_another_county_does_not_exist() {
    let (world, officer) = county_with_officer().await;
    let id = world.product("ham").await;
    world.execute("update product set county_code = '341800' where id = $1", vec![id.into()]).await;
    let path = format!("/v1/products/{id}");
    world.get(&officer, &path).await.refused(404, "not_found");
    world.patch(&officer, &path, "\"1\"", json!({"name": "x"})).await.refused(404, "not_found");
    world.get(&officer, &format!("{path}/reference_prices")).await.refused(404, "not_found");
    assert_eq!(world.get(&officer, "/v1/products").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn the_catalogue_is_read_page_by_page() {
    let (world, officer) = county_with_officer().await;
    for number in 0..5 {
        world.product(&format!("product-{number}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/products?category=tea&limit=2".to_owned();
    loop {
        let page = world.get(&officer, &path).await;
        seen.extend(page.ok()["items"].as_array().unwrap().iter().map(|item| item["code"].clone()));
        match page.ok()["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/products?category=tea&limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let newest_first: Vec<Value> = (0..5).rev().map(|number| json!(format!("product-{number}"))).collect();
    assert_eq!(seen, newest_first);
}

#[tokio::test]
async fn a_list_that_is_asked_for_wrongly_is_refused() {
    let (world, officer) = county_with_officer().await;
    for (query, code) in [
        ("limit=0", "malformed_request"),
        ("limit=201", "malformed_request"),
        ("limit=x", "invalid_parameter"),
        ("cursor=1-zz", "cursor_expired"),
        ("category=%00", "malformed_request"),
        ("category=Tea", "malformed_request"),
    ] {
        world.get(&officer, &format!("/v1/products?{query}")).await.refused(400, code);
    }
}

#[tokio::test]
async fn reference_prices_are_kept_with_their_day_and_source() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let prices = format!("{}/reference_prices", created.header("location"));
    let body = json!({
        "grade": "特级", "price": {"amount": "1200.00", "per": "jin"}, "from_on": "2027-03-01", "source": "集市",
    });
    let noted = world.post(&officer, &prices, body.clone()).await.created();
    for member in ["grade", "price", "from_on", "source"] {
        assert_eq!(noted[member], body[member]);
    }
    assert_eq!(world.get(&officer, &prices).await.ok()["items"], json!([noted]));
}

#[tokio::test]
async fn a_reference_price_is_in_force_once_another_officer_has_approved_it() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let prices = format!("{}/reference_prices", created.header("location"));
    let body = json!({"price": {"amount": "60.00", "per": "jin"}, "from_on": "2027-03-01", "source": "集市"});
    let proposed = world.post(&officer, &prices, body).await.created();
    assert_eq!(proposed["approved_at"], Value::Null);
    let approve = format!("{prices}/{}/approve", proposed["id"].as_str().unwrap());
    world.post(&officer, &approve, Value::Null).await.refused(409, "second_person_needed");
    let township = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    world.post(&township, &approve, Value::Null).await.refused(403, "not_allowed");
    let second = world.official(Role::Officer).await;
    let unknown = format!("{prices}/01958000-0000-7000-8000-000000000000/approve");
    world.post(&second, &unknown, Value::Null).await.refused(404, "not_found");
    let approved = world.post(&second, &approve, Value::Null).await.ok();
    assert_ne!(approved["approved_at"], Value::Null);
    assert_eq!(world.get(&officer, &prices).await.ok()["items"], json!([approved]));
    let third = world.official(Role::Officer).await;
    world.post(&third, &approve, Value::Null).await.refused(409, "wrong_state");
}

#[tokio::test]
async fn a_reference_price_that_does_not_fit_the_product_is_refused() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let prices = format!("{}/reference_prices", created.header("location"));
    let wrong = [
        ("grade", json!("二级"), "/grade"),
        ("price", json!({"amount": "1.00", "per": "piece"}), "/price"),
        ("price", json!({"amount": "0.00", "per": "jin"}), "/price"),
        ("price", json!({"amount": "1.001", "per": "jin"}), "/price/amount"),
        ("price", json!({"amount": 1, "per": "jin"}), "/price/amount"),
        ("from_on", json!("2027-02-30"), "/from_on"),
        ("from_on", json!("1999-12-31"), "/from_on"),
        ("source", json!("  "), "/source"),
    ];
    for (member, value, pointer) in wrong {
        let mut body =
            json!({"price": {"amount": "60.00", "per": "jin"}, "from_on": "2027-03-01", "source": "集市"});
        body[member] = value;
        let problem = world.post(&officer, &prices, body).await.refused(422, "invalid_value");
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    assert_eq!(world.get(&officer, &prices).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn every_write_of_the_catalogue_leaves_an_event() {
    let (world, officer) = county_with_officer().await;
    let created = world.post(&officer, "/v1/products", tea()).await;
    let path = created.header("location").to_owned();
    world.patch(&officer, &path, created.header("etag"), json!({"name": "涌溪火青"})).await.ok();
    let body = json!({"price": {"amount": "60.00", "per": "jin"}, "from_on": "2027-03-01", "source": "集市"});
    world.post(&officer, &format!("{path}/reference_prices"), body).await.created();
    for action in ["create_product", "edit_product", "create_reference_price"] {
        let touched =
            world.tamper("update audit_event set action = action where action = $1", vec![action.into()]);
        assert_eq!(touched.await, 1, "{action}");
    }
}
