//! The tokens of an answer.

use super::output::{type_info, value};
use crate::sql::{Reply, ResultSet, SqlError};

/// SQL_Latin1_General_CP1_CI_AS.
pub const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

const MORE: u16 = 0x01;
const ERROR: u16 = 0x02;
const COUNT: u16 = 0x10;
const ATTENTION: u16 = 0x20;

const DONE: u8 = 0xFD;
const DONE_PROCEDURE: u8 = 0xFE;
const DONE_IN_PROCEDURE: u8 = 0xFF;

/// The one transaction that a session can have.
const TRANSACTION: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];

/// An answer being written.
#[derive(Default)]
pub struct Answer {
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn u16(&mut self, n: u16) {
        self.bytes.extend_from_slice(&n.to_le_bytes());
    }

    pub fn u32(&mut self, n: u32) {
        self.bytes.extend_from_slice(&n.to_le_bytes());
    }

    /// A text with its length in characters in one byte.
    pub fn short_text(&mut self, text: &str) {
        let units: Vec<u16> = text.encode_utf16().take(255).collect();
        self.bytes.push(units.len() as u8);
        self.bytes
            .extend(units.into_iter().flat_map(u16::to_le_bytes));
    }

    /// A token whose length comes in two bytes.
    fn token(&mut self, code: u8, write: impl FnOnce(&mut Self)) {
        let mut inside = Self::default();
        write(&mut inside);
        self.bytes.push(code);
        self.u16(inside.bytes.len() as u16);
        self.bytes.append(&mut inside.bytes);
    }

    fn done(&mut self, code: u8, status: u16, rows: Option<u64>) {
        self.bytes.push(code);
        self.u16(status | if rows.is_some() { COUNT } else { 0 });
        self.u16(0);
        self.bytes
            .extend_from_slice(&rows.unwrap_or(0).to_le_bytes());
    }

    /// ERROR, or INFO for messages that are no errors.
    pub fn message(&mut self, server: &str, error: &SqlError, info: bool) {
        self.token(if info { 0xAB } else { 0xAA }, |token| {
            token.u32(error.number as u32);
            token.bytes.extend_from_slice(&[error.state, error.class]);
            let units: Vec<u16> = error.message.encode_utf16().take(4000).collect();
            token.u16(units.len() as u16);
            token
                .bytes
                .extend(units.into_iter().flat_map(u16::to_le_bytes));
            token.short_text(server);
            token.short_text(error.procedure.as_deref().unwrap_or_default());
            token.u32(error.line.max(1));
        });
    }

    /// A change of environment between two texts.
    pub fn changed(&mut self, kind: u8, new: &str, old: &str) {
        self.token(0xE3, |token| {
            token.bytes.push(kind);
            token.short_text(new);
            token.short_text(old);
        });
    }

    /// A change of environment between two values of bytes.
    pub fn changed_bytes(&mut self, kind: u8, new: &[u8], old: &[u8]) {
        self.token(0xE3, |token| {
            token.bytes.push(kind);
            for value in [new, old] {
                token.bytes.push(value.len() as u8);
                token.bytes.extend_from_slice(value);
            }
        });
    }

    /// Where the client has to go instead (ENVCHANGE 20).
    pub fn routed(&mut self, host: &str, port: u16) {
        let units: Vec<u16> = host.encode_utf16().collect();
        self.token(0xE3, |token| {
            token.bytes.push(20);
            token.u16((5 + units.len() * 2) as u16);
            // TCP.
            token.bytes.push(0);
            token.u16(port);
            token.u16(units.len() as u16);
            let text = units.iter().flat_map(|unit| unit.to_le_bytes());
            token.bytes.extend(text);
            token.u16(0);
        });
    }

    pub fn login_acknowledged(&mut self, version: u32) {
        self.token(0xAD, |token| {
            token.bytes.push(1);
            token.bytes.extend_from_slice(&version.to_be_bytes());
            token.short_text("Microsoft SQL Server");
            token.bytes.extend_from_slice(&[12, 0, 0x07, 0xD0]);
        });
    }

    pub fn features_acknowledged(&mut self, features: &[(u8, Vec<u8>)]) {
        if features.is_empty() {
            return;
        }
        self.bytes.push(0xAE);
        for (id, data) in features {
            self.bytes.push(*id);
            self.u32(data.len() as u32);
            self.bytes.extend_from_slice(data);
        }
        self.bytes.push(0xFF);
    }

    /// Where a client that asks gets its token: authority and audience.
    pub fn token_wanted(&mut self, authority: &str, audience: &str) {
        let texts: Vec<Vec<u8>> = [(authority), (audience)]
            .iter()
            .map(|text| text.encode_utf16().flat_map(u16::to_le_bytes).collect())
            .collect();
        let head = 4 + texts.len() * 9;
        self.bytes.push(0xEE);
        self.u32((head + texts.iter().map(Vec::len).sum::<usize>()) as u32);
        self.u32(texts.len() as u32);
        let mut offset = head;
        for (at, text) in texts.iter().enumerate() {
            self.bytes.push(at as u8 + 1);
            self.u32(text.len() as u32);
            self.u32(offset as u32);
            offset += text.len();
        }
        for text in texts {
            self.bytes.extend_from_slice(&text);
        }
    }

    pub fn finished(&mut self, failed: bool) {
        self.done(DONE, if failed { ERROR } else { 0 }, None);
    }

    /// The end of an answer that will not come.
    pub fn broken_off() -> Self {
        let mut answer = Self::default();
        answer.done(DONE, ERROR, None);
        answer
    }

    /// That an attention has arrived.
    pub fn attention() -> Self {
        let mut answer = Self::default();
        answer.done(DONE, ATTENTION, None);
        answer
    }

    pub fn was_reset(&mut self) {
        self.changed_bytes(18, &[], &[]);
    }

    /// The answer to a batch: a DONE for each statement, the last without "more".
    pub fn batch(&mut self, server: &str, replies: &[Reply]) {
        let mut open = true;
        let mut last = None;
        for reply in replies {
            open = true;
            match reply {
                Reply::Done(rows) => {
                    last = Some(self.bytes.len());
                    self.done(DONE, MORE, *rows);
                    open = false;
                }
                Reply::Error(error) => {
                    self.message(server, error, false);
                    last = Some(self.bytes.len());
                    self.done(DONE, MORE | ERROR, None);
                    open = false;
                }
                other => self.reply(server, other),
            }
        }
        match last {
            Some(at) if !open => self.bytes[at + 1] &= !(MORE as u8),
            _ => self.finished(false),
        }
    }

    /// The answer to a call; `more` when another follows in the same request.
    pub fn call(&mut self, server: &str, replies: &[Reply], more: bool) {
        let mut failed = false;
        let outputs = replies
            .iter()
            .filter(|reply| matches!(reply, Reply::Output { .. }));
        for reply in replies {
            match reply {
                Reply::Done(rows) => self.done(DONE_IN_PROCEDURE, MORE, *rows),
                Reply::Error(error) => {
                    failed = true;
                    self.message(server, error, false);
                }
                Reply::Output { .. } => {}
                other => self.reply(server, other),
            }
        }
        for reply in outputs {
            self.reply(server, reply);
        }
        let status = if failed { ERROR } else { 0 } | if more { MORE } else { 0 };
        self.done(DONE_PROCEDURE, status, None);
    }

    fn reply(&mut self, server: &str, reply: &Reply) {
        match reply {
            Reply::Rows(result) => self.rows(result),
            Reply::Info(info) => self.message(server, info, true),
            Reply::Began => self.changed_bytes(8, &TRANSACTION, &[]),
            Reply::Committed => self.changed_bytes(9, &[], &TRANSACTION),
            Reply::RolledBack => self.changed_bytes(10, &[], &TRANSACTION),
            Reply::Status(status) => {
                self.bytes.push(0x79);
                self.u32(*status as u32);
            }
            Reply::Output {
                name,
                ty,
                value: contents,
            } => {
                self.bytes.push(0xAC);
                self.u16(0);
                self.short_text(name);
                self.bytes.push(1);
                self.u32(0);
                self.u16(1);
                type_info(self, *ty);
                value(self, *ty, contents);
            }
            Reply::Done(_) | Reply::Error(_) => {}
        }
    }

    fn rows(&mut self, result: &ResultSet) {
        let types: Vec<_> = (0..result.columns.len())
            .map(|at| super::output::widest(result, at))
            .collect();
        self.bytes.push(0x81);
        self.u16(result.columns.len() as u16);
        for (column, ty) in result.columns.iter().zip(&types) {
            self.u32(0);
            // Nullable, and not writable in place.
            self.u16(0x0001);
            type_info(self, *ty);
            self.short_text(&column.name);
        }
        for row in &result.rows {
            self.bytes.push(0xD1);
            for (contents, ty) in row.iter().zip(&types) {
                value(self, *ty, contents);
            }
        }
    }
}
