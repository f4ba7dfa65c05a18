//! Pages of a list.

use crate::value::{ValueError, within};

/// The largest page.
pub const MOST: u32 = 100;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    offset: u64,
    limit: u32,
}

impl PageRequest {
    /// `limit` rows after the first `skip`.
    #[must_use]
    pub fn new(skip: PageSkip, limit: PageLimit) -> Self {
        Self {
            offset: skip.0,
            limit: limit.0,
        }
    }

    /// The first 500 rows: for lists that old clients take in one piece.
    #[must_use]
    pub const fn newest() -> Self {
        Self {
            offset: 0,
            limit: 500,
        }
    }

    /// Rows to leave out.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }

    /// Rows to return at most.
    #[must_use]
    pub fn limit(self) -> u32 {
        self.limit
    }
}

impl Default for PageRequest {
    /// The first hundred rows.
    fn default() -> Self {
        Self {
            offset: 0,
            limit: MOST,
        }
    }
}

/// How many rows of a list to leave out: zero or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageSkip(u64);

impl PageSkip {
    /// Leaves out this many rows.
    ///
    /// # Errors
    /// When the number is negative.
    pub fn new(number: i64) -> Result<Self, ValueError> {
        u64::try_from(number)
            .map(Self)
            .map_err(|_| "must be 0 or more".into())
    }
}

/// How many rows of a list to return: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    /// Returns at most this many rows.
    ///
    /// # Errors
    /// When the number is not from 1 to 100.
    pub fn new(number: i64) -> Result<Self, ValueError> {
        within(number, 1, i64::from(MOST))
            .and_then(|number| u32::try_from(number).map_err(|_| "is out of range".into()))
            .map(Self)
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(MOST)
    }
}

/// A part of a list, and how long the whole list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows there are in all.
    pub total: u64,
}

impl<T> Page<T> {
    /// The same page with every row changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            total: self.total,
        }
    }

    /// The same page with every row changed, or the first failure.
    ///
    /// # Errors
    /// What `change` fails with.
    pub fn try_map<U, E>(self, change: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        let items = self
            .items
            .into_iter()
            .map(change)
            .collect::<Result<_, E>>()?;
        Ok(Page {
            items,
            total: self.total,
        })
    }
}
