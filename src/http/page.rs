//! Keyset pages: `?limit=&cursor=`, answered with `next_cursor` and a `Link` header. No page counts rows or skips them.

use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiResponse, Object, payload::Json};
use uuid::Uuid;

use crate::refusal::Refusal;

/// Rows of a page when the caller does not say.
pub const LIMIT_DEFAULT: u64 = 20;

/// Rows of a page at most.
pub const LIMIT_MAX: u64 = 200;

/// Which page is asked for: rows with an id below `before`, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    pub limit: u64,
    pub before: Option<Uuid>,
}

/// Reads `?limit=&cursor=`. A cursor is opaque to callers: the last id of the page before, in hexadecimal behind a
/// version mark, so that a later form can be told from this one.
pub fn page_request(limit: Option<u64>, cursor: Option<&str>) -> Result<PageRequest, Refusal> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Refusal::Malformed { detail: format!("limit: between 1 and {LIMIT_MAX}") });
    }
    let before = cursor.map(parse_cursor).transpose()?;
    Ok(PageRequest { limit, before })
}

fn parse_cursor(cursor: &str) -> Result<Uuid, Refusal> {
    cursor.strip_prefix("1-").and_then(|hex| Uuid::try_parse(hex).ok()).ok_or(Refusal::CursorExpired)
}

/// The cursor behind which the page after a row begins.
#[must_use]
pub fn cursor_after(last: Uuid) -> String {
    format!("1-{}", last.simple())
}

/// One page of rows as an operation answers it. Read `limit + 1` rows and hand them to [`Page::cut`].
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts `limit + 1` rows to a page and makes the cursor of the next one.
    #[must_use]
    pub fn cut(mut rows: Vec<T>, request: PageRequest, id_of: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = if has_more { rows.last().map(|row| cursor_after(id_of(row))) } else { None };
        Self { items: rows, next }
    }

    /// The same page of other items.
    #[must_use]
    pub fn map<U>(self, shape: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(shape).collect(), next: self.next }
    }

    /// The same page of other items, unless one of them cannot be shaped.
    pub fn try_map<U, E>(self, shape: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page { items: self.items.into_iter().map(shape).collect::<Result<_, E>>()?, next: self.next })
    }
}

/// A page of a list.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct PageBody<T: ParseFromJSON + ToJSON + Type> {
    pub items: Vec<T>,
    /// Send it as `cursor` to get the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// A page of a list with the address of the next one.
#[derive(ApiResponse)]
pub enum Listed<T: ParseFromJSON + ToJSON + Type> {
    /// A page.
    #[oai(status = 200)]
    Page(
        Json<PageBody<T>>,
        /// `rel="next"`, absent on the last page.
        #[oai(header = "Link")]
        Option<String>,
    ),
}

impl<T: ParseFromJSON + ToJSON + Type> Listed<T> {
    /// Shapes a page for the list at `uri`, keeping the caller's filters in the link to the next page.
    #[must_use]
    pub fn new(page: Page<T>, uri: &poem::http::Uri) -> Self {
        let link = page.next.as_ref().map(|cursor| {
            let kept = uri
                .query()
                .unwrap_or("")
                .split('&')
                .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
            let query: Vec<&str> = kept.collect();
            let joint = if query.is_empty() { "" } else { "&" };
            format!("<{}?{}{joint}cursor={cursor}>; rel=\"next\"", uri.path(), query.join("&"))
        });
        Self::Page(Json(PageBody { items: page.items, next_cursor: page.next }), link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_zero_or_two_hundred_and_one_is_refused() {
        assert!(page_request(Some(0), None).is_err());
        assert!(page_request(Some(201), None).is_err());
        assert_eq!(page_request(None, None), Ok(PageRequest { limit: 20, before: None }));
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for cursor in ["", "1-", "0-00", "1-zz", "2-0193a5b0c0007000800000000000000f"] {
            assert_eq!(page_request(None, Some(cursor)), Err(Refusal::CursorExpired));
        }
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let ids: Vec<Uuid> = (1..=3_u128).map(Uuid::from_u128).collect();
        let request = PageRequest { limit: 2, before: None };
        let page = Page::cut(ids.clone(), request, |id| *id);
        assert_eq!(page.items, ids[..2]);
        assert_eq!(page_request(None, page.next.as_deref()).unwrap().before, Some(ids[1]));
        assert_eq!(Page::cut(ids[..2].to_vec(), request, |id| *id).next, None);
    }
}
