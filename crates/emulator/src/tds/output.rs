//! Types and values of results.

use rusqlite::types::Value;

use super::tokens::{Answer, COLLATION};
use crate::sql::{ColumnType, DATETIME_DAYS, Moment, ResultSet, TICKS, clock_bytes, guid_to_sid};

/// The longest text, in UTF-16 units, and binary that are not sent in chunks.
const LONGEST_TEXT: usize = 4000;
const LONGEST_BINARY: usize = 8000;

/// The type of a column with room for what is in it.
pub fn widest(result: &ResultSet, at: usize) -> ColumnType {
    let values = || result.rows.iter().filter_map(|row| row.get(at));
    match result.columns[at].ty {
        ColumnType::Text(Some(length)) => ColumnType::Text(widen(values(), length, LONGEST_TEXT)),
        ColumnType::Binary(Some(length)) => {
            ColumnType::Binary(widen(values(), length, LONGEST_BINARY))
        }
        ColumnType::VarChar(Some(length)) => {
            ColumnType::VarChar(widen(values(), length, LONGEST_BINARY))
        }
        ty => ty,
    }
}

/// The declared length or that of the longest value; `None` when it is more than fits without
/// chunks.
fn widen<'a>(values: impl Iterator<Item = &'a Value>, declared: u16, most: usize) -> Option<u16> {
    let length = |value: &Value| match value {
        Value::Text(text) => text.encode_utf16().count(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    };
    let needed = values.map(length).max().unwrap_or(0).max(declared.into());
    u16::try_from(needed)
        .ok()
        .filter(|n| usize::from(*n) <= most)
}

/// TYPE_INFO.
pub fn type_info(answer: &mut Answer, ty: ColumnType) {
    let sized = |answer: &mut Answer, code: u8, bytes: u16| {
        answer.bytes.push(code);
        answer.u16(bytes);
    };
    match ty {
        ColumnType::Bit => answer.bytes.extend_from_slice(&[0x68, 1]),
        ColumnType::TinyInt => answer.bytes.extend_from_slice(&[0x26, 1]),
        ColumnType::SmallInt => answer.bytes.extend_from_slice(&[0x26, 2]),
        ColumnType::Int => answer.bytes.extend_from_slice(&[0x26, 4]),
        ColumnType::BigInt => answer.bytes.extend_from_slice(&[0x26, 8]),
        ColumnType::Float => answer.bytes.extend_from_slice(&[0x6D, 8]),
        ColumnType::Real => answer.bytes.extend_from_slice(&[0x6D, 4]),
        ColumnType::Money => answer.bytes.extend_from_slice(&[0x6E, 8]),
        ColumnType::SmallMoney => answer.bytes.extend_from_slice(&[0x6E, 4]),
        ColumnType::Decimal { precision, scale } => {
            answer
                .bytes
                .extend_from_slice(&[0x6A, 17, precision, scale]);
        }
        ColumnType::Text(length) => {
            let bytes = length.map_or(0xFFFF, |n| n.clamp(1, LONGEST_TEXT as u16) * 2);
            sized(answer, 0xE7, bytes);
            answer.bytes.extend_from_slice(&COLLATION);
        }
        ColumnType::Char(length) => {
            sized(answer, 0xEF, length.clamp(1, LONGEST_TEXT as u16) * 2);
            answer.bytes.extend_from_slice(&COLLATION);
        }
        ColumnType::Binary(length) => {
            sized(
                answer,
                0xA5,
                length.map_or(0xFFFF, |n| n.clamp(1, LONGEST_BINARY as u16)),
            );
        }
        ColumnType::VarChar(length) => {
            let bytes = length.map_or(0xFFFF, |n| n.clamp(1, LONGEST_BINARY as u16));
            sized(answer, 0xA7, bytes);
            answer.bytes.extend_from_slice(&COLLATION);
        }
        ColumnType::FixedBinary(length) => {
            sized(answer, 0xAD, length.clamp(1, LONGEST_BINARY as u16));
        }
        ColumnType::DateTime => answer.bytes.extend_from_slice(&[0x6F, 8]),
        ColumnType::SmallDateTime => answer.bytes.extend_from_slice(&[0x6F, 4]),
        ColumnType::DateTime2(digits) => answer.bytes.extend_from_slice(&[0x2A, digits]),
        ColumnType::DateTimeOffset(digits) => answer.bytes.extend_from_slice(&[0x2B, digits]),
        ColumnType::Time(digits) => answer.bytes.extend_from_slice(&[0x29, digits]),
        ColumnType::Date => answer.bytes.push(0x28),
        ColumnType::Guid => answer.bytes.extend_from_slice(&[0x24, 16]),
    }
}

/// A value of this type; one that does not fit is sent as NULL.
pub fn value(answer: &mut Answer, ty: ColumnType, value: &Value) {
    match (ty, value) {
        (ColumnType::Text(Some(_)) | ColumnType::Char(_), Value::Text(text)) => {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            answer.u16(bytes.len() as u16);
            answer.bytes.extend_from_slice(&bytes);
        }
        (ColumnType::Text(None), Value::Text(text)) => {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            chunk(answer, &bytes);
        }
        (ColumnType::VarChar(Some(_)), Value::Text(text)) => {
            let bytes = latin(text);
            answer.u16(bytes.len() as u16);
            answer.bytes.extend_from_slice(&bytes);
        }
        (ColumnType::VarChar(None), Value::Text(text)) => chunk(answer, &latin(text)),
        (ColumnType::Binary(Some(_)) | ColumnType::FixedBinary(_), Value::Blob(bytes)) => {
            answer.u16(bytes.len() as u16);
            answer.bytes.extend_from_slice(bytes);
        }
        (ColumnType::Binary(None), Value::Blob(bytes)) => chunk(answer, bytes),
        (ColumnType::Text(None) | ColumnType::VarChar(None) | ColumnType::Binary(None), _) => {
            answer.bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        }
        (
            ColumnType::Text(_)
            | ColumnType::VarChar(_)
            | ColumnType::Char(_)
            | ColumnType::Binary(_)
            | ColumnType::FixedBinary(_),
            _,
        ) => answer.u16(0xFFFF),
        (ty, value) => {
            let bytes = short(ty, value).unwrap_or_default();
            answer.bytes.push(bytes.len() as u8);
            answer.bytes.extend_from_slice(&bytes);
        }
    }
}

/// Text in the code page of the collation, 1252; what that has not becomes `?`.
fn latin(text: &str) -> Vec<u8> {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let byte = |c: char| match u32::from(c) {
        code @ (0..=0x7F | 0xA0..=0xFF) => code as u8,
        _ => HIGH
            .chars()
            .position(|high| high == c)
            .map_or(b'?', |at| 0x80 + at as u8),
    };
    text.chars().map(byte).collect()
}

/// A value in one chunk.
fn chunk(answer: &mut Answer, bytes: &[u8]) {
    answer
        .bytes
        .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    if !bytes.is_empty() {
        answer.u32(bytes.len() as u32);
        answer.bytes.extend_from_slice(bytes);
    }
    answer.u32(0);
}

/// The bytes of a value whose type has a one-byte length.
fn short(ty: ColumnType, value: &Value) -> Option<Vec<u8>> {
    let integer = || match value {
        Value::Integer(n) => Some(*n),
        Value::Real(r) => Some(*r as i64),
        _ => None,
    };
    let real = || match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Real(r) => Some(*r),
        _ => None,
    };
    let moment = || match value {
        Value::Text(text) => Moment::parse(text),
        _ => None,
    };
    Some(match ty {
        ColumnType::Bit => vec![u8::from(integer()? != 0)],
        ColumnType::TinyInt => vec![integer()? as u8],
        ColumnType::SmallInt => (integer()? as i16).to_le_bytes().to_vec(),
        ColumnType::Int => (integer()? as i32).to_le_bytes().to_vec(),
        ColumnType::BigInt => integer()?.to_le_bytes().to_vec(),
        ColumnType::Float => real()?.to_le_bytes().to_vec(),
        ColumnType::Real => (real()? as f32).to_le_bytes().to_vec(),
        // The high half comes first.
        ColumnType::Money => {
            let whole = i64::try_from(scaled(value, 4)?).ok()?;
            let (high, low) = ((whole >> 32) as i32, whole as u32);
            [high.to_le_bytes(), low.to_le_bytes()].concat()
        }
        ColumnType::SmallMoney => {
            let whole = i32::try_from(scaled(value, 4)?).ok()?;
            whole.to_le_bytes().to_vec()
        }
        ColumnType::Decimal { scale, .. } => {
            let whole = scaled(value, scale)?;
            let mut bytes = vec![u8::from(whole >= 0)];
            bytes.extend_from_slice(&whole.unsigned_abs().to_le_bytes());
            bytes
        }
        ColumnType::DateTime => {
            let moment = moment()?;
            let mut bytes = ((moment.days - DATETIME_DAYS) as i32)
                .to_le_bytes()
                .to_vec();
            let thirds = (moment.ticks * 300 + TICKS / 2) / TICKS;
            bytes.extend_from_slice(&(thirds as u32).to_le_bytes());
            bytes
        }
        ColumnType::SmallDateTime => {
            let moment = moment()?;
            let days = u16::try_from(moment.days - DATETIME_DAYS).ok()?;
            let minutes = (moment.ticks / (60 * TICKS)) as u16;
            [days.to_le_bytes(), minutes.to_le_bytes()].concat()
        }
        ColumnType::DateTime2(digits) => {
            let moment = moment()?.rounded(digits.into());
            let mut bytes = clock(moment, digits);
            bytes.extend_from_slice(&moment.days.to_le_bytes()[..3]);
            bytes
        }
        ColumnType::DateTimeOffset(digits) => {
            let Value::Text(text) = value else {
                return None;
            };
            let (local, offset) = Moment::parse_with_offset(text)?;
            // The wire has the time in UTC.
            let utc = local.rounded(digits.into()).plus_seconds(-offset * 60)?;
            let mut bytes = clock(utc, digits);
            bytes.extend_from_slice(&utc.days.to_le_bytes()[..3]);
            bytes.extend_from_slice(&(offset as i16).to_le_bytes());
            bytes
        }
        ColumnType::Time(digits) => clock(moment()?.rounded(digits.into()), digits),
        ColumnType::Date => moment()?.days.to_le_bytes()[..3].to_vec(),
        ColumnType::Guid => match value {
            Value::Text(text) => guid_to_sid(text)?.to_vec(),
            _ => return None,
        },
        ColumnType::Text(_)
        | ColumnType::VarChar(_)
        | ColumnType::Char(_)
        | ColumnType::Binary(_)
        | ColumnType::FixedBinary(_) => return None,
    })
}

/// A number in units of its last digit. The storage has binary fractions, of which the shortest
/// decimal one that reads as the same is what was meant.
fn scaled(value: &Value, scale: u8) -> Option<i128> {
    let text = match value {
        Value::Integer(n) => n.to_string(),
        Value::Real(r) if r.is_finite() => r.to_string(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let scale = usize::from(scale);
    let digits = format!("{fraction:0<scale$}0");
    let (kept, rest) = digits.split_at(scale);
    let magnitude: i128 = format!("{}{kept}", whole.trim_start_matches('-'))
        .parse()
        .ok()?;
    let magnitude = magnitude + i128::from(rest.starts_with(['5', '6', '7', '8', '9']));
    Some(if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    })
}

/// The time of day in units of its last digit.
fn clock(moment: Moment, digits: u8) -> Vec<u8> {
    let digits = digits.min(7);
    let units = moment.ticks / 10_i64.pow(7 - u32::from(digits));
    units.to_le_bytes()[..usize::from(clock_bytes(digits))].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_the_code_page_has_not_becomes_a_question_mark() {
        assert_eq!(latin("a€ž日"), [b'a', 0x80, 0x9E, b'?']);
    }

    #[test]
    fn decimals_are_the_ones_that_were_meant() {
        assert_eq!(
            scaled(&Value::Real(12345678901.2345), 8),
            Some(1_234_567_890_123_450_000)
        );
        assert_eq!(scaled(&Value::Real(-0.05), 1), Some(-1));
        assert_eq!(scaled(&Value::Real(1e-7), 4), Some(0));
        assert_eq!(scaled(&Value::Integer(7), 2), Some(700));
        assert_eq!(scaled(&Value::Real(1e300), 2), None);
    }

    #[test]
    fn a_time_with_an_offset_goes_over_the_wire_in_utc() {
        let local = Value::Text("2024-02-29 23:59:58 -05:30".into());
        let bytes = short(ColumnType::DateTimeOffset(0), &local).unwrap();
        let seconds = (5 * 60 + 29) * 60 + 58_u32;
        let days = Moment::parse("2024-03-01").unwrap().days as u32;
        let mut wanted = seconds.to_le_bytes()[..3].to_vec();
        wanted.extend_from_slice(&days.to_le_bytes()[..3]);
        wanted.extend_from_slice(&(-330_i16).to_le_bytes());
        assert_eq!(bytes, wanted);
    }
}
