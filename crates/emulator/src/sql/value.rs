//! Values and their types, as T-SQL sees them and as the storage keeps them.

use rusqlite::types::Value;

use super::error::SqlError;
use super::time::Moment;

/// The type of a column, parameter or variable. Character types are all Unicode here: what they
/// differ in never shows on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Decimal {
        precision: u8,
        scale: u8,
    },
    /// With its length; `None` is `max`.
    Text(Option<u16>),
    /// `char(n)` and `nchar(n)`: padded with blanks.
    Char(u16),
    Binary(Option<u16>),
    DateTime,
    DateTime2,
    Date,
    Guid,
}

impl ColumnType {
    /// The type named so, with the numbers in its parentheses (-1 for `max`).
    pub fn parse(name: &str, args: &[i64]) -> Option<Self> {
        let length = |default: i64| match args.first().copied().unwrap_or(default) {
            -1 => None,
            n => u16::try_from(n).ok(),
        };
        Some(match name.to_ascii_lowercase().as_str() {
            "bit" => Self::Bit,
            "tinyint" => Self::TinyInt,
            "smallint" => Self::SmallInt,
            "int" | "integer" => Self::Int,
            "bigint" | "rowversion" | "timestamp" => Self::BigInt,
            "float" | "real" => Self::Float,
            "decimal" | "numeric" => Self::Decimal {
                precision: args.first().map_or(18, |n| *n as u8).clamp(1, 38),
                scale: args.get(1).map_or(0, |n| *n as u8),
            },
            "money" => Self::Decimal {
                precision: 19,
                scale: 4,
            },
            "smallmoney" => Self::Decimal {
                precision: 10,
                scale: 4,
            },
            "nvarchar" | "varchar" => Self::Text(length(30)),
            "sysname" => Self::Text(Some(128)),
            "text" | "ntext" | "xml" | "sql_variant" => Self::Text(None),
            "char" | "nchar" => Self::Char(length(1).unwrap_or(1)),
            "varbinary" | "binary" => Self::Binary(length(30)),
            "image" => Self::Binary(None),
            "datetime" | "smalldatetime" => Self::DateTime,
            "datetime2" | "datetimeoffset" => Self::DateTime2,
            "date" => Self::Date,
            "time" => Self::Text(Some(16)),
            "uniqueidentifier" => Self::Guid,
            _ => return None,
        })
    }

    /// Reads a type as `declaration` writes it.
    pub fn from_declaration(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let args: Vec<i64> = rest
            .trim_end_matches(')')
            .split(',')
            .filter_map(|n| n.trim().parse().ok())
            .collect();
        Self::parse(name.trim(), &args)
    }

    /// The type in the storage's own table definitions, from which results get theirs back.
    pub fn declaration(self) -> String {
        match self {
            Self::Bit => "BIT".into(),
            Self::TinyInt => "TINYINT".into(),
            Self::SmallInt => "SMALLINT".into(),
            Self::Int => "INT".into(),
            Self::BigInt => "BIGINT".into(),
            Self::Float => "FLOAT".into(),
            Self::Decimal { precision, scale } => format!("DECIMAL({precision},{scale})"),
            Self::Text(None) => "NVARCHAR(-1)".into(),
            Self::Text(Some(length)) => format!("NVARCHAR({length})"),
            Self::Char(length) => format!("NCHAR({length})"),
            Self::Binary(None) => "VARBINARY(-1)".into(),
            Self::Binary(Some(length)) => format!("VARBINARY({length})"),
            Self::DateTime => "DATETIME".into(),
            Self::DateTime2 => "DATETIME2".into(),
            Self::Date => "DATE".into(),
            Self::Guid => "UNIQUEIDENTIFIER".into(),
        }
    }

    /// The T-SQL name without lengths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Float => "float",
            Self::Decimal { .. } => "decimal",
            Self::Text(_) => "nvarchar",
            Self::Char(_) => "nchar",
            Self::Binary(_) => "varbinary",
            Self::DateTime => "datetime",
            Self::DateTime2 => "datetime2",
            Self::Date => "date",
            Self::Guid => "uniqueidentifier",
        }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text(_) | Self::Char(_))
    }

    /// Compared without case: character types, and identifiers that are kept as text.
    pub fn needs_collation(self) -> bool {
        self.is_text() || self == Self::Guid
    }
}

/// Converts as CAST and CONVERT do. `style` matters for binary (1: `0x…`, 2: hex) and for dates
/// (126 and 127: ISO with a `T`).
pub fn cast(value: Value, to: ColumnType, style: i64) -> Result<Value, SqlError> {
    if value == Value::Null {
        return Ok(value);
    }
    match to {
        ColumnType::Bit => to_integer(&value, to).map(|n| Value::Integer(i64::from(n != 0))),
        ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt => {
            to_integer(&value, to).map(Value::Integer)
        }
        ColumnType::Float | ColumnType::Decimal { .. } => to_real(value, to),
        ColumnType::Text(length) => {
            let mut text = to_text(&value, style);
            if let Some(length) = length {
                text = text.chars().take(length.into()).collect();
            }
            Ok(Value::Text(text))
        }
        ColumnType::Char(length) => {
            let length = usize::from(length);
            let text: String = to_text(&value, style).chars().take(length).collect();
            Ok(Value::Text(format!("{text:<length$}")))
        }
        ColumnType::Binary(length) => {
            let mut bytes = to_bytes(&value, style)?;
            if let Some(length) = length {
                bytes.truncate(length.into());
            }
            Ok(Value::Blob(bytes))
        }
        ColumnType::DateTime | ColumnType::DateTime2 | ColumnType::Date => {
            let text = to_text(&value, 0);
            let moment = Moment::parse(&text).ok_or_else(|| {
                let message = "Conversion failed when converting date and/or time from character \
                               string.";
                SqlError::new(241, 16, message)
            })?;
            let digits = if text.contains('.') { 7 } else { 0 };
            let text = moment.to_text(digits);
            Ok(Value::Text(if to == ColumnType::Date {
                text[..10].to_owned()
            } else {
                text
            }))
        }
        ColumnType::Guid => to_guid(&value),
    }
}

fn conversion_failed(text: &str, to: ColumnType) -> SqlError {
    let to = to.name();
    SqlError::new(
        245,
        16,
        format!("Conversion failed when converting the nvarchar value '{text}' to data type {to}."),
    )
}

fn to_integer(value: &Value, to: ColumnType) -> Result<i64, SqlError> {
    match value {
        Value::Integer(n) => Ok(*n),
        Value::Real(r) => Ok(r.trunc() as i64),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "" => Ok(0),
            "true" if to == ColumnType::Bit => Ok(1),
            "false" if to == ColumnType::Bit => Ok(0),
            digits => digits.parse().map_err(|_| conversion_failed(text, to)),
        },
        Value::Blob(bytes) => Ok(bytes
            .iter()
            .rev()
            .take(8)
            .rev()
            .fold(0_i64, |n, b| (n << 8) | i64::from(*b))),
        Value::Null => Ok(0),
    }
}

fn to_real(value: Value, to: ColumnType) -> Result<Value, SqlError> {
    let real = match &value {
        Value::Integer(n) => *n as f64,
        Value::Real(r) => *r,
        Value::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| conversion_failed(text, to))?,
        _ => return Err(conversion_failed("", to)),
    };
    Ok(Value::Real(match to {
        ColumnType::Decimal { scale, .. } => {
            let factor = 10_f64.powi(scale.into());
            (real * factor).round() / factor
        }
        _ => real,
    }))
}

/// The text of a value, as an implicit conversion makes it.
pub fn to_text(value: &Value, style: i64) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(n) => n.to_string(),
        Value::Real(r) => r.to_string(),
        Value::Text(text) if matches!(style, 126 | 127) => match Moment::parse(text) {
            Some(_) => text.replacen(' ', "T", 1) + if style == 127 { "Z" } else { "" },
            None => text.clone(),
        },
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => match style {
            1 => format!("0x{}", hex(bytes)),
            2 => hex(bytes),
            // Style 0 reads the bytes as characters.
            _ => {
                let units: Vec<u16> = bytes
                    .chunks_exact(2)
                    .map(|b| u16::from_le_bytes([b[0], b[1]]))
                    .collect();
                String::from_utf16_lossy(&units)
            }
        },
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

/// A text that is an identifier's turns into its 16 bytes: the storage keeps identifiers as text,
/// and nobody wants the UTF-16 of one. Other text turns into UTF-16, as for `nvarchar`.
fn to_bytes(value: &Value, style: i64) -> Result<Vec<u8>, SqlError> {
    Ok(match value {
        Value::Blob(bytes) => bytes.clone(),
        Value::Integer(n) => (*n as i32).to_be_bytes().to_vec(),
        Value::Text(text) if matches!(style, 1 | 2) => {
            let digits = if style == 1 {
                text.trim_start_matches("0x")
            } else {
                text
            };
            unhex(digits).ok_or_else(|| {
                let message = format!("Error converting data type varchar to varbinary: '{text}'.");
                SqlError::new(8114, 16, message)
            })?
        }
        Value::Text(text) => match guid_to_sid(text) {
            Some(sid) => sid.to_vec(),
            None => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        },
        Value::Real(_) | Value::Null => {
            return Err(SqlError::new(
                529,
                16,
                "Explicit conversion to varbinary is not allowed.",
            ));
        }
    })
}

fn to_guid(value: &Value) -> Result<Value, SqlError> {
    let failed = || {
        let message = "Conversion failed when converting from a character string to \
                       uniqueidentifier.";
        SqlError::new(8169, 16, message)
    };
    match value {
        Value::Text(text) => {
            let trimmed = text.trim().trim_start_matches('{').trim_end_matches('}');
            guid_to_sid(trimmed).ok_or_else(failed)?;
            Ok(Value::Text(trimmed.to_ascii_uppercase()))
        }
        // Longer binaries are cut, shorter ones filled with zeros, as the service does.
        Value::Blob(bytes) => {
            let mut sid = [0; 16];
            let length = bytes.len().min(16);
            sid[..length].copy_from_slice(&bytes[..length]);
            Ok(Value::Text(sid_to_guid(sid)))
        }
        _ => Err(failed()),
    }
}

/// The 16 bytes that SQL keeps for an identifier: the first three fields are reversed, the last
/// two are not (azure-facts C.3).
pub fn guid_to_sid(guid: &str) -> Option<[u8; 16]> {
    let dashes = guid.len() == 36
        && guid.is_ascii()
        && [8, 13, 18, 23]
            .iter()
            .all(|at| guid.as_bytes()[*at] == b'-');
    let bytes = unhex(&guid.replace('-', "")).filter(|b| dashes && b.len() == 16)?;
    let mut sid = <[u8; 16]>::try_from(bytes).ok()?;
    sid[..4].reverse();
    sid[4..6].reverse();
    sid[6..8].reverse();
    Some(sid)
}

/// The inverse of `guid_to_sid`, in upper case as the server writes it.
pub fn sid_to_guid(mut sid: [u8; 16]) -> String {
    sid[..4].reverse();
    sid[4..6].reverse();
    sid[6..8].reverse();
    let hex = hex(&sid);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_sids_in_mixed_endian_order() {
        let sid = guid_to_sid("00112233-4455-6677-8899-aabbccddeeff").unwrap();
        assert_eq!(hex(&sid), "33221100554477668899AABBCCDDEEFF");
        assert_eq!(sid_to_guid(sid), "00112233-4455-6677-8899-AABBCCDDEEFF");
    }

    #[test]
    fn a_cast_between_identifier_and_binary_goes_both_ways() {
        let guid = Value::Text("00112233-4455-6677-8899-AABBCCDDEEFF".into());
        let bytes = cast(guid.clone(), ColumnType::Binary(Some(16)), 0).unwrap();
        assert_eq!(cast(bytes.clone(), ColumnType::Guid, 0).unwrap(), guid);
        let shown = cast(bytes, ColumnType::Text(None), 1).unwrap();
        assert_eq!(
            shown,
            Value::Text("0x33221100554477668899AABBCCDDEEFF".into())
        );
    }

    #[test]
    fn text_that_is_no_number_is_error_245() {
        let error = cast(Value::Text("abc".into()), ColumnType::Int, 0).unwrap_err();
        assert_eq!(error.number, 245);
    }
}
