//! Text tables: comma, semicolon or tab, in UTF-8, UTF-16 with its mark, or GB18030.
//! It must never replace a byte it cannot decode.

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord};
use encoding_rs::{Encoding, GB18030};

use super::gather::{Flow, Gather, HEADER_SEARCH, Search, Titles};
use super::{Limits, Row, SheetError, Table};

const DELIMITERS: [u8; 3] = *b",\t;";

pub(super) fn read(bytes: &[u8], kinds: &[Titles], limits: &Limits) -> Result<(usize, Table), SheetError> {
    let text = text(bytes)?;
    let mut search = Search::default();
    for (kind, titles) in kinds.iter().enumerate() {
        let mut gather = Gather::new("csv", titles, limits);
        for_each_record(&text, sniff(&text, titles), |line, record| {
            for (column, cell) in record.iter().enumerate() {
                if gather.put(line, column, cell)? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            }
            Ok(Flow::More)
        })?;
        if let Some(table) = search.offer(gather)? {
            return Ok((kind, table));
        }
    }
    Err(search.refusal())
}

/// The text of a file; what holds a NUL is none.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, SheetError> {
    let text = decode(bytes)?;
    if text.contains('\0') { Err(SheetError::NotASheet) } else { Ok(text) }
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SheetError> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let text = bytes.get(mark..).unwrap_or_default();
        return encoding
            .decode_without_bom_handling_and_without_replacement(text)
            .ok_or(SheetError::Encoding);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    GB18030.decode_without_bom_handling_and_without_replacement(bytes).ok_or(SheetError::Encoding)
}

/// The delimiter under which the first rows show the most wanted titles; the comma when none does.
fn sniff(text: &str, titles: &Titles) -> u8 {
    let found = |delimiter: &u8| {
        let mut head = Vec::new();
        // An error here comes again, and is reported, when the table itself is read.
        let _ = for_each_record(text, *delimiter, |number, record| {
            if record.iter().any(|cell| !cell.trim().is_empty()) {
                head.push(Row { number, cells: record.iter().map(str::to_owned).collect() });
            }
            Ok(if head.len() < HEADER_SEARCH { Flow::More } else { Flow::Enough })
        });
        titles.best(&head).map_or(0, |(_, best)| best.found())
    };
    // `max_by_key` takes the last of equals, hence the reversal.
    DELIMITERS.iter().rev().max_by_key(|delimiter| found(delimiter)).copied().unwrap_or(b',')
}

fn for_each_record(
    text: &str,
    delimiter: u8,
    mut visit: impl FnMut(usize, &StringRecord) -> Result<Flow, SheetError>,
) -> Result<(), SheetError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut lines = Lines { text: text.as_bytes(), byte: 0, line: 1 };
    loop {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if !reader.read_record(&mut record).map_err(|_| SheetError::Corrupt("a csv record cannot be read"))? {
            return Ok(());
        }
        if visit(lines.first_of_record(start), &record)? == Flow::Enough {
            return Ok(());
        }
    }
}

/// Counts lines by hand: the parser's own number is that of the blank lines it skips before a record.
struct Lines<'t> {
    text: &'t [u8],
    byte: usize,
    line: usize,
}

impl Lines<'_> {
    fn first_of_record(&mut self, start: usize) -> usize {
        while let Some(byte) = self.text.get(self.byte) {
            let ends_line = matches!(byte, b'\n' | b'\r');
            if self.byte >= start && !ends_line {
                break;
            }
            let next = self.byte.saturating_add(1);
            if *byte == b'\n' || (*byte == b'\r' && self.text.get(next) != Some(&b'\n')) {
                self.line = self.line.saturating_add(1);
            }
            self.byte = next;
        }
        self.line
    }
}
