//! Types and values of results.

use rusqlite::types::Value;

use super::tokens::{Answer, COLLATION};
use crate::sql::{ColumnType, DATETIME_DAYS, Moment, ResultSet, TICKS, guid_to_sid};

/// The longest text, in UTF-16 units, and binary that are not sent in chunks.
const LONGEST_TEXT: usize = 4000;
const LONGEST_BINARY: usize = 8000;

/// The type of a column with room for what is in it.
pub fn widest(result: &ResultSet, at: usize) -> ColumnType {
    let values = || result.rows.iter().filter_map(|row| row.get(at));
    match result.columns[at].ty {
        ColumnType::Text(Some(length)) => {
            let needed = values()
                .map(|value| match value {
                    Value::Text(text) => text.encode_utf16().count(),
                    _ => 0,
                })
                .max()
                .unwrap_or(0)
                .max(length.into());
            ColumnType::Text(
                u16::try_from(needed)
                    .ok()
                    .filter(|n| usize::from(*n) <= LONGEST_TEXT),
            )
        }
        ColumnType::Binary(Some(length)) => {
            let needed = values()
                .map(|value| match value {
                    Value::Blob(bytes) => bytes.len(),
                    _ => 0,
                })
                .max()
                .unwrap_or(0)
                .max(length.into());
            let fits = |n: &u16| usize::from(*n) <= LONGEST_BINARY;
            ColumnType::Binary(u16::try_from(needed).ok().filter(fits))
        }
        ty => ty,
    }
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
        ColumnType::DateTime => answer.bytes.extend_from_slice(&[0x6F, 8]),
        ColumnType::DateTime2 => answer.bytes.extend_from_slice(&[0x2A, 7]),
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
        (ColumnType::Binary(Some(_)), Value::Blob(bytes)) => {
            answer.u16(bytes.len() as u16);
            answer.bytes.extend_from_slice(bytes);
        }
        (ColumnType::Binary(None), Value::Blob(bytes)) => chunk(answer, bytes),
        (ColumnType::Text(None) | ColumnType::Binary(None), _) => {
            answer.bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        }
        (ColumnType::Text(_) | ColumnType::Char(_) | ColumnType::Binary(_), _) => {
            answer.u16(0xFFFF);
        }
        (ty, value) => {
            let bytes = short(ty, value).unwrap_or_default();
            answer.bytes.push(bytes.len() as u8);
            answer.bytes.extend_from_slice(&bytes);
        }
    }
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
        ColumnType::Decimal { scale, .. } => {
            let whole = match value {
                Value::Integer(n) => i128::from(*n) * 10_i128.pow(scale.into()),
                _ => (real()? * 10_f64.powi(scale.into())).round() as i128,
            };
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
        ColumnType::DateTime2 => {
            let moment = moment()?;
            let mut bytes = moment.ticks.to_le_bytes()[..5].to_vec();
            bytes.extend_from_slice(&moment.days.to_le_bytes()[..3]);
            bytes
        }
        ColumnType::Date => moment()?.days.to_le_bytes()[..3].to_vec(),
        ColumnType::Guid => match value {
            Value::Text(text) => guid_to_sid(text)?.to_vec(),
            _ => return None,
        },
        ColumnType::Text(_) | ColumnType::Char(_) | ColumnType::Binary(_) => return None,
    })
}
