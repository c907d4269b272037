//! A connection that can be broken on purpose.
//!
//! Promises: it is broken where it is told to be: reset (a TCP RST, by a linger time of zero) when
//! it is dropped, or closed in the middle of what is written next.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The end of a write that a cut keeps back, in bytes: more than what ends a chunked body, less than
/// any frame or answer.
const KEPT_BACK: usize = 16;

/// How often a write is waited for, before it is taken to have failed.
const TRIES_MAX: u32 = 1_000;

/// Zero is for one that goes on.
const CUT_NEXT_WRITE: u8 = 1;
const CLOSED: u8 = 2;
const RESET: u8 = 3;

/// What is to become of a connection.
#[derive(Debug, Default)]
pub(super) struct Fate {
    fate: AtomicU8,
    writes: AtomicU64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    fate: Arc<Fate>,
}

impl Fate {
    /// It is reset when it is dropped.
    pub fn reset(&self) {
        self.fate.store(RESET, Ordering::Relaxed);
    }

    /// It is closed before the end of the next write.
    pub fn cut_next_write(&self) {
        self.fate.store(CUT_NEXT_WRITE, Ordering::Relaxed);
    }

    /// How often something has been written.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Waits until something has been written after `writes` times. Whoever serves the connection
    /// must run on the same thread.
    pub async fn written_after(&self, writes: u64) {
        for _ in 0..TRIES_MAX {
            if self.writes() > writes {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Connection {
    pub const fn new(stream: TcpStream, fate: Arc<Fate>) -> Self {
        Self { stream, fate }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.fate.fate.load(Ordering::Relaxed) == RESET {
            // Without it the connection is closed, and the caller sees its end all the same.
            let _closed = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let fate = self.fate.fate.load(Ordering::Relaxed);
        let bytes = match fate {
            CLOSED => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            CUT_NEXT_WRITE => &bytes[..bytes.len().saturating_sub(KEPT_BACK)],
            _ => bytes,
        };
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = written {
            self.fate.writes.fetch_add(1, Ordering::Relaxed);
            if fate == CUT_NEXT_WRITE && length == bytes.len() {
                self.fate.fate.store(CLOSED, Ordering::Relaxed);
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
