//! Streamed answers: the events of `ConverseStream`, and the chunks of
//! `InvokeModelWithResponseStream` in each family's own shape.
//!
//! Promises: what the server side writes the client side reads; no bytes make a reader panic; every
//! payload carries Bedrock's padding member `p`, which hides how long the text is (seen in every
//! recording of the service in opentelemetry-python-contrib's botocore cassettes, 2025). The last
//! chunk of an answer carries `amazon-bedrock-invocationMetrics`, whatever the family.
//!
//! Deliberately not: frames. An event is its type and its JSON; who sends it puts the binary frame
//! around it, and who receives it has taken that off. Nor the client's side of `ConverseStream`,
//! which the SDK has.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::stop_words::MESSAGES;
use super::{Generated, WireError, to_bytes};
use super::{chat, claude, command, command_r, converse, deepseek, llama, mistral, nova, titan};
use crate::catalogue::Family;
use crate::outcome::StopReason;
use crate::units::{TokenUsage, Tokens};

/// Where in an answer a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Before the first token.
    Begin,
    /// A piece of text, numbered from 0.
    Text {
        /// Its number.
        index: u64,
        /// The piece.
        text: &'a str,
    },
    /// After the last token.
    End {
        /// What the whole answer took, in milliseconds.
        latency_ms: u64,
        /// What its first token took, in milliseconds.
        first_token_ms: u64,
    },
}

/// An event before it is framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The value of its `:event-type` header.
    pub kind: &'static str,
    /// Its JSON.
    pub payload: Vec<u8>,
}

/// What one chunk of an `InvokeModelWithResponseStream` answer says. Most chunks say little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The text that it adds.
    pub text: String,
    /// Why generation stopped, once it has.
    pub stop: Option<StopReason>,
    /// Input tokens, in the chunk that counts them.
    pub input: Option<Tokens>,
    /// Output tokens so far, where the family counts along.
    pub output: Option<Tokens>,
    /// The service's own counts: the answer is complete.
    pub metrics: Option<Metrics>,
}

/// What the last chunk says of the whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Its tokens.
    pub usage: TokenUsage,
    /// What it took by the service's clock.
    pub latency: Duration,
    /// What its first byte took by the service's clock.
    pub first_byte: Duration,
}

/// Whether models of this family can stream. Jurassic-2 could not.
#[must_use]
pub const fn streams(family: Family) -> bool {
    !matches!(family, Family::Jurassic)
}

/// The events of `ConverseStream` for this part of an answer, with `padding` characters of padding
/// (62 at most). `usage` and `stop` of `generated` count at the end only.
#[must_use]
pub fn converse_events(generated: &Generated<'_>, part: Part<'_>, padding: usize) -> Vec<Event> {
    let bodies = match part {
        Part::Begin => vec![("messageStart", json!({"role": "assistant"}))],
        Part::Text { text, .. } => vec![(
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": text}}),
        )],
        Part::End { latency_ms, .. } => vec![
            ("contentBlockStop", json!({"contentBlockIndex": 0})),
            (
                "messageStop",
                json!({"stopReason": MESSAGES.write(generated.stop)}),
            ),
            (
                "metadata",
                json!({
                    "metrics": {"latencyMs": latency_ms},
                    "usage": converse::usage(&generated.usage),
                }),
            ),
        ],
    };
    let padded = |(kind, body)| Event {
        kind,
        payload: padded(body, padding),
    };
    bodies.into_iter().map(padded).collect()
}

/// The events of `InvokeModelWithResponseStream` for this part of an answer, with `padding`
/// characters of padding (62 at most). None for a family that cannot stream.
#[must_use]
pub fn chunk_events(
    family: Family,
    generated: &Generated<'_>,
    part: Part<'_>,
    padding: usize,
) -> Vec<Event> {
    let mut chunks = chunks(family, generated, part);
    if let (
        Some(last),
        Part::End {
            latency_ms,
            first_token_ms,
        },
    ) = (chunks.last_mut(), part)
    {
        last[METRICS] = metrics(&generated.usage, latency_ms, first_token_ms);
    }
    let event = |chunk: &Value| Event {
        kind: "chunk",
        payload: padded(
            json!({"bytes": BASE64_STANDARD.encode(to_bytes(chunk))}),
            padding,
        ),
    };
    chunks.iter().map(event).collect()
}

/// Reads one chunk, as the SDK hands it over: without frame, base64 and padding. What is unknown
/// passes, since families add events without notice.
///
/// # Errors
/// Where it is not JSON, or a member that is known is of another type.
pub fn parse_chunk(family: Family, chunk: &[u8]) -> Result<Chunk, WireError> {
    let read = match family {
        Family::Claude => claude::parse_chunk(chunk),
        Family::Llama => llama::parse_chunk(chunk),
        Family::Titan => titan::parse_chunk(chunk),
        Family::Nova => nova::parse_chunk(chunk),
        Family::Command => command::parse_chunk(chunk),
        Family::CommandR => command_r::parse_chunk(chunk),
        Family::Mistral => mistral::parse_chunk(chunk),
        Family::DeepSeek => deepseek::parse_chunk(chunk),
        Family::Jamba | Family::MistralChat | Family::OpenAi => chat::parse_chunk(chunk),
        Family::Jurassic => serde_json::from_slice::<Value>(chunk).map(|_| Chunk::default()),
    };
    // Only the last chunk is read twice.
    if !says_metrics(chunk) {
        return read.map_err(|reason| WireError { family, reason });
    }
    let ended = read.and_then(|read| {
        let last: Last = serde_json::from_slice(chunk)?;
        Ok(Chunk {
            metrics: last.metrics.map(InvocationMetrics::read),
            ..read
        })
    });
    ended.map_err(|reason| WireError { family, reason })
}

fn chunks(family: Family, generated: &Generated<'_>, part: Part<'_>) -> Vec<Value> {
    match family {
        Family::Claude => claude::chunks(generated, part),
        Family::Llama => llama::chunks(generated, part),
        Family::Titan => titan::chunks(generated, part),
        Family::Nova => nova::chunks(generated, part),
        Family::Command => command::chunks(generated, part),
        Family::CommandR => command_r::chunks(generated, part),
        Family::Mistral => mistral::chunks(generated, part),
        Family::DeepSeek => deepseek::chunks(generated, part),
        Family::Jamba => chat::JAMBA.chunks(generated, part),
        Family::MistralChat => chat::MISTRAL.chunks(generated, part),
        Family::OpenAi => chat::OPENAI.chunks(generated, part),
        Family::Jurassic => Vec::new(),
    }
}

/// The member of the last chunk that every family has.
const METRICS: &str = "amazon-bedrock-invocationMetrics";

/// Whether the metrics' name stands anywhere in a chunk. JSON could spell it with escapes; Bedrock
/// does not.
fn says_metrics(chunk: &[u8]) -> bool {
    std::str::from_utf8(chunk).is_ok_and(|text| text.contains(METRICS))
}

fn metrics(usage: &TokenUsage, latency_ms: u64, first_token_ms: u64) -> Value {
    let mut metrics = json!({
        "inputTokenCount": usage.input,
        "outputTokenCount": usage.output,
        "invocationLatency": latency_ms,
        "firstByteLatency": first_token_ms,
    });
    if usage.cache_read + usage.cache_write > Tokens::ZERO {
        metrics["cacheReadInputTokenCount"] = json!(usage.cache_read);
        metrics["cacheWriteInputTokenCount"] = json!(usage.cache_write);
    }
    metrics
}

#[derive(Deserialize)]
struct Last {
    #[serde(rename = "amazon-bedrock-invocationMetrics")]
    metrics: Option<InvocationMetrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvocationMetrics {
    input_token_count: u64,
    output_token_count: u64,
    invocation_latency: u64,
    first_byte_latency: u64,
    cache_read_input_token_count: Option<u64>,
    cache_write_input_token_count: Option<u64>,
}

impl InvocationMetrics {
    fn read(self) -> Metrics {
        Metrics {
            usage: TokenUsage {
                input: Tokens(self.input_token_count),
                output: Tokens(self.output_token_count),
                cache_read: Tokens(self.cache_read_input_token_count.unwrap_or(0)),
                cache_write: Tokens(self.cache_write_input_token_count.unwrap_or(0)),
            },
            latency: Duration::from_millis(self.invocation_latency),
            first_byte: Duration::from_millis(self.first_byte_latency),
        }
    }
}

/// What Bedrock pads with.
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

fn padded(mut body: Value, padding: usize) -> Vec<u8> {
    body["p"] = PADDING[..padding.min(PADDING.len())].into();
    to_bytes(&body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::tests::{any_family, any_stop, any_usage, generated};

    const END: Part<'static> = Part::End {
        latency_ms: 900,
        first_token_ms: 300,
    };

    fn json_of(event: &Event) -> Value {
        serde_json::from_slice(&event.payload).expect("a payload is JSON")
    }

    /// What the SDK hands over of a chunk.
    fn bytes_of(event: &Event) -> Vec<u8> {
        let payload = json_of(event);
        let bytes = payload["bytes"].as_str().expect("a chunk has bytes");
        BASE64_STANDARD.decode(bytes).expect("bytes are base64")
    }

    /// The parts of an answer in these pieces.
    fn parts(pieces: &[String]) -> Vec<Part<'_>> {
        let texts = (0..).zip(pieces);
        let texts = texts.map(|(index, text)| Part::Text { index, text });
        [Part::Begin]
            .into_iter()
            .chain(texts)
            .chain([END])
            .collect()
    }

    /// All chunks of [`generated`] "Be cause.", without the metrics of the last.
    fn chunks_of(family: Family) -> Value {
        let written = generated("Be cause.");
        let pieces = ["Be ".to_owned(), "cause.".to_owned()];
        let chunks = parts(&pieces).into_iter();
        chunks
            .flat_map(|part| super::chunks(family, &written, part))
            .collect()
    }

    /// As recorded in opentelemetry-python-contrib's botocore cassettes, 2025.
    #[test]
    fn converse_events_as_recorded() {
        let written = generated("");
        let text = Part::Text {
            index: 7,
            text: "Hi",
        };
        let events = [Part::Begin, text, END]
            .into_iter()
            .flat_map(|part| converse_events(&written, part, 3));
        let events: Vec<(&str, Value)> =
            events.map(|event| (event.kind, json_of(&event))).collect();
        let usage = json!({"inputTokens": 12, "outputTokens": 34, "totalTokens": 46});
        let delta = json!({"contentBlockIndex": 0, "delta": {"text": "Hi"}, "p": "abc"});
        let expected = vec![
            ("messageStart", json!({"p": "abc", "role": "assistant"})),
            ("contentBlockDelta", delta),
            (
                "contentBlockStop",
                json!({"contentBlockIndex": 0, "p": "abc"}),
            ),
            (
                "messageStop",
                json!({"p": "abc", "stopReason": "max_tokens"}),
            ),
            (
                "metadata",
                json!({"metrics": {"latencyMs": 900}, "p": "abc", "usage": usage}),
            ),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn claude_as_documented() {
        let usage = json!({
            "input_tokens": 12, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 1,
        });
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "the-model",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
        });
        let delta = |text: &str| json!({"type": "text_delta", "text": text});
        let expected = json!([
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0,
             "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": delta("Be ")},
            {"type": "content_block_delta", "index": 0, "delta": delta("cause.")},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": null},
             "usage": {"output_tokens": 34}},
            {"type": "message_stop"},
        ]);
        assert_eq!(chunks_of(Family::Claude), expected);
    }

    #[test]
    fn nova_numbers_a_block_for_every_piece() {
        let usage = json!({
            "inputTokens": 12, "outputTokens": 34, "totalTokens": 46,
            "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 0,
        });
        let expected = json!([
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Be "}}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "cause."}}},
            {"contentBlockStop": {"contentBlockIndex": 1}},
            {"messageStop": {"stopReason": "max_tokens"}},
            {"metadata": {"usage": usage, "metrics": {}, "trace": {}}},
        ]);
        assert_eq!(chunks_of(Family::Nova), expected);
    }

    #[test]
    fn completions_as_documented() {
        let llama = |text: &str, input: Option<u64>, output: u64, stop: Option<&str>| {
            json!({"generation": text, "prompt_token_count": input,
                   "generation_token_count": output, "stop_reason": stop})
        };
        let expected = [
            llama("Be ", Some(12), 1, None),
            llama("cause.", None, 2, None),
            llama("", None, 34, Some("length")),
        ];
        assert_eq!(chunks_of(Family::Llama), json!(expected));
        let mistral = |text: &str, stop: Option<&str>| json!({"outputs": [{"text": text, "stop_reason": stop}]});
        let expected = [
            mistral("Be ", None),
            mistral("cause.", None),
            mistral("", Some("length")),
        ];
        assert_eq!(chunks_of(Family::Mistral), json!(expected));
        assert_eq!(
            chunks_of(Family::Titan)[2],
            json!({"outputText": "", "index": 0, "totalOutputTextTokenCount": 34,
                   "completionReason": "LENGTH", "inputTextTokenCount": 12})
        );
        assert_eq!(
            chunks_of(Family::CommandR)[1],
            json!({"event_type": "text-generation", "text": "Be ", "is_finished": false})
        );
        assert_eq!(
            chunks_of(Family::OpenAi)[1]["choices"][0],
            json!({"index": 0, "delta": {"role": "assistant", "content": "Be "},
                   "finish_reason": null})
        );
        assert_eq!(
            chunks_of(Family::MistralChat)[1]["choices"][0]["message"]["content"],
            json!("Be ")
        );
    }

    #[test]
    fn jurassic_has_no_stream() {
        assert!(!streams(Family::Jurassic));
        let events = chunk_events(Family::Jurassic, &generated(""), END, 0);
        assert_eq!(events, []);
    }

    #[test]
    fn a_chunk_that_nobody_knows_passes_and_one_that_is_no_object_does_not() {
        let unknown = br#"{"type": "ping"}"#;
        let chunk = parse_chunk(Family::Claude, unknown).expect("new events pass");
        assert_eq!(chunk, Chunk::default());
        assert!(parse_chunk(Family::Claude, b"[1").is_err());
    }

    proptest! {
        #[test]
        fn what_is_streamed_is_read(
            family in any_family(),
            pieces in prop::collection::vec(any::<String>(), 0..8),
            usage in any_usage(),
            stop in any_stop(),
            padding in 0_usize..100,
        ) {
            let whole = pieces.concat();
            let written = Generated { usage, stop, ..generated(&whole) };
            let events: Vec<Event> = parts(&pieces)
                .into_iter()
                .flat_map(|part| chunk_events(family, &written, part, padding))
                .collect();
            prop_assert_eq!(!events.is_empty(), streams(family));
            let read: Vec<Chunk> = events
                .iter()
                .map(|event| parse_chunk(family, &bytes_of(event)).expect("our own chunk"))
                .collect();
            if let Some((last, earlier)) = read.split_last() {
                let text: String = read.iter().map(|chunk| chunk.text.as_str()).collect();
                prop_assert_eq!(text, whole);
                let metrics = Metrics {
                    usage,
                    latency: Duration::from_millis(900),
                    first_byte: Duration::from_millis(300),
                };
                prop_assert_eq!(last.metrics, Some(metrics));
                prop_assert!(earlier.iter().all(|chunk| chunk.metrics.is_none()));
                let stops: Vec<StopReason> = read.iter().filter_map(|chunk| chunk.stop).collect();
                prop_assert_eq!(stops, [stop]);
            }
        }

        #[test]
        fn no_bytes_make_a_reader_panic(
            family in any_family(),
            chunk in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = parse_chunk(family, &chunk);
        }

        /// Random bytes are hardly ever JSON; chunks with one byte changed often are.
        #[test]
        fn no_changed_byte_makes_a_reader_panic(
            family in any_family(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            for event in chunk_events(family, &generated(""), END, 0) {
                let mut chunk = bytes_of(&event);
                let at = place.index(chunk.len());
                chunk[at] = byte;
                let _ = parse_chunk(family, &chunk);
            }
        }
    }
}
