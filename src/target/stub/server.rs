//! The stub's face on hyper: HTTP/1.1 on a thread of its own, for thousands of calls under way.
//!
//! Promises: it listens where it is told to; connections are kept alive, send without delay
//! (`TCP_NODELAY`) and carry a true `Date`, by which the SDK sets its clock; an answer's head and
//! body leave together, when the service says that the answer is complete; nothing that has been
//! answered is kept. It stops when it is dropped, with whatever is under way.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use super::answer::{self, Answers, HttpAnswer};
use super::pacer::Pacer;
use crate::exchange::CALL_HEADER;

/// The largest body that Bedrock takes, in bytes (Bedrock Runtime's service model, `Body`).
const BODY_BYTES_MAX: usize = 25_000_000;

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
            let Ok((connection, _)) = listener.accept().await else {
                pacer.until(answers.clock().now() + ACCEPT_AGAIN).await;
                continue;
            };
            // Without it answers come later, and nothing else changes.
            let _slower = connection.set_nodelay(true);
            let (answers, pacer) = (Arc::clone(&answers), Arc::clone(&pacer));
            let serve = service_fn(move |request| {
                respond(Arc::clone(&answers), Arc::clone(&pacer), request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(connection), serve);
            // A client that breaks off is the client's affair.
            tokio::spawn(connection);
        }
    };
    tokio::select! {
        kept = pacer.keep_time() => kept,
        () = accept => Ok(()),
    }
}

async fn respond(
    answers: Arc<Answers>,
    pacer: Arc<Pacer>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(refused);
    };
    let call = head
        .headers
        .get(CALL_HEADER)
        .and_then(|value| value.to_str().ok());
    let answer = answers.answer(head.uri.path(), call, &body.to_bytes());
    pacer.until(answer.at).await;
    Ok(response(answer))
}

fn response(answer: HttpAnswer) -> Response<Full<Bytes>> {
    let mut builder = Response::builder()
        .status(answer.status)
        .header(CONTENT_TYPE, answer::CONTENT_TYPE);
    for (name, value) in &answer.headers {
        builder = builder.header(*name, value);
    }
    builder
        .body(Full::new(Bytes::from(answer.body)))
        .unwrap_or_else(|_| unreachable!("statuses and headers are the stub's own"))
}
