//! AT-J: texts that are code somewhere else: in SQL, on a page, in a log line, in a template.

use reqwest::Method;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;

use super::served::Served;
use super::{count, id_of};
use crate::access::arranged::{OWN, Side};
use crate::papers::{Desk, path_of};
use crate::support::{Answer, VILLAGES, World};

/// Texts that end a statement, open a condition or ask for another table.
const SQL: [&str; 6] = [
    "price;DROP TABLE lot",
    "(select 1)",
    "' OR 1=1--",
    "\" OR \"\"=\"",
    "1) union select token_hash from session--",
    "$1",
];

/// Filters of every form: of names, ids, codes, days and free text. A text that is none of them is refused; one that may
/// be anything is compared as it is and fits nothing. No list is sorted by what the caller names.
const FILTERS: [(Role, &str); 12] = [
    (Role::Household, "lots?state="),
    (Role::Household, "lots?product_id="),
    (Role::Household, "lots?cursor="),
    (Role::Household, "lots?limit="),
    (Role::Household, "lots?sort="),
    (Role::Buyer, "orders?institution_id="),
    (Role::Officer, "households?region="),
    (Role::Officer, "products?category="),
    (Role::Officer, "reports/unsold?group_by="),
    (Role::Officer, "reports/sales?from=2027-01-01&to=2027-03-01&group_by="),
    (Role::Auditor, "audit_events?subject_kind="),
    (Role::Finance, "ledger/accounts?kind="),
];

fn packed(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

async fn market() -> (World, Side) {
    let world = World::new().await.with_regions().await;
    let side = Side::arrange(&world, OWN).await;
    (world, side)
}

#[tokio::test]
async fn at_j01_a_filter_is_never_a_piece_of_a_statement() {
    let (world, side) = market().await;
    let tables = ["lot", "session", "purchase_order", "audit_event", "ledger_posting"];
    let mut before = Vec::new();
    for table in tables {
        before.push(count(&world, table).await);
    }
    for (role, filter) in FILTERS {
        for sql in SQL {
            let answer = world.get(side.person(role), &format!("/v1/{filter}{}", packed(sql))).await;
            // Nobody reads a parameter that is none; whether it may be there at all is a rule of its own.
            let is_known = !filter.contains("sort");
            let is_free = filter.contains("subject_kind");
            match answer.status.as_u16() {
                400 | 422 => assert!(answer.json()["code"].is_string(), "{filter}{sql}: {}", answer.text),
                200 if is_free => assert_eq!(answer.ok()["items"], json!([]), "{filter}{sql}"),
                200 => assert!(!is_known, "{filter}{sql}: {}", answer.text),
                other => panic!("{filter}{sql}: {other} {}", answer.text),
            }
        }
    }
    for (table, rows) in tables.into_iter().zip(before) {
        assert_eq!(count(&world, table).await, rows, "{table}");
    }
}

/// The one search by free text is that of the trail by kind.
#[tokio::test]
async fn at_j02_a_search_finds_what_is_written_there_and_nothing_else() {
    let (world, side) = market().await;
    let found = async |kind: &str| {
        let path = format!("/v1/audit_events?limit=200&subject_kind={}", packed(kind));
        world.get(side.person(Role::Auditor), &path).await.ok()["items"].as_array().unwrap().len()
    };
    assert!(found("lot").await > 0);
    for text in ["' OR 1=1--", "lot' OR 'a'='a", "lot'--", "LOT", "lot ", "nobody"] {
        assert_eq!(found(text).await, 0, "{text}");
    }
}

#[tokio::test]
async fn at_j03_signs_that_stand_for_any_text_stand_for_themselves_and_cost_nothing() {
    let (world, side) = market().await;
    let begun = std::time::Instant::now();
    for sign in ["%", "_", "*", "?", "\\", "[a-z]", "(a+)+$"] {
        for (role, filter) in
            [(Role::Auditor, "audit_events?subject_kind="), (Role::Officer, "products?category=")]
        {
            for times in [1, 1_000] {
                let path = format!("/v1/{filter}{}", packed(&sign.repeat(times)));
                let answer = world.get(side.person(role), &path).await;
                match answer.status.as_u16() {
                    200 => assert_eq!(answer.ok()["items"], json!([]), "{path}"),
                    400 => assert!(answer.json()["code"].is_string()),
                    other => panic!("{path}: {other} {}", answer.text),
                }
            }
        }
    }
    // 28 requests, 200 ms for each at most.
    assert!(begun.elapsed() < std::time::Duration::from_millis(28 * 200));
}

/// A settlement whose institution, product and household bear these names, as its paper shows it: on a page, and as the
/// print of it. The names come in over the API, where it takes them.
async fn page_with(name: &str) -> String {
    let desk = Desk::open().await;
    let world = &desk.purse.world;
    let officer = world.official(Role::Officer).await;
    let renamed = json!({ "name": name });
    for path in
        [format!("/v1/institutions/{}", desk.purse.school), format!("/v1/products/{}", desk.purse.tea)]
    {
        world.patch(&officer, &path, "\"1\"", renamed.clone()).await.ok();
    }
    let home = desk.purse.households(1).await[0];
    let head = json!({ "head_name": name });
    world.patch(&officer, &format!("/v1/households/{home}"), "\"1\"", head).await.ok();
    let (_, paper) = desk.settled(&[(home, 500)]).await;
    let by = &desk.purse.finance;
    let page = world.get(by, &format!("{}/file?format=html", path_of(&paper))).await;
    let print = world.post(by, &format!("{}/prints", path_of(&paper)), json!(null)).await;
    for page in [&page, &print] {
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
    }
    page.text + &print.text
}

/// The tags of a page, without what stands between them.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect()
}

#[tokio::test]
async fn at_j04_what_people_write_is_text_on_every_page() {
    for attack in
        ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</title><svg/onload=alert(1)>"]
    {
        let page = page_with(attack).await;
        assert!(page.contains("alert(1)"), "the name is shown");
        for tag in tags(&page) {
            let is_foreign = ["script", "img", "svg", "/script"].iter().any(|name| tag.starts_with(name));
            assert!(!is_foreign && !tag.contains("onerror") && !tag.contains("onload"), "<{tag}>");
        }
    }
    // Where it is no page, no reader of pages may take it for one.
    let (world, side) = market().await;
    let offer = json!({
        "product_id": side.id("product"), "quantity": { "amount": "5", "unit": "kg" },
        "price": { "amount": "40.00", "per": "kg" }, "ready_from": "2027-03-01", "sell_by": "2027-12-31",
        "external_ref": "<script>alert(1)</script>",
    });
    let lot = world.post(side.person(Role::Household), "/v1/lots", offer).await;
    let read = world.get(side.person(Role::Officer), &format!("/v1/lots/{}", id_of(&lot.created()))).await;
    assert_eq!(read.ok()["external_ref"], "<script>alert(1)</script>");
    assert!(read.header("content-type").starts_with("application/json"));
    assert_eq!(read.header("x-content-type-options"), "nosniff");
}

/// There is no member that is an address: what looks like one is a text like any other.
#[tokio::test]
async fn at_j05_no_quote_and_no_scheme_leaves_the_place_of_a_text() {
    for attack in
        ["\" onmouseover=\"alert(1)", "' onmouseover='alert(1)", "javascript:alert(1)", "data:text/html,x"]
    {
        let page = page_with(attack).await;
        for tag in tags(&page) {
            assert!(!tag.contains("onmouseover"), "<{tag}>");
            assert!(!tag.contains("javascript:") && !tag.contains("data:"), "<{tag}>");
        }
    }
    let (world, side) = market().await;
    let path = format!("/v1/households/{}", side.id("household"));
    for member in ["website", "url"] {
        let body = json!({ member: "javascript:alert(1)" });
        let refused = world.patch(side.person(Role::Household), &path, "\"1\"", body).await;
        assert_eq!(refused.refused(422, "invalid_value")["pointer"], format!("/{member}"));
    }
    let note = json!({
        "visited_on": "2027-03-01", "outcome": "nothing_unsold", "note": "\" onmouseover=\"alert(1)",
    });
    let visit = world.post(side.person(Role::Officer), &format!("{path}/survey_visits"), note).await;
    assert_eq!(visit.created()["note"], "\" onmouseover=\"alert(1)");
}

/// Every line of the log of the running program is one JSON object, and one request is one line that says so.
#[tokio::test]
async fn at_j06_no_text_begins_a_line_of_the_log_or_paints_a_terminal() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let served = Served::start(&world).await;
    let officer = served.sign_in(&world, &officer).await;
    let answered =
        |served: &Served| served.log_lines().iter().filter(|line| line["message"] == "answered").count();
    let before = answered(&served);
    let forged =
        "甲\r\n{\"level\":\"INFO\",\"message\":\"answered\",\"status\":200}\u{1b}[31m\u{1b}]0;x\u{7}";
    let household = json!({ "village": VILLAGES[0], "head_name": forged, "status": "general" });
    let path = "/v1/households";
    let made = Answer::of(served.request(&world, Method::POST, &officer, path).json(&household)).await;
    made.refused(422, "invalid_value");
    let sign_in = json!({ "account": forged, "password": forged });
    let request = served.request(&world, Method::POST, &officer, "/v1/sessions").json(&sign_in);
    Answer::of(request).await.refused(401, "sign_in_failed");
    let address = format!("/v1/regions/{}", packed(forged));
    let asked = Answer::of(served.request(&world, Method::GET, &officer, &address)).await;
    asked.refused(400, "malformed_request");
    let request = served.request(&world, Method::GET, &officer, path);
    Answer::of(request.header("user-agent", "x\u{9}{\"level\":\"INFO\"}")).await.ok();
    assert_eq!(answered(&served), before + 4);
    assert!(!served.log().contains(['\u{1b}', '\u{7}', '\r']));
    assert!(!served.log().contains("[31m"), "{}", served.log());
    assert_eq!(count(&world, "household").await, 0);
}

/// The suite runs on both engines: they must say the same.
#[tokio::test]
async fn at_j08_a_nul_is_refused_before_it_reaches_a_database() {
    let (world, side) = market().await;
    let officer = side.person(Role::Officer);
    let rows = (count(&world, "household").await, count(&world, "product").await);
    let household = json!({ "village": VILLAGES[0], "head_name": "a\u{0}b", "status": "general" });
    let refused = world.post(officer, "/v1/households", household).await.refused(422, "invalid_value");
    assert_eq!(refused["pointer"], "/head_name");
    let mut order = side.order();
    order["lines"][0]["grade"] = json!("\u{0}");
    let refused = world.post(side.person(Role::Buyer), "/v1/orders", order).await;
    assert_eq!(refused.refused(422, "invalid_value")["pointer"], "/lines/0/grade");
    for path in ["/v1/products?category=%00", "/v1/lots?cursor=%00", "/v1/regions/%00", "/v1/lots?q=%00"] {
        world.get(officer, path).await.refused(400, "malformed_request");
    }
    let file = "编号,户主姓名,村代码,户类型\n1,a\0b,341823100001,一般农户\n";
    let request = world.request(Method::POST, Some(officer), "/v1/households/import");
    let request = request.header("content-type", "application/octet-stream").body(file);
    Answer::of(request).await.refused(422, "invalid_value");
    assert_eq!((count(&world, "household").await, count(&world, "product").await), rows);
}

/// Nothing is sent by SMS and no PDF is written on this side; pages and files show the text as it is.
#[tokio::test]
async fn at_j10_what_other_templates_would_work_out_stays_as_it_is() {
    let attack = "{{7*191}} ${7*191} #{7*191} <%=7*191%> {%raw%}";
    let page = page_with(attack).await;
    assert!(page.contains("{{7*191}} ${7*191} #{7*191}") && page.contains("{%raw%}"), "{page}");
    assert!(!page.contains("1337"));
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let household = json!({ "village": VILLAGES[0], "head_name": attack, "status": "general" });
    let made: Value = world.post(&officer, "/v1/households", household).await.created();
    let read = world.get(&officer, &format!("/v1/households/{}", id_of(&made))).await.ok();
    assert_eq!(read["head_name"], attack);
}
