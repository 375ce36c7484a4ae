//! Reading what a client sends: numbers, names, and parameters with their types.

use rusqlite::types::Value;

use super::login7::utf16;
use crate::sql::{ColumnType, DATETIME_DAYS, Moment, TICKS, sid_to_guid};

/// A cursor over a message; every read answers `None` past the end.
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(head)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A text whose length in characters comes first, in one byte.
    pub fn short_text(&mut self) -> Option<String> {
        let length = usize::from(self.u8()?);
        self.bytes(length * 2).map(utf16)
    }

    /// A value in chunks, as `max` types have it.
    fn chunks(&mut self) -> Option<Option<Vec<u8>>> {
        if self.u64()? == u64::MAX {
            return Some(None);
        }
        let mut whole = Vec::new();
        loop {
            let length = self.u32()? as usize;
            if length == 0 {
                return Some(Some(whole));
            }
            whole.extend_from_slice(self.bytes(length)?);
        }
    }

    /// A parameter's type and value.
    pub fn typed(&mut self) -> Option<(ColumnType, Value)> {
        let code = self.u8()?;
        match code {
            0x1F => Some((ColumnType::Int, Value::Null)),
            // Types of a fixed length.
            0x30 | 0x32 | 0x34 | 0x38 | 0x7F | 0x3B | 0x3E | 0x3C | 0x7A | 0x3D | 0x3A => {
                let length = match code {
                    0x30 | 0x32 => 1,
                    0x34 => 2,
                    0x38 | 0x3B | 0x7A | 0x3A => 4,
                    _ => 8,
                };
                let bytes = self.bytes(length)?;
                let nullable = match code {
                    0x32 => 0x68,
                    0x3B | 0x3E => 0x6D,
                    0x3C | 0x7A => 0x6E,
                    0x3D | 0x3A => 0x6F,
                    _ => 0x26,
                };
                number(nullable, length, bytes)
            }
            0x26 | 0x68 | 0x6D | 0x6E | 0x6F | 0x24 => {
                let declared = usize::from(self.u8()?);
                let length = usize::from(self.u8()?);
                let bytes = self.bytes(length)?;
                number(code, declared, bytes)
            }
            0x6A | 0x6C => self.decimal(),
            0x28..=0x2B => self.date_or_time(code),
            0xE7 | 0xEF | 0xA7 | 0xAF => self.text(code),
            0xA5 | 0xAD => {
                let declared = self.u16()?;
                let bytes = self.sized(declared)?;
                let ty = ColumnType::Binary((declared != 0xFFFF).then_some(declared));
                Some((ty, bytes.map_or(Value::Null, Value::Blob)))
            }
            0x63 | 0x23 | 0x22 => self.long(code),
            0xF1 => {
                self.u8()?;
                let bytes = self.chunks()?;
                let value = bytes.map_or(Value::Null, |bytes| Value::Text(utf16(&bytes)));
                Some((ColumnType::Text(None), value))
            }
            0x62 => self.variant(),
            _ => None,
        }
    }

    /// The bytes of a value whose type has a two-byte length.
    fn sized(&mut self, declared: u16) -> Option<Option<Vec<u8>>> {
        if declared == 0xFFFF {
            return self.chunks();
        }
        match self.u16()? {
            0xFFFF => Some(None),
            length => Some(Some(self.bytes(length.into())?.to_vec())),
        }
    }

    fn text(&mut self, code: u8) -> Option<(ColumnType, Value)> {
        let declared = self.u16()?;
        self.bytes(5)?;
        let bytes = self.sized(declared)?;
        let wide = matches!(code, 0xE7 | 0xEF);
        let value = bytes.map_or(Value::Null, |bytes| Value::Text(characters(&bytes, wide)));
        let length = if wide { declared / 2 } else { declared };
        Some((
            ColumnType::Text((declared != 0xFFFF).then_some(length)),
            value,
        ))
    }

    /// ntext, text, image.
    fn long(&mut self, code: u8) -> Option<(ColumnType, Value)> {
        self.u32()?;
        if code != 0x22 {
            self.bytes(5)?;
        }
        let length = self.u32()?;
        if length == u32::MAX {
            return Some((ColumnType::Text(None), Value::Null));
        }
        let bytes = self.bytes(length as usize)?;
        Some(match code {
            0x22 => (ColumnType::Binary(None), Value::Blob(bytes.to_vec())),
            code => (
                ColumnType::Text(None),
                Value::Text(characters(bytes, code == 0x63)),
            ),
        })
    }

    fn decimal(&mut self) -> Option<(ColumnType, Value)> {
        self.u8()?;
        let (precision, scale) = (self.u8()?, self.u8()?);
        let ty = ColumnType::Decimal { precision, scale };
        let length = usize::from(self.u8()?);
        if length == 0 {
            return Some((ty, Value::Null));
        }
        let bytes = self.bytes(length)?;
        let whole = bytes[1..]
            .iter()
            .rev()
            .fold(0_f64, |n, byte| n * 256.0 + f64::from(*byte));
        let sign = if bytes[0] == 0 { -1.0 } else { 1.0 };
        Some((ty, Value::Real(sign * whole / 10_f64.powi(scale.into()))))
    }

    fn date_or_time(&mut self, code: u8) -> Option<(ColumnType, Value)> {
        let scale = if code == 0x28 { 0 } else { self.u8()?.min(7) };
        let ty = match code {
            0x28 => ColumnType::Date,
            0x29 => ColumnType::Time(scale),
            0x2A => ColumnType::DateTime2(scale),
            _ => ColumnType::DateTimeOffset(scale),
        };
        let length = usize::from(self.u8()?);
        if length == 0 {
            return Some((ty, Value::Null));
        }
        let bytes = self.bytes(length)?;
        let date = if code == 0x29 { 0 } else { 3 };
        let offset = if code == 0x2B { 2 } else { 0 };
        let clock = length.checked_sub(date + offset).filter(|n| *n <= 5)?;
        let little = |part: &[u8]| {
            part.iter()
                .rev()
                .fold(0_i64, |n, b| (n << 8) | i64::from(*b))
        };
        let unit = 10_i64.pow(7 - u32::from(scale));
        let moment = Moment {
            days: little(&bytes[clock..clock + date]),
            ticks: little(&bytes[..clock]).checked_mul(unit)?,
        }
        .checked()?;
        Some((
            ty,
            Value::Text(match code {
                0x28 => moment.to_text(7)[..10].to_owned(),
                0x29 => moment.to_text(7)[11..].to_owned(),
                0x2B => {
                    let minutes = i16::from_le_bytes(bytes[clock + date..].try_into().ok()?);
                    moment.to_text_at(minutes)?
                }
                _ => moment.to_text(7),
            }),
        ))
    }

    fn variant(&mut self) -> Option<(ColumnType, Value)> {
        self.u32()?;
        let length = self.u32()? as usize;
        if length == 0 {
            return Some((ColumnType::Text(None), Value::Null));
        }
        let mut inside = Reader::new(self.bytes(length)?);
        let code = inside.u8()?;
        let properties = usize::from(inside.u8()?);
        inside.bytes(properties)?;
        let rest = inside.bytes;
        Some(match code {
            0xE7 | 0xEF | 0xA7 | 0xAF => {
                let wide = matches!(code, 0xE7 | 0xEF);
                (ColumnType::Text(None), Value::Text(characters(rest, wide)))
            }
            0xA5 | 0xAD => (ColumnType::Binary(None), Value::Blob(rest.to_vec())),
            0x32 => number(0x68, rest.len(), rest)?,
            0x3B | 0x3E => number(0x6D, rest.len(), rest)?,
            0x24 => number(0x24, rest.len(), rest)?,
            0x30 | 0x34 | 0x38 | 0x7F => number(0x26, rest.len(), rest)?,
            _ => return None,
        })
    }
}

/// Single-byte text is UTF-8 for clients that asked for it, and Latin otherwise.
fn characters(bytes: &[u8], wide: bool) -> String {
    if wide {
        return utf16(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// A value of a nullable type with a one-byte length.
fn number(code: u8, declared: usize, bytes: &[u8]) -> Option<(ColumnType, Value)> {
    let ty = match (code, declared) {
        (0x26, 1) => ColumnType::TinyInt,
        (0x26, 2) => ColumnType::SmallInt,
        (0x26, 4) => ColumnType::Int,
        (0x26, _) => ColumnType::BigInt,
        (0x68, _) => ColumnType::Bit,
        (0x6D, 4) => ColumnType::Real,
        (0x6D, _) => ColumnType::Float,
        (0x6E, 4) => ColumnType::SmallMoney,
        (0x6E, _) => ColumnType::Money,
        (0x6F, 4) => ColumnType::SmallDateTime,
        (0x6F, _) => ColumnType::DateTime,
        _ => ColumnType::Guid,
    };
    let value = match (code, bytes.len()) {
        (_, 0) => Value::Null,
        (0x26 | 0x68, 1) => Value::Integer(bytes[0].into()),
        (0x26, 2) => Value::Integer(i16::from_le_bytes(bytes.try_into().ok()?).into()),
        (0x26, 4) => Value::Integer(i32::from_le_bytes(bytes.try_into().ok()?).into()),
        (0x26, 8) => Value::Integer(i64::from_le_bytes(bytes.try_into().ok()?)),
        (0x6D, 4) => Value::Real(f32::from_le_bytes(bytes.try_into().ok()?).into()),
        (0x6D, 8) => Value::Real(f64::from_le_bytes(bytes.try_into().ok()?)),
        (0x6E, 4) => Value::Real(f64::from(i32::from_le_bytes(bytes.try_into().ok()?)) / 1e4),
        (0x6E, 8) => {
            let high = i64::from(i32::from_le_bytes(bytes[..4].try_into().ok()?));
            let low = i64::from(u32::from_le_bytes(bytes[4..].try_into().ok()?));
            Value::Real(((high << 32) | low) as f64 / 1e4)
        }
        (0x6F, 4) => {
            let days = i64::from(u16::from_le_bytes(bytes[..2].try_into().ok()?));
            let minutes = i64::from(u16::from_le_bytes(bytes[2..].try_into().ok()?));
            let moment = Moment {
                days: days + DATETIME_DAYS,
                ticks: minutes * 60 * TICKS,
            }
            .checked()?;
            Value::Text(moment.to_text(0))
        }
        (0x6F, 8) => {
            let days = i64::from(i32::from_le_bytes(bytes[..4].try_into().ok()?));
            let thirds = i64::from(u32::from_le_bytes(bytes[4..].try_into().ok()?));
            let moment = Moment {
                days: days + DATETIME_DAYS,
                ticks: thirds * TICKS / 300,
            }
            .checked()?;
            Value::Text(moment.to_text(3))
        }
        (0x24, 16) => Value::Text(sid_to_guid(bytes.try_into().ok()?)),
        _ => return None,
    };
    Some((ty, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_value_is_refused() {
        assert!(Reader::new(&[0x26, 4, 4, 1, 0]).typed().is_none());
    }

    #[test]
    fn a_time_that_no_day_has_is_refused() {
        // Found by fuzzing: five bytes of the largest time, in units of a second.
        let wire = [0x29, 0, 5, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        assert!(Reader::new(&wire).typed().is_none());
    }

    #[test]
    fn text_in_chunks_is_joined() {
        let mut wire = vec![0xE7, 0xFF, 0xFF, 0, 0, 0, 0, 0];
        wire.extend_from_slice(&u64::MAX.wrapping_sub(1).to_le_bytes());
        for part in ["a", "bc"] {
            let bytes: Vec<u8> = part.encode_utf16().flat_map(u16::to_le_bytes).collect();
            wire.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            wire.extend_from_slice(&bytes);
        }
        wire.extend_from_slice(&0_u32.to_le_bytes());
        let (_, value) = Reader::new(&wire).typed().unwrap();
        assert_eq!(value, Value::Text("abc".into()));
    }
}
