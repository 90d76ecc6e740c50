//! Reports as csv and xlsx files.

use zhuxiao::members::access::Role;

use super::arranged::{Books, PERIOD, Sale, file, read_back, world};
use crate::support::builders::VILLAGES;
use crate::support::{Person, World};

/// Two sales of a product whose name a spreadsheet would run.
async fn two_sales() -> (World, Person) {
    let world = world().await;
    let officer = world.official(Role::Officer).await;
    let books = Books::open(&world).await;
    let household = world.household(VILLAGES[0], "registered").await;
    let product = world.product("=HYPERLINK(1)").await;
    let paper = books.paper(world.institution("甲中学", "school").await, household, product).await;
    let sale = Sale::of(household, VILLAGES[0], product, 1500, 4805);
    books.sell(paper, &Sale { received_fen: 4805, paid_out_fen: 1, ..sale.clone() }).await;
    books.sell(paper, &Sale { village: VILLAGES[2].to_owned(), fen: 10_000, ..sale }).await;
    (world, officer)
}

#[tokio::test]
async fn a_csv_file_shows_chinese_headers_with_units_and_runs_nothing() {
    let (world, officer) = two_sales().await;
    let path = format!("sales?{PERIOD}&group_by=village,product&format=csv");
    let (kind, name, bytes) = file(&world, &officer, &path).await;
    assert_eq!(kind, "text/csv; charset=utf-8");
    assert_eq!(name, "attachment; filename=\"sales_341823000000_2027-01-01_2027-12-31.csv\"");
    let text = String::from_utf8(bytes).unwrap();
    let expected = "\u{feff}村代码,村,产品,销售额(元),已收款(元),已付农户(元),重量(公斤),数量(枚/头/箱),农户(户),采购单位(家),销售(笔)\r\n\
                    341823100001,示范一村,'=HYPERLINK(1),48.05,48.05,0.01,1.5,0,1,1,1\r\n\
                    341823101201,示范三村,'=HYPERLINK(1),100.00,0.00,0.00,1.5,0,1,1,1\r\n\
                    合计,,,148.05,48.05,0.01,3,0,1,1,2\r\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn an_xlsx_file_reads_back_with_its_totals() {
    let (world, officer) = two_sales().await;
    let path = format!("sales?{PERIOD}&group_by=village,product&format=xlsx");
    let (kind, name, bytes) = file(&world, &officer, &path).await;
    assert_eq!(kind, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    assert!(name.ends_with(".xlsx\""), "{name}");
    assert!(bytes.starts_with(b"PK\x03\x04"));
    let rows = read_back(&bytes, &["销售额(元)"]);
    assert_eq!(rows[1][..4], ["341823100001", "示范一村", "=HYPERLINK(1)", "48.05"]);
    assert_eq!(rows[3][0], "合计");
    assert_eq!(rows[3][3..], ["148.05", "48.05", "0.01", "3", "0", "1", "1", "2"]);
    assert_eq!(rows.len(), 4);
}

#[tokio::test]
async fn every_report_comes_as_a_file() {
    let (world, officer) = two_sales().await;
    let paths = [
        (format!("coverage?{PERIOD}"), "农户(户)", "coverage_341823000000_2027-01-01_2027-12-31"),
        ("unsold?group_by=township".to_owned(), "价值(元)", "unsold_341823000000_2027-03-01"),
        (format!("income?{PERIOD}"), "收入(元)", "income_341823000000_2027-01-01_2027-12-31"),
    ];
    for (path, title, name) in paths {
        let joint = if path.contains('?') { '&' } else { '?' };
        for format in ["csv", "xlsx"] {
            let (_, disposition, bytes) =
                file(&world, &officer, &format!("{path}{joint}format={format}")).await;
            assert_eq!(disposition, format!("attachment; filename=\"{name}.{format}\""));
            let titles: &'static [&'static str] = Box::leak(Box::new([title]));
            let rows = read_back(&bytes, titles);
            assert!(rows[0].iter().any(|header| header == title), "{rows:?}");
            assert_eq!(rows.last().unwrap()[0], "合计", "{path} {format}");
        }
    }
}
