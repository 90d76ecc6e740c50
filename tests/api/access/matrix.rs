//! The access matrix: what somebody of each role gets about what one side of a market has, being of that side, of another
//! side in its county, or of another county. The rows are the operations that come nearest to those of the specification
//! of who may do what; a note says where it says something else, and why it is not so here. It has one row that
//! nothing here comes near to: files of receipts.

use reqwest::Method;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;

use super::arranged::{FOREIGN, NEIGHBOUR, OWN, Side, add_other_county};
use super::{Operation, every_operation, hold_to, market};
use crate::support::World;

/// `2xx` allowed, `own` answered with nothing of that side in it, else the status. HH household, IN buyer, BU officer, FI
/// finance, AU auditor, SY administrator; `+` of the side itself or its region, `=` of another side in its county, `-` of
/// another county.
const MATRIX: &str = "
operation             nobody HH+ HH= HH- IN+ IN= IN- BU+ BU- FI+ FI- AU+ AU- SY+
list_public_lots      2xx    2xx 2xx 2xx 2xx 2xx 2xx 2xx 2xx 2xx 2xx 2xx 2xx 2xx
list_lots             401    2xx own own 2xx 2xx own 2xx own 403 403 2xx own 403
get_lot               401    2xx 404 404 2xx 2xx 404 2xx 404 403 403 2xx 404 403 # IN 404: there are no drafts, what is on sale is for buyers of the county
offer_lot             401    2xx 422 422 403 403 403 2xx 404 403 403 403 403 403 # HH 403: the member is what is wrong; BU 403: officers list for those who have no phone
edit_lot              401    2xx 404 404 403 403 403 2xx 404 403 403 403 403 403 # BU 403: as above
withdraw_lot          401    2xx 404 404 403 403 403 2xx 404 403 403 403 403 403 # BU 403: as above
list_households       401    2xx own own 403 403 403 2xx own 2xx own 2xx own 403 # HH 403: the list of what exists for a household is itself
get_household         401    2xx 404 404 403 403 403 2xx 404 2xx 404 2xx 404 403
reveal_household      401    403 403 403 403 403 403 2xx 404 2xx 404 403 403 403
update_household      401    2xx 404 404 403 403 403 2xx 404 403 403 403 403 403 # BU 403: officers keep the accounts of those who have no phone; two of finance pay to them
place_order           401    403 403 403 2xx 404 404 403 403 403 403 403 403 403 # IN 403: the institution does not exist for them
list_orders           401    403 403 403 2xx own own 2xx own 2xx own 2xx own 403
get_order             401    404 404 404 2xx 404 404 2xx 404 2xx 404 2xx 404 403
list_allocations      401    2xx 404 404 2xx 404 404 2xx 404 2xx 404 2xx 404 403
cancel_order          401    403 403 403 2xx 404 404 403 403 403 403 403 403 403
accept_delivery       401    403 403 403 2xx 404 404 403 403 403 403 403 403 403
get_settlement        401    2xx 404 404 2xx 404 404 2xx 404 2xx 404 2xx 404 403
list_payouts          401    403 403 403 403 403 403 2xx 404 2xx 404 2xx 404 403 # HH 2xx of its own: a household sees what it was paid on its settlements
make_payout_batch     401    403 403 403 403 403 403 403 403 2xx own 403 403 403 # FI 404: the county is the caller's and is not named
approve_payout_batch  401    403 403 403 403 403 403 403 403 2xx 404 403 403 403
reverse_payment       401    403 403 403 403 403 403 403 403 2xx 404 403 403 403
list_ledger_postings  401    403 403 403 403 403 403 403 403 2xx 404 2xx 404 403
report_sales          401    403 403 403 403 403 403 2xx 404 2xx 404 2xx 404 403
export_ledger         401    403 403 403 403 403 403 403 403 2xx own 2xx own 403 # BU 2xx: officers do not read the ledger, AU 403: auditors do
import_households     401    403 403 403 403 403 403 2xx own 403 403 403 403 403 # BU 404: the rows are refused, as villages of others are
print_paper           401    404 404 404 2xx 404 404 2xx 404 2xx 404 2xx 404 403 # HH 2xx: a paper names all households of a sale
list_audit_events     401    403 403 403 403 403 403 403 403 403 403 2xx own 403
create_webhook        401    403 403 403 2xx own own 403 403 403 403 403 403 403 # IN 403: it is the caller's institution that is told
list_webhook_deliveries 401  403 403 403 2xx 404 404 403 403 403 403 403 403 403
export_my_data        401    2xx own own 2xx own own 2xx own 2xx own 2xx own 2xx
create_principal      401    403 403 403 403 403 403 403 403 403 403 403 403 2xx
list_principals       401    403 403 403 403 403 403 403 403 403 403 403 403 2xx
change_role           401    403 403 403 403 403 403 403 403 403 403 403 403 2xx
get_me                401    2xx own own 2xx own own 2xx own 2xx own 2xx own 2xx
list_sessions         401    2xx own own 2xx own own 2xx own 2xx own 2xx own 2xx
delete_session        401    404 404 404 404 404 404 404 404 404 404 404 404 404
list_products         401    2xx 2xx own 2xx 2xx own 2xx own 2xx own 2xx own 403
";

/// Who stands for a column: of which side, in which role.
const COLUMNS: [(&str, Option<(usize, Role)>); 14] = [
    ("nobody", None),
    ("HH+", Some((0, Role::Household))),
    ("HH=", Some((1, Role::Household))),
    ("HH-", Some((2, Role::Household))),
    ("IN+", Some((0, Role::Buyer))),
    ("IN=", Some((1, Role::Buyer))),
    ("IN-", Some((2, Role::Buyer))),
    ("BU+", Some((0, Role::Officer))),
    ("BU-", Some((2, Role::Officer))),
    ("FI+", Some((0, Role::Finance))),
    ("FI-", Some((2, Role::Finance))),
    ("AU+", Some((0, Role::Auditor))),
    ("AU-", Some((2, Role::Auditor))),
    ("SY+", Some((0, Role::Admin))),
];

/// An account and a phone that stand in no answer.
const PHONE: &str = "13912345679";
const ACCOUNT: &str = "0000000000000000018";

/// Operations and the cells of their rows.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut lines = MATRIX.trim().lines().map(|line| line.split('#').next().unwrap().split_whitespace());
    let names: Vec<&str> = lines.next().unwrap().skip(1).collect();
    assert_eq!(names, COLUMNS.map(|(name, _)| name), "a column each");
    let rows = lines.map(|mut cells| {
        let operation = cells.next().unwrap();
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), COLUMNS.len(), "{operation} needs a cell per column");
        (operation, cells)
    });
    rows.collect()
}

/// What is asked is about the first side, however little of it the request names.
fn address(operation: &Operation, side: &Side, session: &str) -> String {
    let address = operation.address(side);
    match operation.id.as_str() {
        "report_sales" => format!("{address}&region={}", side.home.county),
        "delete_session" => format!("/v1/sessions/{session}"),
        _ => address,
    }
}

fn body(operation: &Operation, side: &Side) -> Option<Value> {
    match operation.id.as_str() {
        "update_household" => Some(json!({ "bank_account": ACCOUNT })),
        _ => operation.body(side),
    }
}

#[tokio::test]
async fn the_access_matrix_holds_row_by_row_and_column_by_column() {
    let world = market().await;
    add_other_county(&world).await;
    let mut sides = Vec::new();
    for home in [OWN, NEIGHBOUR, FOREIGN] {
        sides.push(Side::arrange(&world, home).await);
    }
    let own = &sides[0];
    // Of somebody who stands for no column.
    let (session, _) = own.another_session(&world, Role::Approver).await;
    let operations = every_operation().await;
    for (id, cells) in rows() {
        let operation = operations.iter().find(|operation| operation.id == id).unwrap();
        let (address, body) = (address(operation, own, &session), body(operation, own));
        for ((column, actor), cell) in COLUMNS.into_iter().zip(cells) {
            let by = actor.map(|(side, role)| sides[side].person(role));
            let answer = operation.ask(&world, by, &address, body.clone()).await;
            let who = format!("{id} as {column}");
            let status = answer.status.as_u16();
            match cell {
                "2xx" => hold_to("yes", operation.method == Method::GET, &answer, &who),
                "own" => {
                    hold_to("yes", operation.method == Method::GET, &answer, &who);
                    for (of, id) in own.ids().filter(|(_, id)| !address.contains(*id)) {
                        assert!(!answer.text.contains(id), "{who} is told the {of}: {}", answer.text);
                    }
                }
                expected => assert_eq!(status.to_string(), expected, "{who}: {}", answer.text),
            }
        }
    }
}

/// Whoever administers the system sees of what is in it the people who sign in and the regions, which everybody knows, and
/// nothing else.
#[tokio::test]
async fn an_administrator_reaches_nothing_but_people_and_regions() {
    let rows = super::expected();
    let allowed: Vec<&str> = rows
        .iter()
        .filter_map(|(operation, cells)| cells.as_ref().map(|cells| (*operation, cells)))
        .filter(|(_, cells)| cells.iter().any(|(role, cell)| *role == Role::Admin && *cell != "no"))
        .map(|(operation, _)| operation)
        .filter(|operation| {
            !["session", "my_data", "second_factor", "password"].iter().any(|own| operation.contains(own))
        })
        .collect();
    // The bank is told by its signature, whoever has signed in.
    let known =
        ["change_role", "create_principal", "get_me", "get_region", "list_principals", "list_regions"];
    assert_eq!(allowed.iter().filter(|id| **id != "take_bank_callback").copied().collect::<Vec<_>>(), known);
}

/// The places where accounts and names are in the clear are the file that tells the bank whom to pay, and what somebody is
/// handed of their own.
#[tokio::test]
async fn no_answer_shows_a_phone_or_an_account_and_names_only_to_those_who_know_the_household() {
    let world: World = market().await;
    let side = Side::arrange(&world, OWN).await;
    let path = format!("/v1/households/{}", side.id("household"));
    let etag = world.get(side.person(Role::Household), &path).await.header("etag").to_owned();
    let reach = json!({ "phone": PHONE, "bank_account": ACCOUNT });
    world.patch(side.person(Role::Household), &path, &etag, reach).await.ok();
    let mut shown = 0;
    for operation in every_operation().await {
        if operation.method != Method::GET
            || ["get_payout_file", "export_my_data"].contains(&operation.id.as_str())
        {
            continue;
        }
        for role in Role::ALL {
            let answer =
                operation.ask(&world, Some(side.person(role)), &operation.address(&side), None).await;
            let who = format!("{} as {}", operation.id, role.as_str());
            for clear in [PHONE, ACCOUNT] {
                assert!(!answer.text.contains(clear), "{who}: {}", answer.text);
            }
            let is_named = answer.text.contains("示范户");
            let knows_them = matches!(role, Role::Household | Role::Helper | Role::Officer);
            assert!(!is_named || knows_them, "{who}: {}", answer.text);
            shown += usize::from(is_named);
        }
    }
    assert!(shown > 0, "those who know the household are told its name");
    let household = world.get(side.person(Role::Officer), &path).await.ok();
    assert_eq!(
        (&household["phone"], &household["bank_account"]),
        (&json!("139****5679"), &json!("****0018"))
    );
}
