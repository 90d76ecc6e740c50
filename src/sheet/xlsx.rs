//! Workbooks of the zip kind: only the sheet list, the texts, the number formats and the cells are read.
//! It must never unpack more than the limit, whatever sizes the zip directory states, nor reserve memory by a
//! count the file states.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::gather::{Flow, Gather, Search, Titles};
use super::number::{Digits, date_text, is_date_format, is_date_id};
use super::{Limits, SheetError, Table};

/// A workbook has some dozens of parts; pictures may add hundreds.
const PARTS_MAX: usize = 4_000;
/// Sheets beyond these are not looked at.
const SHEETS_MAX: usize = 100;
/// Spreadsheets pack 5 to 50 times; from here on, above `RATIO_FREE`, the file is made to do harm.
const RATIO_MAX: u64 = 100;
const RATIO_FREE: u64 = 10_000_000;
/// Spreadsheet programs stop a little below.
const STYLES_MAX: usize = 65_536;
const SHEET_ROWS: usize = 1_048_576;
const SHEET_COLUMNS: usize = 16_384;

pub(super) fn read(bytes: &[u8], kinds: &[Titles], limits: &Limits) -> Result<(usize, Table), SheetError> {
    let mut package = Package::open(bytes, limits)?;
    let Some(workbook) = package.part("xl/workbook.xml")? else { return Err(SheetError::NotASheet) };
    let book = Book::parse(&workbook)?;
    drop(workbook);
    let targets = match package.part("xl/_rels/workbook.xml.rels")? {
        Some(xml) => parse_targets(&xml)?,
        None => return Err(SheetError::Corrupt("its list of parts is missing")),
    };
    let texts = match package.part("xl/sharedstrings.xml")? {
        Some(xml) => parse_texts(&xml, limits)?,
        None => Vec::new(),
    };
    let dates = match package.part("xl/styles.xml")? {
        Some(xml) => parse_date_styles(&xml)?,
        None => Vec::new(),
    };
    let shared = Shared { texts, dates, from_1904: book.from_1904 };
    let mut search = Search::default();
    for (name, relation) in book.sheets {
        let Some(path) = targets.get(&relation) else { continue };
        let Some(xml) = package.part(path)? else { continue };
        for (kind, titles) in kinds.iter().enumerate() {
            let mut gather = Gather::new(&name, titles, limits);
            read_cells(&xml, &shared, &mut gather)?;
            if let Some(table) = search.offer(gather)? {
                return Ok((kind, table));
            }
        }
    }
    Err(search.refusal())
}

/// Hands over every part, the same limits kept.
pub(super) fn each_part(
    bytes: &[u8],
    limits: &Limits,
    mut look: impl FnMut(&str, &[u8]),
) -> Result<(), SheetError> {
    let mut package = Package::open(bytes, limits)?;
    let mut paths: Vec<String> = package.places.keys().cloned().collect();
    paths.sort_unstable();
    for path in paths {
        if let Some(part) = package.bytes(&path)? {
            look(&path, &part);
        }
    }
    Ok(())
}

/// The zip file, with what may still be unpacked from it.
struct Package<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    places: HashMap<String, usize>,
    left: u64,
    limit: u64,
}

impl<'a> Package<'a> {
    fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, SheetError> {
        const DAMAGED: SheetError = SheetError::Corrupt("it is not a complete zip file");
        let limit = limits.unpacked_bytes;
        // Counted before the directory is built, since each entry of 46 bytes costs several hundred there.
        if bytes.windows(4).filter(|window| *window == b"PK\x01\x02").take(PARTS_MAX + 1).count() > PARTS_MAX
        {
            return Err(SheetError::UnpackedTooLarge { limit });
        }
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| DAMAGED)?;
        let mut places = HashMap::new();
        let mut stated = 0_u64;
        for place in 0..zip.len() {
            let part = zip.by_index_raw(place).map_err(|_| DAMAGED)?;
            if part.encrypted() {
                return Err(SheetError::PasswordProtected);
            }
            stated = stated.saturating_add(part.size());
            let name = part.name().map_err(|_| DAMAGED)?.replace('\\', "/").to_lowercase();
            if name.ends_with("vbaproject.bin") {
                return Err(SheetError::Macros);
            }
            places.insert(name, place);
        }
        let packed = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let harmful = stated > RATIO_FREE && stated / packed.max(1) > RATIO_MAX;
        if stated > limit || harmful {
            return Err(SheetError::UnpackedTooLarge { limit });
        }
        Ok(Self { zip, places, left: limit, limit })
    }

    /// The text of a part; `path` in lower case, since writers disagree about capitals.
    fn part(&mut self, path: &str) -> Result<Option<String>, SheetError> {
        let Some(bytes) = self.bytes(path)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| SheetError::Corrupt("a part of it is not UTF-8"))
    }

    fn bytes(&mut self, path: &str) -> Result<Option<Vec<u8>>, SheetError> {
        const DAMAGED: SheetError = SheetError::Corrupt("a part of it cannot be unpacked");
        let Some(place) = self.places.get(path) else { return Ok(None) };
        let part = self.zip.by_index(*place).map_err(|_| DAMAGED)?;
        // The stated size may lie, so the reading itself is bounded.
        let (stated, mut bytes) = (part.size(), Vec::new());
        let most = self.left.min(stated).saturating_add(1);
        part.take(most).read_to_end(&mut bytes).map_err(|_| DAMAGED)?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > stated {
            return Err(DAMAGED);
        }
        self.left = self.left.checked_sub(size).ok_or(SheetError::UnpackedTooLarge { limit: self.limit })?;
        Ok(Some(bytes))
    }
}

/// What the sheets refer to.
struct Shared {
    texts: Vec<String>,
    /// By style: whether its number format shows a date.
    dates: Vec<bool>,
    from_1904: bool,
}

struct Book {
    /// Name and relation, in the order of the tabs.
    sheets: Vec<(String, String)>,
    from_1904: bool,
}

impl Book {
    fn parse(xml: &str) -> Result<Self, SheetError> {
        let mut book = Self { sheets: Vec::new(), from_1904: false };
        for_each_event(xml, |event| {
            if let Event::Start(tag) = event {
                match tag.local_name().as_ref() {
                    "sheet" if book.sheets.len() < SHEETS_MAX => {
                        book.sheets.extend(attribute(tag, "name").zip(attribute(tag, "id")));
                    }
                    "workbookPr" => {
                        let value = attribute(tag, "date1904");
                        book.from_1904 = value.is_some_and(|value| value == "1" || value == "true");
                    }
                    _ => {}
                }
            }
            Ok(Flow::More)
        })?;
        Ok(book)
    }
}

/// Part paths by relation, in lower case and from the root of the package.
fn parse_targets(xml: &str) -> Result<HashMap<String, String>, SheetError> {
    let mut targets = HashMap::new();
    for_each_event(xml, |event| {
        if targets.len() < PARTS_MAX
            && let Event::Start(tag) = event
            && let Some((id, target)) = attribute(tag, "Id").zip(attribute(tag, "Target"))
        {
            let target = target.replace('\\', "/").to_lowercase();
            let path = match target.strip_prefix('/') {
                Some(path) => path.to_owned(),
                None => format!("xl/{}", target.trim_start_matches("./")),
            };
            targets.insert(id, path);
        }
        Ok(Flow::More)
    })?;
    Ok(targets)
}

fn parse_texts(xml: &str, limits: &Limits) -> Result<Vec<String>, SheetError> {
    // More texts than a full table has cells belong to no table that would be taken.
    let most = limits.rows.saturating_mul(limits.columns);
    let mut texts = Vec::new();
    let mut text = String::new();
    let mut capture = Capture::default();
    for_each_event(xml, |event| {
        capture.follow(event, &mut text);
        if let Event::End(tag) = event
            && tag.local_name().as_ref() == "si"
        {
            if texts.len() >= most {
                return Err(SheetError::UnpackedTooLarge { limit: limits.unpacked_bytes });
            }
            texts.push(text.as_str().to_owned());
            text.clear();
        }
        Ok(Flow::More)
    })?;
    Ok(texts)
}

fn parse_date_styles(xml: &str) -> Result<Vec<bool>, SheetError> {
    let mut own: HashMap<u32, bool> = HashMap::new();
    let mut dates = Vec::new();
    let mut within = false;
    for_each_event(xml, |event| {
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "numFmt" => {
                    let id = attribute(tag, "numFmtId").and_then(|id| id.parse().ok());
                    let date = attribute(tag, "formatCode").map(|code| is_date_format(&code));
                    own.extend(id.zip(date));
                }
                "cellXfs" => within = true,
                "xf" if dates.len() >= STYLES_MAX => return Ok(Flow::Enough),
                "xf" if within => {
                    let id = attribute(tag, "numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
                    dates.push(own.get(&id).copied().unwrap_or_else(|| is_date_id(id)));
                }
                _ => {}
            },
            Event::End(tag) if tag.local_name().as_ref() == "cellXfs" => within = false,
            _ => {}
        }
        Ok(Flow::More)
    })?;
    Ok(dates)
}

/// The cell that is being read.
#[derive(Default)]
struct Cell {
    row: usize,
    column: usize,
    kind: String,
    style: usize,
    text: String,
}

fn read_cells(xml: &str, shared: &Shared, gather: &mut Gather<'_>) -> Result<(), SheetError> {
    let mut cell = Cell::default();
    let mut capture = Capture::default();
    for_each_event(xml, |event| {
        capture.follow(event, &mut cell.text);
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "row" => {
                    let stated = attribute(tag, "r").and_then(|row| row.parse().ok());
                    cell.row = stated.unwrap_or(cell.row.saturating_add(1));
                    cell.column = 0;
                }
                "c" => cell.begin(tag)?,
                _ => {}
            },
            Event::End(tag) => match tag.local_name().as_ref() {
                "c" => {
                    let flow = gather.put(cell.row, cell.column, &shown(&cell, shared)?)?;
                    cell.column = cell.column.saturating_add(1);
                    return Ok(flow);
                }
                "sheetData" => return Ok(Flow::Enough),
                _ => {}
            },
            _ => {}
        }
        Ok(Flow::More)
    })
}

impl Cell {
    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), SheetError> {
        self.text.clear();
        self.kind.clear();
        self.style = 0;
        for attribute in tag.attributes().with_checks(false).flatten() {
            match attribute.key.local_name().as_ref() {
                "r" => (self.row, self.column) = parse_place(&attribute.value)?,
                "t" => self.kind.push_str(&attribute.value),
                "s" => self.style = attribute.value.parse().unwrap_or(0),
                _ => {}
            }
        }
        Ok(())
    }
}

/// `C12` as row 12 (from 1) and column 2 (from 0).
fn parse_place(text: &str) -> Result<(usize, usize), SheetError> {
    const WRONG: SheetError = SheetError::Corrupt("a cell stands outside the sheet");
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, digits) = text.split_at_checked(letters).ok_or(WRONG)?;
    let mut column = 0_usize;
    for letter in letters.bytes().take(4) {
        let value = usize::from(letter.to_ascii_uppercase().saturating_sub(b'A')).saturating_add(1);
        column = column.saturating_mul(26).saturating_add(value);
    }
    let row: usize = digits.parse().map_err(|_| WRONG)?;
    let column = column.checked_sub(1).ok_or(WRONG)?;
    if row == 0 || row > SHEET_ROWS || column >= SHEET_COLUMNS { Err(WRONG) } else { Ok((row, column)) }
}

fn shown<'t>(cell: &'t Cell, shared: &'t Shared) -> Result<Cow<'t, str>, SheetError> {
    let text = cell.text.as_str();
    Ok(match cell.kind.as_str() {
        "s" if text.is_empty() => Cow::Borrowed(""),
        "s" => {
            let index: usize = text.trim().parse().map_err(|_| SheetError::Corrupt("a text is missing"))?;
            let text = shared.texts.get(index).ok_or(SheetError::Corrupt("a text is missing"))?;
            unescaped(text)
        }
        "b" => Cow::Borrowed(if matches!(text.trim(), "1" | "true") { "TRUE" } else { "FALSE" }),
        "d" => Cow::Borrowed(text.split_once('T').map_or(text, |(date, _)| date)),
        "str" | "inlineStr" => unescaped(text),
        "e" => Cow::Borrowed(text),
        _ => match text.trim().parse().ok().and_then(Digits::of).map(|digits| digits.text()) {
            Some(number) if shared.dates.get(cell.style).copied().unwrap_or(false) => {
                Cow::Owned(date_text(&number, shared.from_1904))
            }
            Some(number) => Cow::Owned(number),
            None => Cow::Borrowed(text),
        },
    })
}

/// XML cannot hold a carriage return as itself, so writers spell it out.
fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains("_x000D_") { Cow::Owned(text.replace("_x000D_", "")) } else { Cow::Borrowed(text) }
}

/// Collects what stands in `v` and `t`, and leaves out formulas and the small print that tells how to
/// pronounce a text.
#[derive(Default)]
struct Capture {
    inside: bool,
    phonetic: bool,
}

impl Capture {
    fn follow(&mut self, event: &Event<'_>, text: &mut String) {
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "rPh" => self.phonetic = true,
                "v" | "t" => self.inside = !self.phonetic,
                _ => {}
            },
            Event::End(tag) => match tag.local_name().as_ref() {
                "rPh" => self.phonetic = false,
                "v" | "t" => self.inside = false,
                _ => {}
            },
            Event::Text(part) if self.inside => text.push_str(&part.xml10_content()),
            Event::CData(part) if self.inside => text.push_str(&part.xml10_content()),
            Event::GeneralRef(part) if self.inside => match part.resolve_char_ref() {
                Ok(Some(letter)) => text.push(letter),
                _ => text.push_str(resolve_predefined_entity(part).unwrap_or_default()),
            },
            _ => {}
        }
    }
}

fn for_each_event(
    xml: &str,
    mut visit: impl FnMut(&Event<'_>) -> Result<Flow, SheetError>,
) -> Result<(), SheetError> {
    let mut reader = Reader::from_str(xml.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    loop {
        let event = reader.read_event().map_err(|_| SheetError::Corrupt("a part of it is not XML"))?;
        match &event {
            Event::Eof => return Ok(()),
            // No spreadsheet program writes one, and what it declares is never looked up.
            Event::DocType(_) => return Err(SheetError::Corrupt("a part of it declares a document type")),
            Event::GeneralRef(part) if !part.is_char_ref() && resolve_predefined_entity(part).is_none() => {
                return Err(SheetError::Corrupt("a part of it names an entity"));
            }
            _ => {}
        }
        if visit(&event)? == Flow::Enough {
            return Ok(());
        }
    }
}

/// Whatever the prefix: `r:id` is asked for as `id`.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let found = attributes.with_checks(false).flatten().find(|one| one.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
}
