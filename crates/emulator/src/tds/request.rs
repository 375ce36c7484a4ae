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
            RPC => calls(&mut reader),
            TRANSACTION => Some(match reader.u16()? {
                5 => {
                    let _isolation = reader.u8();
                    let name = transaction_name(&mut reader).unwrap_or_default();
                    Self::Transaction(TransactionRequest::Begin(name))
                }
                7 => {
                    transaction_name(&mut reader)?;
                    let again = begins_again(&mut reader);
                    Self::Transaction(TransactionRequest::Commit { again })
                }
                8 => {
                    let to = transaction_name(&mut reader)?;
                    let again = begins_again(&mut reader);
                    Self::Transaction(TransactionRequest::Rollback { to, again })
                }
                9 => Self::Transaction(TransactionRequest::Save(transaction_name(&mut reader)?)),
                _ => Self::Unsupported("distributed transactions"),
            }),
            _ => None,
        }
    }
}

/// A name with its length in bytes before it.
fn transaction_name(reader: &mut Reader<'_>) -> Option<String> {
    let length = usize::from(reader.u8()?);
    reader.bytes(length).map(utf16)
}

/// Whether the next transaction begins with the end of this one; some clients say nothing.
fn begins_again(reader: &mut Reader<'_>) -> bool {
    reader.u8().is_some_and(|flags| flags & 1 != 0)
}

/// Types of parameters that are known and not taken.
const UNSUPPORTED: [(u8, &str); 4] = [
    (0xF0, "a parameter of a CLR type"),
    (0xF3, "a table-valued parameter"),
    (0xF4, "a json parameter"),
    (0xF5, "a vector parameter"),
];

fn calls(reader: &mut Reader<'_>) -> Option<Request> {
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
            let code = reader.peek()?;
            if let Some((_, what)) = UNSUPPORTED.iter().find(|(known, _)| *known == code) {
                return Some(Request::Unsupported(what));
            }
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
    Some(Request::Calls(calls))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: u8, body: &[u8]) -> Option<Request> {
        let body = [&[4, 0, 0, 0], body].concat();
        Request::parse(&Message {
            kind,
            reset: false,
            body,
        })
    }

    #[test]
    fn transactions_and_savepoints_have_names_and_ends_can_begin_again() {
        let name = [4, b'a', 0, b'b', 0];
        let begin = parse(TRANSACTION, &[&[5, 0, 2], &name[..]].concat());
        let wanted = TransactionRequest::Begin("ab".into());
        assert!(matches!(begin, Some(Request::Transaction(found)) if found == wanted));
        let save = parse(TRANSACTION, &[&[9, 0], &name[..]].concat());
        let wanted = TransactionRequest::Save("ab".into());
        assert!(matches!(save, Some(Request::Transaction(found)) if found == wanted));
        let back = parse(TRANSACTION, &[&[8, 0], &name[..], &[1]].concat());
        let wanted = TransactionRequest::Rollback {
            to: "ab".into(),
            again: true,
        };
        assert!(matches!(back, Some(Request::Transaction(found)) if found == wanted));
    }

    #[test]
    fn a_table_as_parameter_is_refused_and_not_taken_for_nonsense() {
        let call = [0xFF, 0xFF, 10, 0, 0, 0, 0, 0, 0xF3];
        assert!(matches!(parse(RPC, &call), Some(Request::Unsupported(_))));
        let nonsense = [0xFF, 0xFF, 10, 0, 0, 0, 0, 0, 0x01];
        assert!(parse(RPC, &nonsense).is_none());
    }
}
