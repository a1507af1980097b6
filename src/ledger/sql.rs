//! Small things every statement needs: instants as text, reasons as two columns.

use crate::domain::{Reason, ReasonCode, Timestamp};
use chrono::SecondsFormat;
use rusqlite::types::{FromSql, Type, ValueRef};
use rusqlite::{Row, RowIndex};

/// When a call of `calls` (under this alias) was: when it began, or, of a row that is a result only, when it was made; when it
/// was first seen says something only where neither is known.
macro_rules! call_at {
    ($calls:literal) => {
        concat!("coalesce(", $calls, ".started_at, ", $calls, ".created_at, ", $calls, ".first_seen_at)")
    };
}
pub(super) use call_at;

/// An instant as the ledger writes it: fixed width, so that texts sort like times.
pub(super) fn time(at: Timestamp) -> String {
    // Ten times as fast as a format of its own, and ten times in an import.
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Reads what [`time`] wrote.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse::<chrono::DateTime<chrono::Utc>>().ok()
}

/// How a column is named: by its name, or by its place where [`Columns`] reads.
pub(super) trait Column: RowIndex + std::fmt::Display + Copy {}
impl<T: RowIndex + std::fmt::Display + Copy> Column for T {}

/// A row's columns from left to right, in the statement's order. For what runs for each contact, or many times a minute:
/// there a tenth of the time went into looking each column up by its name among all the others.
pub(super) struct Columns<'a, 's> {
    row: &'a Row<'s>,
    place: usize,
}

impl<'a, 's> Columns<'a, 's> {
    pub(super) fn of(row: &'a Row<'s>) -> Self {
        Self { row, place: 0 }
    }

    fn place(&mut self) -> usize {
        self.place += 1;
        self.place - 1
    }

    pub(super) fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.row.get(self.place())
    }

    pub(super) fn time(&mut self) -> rusqlite::Result<Timestamp> {
        get_time(self.row, self.place())
    }

    pub(super) fn time_opt(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        get_time_opt(self.row, self.place())
    }

    pub(super) fn reason(&mut self) -> rusqlite::Result<Reason> {
        get_reason(self.row, self.place(), self.place())
    }

    pub(super) fn reason_opt(&mut self) -> rusqlite::Result<Option<Reason>> {
        get_reason_opt(self.row, self.place(), self.place())
    }

    pub(super) fn named<T>(&mut self, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
        get_named(self.row, self.place(), parse)
    }

    pub(super) fn json_opt<T: serde::de::DeserializeOwned>(&mut self) -> rusqlite::Result<Option<T>> {
        let place = self.place();
        match self.row.get_ref(place)? {
            ValueRef::Null => Ok(None),
            _ => get_json(self.row, place).map(Some),
        }
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&mut self) -> rusqlite::Result<T> {
        get_json(self.row, self.place())
    }
}

/// A column that holds an instant.
pub(super) fn get_time(row: &Row<'_>, column: impl Column) -> rusqlite::Result<Timestamp> {
    let text: String = row.get(column)?;
    parse_time(&text).ok_or_else(|| unreadable(column, "an instant"))
}

/// A column that holds an instant or NULL.
pub(super) fn get_time_opt(row: &Row<'_>, column: impl Column) -> rusqlite::Result<Option<Timestamp>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| parse_time(&text).ok_or_else(|| unreadable(column, "an instant"))).transpose()
}

/// Two columns that hold a reason; an unknown code (written by a newer program) is an error.
pub(super) fn get_reason(row: &Row<'_>, code: impl Column, params: impl Column) -> rusqlite::Result<Reason> {
    let code_text: String = row.get(code)?;
    let params_text: String = row.get(params)?;
    Reason::from_stored(&code_text, &params_text).ok_or_else(|| unreadable(code, "a reason code"))
}

/// The same where the code may be NULL.
pub(super) fn get_reason_opt(
    row: &Row<'_>,
    code: impl Column,
    params: impl Column,
) -> rusqlite::Result<Option<Reason>> {
    let present: Option<String> = row.get(code)?;
    present.map(|_| get_reason(row, code, params)).transpose()
}

/// A column with one of our enums' texts.
pub(super) fn get_named<T>(
    row: &Row<'_>,
    column: impl Column,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| unreadable(column, "a known word"))
}

/// A column that holds JSON.
pub(super) fn get_json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: impl Column,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| unreadable(column, "readable JSON"))
}

/// JSON for a column; our own types always serialise.
pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// The code column of a reason.
pub(super) fn code(reason: &Reason) -> &'static str {
    ReasonCode::as_str(reason.code)
}

fn unreadable(column: impl Column, expected: &str) -> rusqlite::Error {
    let text = format!("column {column} does not hold {expected}");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, text.into())
}
