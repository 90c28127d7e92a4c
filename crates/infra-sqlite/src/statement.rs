//! Statements, which are prepared once per connection and whose rows are read by name.

use std::sync::OnceLock;

use rusqlite::types::{FromSql, ToSqlOutput, Value};
use rusqlite::{CachedStatement, Connection, Error, Result, Row, ToSql};

/// The text of a statement, and where its parameters and columns are.
///
/// sqlx checks the text against the schema when this crate is compiled. What sqlx does not see is checked when the statement is
/// prepared for the first time: how many parameters it has, and that the columns are those of the row.
pub(crate) struct Statement {
    sql: &'static str,
    layout: OnceLock<Layout>,
}

#[derive(Debug)]
struct Layout {
    /// The place of each value: `$1` is a name like any other in SQLite, numbered by where it occurs first.
    parameters: Box<[usize]>,
    /// The place of each field of the row.
    columns: Box<[usize]>,
}

/// A row of a result. `row!` implements it.
pub(crate) trait FromRow: Sized + Send + 'static {
    /// The names of the columns, in the order of the fields.
    const COLUMNS: &'static [&'static str];

    /// Reads the row; `places[n]` is the index of the column [`Self::COLUMNS`]`[n]`.
    fn from_row(row: &Row<'_>, places: &[usize]) -> Result<Self>;
}

/// The only column of a row, whatever its name.
pub(crate) struct Scalar<T>(pub(crate) T);

impl<T: FromSql + Send + 'static> FromRow for Scalar<T> {
    const COLUMNS: &'static [&'static str] = &[];

    fn from_row(row: &Row<'_>, _: &[usize]) -> Result<Self> {
        row.get(0).map(Self)
    }
}

impl Statement {
    /// The statement with this text.
    pub(crate) const fn new(sql: &'static str) -> Self {
        Self { sql, layout: OnceLock::new() }
    }

    /// Runs it; how many rows it changed.
    pub(crate) fn execute(&self, connection: &Connection, values: &[impl ToSql]) -> Result<u64> {
        let mut statement = connection.prepare_cached(self.sql)?;
        self.bind(&mut statement, &[], values)?;
        statement.raw_execute().map(|changed| changed as u64)
    }

    /// The first row of its result, if any.
    pub(crate) fn first<R: FromRow>(&self, connection: &Connection, values: &[impl ToSql]) -> Result<Option<R>> {
        let mut statement = connection.prepare_cached(self.sql)?;
        let layout = self.bind(&mut statement, R::COLUMNS, values)?;
        let mut rows = statement.raw_query();
        rows.next()?.map(|row| R::from_row(row, &layout.columns)).transpose()
    }

    /// All rows of its result.
    pub(crate) fn all<R: FromRow>(&self, connection: &Connection, values: &[impl ToSql]) -> Result<Vec<R>> {
        let mut statement = connection.prepare_cached(self.sql)?;
        let layout = self.bind(&mut statement, R::COLUMNS, values)?;
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(R::from_row(row, &layout.columns)?);
        }
        Ok(found)
    }

    fn bind(&self, statement: &mut CachedStatement<'_>, columns: &[&str], values: &[impl ToSql]) -> Result<&Layout> {
        let layout = if let Some(layout) = self.layout.get() {
            layout
        } else {
            let layout = Layout::of(statement, columns, values.len())?;
            self.layout.get_or_init(|| layout)
        };
        if layout.parameters.len() != values.len() {
            return Err(Error::InvalidParameterCount(values.len(), layout.parameters.len()));
        }
        for (place, value) in layout.parameters.iter().zip(values) {
            statement.raw_bind_parameter(*place, value)?;
        }
        Ok(layout)
    }
}

impl Layout {
    fn of(statement: &CachedStatement<'_>, columns: &[&str], values: usize) -> Result<Self> {
        if statement.parameter_count() != values {
            return Err(Error::InvalidParameterCount(values, statement.parameter_count()));
        }
        let parameter = |number: usize| {
            let name = format!("${number}");
            statement.parameter_index(&name)?.ok_or(Error::InvalidParameterName(name))
        };
        let names = statement.column_names();
        let column = |wanted: &&str| {
            let place = names.iter().position(|name| column_name(name) == *wanted);
            place.ok_or_else(|| Error::InvalidColumnName((*wanted).to_owned()))
        };
        Ok(Self {
            parameters: (1..=values).map(parameter).collect::<Result<_>>()?,
            columns: columns.iter().map(column).collect::<Result<_>>()?,
        })
    }
}

/// The name of a column without what it says to sqlx of its type: `"is_ended!: bool"` is `is_ended`.
fn column_name(name: &str) -> &str {
    name.split(['!', '?', ':']).next().unwrap_or(name).trim_end()
}

/// Values that outlive their origin.
pub(crate) fn owned(values: &[impl ToSql]) -> Result<Vec<Value>> {
    let owned = |value: &_| match ToSql::to_sql(value)? {
        ToSqlOutput::Owned(value) => Ok(value),
        ToSqlOutput::Borrowed(value) => {
            value.try_into().map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
        }
        _ => Err(Error::ToSqlConversionFailure("a value that cannot be copied".into())),
    };
    values.iter().map(owned).collect()
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, Error};

    use super::{Scalar, Statement, column_name, owned};
    use crate::sql::row;

    row! {
        /// Two columns.
        struct Pair {
            second: i64,
            first: String,
        }
    }

    fn connection() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn columns_are_found_by_name_and_parameters_by_number() {
        let statement = Statement::new(r#"SELECT $2 AS "first!: String", $1 AS "second""#);
        let connection = connection();
        for n in 0..2 {
            let values = owned(&[&n as &dyn rusqlite::ToSql, &"text"]).unwrap();
            let pair: Pair = statement.first(&connection, &values).unwrap().unwrap();
            assert_eq!((pair.second, pair.first.as_str()), (n, "text"));
        }
        assert_eq!(column_name("is_ended!: bool"), "is_ended");
        assert_eq!(column_name("plain"), "plain");
    }

    #[test]
    fn a_missing_column_and_a_wrong_number_of_values_are_refused() {
        let statement = Statement::new("SELECT $1 AS first, 2 AS other");
        let refused = statement.first::<Pair>(&connection(), &["x"]);
        assert!(matches!(refused, Err(Error::InvalidColumnName(name)) if name == "second"));

        let statement = Statement::new("SELECT $1 + $2");
        let refused = statement.first::<Scalar<i64>>(&connection(), &[1]);
        assert!(matches!(refused, Err(Error::InvalidParameterCount(1, 2))));
        let sum: Option<Scalar<i64>> = statement.first(&connection(), &[1, 2]).unwrap();
        assert_eq!(sum.unwrap().0, 3);
        let refused = statement.first::<Scalar<i64>>(&connection(), &[1, 2, 3]);
        assert!(matches!(refused, Err(Error::InvalidParameterCount(3, 2))));
    }
}
