//! The specification of late payment: days and interest on settlements as of any day, reminders, and no more goods on
//! credit for those who owe too long.

use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::settlement::reminders;

use crate::support::purse::Purse;
use crate::support::{Person, second_process};

/// Days overdue and interest of a settlement, as somebody sees it.
async fn lateness(purse: &Purse, by: &Person, settlement: Uuid, query: &str) -> (i64, String) {
    let shown = purse.world.get(by, &format!("/v1/settlements/{settlement}{query}")).await.ok();
    (shown["days_overdue"].as_i64().unwrap(), shown["interest"].as_str().unwrap().to_owned())
}

fn late(days: i64, interest: &str) -> (i64, String) {
    (days, interest.to_owned())
}

#[tokio::test]
async fn a_settlement_shows_the_days_it_is_overdue_and_interest_of_five_in_ten_thousand_a_day() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 1_000_000)]).await;
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(0, "0.00"));
    purse.later(30).await;
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(0, "0.00"), "due today");
    purse.later(30).await;
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(30, "150.00"));
    assert_eq!(lateness(&purse, &purse.finance, settlement, "?as_of=2027-04-01").await, late(1, "5.00"));
    let ahead = lateness(&purse, &purse.finance, settlement, "?as_of=2027-05-10").await;
    assert_eq!(ahead, late(40, "200.00"), "if nothing is paid until then");
    let listed = purse.world.get(&purse.finance, "/v1/settlements?as_of=2027-04-02").await.ok();
    assert_eq!(
        (&listed["items"][0]["interest"], &listed["items"][0]["days_overdue"]),
        (&json!("10.00"), &json!(2))
    );
    let [_, _, _, receivable, _] = purse.balances().await;
    assert_eq!(receivable, "10000.00", "interest is shown, not booked");
    let path = format!("/v1/settlements/{settlement}?as_of=2099-01-01");
    purse.world.get(&purse.finance, &path).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn interest_follows_partial_payments_and_stays_as_it_was_once_all_is_paid() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 1_000_000)]).await;
    purse.later(40).await;
    purse.pay("4000.00").await;
    purse.later(10).await;
    let now = lateness(&purse, &purse.finance, settlement, "").await;
    assert_eq!(now, late(20, "80.00"), "10 days of 10,000.00 and 10 of 6,000.00");
    purse.pay("6000.00").await;
    purse.later(10).await;
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(0, "80.00"));
    let before = lateness(&purse, &purse.finance, settlement, "?as_of=2027-04-19").await;
    assert_eq!(before, late(19, "77.00"), "a past day answers as it was");
}

#[tokio::test]
async fn money_booked_late_counts_from_the_day_it_came_and_a_payment_taken_back_never_came() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 1_000_000)]).await;
    purse.later(50).await;
    let mut payment = purse.payment("10000.00");
    payment["received_on"] = json!("2027-04-05");
    let payment = purse.world.post(&purse.finance, "/v1/payments", payment).await.created();
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(0, "25.00"));
    purse.later(10).await;
    purse.reverse(&payment).await.ok();
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(30, "150.00"));
    let before = lateness(&purse, &purse.finance, settlement, "?as_of=2027-04-29").await;
    assert_eq!(before, late(0, "25.00"), "the day before it was taken back it stood");
    let day_before_it_came = lateness(&purse, &purse.finance, settlement, "?as_of=2027-04-04").await;
    assert_eq!(day_before_it_came, late(4, "20.00"));
}

#[tokio::test]
async fn a_household_sees_the_interest_on_its_own_lines_and_the_fee_bears_none() {
    let mut purse = Purse::open().await.with_fee("10").await;
    let homes = purse.households(2).await;
    let settlement = purse.sold(&[(homes[0], 1_000_000), (homes[1], 3_000_000)]).await;
    purse.later(60).await;
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(30, "600.00"));
    let household = purse.world.person(Role::Household, Place::Household(homes[0])).await;
    assert_eq!(lateness(&purse, &household, settlement, "").await, late(30, "150.00"));
    purse.pay("40000.00").await;
    purse.later(10).await;
    let household = purse.world.person(Role::Household, Place::Household(homes[0])).await;
    assert_eq!(lateness(&purse, &household, settlement, "").await, late(0, "150.00"));
    assert_eq!(lateness(&purse, &purse.finance, settlement, "").await, late(40, "600.00"), "the fee is open");
}

/// Steps of all reminders that somebody sees, newest first.
async fn steps(purse: &Purse, by: &Person) -> Vec<i64> {
    let listed = purse.world.get(by, "/v1/payment_reminders").await.ok();
    listed["items"].as_array().unwrap().iter().map(|one| one["step"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn reminders_are_raised_seven_and_three_days_before_on_the_day_and_weekly_after_each_once() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let settlement = purse.sold(&[(home, 10_000)]).await;
    let other = second_process(&purse.world).await;
    let mut raised = Vec::new();
    for day in 0..=45_i64 {
        for app in [&purse.world.app, &other, &purse.world.app] {
            if reminders::sweep(app).await.unwrap() > 0 {
                raised.push(day - 30);
            }
        }
        purse.world.clock.advance(TimeDelta::days(1));
    }
    assert_eq!(raised, [-7, -3, 0, 7, 14]);
    purse.later(0).await;
    assert_eq!(steps(&purse, &purse.finance).await, [14, 7, 0, -3, -7]);
    let listed = purse.world.get(&purse.finance, "/v1/payment_reminders?limit=1").await.ok();
    let newest = &listed["items"][0];
    assert_eq!((&newest["settlement_id"], &newest["open"]), (&json!(settlement), &json!("100.00")));
    assert_eq!((&newest["due_on"], &newest["raised_on"]), (&json!("2027-03-31"), &json!("2027-04-14")));
    purse.audited().await;
}

#[tokio::test]
async fn after_a_pause_only_the_latest_step_is_raised_and_nothing_of_what_is_paid() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    let hospital = purse.world.institution("示范医院", "hospital").await;
    purse.sold_to(hospital, &[(home, 5_000)]).await;
    purse.later(57).await;
    purse.pay("100.00").await;
    assert_eq!(reminders::sweep(&purse.world.app).await.unwrap(), 1);
    assert_eq!(reminders::sweep(&purse.world.app).await.unwrap(), 0);
    assert_eq!(steps(&purse, &purse.finance).await, [21]);
    let buyer = purse.world.person(Role::Buyer, Place::Institution(hospital)).await;
    assert_eq!(steps(&purse, &buyer).await, [21]);
    let neighbour = purse.world.person(Role::Buyer, Place::Institution(purse.school)).await;
    assert_eq!(steps(&purse, &neighbour).await, Vec::<i64>::new());
    assert_eq!(steps(&purse, &purse.finance_of_the_other_township().await).await, Vec::<i64>::new());
    purse.audited().await;
}

/// An order of ten kilos of what the purse's households sell.
fn order(purse: &Purse) -> Json {
    json!({
        "institution_id": purse.school,
        "policy": "max_min",
        "lines": [{
            "product_id": purse.tea,
            "quantity": { "amount": "10", "unit": "kg" },
            "max_price": { "amount": "10.00", "per": "kg" },
            "needed_by": "2027-06-30",
            "allow_partial": false,
        }],
    })
}

/// The purse numbers its orders without drawing from their series; whoever draws begins after them.
async fn number_orders_after_those_of(purse: &Purse) {
    let sql = "insert into counter (name, value) values ('PO-341823-2027', 50)";
    purse.world.execute(sql, Vec::new()).await;
}

/// Grams held over all lots.
async fn held(purse: &Purse) -> i64 {
    #[derive(sea_orm::FromQueryResult)]
    struct Row {
        held: i64,
    }
    let sql = "select cast(sum(held_base) as bigint) as held from lot";
    let row: Option<Row> = zhuxiao::db::row(purse.world.app.db.reader(), sql, []).await.unwrap();
    row.unwrap().held
}

#[tokio::test]
async fn who_owes_longer_than_thirty_days_orders_nothing_on_credit_until_it_is_paid() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    purse.sold(&[(home, 2_550)]).await;
    number_orders_after_those_of(&purse).await;
    purse.later(60).await;
    let buyer = purse.world.person(Role::Buyer, Place::Institution(purse.school)).await;
    purse.world.post(&buyer, "/v1/orders", order(&purse)).await.created();
    purse.later(1).await;
    let held_before = held(&purse).await;
    let buyer = purse.world.person(Role::Buyer, Place::Institution(purse.school)).await;
    let refused = purse.world.post(&buyer, "/v1/orders", order(&purse)).await;
    let problem = refused.refused(409, "overdue_debt");
    assert!(problem["detail"].as_str().unwrap().contains("125.50"), "{problem}");
    let named = json!([
        { "number": "ST-341823-2027-000001", "due_on": "2027-03-31", "open": "100.00" },
        { "number": "ST-341823-2027-000002", "due_on": "2027-03-31", "open": "25.50" },
    ]);
    assert_eq!(problem["overdue"], named);
    let preview = purse.world.post(&buyer, "/v1/orders/preview", order(&purse)).await.ok();
    assert_eq!(preview["is_placeable"], false);
    assert_eq!(held(&purse).await, held_before, "the refused order holds nothing");
    purse.pay("125.50").await;
    let preview = purse.world.post(&buyer, "/v1/orders/preview", order(&purse)).await.ok();
    assert_eq!(preview["is_placeable"], true);
    purse.world.post(&buyer, "/v1/orders", order(&purse)).await.created();
}

#[tokio::test]
async fn who_owes_too_long_may_still_order_what_is_paid_ahead() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 10_000)]).await;
    number_orders_after_those_of(&purse).await;
    purse.later(100).await;
    let buyer = purse.world.person(Role::Buyer, Place::Institution(purse.school)).await;
    let mut ahead = order(&purse);
    ahead["payment_mode"] = json!("prepaid");
    let preview = purse.world.post(&buyer, "/v1/orders/preview", ahead.clone()).await.ok();
    assert_eq!(preview["is_placeable"], true);
    purse.world.post(&buyer, "/v1/orders", ahead).await.created();
    purse.world.post(&buyer, "/v1/orders", order(&purse)).await.refused(409, "overdue_debt");
}

#[tokio::test]
async fn the_debt_of_one_institution_does_not_keep_another_from_ordering() {
    let mut purse = Purse::open().await;
    let home = purse.households(1).await[0];
    let hospital = purse.world.institution("示范医院", "hospital").await;
    purse.sold_to(hospital, &[(home, 10_000)]).await;
    number_orders_after_those_of(&purse).await;
    purse.later(100).await;
    let buyer = purse.world.person(Role::Buyer, Place::Institution(purse.school)).await;
    purse.world.post(&buyer, "/v1/orders", order(&purse)).await.created();
}
