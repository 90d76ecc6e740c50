//! Who may do what: every operation of the contract as every role and as nobody, about what is theirs and about what is
//! not. An operation without a row here fails the suite.

pub mod arranged;
mod matrix;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::cli::openapi::PUBLIC_OPERATIONS;
use zhuxiao::members::access::Role;

use crate::contract::{contract, operations};
use crate::support::{Answer, PASSWORD, Person, World};
use arranged::{FOREIGN, NEIGHBOUR, OWN, Side, add_other_county, kilos};

/// What each role gets about what exists for it: `yes`, `no` (403 `not_allowed`) or `hidden` (404 `not_found`).
/// Nobody gets 401 everywhere but at the operations marked `public`, which are the same for all; everybody does at those
/// marked `unsigned`, which ask for another proof than a session.
const EXPECTED: &str = "
operation                   household helper    buyer     approver  officer   finance   auditor   security  admin
create_session              public
create_one_time_code        public
list_public_lots            public
get_public_progress         public
list_sessions               yes       yes       yes       yes       yes       yes       yes       yes       yes
delete_current_session      yes       yes       yes       yes       yes       yes       yes       yes       yes
delete_all_sessions         yes       yes       yes       yes       yes       yes       yes       yes       yes
delete_session              yes       yes       yes       yes       yes       yes       yes       yes       yes
get_me                      yes       yes       yes       yes       yes       yes       yes       yes       yes
begin_second_factor         yes       yes       yes       yes       yes       yes       yes       yes       yes
confirm_second_factor       yes       yes       yes       yes       yes       yes       yes       yes       yes
change_password             yes       yes       yes       yes       yes       yes       yes       yes       yes
create_api_key              no        no        yes       yes       no        no        no        no        no
list_api_keys               no        no        yes       yes       no        no        no        no        no
delete_api_key              no        no        yes       hidden    no        no        no        no        no
create_principal            no        no        no        no        no        no        no        no        yes
list_principals             no        no        no        no        no        no        no        yes       yes
change_role                 no        no        no        no        no        no        no        no        yes
activate_principal          no        no        no        no        no        no        no        yes       no
deactivate_principal        no        no        no        no        no        no        no        yes       no
reset_second_factor         no        no        no        no        no        no        no        yes       no
list_regions                yes       yes       yes       yes       yes       yes       yes       yes       yes
get_region                  yes       yes       yes       yes       yes       yes       yes       yes       yes
list_households             yes       yes       no        no        yes       yes       yes       no        no
create_household            no        no        no        no        yes       no        no        no        no
import_households           no        no        no        no        yes       no        no        no        no
get_household               yes       yes       no        no        yes       yes       yes       no        no
update_household            yes       yes       no        no        yes       no        no        no        no
change_household_status     no        no        no        no        yes       no        no        no        no
find_households             no        no        no        no        yes       yes       no        no        no
reveal_household            no        no        no        no        yes       yes       no        no        no
record_survey_visit         no        yes       no        no        yes       no        no        no        no
list_institutions           no        no        yes       yes       yes       yes       yes       no        no
create_institution          no        no        no        no        yes       no        no        no        no
get_institution             no        no        yes       yes       yes       yes       yes       no        no
update_institution          no        no        no        no        yes       no        no        no        no
list_cooperatives           no        no        no        no        yes       yes       yes       no        no
create_cooperative          no        no        no        no        yes       no        no        no        no
add_cooperative_member      no        no        no        no        yes       no        no        no        no
remove_cooperative_member   no        no        no        no        yes       no        no        no        no
list_pairings               yes       yes       no        no        yes       yes       yes       no        no
create_pairing              no        no        no        no        yes       no        no        no        no
end_pairing                 no        no        no        no        yes       no        no        no        no
list_products               yes       yes       yes       yes       yes       yes       yes       no        no
create_product              no        no        no        no        yes       no        no        no        no
get_product                 yes       yes       yes       yes       yes       yes       yes       no        no
edit_product                no        no        no        no        yes       no        no        no        no
list_reference_prices       yes       yes       yes       yes       yes       yes       yes       no        no
create_reference_price      no        no        no        no        yes       no        no        no        no
approve_reference_price     no        no        no        no        yes       no        no        no        no
list_lots                   yes       yes       yes       yes       yes       no        yes       no        no
offer_lot                   yes       yes       no        no        yes       no        no        no        no
import_lots                 no        no        no        no        yes       no        no        no        no
get_lot                     yes       yes       yes       yes       yes       no        yes       no        no
edit_lot                    yes       yes       no        no        yes       no        no        no        no
withdraw_lot                yes       yes       no        no        yes       no        no        no        no
list_orders                 no        no        yes       yes       yes       yes       yes       no        no
place_order                 no        no        yes       yes       no        no        no        no        no
preview_order               no        no        yes       yes       no        no        no        no        no
get_order                   hidden    hidden    yes       yes       yes       yes       yes       no        no
list_allocations            yes       yes       yes       yes       yes       yes       yes       no        no
cancel_order                no        no        yes       yes       no        no        no        no        no
confirm_order               no        no        no        yes       no        no        no        no        no
rate_order                  no        no        yes       yes       no        no        no        no        no
list_deliveries             yes       yes       yes       yes       yes       yes       yes       no        no
dispatch_delivery           yes       yes       no        no        yes       no        no        no        no
get_delivery                yes       yes       yes       yes       yes       yes       yes       no        no
accept_delivery             no        no        yes       yes       no        no        no        no        no
list_settlements            yes       yes       yes       yes       yes       yes       yes       no        no
get_settlement              yes       yes       yes       yes       yes       yes       yes       no        no
create_fee_rate             no        no        no        no        no        yes       no        no        no
list_fee_rates              no        no        yes       yes       yes       yes       yes       no        no
create_payment_term         no        no        no        no        no        yes       no        no        no
list_payment_terms          no        no        yes       yes       yes       yes       yes       no        no
list_payment_reminders      no        no        yes       yes       yes       yes       yes       no        no
list_payments               no        no        yes       yes       yes       yes       yes       no        no
record_payment              no        no        no        no        no        yes       no        no        no
reverse_payment             no        no        no        no        no        yes       no        no        no
list_bank_statements        no        no        no        no        no        yes       yes       no        no
import_bank_statement       no        no        no        no        no        yes       no        no        no
list_bank_statement_lines   no        no        no        no        no        yes       yes       no        no
get_deposit                 no        no        yes       yes       no        yes       yes       no        no
use_deposit                 no        no        no        no        no        yes       no        no        no
list_deposit_uses           no        no        yes       yes       no        yes       yes       no        no
reverse_deposit_use         no        no        no        no        no        yes       no        no        no
list_match_candidates       no        no        no        no        no        yes       yes       no        no
match_bank_statement_line   no        no        no        no        no        yes       no        no        no
explain_bank_statement_line no        no        no        no        no        yes       no        no        no
list_payout_batches         no        no        no        no        yes       yes       yes       no        no
make_payout_batch           no        no        no        no        no        yes       no        no        no
get_payout_batch            no        no        no        no        yes       yes       yes       no        no
list_payouts                no        no        no        no        yes       yes       yes       no        no
list_left_out_households    no        no        no        no        yes       yes       yes       no        no
approve_payout_batch        no        no        no        no        no        yes       no        no        no
record_payout_results       no        no        no        no        no        yes       no        no        no
list_papers                 yes       yes       yes       yes       yes       yes       yes       no        no
issue_paper                 no        no        no        no        no        yes       no        no        no
get_paper                   hidden    hidden    yes       yes       yes       yes       yes       no        no
get_paper_file              hidden    hidden    yes       yes       yes       yes       yes       no        no
print_paper                 hidden    hidden    yes       yes       yes       yes       yes       no        no
get_invoice_data            no        no        yes       yes       yes       yes       yes       no        no
get_monthly_statement       no        no        yes       yes       yes       yes       yes       no        no
get_payout_file             no        no        no        no        no        yes       no        no        no
import_payout_results       no        no        no        no        no        yes       no        no        no
mark_payouts_unknown        no        no        no        no        no        yes       no        no        no
allow_payout_retry          no        no        no        no        no        yes       no        no        no
list_ledger_accounts        no        no        no        no        no        yes       yes       no        no
list_ledger_postings        no        no        no        no        no        yes       yes       no        no
get_ledger_entry            no        no        no        no        no        yes       yes       no        no
export_ledger               no        no        no        no        no        yes       yes       no        no
report_sales                no        no        no        no        yes       yes       yes       no        no
report_coverage             no        no        no        no        yes       yes       yes       no        no
report_income               no        no        no        no        yes       yes       yes       no        no
report_reconciliation       no        no        no        no        yes       yes       yes       no        no
report_unsold               no        no        no        no        yes       yes       yes       no        no
report_overdue              no        no        no        no        yes       yes       yes       no        no
list_problems               no        no        no        no        yes       yes       yes       no        no
raise_problem               no        no        no        no        yes       yes       no        no        no
get_problem                 no        no        no        no        yes       yes       yes       no        no
close_problem               no        no        no        no        yes       yes       no        no        no
export_my_data              yes       yes       yes       yes       yes       yes       yes       yes       yes
request_erasure             yes       no        no        no        no        no        no        no        no
list_erasure_requests       no        no        no        no        yes       no        no        no        no
approve_erasure             no        no        no        no        yes       no        no        no        no
refuse_erasure              no        no        no        no        yes       no        no        no        no
list_audit_events           no        no        no        no        no        no        yes       no        no
take_bank_callback          unsigned
create_webhook              no        no        yes       yes       no        no        no        no        no
list_webhooks               no        no        yes       yes       no        no        no        no        no
get_webhook                 no        no        yes       yes       no        no        no        no        no
delete_webhook              no        no        yes       yes       no        no        no        no        no
list_webhook_deliveries     no        no        yes       yes       no        no        no        no        no
";

/// The table: per operation what each role gets, or nothing for a public one.
fn expected() -> BTreeMap<&'static str, Option<Vec<(Role, &'static str)>>> {
    let mut lines = EXPECTED.trim().lines().map(|line| line.split_whitespace());
    let roles: Vec<Role> = lines.next().unwrap().skip(1).map(|name| Role::parse(name).unwrap()).collect();
    assert_eq!(roles, Role::ALL, "a column per role");
    let rows = lines.map(|mut cells| {
        let operation = cells.next().unwrap();
        let cells: Vec<&str> = cells.collect();
        if cells == ["public"] {
            return (operation, None);
        }
        if cells == ["unsigned"] {
            return (operation, Some(roles.iter().map(|role| (*role, "signed in")).collect()));
        }
        assert_eq!(cells.len(), roles.len(), "{operation} needs a cell per role");
        (operation, Some(roles.iter().copied().zip(cells).collect()))
    });
    rows.collect()
}

/// An operation of the contract.
struct Operation {
    id: String,
    method: Method,
    path: String,
}

async fn every_operation() -> Vec<Operation> {
    let described = operations(&contract().await).into_iter().map(|(method, path, operation)| Operation {
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_uppercase().parse().unwrap(),
        path,
    });
    described.collect()
}

impl Operation {
    fn is_public(&self) -> bool {
        PUBLIC_OPERATIONS.contains(&self.id.as_str())
    }

    fn ends_sessions(&self) -> bool {
        let ids = ["delete_session", "delete_current_session", "delete_all_sessions", "change_password"];
        ids.contains(&self.id.as_str())
    }

    /// The address of the object of a side that the operation is about.
    fn address(&self, side: &Side) -> String {
        let about = match self.id.as_str() {
            "get_region" => side.home.village,
            "delete_session" => "01958000-0000-7000-8000-000000000000",
            "confirm_order" | "cancel_order" => side.id("placed_order"),
            // The first pairing keeps the helper's reach.
            "end_pairing" => side.id("second_pairing"),
            _ => match self.path.split('/').nth(2).unwrap() {
                "households" if self.path.contains('{') => side.id("household"),
                "institutions" => side.id("institution"),
                "cooperatives" => side.id("cooperative"),
                "products" => side.id("product"),
                "lots" => side.id("lot"),
                "orders" => side.id("order"),
                "deliveries" => side.id("delivery"),
                "settlements" => side.id("settlement"),
                "payments" => side.id("payment"),
                "bank_statements" => side.id("bank_statement"),
                "deposit_uses" => side.id("deposit_use"),
                "bank_statement_lines" => side.id("bank_line"),
                "payout_batches" => side.id("payout_batch"),
                "papers" => side.id("paper"),
                "problems" => side.id("problem"),
                "principals" => side.id("principal"),
                "api_keys" => side.id("api_key"),
                "erasure_requests" => side.id("erasure_request"),
                "webhooks" => side.id("webhook"),
                "ledger" if self.path.contains("entries") => side.id("ledger_entry"),
                "ledger" => side.id("ledger_account"),
                _ => "",
            },
        };
        let path = self.path.replace("{id}", about).replace("{code}", about).replace("{month}", "2027-03");
        format!(
            "{}{}",
            path.replace("{household_id}", side.id("household"))
                .replace("{price_id}", side.id("reference_price")),
            self.query(side)
        )
    }

    fn query(&self, side: &Side) -> String {
        match self.id.as_str() {
            "report_sales" | "report_coverage" | "report_income" => {
                "?from=2027-01-01&to=2027-03-01".to_owned()
            }
            "export_ledger" | "get_payout_file" => "?format=csv".to_owned(),
            "get_paper_file" => "?format=json".to_owned(),
            "get_public_progress" => format!("?region={}", side.home.county),
            _ => String::new(),
        }
    }

    /// A body that is right, about the objects of a side.
    fn body(&self, side: &Side) -> Option<Value> {
        let household = side.id("household");
        let price = json!({ "amount": "40.00", "per": "kg" });
        let body = match self.id.as_str() {
            "create_session" => json!({ "account": side.account(Role::Officer), "password": PASSWORD }),
            "create_one_time_code" => json!({ "phone": "13912345670", "purpose": "sign_in" }),
            "begin_second_factor" => json!({ "password": PASSWORD }),
            "confirm_second_factor" => json!({ "code": "000000" }),
            "change_password" => {
                json!({ "current_password": PASSWORD, "new_password": "another one for tests" })
            }
            "create_api_key" => json!({ "name": "canteen", "scopes": ["orders:write"] }),
            "create_principal" => json!({
                "account": "new-helper", "display_name": "新帮扶人", "role": "helper", "county": side.home.county,
                "phone": "13912345671",
            }),
            "change_role" => json!({ "role": "finance" }),
            "create_household" => {
                json!({ "village": side.home.village, "head_name": "新户", "status": "general" })
            }
            "update_household" | "find_households" => json!({ "phone": "13912345679" }),
            "change_household_status" => json!({ "status": "general", "from_on": "2027-03-01" }),
            "reveal_household" => json!({ "fields": ["phone"], "reason": "核对联系电话" }),
            "record_survey_visit" => json!({ "visited_on": "2027-03-01", "outcome": "nothing_unsold" }),
            "create_institution" => json!({
                "region": side.home.village, "name": "新单位", "kind": "union", "credit_code": "12100000400010275N",
            }),
            "update_institution" => json!({ "name": "新名称" }),
            "create_cooperative" => json!({ "region": side.home.village, "name": "新园区", "kind": "park" }),
            "create_pairing" => {
                json!({ "helper_id": side.person(Role::Helper).id, "household_id": household })
            }
            "end_pairing" | "request_erasure" => json!({}),
            "create_product" => json!({
                "code": "new", "name": "新品", "category": "tea", "measure": "mass", "pricing_unit": "kg",
                "catalogue_code": "A07031301", "tax_code": "1010116010000000000",
            }),
            "edit_product" => json!({ "name": "改名" }),
            "create_reference_price" => json!({ "price": price, "from_on": "2027-03-01", "source": "市场" }),
            "offer_lot" => json!({
                "household_id": household, "product_id": side.id("product"), "quantity": kilos("5"), "price": price,
                "ready_from": "2027-03-01", "sell_by": "2027-12-31",
            }),
            "edit_lot" => json!({ "sell_by": "2027-12-31" }),
            "place_order" | "preview_order" => side.order(),
            "rate_order" => json!({ "stars": 5 }),
            "dispatch_delivery" => {
                json!({ "lines": [{ "allocation_id": side.id("allocation"), "quantity": kilos("1") }] })
            }
            "accept_delivery" => side.acceptance(),
            "create_fee_rate" => json!({ "from_on": "2027-03-02", "percent": "1", "source": "会议纪要" }),
            "create_payment_term" => json!({ "from_on": "2027-03-02", "days": 45, "source": "合同" }),
            "record_payment" => side.payment(),
            "reverse_payment" | "reverse_deposit_use" => json!({ "reason": "a wrong payer" }),
            "use_deposit" => json!({ "amount": "1.00" }),
            "match_bank_statement_line" => json!({ "institution_id": side.id("institution") }),
            "explain_bank_statement_line" => json!({ "note": "interest" }),
            "make_payout_batch" => json!({ "up_to": "2027-03-01" }),
            "raise_problem" => json!({
                "title": "账户不符", "detail": "存折已注销", "household_id": household, "owner": "officer",
                "due_on": "2027-03-08",
            }),
            "refuse_erasure" => json!({ "reason": "还有未付款项" }),
            "close_problem" => json!({ "evidence": "已更正" }),
            "record_payout_results" => {
                json!({ "results": [{ "payout_id": side.id("payout"), "result": "paid" }] })
            }
            "issue_paper" => {
                json!({ "kind": "settlement_statement", "settlement_id": side.id("settlement") })
            }
            "create_webhook" => json!({ "url": "https://1.1.1.1/hook" }),
            "mark_payouts_unknown" => json!({ "payout_ids": [side.id("payout")] }),
            "allow_payout_retry" => {
                json!({ "payout_ids": [side.id("payout")], "reason": "the account is right" })
            }
            _ => return None,
        };
        Some(body)
    }

    async fn ask(&self, world: &World, by: Option<&Person>, address: &str, body: Option<Value>) -> Answer {
        let request = world
            .request(self.method.clone(), by, address)
            .header("Idempotency-Key", Uuid::now_v7().to_string())
            .header("If-Match", "\"1\"");
        Answer::of(match body {
            Some(body) => request.json(&body),
            None if self.id.starts_with("import_") => {
                request.header("content-type", "application/octet-stream").body("no such column\n1\n")
            }
            None => request,
        })
        .await
    }

    /// Somebody asks about what a side has. What ends sessions is asked by somebody in their place.
    async fn ask_about(&self, world: &World, side: &Side, role: Role) -> Answer {
        if !self.ends_sessions() {
            return self.ask(world, Some(side.person(role)), &self.address(side), self.body(side)).await;
        }
        let by = side.stand_in(world, role).await;
        let sessions = world.get(&by, "/v1/sessions").await.ok();
        let session = sessions["items"][0]["id"].as_str().unwrap();
        let address =
            if self.id == "delete_session" { format!("/v1/sessions/{session}") } else { self.path.clone() };
        self.ask(world, Some(&by), &address, self.body(side)).await
    }
}

/// The answer is what the table says; `who` is for the message of a failure.
fn hold_to(cell: &str, is_read: bool, answer: &Answer, who: &str) {
    let status = answer.status.as_u16();
    let code = if answer.status.is_success() { Value::Null } else { answer.json()["code"].clone() };
    let holds = match cell {
        "yes" if is_read => status == 200,
        "yes" => ![401, 403, 404, 405].contains(&status) && status < 500,
        "no" => status == 403 && code == "not_allowed",
        "hidden" => status == 404 && code == "not_found",
        "signed in" => status == 401 && code == "not_signed_in",
        other => panic!("{other} is no cell"),
    };
    assert!(holds, "{who}: {cell} was expected, got {status} {}", answer.text);
}

async fn market() -> World {
    World::with(|settings| settings.sms_url = Some("log:".to_owned())).await.with_regions().await
}

#[tokio::test]
async fn every_operation_of_the_contract_has_a_row_and_every_row_an_operation() {
    let described: BTreeSet<String> =
        every_operation().await.into_iter().map(|operation| operation.id).collect();
    let rows: BTreeSet<String> = expected().keys().map(|id| (*id).to_owned()).collect();
    assert_eq!(described, rows);
    assert_eq!(rows.len(), EXPECTED.trim().lines().count() - 1, "a row stands twice");
}

#[tokio::test]
async fn every_role_gets_what_the_table_says_about_what_is_its_own() {
    let world = market().await;
    let side = Side::arrange(&world, OWN).await;
    let rows = expected();
    for operation in every_operation().await {
        let Some(cells) = &rows[operation.id.as_str()] else { continue };
        for (role, cell) in cells {
            let answer = operation.ask_about(&world, &side, *role).await;
            let who = format!("{} as {}", operation.id, role.as_str());
            hold_to(cell, operation.method == Method::GET, &answer, &who);
        }
    }
}

#[tokio::test]
async fn nobody_gets_only_what_is_public() {
    let world = market().await;
    let side = Side::arrange(&world, OWN).await;
    for operation in every_operation().await {
        let answer = operation.ask(&world, None, &operation.address(&side), operation.body(&side)).await;
        if operation.is_public() {
            assert!(answer.status.is_success(), "{}: {}", operation.id, answer.text);
        } else {
            hold_to("signed in", false, &answer, &operation.id);
        }
    }
}

#[tokio::test]
async fn what_is_of_another_county_does_not_exist_for_anybody() {
    let world = market().await;
    add_other_county(&world).await;
    let own = Side::arrange(&world, OWN).await;
    let foreign = Side::arrange(&world, FOREIGN).await;
    hold_apart(&world, &own, &foreign, &Role::ALL, |_, _| false).await;
}

#[tokio::test]
async fn what_is_of_another_household_or_institution_does_not_exist_for_its_neighbours() {
    let world = market().await;
    let own = Side::arrange(&world, OWN).await;
    let neighbour = Side::arrange(&world, NEIGHBOUR).await;
    let roles = [Role::Household, Role::Helper, Role::Buyer, Role::Approver];
    // Catalogue and price guide are the county's, and buyers choose among all its lots.
    let is_shared = |role: Role, of: &str| match of {
        "product" | "reference_price" => true,
        "lot" => matches!(role, Role::Buyer | Role::Approver),
        _ => false,
    };
    hold_apart(&world, &own, &neighbour, &roles, is_shared).await;
}

#[tokio::test]
async fn a_helper_reaches_all_of_a_household_to_the_last_day_of_the_pairing_and_nothing_after() {
    let world = market().await;
    let side = Side::arrange(&world, OWN).await;
    let end = format!("/v1/pairings/{}/end", side.id("pairing"));
    world.post(side.person(Role::Officer), &end, json!({ "last_on": "2027-03-01" })).await.ok();
    let paths = [
        format!("/v1/households/{}", side.id("household")),
        format!("/v1/lots/{}", side.id("lot")),
        format!("/v1/orders/{}/allocations", side.id("order")),
        format!("/v1/orders/{}/deliveries", side.id("order")),
        format!("/v1/deliveries/{}", side.id("delivery")),
        format!("/v1/settlements/{}", side.id("settlement")),
    ];
    for path in &paths {
        world.get(side.person(Role::Helper), path).await.ok();
    }
    world.clock.advance(chrono::TimeDelta::days(1));
    let (_, helper) = side.another_session(&world, Role::Helper).await;
    for path in &paths {
        world.get(&helper, path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_helper_does_not_change_where_a_household_is_paid() {
    let world = market().await;
    let side = Side::arrange(&world, OWN).await;
    let path = format!("/v1/households/{}", side.id("household"));
    let account = json!({ "bank_account": "6228480402564890018" });
    world.patch(side.person(Role::Helper), &path, "\"1\"", account.clone()).await.refused(403, "not_allowed");
    world.patch(side.person(Role::Household), &path, "\"1\"", account).await.ok();
}

/// Nobody of one side reaches anything of another: every operation about it is refused, and no list names it.
async fn hold_apart(
    world: &World,
    own: &Side,
    other: &Side,
    roles: &[Role],
    is_shared: impl Fn(Role, &str) -> bool,
) {
    let rows = expected();
    for operation in every_operation().await {
        // What ends sessions says the same about sessions of others as about none; the rest is left to tests/api/sessions.rs.
        let Some(cells) = rows[operation.id.as_str()].as_ref().filter(|_| !operation.ends_sessions()) else {
            continue;
        };
        for (role, cell) in cells.iter().filter(|(role, cell)| roles.contains(role) && *cell != "no") {
            let who = format!("{} as {}", operation.id, role.as_str());
            let by = own.person(*role);
            let address = operation.address(other);
            let answer = operation.ask(world, Some(by), &address, operation.body(other)).await;
            for (of, id) in other.ids().filter(|(of, id)| !is_shared(*role, of) && !address.contains(*id)) {
                assert!(!answer.text.contains(id), "{who} is told the {of} of others: {}", answer.text);
            }
            if is_about_others(&operation, *role, &is_shared) {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{who} ({cell}): {}", answer.text);
            }
        }
    }
}

/// Whether the path names an object that exists for its own side alone.
fn is_about_others(operation: &Operation, role: Role, is_shared: &impl Fn(Role, &str) -> bool) -> bool {
    let of = match operation.path.split('/').nth(2).unwrap() {
        "products" => "product",
        "lots" => "lot",
        _ => "another",
    };
    operation.path.contains("{id}") && !is_shared(role, of)
}
