//! The server's side of `CountTokens` (AWS, Bedrock Runtime API reference, `CountTokens`), which
//! takes the body of an `InvokeModel` or of a `Converse` call and costs nothing.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::error::MALFORMED;
use super::{Incoming, converse, parse_request, to_bytes};
use crate::catalogue::Family;
use crate::units::Tokens;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    input: Input<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Input<'a> {
    InvokeModel {
        body: String,
    },
    #[serde(borrow)]
    Converse(&'a RawValue),
}

/// Reads a `CountTokens` request for a model of this family.
///
/// # Errors
/// The message of a `ValidationException`, as the operation asked about would give it.
pub fn parse(family: Family, body: &[u8]) -> Result<Incoming, String> {
    let request: Request<'_> = serde_json::from_slice(body).map_err(|_| MALFORMED.to_owned())?;
    match request.input {
        Input::InvokeModel { body } => {
            let body = BASE64_STANDARD.decode(body);
            parse_request(family, &body.map_err(|_| MALFORMED.to_owned())?)
        }
        Input::Converse(body) => converse::parse_request(body.get().as_bytes()),
    }
}

/// The body of an answer.
#[must_use]
pub fn response_body(input: Tokens) -> Vec<u8> {
    to_bytes(&json!({"inputTokens": input}))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::request_body;
    use crate::wire::tests::{any_family, plain_prompt};

    #[test]
    fn what_converse_would_be_sent_is_counted() {
        let body = br#"{"input": {"converse": {"messages": [
            {"role": "user", "content": [{"text": "Why?"}]}], "system": [{"text": "Be brief."}]}}}"#;
        let incoming = parse(Family::Nova, body).expect("as documented");
        assert_eq!(incoming.text_chars, 13);
    }

    #[test]
    fn what_is_malformed_is_said_so() {
        for body in [
            &b"{"[..],
            b"{}",
            br#"{"input": {}}"#,
            br#"{"input": {"invokeModel": {"body": "?"}}}"#,
        ] {
            assert_eq!(parse(Family::Nova, body), Err(MALFORMED.to_owned()));
        }
        let wrong = br#"{"input": {"converse": {"messages": 1}}}"#;
        let message = parse(Family::Nova, wrong).expect_err("messages is a list");
        assert!(message.contains("#/messages"), "{message}");
    }

    proptest! {
        #[test]
        fn what_a_family_would_be_sent_is_counted_as_it_would_be(family in any_family()) {
            let body = request_body(family, &plain_prompt());
            let encoded = BASE64_STANDARD.encode(&body);
            let question = json!({"input": {"invokeModel": {"body": encoded}}});
            prop_assert_eq!(parse(family, &to_bytes(&question)), parse_request(family, &body));
        }

        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(Family::Claude, &body);
        }
    }
}
