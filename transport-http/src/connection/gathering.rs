//! A stream that is read in large pieces and keeps little.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at once.
const PIECE: usize = 16 * 1024;

thread_local! {
    /// Where a piece arrives. A connection keeps only what it is not asked for at once.
    static ARRIVING: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}

/// Reads large pieces for somebody who asks for small ones: each time the system is asked costs
/// more than the bytes do, and buffers for them would be most of what an idle connection takes.
pub(super) struct Gathering<S> {
    inner: S,
    /// What has come and was not asked for yet, from this place on.
    rest: Vec<u8>,
    read: usize,
}

impl<S> Gathering<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            rest: Vec::new(),
            read: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            if buffer.remaining() >= PIECE {
                return Pin::new(&mut self.inner).poll_read(context, buffer);
            }
            return ARRIVING.with_borrow_mut(|arriving| {
                let mut piece = ReadBuf::new(arriving);
                ready!(Pin::new(&mut self.inner).poll_read(context, &mut piece))?;
                let (now, later) = piece
                    .filled()
                    .split_at(piece.filled().len().min(buffer.remaining()));
                buffer.put_slice(now);
                self.rest.extend_from_slice(later);
                Poll::Ready(Ok(()))
            });
        }
        let later = &self.rest[self.read..];
        let now = &later[..later.len().min(buffer.remaining())];
        buffer.put_slice(now);
        self.read += now.len();
        if self.read == self.rest.len() {
            self.rest = Vec::new();
            self.read = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn every_byte_comes_once_in_whatever_pieces_it_is_asked_for() {
        let sent: Vec<u8> = (0..100_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        for most in [1, 7, 2048, PIECE, 3 * PIECE] {
            let (mut client, server) = duplex(40_000);
            let mut server = Gathering::new(server);
            let all = sent.clone();
            let sending = tokio::spawn(async move {
                for piece in all.chunks(30_011) {
                    client.write_all(piece).await.unwrap();
                }
            });
            let mut read = Vec::new();
            let mut buffer = vec![0; most];
            loop {
                let length = server.read(&mut buffer).await.unwrap();
                if length == 0 {
                    break;
                }
                read.extend_from_slice(&buffer[..length]);
            }
            sending.await.unwrap();
            assert!(read == sent, "{most}");
            assert_eq!(server.rest.capacity(), 0, "nothing is kept");
        }
    }
}
