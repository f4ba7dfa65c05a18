//! Running a prepared statement and reading its rows.

use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, Decode, Postgres, Row, Type};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use uuid::Uuid;

use crate::connection::Connection;

/// What a column can be read as.
pub(crate) trait Value: for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl<T: for<'r> Decode<'r, Postgres> + Type<Postgres>> Value for T {}

/// The values of a statement, `$1` and on: a tuple of them, or [`PgArguments`].
pub(crate) trait Params {
    /// The values as they are sent.
    fn arguments(self) -> Result<PgArguments, BoxDynError>;
}

impl Params for PgArguments {
    fn arguments(self) -> Result<PgArguments, BoxDynError> {
        Ok(self)
    }
}

macro_rules! params_of_tuples {
    ($(($($value:ident),*))*) => {$(
        impl<'v, $($value: Encode<'v, Postgres> + Type<Postgres>),*> Params for ($($value,)*) {
            #[allow(non_snake_case, unused_mut)]
            fn arguments(self) -> Result<PgArguments, BoxDynError> {
                let ($($value,)*) = self;
                let mut arguments = PgArguments::default();
                $(Arguments::add(&mut arguments, $value)?;)*
                Ok(arguments)
            }
        }
    )*};
}

impl Params for () {
    fn arguments(self) -> Result<PgArguments, BoxDynError> {
        Ok(PgArguments::default())
    }
}

params_of_tuples! {
    (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H) (A, B, C, D, E, F, G, H, I) (A, B, C, D, E, F, G, H, I, J)
    (A, B, C, D, E, F, G, H, I, J, K) (A, B, C, D, E, F, G, H, I, J, K, L)
    (A, B, C, D, E, F, G, H, I, J, K, L, M) (A, B, C, D, E, F, G, H, I, J, K, L, M, N)
    (A, B, C, D, E, F, G, H, I, J, K, L, M, N, O) (A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P)
}

fn sent(action: &str, arguments: Result<PgArguments, BoxDynError>) -> StoreResult<PgArguments> {
    // The error may quote the value.
    arguments.map_err(|_| {
        let context = format!("{action}: a value cannot be sent");
        StoreError::new(StoreErrorKind::Internal, context)
    })
}

/// Runs a statement that changes rows and returns how many it changed.
pub(crate) async fn change(
    connection: &mut Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
) -> StoreResult<u64> {
    let arguments = sent(action, params.arguments())?;
    connection.execute(action, sql, arguments).await
}

/// The first row, if there is one. The statement returns one row, or few.
pub(crate) async fn one<T>(
    connection: &mut Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&mut Columns<'_>) -> StoreResult<T>,
) -> StoreResult<Option<T>> {
    let arguments = sent(action, params.arguments())?;
    let rows = connection.fetch(action, sql, arguments).await?;
    rows.first()
        .map(|row| read(&mut Columns::of(row)))
        .transpose()
}

/// The only row of a statement that returns one whatever there is.
pub(crate) async fn single<T>(
    connection: &mut Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&mut Columns<'_>) -> StoreResult<T>,
) -> StoreResult<T> {
    one(connection, action, sql, params, read)
        .await?
        .ok_or_else(|| {
            StoreError::corrupt(format!("{action}: a row that has to be there is missing"))
        })
}

/// Whether there is a row.
pub(crate) async fn any(
    connection: &mut Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
) -> StoreResult<bool> {
    let row = one(connection, action, sql, params, |_| Ok(())).await?;
    Ok(row.is_some())
}

/// All rows, in their order.
pub(crate) async fn all<T>(
    connection: &mut Connection,
    action: &'static str,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&mut Columns<'_>) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    let arguments = sent(action, params.arguments())?;
    let rows = connection.fetch(action, sql, arguments).await?;
    rows.iter().map(|row| read(&mut Columns::of(row))).collect()
}

/// Waits until this transaction alone holds these names, in an order that all keep.
pub(crate) async fn lock_names(connection: &mut Connection, names: &[String]) -> StoreResult<()> {
    any(
        connection,
        "waiting for a lock",
        "SELECT pg_advisory_xact_lock(key) FROM (
             SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest($1::TEXT[]) AS name
             ORDER BY key
         ) AS keys",
        (names,),
    )
    .await
    .map(drop)
}

/// Whether PostgreSQL can hold the text: it holds none with NUL, so no row has it either.
pub(crate) fn can_be_stored(text: &str) -> bool {
    !text.contains('\0')
}

/// Reads the columns of a row from left to right.
pub(crate) struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Columns<'r> {
    fn of(row: &'r PgRow) -> Self {
        Self { row, next: 0 }
    }

    /// The next column.
    pub(crate) fn next<T>(&mut self) -> StoreResult<T>
    where
        T: Value,
    {
        let at = self.next;
        self.next += 1;
        self.row.try_get(at).map_err(|_| odd(at, "something else"))
    }

    /// The next column, made into a value of the domain.
    pub(crate) fn make<S: Value, T>(&mut self, make: impl FnOnce(S) -> T) -> StoreResult<T> {
        self.next().map(make)
    }

    /// The next column, made into a value of the domain unless it is NULL.
    pub(crate) fn maybe<S: Value, T>(
        &mut self,
        make: impl FnOnce(S) -> T,
    ) -> StoreResult<Option<T>> {
        Ok(self.next::<Option<S>>()?.map(make))
    }

    /// The next column, which has to be something that `read` knows.
    pub(crate) fn known<S: Value, T>(
        &mut self,
        read: impl FnOnce(S) -> Option<T>,
    ) -> StoreResult<T> {
        let at = self.next;
        read(self.next()?).ok_or_else(|| odd(at, "something unknown"))
    }

    /// The next column, a UUID.
    pub(crate) fn uuid<T: From<Uuid>>(&mut self) -> StoreResult<T> {
        self.make(|id: Uuid| id.into())
    }
}

fn odd(column: usize, what: &str) -> StoreError {
    StoreError::corrupt(format!("reading a row: column {column} holds {what}"))
}

/// Reads a row of one column.
pub(crate) fn only<T: Value>(columns: &mut Columns<'_>) -> StoreResult<T> {
    columns.next()
}

/// Where a list comes from.
pub(crate) struct List<'a> {
    /// What is read of each row.
    pub(crate) columns: &'a str,
    /// The tables that decide which rows there are; the total is counted over them.
    pub(crate) from: &'a str,
    /// What tells the rows apart.
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
    values: PgArguments,
}

impl Conditions {
    /// Starts with what always holds.
    pub(crate) fn new(always: &str) -> Self {
        Self {
            sql: format!("WHERE {always}"),
            values: PgArguments::default(),
        }
    }

    /// Adds a condition with one `?`, if there is a value for it.
    pub(crate) fn and<'v, V>(&mut self, condition: &str, value: Option<V>) -> StoreResult<()>
    where
        V: Encode<'v, Postgres> + Type<Postgres>,
    {
        if let Some(value) = value {
            let place = self.value(value)?;
            self.sql.push_str(" AND ");
            self.sql.push_str(&condition.replacen('?', &place, 1));
        }
        Ok(())
    }

    /// Adds a value and returns its place.
    fn value<'v, V>(&mut self, value: V) -> StoreResult<String>
    where
        V: Encode<'v, Postgres> + Type<Postgres>,
    {
        Arguments::add(&mut self.values, value).map_err(|_| {
            StoreError::new(StoreErrorKind::Internal, "listing: a value cannot be sent")
        })?;
        Ok(format!("${}", self.values.len()))
    }

    /// The rows of a page, and how many rows there are in all: both of one moment.
    pub(crate) async fn page<T>(
        mut self,
        connection: &mut Connection,
        action: &'static str,
        list: &List<'_>,
        page: PageRequest,
        mut read: impl FnMut(&mut Columns<'_>) -> StoreResult<T>,
    ) -> StoreResult<Page<T>> {
        let List {
            columns,
            from,
            key,
            joined,
            order,
        } = list;
        let conditions = std::mem::take(&mut self.sql);
        let count = format!("SELECT count(*) FROM {from} {conditions}");
        let counted = self.values.clone();
        // Plans are made without the values. How few rows are asked for is in the text, or the
        // planner would reckon with a tenth of all there are.
        let mut part = format!("ORDER BY {order} LIMIT {}", page.limit());
        if page.offset() > 0 {
            let offset = self.value(i64::try_from(page.offset()).unwrap_or(i64::MAX))?;
            part = format!("{part} OFFSET {offset}");
        }
        let columns = format!("({count}), {columns}");
        let list = if joined.is_empty() {
            format!("SELECT {columns} FROM {from} {conditions} {part}")
        } else {
            let keys = format!("SELECT {key} FROM {from} {conditions} {part}");
            format!(
                "SELECT {columns} FROM {from} {joined} WHERE {key} = ANY (ARRAY({keys}))
                 ORDER BY {order}"
            )
        };
        let mut total = None;
        let items = all(connection, action, &list, self.values, |columns| {
            total = Some(columns.next::<i64>()?);
            read(columns)
        })
        .await?;
        let total = match total {
            Some(total) => total,
            // Nothing is on this page: how long the list is stands in no row.
            None => single(connection, action, &count, counted, only).await?,
        };
        Ok(Page {
            items,
            total: u64::try_from(total).unwrap_or(0),
        })
    }
}
