//! Files that are made to do harm, or are none: each is refused with a reason, and soon.

use std::fmt::Write;

use zhuxiao::bank_statements::read;
use zhuxiao::refusal::Refusal;

use super::files::{self, ENTRIES, camt};
use super::layouts::parsed;

fn refused(file: &[u8]) -> Refusal {
    read(file, "2027-03-01".parse().unwrap()).unwrap_err()
}

fn reason(file: &[u8]) -> String {
    match refused(file) {
        Refusal::Invalid { detail, .. } => detail,
        other => panic!("{other:?}"),
    }
}

fn xml_reason(file: &str) -> String {
    let refused = parsed(file).refused;
    assert_eq!(refused.len(), 1, "{refused:?}");
    refused[0].reason.clone()
}

#[test]
fn more_than_twenty_million_bytes_are_refused_before_they_are_read() {
    assert_eq!(refused(&vec![b'1'; 20_000_001]), Refusal::BodyTooLarge { limit_bytes: 20_000_000 });
}

#[test]
fn two_hundred_thousand_and_one_rows_or_entries_are_refused() {
    let mut table = String::from("日期,收支,金额\n");
    for _ in 0..200_001 {
        table.push_str("2027-02-01,收,1\n");
    }
    assert!(reason(table.as_bytes()).contains("more than 200000 rows"));
    let whole = table.rsplit_once("2027").unwrap().0;
    assert_eq!(parsed(whole).statements[0].totals().unwrap().in_minor, 20_000_000);

    let entry = "<Ntry><Amt Ccy=\"CNY\">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>INFO</Sts></Ntry>";
    let many = camt("02", "0", "0", &[]).replace("</Stmt>", &format!("{}</Stmt>", entry.repeat(200_001)));
    let refused = parsed(many).refused;
    assert!(
        refused.iter().any(|bad| bad.reason.contains("more than 200000 entries")),
        "{:?}",
        refused.last()
    );
}

#[test]
fn a_document_type_or_an_entity_is_refused() {
    let mut bomb = String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE Document [<!ENTITY a \"ha\">");
    for (inner, outer) in ('a'..='y').zip('b'..='z') {
        write!(bomb, "<!ENTITY {outer} \"&{inner};&{inner};&{inner};&{inner};\">").unwrap();
    }
    bomb.push_str("]>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\">&z;</Document>");
    assert!(xml_reason(&bomb).contains("DOCTYPE"));
    let named = camt("02", "1000.00", "1800.00", &ENTRIES).replace("&amp;", "&xxe;");
    assert!(xml_reason(&named).contains("entity"));
    let control = camt("02", "1000.00", "1800.00", &ENTRIES).replace("&amp;", "&#0;");
    assert!(!xml_reason(&control).is_empty());
}

#[test]
fn xml_that_is_deep_or_broken_or_cut_is_refused() {
    let good = camt("02", "1000.00", "1800.00", &ENTRIES);
    let deep = good.replacen("<Ustrd>", &format!("{}<Ustrd>", "<a>".repeat(100_000)), 1);
    assert!(xml_reason(&deep).contains("too much"));
    let broad = good.replacen("<RmtInf>", &format!("<RmtInf>{}", "<a/>".repeat(100_001)), 1);
    assert!(xml_reason(&broad).contains("too much"));
    for broken in [
        good.replacen("</Ntry>", "</Entry>", 1),
        good.replacen("<Ntry>", "<Ntry", 1),
        good.split_at(good.len() - 40).0.to_owned(),
        "<".to_owned(),
        "<?xml version=\"1.0\"?>".to_owned(),
        good.replace("<Ntry>", "<q:Ntry>").replace("</Ntry>", "</q:Ntry>"),
    ] {
        assert!(!xml_reason(&broken).is_empty());
    }
}

#[test]
fn what_is_not_text_is_refused() {
    assert!(reason(b"\xff\xfe\xfd\x80\x81").contains("UTF-8"));
    assert!(reason(files::CMB.replace("供电", "供\0电").as_bytes()).contains("csv or xlsx"));
    assert!(reason(files::CMB.replace("供电", "供\u{7}电").as_bytes()).contains("control character"));
    assert!(
        reason(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, 0, 0]).contains("save it as xlsx or csv")
    );
    assert!(reason(b"PK\x03\x04 no zip").contains("damaged"));
    assert!(reason(b"").contains("no text"));
    assert!(reason("姓名,电话\n甲,1\n".as_bytes()).contains("header"));
}

#[test]
fn no_cut_of_a_file_breaks_the_reader() {
    for file in [files::ICBC, files::ALIPAY, files::GENERIC, &camt("08", "1000.00", "1800.00", &ENTRIES)] {
        for end in (0..file.len()).step_by(7) {
            let _ = read(&file.as_bytes()[..end], "2027-03-01".parse().unwrap());
        }
    }
}
