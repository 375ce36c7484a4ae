//! TLS inside TDS: while the handshake lasts, its bytes travel in PRELOGIN packets; afterwards the
//! TLS records go over the wire as they are.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::broken;
use super::packet::{HEADER, PRELOGIN, header};

pub struct Wrapped<S> {
    inner: S,
    wrapping: bool,
    head: [u8; HEADER],
    head_read: usize,
    /// What is left of the packet being read.
    left: usize,
    /// What has been written and not yet been put in a packet.
    pending: Vec<u8>,
    /// Packets on their way.
    out: Vec<u8>,
}

impl<S> Wrapped<S> {
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            wrapping: true,
            head: [0; HEADER],
            head_read: 0,
            left: 0,
            pending: Vec::new(),
            out: Vec::new(),
        }
    }

    /// From here on bytes pass as they are.
    pub fn finish(&mut self) {
        self.wrapping = false;
    }
}

impl<S: AsyncWrite + Unpin> Wrapped<S> {
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for part in std::mem::take(&mut self.pending).chunks(4096 - HEADER) {
            self.out
                .extend_from_slice(&header(PRELOGIN, 1, part.len(), 0, 0));
            self.out.extend_from_slice(part);
        }
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wrapped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.wrapping {
            return Pin::new(&mut this.inner).poll_read(cx, buffer);
        }
        // What the client waits for must be out before we wait for the client.
        ready!(this.send(cx))?;
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        while this.left == 0 {
            let mut head = ReadBuf::new(&mut this.head[this.head_read..]);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut head))?;
            let read = head.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            this.head_read += read;
            if this.head_read == HEADER {
                let length = usize::from(u16::from_be_bytes([this.head[2], this.head[3]]));
                if this.head[0] != PRELOGIN || length < HEADER {
                    return Poll::Ready(Err(broken(
                        "the TLS handshake is not in PRELOGIN packets",
                    )));
                }
                this.left = length - HEADER;
                this.head_read = 0;
            }
        }
        let room = buffer.remaining().min(this.left);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        this.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wrapped<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.wrapping {
            this.pending.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(this.send_rest(cx))?;
        Pin::new(&mut this.inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.send_rest(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.send_rest(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncWrite + Unpin> Wrapped<S> {
    fn send_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pending.is_empty() && self.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.send(cx)
    }
}
