//! The search in files: logs and exports line by line, whatever their length; workbooks and other zip files part by part,
//! unpacked within bounds. A file that is neither is read as text all the same, so that a dump is searched as well.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::GB18030;

use super::rules::{self, NUMBER_CHARS_MAX};
use super::{Findings, Where};
use crate::sheet::{self, Limits};

/// Bytes of a line that are read at a time; longer ones are cut into pieces that overlap.
const PIECE_BYTES: u64 = 1 << 20;

/// Bytes of a workbook at most.
const WORKBOOK_BYTES_MAX: usize = 100_000_000;

/// How a zip file begins.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// Searches a file, and adds what it holds.
pub fn search(path: &Path, findings: &mut Findings) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut reader = BufReader::new(File::open(path).map_err(|error| told(&error))?);
    let is_zip = reader.fill_buf().map_err(|error| told(&error))?.starts_with(ZIP_MAGIC);
    let done = if is_zip { parts(path, reader, findings) } else { lines(path, reader, findings) };
    done.map_err(|error| told(&error))
}

fn lines(path: &Path, mut reader: BufReader<File>, findings: &mut Findings) -> Result<(), String> {
    let (mut number, mut overlap) = (1_u64, Vec::new());
    while !findings.is_full() {
        let mut piece: Vec<u8> = std::mem::take(&mut overlap);
        let carried = piece.len();
        reader.by_ref().take(PIECE_BYTES).read_until(b'\n', &mut piece).map_err(|error| error.to_string())?;
        if piece.len() == carried {
            break;
        }
        let text = text_of(&piece);
        findings.add(&text, || Where::Line { file: path.display().to_string(), line: number });
        if piece.ends_with(b"\n") {
            number = number.saturating_add(1);
        } else {
            // A number that the end of a piece cuts is whole in the next one; one that is whole in both is told twice.
            overlap = piece.split_off(piece.len().saturating_sub(NUMBER_CHARS_MAX));
        }
    }
    Ok(())
}

fn parts(path: &Path, reader: BufReader<File>, findings: &mut Findings) -> Result<(), String> {
    let limits = Limits { bytes: WORKBOOK_BYTES_MAX, ..Limits::default() };
    let mut bytes = Vec::new();
    let most = u64::try_from(limits.bytes).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    sheet::each_part(&bytes, &limits, |name, part| {
        findings
            .add(&text_of(part), || Where::Part { file: path.display().to_string(), part: name.to_owned() });
    })
    .map_err(|error| error.to_string())
}

/// As text in whichever encoding: UTF-8, or GB18030, whose characters end in bytes that are letters elsewhere. The zeros
/// between the letters of UTF-16 fall out.
fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text.to_owned(),
        _ if bytes.contains(&0) => {
            let kept: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
            String::from_utf8_lossy(&kept).into_owned()
        }
        _ => GB18030.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

impl Findings {
    /// Adds every number of a text.
    pub(super) fn add(&mut self, text: &str, place: impl Fn() -> Where) {
        for found in rules::find(text) {
            self.put(found, place());
        }
    }
}
