//! The stub's face on hyper: HTTP/1.1 on a thread of its own, for thousands of calls under way.
//!
//! Promises: it listens where it is told to; connections are kept alive, send without delay
//! (`TCP_NODELAY`) and carry a true `Date`, by which the SDK sets its clock; an answer that comes
//! whole leaves with its head, when the service says that it is complete; of one that is streamed,
//! each frame leaves when it is due; nothing that has been answered is kept. It stops when it is dropped, with whatever is under way.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use super::answer::{Answers, Body, Ends, HttpAnswer, JSON};
use super::connection::{Connection, Fate};
use super::pacer::Pacer;
use super::play::{Play, Step};
use crate::exchange::CALL_HEADER;

/// The largest body that Bedrock takes, in bytes (Bedrock Runtime's service model, `Body`).
const BODY_BYTES_MAX: usize = 25_000_000;

/// Where the stub speaks of itself.
const OWN_PATHS: &str = "/_bedload/";

/// How many chunks of a stream may wait for a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// The pause after a connection that could not be taken.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `answers` on `listener`.
    ///
    /// # Errors
    /// If the system gives no thread, no runtime or no timer.
    pub fn start(listener: TcpListener, answers: Arc<Answers>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("stub".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        served = serve(listener, answers) => {
                            // Calls then fail as `transport`, and are counted.
                            let _broken = served;
                        }
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed there, and must not become two here.
            let _panicked = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, answers: Arc<Answers>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let pacer = Arc::new(Pacer::new(answers.clock()));
    let accept = async {
        loop {
            // Out of open files, say: those that are open go on, and some of them end.
            let Ok((stream, _)) = listener.accept().await else {
                pacer.until(answers.clock().now() + ACCEPT_AGAIN).await;
                continue;
            };
            // Without it answers come later, and nothing else changes.
            let _slower = stream.set_nodelay(true);
            let fate = Arc::new(Fate::default());
            let caller = Caller {
                answers: Arc::clone(&answers),
                pacer: Arc::clone(&pacer),
                fate: Arc::clone(&fate),
            };
            let serve = service_fn(move |request| caller.clone().respond(request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(Connection::new(stream, fate)), serve);
            // A client that breaks off is the client's affair.
            tokio::spawn(connection);
        }
    };
    tokio::select! {
        kept = pacer.keep_time() => kept,
        () = accept => Ok(()),
    }
}

type AnswerBody = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// Whoever is at the other end of a connection.
#[derive(Clone)]
struct Caller {
    answers: Arc<Answers>,
    pacer: Arc<Pacer>,
    fate: Arc<Fate>,
}

impl Caller {
    async fn respond(self, request: Request<Incoming>) -> io::Result<Response<AnswerBody>> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, String::new()));
        };
        if let Some(asked) = head.uri.path().strip_prefix(OWN_PATHS) {
            return Ok(self.about_itself(&head.method, asked));
        }
        let call = head
            .headers
            .get(CALL_HEADER)
            .and_then(|value| value.to_str().ok());
        let answer = self.answers.answer(head.uri.path(), call, &body.to_bytes());
        self.pacer.until(answer.at).await;
        if answer.ends == Ends::ResetBeforeHead {
            self.fate.reset();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(self.response(answer))
    }

    /// What the stub says of itself, and does to itself.
    fn about_itself(&self, method: &Method, asked: &str) -> Response<AnswerBody> {
        match (asked, method) {
            ("state", &Method::GET) => {
                let state = serde_json::to_string_pretty(&self.answers.state())
                    .unwrap_or_else(|_| unreachable!("a state is names and numbers"));
                plain(StatusCode::OK, state + "\n")
            }
            ("reset", &Method::POST) => {
                self.answers.reset();
                plain(StatusCode::OK, "{}\n".to_owned())
            }
            ("state" | "reset", _) => plain(StatusCode::METHOD_NOT_ALLOWED, String::new()),
            _ => plain(StatusCode::NOT_FOUND, String::new()),
        }
    }

    fn response(self, answer: HttpAnswer) -> Response<AnswerBody> {
        let mut builder = Response::builder()
            .status(answer.status)
            .header(CONTENT_TYPE, answer.content_type);
        for (name, value) in &answer.headers {
            builder = builder.header(*name, value);
        }
        let body = match (answer.body, answer.ends) {
            (Body::Whole(bytes), Ends::Well | Ends::ResetBeforeHead) => {
                Either::Left(Full::new(bytes))
            }
            (Body::Whole(bytes), ends) => {
                if ends != Ends::TruncatedChunk {
                    builder = builder.header(CONTENT_LENGTH, bytes.len());
                }
                let (to, body) = Channel::new(CHUNKS_AHEAD);
                tokio::spawn(self.break_off(bytes, ends, to));
                Either::Right(body)
            }
            (Body::Streamed(play), ends) => {
                let (to, body) = Channel::new(CHUNKS_AHEAD);
                tokio::spawn(self.play(play, ends, to));
                Either::Right(body)
            }
        };
        builder
            .body(body)
            .unwrap_or_else(|_| unreachable!("statuses and headers are the stub's own"))
    }

    /// Sends an answer's frames, each when it is due.
    async fn play(self, mut play: Box<Play>, ends: Ends, mut to: Sender<Bytes, io::Error>) {
        let mut writes = self.fate.writes();
        let mut next = play.next();
        while let Some(Step {
            at,
            mut bytes,
            halved,
        }) = next
        {
            self.pacer.until(at).await;
            next = play.next();
            // What is due by now leaves together.
            let now = self.answers.clock().now();
            while let Some(due) = next.take_if(|step| step.at <= now) {
                bytes = [bytes, due.bytes].concat().into();
                next = play.next();
            }
            if ends == Ends::TruncatedChunk && next.is_none() {
                self.fate.cut_next_write();
            } else if halved && bytes.len() > 1 {
                let half = bytes.split_to(bytes.len() / 2);
                if to.send_data(half).await.is_err() {
                    return;
                }
            }
            writes = if bytes.is_empty() {
                writes
            } else {
                self.fate.writes()
            };
            // Whoever has hung up need not be told.
            if !bytes.is_empty() && to.send_data(bytes).await.is_err() {
                return;
            }
        }
        self.end(ends, writes, to).await;
    }

    /// Sends a part of an answer that should have come whole.
    async fn break_off(self, mut bytes: Bytes, ends: Ends, mut to: Sender<Bytes, io::Error>) {
        let writes = self.fate.writes();
        bytes.truncate(bytes.len() / 2);
        if ends == Ends::TruncatedChunk {
            self.fate.cut_next_write();
        }
        if ends != Ends::ResetAfterHead && to.send_data(bytes).await.is_err() {
            return;
        }
        self.end(ends, writes, to).await;
    }

    /// Ends a body as it is to end, when what came before has left.
    async fn end(&self, ends: Ends, writes: u64, to: Sender<Bytes, io::Error>) {
        match ends {
            Ends::Well => return,
            Ends::TruncatedChunk => self.fate.written_after(writes).await,
            Ends::ResetBeforeHead | Ends::ResetAfterHead | Ends::ResetMidBody => {
                self.fate.written_after(writes).await;
                self.fate.reset();
            }
        }
        to.abort(io::ErrorKind::ConnectionReset.into());
    }
}

fn plain(status: StatusCode, body: String) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Full::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
