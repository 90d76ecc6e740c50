//! The specification of what is read from files of banks: every layout, encoding and kind of file.

use rust_xlsxwriter::{Format, Workbook};
use zhuxiao::bank_statements::rules::{Amount, Currency, Line, Statement};
use zhuxiao::bank_statements::{Parsed, read};

use super::files;

pub fn parsed(file: impl AsRef<[u8]>) -> Parsed {
    read(file.as_ref(), "2027-03-01".parse().unwrap()).unwrap()
}

/// What a file holds when nothing of it is refused.
fn statements(file: impl AsRef<[u8]>) -> Vec<Statement> {
    let parsed = parsed(file);
    assert_eq!(parsed.refused, []);
    parsed.statements
}

fn only(file: impl AsRef<[u8]>) -> Statement {
    let mut statements = statements(file);
    assert_eq!(statements.len(), 1);
    statements.remove(0)
}

/// Count, in and out in minor units.
fn sums(statement: &Statement) -> (i64, i64, i64) {
    let totals = statement.totals().unwrap();
    (totals.line_count, totals.in_minor, totals.out_minor)
}

/// Name, account, remark and reference.
fn texts(line: &Line) -> [String; 4] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [text(&line.payer_name), text(&line.payer_account), line.remark.clone(), text(&line.bank_reference)]
}

fn at(line: &Line) -> String {
    line.booked_at.map(|at| at.to_rfc3339()).unwrap_or_default()
}

#[test]
fn icbc_has_padded_cells_a_column_for_each_side_masked_balances_and_totals_that_are_told_when_they_differ() {
    let parsed = parsed(files::ICBC);
    assert_eq!(parsed.refused, []);
    let statement = &parsed.statements[0];
    assert_eq!(
        (statement.bank.as_str(), statement.format, sums(statement)),
        ("icbc", "csv", (2, 123_456, 50))
    );
    assert_eq!((statement.account.as_deref(), statement.opening), (Some("6222****0018"), None));
    assert_eq!(texts(&statement.lines[0]), ["示范学校", "", "他行汇入", ""]);
    assert_eq!(texts(&statement.lines[1]), ["", "", "手续费 手机银行", ""]);
    assert_eq!((statement.lines[0].balance_minor, statement.lines[1].amount_minor), (None, -50));
    assert_eq!(
        (statement.from_on.to_string(), statement.to_on.to_string()),
        ("2027-02-19".into(), "2027-02-20".into())
    );
    assert_eq!(parsed.notes.len(), 1, "{:?}", parsed.notes);
    assert!(parsed.notes[0].contains("9.99") && parsed.notes[0].contains("0.50"), "{:?}", parsed.notes);
}

#[test]
fn the_second_layout_of_icbc_names_accounts_and_each_currency_is_a_statement_of_its_own() {
    let statements = statements(files::ICBC_SECOND);
    let currencies: Vec<&str> = statements.iter().map(|statement| statement.currency.as_str()).collect();
    assert_eq!(
        (currencies, sums(&statements[0]), sums(&statements[1])),
        (vec!["CNY", "USD"], (1, 123_456, 0), (1, 0, 1_000))
    );
    assert_eq!(
        texts(&statements[0].lines[0]),
        ["示范学校", "6222****4321", "他行汇入 货款 ST-341823-2027-000001", ""]
    );
    assert_eq!(statements[0].lines[0].balance_minor, Some(500_000));
}

#[test]
fn abc_signs_its_amounts_and_ends_rows_early() {
    let statement = only(files::ABC);
    assert_eq!((statement.bank.as_str(), sums(&statement)), ("abc", (4, 1_000_000, 1_000)));
    let [first, second, third, _] = statement.lines.as_slice() else { panic!() };
    assert_eq!(texts(first), ["", "6228480402564890018", "转存 采购款", "369396693"]);
    assert_eq!((at(first).as_str(), first.balance_minor), ("2027-02-01T01:30:15+00:00", Some(1_100_000)));
    assert_eq!(texts(second), ["示范农资店", "", "转支", "369333999"]);
    assert_eq!((third.amount_minor, at(third).as_str(), third.row), (0, "", 4));
    assert_eq!(texts(third), ["", "", "结息 个人活期结息", "0000000000"]);
}

#[test]
fn bocom_says_in_a_word_on_which_side_an_amount_stands() {
    let statement = only(files::BOCOM);
    assert_eq!((statement.bank.as_str(), sums(&statement)), ("bocom", (2, 123, 321)));
    assert_eq!(texts(&statement.lines[0]), ["示范医院", "6222020000000000000", "转账", ""]);
    assert_eq!(at(&statement.lines[1]), "2027-02-02T05:15:12+00:00");
}

#[test]
fn cmb_writes_name_and_account_in_one_cell() {
    let statement = only(files::CMB);
    assert_eq!((statement.bank.as_str(), sums(&statement)), ("cmb", (3, 123_400, 100_300)));
    assert_eq!(texts(&statement.lines[0]), ["示范机关食堂", "1111111111", "转账汇入 02月货款", ""]);
    assert_eq!(texts(&statement.lines[1]), ["示范合作社", "66666666666666", "转账汇款 转账", ""]);
    assert_eq!(texts(&statement.lines[2]), ["", "", "一网通支付 供电", ""]);
}

#[test]
fn alipay_stands_below_a_long_preamble_and_its_rows_that_moved_no_money_are_left_out_and_told() {
    let (gb, _, _) = encoding_rs::GB18030.encode(files::ALIPAY);
    let parsed = parsed(&gb);
    assert_eq!(parsed.refused, []);
    let statement = &parsed.statements[0];
    assert_eq!((statement.bank.as_str(), sums(statement)), ("alipay", (2, 2_850, 1_654)));
    assert_eq!(statement.account.as_deref(), Some("county@example.org"));
    assert_eq!(texts(&statement.lines[0]), ["示范企业", "buyer@example.org", "转账", "20270212xx0011"]);
    assert_eq!(at(&statement.lines[0]), "2027-02-12T13:32:14+00:00");
    let left_out: Vec<(&str, u64)> =
        parsed.left_out.iter().map(|(why, rows)| (why.as_str(), *rows)).collect();
    assert_eq!(left_out, [("不计收支", 2), ("交易关闭", 1)]);
}

#[test]
fn a_table_of_any_bank_is_read_by_its_usual_columns_and_its_balances_must_follow() {
    let statement = only(files::GENERIC);
    assert_eq!((statement.bank.as_str(), sums(&statement)), ("generic", (2, 100_000, 20_000)));
    assert_eq!(statement.account.as_deref(), Some("3418230000001234"));
    let yuan = |minor| Some(Amount::new(minor, Currency::CNY));
    assert_eq!((statement.opening, statement.closing), (yuan(100_000), yuan(180_000)));
    assert_eq!(
        texts(&statement.lines[0]),
        ["示范学校", "3418230000009999", "货款 PO-341823-2027-000001", "A1"]
    );
    let refused = parsed(files::GENERIC.replace("期末余额：1800.00", "期末余额：1900.00")).refused;
    assert_eq!((refused.len(), refused[0].column.as_str()), (1, "closing balance"), "{refused:?}");
    assert!(
        refused[0].reason.contains("lead to 1800.00 CNY; the closing balance differs by 100.00"),
        "{refused:?}"
    );
    let words = only(files::GENERIC_WORDS);
    assert_eq!((words.bank.as_str(), sums(&words)), ("generic", (2, 1_250, 300)));
}

#[test]
fn the_encoding_is_told_by_the_bytes() {
    let plain = only(files::BOCOM);
    let with_mark = format!("\u{feff}{}", files::BOCOM);
    let (gb, _, _) = encoding_rs::GB18030.encode(files::BOCOM);
    let wide: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(files::BOCOM.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for file in
        [with_mark.into_bytes(), gb.into_owned(), wide, files::BOCOM.replace('\n', "\r\n").into_bytes()]
    {
        assert_eq!(only(file), plain);
    }
}

/// The cells of a csv text as a workbook: amounts as numbers, days as dates where asked.
fn workbook(csv: &str, numbers: &[u16], days: &[u16]) -> Vec<u8> {
    let mut workbook = Workbook::new();
    workbook.add_worksheet().write_string(0, 0, "说明").unwrap();
    let sheet = workbook.add_worksheet();
    let date = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
    for (row, record) in (0_u32..).zip(reader.records()) {
        for (column, cell) in (0_u16..).zip(&record.unwrap()) {
            let is_of = |columns: &[u16]| row > 0 && columns.contains(&column) && !cell.is_empty();
            if is_of(numbers) {
                let number: f64 = cell.replace([',', '+'], "").parse().unwrap();
                sheet.write_number(row, column, number).unwrap();
            } else if is_of(days) {
                let day = rust_xlsxwriter::ExcelDateTime::parse_from_str(cell).unwrap();
                sheet.write_datetime_with_format(row, column, &day, &date).unwrap();
            } else {
                sheet.write_string(row, column, cell).unwrap();
            }
        }
    }
    workbook.save_to_buffer().unwrap()
}

#[test]
fn a_workbook_gives_what_the_same_table_gives_as_text() {
    for (csv, numbers, days) in
        [(files::CMB, [2, 3], &[0][..]), (files::ABC, [3, 4], &[][..]), (files::BOCOM, [5, 6], &[1][..])]
    {
        let (of_text, of_book) = (only(csv), only(workbook(csv, &numbers, days)));
        assert_eq!(of_book.format, "xlsx");
        assert_eq!(of_book, Statement { format: "xlsx", ..of_text });
    }
}

#[test]
fn a_row_that_cannot_be_read_is_named_with_its_column_and_reason() {
    for (file, from, to, column) in [
        (files::ABC, "20270202,132324", "20270230,132324", "交易日期"),
        (files::ABC, "132324", "992324", "交易时间"),
        (files::ABC, "-10.00,", "-10.005,", "交易金额"),
        (files::ABC, "-10.00,", "--,", "交易金额"),
        (files::ABC, "10990.00,示范农资店", "10990.0O,示范农资店", "本次余额"),
        (files::BOCOM, "借 Dr", "他 Xx", "借贷"),
        (files::BOCOM, "3.21", "", "交易金额"),
        (files::CMB, "02,CNY", "02,元宝", "货币"),
        (files::ICBC, "\"0.50     \t\"", "\" \"", "记账金额(收入)"),
        (files::GENERIC, "200.00,,\"1,800.00\"", "200.00,1.00,\"1,800.00\"", "借方发生额(元)"),
        (files::GENERIC, "2027/2/1,", "2027/2/29,", "交易日期"),
    ] {
        let changed = file.replace(from, to);
        assert_ne!(changed, file, "{from} is not in the file");
        let refused = parsed(&changed).refused;
        assert_eq!(refused.len(), 1, "{from} -> {to}: {refused:?}");
        assert_eq!(refused[0].column, column, "{refused:?}");
        assert!(refused[0].row > 1 && !refused[0].reason.is_empty());
    }
}

#[test]
fn a_day_to_come_and_a_table_without_lines_are_refused() {
    let refused = parsed(files::CMB.replace("2027-02-03", "2027-03-02")).refused;
    assert_eq!((refused.len(), refused[0].row), (1, 4), "{refused:?}");
    let header = files::CMB.lines().next().unwrap();
    let refused = parsed(header).refused;
    assert!(refused[0].reason.contains("moved money"), "{refused:?}");
}
