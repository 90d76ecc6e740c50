//! A paper as a page to print: A4 with the margins of GB/T 9704-2012 (top 37 mm, left 28 mm, text 156 by 225 mm), its number
//! and its mark on every sheet, the head of the table on every sheet, page x of y. The page asks for nothing from
//! elsewhere, runs nothing, and every text in it is escaped by the template.

use askama::Template;

use super::form::Form;
use crate::refusal::{Failure, Outcome};

/// What a printed sheet is, beside the paper itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not issued yet.
    Draft,
    /// Shown on a screen, not counted as a copy.
    Preview,
    /// The first copy is the original; the others are printed again (补打).
    Copy(i64),
}

/// A page with the header that holds it to what it may do.
#[derive(Clone, Debug)]
pub struct Page {
    pub html: String,
    /// `Content-Security-Policy`.
    pub policy: String,
}

#[derive(Template)]
#[template(path = "page.html", config = "src/papers/askama.toml")]
struct PageTemplate<'a> {
    form: &'a Form,
    mark: &'a str,
    /// Whether another paper stands in its place now.
    standing: Option<&'a str>,
    nonce: &'a str,
}

impl Mark {
    fn text(self) -> String {
        match self {
            Self::Draft => "未出具  仅供核对".to_owned(),
            Self::Preview => "样张  不作凭证".to_owned(),
            Self::Copy(1) => String::new(),
            Self::Copy(copy_no) => format!("补打  第{copy_no}份"),
        }
    }
}

/// The page; `nonce` is of this answer alone and lets its one style in.
pub fn page(form: &Form, mark: Mark, nonce: &str) -> Outcome<Page> {
    let template = PageTemplate { form, mark: &mark.text(), standing: form.standing.as_deref(), nonce };
    let html = template.render().map_err(|error| Failure::Broken(error.to_string()))?;
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    );
    Ok(Page { html, policy })
}
