//! Papers as pages to print and as workbooks.

use std::io::Read;

use serde_json::json;
use zhuxiao::members::access::Role;

use super::{Desk, path_of};

#[tokio::test]
async fn the_first_copy_is_the_original_and_every_later_one_says_that_it_was_printed_again() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let (_, paper) = desk.settled(&[(home, 500)]).await;
    let world = &desk.purse.world;
    let prints = format!("{}/prints", path_of(&paper));
    let finance = Some(&desk.purse.finance);
    let first = world.post_with_key(finance, &prints, json!(null), "one").await;
    assert_eq!((first.status.as_u16(), first.header("copy-number")), (200, "1"), "{}", first.text);
    assert!(!first.text.contains("补打") && !first.text.contains("样张"));
    let again = world.post_with_key(finance, &prints, json!(null), "one").await;
    assert_eq!((again.header("copy-number"), again.header("idempotency-replayed")), ("1", "true"));
    assert!(!again.text.contains("补打"), "a lost answer is no second copy");
    let auditor = world.official(Role::Auditor).await;
    let second = world.post(&auditor, &prints, json!(null)).await;
    assert_eq!(second.header("copy-number"), "2");
    assert!(second.text.contains("补打  第2份"));
    let preview = world.get(&desk.purse.finance, &format!("{}/file?format=html", path_of(&paper))).await;
    assert!(preview.text.contains("样张"));
    assert_eq!(desk.get(&path_of(&paper)).await["copies"], 2, "looking at it is no copy");
    desk.purse.audited().await;
}

#[tokio::test]
async fn copies_printed_at_once_get_numbers_of_their_own() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let (_, paper) = desk.settled(&[(home, 500)]).await;
    let prints = format!("{}/prints", path_of(&paper));
    let printing = (0..5).map(|_| desk.purse.world.post(&desk.purse.finance, &prints, json!(null)));
    let answers = futures_util::future::join_all(printing).await;
    let mut copies: Vec<&str> = answers.iter().map(|answer| answer.header("copy-number")).collect();
    copies.sort_unstable();
    assert_eq!(copies, ["1", "2", "3", "4", "5"]);
    desk.purse.audited().await;
}

#[tokio::test]
async fn a_page_shows_what_a_product_is_called_and_never_runs_it() {
    let desk = Desk::open().await;
    let name = "update product set name = '<script>alert(1)</script>'";
    desk.purse.world.execute(name, Vec::new()).await;
    let home = desk.purse.households(1).await[0];
    let (_, paper) = desk.settled(&[(home, 500)]).await;
    let page =
        desk.purse.world.get(&desk.purse.finance, &format!("{}/file?format=html", path_of(&paper))).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.text.contains(&format!("<style nonce=\"{nonce}\">")));
    assert!(!page.text.contains("<script") && page.text.contains("&#60;script&#62;alert(1)"));
}

#[tokio::test]
async fn a_workbook_has_typed_cells_a_frozen_header_and_a_sum_that_equals_ours() {
    let desk = Desk::open().await;
    desk.purse.world.execute("update product set name = '=HYPERLINK(1)'", Vec::new()).await;
    let homes = desk.purse.households(2).await;
    let (_, paper) = desk.settled(&[(homes[0], 500), (homes[1], 707)]).await;
    let path = format!("{}/file?format=xlsx", path_of(&paper));
    let request = desk.purse.world.request(reqwest::Method::GET, Some(&desk.purse.finance), &path);
    let response = request.send().await.unwrap();
    let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(name, "attachment; filename=\"SS-341823-2027-000001.xlsx\"");
    let bytes = response.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut read = |part: &str| {
        let mut text = String::new();
        archive.by_name(part).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let sheet = read("xl/worksheets/sheet1.xml");
    // A title, nine facts, then the header in row 11 and two lines.
    assert!(sheet.contains("<pane ySplit=\"11\""), "{sheet}");
    assert!(sheet.contains("<f>SUM(I12:I13)</f><v>12.07</v>"), "{sheet}");
    assert_eq!(sheet.matches("<f>").count(), 1, "nothing that came from people is a formula");
    assert!(sheet.contains("<v>5</v>") || sheet.contains("<v>5.0</v>"), "an amount is a number: {sheet}");
    let texts = read("xl/sharedStrings.xml");
    for text in ["=HYPERLINK(1)", "金额(元)", "合计", "人民币壹拾贰元零柒分"] {
        assert!(texts.contains(text), "{text} in {texts}");
    }
}

#[tokio::test]
async fn a_month_that_is_not_issued_is_a_draft_in_every_form() {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    desk.purse.sold(&[(home, 500)]).await;
    let path = format!("/v1/institutions/{}/statements/2027-03", desk.purse.school);
    let page = desk.purse.world.get(&desk.purse.finance, &format!("{path}?format=html")).await;
    assert!(page.text.contains("未出具"), "{}", page.text);
    let file = desk.purse.world.request(
        reqwest::Method::GET,
        Some(&desk.purse.finance),
        &format!("{path}?format=xlsx"),
    );
    let file = file.send().await.unwrap();
    assert_eq!(file.headers()["content-disposition"], "attachment; filename=\"draft.xlsx\"");
}
