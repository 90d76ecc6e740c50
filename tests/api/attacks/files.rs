//! AT-F: files that come in to do harm, and texts that do it in the files that go out.

mod crafted;

use std::io::Read;
use std::time::{Duration, Instant};

use reqwest::Method;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};
use zhuxiao::members::access::Role;
use zhuxiao::sheet::{BadCell, report_csv};

use super::count;
use super::served::Served;
use crate::bank_statements::send as send_statement;
use crate::reports::arranged::{self, Books, PERIOD, Sale};
use crate::support::{Answer, Person, VILLAGES, World};
use crafted::{encrypted, package, padded, zipped};

const HEADER: [&str; 4] = ["编号", "户主姓名", "村代码", "户类型"];

/// Growth that no file may cause.
const KILOBYTES_MAX: u64 = 64 * 1024;

/// Texts that a spreadsheet program runs, and why: the sign, its full width, and what programs skip before it.
const FORMULAS: [&str; 8] =
    ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "=HYPERLINK(\"http://x\")", "=cmd|' /C calc'!A0"];
const DISGUISED: [&str; 8] =
    ["＝1+1", "＋1+1", "－1+1", "＠SUM(1)", " =1+1", "\u{feff}=1+1", "\u{3000}＝1+1", "\u{200b} @SUM(1)"];

async fn office() -> (World, Person) {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    (world, officer)
}

async fn upload(world: &World, by: &Person, path: &str, file: Vec<u8>) -> Answer {
    let request = world.request(Method::POST, Some(by), path);
    Answer::of(request.header("content-type", "application/octet-stream").body(file)).await
}

/// A workbook of households with these rows below its header.
fn workbook(rows: &[[&str; 4]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("农户").unwrap();
    sheet.write_row(0, 0, HEADER).unwrap();
    for (row, cells) in (1..).zip(rows) {
        sheet.write_row(row, 0, *cells).unwrap();
    }
    book.save_to_buffer().unwrap()
}

/// Sales of products with these names, written below the API as an import of old data would, as csv and as the parts of
/// an xlsx file.
async fn exported(names: &[&str]) -> (Vec<String>, String, String) {
    let world = arranged::world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let household = world.household(VILLAGES[0], "registered").await;
    let school = world.institution("甲中学", "school").await;
    for (number, name) in names.iter().enumerate() {
        let product = world.product(&format!("tea-{number}")).await;
        let sql = "update product set name = $2 where id = $1";
        world.execute(sql, vec![product.into(), (*name).into()]).await;
        let paper = books.paper(school, household, product).await;
        books.sell(paper, &Sale::of(household, VILLAGES[0], product, 1500, 4805)).await;
    }
    let path = |format: &str| format!("sales?{PERIOD}&group_by=product&format={format}");
    let (_, _, bytes) = arranged::file(&world, &officer, &path("csv")).await;
    let text = String::from_utf8(bytes).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let cells =
        reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<String>>());
    let cells = cells.collect();
    let (_, _, bytes) = arranged::file(&world, &officer, &path("xlsx")).await;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    (cells, part("xl/worksheets/sheet1.xml"), part("xl/sharedStrings.xml"))
}

/// Every name is a text in both files, whatever comes before the sign.
async fn holds_no_formula(names: &[&str]) {
    let (cells, sheet, texts) = exported(names).await;
    for name in names {
        assert!(cells.contains(&format!("'{name}")), "{name:?} in {cells:?}");
        assert!(!cells.contains(&(*name).to_owned()), "{name:?}");
    }
    // A formula is only the sum that we write ourselves.
    assert!(sheet.split("<f>").skip(1).all(|formula| formula.starts_with("SUM(")), "{sheet}");
    assert!(texts.contains("1+1") || texts.contains("SUM(1)"), "{texts}");
    let bad = names.iter().map(|name| BadCell {
        sheet: "农户".to_owned(),
        row: 2,
        column: (*name).to_owned(),
        value: (*name).to_owned(),
        reason: "x".to_owned(),
    });
    let report = report_csv(&bad.collect::<Vec<_>>());
    for name in names {
        assert!(report.contains(&format!("\"'{}\"", name.replace('"', "\"\""))), "{name:?} in {report}");
    }
}

/// Fields are quoted where RFC 4180 asks for it: those with commas, quotes or line ends.
#[tokio::test]
async fn at_f01_no_name_is_a_formula_in_a_file_that_goes_out() {
    holds_no_formula(&FORMULAS).await;
    let (world, officer) = office().await;
    for name in FORMULAS {
        let household = json!({ "village": VILLAGES[0], "head_name": name, "status": "general" });
        let answer = world.post(&officer, "/v1/households", household).await;
        assert!([201, 422].contains(&answer.status.as_u16()), "{name:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn at_f02_no_formula_hides_behind_another_width_a_blank_or_a_mark() {
    holds_no_formula(&DISGUISED).await;
}

/// The program itself reads a file within a time and within memory, refuses it, and leaves nothing behind.
async fn refused_cheaply(served: &Served, world: &World, officer: &Person, what: &str, file: Vec<u8>) {
    let before = served.begin_watch();
    let begun = Instant::now();
    let answer = served.upload(world, officer, file).await;
    let (took, grown) = (begun.elapsed(), served.peak().saturating_sub(before));
    assert!([413, 422].contains(&answer.status.as_u16()), "{what}: {} {}", answer.status, answer.text);
    assert!(took < Duration::from_secs(2), "{what}: {took:?}");
    assert!(grown < KILOBYTES_MAX, "{what}: {grown} kB more");
}

/// The program with an officer signed in, who has sent one small file, so that what is made once has been made.
async fn serving() -> (World, Served, Person) {
    let (world, officer) = office().await;
    let served = Served::start(&world).await;
    let officer = served.sign_in(&world, &officer).await;
    let small = workbook(&[["1", "甲", VILLAGES[0], "一般农户"]]);
    served.upload(&world, &officer, small).await.ok();
    (world, served, officer)
}

fn files_in(served: &Served) -> Vec<String> {
    let entries = std::fs::read_dir(&served.folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn at_f03_a_sheet_that_unpacks_to_half_a_gigabyte_is_refused_unread() {
    let (world, served, officer) = serving().await;
    for (what, stated) in [("says what it is", None), ("says it is small", Some(1_000_000))] {
        let file = padded(512 << 20, stated);
        assert!(file.len() < 600_000, "{} bytes", file.len());
        refused_cheaply(&served, &world, &officer, what, file).await;
    }
    // As dense as what spreadsheet programs never write, and within what a large workbook may be.
    refused_cheaply(&served, &world, &officer, "a hundred megabytes", padded(100 << 20, None)).await;
    assert_eq!((count(&world, "household").await, files_in(&served)), (1, vec!["log".to_owned()]));
}

#[tokio::test]
async fn at_f06_no_entity_of_a_workbook_is_looked_up_or_expanded() {
    let (world, officer) = office().await;
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = elsewhere.local_addr().unwrap();
    let nested = ('a'..='y')
        .zip('b'..='z')
        .map(|(inner, outer)| format!("<!ENTITY {outer} \"{}\">", format!("&{inner};").repeat(7)));
    let expansion = format!("<!ENTITY a \"haha\">{}", nested.collect::<Vec<_>>().concat());
    let sheet = |name: &str| {
        let cells = [HEADER, ["1", name, VILLAGES[0], "一般农户"]].map(|row| {
            let cells = row.map(|cell| format!("<c t=\"inlineStr\"><is><t>{cell}</t></is></c>"));
            format!("<row>{}</row>", cells.concat())
        });
        format!("<worksheet><sheetData>{}</sheetData></worksheet>", cells.concat())
    };
    upload(&world, &officer, "/v1/households/import?dry_run=true", package(&sheet("甲"), "<sst/>"))
        .await
        .ok();
    for declared in [
        format!("<!ENTITY z SYSTEM \"http://{address}/x\">"),
        "<!ENTITY z SYSTEM \"file:///etc/passwd\">".to_owned(),
        format!("<!ENTITY % p SYSTEM \"http://{address}/x.dtd\"> %p;"),
        expansion,
    ] {
        let declared = format!("<?xml version=\"1.0\"?><!DOCTYPE d [{declared}]>");
        for file in [
            package(&format!("{declared}{}", sheet("&z;")), "<sst/>"),
            package(&sheet("甲"), &format!("{declared}<sst><si><t>&z;</t></si></sst>")),
        ] {
            let answer = upload(&world, &officer, "/v1/households/import", file).await;
            let problem = answer.refused(422, "invalid_value");
            assert!(problem["detail"].as_str().unwrap().contains("document type"), "{problem}");
            assert!(!answer.text.contains("root:") && !answer.text.contains("haha"));
        }
    }
    let undeclared =
        upload(&world, &officer, "/v1/households/import", package(&sheet("&z;"), "<sst/>")).await;
    undeclared.refused(422, "invalid_value");
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(count(&world, "household").await, 0);
}

/// The reason is English, as every `detail` is; what the cells of a table are called in it is what the table calls them.
/// Files come without a name: a csv file that was renamed is still a csv file, and read as one.
#[tokio::test]
async fn at_f07_what_only_looks_like_a_workbook_is_refused_with_what_to_do() {
    let (world, officer) = office().await;
    let ole = [&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1][..], &[0; 4_096]].concat();
    let good = workbook(&[["1", "甲", VILLAGES[0], "一般农户"]]);
    let macros = crafted::with_part(&good, "xl/vbaProject.bin", b"x");
    for (what, file, told) in [
        ("xlsm", macros, "macros"),
        ("xls, or xlsx with a password", ole, "password"),
        ("zip with a password", encrypted(&good), "password"),
        (
            "html",
            b"<html><table><tr><td>\xe7\xbc\x96\xe5\x8f\xb7</td></tr></table></html>".to_vec(),
            "header row",
        ),
        ("docx", zipped(&[("word/document.xml", b"<w/>")]), "csv or xlsx"),
        ("cut off", good[..good.len() / 2].to_vec(), "damaged"),
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "csv or xlsx"),
    ] {
        for path in ["/v1/households/import", "/v1/lots/import"] {
            let problem = upload(&world, &officer, path, file.clone()).await.refused(422, "invalid_value");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(told), "{what}: {detail}");
        }
    }
    assert_eq!((count(&world, "household").await, count(&world, "lot").await), (0, 0));
    let csv = "编号,户主姓名,村代码,户类型\n1,甲,341823100001,一般农户\n";
    upload(&world, &officer, "/v1/households/import", csv.into()).await.ok();
    assert_eq!(count(&world, "household").await, 1);
}

/// No name comes with a file, and none is kept: what a client says about one is not read.
#[tokio::test]
async fn at_f11_a_file_is_never_stored_under_a_name_that_came_with_it() {
    let (world, served, officer) = serving().await;
    let long = "x".repeat(300);
    for name in ["../../etc/cron.d/x", "/etc/passwd", "..\\..\\x", "CON", "log", &long] {
        let file = workbook(&[["1", "甲", VILLAGES[0], "一般农户"]]);
        let path = format!("/v1/households/import?filename={}", name.replace(['/', '\\'], "%2F"));
        for path in ["/v1/households/import", &path] {
            let request = served.request(&world, Method::POST, &officer, path);
            let request = request
                .header("content-type", "application/octet-stream")
                .header("content-disposition", format!("attachment; filename=\"{name}\""));
            let answer = Answer::of(request.body(file.clone())).await;
            // A parameter that nobody knows may be refused; a header that nobody reads is not.
            let is_refused = answer.status == 400 && path.contains('?');
            assert!(is_refused || answer.ok()["existing"] == 1, "{name}: {}", answer.text);
        }
    }
    assert_eq!(files_in(&served), ["log"]);
    assert_eq!(count(&world, "household").await, 1);
}

#[tokio::test]
async fn at_f13_fifty_thousand_attributes_of_one_tag_cost_no_more_than_their_reading() {
    let (world, served, officer) = serving().await;
    let many = |write: fn(usize) -> String| (0..50_000).map(write).collect::<String>();
    let attributes = many(|number| format!(" a{number}=\"1\""));
    let spaces = many(|number| format!(" xmlns:n{number}=\"urn:n{number}\""));
    for (what, written) in [("attributes", attributes), ("namespaces", spaces)] {
        let sheet = format!(
            "<worksheet{written}><sheetData><row{written}><c{written}/></row></sheetData></worksheet>"
        );
        refused_cheaply(&served, &world, &officer, what, package(&sheet, "<sst/>")).await;
        let texts = format!("<sst{written}><si{written}><t>x</t></si></sst>");
        let blank = "<worksheet><sheetData/></worksheet>";
        refused_cheaply(&served, &world, &officer, what, package(blank, &texts)).await;
    }
    assert_eq!(count(&world, "household").await, 1);
}

/// There is no column of identity numbers; an account has as many digits, and phones lose theirs in the same way.
#[tokio::test]
async fn at_f14_digits_that_a_spreadsheet_lost_are_refused_by_sheet_row_and_column() {
    let (world, officer) = office().await;
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("农户").unwrap();
    sheet.write_row(0, 0, HEADER.into_iter().chain(["银行账号", "联系电话"])).unwrap();
    for row in 1..=1_000_u32 {
        sheet.write_row(row, 0, [&row.to_string(), "甲", VILLAGES[0], "一般农户"]).unwrap();
        sheet.write_string(row, 4, "6228480402564890018").unwrap();
    }
    sheet.write_number(500, 4, 6_228_480_402_564_890_018.0).unwrap();
    let file = book.save_to_buffer().unwrap();
    let answer = upload(&world, &officer, "/v1/households/import", file).await;
    let problem = answer.refused(422, "cells_refused");
    let cells = problem["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 1, "{problem}");
    let place = ["sheet", "row", "column"].map(|member| cells[0][member].clone());
    assert_eq!(place, [json!("农户"), json!(501), json!("银行账号")]);
    assert!(cells[0]["reason"].as_str().unwrap().contains("text"), "{problem}");
    assert_eq!((count(&world, "household").await, count(&world, "household_status").await), (0, 0));
}

/// The same readers stand behind bank statements: what is refused above is refused there.
#[tokio::test]
async fn at_f03_and_f06_hold_for_bank_statements_as_well() {
    let (world, _) = office().await;
    let finance = world.official(Role::Finance).await;
    let declared = "<!DOCTYPE d [<!ENTITY z SYSTEM \"file:///etc/passwd\">]>";
    let camt = format!("<?xml version=\"1.0\"?>{declared}<Document>&z;</Document>");
    let files = [
        padded(512 << 20, None),
        padded(512 << 20, Some(1_000_000)),
        package(&format!("{declared}<worksheet/>"), "<sst/>"),
        camt.into_bytes(),
    ];
    for file in files {
        let answer = send_statement(&world, &finance, "", file).await;
        let problem: Value = answer.json();
        assert_eq!(answer.status, 422, "{problem}");
        assert!(!answer.text.contains("root:"));
    }
    assert_eq!(count(&world, "bank_statement").await, 0);
}
