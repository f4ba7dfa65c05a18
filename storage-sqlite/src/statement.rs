//! Running a prepared statement and reading its rows.

use rusqlite::types::{FromSql, Value};
use rusqlite::{CachedStatement, Connection, Params, Row, params_from_iter};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreError, StoreResult};
use uuid::Uuid;

use crate::failure::During;

#[cfg(test)]
pub(crate) use recorder::{Watch, recorded};

/// A statement, prepared once a connection.
fn prepare<'c>(connection: &'c Connection, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
    #[cfg(test)]
    recorder::note(connection, sql);
    connection.prepare_cached(sql)
}

/// Runs a statement that changes rows and returns how many it changed.
pub(crate) fn change(
    connection: &Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
) -> StoreResult<usize> {
    prepare(connection, sql)
        .and_then(|mut statement| statement.execute(params))
        .during(action)
}

/// Runs a statement that inserts one row and returns the row's integer id.
pub(crate) fn insert(
    connection: &Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
) -> StoreResult<i64> {
    prepare(connection, sql)
        .and_then(|mut statement| statement.insert(params))
        .during(action)
}

/// The first row, if there is one.
pub(crate) fn one<T>(
    connection: &Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&mut Columns<'_>) -> StoreResult<T>,
) -> StoreResult<Option<T>> {
    let mut statement = prepare(connection, sql).during(action)?;
    let mut rows = statement.query(params).during(action)?;
    match rows.next().during(action)? {
        Some(row) => read(&mut Columns::of(row)).map(Some),
        None => Ok(None),
    }
}

/// Whether there is a row.
pub(crate) fn any(
    connection: &Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
) -> StoreResult<bool> {
    Ok(one(connection, action, sql, params, |_| Ok(()))?.is_some())
}

/// All rows, in their order.
pub(crate) fn all<T>(
    connection: &Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&mut Columns<'_>) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    let mut statement = prepare(connection, sql).during(action)?;
    let mut rows = statement.query(params).during(action)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().during(action)? {
        all.push(read(&mut Columns::of(row))?);
    }
    Ok(all)
}

/// Reads the columns of a row from left to right.
pub(crate) struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Columns<'r> {
    fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    /// The next column.
    pub(crate) fn next<T: FromSql>(&mut self) -> StoreResult<T> {
        let at = self.next;
        self.next += 1;
        self.row.get(at).during("reading a row")
    }

    /// The next column, made into a value of the domain.
    pub(crate) fn make<S: FromSql, T>(&mut self, make: impl FnOnce(S) -> T) -> StoreResult<T> {
        self.next().map(make)
    }

    /// The next column, made into a value of the domain unless it is NULL.
    pub(crate) fn maybe<S: FromSql, T>(
        &mut self,
        make: impl FnOnce(S) -> T,
    ) -> StoreResult<Option<T>> {
        Ok(self.next::<Option<S>>()?.map(make))
    }

    /// The next column, which has to be something that `read` knows.
    pub(crate) fn known<S: FromSql, T>(
        &mut self,
        read: impl FnOnce(S) -> Option<T>,
    ) -> StoreResult<T> {
        let at = self.next;
        read(self.next()?).ok_or_else(|| unknown(at))
    }

    /// The next column, a UUID.
    pub(crate) fn uuid<T: From<Uuid>>(&mut self) -> StoreResult<T> {
        self.make(|bytes: [u8; 16]| T::from(Uuid::from_bytes(bytes)))
    }
}

fn unknown(column: usize) -> StoreError {
    StoreError::corrupt(format!(
        "reading a row: column {column} holds something unknown"
    ))
}

/// Reads a row of one column.
pub(crate) fn only<T: FromSql>(columns: &mut Columns<'_>) -> StoreResult<T> {
    columns.next()
}

/// Where a list comes from.
pub(crate) struct List<'a> {
    /// What is read of each row.
    pub(crate) columns: &'a str,
    /// The tables that decide which rows there are; the total is counted over them.
    pub(crate) from: &'a str,
    /// What tells the rows apart: a column, or several.
    pub(crate) key: &'a str,
    /// What else is joined, one row to one, for its columns alone. It is joined to the rows of
    /// the page and to no others.
    pub(crate) joined: &'a str,
    /// The order.
    pub(crate) order: &'a str,
}

/// The conditions of a list, joined by AND, and their values.
pub(crate) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Starts with what always holds.
    pub(crate) fn new(always: &str) -> Self {
        Self {
            sql: format!("WHERE {always}"),
            values: Vec::new(),
        }
    }

    /// Adds a condition with one `?`, if there is a value for it.
    pub(crate) fn and(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(value.into());
        }
    }

    /// The rows of a page, and how many rows there are in all.
    pub(crate) fn page<T>(
        self,
        connection: &Connection,
        action: &'static str,
        list: &List<'_>,
        page: PageRequest,
        read: impl FnMut(&mut Columns<'_>) -> StoreResult<T>,
    ) -> StoreResult<Page<T>> {
        let Self {
            sql: conditions,
            mut values,
        } = self;
        let List {
            columns,
            from,
            key,
            joined,
            order,
        } = list;
        let count = format!("SELECT count(*) FROM {from} {conditions}");
        let total = one(connection, action, &count, params_from_iter(&values), only)?;
        let total = u64::try_from(total.unwrap_or(0_i64)).unwrap_or(0);
        if page.offset() >= total {
            return Ok(Page {
                items: Vec::new(),
                total,
            });
        }
        let page_of = |columns: &str| {
            format!("SELECT {columns} FROM {from} {conditions} ORDER BY {order} LIMIT ? OFFSET ?")
        };
        let list = if joined.is_empty() {
            page_of(columns)
        } else {
            let keys = page_of(key);
            format!(
                "SELECT {columns} FROM {from} {joined} WHERE ({key}) IN ({keys}) ORDER BY {order}"
            )
        };
        values.push(i64::from(page.limit()).into());
        values.push(i64::try_from(page.offset()).unwrap_or(i64::MAX).into());
        let items = all(connection, action, &list, params_from_iter(&values), read)?;
        Ok(Page { items, total })
    }
}

/// A text or NULL as a value.
pub(crate) fn maybe_text(text: Option<impl Into<String>>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.into()))
}

/// Remembers every statement, so that a test can ask for its plan, and counts those of a watched
/// database.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod recorder {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rusqlite::Connection;

    static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    static WATCHED: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(connection: &Connection, sql: &str) {
        let mut statements = lock(&STATEMENTS);
        if !statements.contains(sql) {
            statements.insert(sql.to_owned());
        }
        let mut watched = lock(&WATCHED);
        if let Some(runs) = connection.path().and_then(|path| watched.get_mut(path)) {
            runs.push(sql.to_owned());
        }
    }

    /// Every statement that was run so far.
    pub(crate) fn recorded() -> BTreeSet<String> {
        lock(&STATEMENTS).clone()
    }

    /// Keeps each run of a statement on one database.
    pub(crate) struct Watch(String);

    impl Watch {
        /// Watches the database at a path that has no links in it.
        pub(crate) fn over(path: &Path) -> Self {
            let path = path.to_str().unwrap().to_owned();
            lock(&WATCHED).insert(path.clone(), Vec::new());
            Self(path)
        }

        /// What was run since the last time, in order.
        pub(crate) fn take(&self) -> Vec<String> {
            let mut watched = lock(&WATCHED);
            watched.get_mut(&self.0).map(std::mem::take).unwrap()
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            lock(&WATCHED).remove(&self.0);
        }
    }
}
