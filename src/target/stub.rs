//! The stub: a local look-alike of `bedrock-runtime`, reached through the real SDK. It has two faces:
//! wiremock, and a server on hyper for more calls under way than wiremock can hold.
//!
//! Promises: it counts quota as the simulator does, because both ask the same `service`; it speaks
//! Bedrock's wire format, words and headers; it listens on loopback only, and its memory is bounded.
//!
//! wiremock keeps every request that it has matched (about 6 KB and the body, with recording off
//! too). So when a server has kept `KEPT_BYTES_MAX`, a fresh one with a client of its own takes
//! over; the old one goes when its last call is answered.
//!
//! wiremock sends a body whole, so scenarios that stream or in which something goes wrong on purpose
//! get hyper by themselves.

mod answer;
mod connection;
mod pacer;
mod play;
mod server;
mod state;

use std::future::Future;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::config::SharedCredentialsProvider;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use self::answer::{Answers, Body};
use self::server::Server;
pub use self::state::{Counted, ModelState, State};
use super::Target;
use super::bedrock::{BedrockTarget, Calls};
use crate::clock::Clock;
use crate::exchange::{CALL_HEADER, sdk_client};
use crate::outcome::{AttemptOutcome, Dispatch};
use crate::scenario::Scenario;

/// How many bytes a mock server may have kept before another takes its place.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// What wiremock keeps of a request besides its body, in bytes.
const KEPT_BYTES_PER_REQUEST: usize = 6 << 10;

/// Any free port of the loopback interface.
const ANY_PORT: &str = "127.0.0.1:0";

/// The embedded stub as a target.
#[derive(Clone, Debug)]
pub struct StubTarget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    answers: Arc<Answers>,
    calls: Arc<Calls>,
    current: Mutex<Arc<Face>>,
    renewing: AtomicBool,
    clock: Clock,
    /// Whether calls are to be under way for a while.
    has_network: bool,
}

/// What serves the stub's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StubServer {
    /// wiremock: one lock and one delay per answer, which is enough for most runs.
    #[default]
    Wiremock,
    /// hyper, for thousands of calls under way.
    Hyper,
}

impl StubServer {
    /// What serves `scenario` best: hyper what wiremock cannot.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        if scenario.streams() || !scenario.service.faults.is_empty() {
            Self::Hyper
        } else {
            Self::Wiremock
        }
    }
}

/// A stub that stands alone, for anybody's client. It serves until it is dropped.
#[derive(Debug)]
pub struct Stub {
    answers: Arc<Answers>,
    server: Server,
}

impl Stub {
    /// Serves `scenario` on a port of the loopback interface; on any that is free, if it is zero.
    ///
    /// # Errors
    /// If the port is taken, or the system gives no thread.
    pub fn start(scenario: &Scenario, port: u16, clock: Clock) -> std::io::Result<Self> {
        let answers = Arc::new(Answers::new(scenario, clock));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let server = Server::start(listener, Arc::clone(&answers))?;
        Ok(Self { answers, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        self.server.uri()
    }

    /// What has happened so far.
    #[must_use]
    pub fn state(&self) -> State {
        self.answers.state()
    }
}

/// One server and the client that reaches it. It stops serving when the last call lets go of it.
#[derive(Debug)]
struct Face {
    bedrock: BedrockTarget,
    serves: Serves,
}

#[derive(Debug)]
enum Serves {
    Wiremock {
        server: MockServer,
        kept_bytes: Arc<AtomicUsize>,
    },
    Hyper(Server),
}

impl StubTarget {
    /// Starts a stub for `scenario` on a free port of the loopback interface.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(scenario: &Scenario, clock: Clock) -> std::io::Result<Self> {
        Self::start_on(StubServer::of(scenario), scenario, clock).await
    }

    /// [`Self::start`], with a choice of what serves it.
    ///
    /// # Errors
    /// If there is no free port, or the system gives no thread.
    pub async fn start_on(
        server: StubServer,
        scenario: &Scenario,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let answers = Arc::new(Answers::new(scenario, clock));
        let calls = Arc::new(Calls::new(scenario, clock, true));
        let face = match server {
            StubServer::Wiremock => Face::wiremock(&answers, &calls).await?,
            StubServer::Hyper => Face::hyper(&answers, &calls)?,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                answers,
                calls,
                current: Mutex::new(Arc::new(face)),
                renewing: AtomicBool::new(false),
                clock,
                has_network: scenario.service.network.is_some(),
            }),
        })
    }

    /// The address of the server that takes calls at present.
    #[must_use]
    pub fn address(&self) -> String {
        self.face().serves.uri()
    }

    /// An SDK configuration for anybody's client that can reach nothing but this stub. Such calls do
    /// not say how long their answers should be; they get the lengths of the scenario's first prompt
    /// class for their model.
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        config(self.address())
    }

    fn face(&self) -> Arc<Face> {
        Arc::clone(
            &self
                .shared
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Puts a fresh server in the place of one that has kept too much.
    async fn renew(shared: Arc<Shared>) {
        // Without a port for a new server the old one goes on: memory grows, but nothing is lost.
        if let Ok(fresh) = Face::wiremock(&shared.answers, &shared.calls).await {
            let mut current = shared
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *current = Arc::new(fresh);
        }
        shared.renewing.store(false, Ordering::Release);
    }
}

impl Target for StubTarget {
    fn send(&self, dispatch: Dispatch) -> impl Future<Output = AttemptOutcome> + Send + 'static {
        let face = self.face();
        let shared = Arc::clone(&self.shared);
        async move {
            if face.serves.kept_bytes() > KEPT_BYTES_MAX
                && !shared.renewing.swap(true, Ordering::AcqRel)
            {
                tokio::spawn(Self::renew(Arc::clone(&shared)));
            }
            if !shared.has_network {
                return face.bedrock.send(dispatch).await;
            }
            let (there, back) = shared.answers.network(dispatch.id);
            let sent = shared.clock.now();
            under_way(there).await;
            let outcome = face.bedrock.send(dispatch).await;
            under_way(back).await;
            AttemptOutcome {
                sent,
                first_token: outcome.first_token.map(|at| at + back),
                finished: shared.clock.now(),
                ..outcome
            }
        }
    }
}

impl Serves {
    fn uri(&self) -> String {
        match self {
            Self::Wiremock { server, .. } => server.uri(),
            Self::Hyper(server) => server.uri(),
        }
    }

    /// What it keeps of the requests that it has answered.
    fn kept_bytes(&self) -> usize {
        match self {
            Self::Wiremock { kept_bytes, .. } => kept_bytes.load(Ordering::Relaxed),
            Self::Hyper(_) => 0,
        }
    }
}

impl Face {
    fn hyper(answers: &Arc<Answers>, calls: &Arc<Calls>) -> std::io::Result<Self> {
        let server = Server::start(TcpListener::bind(ANY_PORT)?, Arc::clone(answers))?;
        Ok(Self {
            bedrock: BedrockTarget::new(sdk_client(&config(server.uri())), Arc::clone(calls)),
            serves: Serves::Hyper(server),
        })
    }

    async fn wiremock(answers: &Arc<Answers>, calls: &Arc<Calls>) -> std::io::Result<Self> {
        let kept_bytes = Arc::new(AtomicUsize::new(0));
        let responder = Responder {
            answers: Arc::clone(answers),
            kept_bytes: Arc::clone(&kept_bytes),
        };
        let listener = TcpListener::bind(ANY_PORT)?;
        let server = MockServer::builder()
            .listener(listener)
            .disable_request_recording()
            .start()
            .await;
        Mock::given(any())
            .respond_with(responder)
            .mount(&server)
            .await;
        let bedrock = BedrockTarget::new(sdk_client(&config(server.uri())), Arc::clone(calls));
        Ok(Self {
            bedrock,
            serves: Serves::Wiremock { server, kept_bytes },
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a made-up network is no more exact than a real one"
)]
async fn under_way(length: Duration) {
    if !length.is_zero() {
        tokio::time::sleep(length).await;
    }
}

/// An SDK configuration that can reach nothing but the stub. The stub does not check signatures, but
/// the SDK signs all the same, so that a call costs the client what it costs with Bedrock.
fn config(endpoint_url: String) -> SdkConfig {
    let credentials = Credentials::new("stub", "stub", None, None, "bedload's stub");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint_url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

struct Responder {
    answers: Arc<Answers>,
    kept_bytes: Arc<AtomicUsize>,
}

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let kept = request.body.len() + KEPT_BYTES_PER_REQUEST;
        self.kept_bytes.fetch_add(kept, Ordering::Relaxed);
        let call = request
            .headers
            .get(CALL_HEADER)
            .and_then(|value| value.to_str().ok());
        let mut answer = self.answers.answer(request.url.path(), call, &request.body);
        let body = match &mut answer.body {
            Body::Whole(bytes) => bytes.to_vec(),
            // Not this server's work; but whoever asks for a stream gets all of it at its end.
            Body::Streamed(play) => {
                let mut bytes = Vec::new();
                while let Some(step) = play.next() {
                    bytes.extend_from_slice(&step.bytes);
                    answer.at = step.at;
                }
                bytes
            }
        };
        answer
            .headers
            .iter()
            .fold(
                ResponseTemplate::new(answer.status),
                |response, (name, value)| response.insert_header(*name, value.as_str()),
            )
            .set_body_raw(body, answer.content_type)
            .set_delay(self.answers.until(answer.at))
    }
}
