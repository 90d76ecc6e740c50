//! The specification of `/v1/bank_statements` and of `zhuxiao import statement`, as tests over HTTP and of the program.

mod camt;
pub mod files;
mod hostile;
mod layouts;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::audit;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;

use crate::support::{Answer, Person, World, second_process};
use files::{ENTRIES, camt as camt_file};

/// Sends a file, under a fresh key.
pub async fn send(world: &World, by: &Person, query: &str, file: impl Into<Vec<u8>>) -> Answer {
    send_with_key(world, by, query, file, &Uuid::now_v7().to_string()).await
}

async fn send_with_key(
    world: &World,
    by: &Person,
    query: &str,
    file: impl Into<Vec<u8>>,
    key: &str,
) -> Answer {
    let request = world
        .request(Method::POST, Some(by), &format!("/v1/bank_statements{query}"))
        .header("content-type", "application/octet-stream")
        .header("Idempotency-Key", key)
        .body(file.into());
    Answer::of(request).await
}

async fn office() -> (World, Person) {
    let world = World::new().await.with_regions().await;
    let finance = world.official(Role::Finance).await;
    (world, finance)
}

async fn statements(world: &World, by: &Person) -> Vec<Value> {
    world.get(by, "/v1/bank_statements").await.ok()["items"].as_array().unwrap().clone()
}

async fn lines(world: &World, by: &Person, statement: &Value) -> Vec<Value> {
    let path = format!("/v1/bank_statements/{}/lines", statement["id"].as_str().unwrap());
    world.get(by, &path).await.ok()["items"].as_array().unwrap().clone()
}

/// What the audit finds besides that the balance of the bank is not in the books, where nothing was booked.
async fn audited(world: &World) {
    let findings = audit::verify(world.app.db.reader()).await.unwrap();
    assert!(findings.iter().all(|finding| finding.what == audit::BANK_AGREES), "{findings:#?}");
}

/// Created and existing.
fn counts(answer: &Value) -> (u64, u64) {
    (answer["created"].as_u64().unwrap(), answer["existing"].as_u64().unwrap())
}

#[tokio::test]
async fn a_statement_is_stored_with_its_balances_and_totals_and_its_lines_are_read_in_order() {
    let (world, finance) = office().await;
    let answer = send(&world, &finance, "", camt_file("08", "1000.00", "1800.00", &ENTRIES)).await.ok();
    assert_eq!((counts(&answer), &answer["is_dry_run"]), ((2, 0), &json!(false)));
    let stored = statements(&world, &finance).await;
    assert_eq!(stored, answer["statements"].as_array().unwrap().clone());
    let statement = &stored[0];
    assert_eq!(
        (&statement["bank"], &statement["format"], &statement["account"], &statement["currency"]),
        (&json!("示范银行"), &json!("camt.053.001.08"), &json!("****1234"), &json!("CNY"))
    );
    assert_eq!(
        (&statement["line_count"], &statement["total_in"], &statement["total_out"]),
        (&json!(2), &json!("1000.00"), &json!("200.00"))
    );
    assert_eq!(statement["opening"], json!({ "amount": "1000.00", "currency": "CNY" }));
    assert_eq!(statement["closing"], json!({ "amount": "1800.00", "currency": "CNY" }));
    let read = lines(&world, &finance, statement).await;
    assert_eq!(read.len(), 2);
    let expected = json!({
        "id": read[0]["id"], "position": 1, "is_repeated": false, "amount": "1000.00", "currency": "CNY",
        "booked_on": "2027-02-01", "booked_at": read[0]["booked_at"], "value_on": "2027-02-01",
        "payer_name": "示范学校", "payer_account": "****9999", "remark": "ST-341823-2027-000001 & 谢谢",
        "bank_reference": "REF/2027-02-01", "state": "open",
    });
    assert_eq!(read[0], expected);
    let booked_at: DateTime<Utc> = read[0]["booked_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(booked_at.to_rfc3339(), "2027-02-01T05:15:00+00:00");
    assert_eq!((&read[1]["amount"], &read[1]["position"]), (&json!("-200.00"), &json!(2)));
    audited(&world).await;
}

#[tokio::test]
async fn the_same_file_twice_changes_nothing_and_the_answer_says_so() {
    let (world, finance) = office().await;
    for file in [files::ICBC_SECOND, files::ABC, files::ALIPAY] {
        let first = send(&world, &finance, "", file).await.ok();
        let (created, _) = counts(&first);
        let before = statements(&world, &finance).await;
        let again = send(&world, &finance, "", file).await.ok();
        assert_eq!(counts(&again), (0, created), "{file}");
        assert_eq!(again["statements"], first["statements"]);
        assert_eq!(statements(&world, &finance).await, before);
    }
    let trail = world.official(Role::Auditor).await;
    let events = world.get(&trail, "/v1/audit_events?subject_kind=bank_statement").await.ok();
    assert_eq!(events["items"].as_array().unwrap().len(), 4, "one event for each statement that was stored");
    audited(&world).await;
}

#[tokio::test]
async fn a_line_in_two_overlapping_files_is_one_line_that_both_statements_show() {
    let (world, finance) = office().await;
    let row =
        |day: &str, amount: &str| format!("2027-02-0{day},CNY,{amount},,转账汇入,示范学校1111111111,货款\n");
    let header = "记账日期,货币,交易金额,联机余额,交易摘要,对手信息,客户摘要\n";
    let twin = row("2", "5.00");
    let early = [header, &row("1", "1.00"), &twin, &twin].concat();
    let late = [header, &twin, &twin, &row("3", "3.00")].concat();
    assert_eq!(
        counts(&send(&world, &finance, "", early.clone()).await.ok()),
        (3, 0),
        "equal lines of one file are two"
    );
    let trial = send(&world, &finance, "?dry_run=true", late.clone()).await.ok();
    assert_eq!(counts(&trial), (1, 2));
    let answer = send(&world, &finance, "", late).await.ok();
    assert_eq!(counts(&answer), (1, 2));
    let statement = &answer["statements"][0];
    assert_eq!((&statement["line_count"], &statement["total_in"]), (&json!(3), &json!("13.00")));
    let read = lines(&world, &finance, statement).await;
    let told: Vec<(i64, bool)> = read
        .iter()
        .map(|line| (line["position"].as_i64().unwrap(), line["is_repeated"].as_bool().unwrap()))
        .collect();
    assert_eq!(told, [(1, true), (2, true), (3, false)]);
    assert_eq!(statements(&world, &finance).await.len(), 2);
    audited(&world).await;
}

#[tokio::test]
async fn pages_of_lines_follow_each_other_without_a_gap() {
    let (world, finance) = office().await;
    let rows = (1..=23).map(|yuan| format!("2027-02-01,收,{yuan},\n")).collect::<Vec<String>>().concat();
    let first = rows.split_inclusive('\n').step_by(3).collect::<String>();
    send(&world, &finance, "", format!("日期,收支,金额,摘要\n{first}")).await.ok();
    let answer = send(&world, &finance, "", format!("日期,收支,金额,摘要\n{rows}")).await.ok();
    assert_eq!(counts(&answer), (15, 8));
    let path = format!("/v1/bank_statements/{}/lines", answer["statements"][0]["id"].as_str().unwrap());
    let (mut amounts, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&finance, &format!("{path}?limit=5{cursor}")).await.ok();
        let items = page["items"].as_array().unwrap();
        amounts.extend(items.iter().map(|line| line["amount"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(amounts, (1..=23).map(|yuan| format!("{yuan}.00")).collect::<Vec<_>>());
    let foreign = format!("{path}?cursor=1-{}", Uuid::now_v7().simple());
    world.get(&finance, &foreign).await.refused(400, "cursor_expired");
}

#[tokio::test]
async fn a_trial_says_what_would_happen_and_writes_nothing() {
    let (world, finance) = office().await;
    let trial = send(&world, &finance, "?dry_run=true", files::ALIPAY).await.ok();
    assert_eq!((counts(&trial), &trial["is_dry_run"]), ((2, 0), &json!(true)));
    assert_eq!(
        trial["left_out"],
        json!([{ "reason": "不计收支", "rows": 2 }, { "reason": "交易关闭", "rows": 1 }])
    );
    let bad = files::CMB.replace("-3.00", "3 yuan");
    let trial = send(&world, &finance, "?dry_run=true", bad).await.ok();
    assert_eq!((&trial["refused"], &trial["cells"][0]["column"]), (&json!(1), &json!("交易金额")));
    assert!(statements(&world, &finance).await.is_empty());
}

#[tokio::test]
async fn a_file_in_which_anything_is_refused_changes_nothing_and_every_place_is_named() {
    let (world, finance) = office().await;
    let bad = files::CMB.replace("-3.00", "3 yuan").replace("2027-02-02", "2027-02-30");
    let cells = send(&world, &finance, "", bad).await.refused(422, "cells_refused")["cells"].clone();
    let told: Vec<(u64, &str)> = cells
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| (cell["row"].as_u64().unwrap(), cell["column"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [(3, "记账日期"), (4, "交易金额")]);
    let wrong = camt_file("02", "1000.00", "1800.01", &ENTRIES);
    let cells = send(&world, &finance, "", wrong).await.refused(422, "cells_refused")["cells"].clone();
    assert!(cells[0]["reason"].as_str().unwrap().contains("differs by 0.01"), "{cells}");
    send(&world, &finance, "", "no such column\n1\n").await.refused(422, "invalid_value");
    send(&world, &finance, "", vec![b'1'; 20_000_001]).await.refused(413, "body_too_large");
    assert!(statements(&world, &finance).await.is_empty());
    audited(&world).await;
}

#[tokio::test]
async fn a_key_takes_effect_once_and_is_of_one_file() {
    let (world, finance) = office().await;
    let first = send_with_key(&world, &finance, "", files::CMB, "k").await;
    let again = send_with_key(&world, &finance, "", files::CMB, "k").await;
    assert_eq!(again.header("Idempotency-Replayed"), "true");
    assert_eq!(again.ok(), first.ok(), "a replay says what the first said");
    send_with_key(&world, &finance, "", files::ABC, "k").await.refused(422, "idempotency_key_reused");
    let request = world
        .request(Method::POST, Some(&finance), "/v1/bank_statements")
        .header("content-type", "application/octet-stream")
        .body(files::ABC);
    Answer::of(request).await.refused(428, "idempotency_key_missing");
    assert_eq!(statements(&world, &finance).await.len(), 1);
}

#[tokio::test]
async fn files_that_arrive_at_once_from_two_processes_bring_every_line_once() {
    use zhuxiao::bank_statements::{Importer, import_unattended};
    use zhuxiao::trail::Actor;

    let (world, finance) = office().await;
    let other = second_process(&world).await;
    let importer = Importer { actor: Actor::service("test"), county_code: "341823".to_owned() };
    let rows = |from: u32| -> Vec<u8> {
        let rows =
            (from..from + 60).map(|yuan| format!("2027-02-01,收,{yuan}\n")).collect::<Vec<String>>().concat();
        format!("日期,收支,金额\n{rows}").into_bytes()
    };
    let imports = (0..8_u32).map(|number| {
        let app = if number < 4 { &world.app } else { &other };
        import_unattended(app, &importer, rows(1 + 20 * (number % 4)))
    });
    let created: u64 =
        futures_util::future::join_all(imports).await.into_iter().map(|report| report.unwrap().created).sum();
    assert_eq!(created, 120, "1 to 120 yuan, each once");
    assert_eq!(statements(&world, &finance).await.len(), 4);
    audited(&world).await;
}

#[tokio::test]
async fn accounts_lie_sealed_and_are_shown_by_their_end() {
    let (world, finance) = office().await;
    let answer = send(&world, &finance, "", files::ABC).await.ok();
    let read = lines(&world, &finance, &answer["statements"][0]).await;
    assert_eq!(read[0]["payer_account"], "****0018");
    let sql = "update bank_statement_line set remark = remark
               where payer_account like '%6228480402564890018%' or payer_account not like 'v2:%'
                  or identity like '%6228480402564890018%' or payer_account_fingerprint like '%6228%0018'";
    assert_eq!(world.execute(sql, Vec::new()).await, 0);
    let fingerprint = world
        .app
        .keys
        .fingerprint(zhuxiao::members::sealed::Fingerprint::BankAccount, "6228480402564890018")
        .unwrap();
    let sql = "update bank_statement_line set remark = remark where payer_account_fingerprint = $1";
    assert_eq!(world.execute(sql, vec![fingerprint.into()]).await, 1, "and is found by its fingerprint");
}

#[tokio::test]
async fn finance_of_a_township_reaches_no_account_of_the_county() {
    let (world, finance) = office().await;
    let statement = send(&world, &finance, "", files::CMB).await.ok()["statements"][0].clone();
    let township = world.person(Role::Finance, Place::Region("341823101000".to_owned())).await;
    send(&world, &township, "", files::ABC).await.refused(403, "not_allowed");
    assert!(statements(&world, &township).await.is_empty());
    let path = format!("/v1/bank_statements/{}/lines", statement["id"].as_str().unwrap());
    world.get(&township, &path).await.refused(404, "not_found");
    let province = world.person(Role::Auditor, Place::Region("340000000000".to_owned())).await;
    assert_eq!(statements(&world, &province).await, [statement]);
}

#[tokio::test]
async fn a_figure_changed_by_hand_in_an_imported_statement_is_found() {
    let (world, finance) = office().await;
    send(&world, &finance, "", camt_file("02", "1000.00", "1800.00", &ENTRIES)).await.ok();
    for (change, undo, table) in [
        ("closing_minor = closing_minor + 1", "closing_minor = closing_minor - 1", "bank_statement"),
        ("line_count = line_count + 1", "line_count = line_count - 1", "bank_statement"),
        ("amount_minor = amount_minor + 1", "amount_minor = amount_minor - 1", "bank_statement_line"),
        ("booked_on = '2027-02-09'", "booked_on = '2027-02-02'", "bank_statement_line"),
    ] {
        let only = if table == "bank_statement" { "" } else { "where position = 2" };
        world.execute(&format!("update {table} set {change} {only}"), Vec::new()).await;
        let findings = audit::verify(world.app.db.reader()).await.unwrap();
        assert!(findings.iter().any(|finding| finding.table == table), "{change}: {findings:#?}");
        let since = Some(world.clock.now());
        let recent = audit::verify_with(world.app.db.reader(), since, |_, _| {}).await.unwrap().findings;
        assert_eq!(recent, findings, "an audit since the import finds the same");
        world.execute(&format!("update {table} set {undo} {only}"), Vec::new()).await;
    }
    audited(&world).await;
}

mod program {
    //! `zhuxiao import statement`.

    use serde_json::{Value, json};

    use super::files::{self, ENTRIES, camt as camt_file};
    use super::{office, statements};
    use crate::imports::{Scratch, import, outcome};

    /// The command line has the clock of the machine, for which the days of the other tests may be to come.
    fn past(file: &str) -> String {
        file.replace("2027", "2026")
    }

    #[tokio::test]
    async fn the_command_line_imports_a_statement_once_and_tells_what_is_in_it() {
        let (world, finance) = office().await;
        let file = Scratch::new("statement.xml", &past(&camt_file("02", "1000.00", "1800.00", &ENTRIES)));
        let flags = ["--region", "341823"];
        let told = outcome(&import(&world, "statement", &file, &["--region", "341823", "--dry-run"]));
        assert_eq!((told.0, told.2.trim()), (0, "2 lines: 2 would be made, 0 there already"));
        assert!(statements(&world, &finance).await.is_empty());
        let told = outcome(&import(&world, "statement", &file, &flags));
        assert_eq!((told.0, told.2.trim()), (0, "2 lines: 2 made, 0 there already"));
        let line = "示范银行 camt.053.001.02, account ****1234, 2026-02-01 to 2026-02-02: 2 lines in CNY, in 1000.00, \
                    out 200.00, opening 1000.00 CNY, closing 1800.00 CNY";
        assert_eq!(told.1.trim(), line);
        let told = outcome(&import(&world, "statement", &file, &flags));
        assert_eq!((told.0, told.2.trim()), (0, "2 lines: 0 made, 2 there already"));
        assert_eq!(statements(&world, &finance).await.len(), 1);
    }

    #[tokio::test]
    async fn a_trial_without_a_region_reads_the_file_alone() {
        let (world, _) = office().await;
        let file = Scratch::new("statement.csv", &past(files::ALIPAY));
        let (code, document, _) = outcome(&import(&world, "statement", &file, &["--dry-run", "--json"]));
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!((code, &document["lines"], &document["left_out"]["不计收支"]), (0, &json!(2), &json!(2)));
        let statement = &document["statements"][0];
        assert_eq!(
            (&statement["total_in"], &statement["total_out"], &statement["opening"]),
            (&json!("28.50"), &json!("16.54"), &json!(null))
        );
        let (code, _, message) = outcome(&import(&world, "statement", &file, &[]));
        assert_eq!((code, message.contains("--region")), (2, true));
        let (code, _, message) = outcome(&import(&world, "statement", &file, &["--region", "3418"]));
        assert_eq!((code, message.contains("one county")), (2, true));
    }

    #[tokio::test]
    async fn what_is_refused_goes_to_stdout_and_the_exit_code_is_two() {
        let (world, finance) = office().await;
        let file = Scratch::new("statement.csv", &files::CMB.replace("-3.00", "3 yuan"));
        for flags in [&["--dry-run", "--json"][..], &["--region", "341823", "--json"]] {
            let (code, lines, message) = outcome(&import(&world, "statement", &file, flags));
            let cell: Value = serde_json::from_str(lines.trim()).unwrap();
            assert_eq!((code, &cell["row"], &cell["column"]), (2, &json!(4), &json!("交易金额")));
            assert!(message.contains("nothing was imported"));
        }
        assert!(statements(&world, &finance).await.is_empty());
    }
}
