//! The list of what is overdue: as of 31 March or any day, by institution, as JSON and as files.

use serde_json::{Value, json};
use zhuxiao::members::access::Role;

use super::arranged::{file, read_back};
use crate::support::Person;
use crate::support::purse::Purse;

/// Two institutions owe since 31 March and 5 April; 10 April.
async fn debtors() -> (Purse, Person) {
    let mut purse = Purse::with(|settings| settings.redis_url = None).await;
    let home = purse.households(1).await[0];
    purse.sold(&[(home, 1_000_000)]).await;
    purse.later(5).await;
    let hospital = purse.world.institution("示范医院", "hospital").await;
    purse.sold_to(hospital, &[(home, 20_000)]).await;
    purse.sold(&[(home, 30_000)]).await;
    purse.later(35).await;
    let officer = purse.world.official(Role::Officer).await;
    (purse, officer)
}

/// Institution, settlements, open, days and interest of every group, and of the total.
fn told(report: &Value) -> Vec<(String, u64, String, u64, String)> {
    let figures = |name: &Value, figures: &Value| {
        let text = |name: &str| figures[name].as_str().unwrap().to_owned();
        let number = |name: &str| figures[name].as_u64().unwrap();
        let name = name.as_str().unwrap_or_default().to_owned();
        (name, number("settlements"), text("open"), number("days_overdue"), text("interest"))
    };
    let groups = report["groups"].as_array().unwrap().iter();
    let mut told: Vec<_> =
        groups.map(|group| figures(&group["institution_name"], &group["figures"])).collect();
    told.push(figures(&Value::Null, &report["total"]));
    told
}

fn row(
    name: &str,
    settlements: u64,
    open: &str,
    days: u64,
    interest: &str,
) -> (String, u64, String, u64, String) {
    (name.to_owned(), settlements, open.to_owned(), days, interest.to_owned())
}

#[tokio::test]
async fn what_is_overdue_is_listed_by_institution_with_days_interest_and_totals() {
    let (purse, officer) = debtors().await;
    let today = purse.world.get(&officer, "/v1/reports/overdue").await.ok();
    let expected = [
        row("示范学校", 2, "10300.00", 10, "50.75"),
        row("示范医院", 1, "200.00", 5, "0.50"),
        row("", 3, "10500.00", 10, "51.25"),
    ];
    assert_eq!(told(&today), expected);
    assert_eq!((&today["day"], &today["total"]["due_on"]), (&json!("2027-04-10"), &json!("2027-03-31")));
    let first = purse.world.get(&officer, "/v1/reports/overdue?as_of=2027-04-01").await.ok();
    assert_eq!(told(&first), [row("示范学校", 1, "10000.00", 1, "5.00"), row("", 1, "10000.00", 1, "5.00")]);
    let year = purse.world.get(&officer, "/v1/reports/overdue?year=2027").await.ok();
    assert_eq!((told(&year), &year["day"]), (vec![row("", 0, "0.00", 0, "0.00")], &json!("2027-03-31")));
}

#[tokio::test]
async fn a_past_day_answers_the_same_after_money_came_and_after_it_was_taken_back() {
    let (mut purse, officer) = debtors().await;
    let path = "/v1/reports/overdue?as_of=2027-04-10";
    let before = told(&purse.world.get(&officer, path).await.ok());
    purse.later(1).await;
    let payment = purse.pay("10300.00").await;
    let officer = purse.world.official(Role::Officer).await;
    let paid = purse.world.get(&officer, "/v1/reports/overdue").await.ok();
    assert_eq!(told(&paid), [row("示范医院", 1, "200.00", 6, "0.60"), row("", 1, "200.00", 6, "0.60")]);
    assert_eq!(told(&purse.world.get(&officer, path).await.ok()), before);
    purse.later(1).await;
    purse.reverse(&payment).await.ok();
    let officer = purse.world.official(Role::Officer).await;
    assert_eq!(told(&purse.world.get(&officer, path).await.ok()), before);
    let standing = purse.world.get(&officer, "/v1/reports/overdue?as_of=2027-04-11").await.ok();
    assert_eq!(told(&standing), told(&paid), "the day on which it stood");
    let today = purse.world.get(&officer, "/v1/reports/overdue").await.ok();
    assert_eq!(told(&today)[0], row("示范学校", 2, "10300.00", 12, "61.05"), "as if it had never come");
}

#[tokio::test]
async fn all_that_is_owed_on_a_day_is_what_the_ledger_says_institutions_owe() {
    let (mut purse, _) = debtors().await;
    purse.pay("123.45").await;
    purse.later(10).await;
    let officer = purse.world.official(Role::Officer).await;
    let report = purse.world.get(&officer, "/v1/reports/overdue?as_of=2027-04-15").await.ok();
    let accounts = "/v1/ledger/accounts?kind=receivable&as_of=2027-04-15";
    let accounts = purse.world.get(&purse.finance, accounts).await.ok();
    let fen = |yuan: &Value| zhuxiao::money::Fen::parse(yuan.as_str().unwrap()).unwrap();
    let owed = accounts["items"].as_array().unwrap().iter().map(|account| fen(&account["balance"])).sum();
    assert_eq!(fen(&report["total"]["open"]), owed);
}

#[tokio::test]
async fn the_list_comes_as_files_and_refuses_days_that_are_to_come_or_named_twice() {
    let (purse, officer) = debtors().await;
    let (_, name, bytes) = file(&purse.world, &officer, "overdue?as_of=2027-04-10&format=csv").await;
    assert_eq!(name, "attachment; filename=\"overdue_341823000000_2027-04-10.csv\"");
    let expected = "\u{feff}采购单位,单位类型,结算单(张),逾期货款(元),逾期服务费(元),逾期合计(元),逾期利息(元),最早应付日,逾期天数(天)\r\n\
                    示范学校,school,2,10300.00,0.00,10300.00,50.75,2027-03-31,10\r\n\
                    示范医院,hospital,1,200.00,0.00,200.00,0.50,2027-04-05,5\r\n\
                    合计,,3,10500.00,0.00,10500.00,51.25,2027-03-31,10\r\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    let (_, _, bytes) = file(&purse.world, &officer, "overdue?as_of=2027-04-10&format=xlsx").await;
    assert_eq!(read_back(&bytes, &["逾期利息(元)"])[3][6], "51.25");
    for query in ["as_of=2027-04-11", "year=2028", "year=2027&as_of=2027-04-01", "year=0"] {
        let answer = purse.world.get(&officer, &format!("/v1/reports/overdue?{query}")).await;
        answer.refused(422, "invalid_value");
    }
    let township = purse.finance_of_the_other_township().await;
    let nothing = purse.world.get(&township, "/v1/reports/overdue").await.ok();
    assert_eq!(nothing["groups"], json!([]));
}
