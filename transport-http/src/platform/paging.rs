//! Lists in pages.

use serde::Serialize;
use telemed_core::error::{Code, Error};
use telemed_core::page::{PageLimit, PageRequest, PageSkip};
use utoipa::ToSchema;

use crate::extract::Count;

/// The largest page; who asks for more gets this many.
const MOST: i64 = 100;
/// Rows of a page if only its number is asked for.
const USUAL: i64 = 10;

/// Where a page of a list stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Meta {
    /// How many rows there are in all.
    total: u64,
    /// The page, from 1.
    page: u64,
    /// Rows of a page.
    per_page: u64,
    /// How many pages there are.
    total_pages: u64,
    /// The same as `total_pages`.
    pages: u64,
    /// Whether another page follows.
    has_next: bool,
    /// Whether another page comes before.
    has_prev: bool,
}

/// The page that a query asks for.
#[derive(Clone, Copy)]
pub(crate) struct Paging {
    /// The page, from 1.
    pub page: u64,
    per_page: u64,
    /// The rows of it.
    pub request: PageRequest,
}

impl Paging {
    /// The page of these parameters; without any, all that `otherwise` has.
    pub(crate) fn asked(
        page: Option<Count>,
        per_page: Option<Count>,
        otherwise: PageRequest,
    ) -> Result<Self, Error> {
        if page.is_none() && per_page.is_none() {
            return Ok(Self {
                page: 1,
                per_page: otherwise.limit().into(),
                request: otherwise,
            });
        }
        Self::of(page, per_page, USUAL)
    }

    /// The page of these parameters, with `usual` rows if they do not say how many.
    pub(crate) fn of(
        page: Option<Count>,
        per_page: Option<Count>,
        usual: i64,
    ) -> Result<Self, Error> {
        let page = page.map_or(1, Count::get);
        let per_page = per_page.map_or(usual, Count::get).min(MOST);
        let skip = (page - 1).saturating_mul(per_page);
        let internal = |_| Error::new(Code::Internal);
        Ok(Self {
            page: page.unsigned_abs(),
            per_page: per_page.unsigned_abs(),
            request: PageRequest::new(
                PageSkip::new(skip).map_err(internal)?,
                PageLimit::new(per_page).map_err(internal)?,
            ),
        })
    }

    /// How many pages there are of this many rows.
    pub(crate) fn pages(self, total: u64) -> u64 {
        total.div_ceil(self.per_page.max(1))
    }

    /// What is told beside the rows.
    pub(crate) fn meta(self, total: u64) -> Meta {
        let pages = self.pages(total);
        Meta {
            total,
            page: self.page,
            per_page: self.per_page,
            total_pages: pages,
            pages,
            has_next: self.page < pages,
            has_prev: self.page > 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(page: Option<&str>, per_page: Option<&str>) -> Paging {
        let count = |text: Option<&str>| text.map(|text| serde_json::from_str(text).unwrap());
        Paging::asked(count(page), count(per_page), PageRequest::newest()).unwrap()
    }

    #[test]
    fn pages_are_counted_from_one() {
        let paging = asked(Some("3"), Some("10"));
        assert_eq!((paging.request.offset(), paging.request.limit()), (20, 10));
        let meta = paging.meta(25);
        assert_eq!(
            (meta.total_pages, meta.has_next, meta.has_prev),
            (3, false, true)
        );
        let meta = asked(None, None).meta(25);
        assert_eq!((meta.page, meta.per_page, meta.pages), (1, 500, 1));
        assert_eq!(asked(Some("1"), None).request.limit(), 10);
        assert_eq!(asked(None, Some("1000")).request.limit(), 100);
        let empty = asked(Some("1"), None).meta(0);
        assert_eq!((empty.pages, empty.has_next), (0, false));
        // Far behind the end.
        let far = asked(Some("9223372036854775807"), Some("100"));
        assert!(far.request.offset() > 1 << 60);
    }
}
