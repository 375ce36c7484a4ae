//! Requests: a batch of text, a call, a transaction request.

use super::input::Reader;
use super::login7::utf16;
use super::packet::{BATCH, Message, RPC, TRANSACTION};
use crate::sql::{Argument, Call, TransactionRequest};

pub enum Request {
    Batch(String),
    /// One or more calls.
    Calls(Vec<Call>),
    Transaction(TransactionRequest),
    /// A request for the address of a distributed transaction, which there is none of.
    Unsupported(&'static str),
}

impl Request {
    /// `None` when the message is malformed.
    pub fn parse(message: &Message) -> Option<Self> {
        let mut reader = Reader::new(&message.body);
        // ALL_HEADERS: the length counts itself.
        let headers = reader.u32()? as usize;
        reader.bytes(headers.checked_sub(4)?)?;
        match message.kind {
            BATCH => {
                let start = headers;
                Some(Self::Batch(utf16(message.body.get(start..)?)))
            }
            RPC => calls(&mut reader).map(Self::Calls),
            TRANSACTION => Some(match reader.u16()? {
                5 => Self::Transaction(TransactionRequest::Begin),
                7 => Self::Transaction(TransactionRequest::Commit),
                8 => Self::Transaction(TransactionRequest::Rollback),
                9 => Self::Unsupported("SAVE TRANSACTION"),
                _ => Self::Unsupported("distributed transactions"),
            }),
            _ => None,
        }
    }
}

fn calls(reader: &mut Reader<'_>) -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    while !reader.is_empty() {
        let procedure = match reader.u16()? {
            0xFFFF => by_id(reader.u16()?)?.to_owned(),
            length => utf16(reader.bytes(usize::from(length) * 2)?),
        };
        reader.u16()?;
        let mut arguments = Vec::new();
        while let Some(next) = reader.peek() {
            // A separator before the next call; no name is that long.
            if matches!(next, 0x80 | 0xFE | 0xFF) {
                reader.u8()?;
                break;
            }
            let name = reader.short_text()?;
            let status = reader.u8()?;
            let (ty, value) = reader.typed()?;
            let name = name.trim_start_matches('@').to_owned();
            arguments.push(Argument {
                name,
                ty,
                value,
                output: status & 1 != 0,
            });
        }
        calls.push(Call {
            procedure,
            arguments,
        });
    }
    Some(calls)
}

/// The system procedures that have a number.
fn by_id(id: u16) -> Option<&'static str> {
    Some(match id {
        10 => "sp_executesql",
        11 => "sp_prepare",
        12 => "sp_execute",
        13 => "sp_prepexec",
        15 => "sp_unprepare",
        1..=9 | 14 => "sp_cursor",
        _ => return None,
    })
}
