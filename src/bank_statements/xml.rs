//! XML as messages of banks use it: elements of one namespace, text in them, and no more. It must never resolve an
//! entity that the file declares, nor keep more of the file than one child of a part.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

/// Messages of banks are about a dozen levels deep.
const DEPTH_MAX: usize = 40;
/// Elements below one child of a part; a batch entry has some dozens for each of its payments.
const NODES_MAX: usize = 100_000;
/// Bytes of text of one element that are kept; the standard allows 500 characters.
const TEXT_BYTES_MAX: usize = 4_000;
/// Of a fault.
const VALUE_CHARS_MAX: usize = 200;

/// Why a file is refused: where it stands, in which element, what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    pub element: String,
    pub value: String,
    pub reason: String,
}

/// An element with all that is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub line: usize,
    pub text: String,
    /// Its attribute `Ccy`.
    pub currency: Option<String>,
    pub children: Vec<Node>,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// An element above the level that is read whole; the root is level 1.
    Opened {
        level: usize,
        name: String,
        line: usize,
    },
    /// An element on that level, read whole.
    Child(Node),
    Closed {
        level: usize,
    },
}

/// Goes through a text element by element.
pub struct Walk<'t> {
    text: &'t str,
    reader: NsReader<&'t [u8]>,
    /// Of the root, once it was read; empty for none.
    namespace: Option<String>,
    /// The elements that are open and were not read whole.
    open: Vec<String>,
    byte: usize,
    line: usize,
    is_over: bool,
}

impl Fault {
    pub fn new(
        line: usize,
        element: impl Into<String>,
        value: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        let value: String = value.into();
        let value = value.chars().take(VALUE_CHARS_MAX).collect();
        Self { line, element: element.into(), value, reason: reason.into() }
    }
}

impl Node {
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text at the end of a path of first children, unless there is none.
    #[must_use]
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        let end = path.iter().try_fold(self, |node, name| node.child(name))?;
        Some(end.text.trim()).filter(|text| !text.is_empty())
    }

    /// What is wrong with a child, or with the element itself when `child` is empty.
    pub fn fault(&self, child: &str, reason: impl Into<String>) -> Fault {
        let at = self.child(child);
        let line = at.map_or(self.line, |child| child.line);
        let value = at.map_or(self.text.as_str(), |child| child.text.as_str()).trim();
        let element = if child.is_empty() { self.name.clone() } else { format!("{}/{child}", self.name) };
        Fault::new(line, element, value, reason)
    }
}

impl<'t> Walk<'t> {
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().check_end_names = true;
        Self { text, reader, namespace: None, open: Vec::new(), byte: 0, line: 1, is_over: false }
    }

    /// The root: its name, its namespace and its line. Every other element is of that namespace or is passed over.
    pub fn root(&mut self) -> Result<(String, String, usize), Fault> {
        loop {
            let line = self.here();
            match self.event(line)?.1 {
                Event::Start(tag) => {
                    let name = tag.local_name().as_ref().to_owned();
                    self.open.push(name.clone());
                    return Ok((name, self.namespace.clone().unwrap_or_default(), line));
                }
                Event::Eof => return Err(Fault::new(line, "", "", "it holds no element")),
                _ => {}
            }
        }
    }

    /// The next element below the root, read whole when it stands deeper than `level`; nothing after the root.
    pub fn next(&mut self, level: usize) -> Result<Option<Step>, Fault> {
        while !self.is_over {
            let line = self.here();
            let (is_ours, event) = self.event(line)?;
            match event {
                Event::Start(tag) => {
                    let (node, depth) = (node_of(&tag, line)?, self.open.len().saturating_add(1));
                    if !is_ours {
                        self.read_whole(node)?;
                    } else if depth > level {
                        return self.read_whole(node).map(|node| Some(Step::Child(node)));
                    } else {
                        self.open.push(node.name.clone());
                        return Ok(Some(Step::Opened { level: depth, name: node.name, line }));
                    }
                }
                Event::End(_) => {
                    let level = self.open.len();
                    self.open.pop();
                    self.is_over = self.open.is_empty();
                    return Ok(Some(Step::Closed { level }));
                }
                Event::Eof => {
                    let element = self.open.last().cloned().unwrap_or_default();
                    return Err(Fault::new(line, element, "", "the file ends before the element does"));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Everything in an element that has begun.
    fn read_whole(&mut self, node: Node) -> Result<Node, Fault> {
        let mut stack = vec![node];
        let mut count = 0_usize;
        loop {
            let line = self.here();
            let (is_ours, event) = self.event(line)?;
            let Some(inner) = stack.last_mut() else { return Ok(Node::default()) };
            match event {
                Event::Start(tag) => {
                    count = count.saturating_add(1);
                    if count > NODES_MAX || stack.len() >= DEPTH_MAX {
                        return Err(Fault::new(
                            line,
                            tag.local_name().as_ref(),
                            "",
                            "there is too much in it",
                        ));
                    }
                    let mut node = node_of(&tag, line)?;
                    if !is_ours {
                        // No name that anybody asks for.
                        node.name.clear();
                    }
                    stack.push(node);
                }
                Event::End(_) => {
                    let Some(done) = stack.pop() else { return Ok(Node::default()) };
                    match stack.last_mut() {
                        Some(outer) => outer.children.push(done),
                        None => return Ok(done),
                    }
                }
                Event::Text(part) => put(inner, &part.xml10_content())?,
                Event::CData(part) => put(inner, &part.xml10_content())?,
                Event::GeneralRef(part) => {
                    let letter = part.resolve_char_ref().ok().flatten().map(|letter| letter.to_string());
                    let text = letter
                        .map(Cow::Owned)
                        .or_else(|| resolve_predefined_entity(&part).map(Cow::Borrowed));
                    let text = text
                        .ok_or_else(|| Fault::new(line, inner.name.clone(), &*part, "it names an entity"))?;
                    put(inner, &text)?;
                }
                Event::Eof => {
                    return Err(Fault::new(
                        line,
                        inner.name.clone(),
                        "",
                        "the file ends before the element does",
                    ));
                }
                _ => {}
            }
        }
    }

    /// The next event, and whether its element is of the namespace of the root, which the first element decides.
    fn event(&mut self, line: usize) -> Result<(bool, Event<'t>), Fault> {
        let element = || self.open.last().cloned().unwrap_or_default();
        let (namespace, event) = self
            .reader
            .read_resolved_event()
            .map_err(|error| Fault::new(line, element(), "", format!("not well-formed XML: {error}")))?;
        if matches!(event, Event::DocType(_)) {
            return Err(Fault::new(line, element(), "", "it declares a document type; remove the DOCTYPE"));
        }
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.0,
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(prefix) => {
                return Err(Fault::new(line, element(), prefix, "this prefix is bound to no namespace"));
            }
        };
        let is_first = self.namespace.is_none() && matches!(event, Event::Start(_));
        if is_first {
            self.namespace = Some(namespace.to_owned());
        }
        Ok((self.namespace.as_deref() == Some(namespace), event))
    }

    /// The line at which the next event begins, blank text before it passed over.
    fn here(&mut self) -> usize {
        let end = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        if let Some(passed) = self.text.get(self.byte..end) {
            self.line = self.line.saturating_add(passed.matches('\n').count());
            self.byte = end;
        }
        self.line
    }
}

fn node_of(tag: &BytesStart<'_>, line: usize) -> Result<Node, Fault> {
    let name = tag.local_name().as_ref().to_owned();
    let wrong = || Fault::new(line, name.clone(), "", "its attributes are not well-formed");
    let mut currency = None;
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| wrong())?;
        if attribute.key.as_ref() == "Ccy" {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| wrong())?;
            currency = Some(value.into_owned());
        }
    }
    Ok(Node { name, line, currency, ..Node::default() })
}

fn put(node: &mut Node, text: &str) -> Result<(), Fault> {
    let is_forbidden = |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
    if text.contains(is_forbidden) {
        return Err(Fault::new(node.line, node.name.clone(), "", "it holds a control character"));
    }
    if node.text.len().saturating_add(text.len()) <= TEXT_BYTES_MAX {
        node.text.push_str(text);
    } else {
        let left = TEXT_BYTES_MAX.saturating_sub(node.text.len());
        node.text.extend(text.char_indices().take_while(|(at, _)| *at < left).map(|(_, letter)| letter));
    }
    Ok(())
}
