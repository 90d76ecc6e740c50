//! Workbooks that no spreadsheet program writes.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const BOOK: &str =
    r#"<workbook xmlns:r="r"><sheets><sheet name="货源" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const RELATIONS: &str =
    r#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>"#;
const SHEET: &str = "xl/worksheets/sheet1.xml";

/// Bytes that one match of a deflated stream repeats at most.
const MATCH: usize = 258;

pub fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    written(parts, CompressionMethod::Deflated)
}

fn written(parts: &[(&str, &[u8])], how: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(how)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A workbook of one sheet and its texts.
pub fn package(sheet: &str, texts: &str) -> Vec<u8> {
    zipped(&[
        ("xl/workbook.xml", BOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
        ("xl/sharedStrings.xml", texts.as_bytes()),
        (SHEET, sheet.as_bytes()),
    ])
}

/// The same workbook with one part more.
pub fn with_part(book: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(book)).unwrap();
    let mut parts = Vec::new();
    for place in 0..archive.len() {
        let mut part = archive.by_index(place).unwrap();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        parts.push((part.name().unwrap().to_string(), bytes));
    }
    parts.push((name.to_owned(), content.to_vec()));
    zipped(&parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>())
}

/// The same workbook with every part marked as encrypted.
pub fn encrypted(book: &[u8]) -> Vec<u8> {
    let mut bytes = book.to_vec();
    for (signature, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        for place in places(book, signature) {
            bytes[place + flags] |= 1;
        }
    }
    bytes
}

/// A workbook whose sheet is `size` blanks, a thousandth of that when packed. It states that size, or another one.
pub fn padded(size: usize, stated: Option<u32>) -> Vec<u8> {
    let blanks = deflated_blanks(size);
    let mut bytes = written(
        &[
            ("xl/workbook.xml", BOOK.as_bytes()),
            ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
            (SHEET, &blanks),
        ],
        CompressionMethod::Stored,
    );
    let stated = stated.unwrap_or_else(|| u32::try_from(size).unwrap()).to_le_bytes();
    // Method and size of a part stand behind its signature, in front of it and in the directory.
    for (signature, method, unpacked, name) in [(b"PK\x03\x04", 8, 22, 30), (b"PK\x01\x02", 10, 24, 46)] {
        for place in places(&bytes.clone(), signature) {
            if bytes[place + name..].starts_with(SHEET.as_bytes()) {
                bytes[place + method] = 8;
                bytes[place + unpacked..place + unpacked + 4].copy_from_slice(&stated);
            }
        }
    }
    bytes
}

fn places(bytes: &[u8], signature: &[u8]) -> Vec<usize> {
    bytes.windows(4).enumerate().filter(|(_, window)| *window == signature).map(|(place, _)| place).collect()
}

/// One block (RFC 1951, 3.2.7) with three codes of its own: one blank, the longest match as one bit of 0 with its distance
/// as another, and the end. Four matches are a byte of zeros.
fn deflated_blanks(size: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(1, 1); // the last block
    bits.put(2, 2); // with codes of its own
    bits.put(286 - 257, 5); // lengths of literals and matches
    bits.put(0, 5); // one distance
    bits.put(18 - 4, 4); // lengths of the codes in which the lengths are written
    // In the order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1: one bit for a run of zeros, two for the lengths 1 and 2.
    for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.put(length, 3);
    }
    bits.zeros(32);
    bits.code("11"); // a blank: 2 bits
    bits.zeros(138);
    bits.zeros(85);
    bits.code("11"); // the end: 2 bits
    bits.zeros(28);
    bits.code("10"); // the longest match: 1 bit
    bits.code("10"); // the one distance: 1 bit
    bits.code("10"); // a blank
    // Zeros to the end of the byte and on are matches; one that is half begun there ends with one bit more.
    let is_half = bits.used % 2 == 1;
    bits.used = 0;
    bits.bytes.extend(std::iter::repeat_n(0, size / MATCH / 4));
    if is_half {
        bits.bit(false);
    }
    bits.code("11"); // the end
    bits.bytes
}

/// Bits, the lowest of each byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Of the last byte.
    used: u32,
}

impl Bits {
    /// A number, its lowest bit first.
    fn put(&mut self, number: u32, width: u32) {
        for place in 0..width {
            self.bit(number >> place & 1 == 1);
        }
    }

    /// A code, its highest bit first.
    fn code(&mut self, code: &str) {
        code.chars().for_each(|bit| self.bit(bit == '1'));
    }

    /// So many lengths of zero, 11 to 138: the run's code, then how many more than eleven.
    fn zeros(&mut self, count: u32) {
        self.code("0");
        self.put(count - 11, 7);
    }

    fn bit(&mut self, is_one: bool) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut().filter(|_| is_one) {
            *last |= 1 << self.used;
        }
        self.used = (self.used + 1) % 8;
    }
}

/// What is crafted is what it is meant to be: any other reader unpacks it to its size.
#[test]
fn blanks_unpack_to_their_size() {
    let file = padded(1_032 * 1_000, None);
    let mut archive = ZipArchive::new(Cursor::new(file)).unwrap();
    let mut part = archive.by_name(SHEET).unwrap();
    let mut bytes = vec![0; 1_000_000];
    part.read_exact(&mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == b' '));
}
