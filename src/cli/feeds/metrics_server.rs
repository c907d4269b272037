//! `--metrics-addr`: what goes on, for Prometheus, over HTTP.
//!
//! Promises: it listens on loopback only (whoever starts it sees to that), on a thread of its own; the
//! run's thread leaves a copy of the pulse there about once a second and never waits; a client that
//! says nothing, or too much, is hung up on.
//!
//! Deliberately not: a web server. It knows one page, and one client at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::pulse::Pulse;
use super::exposition::exposition;

/// How long a client may take for each piece of what it has to say, and to read.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// The most pieces that it may come in.
const PIECES_MAX: usize = 4;

/// A server that runs until it is dropped.
pub struct MetricsServer {
    address: SocketAddr,
    pulse: Arc<Mutex<Pulse>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn start(address: SocketAddr, pulse: Pulse) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let pulse = Arc::new(Mutex::new(pulse));
        let stopped = Arc::new(AtomicBool::new(false));
        let (of_thread, stop) = (Arc::clone(&pulse), Arc::clone(&stopped));
        let thread = std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || serve(&listener, &of_thread, &stop))?;
        Ok(Self {
            address,
            pulse,
            stopped,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What goes on now.
    pub fn update(&self, pulse: &Pulse) {
        let newer = pulse.clone();
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = newer;
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // A connection of our own wakes it up to see that.
        let woken = TcpStream::connect_timeout(&self.address, PATIENCE);
        if let (Some(thread), Ok(_)) = (self.thread.take(), woken) {
            // A panic there has been printed there.
            let _panicked = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, pulse: &Mutex<Pulse>, stopped: &AtomicBool) {
    for stream in listener.incoming() {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        // A client that breaks off is the client's affair.
        let _answered = stream.and_then(|stream| answer(stream, pulse));
    }
}

fn answer(mut stream: TcpStream, pulse: &Mutex<Pulse>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(&mut stream)?;
    let mut words = head.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    let (status, kind, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => {
            let now = pulse.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (
                "200 OK",
                "text/plain; version=0.0.4; charset=utf-8",
                exposition(&now),
            )
        }
        ("GET" | "HEAD", _) => ("404 Not Found", "text/plain", "see /metrics\n".to_owned()),
        _ => (
            "405 Method Not Allowed",
            "text/plain",
            "GET /metrics\n".to_owned(),
        ),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(body.as_bytes())?;
    }
    stream.flush()
}

/// What comes before the empty line. Bodies are not read.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    for _ in 0..PIECES_MAX {
        let read = stream.read(&mut piece)?;
        if read == 0 || head.len() + read > HEAD_BYTES_MAX {
            break;
        }
        head.extend_from_slice(&piece[..read]);
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
    }
    Err(io::Error::from(io::ErrorKind::InvalidData))
}
