//! Reading the columns of a row by name, whatever width the server chose for a number.

use tiberius::{ColumnData, Row};

/// Why a row could not be read. It names the column, never the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misread(pub(crate) String);

/// A text; NULL is `None`.
pub(crate) fn text<'a>(row: &'a Row, column: &str) -> Result<Option<&'a str>, Misread> {
    match cell(row, column)? {
        ColumnData::String(value) => Ok(value.as_deref()),
        other if is_null(other) => Ok(None),
        _ => Err(odd(column, "a text")),
    }
}

/// A text that must be there.
pub(crate) fn needed<'a>(row: &'a Row, column: &str) -> Result<&'a str, Misread> {
    text(row, column)?.ok_or_else(|| odd(column, "a text"))
}

/// A whole number or a bit; NULL is `None`.
pub(crate) fn number(row: &Row, column: &str) -> Result<Option<i64>, Misread> {
    match cell(row, column)? {
        ColumnData::U8(value) => Ok(value.map(i64::from)),
        ColumnData::I16(value) => Ok(value.map(i64::from)),
        ColumnData::I32(value) => Ok(value.map(i64::from)),
        ColumnData::I64(value) => Ok(*value),
        ColumnData::Bit(value) => Ok(value.map(i64::from)),
        other if is_null(other) => Ok(None),
        _ => Err(odd(column, "a number")),
    }
}

/// Whether a number is 1; NULL, which the permission functions give for what they do not know, is
/// no.
pub(crate) fn is_one(row: &Row, column: &str) -> Result<bool, Misread> {
    Ok(number(row, column)? == Some(1))
}

/// Bytes; NULL is `None`.
pub(crate) fn bytes(row: &Row, column: &str) -> Result<Option<Vec<u8>>, Misread> {
    match cell(row, column)? {
        ColumnData::Binary(value) => Ok(value.as_deref().map(<[u8]>::to_vec)),
        other if is_null(other) => Ok(None),
        _ => Err(odd(column, "bytes")),
    }
}

fn cell<'a>(row: &'a Row, column: &str) -> Result<&'a ColumnData<'static>, Misread> {
    row.get_column_data(column)
        .map_err(|_| Misread(format!("there is no column “{column}”")))
}

/// A NULL of one of the types that catalogue views use: NULL reads alike whatever its type.
fn is_null(data: &ColumnData<'static>) -> bool {
    matches!(
        data,
        ColumnData::U8(None)
            | ColumnData::I16(None)
            | ColumnData::I32(None)
            | ColumnData::I64(None)
            | ColumnData::Bit(None)
            | ColumnData::String(None)
            | ColumnData::Binary(None)
    )
}

fn odd(column: &str, wanted: &str) -> Misread {
    Misread(format!("the column “{column}” is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use tiberius::ColumnType;

    use super::*;

    fn row(data: ColumnData<'static>) -> Row {
        Row::builder().column("x", ColumnType::Null, data).build()
    }

    #[test]
    fn every_width_of_number_reads_alike() {
        for data in [
            ColumnData::U8(Some(1)),
            ColumnData::I16(Some(1)),
            ColumnData::I32(Some(1)),
            ColumnData::I64(Some(1)),
            ColumnData::Bit(Some(true)),
        ] {
            assert_eq!(number(&row(data), "x"), Ok(Some(1)));
        }
        assert_eq!(is_one(&row(ColumnData::I32(None)), "x"), Ok(false));
    }

    #[test]
    fn null_is_nothing_and_another_type_is_an_error_without_the_value() {
        assert_eq!(text(&row(ColumnData::I32(None)), "x"), Ok(None));
        let secret = row(ColumnData::String(Some("canary".into())));
        let error = number(&secret, "x").unwrap_err();
        assert_eq!(error.0, "the column “x” is not a number");
        assert!(bytes(&secret, "y").is_err());
    }
}
