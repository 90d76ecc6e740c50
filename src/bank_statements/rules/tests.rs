//! The specification of amounts, balances and identities of bank statements.

use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn minor(text: &str) -> Result<i64, AmountError> {
    Amount::parse(text, Currency::CNY).map(|amount| amount.minor)
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn line(amount_minor: i64) -> Line {
    Line {
        row: 2,
        amount_minor,
        booked_on: day("2027-03-01"),
        booked_at: None,
        value_on: None,
        payer_name: None,
        payer_account: None,
        remark: String::new(),
        bank_reference: None,
        balance_minor: None,
    }
}

fn statement(opening: Option<Amount>, closing: Option<Amount>, amounts: &[i64]) -> Statement {
    Statement {
        bank: "icbc".to_owned(),
        format: "csv",
        account: None,
        currency: Currency::CNY,
        from_on: day("2027-03-01"),
        to_on: day("2027-03-01"),
        opening,
        closing,
        lines: amounts.iter().map(|amount| line(*amount)).collect(),
    }
}

#[test]
fn amounts_are_read_as_banks_write_them() {
    for (text, fen) in [
        ("12", 1_200),
        ("12.5", 1_250),
        ("1,234.00", 123_400),
        ("+10000.00", 1_000_000),
        ("-1,000.00", -100_000),
        ("+0.00", 0),
        ("\t 13.40   ", 1_340),
        ("¥1,234,567.89", 123_456_789),
        ("-￥3.00", -300),
        ("18.15000", 1_815),
        ("99元", 9_900),
        ("－0.01", -1),
    ] {
        assert_eq!(minor(text), Ok(fen), "{text:?}");
    }
}

#[test]
fn what_is_no_amount_is_refused_and_never_guessed() {
    let malformed = [
        "",
        "-",
        "+",
        ".",
        "1.",
        ".5",
        "1,23",
        "1,2345.00",
        ",123.00",
        "1234,567.00",
        "1.2.3",
        "1e3",
        "NaN",
        "１２",
        "0x1",
        "--1",
        "1 2",
        "xx,yyyy.zz",
        "1，234.00",
        "(1.00)",
        "1,",
    ];
    for text in malformed {
        assert_eq!(minor(text), Err(AmountError::Malformed), "{text:?}");
    }
    assert_eq!(minor("0.005"), Err(AmountError::TooFine(Currency::CNY, 2)));
    for text in ["90000000000000.01", "99999999999999999999", "9,999,999,999,999,999,999,999.00"] {
        assert_eq!(minor(text), Err(AmountError::TooLarge), "{text}");
    }
}

#[test]
fn every_currency_has_its_own_decimals() {
    let read = |text: &str, code: &str| Amount::parse(text, currency(code));
    for (text, code, minor, shown) in
        [("2700", "JPY", 2_700, "2700"), ("1.234", "KWD", 1_234, "1.234"), ("8.85", "EUR", 885, "8.85")]
    {
        let amount = read(text, code).unwrap();
        assert_eq!((amount.minor, amount.to_string().as_str()), (minor, shown));
    }
    assert_eq!(read("2700.5", "JPY"), Err(AmountError::TooFine(currency("JPY"), 0)));
    assert_eq!((Currency::parse("人民币"), Currency::parse("cny")), (Some(Currency::CNY), None));
    assert_eq!((Currency::parse("CN"), Currency::parse("")), (None, None));
}

/// An amount with commas between groups of three.
fn grouped(whole: &str) -> String {
    let mut result = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    result
}

proptest! {
    #[test]
    fn an_amount_written_in_any_shape_is_read_back_the_same(
        fen in -MINOR_MAX..=MINOR_MAX,
        (has_groups, has_plus, has_sign, has_unit) in any::<(bool, bool, bool, bool)>(),
        zeros in 0_usize..4,
        (before, after) in ("[ \t]{0,3}", "[ \t]{0,20}"),
    ) {
        let plain = Amount::new(fen, Currency::CNY).to_string();
        prop_assert_eq!(minor(&plain), Ok(fen));
        let digits = plain.trim_start_matches('-');
        let (whole, fraction) = digits.split_once('.').unwrap();
        let whole = if has_groups { grouped(whole) } else { whole.to_owned() };
        let sign = if fen < 0 { "-" } else if has_plus { "+" } else { "" };
        let (yuan, unit) = (if has_sign { "¥" } else { "" }, if has_unit { "元" } else { "" });
        let zeros = "0".repeat(zeros);
        let written = format!("{before}{sign}{yuan}{whole}.{fraction}{zeros}{unit}{after}");
        prop_assert_eq!(minor(&written), Ok(fen), "{:?}", written);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,30}") {
        let _ = minor(&text);
        let _ = (name_and_account(&text), without_cards(&text), masked_account(&text), some(&text));
    }
}

#[test]
fn lines_must_lead_from_the_opening_to_the_closing_balance_where_both_are_stated_in_their_currency() {
    let yuan = |minor| Some(Amount::new(minor, Currency::CNY));
    let krona = Some(Amount::new(-2_700, currency("SEK")));
    let check = |opening, closing| {
        let statement = statement(opening, closing, &[885, -85]);
        let totals = statement.totals().unwrap();
        assert_eq!(totals, Totals { line_count: 2, in_minor: 885, out_minor: 85 });
        statement.closing_difference(totals).map(|(computed, above)| (computed.minor, above.minor))
    };
    assert_eq!(check(yuan(1_000), yuan(1_800)), None);
    assert_eq!(check(yuan(1_000), yuan(1_801)), Some((1_800, 1)));
    assert_eq!(check(yuan(1_000), yuan(0)), Some((1_800, -1_800)));
    assert_eq!(
        (check(yuan(1_000), None), check(None, yuan(5)), check(yuan(1_000), krona)),
        (None, None, None)
    );
}

#[test]
fn totals_beyond_any_figure_are_none() {
    assert!(statement(None, None, &[MINOR_MAX, 1]).totals().is_none());
    assert!(statement(None, None, &[-MINOR_MAX, MINOR_MAX]).totals().is_some());
}

#[test]
fn lines_that_differ_in_anything_but_their_place_are_different_lines() {
    let base = line(885);
    let of = |line: &Line| line.features("6228", Currency::CNY);
    assert_eq!(of(&base), of(&Line { row: 9, value_on: Some(day("2027-03-02")), ..base.clone() }));
    let others = [
        Line { amount_minor: -885, ..base.clone() },
        Line { booked_on: day("2027-03-02"), ..base.clone() },
        Line { booked_at: Some(DateTime::UNIX_EPOCH), ..base.clone() },
        Line { balance_minor: Some(0), ..base.clone() },
        Line { bank_reference: Some("1".to_owned()), ..base.clone() },
        Line { remark: "1".to_owned(), ..base.clone() },
        Line { payer_name: Some("1".to_owned()), ..base.clone() },
        Line { payer_account: Some("1".to_owned()), ..base.clone() },
    ];
    let mut texts: Vec<String> = others.iter().map(of).collect();
    texts.extend([of(&base), base.features("6229", Currency::CNY), base.features("6228", currency("USD"))]);
    let count = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), count);
}

#[test]
fn an_account_behind_a_name_is_taken_off_and_shown_by_its_end_only() {
    let read = |text: &str| {
        let (name, account) = name_and_account(text);
        (name.unwrap_or_default(), account.unwrap_or_default())
    };
    let pair = |name: &str, account: &str| (name.to_owned(), account.to_owned());
    assert_eq!(read("张三 66666666666666"), pair("张三", "66666666666666"));
    assert_eq!(read("北京住房公积金管理中心1111111111"), pair("北京住房公积金管理中心", "1111111111"));
    assert_eq!(read("12341234123412341"), pair("", "12341234123412341"));
    assert_eq!(
        (read("第1234567小组"), read("--"), read("/")),
        (pair("第1234567小组", ""), pair("", ""), pair("", ""))
    );
    assert_eq!(masked_account("6228 4804 0256 4890 018"), "****0018");
    assert_eq!(
        (masked_account("1234****9876"), masked_account("12")),
        ("****9876".to_owned(), "****12".to_owned())
    );
    assert!(is_whole_account("NL26VAYB8060476890") && !is_whole_account("1234****9876"));
}

#[test]
fn numbers_of_cards_do_not_stay_in_free_text() {
    assert_eq!(without_cards("付张三6228480402564890018货款"), "付张三****0018货款");
    for kept in
        ["PO-341823-2027-000001", "流水20250123123213213131321313131", "6228480402564890019", "ST-341823", ""]
    {
        assert_eq!(without_cards(kept), kept);
    }
}
