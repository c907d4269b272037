//! A streamed answer as the stub plays it: which bytes leave when.
//!
//! Promises: the instants are those of the answer's [`Course`]; frames have Bedrock's header order
//! and padding; what is broken on purpose is broken where the course says. Frames are made when they
//! are due, so that a long answer takes no more memory than a short one.

use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use hyper::body::Bytes;
use rand::RngExt as _;

use crate::catalogue::Family;
use crate::outcome::Failure;
use crate::rng::Rng;
use crate::scenario::Api;
use crate::service::Course;
use crate::service::fault::Flaw;
use crate::text::{estimate_tokens, made_up, made_up_token};
use crate::time::Instant;
use crate::wire::stream::{Event, Part, chunk_events, converse_events};
use crate::wire::{Generated, error};

/// How many characters a body has that is larger than anybody expects.
pub(super) const LARGE: usize = 1 << 20;

/// One frame in so many is sent in two halves, since on the real wire one frame is not always one
/// chunk.
const HALVED: u32 = 8;

/// The most characters of padding; all that Bedrock pads with.
const PADDING_MAX: usize = 62;

/// A streamed answer that is being played.
#[derive(Debug)]
pub(super) struct Play {
    course: Course,
    api: Api,
    family: Family,
    model: String,
    id: String,
    rng: Rng,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Begin,
    Token(u64),
    End,
    Nothing,
}

/// Bytes, and when they are due. `halves` are to leave apart.
#[derive(Debug)]
pub(super) struct Step {
    pub at: Instant,
    pub bytes: Bytes,
    pub halved: bool,
}

impl Play {
    pub fn new(
        course: Course,
        api: Api,
        family: Family,
        model: &str,
        id: String,
        rng: Rng,
    ) -> Self {
        Self {
            course,
            api,
            family,
            model: model.to_owned(),
            id,
            rng,
            next: Next::Begin,
        }
    }

    /// What leaves next; none when nothing more does.
    pub fn next(&mut self) -> Option<Step> {
        let (end, sent) = self.course.end();
        let (at, part) = match self.next {
            Next::Begin => (self.course.first_token, Part::Begin),
            Next::Token(index) => (self.course.token(index), Part::Text { index, text: "" }),
            Next::End => (end, self.end_part()),
            Next::Nothing => return None,
        };
        let bytes = match (self.next, self.course.flaw) {
            (Next::Begin, Some(Flaw::ResetAfterHead)) => {
                self.next = Next::Nothing;
                return None;
            }
            (Next::End, None | Some(Flaw::LargeBody)) | (Next::Begin | Next::Token(_), _) => {
                self.frames(part)
            }
            (Next::End, Some(flaw)) => Self::broken_end(flaw),
            (Next::Nothing, _) => return None,
        };
        self.next = match self.next {
            Next::Begin if sent.0 > 0 => Next::Token(0),
            Next::Token(index) if index + 1 < sent.0 => Next::Token(index + 1),
            Next::Begin | Next::Token(_) => Next::End,
            Next::End | Next::Nothing => Next::Nothing,
        };
        Some(Step {
            at,
            bytes: bytes.into(),
            halved: self.rng.random_range(0..HALVED) == 0,
        })
    }

    fn end_part(&self) -> Part<'static> {
        let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let Course {
            arrived,
            first_token,
            complete,
            ..
        } = self.course;
        Part::End {
            latency_ms: ms(complete - arrived),
            first_token_ms: ms(first_token - arrived),
        }
    }

    fn frames(&mut self, part: Part<'_>) -> Vec<u8> {
        let padding = self.rng.random_range(0..=PADDING_MAX);
        let text = match part {
            Part::Begin | Part::End { .. } => String::new(),
            Part::Text { index: 0, .. } if self.course.flaw == Some(Flaw::LargeBody) => {
                made_up(estimate_tokens(LARGE as u64))
            }
            Part::Text { index, .. } => made_up_token(index),
        };
        let part = match part {
            Part::Text { index, .. } => Part::Text { index, text: &text },
            other => other,
        };
        let generated = Generated {
            text: "", // events have their own pieces
            usage: self.course.usage,
            stop: self.course.stop,
            model: &self.model,
            id: &self.id,
        };
        let events = if self.api.is_native() {
            chunk_events(self.family, &generated, part, padding)
        } else {
            converse_events(&generated, part, padding)
        };
        let mut bytes = Vec::new();
        for event in events {
            frame(event, &mut bytes);
        }
        bytes
    }

    /// What stands in the place where a broken answer breaks.
    fn broken_end(flaw: Flaw) -> Vec<u8> {
        match flaw {
            Flaw::Exception(failure) => exception_frame(failure),
            Flaw::Corrupt => {
                let mut bytes = some_frame();
                if let Some(last) = bytes.last_mut() {
                    *last ^= 0xFF;
                }
                bytes
            }
            // The server cuts it off.
            Flaw::TruncatedChunk => some_frame(),
            _ => Vec::new(),
        }
    }
}

/// A whole frame as any.
fn some_frame() -> Vec<u8> {
    let mut bytes = Vec::new();
    let kind = "contentBlockDelta";
    let payload = br#"{"contentBlockIndex":0,"delta":{"text":""}}"#.to_vec();
    frame(Event { kind, payload }, &mut bytes);
    bytes
}

fn frame(event: Event, bytes: &mut Vec<u8>) {
    write(
        [
            (":event-type", event.kind),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        event.payload,
        bytes,
    );
}

/// An error of the service after HTTP 200, as captured from it: its name begins small.
fn exception_frame(failure: Failure) -> Vec<u8> {
    let refusal = error::for_failure(failure)
        .unwrap_or_else(|| unreachable!("a scenario's exceptions are answers of the service"));
    let mut name = refusal.exception.to_owned();
    name[..1].make_ascii_lowercase();
    let mut bytes = Vec::new();
    write(
        [
            (":exception-type", &name),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ],
        error::error_body(&refusal.message),
        &mut bytes,
    );
    bytes
}

fn write(headers: [(&'static str, &str); 3], payload: Vec<u8>, bytes: &mut Vec<u8>) {
    let headers = headers
        .map(|(name, value)| Header::new(name, HeaderValue::String(value.to_owned().into())));
    let message = Message::new_from_parts(headers.into(), payload);
    write_message_to(&message, bytes).expect("headers are short, and a payload is under 16 MB");
}
