//! What holds for every family, and what the families' own tests share.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::units::Tokens;

const FAMILIES: [Family; 12] = [
    Family::Claude,
    Family::Llama,
    Family::Titan,
    Family::Nova,
    Family::Command,
    Family::CommandR,
    Family::Jamba,
    Family::Jurassic,
    Family::Mistral,
    Family::MistralChat,
    Family::DeepSeek,
    Family::OpenAi,
];

/// A prompt that sets nothing but its text.
pub(super) fn plain_prompt() -> Prompt<'static> {
    Prompt {
        text: "Why?",
        system: None,
        max_tokens: None,
        temperature: None,
        top_p: None,
        stop: &[],
    }
}

/// A prompt that sets everything.
pub(super) fn full_prompt() -> Prompt<'static> {
    static STOP: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["END".to_owned()]);
    Prompt {
        text: "Why?",
        system: Some("Be brief."),
        max_tokens: Some(500),
        temperature: Some(0.7),
        top_p: Some(0.9),
        stop: &*STOP,
    }
}

/// An answer of 34 tokens to 12, cut off by `max_tokens`.
pub(super) fn generated(text: &str) -> Generated<'_> {
    Generated {
        text,
        usage: TokenUsage {
            input: Tokens(12),
            output: Tokens(34),
            ..TokenUsage::default()
        },
        stop: StopReason::MaxTokens,
        model: "the-model",
        id: "msg_1",
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a body is JSON")
}

/// The client writes this prompt so, and the server can read it.
pub(super) fn assert_request(family: Family, prompt: &Prompt<'_>, documented: &str) {
    let body = request_body(family, prompt);
    assert_eq!(json(&body), json(documented.as_bytes()));
    let incoming = parse_request(family, &body).expect("the server reads what the client writes");
    let default = (family == Family::Claude).then_some(CLAUDE_MAX_TOKENS);
    assert_eq!(incoming.max_tokens, prompt.max_tokens.or(default));
}

/// The server writes [`generated`] "Because." so, and the client reads it back.
pub(super) fn assert_response(family: Family, documented: &str) {
    let written = generated("Because.");
    assert_eq!(
        json(&response_body(family, &written)),
        json(documented.as_bytes())
    );
    let reply = parse_response(family, documented.as_bytes()).expect("a documented response");
    let usage = has_usage(family).then_some(written.usage);
    let expected = Reply {
        text: "Because.".to_owned(),
        usage,
        stop: StopReason::MaxTokens,
    };
    assert_eq!(reply, expected);
}

const fn has_usage(family: Family) -> bool {
    match family {
        Family::Claude
        | Family::Llama
        | Family::Titan
        | Family::Nova
        | Family::Jamba
        | Family::OpenAi => true,
        Family::Command
        | Family::CommandR
        | Family::Jurassic
        | Family::Mistral
        | Family::MistralChat
        | Family::DeepSeek => false,
    }
}

/// How many characters a family adds to a prompt with a system prompt.
fn template_chars(family: Family) -> u64 {
    let empty = Prompt {
        text: "",
        system: Some(""),
        ..plain_prompt()
    };
    parse_request(family, &request_body(family, &empty))
        .expect("an empty prompt is valid")
        .text_chars
}

#[test]
fn a_template_counts_like_any_text() {
    assert_eq!(template_chars(Family::Claude), 0);
    assert_eq!(template_chars(Family::Titan), "\n\n".len() as u64);
    assert_eq!(
        template_chars(Family::Mistral),
        "<s>[INST] \n\n [/INST]".len() as u64
    );
}

#[test]
fn broken_responses_say_what_is_wrong() {
    let message = |family, body: &str| {
        parse_response(family, body.as_bytes())
            .expect_err("the body is broken")
            .to_string()
    };
    assert_eq!(
        message(Family::Llama, r#"{"stop_reason": "stop"}"#),
        "cannot read the Llama response: missing field `generation` at line 1 column 23"
    );
    assert_eq!(
        message(Family::Titan, r#"{"results": []}"#),
        "cannot read the Titan response: `results` is empty"
    );
    assert_eq!(
        message(Family::Claude, "<html>"),
        "cannot read the Claude response: expected value at line 1 column 1"
    );
}

#[test]
fn a_response_cut_off_half_way_is_an_error_and_an_empty_object_is_too() {
    for family in FAMILIES {
        let body = response_body(family, &generated("Because."));
        assert!(
            parse_response(family, &body[..body.len() / 2]).is_err(),
            "{family:?}"
        );
        assert!(parse_usage(family, b"{}").is_err(), "{family:?}");
    }
}

#[test]
fn no_family_takes_another_key_but_openai() {
    for family in FAMILIES {
        let mut body = json(&request_body(family, &full_prompt()));
        body["top_secret"] = true.into();
        let read = parse_request(family, body.to_string().as_bytes());
        let extraneous = "Malformed input request: #: extraneous key [top_secret] is not permitted, \
                          please reformat your input and try again.";
        let expected = (family != Family::OpenAi).then_some(extraneous);
        assert_eq!(read.err().as_deref(), expected, "{family:?}");
    }
}

#[test]
fn cache_counts_go_where_the_body_has_a_place_for_them() {
    let usage = TokenUsage {
        input: Tokens(1),
        output: Tokens(2),
        cache_read: Tokens(3),
        cache_write: Tokens(4),
    };
    for family in [Family::Claude, Family::Nova] {
        let body = response_body(
            family,
            &Generated {
                usage,
                ..generated("")
            },
        );
        assert_eq!(
            parse_usage(family, &body).expect("our own body").0,
            Some(usage)
        );
    }
}

pub(super) fn any_family() -> impl Strategy<Value = Family> {
    prop::sample::select(FAMILIES.as_slice())
}

/// Stop reasons that every family can tell apart.
pub(super) fn any_stop() -> impl Strategy<Value = StopReason> {
    prop::sample::select(
        [
            StopReason::EndTurn,
            StopReason::MaxTokens,
            StopReason::Other,
        ]
        .as_slice(),
    )
}

/// Counts whose totals no body has to saturate.
pub(super) fn any_usage() -> impl Strategy<Value = TokenUsage> {
    (0..u64::MAX / 4, 0..u64::MAX / 4).prop_map(|(input, output)| TokenUsage {
        input: Tokens(input),
        output: Tokens(output),
        ..TokenUsage::default()
    })
}

proptest! {
    #[test]
    fn the_server_measures_what_the_client_sends(
        family in any_family(),
        text in any::<String>(),
        system in any::<String>(),
        max_tokens in 1..u64::MAX,
    ) {
        let max_tokens = Some(max_tokens);
        let prompt = Prompt { text: &text, system: Some(&system), max_tokens, ..full_prompt() };
        let incoming = parse_request(family, &request_body(family, &prompt)).expect("our own body");
        let said = (text.chars().count() + system.chars().count()) as u64;
        prop_assert_eq!(incoming.text_chars, said + template_chars(family));
        prop_assert_eq!(incoming.max_tokens, max_tokens);
    }

    #[test]
    fn the_client_reads_what_the_server_answers(
        family in any_family(),
        text in any::<String>(),
        usage in any_usage(),
        stop in any_stop(),
    ) {
        let body = response_body(family, &Generated { usage, stop, ..generated(&text) });
        let usage = has_usage(family).then_some(usage);
        prop_assert_eq!(parse_usage(family, &body).expect("our own body"), (usage, stop));
        let reply = parse_response(family, &body).expect("our own body");
        prop_assert_eq!(reply, Reply { text, usage, stop });
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        family in any_family(),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = parse_response(family, &body);
        let _ = parse_usage(family, &body);
        let _ = parse_request(family, &body);
    }

    /// Random bytes are hardly ever JSON; bodies with one byte changed often are.
    #[test]
    fn no_changed_byte_makes_a_reader_panic(
        family in any_family(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut answer = response_body(family, &generated("Because."));
        let at = place.index(answer.len());
        answer[at] = byte;
        let _ = parse_response(family, &answer);
        let mut request = request_body(family, &full_prompt());
        let at = place.index(request.len());
        request[at] = byte;
        let _ = parse_request(family, &request);
    }
}
