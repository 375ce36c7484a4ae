//! LOGIN7 and the token that may follow it.

use super::input::Reader;
use crate::sql::Credentials;

/// The oldest version whose tokens are laid out as this server writes them.
const TDS_7_4: u32 = 0x7400_0004;

/// What the client offers as its identity.
pub enum Offer {
    Ready(Credentials),
    /// The client waits to hear where to get a token.
    TokenWanted,
    /// Windows authentication, which Azure SQL does not know.
    Integrated,
}

pub struct Login {
    pub version: u32,
    pub packet_size: usize,
    pub host: String,
    pub program: String,
    pub server: String,
    pub database: String,
    pub offer: Offer,
    /// Features to acknowledge, with their data.
    pub acknowledged: Vec<(u8, Vec<u8>)>,
}

const FEDAUTH: u8 = 0x02;
const UTF8: u8 = 0x0A;

impl Login {
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut fixed = Reader::new(body);
        fixed.u32()?;
        let version = fixed.u32()?;
        let packet_size = fixed.u32()? as usize;
        let flags_2 = *body.get(25)?;
        let flags_3 = *body.get(27)?;
        let (mut token, mut wanted, mut acknowledged) = (None, false, Vec::new());
        if flags_3 & 0x10 != 0 {
            let (offset, _) = place(body, 56)?;
            let at = Reader::new(body.get(offset..)?).u32()? as usize;
            let mut features = Reader::new(body.get(at..)?);
            loop {
                let id = features.u8()?;
                if id == 0xFF {
                    break;
                }
                let length = features.u32()? as usize;
                let data = features.bytes(length)?;
                match id {
                    FEDAUTH => {
                        acknowledged.push((FEDAUTH, Vec::new()));
                        match data.first()? >> 1 {
                            1 => {
                                let mut inside = Reader::new(&data[1..]);
                                let length = inside.u32()? as usize;
                                token = Some(utf16(inside.bytes(length)?));
                            }
                            2 => wanted = true,
                            _ => return None,
                        }
                    }
                    UTF8 => acknowledged.push((UTF8, vec![1])),
                    _ => {}
                }
            }
        }
        let text = |at: usize| -> Option<String> {
            let (offset, length) = place(body, at)?;
            Some(utf16(body.get(offset..offset + length * 2)?))
        };
        let offer = match token {
            Some(token) => Offer::Ready(Credentials::Token(token)),
            None if wanted => Offer::TokenWanted,
            None if flags_2 & 0x80 != 0 => Offer::Integrated,
            None => {
                let (offset, length) = place(body, 44)?;
                let hidden = body.get(offset..offset + length * 2)?;
                let plain: Vec<u8> = hidden
                    .iter()
                    .map(|byte| (byte ^ 0xA5).rotate_right(4))
                    .collect();
                Offer::Ready(Credentials::Password {
                    login: text(40)?,
                    password: utf16(&plain),
                })
            }
        };
        Some(Self {
            version: if version >= TDS_7_4 || version >> 24 == 0x08 {
                version
            } else {
                TDS_7_4
            },
            packet_size: packet_size.clamp(512, 32_767),
            host: text(36)?,
            program: text(48)?,
            server: text(52)?,
            database: text(68)?,
            offer,
            acknowledged,
        })
    }
}

/// The offset and length that stand at `at`.
fn place(body: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut reader = Reader::new(body.get(at..)?);
    Some((reader.u16()?.into(), reader.u16()?.into()))
}

/// The token in a FEDAUTH token message.
pub fn late_token(body: &[u8]) -> Option<Credentials> {
    let mut reader = Reader::new(body);
    reader.u32()?;
    let length = reader.u32()? as usize;
    Some(Credentials::Token(utf16(reader.bytes(length)?)))
}

pub fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}
