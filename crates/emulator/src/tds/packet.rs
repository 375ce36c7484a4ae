//! Packets: an eight-byte header and a payload; a message is packets up to one with the end bit.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::broken;

/// Packet types.
pub const BATCH: u8 = 0x01;
pub const RPC: u8 = 0x03;
pub const RESPONSE: u8 = 0x04;
pub const ATTENTION: u8 = 0x06;
pub const FEDAUTH_TOKEN: u8 = 0x08;
pub const TRANSACTION: u8 = 0x0E;
pub const LOGIN7: u8 = 0x10;
pub const PRELOGIN: u8 = 0x12;

pub const HEADER: usize = 8;
const END: u8 = 0x01;
/// Reset the session before the request, and the same but keeping a transaction.
const RESET: u8 = 0x08 | 0x10;
/// No request here is longer than this.
const LIMIT: usize = 64 * 1024 * 1024;

/// A message put together from its packets.
pub struct Message {
    pub kind: u8,
    pub reset: bool,
    pub body: Vec<u8>,
}

/// Reads one message; `None` when the client has closed between messages.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Message>> {
    let mut message: Option<Message> = None;
    loop {
        let mut header = [0; HEADER];
        match stream.read_exact(&mut header).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && message.is_none() => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let length = length
            .checked_sub(HEADER)
            .ok_or_else(|| broken("a packet is too short"))?;
        let so_far = message.get_or_insert(Message {
            kind: header[0],
            reset: false,
            body: vec![],
        });
        if so_far.kind != header[0] || so_far.body.len() + length > LIMIT {
            return Err(broken("a packet does not belong to its message"));
        }
        let start = so_far.body.len();
        so_far.body.resize(start + length, 0);
        stream.read_exact(&mut so_far.body[start..]).await?;
        so_far.reset |= header[1] & RESET != 0;
        if header[1] & END != 0 {
            return Ok(message);
        }
    }
}

/// Writes one message in packets of at most `size` bytes.
pub async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    kind: u8,
    body: &[u8],
    size: usize,
    session: i32,
) -> io::Result<()> {
    let room = size.saturating_sub(HEADER).max(1);
    let count = body.len().div_ceil(room).max(1);
    let mut out = Vec::with_capacity(body.len() + count * HEADER);
    for at in 0..count {
        let part = &body[at * room..body.len().min((at + 1) * room)];
        let status = if at + 1 == count { END } else { 0 };
        out.extend_from_slice(&header(
            kind,
            status,
            part.len(),
            session,
            (at as u8).wrapping_add(1),
        ));
        out.extend_from_slice(part);
    }
    stream.write_all(&out).await?;
    stream.flush().await
}

/// A packet's header.
pub fn header(kind: u8, status: u8, length: usize, session: i32, number: u8) -> [u8; HEADER] {
    let length = ((length + HEADER) as u16).to_be_bytes();
    let session = (session as u16).to_be_bytes();
    [
        kind, status, length[0], length[1], session[0], session[1], number, 0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_survives_being_split() {
        let body: Vec<u8> = (0..2000_u32).map(|n| n as u8).collect();
        let mut wire = Vec::new();
        write(&mut wire, RPC, &body, 512, 51).await.unwrap();
        assert!(wire.len() > body.len() + 3 * HEADER);
        let message = read(&mut wire.as_slice()).await.unwrap().unwrap();
        assert_eq!((message.kind, message.body), (RPC, body));
    }

    #[tokio::test]
    async fn a_packet_shorter_than_its_header_is_refused() {
        let wire = [RPC, END, 0, 4, 0, 0, 1, 0];
        assert!(read(&mut wire.as_slice()).await.is_err());
    }
}
