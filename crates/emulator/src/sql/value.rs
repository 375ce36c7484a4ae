//! Values and their types, as T-SQL sees them and as the storage keeps them.

use rusqlite::types::Value;

use super::error::SqlError;
use super::time::Moment;

/// The type of a column, parameter or variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Real,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Money,
    SmallMoney,
    /// `nvarchar` with its length; `None` is `max`.
    Text(Option<u16>),
    /// `varchar`, likewise.
    VarChar(Option<u16>),
    /// `nchar(n)`, and `char(n)` too: padded with blanks.
    Char(u16),
    Binary(Option<u16>),
    /// `binary(n)`: filled up with zeros.
    FixedBinary(u16),
    DateTime,
    SmallDateTime,
    /// With the digits of its fraction, as the next two.
    DateTime2(u8),
    DateTimeOffset(u8),
    Time(u8),
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
        let digits = args.first().map_or(7, |n| (*n).clamp(0, 7) as u8);
        Some(match name.to_ascii_lowercase().as_str() {
            "bit" => Self::Bit,
            "tinyint" => Self::TinyInt,
            "smallint" => Self::SmallInt,
            "int" | "integer" => Self::Int,
            "bigint" | "rowversion" | "timestamp" => Self::BigInt,
            "float" => match args.first() {
                Some(1..=24) => Self::Real,
                _ => Self::Float,
            },
            "real" => Self::Real,
            "decimal" | "numeric" => Self::Decimal {
                precision: args.first().map_or(18, |n| *n as u8).clamp(1, 38),
                scale: args.get(1).map_or(0, |n| *n as u8),
            },
            "money" => Self::Money,
            "smallmoney" => Self::SmallMoney,
            "nvarchar" => Self::Text(length(30)),
            "varchar" => Self::VarChar(length(30)),
            "sysname" => Self::Text(Some(128)),
            "text" | "ntext" | "xml" | "sql_variant" => Self::Text(None),
            "char" | "nchar" => Self::Char(length(1).unwrap_or(1)),
            "varbinary" => Self::Binary(length(30)),
            "binary" => Self::FixedBinary(length(30).unwrap_or(30)),
            "image" => Self::Binary(None),
            "datetime" => Self::DateTime,
            "smalldatetime" => Self::SmallDateTime,
            "datetime2" => Self::DateTime2(digits),
            "datetimeoffset" => Self::DateTimeOffset(digits),
            "date" => Self::Date,
            "time" => Self::Time(digits),
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
            Self::Real => "REAL".into(),
            Self::Money => "MONEY".into(),
            Self::SmallMoney => "SMALLMONEY".into(),
            Self::Decimal { precision, scale } => format!("DECIMAL({precision},{scale})"),
            Self::Text(None) => "NVARCHAR(-1)".into(),
            Self::Text(Some(length)) => format!("NVARCHAR({length})"),
            Self::VarChar(None) => "VARCHAR(-1)".into(),
            Self::VarChar(Some(length)) => format!("VARCHAR({length})"),
            Self::Char(length) => format!("NCHAR({length})"),
            Self::Binary(None) => "VARBINARY(-1)".into(),
            Self::Binary(Some(length)) => format!("VARBINARY({length})"),
            Self::FixedBinary(length) => format!("BINARY({length})"),
            Self::DateTime => "DATETIME".into(),
            Self::SmallDateTime => "SMALLDATETIME".into(),
            Self::DateTime2(digits) => format!("DATETIME2({digits})"),
            Self::DateTimeOffset(digits) => format!("DATETIMEOFFSET({digits})"),
            Self::Time(digits) => format!("TIME({digits})"),
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
            Self::Real => "real",
            Self::Money => "money",
            Self::SmallMoney => "smallmoney",
            Self::Decimal { .. } => "decimal",
            Self::Text(_) => "nvarchar",
            Self::VarChar(_) => "varchar",
            Self::Char(_) => "nchar",
            Self::Binary(_) => "varbinary",
            Self::FixedBinary(_) => "binary",
            Self::DateTime => "datetime",
            Self::SmallDateTime => "smalldatetime",
            Self::DateTime2(_) => "datetime2",
            Self::DateTimeOffset(_) => "datetimeoffset",
            Self::Time(_) => "time",
            Self::Date => "date",
            Self::Guid => "uniqueidentifier",
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(
            self,
            Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt
        )
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text(_) | Self::VarChar(_) | Self::Char(_))
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
        ColumnType::Float
        | ColumnType::Real
        | ColumnType::Decimal { .. }
        | ColumnType::Money
        | ColumnType::SmallMoney => to_real(value, to),
        ColumnType::Text(length) | ColumnType::VarChar(length) => {
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
        ColumnType::FixedBinary(length) => {
            let mut bytes = to_bytes(&value, style)?;
            bytes.resize(length.into(), 0);
            Ok(Value::Blob(bytes))
        }
        ColumnType::DateTime
        | ColumnType::SmallDateTime
        | ColumnType::DateTime2(_)
        | ColumnType::DateTimeOffset(_)
        | ColumnType::Time(_)
        | ColumnType::Date => to_date(&to_text(&value, 0), to).map(Value::Text),
        ColumnType::Guid => to_guid(&value),
    }
}

/// A date or a time as the storage keeps it: no more digits of the fraction than the type has, and
/// none that are all zeros unless the text had a fraction.
fn to_date(text: &str, to: ColumnType) -> Result<String, SqlError> {
    let failed = || {
        let message = "Conversion failed when converting date and/or time from character string.";
        SqlError::new(241, 16, message)
    };
    let (moment, offset) = Moment::parse_with_offset(text).ok_or_else(failed)?;
    let fraction = |digits: u8| usize::from(if text.contains('.') { digits } else { 0 });
    Ok(match to {
        ColumnType::Date => moment.to_text(0)[..10].to_owned(),
        ColumnType::SmallDateTime => moment.to_minute().to_text(0),
        ColumnType::Time(digits) => {
            let digits = fraction(digits);
            moment.rounded(digits).to_text(digits)[11..].to_owned()
        }
        ColumnType::DateTime2(digits) => {
            let digits = fraction(digits);
            moment.rounded(digits).to_text(digits)
        }
        ColumnType::DateTimeOffset(digits) => {
            let digits = fraction(digits);
            let local = moment.rounded(digits).to_text(digits);
            let sign = if offset < 0 { '-' } else { '+' };
            let minutes = offset.abs();
            format!("{local} {sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
        _ => moment.to_text(fraction(7)),
    })
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
    let to = match to {
        ColumnType::Money | ColumnType::SmallMoney => ColumnType::Decimal {
            precision: 19,
            scale: 4,
        },
        to => to,
    };
    Ok(Value::Real(match to {
        ColumnType::Decimal { scale, .. } => {
            let factor = 10_f64.powi(scale.into());
            (real * factor).round() / factor
        }
        ColumnType::Real => f64::from(real as f32),
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
    fn dates_keep_the_digits_and_the_offset_of_their_type() {
        let cast = |text: &str, ty| match cast(Value::Text(text.into()), ty, 0).unwrap() {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        };
        let late = "2024-02-29T23:59:58.126 -05:30";
        assert_eq!(
            cast(late, ColumnType::DateTimeOffset(2)),
            "2024-02-29 23:59:58.13 -05:30"
        );
        assert_eq!(cast(late, ColumnType::Time(7)), "23:59:58.1260000");
        assert_eq!(cast(late, ColumnType::SmallDateTime), "2024-03-01 00:00:00");
        assert_eq!(cast("01:02", ColumnType::Time(0)), "01:02:00");
    }

    #[test]
    fn declarations_are_read_back() {
        for ty in [
            ColumnType::VarChar(None),
            ColumnType::FixedBinary(3),
            ColumnType::DateTimeOffset(2),
            ColumnType::Time(0),
            ColumnType::SmallMoney,
        ] {
            assert_eq!(ColumnType::from_declaration(&ty.declaration()), Some(ty));
        }
    }

    #[test]
    fn text_that_is_no_number_is_error_245() {
        let error = cast(Value::Text("abc".into()), ColumnType::Int, 0).unwrap_err();
        assert_eq!(error.number, 245);
    }
}
