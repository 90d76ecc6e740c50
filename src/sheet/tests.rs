//! What a sheet reads as, and what is refused. Workbooks are built here; no file of anybody else is kept.

use std::io::{Cursor, Write};

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

pub(super) const WANTED: [Column; 3] = [
    Column { key: "name", titles: &["户主姓名", "姓名"], required: true },
    Column { key: "quantity", titles: &["数量"], required: true },
    Column { key: "ready_from", titles: &["上市日期"], required: false },
];

pub(super) fn read(bytes: &[u8]) -> Result<Table, SheetError> {
    Table::read(bytes, &WANTED)
}

pub(super) fn texts(table: &Table, key: &str) -> Vec<String> {
    table.rows.iter().map(|row| table.get(row, key).to_owned()).collect()
}

pub(super) fn numbers(table: &Table) -> Vec<usize> {
    table.rows.iter().map(|row| row.number).collect()
}

fn workbook(fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["户主姓名", "数量", "上市日期"]).unwrap();
    fill(sheet);
    book.save_to_buffer().unwrap()
}

fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in parts {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const BOOK: &str =
    r#"<workbook xmlns:r="r"><sheets><sheet name="货源" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const RELATIONS: &str =
    r#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>"#;

fn package(sheet: &str, texts: &str) -> Vec<u8> {
    zipped(&[
        ("xl/workbook.xml", BOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
        ("xl/sharedStrings.xml", texts.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

#[test]
fn csv_in_utf8_with_or_without_a_mark_and_in_gb18030_reads_the_same() {
    let text = "姓名,数量,上市日期\r\n汪桂香,32.5,2020-02-15\r\n";
    let (gb18030, _, _) = encoding_rs::GB18030.encode(text);
    let mut utf16 = vec![0xFF, 0xFE];
    utf16.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    for bytes in [text.as_bytes(), format!("\u{feff}{text}").as_bytes(), &gb18030, &utf16] {
        let table = read(bytes).unwrap();
        assert_eq!(table.header, ["姓名", "数量", "上市日期"]);
        assert_eq!(
            (texts(&table, "name"), texts(&table, "quantity")),
            (vec!["汪桂香".into()], vec!["32.5".into()])
        );
    }
}

#[test]
fn the_delimiter_is_the_one_that_shows_the_header() {
    for delimiter in [",", ";", "\t"] {
        let text = format!("请如实填写, 谢谢; 商务局\n姓名{delimiter}数量\n汪桂香{delimiter}3\n");
        let table = read(text.as_bytes()).unwrap();
        assert_eq!((table.header_row, texts(&table, "quantity")), (2, vec!["3".to_owned()]), "{delimiter:?}");
    }
}

#[test]
fn a_csv_row_is_numbered_by_the_line_where_it_begins() {
    let text = "姓名,数量,备注\n\n甲,1,\"两\n行\"\n\r\n\n乙,2,x\r丙,3,y";
    let table = read(text.as_bytes()).unwrap();
    assert_eq!(numbers(&table), [3, 7, 8]);
    assert_eq!(table.unknown_titles().collect::<Vec<_>>(), ["备注"]);
}

#[test]
fn short_rows_read_as_empty_cells_and_blank_rows_are_left_out() {
    let table = read("姓名,数量,上市日期\n甲\n , ,\n乙,\u{3000}2\u{a0}\n".as_bytes()).unwrap();
    assert_eq!(numbers(&table), [2, 4]);
    assert_eq!(texts(&table, "quantity"), ["", "2"]);
    assert!(table.rows.iter().all(|row| row.cells.len() == 3));
    assert_eq!(table.get(&table.rows[0], "no such key"), "");
}

#[test]
fn text_that_is_no_table_is_refused() {
    assert_eq!(read(b"").unwrap_err(), SheetError::Empty);
    assert_eq!(read(b"\n\n , \n").unwrap_err(), SheetError::Empty);
    assert_eq!(read("姓名,数量\n甲\0,1\n".as_bytes()).unwrap_err(), SheetError::NotASheet);
    assert_eq!(read(b"\x89\xff\xff\xff").unwrap_err(), SheetError::Encoding);
    assert!(matches!(
        read("姓名,数量\n甲\u{7},1\n".as_bytes()).unwrap_err(),
        SheetError::ControlCharacter { row: 2, .. }
    ));
}

#[test]
fn headers_match_in_spite_of_width_space_marks_and_units() {
    let table =
        read("序号,\"＊ 户主\n姓 名：\",数量（斤）,Ready From\n1,甲,３,2020/2/15".as_bytes()).unwrap();
    assert_eq!(table.unit("quantity").as_deref(), Some("斤"));
    assert_eq!(table.unit("name"), None);
    assert_eq!(texts(&table, "ready_from"), ["2020/2/15"]);
    assert_eq!(texts(&table, "quantity"), ["３"], "cells stay as they are");
}

#[test]
fn missing_and_repeated_headers_are_named() {
    let missing = read("标题\n姓名,单价\n甲,1".as_bytes()).unwrap_err();
    assert_eq!(missing, SheetError::MissingColumns { sheet: "csv".into(), row: 2, missing: vec!["数量"] });
    assert!(missing.to_string().contains("数量"));
    let twice = read("姓名,数量(斤),数量(公斤)\n甲,1,2".as_bytes()).unwrap_err();
    assert_eq!(twice, SheetError::DuplicateHeader { sheet: "csv".into(), row: 1, column: "数量" });
}

#[test]
fn a_title_with_parentheses_is_told_from_others_by_them() {
    let column = |key, title| Column { key, titles: title, required: true };
    let wanted = [column("in", &["金额(收入)"]), column("out", &["金额(支出)"])];
    let table = Table::read("金额（收入）,金额（支出）\n1,2".as_bytes(), &wanted).unwrap();
    assert_eq!((texts(&table, "in"), texts(&table, "out")), (vec!["1".to_owned()], vec!["2".to_owned()]));
}

#[test]
fn a_header_below_thirty_rows_is_not_found() {
    let below = |rows: usize| format!("{}姓名,数量\n甲,1\n", "说明\n".repeat(rows));
    assert_eq!(read(below(29).as_bytes()).unwrap().header_row, 30);
    assert!(matches!(read(below(30).as_bytes()), Err(SheetError::MissingColumns { .. })));
}

#[test]
fn every_limit_refuses_what_is_one_over_it() {
    let limits = Limits { bytes: 60, unpacked_bytes: 1_000, rows: 2, columns: 3, cell_chars: 4 };
    let within = |text: &str| Table::read_within(text.as_bytes(), &WANTED, &limits);
    assert_eq!(within("姓名,数量\n甲,1\n乙,1234\n").unwrap().rows.len(), 2);
    assert!(matches!(within("姓名,数量\n甲,1\n乙,2\n丙,3\n"), Err(SheetError::TooManyRows { limit: 2, .. })));
    assert!(matches!(within("姓名,数量\n甲,12345\n"), Err(SheetError::CellTooLong { row: 2, .. })));
    assert!(matches!(within("姓名,数量\n甲,1,,x\n"), Err(SheetError::TooManyColumns { row: 2, .. })));
    assert!(within("姓名,数量\n甲,1,,,,,,\n").is_ok(), "empty cells do not count");
    assert!(matches!(within(&"x".repeat(61)), Err(SheetError::TooLarge { limit: 60 })));
}

#[test]
fn numbers_show_as_a_spreadsheet_shows_them() {
    let shown = [
        (2_087.024_999_999_999_6, "2087.025"),
        (0.1 + 0.2, "0.3"),
        (32.0, "32"),
        (-0.0, "0"),
        (-12.5, "-12.5"),
        (13_856_301_234.0, "13856301234"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1E+15"),
        (341_823_199_001_010_012.0, "3.4182319900101E+17"),
        (0.000_1, "0.0001"),
        (1e-300, "1E-300"),
    ];
    let bytes = workbook(|sheet| {
        for (row, (number, _)) in (1..).zip(shown) {
            sheet.write_string(row, 0, "甲").unwrap().write_number(row, 1, number).unwrap();
        }
    });
    let table = read(&bytes).unwrap();
    assert_eq!(texts(&table, "quantity"), shown.map(|(_, text)| text));
}

#[test]
fn lost_digits_are_told_from_other_texts() {
    for lost in ["3.41823E+17", "3.4182319900101E+17", "1E+15", "1.38563e10"] {
        assert!(looks_like_lost_digits(lost), "{lost}");
    }
    for kept in ["341823199001010012", "34182319900101001X", "1E+05", "E+17", "2E-17", "12.5", "", "甲E+17"]
    {
        assert!(!looks_like_lost_digits(kept), "{kept}");
    }
}

#[test]
fn date_cells_of_every_format_read_as_days() {
    let day = ExcelDateTime::from_ymd(2020, 2, 15).unwrap();
    let formats = ["yyyy-mm-dd", "yyyy\"年\"m\"月\"d\"日\";@", "m/d/yy h:mm", "[$-804]aaaa mmm dd", "[h]:mm"];
    let bytes = workbook(|sheet| {
        for (row, format) in (1..).zip(formats) {
            let format = Format::new().set_num_format(format);
            sheet.write_string(row, 0, "甲").unwrap().write_with_format(row, 2, &day, &format).unwrap();
        }
        // 31 is the Chinese long date, which files name by number only.
        let chinese = Format::new().set_num_format_index(31);
        sheet.write_with_format(6, 2, 43_876.5, &chinese).unwrap();
        sheet.write_with_format(7, 2, 43_876, &Format::new().set_num_format("#,##0.00\"元\"")).unwrap();
        let clock = Format::new().set_num_format("h:mm");
        sheet.write_with_format(8, 2, 0.75, &clock).unwrap();
        sheet.write_with_format(9, 2, 60, &clock).unwrap();
        sheet.write_with_format(10, 2, 59, &clock).unwrap();
        sheet.write_with_format(11, 2, -3, &clock).unwrap();
    });
    let table = read(&bytes).unwrap();
    let mut expected = vec!["2020-02-15"; 6];
    expected.extend(["43876", "18:00:00", "1900-02-29", "1900-02-28", "-3"]);
    assert_eq!(texts(&table, "ready_from"), expected);
}

#[test]
fn formulas_show_their_stored_value_and_truths_and_errors_their_words() {
    let bytes = workbook(|sheet| {
        sheet.write_formula(1, 0, Formula::new("=A9&\"香\"").set_result("汪桂香")).unwrap();
        sheet.write_formula(1, 1, Formula::new("=1/8").set_result("0.125")).unwrap();
        sheet.write_boolean(2, 0, true).unwrap();
        sheet.write_formula(2, 1, Formula::new("=#REF!+1").set_result("#REF!")).unwrap();
    });
    let table = read(&bytes).unwrap();
    assert_eq!(texts(&table, "name"), ["汪桂香", "TRUE"]);
    assert_eq!(texts(&table, "quantity"), ["0.125", "#REF!"]);
}

#[test]
fn the_first_sheet_with_the_header_is_read_and_its_rows_keep_their_numbers() {
    let mut book = Workbook::new();
    book.add_worksheet().set_name("说明").unwrap().write_string(0, 0, "填写说明\n第一行").unwrap();
    let sheet = book.add_worksheet().set_name("货源").unwrap();
    sheet.merge_range(0, 0, 0, 5, "泾县滞销农产品摸排表", &Format::new()).unwrap();
    sheet.write_row(2, 1, ["姓名", "数量（斤）"]).unwrap();
    sheet.write_row(4, 1, ["甲", "1"]).unwrap();
    sheet.write_row(1_048_575, 1, ["乙", "2"]).unwrap();
    sheet.write_blank(4, 16_383, &Format::new().set_bold()).unwrap();
    let table = read(&book.save_to_buffer().unwrap()).unwrap();
    assert_eq!((table.sheet.as_str(), table.header_row), ("货源", 3));
    assert_eq!(numbers(&table), [5, 1_048_576]);
    let bad = table.bad_cell(&table.rows[0], "quantity", "not an amount");
    assert_eq!(
        (bad.sheet.as_str(), bad.row, bad.column.as_str(), bad.value.as_str()),
        ("货源", 5, "数量（斤）", "1")
    );
}

#[test]
fn text_in_a_far_column_is_refused_by_its_letters() {
    let bytes = workbook(|sheet| {
        sheet.write_string(1, 16_383, "x").unwrap();
    });
    let expected =
        SheetError::TooManyColumns { sheet: "Sheet1".into(), row: 2, column: "XFD".into(), limit: 100 };
    assert_eq!(read(&bytes).unwrap_err(), expected);
}

#[test]
fn escapes_rich_text_and_pronunciation_marks_read_as_shown() {
    let shared = "<sst><si><t>姓名</t></si><si><r><t>数</t></r><r><t>量</t></r><rPh><t>shu</t></rPh></si>\
        <si><t>王&amp;&#x674E;_x000D_</t></si><si/></sst>";
    let sheet = r#"<worksheet><sheetData><row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>
        <row r="7"><c r="A7" t="s"><v>2</v></c><c t="inlineStr"><is><t>5</t></is></c><c t="s"><v>3</v></c></row>
        </sheetData></worksheet>"#;
    let table = read(&package(sheet, shared)).unwrap();
    assert_eq!((texts(&table, "name"), texts(&table, "quantity")), (vec!["王&李".into()], vec!["5".into()]));
    assert_eq!(numbers(&table), [7]);
}

#[test]
fn a_zip_bomb_is_refused_before_it_is_unpacked() {
    let limits = Limits { unpacked_bytes: 1_000_000, ..Limits::default() };
    let bomb = zipped(&[("xl/workbook.xml", &vec![b' '; 1_000_001])]);
    let refused = Table::read_within(&bomb, &WANTED, &limits).unwrap_err();
    assert_eq!(refused, SheetError::UnpackedTooLarge { limit: 1_000_000 });
    let dense = zipped(&[("xl/media/image1.png", &vec![0; 11_000_000])]);
    assert!(matches!(read(&dense), Err(SheetError::UnpackedTooLarge { .. })), "the ratio gives it away");
}

#[test]
fn a_part_that_unpacks_to_more_than_it_states_is_refused() {
    let mut bomb = package(&" ".repeat(900_000), "<sst/>");
    let stated = 900_000_u32.to_le_bytes();
    let places: Vec<usize> =
        bomb.windows(4).enumerate().filter(|(_, bytes)| *bytes == stated).map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    for place in places {
        bomb[place..place + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    assert_eq!(read(&bomb).unwrap_err(), SheetError::Corrupt("a part of it cannot be unpacked"));
}

#[test]
fn a_part_named_by_many_sheets_is_counted_each_time() {
    let sheets = r#"<sheet name="a" sheetId="1" r:id="rId1"/>"#.repeat(50);
    let bomb = zipped(&[
        (
            "xl/workbook.xml",
            format!("<workbook xmlns:r=\"r\"><sheets>{sheets}</sheets></workbook>").as_bytes(),
        ),
        ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
        ("xl/worksheets/sheet1.xml", " ".repeat(90_000).as_bytes()),
    ]);
    let limits = Limits { unpacked_bytes: 1_000_000, ..Limits::default() };
    let refused = Table::read_within(&bomb, &WANTED, &limits).unwrap_err();
    assert_eq!(refused, SheetError::UnpackedTooLarge { limit: 1_000_000 });
}

#[test]
fn one_long_text_named_by_many_cells_is_counted_each_time() {
    let shared =
        format!("<sst><si><t>姓名</t></si><si><t>数量</t></si><si><t>{}</t></si></sst>", "x".repeat(1_000));
    let rows = "<row><c t=\"s\"><v>2</v></c><c t=\"s\"><v>2</v></c></row>".repeat(500);
    let sheet = format!(
        "<worksheet><sheetData><row><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c></row>{rows}</sheetData></worksheet>"
    );
    let limits = Limits { unpacked_bytes: 100_000, ..Limits::default() };
    let refused = Table::read_within(&package(&sheet, &shared), &WANTED, &limits).unwrap_err();
    assert_eq!(refused, SheetError::UnpackedTooLarge { limit: 100_000 });
}

#[test]
fn stated_counts_reserve_nothing() {
    let shared = r#"<sst count="4000000000000" uniqueCount="4000000000000"><si><t>姓名</t></si></sst>"#;
    let sheet = r#"<worksheet><dimension ref="A1:XFD1048576"/><sheetData>
        <row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="str"><v>数量</v></c></row></sheetData></worksheet>"#;
    assert!(read(&package(sheet, shared)).unwrap().rows.is_empty());
}

#[test]
fn damaged_and_foreign_workbooks_are_refused() {
    let whole = workbook(|_| {});
    for length in [4, 30, whole.len() / 2, whole.len() - 1] {
        assert!(matches!(read(&whole[..length]), Err(SheetError::Corrupt(_))), "{length}");
    }
    let text_document = zipped(&[("word/document.xml", b"<w/>")]);
    assert_eq!(read(&text_document).unwrap_err(), SheetError::NotASheet);
    for sheet in [
        r#"<worksheet><sheetData><row><c t="s"><v>9</v></c></row></sheetData></worksheet>"#,
        r#"<worksheet><sheetData><row><c r="A0"><v>9</v></c></row></sheetData></worksheet>"#,
        r#"<worksheet><sheetData><row><c r="ZZZZZZ9"><v>9</v></c></row></sheetData></worksheet>"#,
        r#"<worksheet><sheetData><row r="2"><c><v>1</v></c></row><row r="1"><c><v>1</v></c></row></sheetData></worksheet>"#,
        "<worksheet><sheetData></row>",
    ] {
        assert!(matches!(read(&package(sheet, "<sst/>")), Err(SheetError::Corrupt(_))), "{sheet}");
    }
}

#[test]
fn dates_are_read_as_people_write_them() {
    let day = chrono::NaiveDate::from_ymd_opt(2020, 2, 5);
    for text in ["2020-02-05", "2020/2/5", "2020.2.05", "2020年2月5日", "20200205", " 2020-2-5 "] {
        assert_eq!(parse_date(text), day, "{text}");
    }
    for text in
        ["2020-02-30", "20-2-5", "2020-2", "2020-2-5-1", "2020/2-5", "２０２０-2-5", "2020年2月", "2020-+2-5"]
    {
        assert_eq!(parse_date(text), None, "{text}");
    }
}

#[test]
fn a_report_cell_is_never_a_formula() {
    let cell = |value: &str| BadCell {
        sheet: "货源".into(),
        row: 7,
        column: "数量(斤)".into(),
        value: value.into(),
        reason: "say \"how much\", in jin".into(),
    };
    let report = report_csv(&["=1+1", "+1", "-1", "@x", "\tx", "\rx", "1,5"].map(cell));
    assert!(report.starts_with("\u{feff}sheet,row,column,value,reason\r\n"));
    let mut reader = csv::Reader::from_reader(report.trim_start_matches('\u{feff}').as_bytes());
    let values: Vec<String> = reader.records().map(|record| record.unwrap()[3].to_owned()).collect();
    assert_eq!(values, ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "1,5"]);
    assert!(report.contains(r#""say ""how much"", in jin""#));
}
