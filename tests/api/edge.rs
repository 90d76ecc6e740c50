//! What comes in that no operation should have to think of: addresses, methods and parameters nobody means to send.

use reqwest::Method;
use serde_json::json;
use zhuxiao::members::access::Role;

use crate::support::{Answer, World};

#[tokio::test]
async fn control_characters_and_broken_utf_8_in_an_address_are_refused() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for packed in ["%00", "a%00b", "%0A", "%1f", "%7F", "%C2%85", "%FF", "%ed%a0%80", "%C3"] {
        for path in [
            format!("/v1/regions?parent={packed}"),
            format!("/v1/products?category={packed}"),
            format!("/v1/products?{packed}=1"),
            format!("/v1/regions/{packed}"),
            format!("/{packed}"),
        ] {
            world.get(&officer, &path).await.refused(400, "malformed_request");
        }
    }
    for harmless in ["%E8%8C%B6", "100%25", "%zz", "%", "%4", "+", "%F0%9F%8D%B5"] {
        let answer = world.get(&officer, &format!("/v1/products?category={harmless}")).await;
        let problem = answer.refused(400, "malformed_request");
        assert!(problem["detail"].as_str().unwrap().starts_with("category: "), "it was read: {problem}");
    }
}

#[tokio::test]
async fn a_method_that_does_not_exist_somewhere_is_refused_there_in_the_shape_of_every_problem() {
    let world = World::new().await;
    for method in ["TRACE", "OPTIONS", "PUT", "PROPFIND", "BREW"] {
        let method: Method = method.parse().unwrap();
        for path in ["/v1/sessions", "/v1/lots", "/v1/public/lots", "/v1/orders/preview"] {
            let answer = Answer::of(world.request(method.clone(), None, path)).await;
            answer.refused(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn a_parameter_of_the_wrong_form_is_refused_whatever_its_form() {
    let world = World::new().await.with_regions().await;
    let finance = world.official(Role::Finance).await;
    let officer = world.official(Role::Officer).await;
    let auditor = world.official(Role::Auditor).await;
    for path in ["/v1/households/no-id", "/v1/settlements/0", "/v1/ledger/entries/%E8%8C%B6"] {
        world.get(&finance, path).await.refused(400, "invalid_parameter");
    }
    for path in [
        "/v1/lots?limit=18446744073709551616",
        "/v1/lots?limit=-1",
        "/v1/lots?limit=",
        "/v1/lots?limit=1e2",
        "/v1/lots?product_id=",
        "/v1/reports/sales?from=2027-02-30&to=2027-03-01",
        "/v1/reports/sales?from=2027-02-01",
        "/v1/households?status=rich",
    ] {
        world.get(&officer, path).await.refused(400, "invalid_parameter");
    }
    for path in ["/v1/lots?limit=201", "/v1/lots?limit=18446744073709551615"] {
        world.get(&officer, path).await.refused(400, "malformed_request");
    }
    world.get(&auditor, "/v1/audit_events?cursor=%F0%9F%8D%B5").await.refused(400, "cursor_expired");
}

#[tokio::test]
async fn a_header_that_is_no_text_is_refused() {
    let world = World::new().await.with_regions().await;
    let finance = world.official(Role::Finance).await;
    let body = json!({ "up_to": "2027-03-01" });
    for name in ["Authorization", "If-Match", "Idempotency-Key"] {
        for value in [&b"\xff"[..], b"a\tb", b"\xe8\x8c\xb6"] {
            let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
            let request = world.request(Method::POST, Some(&finance), "/v1/payout_batches").json(&body);
            Answer::of(request.header(name, value)).await.refused(400, "malformed_request");
        }
    }
}
