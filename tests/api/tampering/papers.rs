//! What is changed by hand in a paper is found and the paper named, also when its digest was made anew.

use zhuxiao::audit::{self, Finding};
use zhuxiao::papers::digest;

use crate::papers::Desk;

/// A desk with one paper: its id, number and content.
async fn one_paper() -> (Desk, String, String, String) {
    let desk = Desk::open().await;
    let home = desk.purse.households(1).await[0];
    let (_, paper) = desk.settled(&[(home, 700)]).await;
    let id = paper["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/papers/{id}/file?format=json");
    let content = desk.purse.world.get(&desk.purse.finance, &path).await.text;
    (desk, id, paper["number"].as_str().unwrap().to_owned(), content)
}

/// What a whole audit finds about papers, which is what one since the beginning of the day finds.
async fn found(desk: &Desk) -> Vec<Finding> {
    let reader = desk.purse.world.app.db.reader();
    let of_papers = |findings: Vec<Finding>| {
        findings.into_iter().filter(|found| found.table.starts_with("paper")).collect::<Vec<_>>()
    };
    let whole = of_papers(audit::verify(reader).await.unwrap());
    let since = desk.purse.world.clock.now() - chrono::TimeDelta::hours(1);
    let part = audit::verify_with(reader, Some(since), |_, _| {}).await.unwrap();
    assert_eq!(of_papers(part.findings), whole);
    whole
}

fn columns<'f>(findings: &'f [Finding], id: &str) -> Vec<&'f str> {
    findings.iter().filter(|found| found.row_id == id).map(|found| found.column).collect()
}

#[tokio::test]
async fn one_letter_of_a_content_that_was_changed_does_not_fit_the_digest() {
    let (desk, id, _, content) = one_paper().await;
    assert!(found(&desk).await.is_empty());
    let changed = content.replace("示范学校", "示范大学");
    assert_ne!(changed, content);
    let sql = "update paper set content = $1";
    desk.purse.world.execute(sql, vec![changed.into()]).await;
    assert_eq!(columns(&found(&desk).await, &id), ["digest"]);
}

#[tokio::test]
async fn a_forged_figure_is_found_although_its_digest_was_made_anew() {
    let (desk, id, number, content) = one_paper().await;
    let changed = content.replace(":700", ":701");
    let sql = "update paper set content = $1, digest = $2";
    let made_anew = digest(&number, &changed);
    desk.purse.world.execute(sql, vec![changed.into(), made_anew.into()]).await;
    let findings = found(&desk).await;
    let columns = columns(&findings, &id);
    assert!(columns.contains(&"content") && columns.contains(&"digest"), "{findings:#?}");
}

#[tokio::test]
async fn a_total_that_is_not_the_sum_of_its_lines_and_a_text_that_cannot_be_read_are_found() {
    for spoil in [
        |text: &str| text.replace("\"amount\":700,\"fee\"", "\"amount\":701,\"fee\""),
        |_: &str| "{".to_owned(),
    ] {
        let (desk, id, _, content) = one_paper().await;
        let changed = spoil(&content);
        assert_ne!(changed, content);
        desk.purse.world.execute("update paper set content = $1", vec![changed.into()]).await;
        assert!(columns(&found(&desk).await, &id).contains(&"content"));
    }
}

#[tokio::test]
async fn a_row_that_changed_after_its_paper_was_issued_makes_the_paper_differ() {
    let (desk, id, _, _) = one_paper().await;
    desk.purse
        .world
        .execute("update settlement_line set quantity_base = quantity_base + 1", Vec::new())
        .await;
    let findings = found(&desk).await;
    let differs = findings.iter().find(|found| found.row_id == id).unwrap();
    assert_eq!(differs.column, "content");
    assert!(differs.stored.as_ref().unwrap().ends_with("700 1000 700"), "{differs:#?}");
    assert!(differs.recomputed.as_ref().unwrap().ends_with("701 1000 700"), "{differs:#?}");
}

#[tokio::test]
async fn a_number_of_another_kind_or_a_gap_is_found() {
    for (number, column) in [("MS-341823-2027-000001", "kind"), ("SS-341823-2027-000002", "number")] {
        let (desk, id, _, _) = one_paper().await;
        desk.purse.world.execute("update paper set number = $1", vec![number.into()]).await;
        let findings = found(&desk).await;
        let columns = columns(&findings, &id);
        assert!(columns.contains(&column) && columns.contains(&"digest"), "{number}: {findings:#?}");
    }
}

#[tokio::test]
async fn a_copy_that_was_taken_away_or_numbered_anew_is_missed() {
    let (desk, id, _, _) = one_paper().await;
    let prints = format!("/v1/papers/{id}/prints");
    for _ in 0..2 {
        desk.purse.world.post(&desk.purse.finance, &prints, serde_json::json!(null)).await;
    }
    assert!(found(&desk).await.is_empty());
    desk.purse.world.execute("delete from paper_print where copy_no = 1", Vec::new()).await;
    assert!(found(&desk).await.iter().any(|found| found.table == "paper_print" && found.column == "copy_no"));
}
