//! The stories of differences in the books and at the bank, and of the report that shows them.

use chrono::{NaiveDate, TimeDelta};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::audit::{self, Finding, Verdict};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::problems::differences;

use super::money::Desk;
use super::{audited, close, problems};
use crate::support::purse::Purse;
use crate::support::{COUNTY, Person, World};
use crate::tampering::chain;

const REPORT: &str = "/v1/reports/reconciliation";

async fn refresh(world: &World) -> (usize, usize) {
    let done = differences::refresh(&world.app).await.unwrap();
    (done.opened, done.closed)
}

async fn refresh_banks(world: &World) -> (usize, usize) {
    let done = differences::refresh_banks(&world.app).await.unwrap();
    (done.opened, done.closed)
}

async fn report(world: &World, by: &Person, query: &str) -> Json {
    world.get(by, &format!("{REPORT}{query}")).await.ok()
}

/// The figures of a comparison, left and right.
fn figures<'a>(report: &'a Json, name: &str) -> [&'a str; 2] {
    let all = report["comparisons"].as_array().unwrap();
    let one = all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name} in {report}"));
    [one["left"]["amount"].as_str().unwrap(), one["right"]["amount"].as_str().unwrap()]
}

fn differing(report: &Json) -> Vec<&str> {
    let all = report["comparisons"].as_array().unwrap().iter();
    all.filter(|one| one["difference"] != "0.00").map(|one| one["name"].as_str().unwrap()).collect()
}

/// A statement below the API: its last day, opening and closing balance, and lines as day and fen.
async fn statement(world: &World, to_on: &str, balances: (i64, i64), lines: &[(&str, i64)]) {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let id = Uuid::now_v7();
    let from = lines.iter().map(|line| day(line.0)).min().unwrap_or_else(|| day(to_on));
    let sums = |is_in: bool| -> i64 {
        lines.iter().map(|line| line.1).filter(|fen| (*fen > 0) == is_in).map(i64::abs).sum()
    };
    let sql = "insert into bank_statement (id, county_code, bank, format, currency, from_on, to_on, opening_minor,
                   opening_currency, closing_minor, closing_currency, line_count, in_minor, out_minor, file_digest,
                   file_part, imported_at)
               values ($1, $2, 'icbc', 'csv', 'CNY', $3, $4, $5, 'CNY', $6, 'CNY', $7, $8, $9, $10, 1, $11)";
    let values = vec![
        id.into(),
        COUNTY.into(),
        from.into(),
        day(to_on).into(),
        balances.0.into(),
        balances.1.into(),
        i64::try_from(lines.len()).unwrap().into(),
        sums(true).into(),
        sums(false).into(),
        id.to_string().into(),
        world.clock.now().into(),
    ];
    world.execute(sql, values).await;
    for (position, (booked_on, amount)) in (1_i64..).zip(lines) {
        let sql = "insert into bank_statement_line (id, statement_id, county_code, position, currency, amount_minor,
                       booked_on, remark, identity)
                   values ($1, $2, $3, $4, 'CNY', $5, $6, '货款', $7)";
        let line = Uuid::now_v7();
        let values = vec![
            line.into(),
            id.into(),
            COUNTY.into(),
            position.into(),
            (*amount).into(),
            day(booked_on).into(),
            format!("{booked_on}/{amount}//{line}").into(),
        ];
        world.execute(sql, values).await;
    }
}

/// Whether the audit says that bank and books do not agree.
async fn is_found(world: &World) -> bool {
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    findings.iter().any(|finding| finding.what == audit::BANK_AGREES)
}

#[tokio::test]
async fn a_row_that_differs_is_one_problem_until_the_books_are_put_right() {
    let world = chain::books().await;
    let finance = world.official(Role::Finance).await;
    assert_eq!(refresh(&world).await, (0, 0));
    assert_eq!(report(&world, &finance, "").await["agrees"], true);
    world.execute("update lot set held_base = held_base + 1 where held_base > 0", Vec::new()).await;
    assert_eq!(refresh(&world).await, (1, 0));
    assert_eq!(refresh(&world).await, (0, 0));
    let [problem] = problems(&world, &finance, "state=open").await.try_into().unwrap();
    assert_eq!((&problem["rule"], &problem["owner"]), (&json!("audit_difference"), &json!("finance")));
    assert_eq!((&problem["subject_kind"], &problem["subject_id"]), (&json!("lot"), &json!(chain::LOT_HELD)));
    assert_eq!(problem["region"], "341823000000");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("held_base:账上为10001,应为10000"), "{detail}");
    close(&world, &finance, &problem).await.refused(409, "wrong_state");

    let shown = report(&world, &finance, "").await;
    assert_eq!((&shown["agrees"], &shown["problems"][0]["problem_id"]), (&json!(false), &problem["id"]));
    world.execute("update lot set held_base = held_base - 1 where held_base > 0", Vec::new()).await;
    assert_eq!(refresh(&world).await, (0, 1));
    let shown = report(&world, &finance, "").await;
    assert_eq!((&shown["agrees"], &shown["problems"]), (&json!(true), &json!([])));
    let audited_at: chrono::DateTime<chrono::Utc> = shown["audited_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(audited_at, world.clock.now());
    audited(&world).await;
}

#[tokio::test]
async fn an_audit_since_a_moment_raises_what_it_finds_and_closes_nothing() {
    let world = chain::books().await;
    let app = &world.app;
    let since = world.clock.now();
    world.execute("update lot set held_base = held_base + 1 where held_base > 0", Vec::new()).await;
    let verdict = audit::verify_with(app.db.reader(), Some(since), |_, _| {}).await.unwrap();
    assert_eq!(differences::take(app, &verdict, false).await.unwrap().opened, 1);
    world.execute("update lot set held_base = held_base - 1 where held_base > 0", Vec::new()).await;
    let verdict = audit::verify_with(app.db.reader(), Some(since), |_, _| {}).await.unwrap();
    assert_eq!(differences::take(app, &verdict, false).await.unwrap().closed, 0);
    assert_eq!(refresh(&world).await, (0, 1));
}

#[tokio::test]
async fn a_difference_of_any_table_is_a_problem_of_the_county_of_its_row() {
    let world = chain::books().await;
    let finance = world.official(Role::Finance).await;
    let pair = |one: char, other: char| format!("{}/{}", chain::id(one, 1), chain::id(other, 1));
    let rows = [
        ("acceptance", chain::id('c', 1).to_string()),
        ("delivery_line", chain::id('e', 1).to_string()),
        ("order_line", chain::id('i', 1).to_string()),
        ("reference_price", chain::id('r', 1).to_string()),
        ("settlement_line", chain::id('t', 1).to_string()),
        ("bank_statement_line", chain::id('y', 1).to_string()),
        ("ledger_posting", format!("{}/1", chain::id('n', 1))),
        ("payment_part", pair('p', 't')),
        ("payout_part", pair('h', 't')),
        ("counter", "ST-341823-2027".to_owned()),
    ];
    let finding = |(table, row_id): &(&'static str, String)| Finding {
        invariant: 3,
        table,
        row_id: row_id.clone(),
        column: "some_fen",
        stored: Some("2".to_owned()),
        recomputed: Some("1".to_owned()),
        what: "two is one",
    };
    let mut verdict = Verdict { findings: rows.iter().map(finding).collect(), ..Verdict::default() };
    let done = differences::take(&world.app, &verdict, true).await.unwrap();
    assert_eq!((done.opened, done.closed), (rows.len(), 0));
    let raised = problems(&world, &finance, "rule=audit_difference").await;
    assert_eq!(raised.len(), rows.len(), "each is seen in its county");
    // A row of nowhere is nobody's in a county.
    verdict.findings = vec![finding(&("paper_of_tomorrow", Uuid::now_v7().to_string()))];
    assert_eq!(differences::take(&world.app, &verdict, false).await.unwrap().opened, 1);
    assert_eq!(problems(&world, &finance, "rule=audit_difference").await.len(), rows.len());
    // A check that was cut short does not know what is gone.
    let cut = Verdict { cut: vec!["two is one"], ..Verdict::default() };
    assert_eq!(differences::take(&world.app, &cut, true).await.unwrap().closed, 0);
    assert_eq!(
        differences::take(&world.app, &Verdict::default(), true).await.unwrap().closed,
        rows.len() + 1
    );
}

#[tokio::test]
async fn every_comparison_agrees_at_the_end_of_every_day() {
    let (desk, _) = Desk::with_received(&[6_000, 4_000]).await;
    let world = &desk.purse.world;
    let finance = &desk.purse.finance;
    world.clock.advance(TimeDelta::days(1));
    let homes = desk.purse.households(1).await;
    desk.purse.sold(&[(homes[0], 2_500)]).await;
    let payment = desk.purse.pay("30.00").await;
    world.clock.advance(TimeDelta::days(1));
    desk.purse.reverse(&payment).await.ok();
    desk.pay_out("paid").await;
    for (query, receivable, escrow, deposit) in [
        ("?as_of=2027-02-28", "0.00", "0.00", "0.00"),
        ("?as_of=2027-03-01", "0.00", "100.00", "0.00"),
        ("?as_of=2027-03-02", "0.00", "130.00", "5.00"),
        ("?as_of=2027-03-03", "25.00", "0.00", "0.00"),
        ("", "25.00", "0.00", "0.00"),
    ] {
        let shown = report(world, finance, query).await;
        assert!(differing(&shown).is_empty(), "{query}: {shown}");
        assert_eq!(figures(&shown, "receivable"), [receivable; 2], "{query}");
        assert_eq!(figures(&shown, "escrow"), [escrow; 2], "{query}");
        assert_eq!(figures(&shown, "deposit"), [deposit; 2], "{query}");
    }
    let today = report(world, finance, "").await;
    assert_eq!(figures(&today, "stored_balances"), ["25.00"; 2]);
    let before = report(world, finance, "?as_of=2027-03-02").await;
    assert!(before["comparisons"].as_array().unwrap().iter().all(|one| one["name"] != "stored_balances"));
}

#[tokio::test]
async fn a_fen_that_is_missing_shows_in_the_comparison_it_belongs_to() {
    let (desk, _) = Desk::with_received(&[6_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    for (sql, names) in [
        (
            "update ledger_account set balance_fen = balance_fen + 1 where kind = 'escrow'",
            vec!["stored_balances"],
        ),
        (
            "update settlement_line set amount_fen = amount_fen + 1",
            vec!["accepted_against_settled", "settlements_against_lines", "payable"],
        ),
        ("update payment set amount_fen = amount_fen + 1", vec!["payments_against_parts", "escrow"]),
    ] {
        let before = differing(&report(world, finance, "").await).len();
        world.execute(sql, Vec::new()).await;
        let shown = report(world, finance, "").await;
        assert_eq!(shown["agrees"], false);
        let found = differing(&shown);
        assert!(names.iter().all(|name| found.contains(name)), "{sql}: {found:?}");
        assert!(found.len() > before);
    }
}

#[tokio::test]
async fn the_bank_agrees_with_the_books_but_for_what_stands_on_one_side_alone() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    world.clock.advance(TimeDelta::days(1));
    desk.purse.pay("7.00").await;
    // The bank has the 100.00 a day later, 30.00 that nobody booked, and not yet the 7.00.
    statement(world, "2027-03-02", (0, 13_000), &[("2027-03-02", 10_000), ("2027-03-02", 3_000)]).await;
    let shown = report(world, finance, "").await;
    let bank = &shown["banks"][0];
    assert_eq!((&bank["bank"], &bank["book"]), (&json!("130.00"), &json!("107.00")));
    assert_eq!((&bank["book_only"]["count"], &bank["book_only"]["amount"]), (&json!(1), &json!("7.00")));
    assert_eq!((&bank["bank_only"]["count"], &bank["bank_only"]["amount"]), (&json!(1), &json!("30.00")));
    assert_eq!((&bank["bank_adjusted"], &bank["book_adjusted"]), (&json!("137.00"), &json!("137.00")));
    assert_eq!((&bank["difference"], &shown["agrees"]), (&json!("0.00"), &json!(true)));
    assert_eq!(bank["book_only"]["items"][0]["told"], "PM-341823-2027-000002");
    assert!(!is_found(world).await);
    assert_eq!(report(world, finance, "?as_of=2027-03-01").await["banks"], json!([]));
}

#[tokio::test]
async fn a_line_that_nobody_booked_is_a_problem_after_three_days_until_it_is_booked() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    statement(world, "2027-03-01", (0, 13_000), &[("2027-03-01", 10_000), ("2027-03-01", 3_000)]).await;
    world.clock.advance(TimeDelta::days(2));
    assert_eq!(refresh_banks(world).await, (0, 0));
    world.clock.advance(TimeDelta::days(1));
    assert_eq!(refresh_banks(world).await, (1, 0));
    assert_eq!(refresh_banks(world).await, (0, 0));
    let [problem] = problems(world, finance, "rule=statement_line_unmatched").await.try_into().unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("30.00元未入账"), "{problem}");
    let mut booked = desk.purse.payment("30.00");
    booked["received_on"] = json!("2027-03-01");
    world.post(finance, "/v1/payments", booked).await.created();
    assert_eq!(refresh_banks(world).await, (0, 1));
    audited(world).await;
}

#[tokio::test]
async fn a_line_that_a_person_has_explained_stays_explained() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    statement(world, "2027-03-01", (0, 10_012), &[("2027-03-01", 10_000), ("2027-03-01", 12)]).await;
    world.clock.advance(TimeDelta::days(3));
    assert_eq!(refresh_banks(world).await, (1, 0));
    let [interest] = problems(world, finance, "state=open").await.try_into().unwrap();
    close(world, finance, &interest).await.ok();
    world.clock.advance(TimeDelta::days(60));
    assert_eq!(refresh_banks(world).await, (0, 0));
}

#[tokio::test]
async fn a_line_that_was_explained_or_matched_where_it_stands_is_no_problem() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    let told = [("2027-03-01", 10_000), ("2027-03-01", 12), ("2027-03-01", 3_000), ("2027-03-01", -5)];
    statement(world, "2027-03-01", (0, 13_007), &told).await;
    world.clock.advance(TimeDelta::days(3));
    assert_eq!(refresh_banks(world).await, (3, 0));
    let listed = world.get(finance, "/v1/bank_statements").await.ok();
    let path = format!("/v1/bank_statements/{}/lines", listed["items"][0]["id"].as_str().unwrap());
    let lines = world.get(finance, &path).await.ok();
    let of = |amount: &str| -> String {
        let items = lines["items"].as_array().unwrap();
        let line = items.iter().find(|line| line["amount"] == amount).unwrap();
        format!("/v1/bank_statement_lines/{}", line["id"].as_str().unwrap())
    };
    for (amount, note) in [("0.12", "利息"), ("-0.05", "手续费")] {
        world.post(finance, &format!("{}/explain", of(amount)), json!({ "note": note })).await.ok();
    }
    assert_eq!(refresh_banks(world).await, (0, 2));
    let body = json!({ "institution_id": desk.purse.school, "as_deposit": true });
    world.post(finance, &format!("{}/match", of("30.00")), body).await.ok();
    assert_eq!(refresh_banks(world).await, (0, 1));
    assert!(problems(world, finance, "state=open&rule=statement_line_unmatched").await.is_empty());
    audited(world).await;
}

#[tokio::test]
async fn a_payment_that_the_statements_do_not_show_is_a_problem_once_they_should() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    statement(world, "2027-03-08", (0, 0), &[("2027-03-01", 5), ("2027-03-01", -5)]).await;
    assert_eq!(refresh_banks(world).await, (0, 0));
    statement(world, "2027-03-09", (0, 0), &[]).await;
    let opened = problems(world, finance, "rule=booked_not_at_bank").await;
    assert!(opened.is_empty());
    refresh_banks(world).await;
    let [problem] = problems(world, finance, "rule=booked_not_at_bank").await.try_into().unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("PM-341823-2027-000001") && detail.contains("100.00元"), "{detail}");
}

#[tokio::test]
async fn payouts_that_the_bank_tells_one_by_one_are_paired_with_the_batch() {
    let (desk, _) = Desk::with_received(&[6_000, 4_000, 2_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    desk.pay_out("paid").await;
    let lines = [("2027-03-01", 12_000), ("2027-03-01", -6_000), ("2027-03-01", -4_000)];
    statement(world, "2027-03-01", (0, 2_000), &lines).await;
    let bank = report(world, finance, "").await["banks"][0].clone();
    assert_eq!((&bank["bank_only"]["count"], &bank["book_only"]["count"]), (&json!(0), &json!(1)));
    assert_eq!((&bank["book_only"]["amount"], &bank["difference"]), (&json!("-20.00"), &json!("0.00")));
    let whole = [("2027-03-01", 12_000), ("2027-03-01", -12_000)];
    world.execute("delete from bank_statement_line", Vec::new()).await;
    world.execute("delete from bank_statement", Vec::new()).await;
    statement(world, "2027-03-01", (0, 0), &whole).await;
    let bank = report(world, finance, "").await["banks"][0].clone();
    assert_eq!((&bank["bank_only"]["count"], &bank["book_only"]["count"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_balance_that_nothing_explains_is_found_by_the_audit_until_a_person_explains_it() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    statement(world, "2027-03-01", (50, 10_050), &[("2027-03-01", 10_000)]).await;
    assert!(is_found(world).await);
    assert_eq!(refresh_banks(world).await, (1, 0));
    assert_eq!(refresh_banks(world).await, (0, 0));
    let [problem] = problems(world, finance, "rule=bank_balance_differs").await.try_into().unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("相差0.50元"), "{problem}");
    let bank = report(world, finance, "").await["banks"][0].clone();
    assert_eq!(bank["difference"], "0.50");
    close(world, finance, &problem).await.ok();
    assert!(!is_found(world).await, "the balance of the beginning was explained");
    assert_eq!(refresh_banks(world).await, (0, 0));
    // A statement in between is missing: the difference is another one, which nobody has explained.
    statement(world, "2027-03-05", (10_150, 10_150), &[]).await;
    assert!(is_found(world).await);
    assert_eq!(refresh_banks(world).await.0, 1);
    let open = problems(world, finance, "state=open&rule=bank_balance_differs").await;
    assert_eq!(open.len(), 1);
}

#[tokio::test]
async fn the_report_is_for_whole_counties_and_for_days_that_have_begun() {
    let purse = Purse::open().await;
    let world = &purse.world;
    let township = world.person(Role::Officer, Place::Region("341823100000".to_owned())).await;
    world.get(&township, REPORT).await.refused(404, "not_found");
    world.get(&purse.finance, &format!("{REPORT}?as_of=2027-03-02")).await.refused(400, "malformed_request");
    world.get(&purse.finance, &format!("{REPORT}?region=341824")).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_report_is_a_file_of_the_same_figures() {
    let (desk, _) = Desk::with_received(&[10_000]).await;
    let (world, finance) = (&desk.purse.world, &desk.purse.finance);
    statement(world, "2027-03-01", (0, 13_000), &[("2027-03-01", 10_000), ("2027-03-01", 3_000)]).await;
    let csv = world.get(finance, &format!("{REPORT}?format=csv")).await;
    assert!(csv.header("content-disposition").contains("reconciliation_341823000000_2027-03-01.csv"));
    assert!(csv.text.contains("账账,专户存款,总账专户,100.00,收款减付款,100.00,0.00,"), "{}", csv.text);
    assert!(csv.text.contains("账实,银行已收单位未收,,,,30.00,"), "{}", csv.text);
    assert!(csv.text.contains("账实,调节后余额,银行,130.00,账面,130.00,0.00,"), "{}", csv.text);
    let xlsx = world.get(finance, &format!("{REPORT}?format=xlsx")).await;
    assert!(xlsx.header("content-disposition").ends_with(".xlsx\""), "{:?}", xlsx.headers);
}
