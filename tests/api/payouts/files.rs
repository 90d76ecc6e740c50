//! The specification of the file for the bank, and of the files in which the bank answers.

use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::money::Fen;
use zhuxiao::settings::Settings;
use zhuxiao::sheet::{Column, Table};

use super::accounts::change_account;
use super::{BATCHES, Desk, yuan};
use crate::support::Answer;

impl Desk {
    /// The file of a batch, and its name as the answer gives it.
    async fn file(&self, batch: &str, format: &str) -> (Vec<u8>, String) {
        let path = format!("{BATCHES}/{batch}/file?format={format}");
        let answer = self.purse.world.request(Method::GET, Some(&self.second), &path).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        (answer.bytes().await.unwrap().to_vec(), name)
    }

    async fn pain001(&self, batch: &str) -> String {
        String::from_utf8(self.file(batch, "pain001").await.0).unwrap()
    }

    async fn import(&self, batch: &str, file: impl Into<Vec<u8>>) -> Answer {
        self.import_with(batch, file.into(), "", &Uuid::now_v7().to_string()).await
    }

    async fn import_with(&self, batch: &str, file: Vec<u8>, query: &str, key: &str) -> Answer {
        let path = format!("{BATCHES}/{batch}/results/import{query}");
        let request = self.purse.world.request(Method::POST, Some(&self.second), &path);
        let request =
            request.header("Idempotency-Key", key).header("content-type", "application/octet-stream");
        Answer::of(request.body(file)).await
    }
}

/// What stands between the marks of an element, each time.
fn values<'t>(text: &'t str, element: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    text.split(open.as_str()).skip(1).map(|rest| rest.split(close.as_str()).next().unwrap()).collect()
}

fn amounts(text: &str) -> Vec<&str> {
    let after = text.split("<InstdAmt Ccy=\"CNY\">").skip(1);
    after.map(|rest| rest.split("</InstdAmt>").next().unwrap()).collect()
}

/// A report about a batch: `(payout, status and reason)`.
pub fn report(batch: &Json, transactions: &[(&Json, &str)]) -> String {
    let told: Vec<String> = transactions
        .iter()
        .map(|(payout, status)| {
            format!(
                "<TxInfAndSts><OrgnlEndToEndId>{}</OrgnlEndToEndId>{status}<OrgnlTxRef><Amt>\
                 <InstdAmt Ccy=\"CNY\">{}</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts>",
                payout["end_to_end_id"].as_str().unwrap(),
                payout["amount"].as_str().unwrap()
            )
        })
        .collect();
    let told = told.concat();
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\"><CstmrPmtStsRpt><GrpHdr>\
         <MsgId>BANK-1</MsgId><CreDtTm>2027-03-02T09:00:00</CreDtTm></GrpHdr><OrgnlGrpInfAndSts>\
         <OrgnlMsgId>{}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>\
         <OrgnlNbOfTxs>{}</OrgnlNbOfTxs><OrgnlCtrlSum>{}</OrgnlCtrlSum><GrpSts>PART</GrpSts>\
         </OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>X</OrgnlPmtInfId>{told}</OrgnlPmtInfAndSts>\
         </CstmrPmtStsRpt></Document>",
        batch["number"].as_str().unwrap(),
        batch["payout_count"],
        batch["amount"].as_str().unwrap()
    )
}

/// Where a setting stands.
type Setting = fn(&mut Settings) -> &mut Option<String>;

const COLUMNS: [Column; 3] = [
    Column { key: "name", titles: &["收款户名"], required: true },
    Column { key: "account", titles: &["收款账号"], required: true },
    Column { key: "amount", titles: &["金额"], required: true },
];

pub const SETTLED: &str = "<TxSts>ACSC</TxSts>";
const CLOSED: &str = "<TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>";
const PENDING: &str = "<TxSts>ACSP</TxSts>";

#[tokio::test]
async fn the_message_for_the_bank_pays_every_household_once_and_is_the_same_to_the_byte() {
    let (desk, homes) = Desk::with_received(&[10_001, 5_000, 33]).await;
    let batch = desk.instructed().await;
    let text = desk.pain001(&batch).await;
    assert_eq!(values(&text, "MsgId"), ["PB-341823-2027-000001"]);
    assert_eq!(values(&text, "NbOfTxs"), ["3", "3"]);
    assert_eq!(values(&text, "CtrlSum"), ["150.34", "150.34"]);
    assert_eq!(values(&text, "CreDtTm"), ["2027-03-01T00:00:00Z"]);
    let settings = &desk.purse.world.app.settings;
    let debtor = values(&text, "DbtrAcct")[0];
    assert!(debtor.contains(settings.escrow_account.as_deref().unwrap()), "{debtor}");
    let sum: i64 = amounts(&text).iter().map(|amount| Fen::parse(amount).unwrap().get()).sum();
    assert_eq!((amounts(&text).len(), yuan(sum).as_str()), (3, "150.34"));
    for payout in desk.payouts(&batch).await {
        let id = payout["end_to_end_id"].as_str().unwrap();
        assert_eq!(text.matches(id).count(), 1, "{id}");
    }
    let account = format!("0000000{:012}", homes[0].as_u128() % 1_000_000_000_000);
    assert_eq!(text.matches(&account).count(), 1);

    desk.purse.world.clock.advance(chrono::TimeDelta::days(3));
    let relogged = Desk { second: desk.purse.world.official(Role::Finance).await, purse: desk.purse };
    change_account(&relogged, homes[0], "0000000000000009999").await;
    assert_eq!(relogged.pain001(&batch).await, text, "what was approved is what is sent");
    for format in ["xlsx", "csv"] {
        let (first, name) = relogged.file(&batch, format).await;
        assert_eq!(name, format!("attachment; filename=\"PB-341823-2027-000001.{format}\""));
        relogged.purse.world.clock.advance(chrono::TimeDelta::seconds(2));
        assert!(relogged.file(&batch, format).await.0 == first, "{format}");
    }
}

#[tokio::test]
async fn every_download_of_a_file_stands_in_the_trail() {
    let (desk, _) = Desk::with_received(&[100]).await;
    let batch = desk.instructed().await;
    desk.pain001(&batch).await;
    desk.file(&batch, "csv").await;
    let auditor = desk.purse.world.official(Role::Auditor).await;
    let path = format!("/v1/audit_events?subject_id={batch}");
    let events = desk.purse.world.get(&auditor, &path).await.ok();
    let mut written = events["items"].as_array().unwrap().clone();
    written.retain(|event| event["action"] == "write_payout_file");
    let mut forms: Vec<&str> = written.iter().map(|event| event["after"]["form"].as_str().unwrap()).collect();
    forms.sort_unstable();
    assert_eq!(forms, ["csv", "xml"]);
    assert!(written.iter().all(|event| event["actor_id"] == json!(desk.second.id)));
    desk.purse.audited().await;
}

#[tokio::test]
async fn a_form_writes_accounts_as_text_and_no_cell_that_runs() {
    let (desk, homes) = Desk::with_received(&[123_456, 7]).await;
    let world = &desk.purse.world;
    let officer = world.official(Role::Officer).await;
    let path = format!("/v1/households/{}", homes[0]);
    world.patch(&officer, &path, "\"1\"", json!({ "head_name": "=1+1" })).await.ok();
    change_account(&desk, homes[0], "6228480402564890018").await;
    let batch = desk.instructed().await;
    let csv = String::from_utf8(desk.file(&batch, "csv").await.0).unwrap();
    assert!(csv.starts_with("\u{feff}\"序号\",\"付款账号\",\"收款户名\",\"收款账号\",\"金额(元)\""), "{csv}");
    assert!(csv.contains("\"'=1+1\",\"6228480402564890018\",\"1234.56\""), "{csv}");
    assert_eq!(csv.matches("\r\n").count(), 3);

    let xlsx = desk.file(&batch, "xlsx").await.0;
    let table = Table::read(&xlsx, &COLUMNS).unwrap();
    let mut rows: Vec<[&str; 3]> =
        table.rows.iter().map(|row| ["name", "account", "amount"].map(|key| table.get(row, key))).collect();
    rows.sort_unstable();
    assert_eq!(rows[0], ["=1+1", "6228480402564890018", "1234.56"]);
    assert_eq!((rows.len(), rows[1][2]), (2, "0.07"));
}

#[tokio::test]
async fn a_file_is_written_for_an_approved_batch_whose_payer_is_set() {
    let (desk, _) = Desk::with_received(&[100]).await;
    let batch = desk.make().await;
    let path = format!("{BATCHES}/{batch}/file?format=pain001");
    let world = &desk.purse.world;
    world.get(&desk.second, &path).await.refused(409, "wrong_state");
    world.get(&desk.second, &format!("{BATCHES}/{batch}/file")).await.refused(400, "invalid_parameter");
    let unknown = format!("{BATCHES}/{}/file?format=csv", Uuid::now_v7());
    world.get(&desk.second, &unknown).await.refused(404, "not_found");

    let settings: [(&str, Setting); 3] = [
        ("ZHUXIAO_ESCROW_ACCOUNT", |settings| &mut settings.escrow_account),
        ("ZHUXIAO_ESCROW_ACCOUNT_NAME", |settings| &mut settings.escrow_account_name),
        ("ZHUXIAO_ESCROW_ACCOUNT_BANK", |settings| &mut settings.escrow_account_bank),
    ];
    for (name, setting) in settings {
        let desk = Desk::with(|settings| *setting(settings) = None).await;
        let home = desk.purse.households(1).await[0];
        desk.purse.sold(&[(home, 100)]).await;
        desk.purse.pay("1.00").await;
        let batch = desk.instructed().await;
        let path = format!("{BATCHES}/{batch}/file?format=pain001");
        let refused = desk.purse.world.get(&desk.second, &path).await.refused(409, "setting_missing");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.ends_with(&format!(" {name}.")), "{detail}");
    }
}

#[tokio::test]
async fn a_report_of_the_bank_pays_and_returns_and_the_same_one_again_changes_nothing() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let shown = desk.get(&batch).await;
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let file = report(&shown, &[(&one, SETTLED), (&two, CLOSED)]);
    let told = desk.import_with(&batch, file.clone().into(), "", "f1").await;
    let replayed = desk.import_with(&batch, file.clone().into(), "", "f1").await;
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    assert_eq!(told.ok(), replayed.ok());
    assert_eq!((&told.json()["paid"], &told.json()["returned"]), (&json!(1), &json!(1)));
    assert_eq!(told.json()["batch"]["state"], "executed");
    let back = desk.payout_of(&batch, homes[1]).await;
    assert_eq!((&back["state"], &back["return_code"]), (&json!("returned"), &json!("closed_account")));
    assert_eq!(desk.common().await, ["2.00", "0.00", "0.00"]);

    let again = desk.import(&batch, file).await.ok();
    assert_eq!((&again["paid"], &again["returned"], &again["unchanged"]), (&json!(0), &json!(0), &json!(2)));
    assert_eq!(desk.common().await, ["2.00", "0.00", "0.00"]);
    let other = report(&shown, &[(&one, CLOSED), (&two, CLOSED)]);
    let refused = desk.import(&batch, other).await;
    let detail = refused.refused(422, "invalid_value")["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("transaction 1: ") && detail.contains("paid"), "{detail}");
    let another = desk.import_with(&batch, b"other".to_vec(), "", "f1").await;
    another.refused(422, "invalid_value");
    desk.purse.audited().await;
}

#[tokio::test]
async fn what_a_file_does_not_name_is_unknown_unless_it_is_a_part() {
    let (desk, homes) = Desk::with_received(&[100, 200, 400]).await;
    let batch = desk.instructed().await;
    let shown = desk.get(&batch).await;
    let one = desk.payout_of(&batch, homes[0]).await;
    let two = desk.payout_of(&batch, homes[1]).await;
    let part = report(&shown, &[(&one, SETTLED)]);
    let told = desk.import_with(&batch, part.into(), "?is_partial=true", "p1").await.ok();
    assert_eq!((&told["paid"], &told["unknown"]), (&json!(1), &json!(0)));
    let told = desk.import(&batch, report(&shown, &[(&one, SETTLED), (&two, PENDING)])).await.ok();
    let counts = ["paid", "unknown", "pending", "unchanged"].map(|name| told[name].as_u64().unwrap());
    assert_eq!(counts, [0, 1, 1, 1]);
    assert_eq!(desk.payout_of(&batch, homes[1]).await["state"], "instructed");
    let three = desk.payout_of(&batch, homes[2]).await;
    assert_eq!(three["state"], "unknown");
    desk.try_make().await.refused(422, "invalid_value");

    let last = report(&shown, &[(&one, SETTLED), (&two, SETTLED), (&three, SETTLED)]);
    assert_eq!(desk.import(&batch, last).await.ok()["batch"]["state"], "executed");
    assert_eq!(desk.common().await, ["0.00", "0.00", "0.00"]);
    desk.purse.audited().await;
}

#[tokio::test]
async fn a_status_of_the_whole_group_is_that_of_every_payout() {
    let (desk, _) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let shown = desk.get(&batch).await;
    let whole = |status: &str| report(&shown, &[]).replace("PART", status);
    assert_eq!(desk.import(&batch, whole("ACCP")).await.ok()["pending"], 2);
    assert_eq!(desk.import(&batch, whole("ACSC")).await.ok()["paid"], 2);
    assert_eq!(desk.common().await, ["0.00", "0.00", "0.00"]);
}

#[tokio::test]
async fn a_table_of_results_says_the_same() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let row = |payout: &Json, rest: &str| format!("{},{rest}\n", payout["end_to_end_id"].as_str().unwrap());
    let head = "业务参考号,金额(元),处理结果,失败原因\n";
    let file = format!("{head}{}{}", row(&one, "1.00,成功,"), row(&two, "2.00,退汇,账户已销户"));
    let told = desk.import(&batch, file).await.ok();
    assert_eq!((&told["paid"], &told["returned"]), (&json!(1), &json!(1)));
    let back = desk.payout_of(&batch, homes[1]).await;
    assert_eq!(
        (&back["return_code"], &back["return_reason"]),
        (&json!("closed_account"), &json!("账户已销户"))
    );
    let wrong = format!("{head}{}", row(&one, "1.01,成功,"));
    let refused = desk.import(&batch, wrong).await.refused(422, "invalid_value");
    assert!(refused["detail"].as_str().unwrap().starts_with("row 2: the amount is 1.00"), "{refused}");
}

#[tokio::test]
async fn a_file_that_does_not_fit_its_batch_is_refused_whole() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.make().await;
    let shown = desk.get(&batch).await;
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let right = report(&shown, &[(&one, SETTLED), (&two, SETTLED)]);
    desk.import(&batch, right.clone()).await.refused(409, "wrong_state");
    desk.approve(&batch).await.ok();
    let foreign = format!("P{}", Uuid::now_v7().simple());
    for (what, from, to) in [
        ("another message", "2027-000001", "2027-000002"),
        ("another count", "<OrgnlNbOfTxs>2", "<OrgnlNbOfTxs>3"),
        ("another sum", "<OrgnlCtrlSum>3.00", "<OrgnlCtrlSum>3.01"),
        ("another amount", ">2.00</InstdAmt>", ">2.01</InstdAmt>"),
        ("another currency", "Ccy=\"CNY\"", "Ccy=\"USD\""),
        ("another payout", two["end_to_end_id"].as_str().unwrap(), &foreign),
        ("one payout twice", two["end_to_end_id"].as_str().unwrap(), one["end_to_end_id"].as_str().unwrap()),
        ("a status of its own", "ACSC", "DONE"),
        ("no report at all", "pain.002.001.10", "pain.008.001.08"),
    ] {
        let file = right.replace(from, to);
        assert_ne!(file, right, "{what}");
        let answer = desk.import(&batch, file).await;
        assert_eq!(answer.status, 422, "{what}: {}", answer.text);
        answer.refused(422, "invalid_value");
    }
    assert_eq!(desk.common().await, ["3.00", "-3.00", "0.00"], "nothing of it took effect");
    let path = format!("{BATCHES}/{batch}/results/import");
    let without = desk.purse.world.request(Method::POST, Some(&desk.second), &path);
    let without = without.header("content-type", "application/octet-stream").body(right);
    Answer::of(without).await.refused(428, "idempotency_key_missing");
}

#[tokio::test]
async fn the_same_file_sent_by_many_at_once_takes_effect_once() {
    let (desk, homes) = Desk::with_received(&[100, 200]).await;
    let batch = desk.instructed().await;
    let shown = desk.get(&batch).await;
    let (one, two) = (desk.payout_of(&batch, homes[0]).await, desk.payout_of(&batch, homes[1]).await);
    let file = report(&shown, &[(&one, SETTLED), (&two, CLOSED)]);
    let sent = futures_util::future::join_all((0..5).map(|_| desk.import(&batch, file.clone()))).await;
    let told: Vec<Json> = sent.iter().map(Answer::ok).collect();
    let sum = |name: &str| told.iter().map(|told| told[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("paid"), sum("returned"), sum("unchanged")), (1, 1, 8));
    assert_eq!(desk.common().await, ["2.00", "0.00", "0.00"]);
    assert_eq!(desk.payable(homes[1]).await, "-2.00");
    desk.purse.audited().await;
}
