//! The specification of camt.053: both versions, what is read from an entry, and what is refused at which line.

use zhuxiao::bank_statements::rules::{Amount, Currency};
use zhuxiao::sheet::BadCell;

use super::files::{ENTRIES, camt};
use super::layouts::parsed;

fn refusal(file: &str) -> BadCell {
    let refused = parsed(file).refused;
    assert_eq!(refused.len(), 1, "{refused:?}");
    refused[0].clone()
}

#[test]
fn both_versions_give_account_balances_and_entries() {
    let yuan = |minor| Some(Amount::new(minor, Currency::CNY));
    for version in ["02", "08"] {
        let parsed = parsed(camt(version, "1000.00", "1800.00", &ENTRIES));
        assert_eq!(parsed.refused, []);
        let statement = &parsed.statements[0];
        assert_eq!(statement.format, format!("camt.053.001.{version}"));
        assert_eq!(
            (statement.bank.as_str(), statement.account.as_deref()),
            ("示范银行", Some("3418230000001234"))
        );
        assert_eq!((statement.opening, statement.closing), (yuan(100_000), yuan(180_000)));
        let [first, second] = statement.lines.as_slice() else { panic!("{statement:?}") };
        assert_eq!((first.amount_minor, second.amount_minor), (100_000, -20_000));
        assert_eq!(first.booked_at.unwrap().to_rfc3339(), "2027-02-01T05:15:00+00:00");
        assert_eq!(first.value_on, Some(first.booked_on));
        assert_eq!(
            (first.payer_name.as_deref(), first.payer_account.as_deref()),
            (Some("示范学校"), Some("3418230000009999"))
        );
        assert_eq!(second.payer_name.as_deref(), Some("示范学校"));
        assert_eq!(
            (first.remark.as_str(), first.bank_reference.as_deref()),
            ("ST-341823-2027-000001 & 谢谢", Some("REF/2027-02-01"))
        );
    }
}

#[test]
fn prefixes_comments_and_foreign_elements_change_nothing() {
    let plain = camt("02", "1000.00", "1800.00", &ENTRIES);
    let prefixed = plain
        .replace("</", "\u{1}")
        .replace("<?", "\u{2}")
        .replace('<', "<c:")
        .replace('\u{1}', "</c:")
        .replace('\u{2}', "<?")
        .replace("xmlns=", "xmlns:c=")
        .replace("<c:Ntry>", "<!-- one --><x:Ntry xmlns:x=\"urn:other\"><x:Amt>1</x:Amt></x:Ntry><c:Ntry>");
    assert_eq!(parsed(&prefixed).refused, []);
    let amounts = |file: &str| -> Vec<i64> {
        parsed(file).statements[0].lines.iter().map(|line| line.amount_minor).collect()
    };
    assert_eq!(amounts(&prefixed), amounts(&plain));
    assert_eq!(amounts(&prefixed), [100_000, -20_000]);
}

#[test]
fn entries_must_lead_from_the_opening_to_the_closing_balance() {
    let bad = refusal(&camt("08", "1000.00", "1800.01", &ENTRIES));
    assert_eq!((bad.sheet.as_str(), bad.value.as_str()), ("xml", "1800.01"));
    assert!(bad.reason.contains("lead to 1800.00 CNY") && bad.reason.contains("differs by 0.01"), "{bad:?}");
    let overdrawn = camt("02", "-1000.00", "-200.00", &ENTRIES);
    assert_eq!(parsed(overdrawn).refused, []);
    let other = camt("02", "1000.00", "27.00", &ENTRIES).replacen("\"CNY\">27.00", "\"SEK\">27.00", 1);
    let statement = parsed(other).statements.remove(0);
    assert_eq!(
        statement.closing.unwrap().currency.as_str(),
        "SEK",
        "two currencies say nothing about each other"
    );
}

#[test]
fn a_statement_without_entries_is_one_of_no_lines() {
    let parsed = parsed(camt("02", "1000.00", "1000.00", &[]));
    assert_eq!(parsed.refused, []);
    let statement = &parsed.statements[0];
    assert_eq!((statement.lines.len(), statement.from_on.to_string()), (0, "2027-02-28".to_owned()));
}

#[test]
fn an_entry_that_is_not_booked_yet_is_left_out_and_told() {
    let file = camt("02", "1000.00", "2000.00", &ENTRIES).replacen(
        "<CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK",
        "<CdtDbtInd>DBIT</CdtDbtInd><Sts>PDNG",
        1,
    );
    let parsed = parsed(file);
    assert_eq!((parsed.refused.len(), parsed.statements[0].lines.len()), (0, 1));
    assert_eq!(parsed.left_out.get("PDNG"), Some(&1));
}

#[test]
fn a_batch_of_payments_is_one_line_without_a_payer() {
    let file = camt("02", "1000.00", "1800.00", &ENTRIES).replacen(
        "</TxDtls>",
        "</TxDtls><TxDtls><RmtInf><Ustrd>另一笔</Ustrd></RmtInf></TxDtls>",
        1,
    );
    let statement = parsed(file).statements.remove(0);
    let first = &statement.lines[0];
    assert_eq!(
        (first.payer_name.as_deref(), first.remark.as_str()),
        (None, "ST-341823-2027-000001 & 谢谢 另一笔")
    );
}

#[test]
fn what_is_missing_or_wrong_is_named_by_line_and_element() {
    let good = camt("02", "1000.00", "1800.00", &ENTRIES);
    let entry = good.lines().position(|line| line.starts_with("<Ntry>")).unwrap() + 1;
    for (from, to, line, element) in [
        ("<Amt Ccy=\"CNY\">1000.00</Amt><CdtDbtInd>", "<CdtDbtInd>", entry, "Ntry/Amt"),
        (
            "1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>",
            "1,000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>",
            entry,
            "Amt",
        ),
        (
            "1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>",
            "-1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>",
            entry,
            "Amt",
        ),
        ("CRDT</CdtDbtInd><Sts>", "IN</CdtDbtInd><Sts>", entry, "Ntry/CdtDbtInd"),
        ("<Sts>BOOK</Sts>", "", entry, "Ntry/Sts"),
        ("2027-02-01T13:15", "2027-02-31T13:15", entry + 1, "DtTm"),
        ("2027-02-01T13:15", "2027-02-01T25:15", entry + 1, "DtTm"),
        ("Ccy=\"CNY\">200<", "Ccy=\"USD\">200<", entry + 5, "Ntry/Amt"),
        ("<Id><Othr><Id>3418230000001234</Id></Othr></Id>", "", 8, "Acct/Id"),
        ("<Ccy>CNY</Ccy>", "<Ccy>EUR</Ccy>", 8, "Acct/Ccy"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from} is not in the file");
        let bad = refusal(&changed);
        assert_eq!((bad.row, bad.column.as_str()), (line, element), "{from} -> {to}: {bad:?}");
    }
}

#[test]
fn a_message_without_a_statement_is_refused_at_its_line() {
    let file = "<?xml version=\"1.0\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\">\n\
                <BkToCstmrStmt>\n<GrpHdr><MsgId>1</MsgId></GrpHdr>\n</BkToCstmrStmt>\n</Document>\n";
    let bad = refusal(file);
    assert_eq!((bad.row, bad.column.as_str()), (3, "BkToCstmrStmt"));
    assert!(bad.reason.contains("Stmt is missing"), "{bad:?}");
}

#[test]
fn other_messages_and_pages_are_refused_with_what_to_send() {
    for (file, line) in [
        (camt("02", "0", "0", &[]).replace("camt.053.001.02", "camt.052.001.02"), 2),
        (camt("02", "0", "0", &[]).replace("camt.053.001.02", "camt.053.001.04"), 2),
        ("<html><body><table><tr><td>交易日期</td></tr></table></body></html>".to_owned(), 1),
        ("<Document>1</Document>".to_owned(), 1),
    ] {
        let bad = refusal(&file);
        assert_eq!(bad.row, line);
        assert!(bad.reason.contains("camt.053.001.02"), "{bad:?}");
    }
}
