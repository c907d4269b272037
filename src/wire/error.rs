//! Bedrock's errors on the wire, in both directions: [`Failure`] to status, exception and words,
//! and back.
//!
//! Promises: `classify` undoes `for_failure`; an error that nobody has seen before still gets a
//! class. Throttles are told apart by their words, which is all that Bedrock gives: there are no
//! rate-limit headers and no `Retry-After`.
//!
//! Sources: names and codes from the service model of Bedrock Runtime (botocore 1.44.5); words from
//! public captures, or else from the model's own documentation of the exception.

use serde_json::json;

use super::to_bytes;
use crate::outcome::Failure;
use crate::units::Tokens;

/// An error as the service answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// The exception's name, such as `ThrottlingException`.
    pub exception: &'static str,
    /// The service's words.
    pub message: String,
}

impl ServiceError {
    fn new(status: u16, exception: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            exception,
            message: message.into(),
        }
    }

    /// 400: the request is wrong, and this is why.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    /// 400: the model is reached only through an inference profile.
    #[must_use]
    pub fn profile_only(model_id: &str) -> Self {
        Self::validation(format!(
            "Invocation of model ID {model_id} with on-demand throughput isn\u{2019}t supported. \
             Retry your request with the ID or ARN of an inference profile that contains this model."
        ))
    }

    /// 400: `max_tokens` is above the model's limit.
    #[must_use]
    pub fn max_tokens_too_large(limit: Tokens) -> Self {
        let limit = limit.0;
        Self::validation(format!(
            "The maximum tokens you requested exceeds the model limit of {limit}. \
             Try again with a maximum tokens value that is lower than {limit}."
        ))
    }
}

/// What it says of a body that it cannot read at all.
pub(super) const MALFORMED: &str =
    "Malformed input request, please reformat your input and try again.";

/// How the service would say that a call failed so. None for what never comes from the service: a
/// time-out of ours, a broken connection, an answer that cannot be used.
///
/// Words that name a model or a limit are without them here; [`ServiceError::max_tokens_too_large`]
/// has its limit.
#[must_use]
pub fn for_failure(failure: Failure) -> Option<ServiceError> {
    let throttling = |words| ServiceError::new(429, "ThrottlingException", words);
    let error = match failure {
        Failure::ThrottledRequests => {
            throttling("Too many requests, please wait before trying again.")
        }
        Failure::ThrottledTokens => throttling("Too many tokens, please wait before trying again."),
        Failure::ThrottledTokensPerDay => {
            throttling("Too many tokens per day, please wait before trying again.")
        }
        Failure::ThrottledOther => {
            throttling("Model is currently overloaded. Please try again later.")
        }
        Failure::Validation => ServiceError::validation(MALFORMED),
        Failure::InputTooLong => ServiceError::validation("Input is too long for requested model."),
        Failure::MaxTokensTooLarge => ServiceError::validation(
            "The maximum tokens you requested exceeds the model limit. \
             Try again with a maximum tokens value that is lower.",
        ),
        other => {
            let (status, exception, words) = plain_answer(other)?;
            ServiceError::new(status, exception, words)
        }
    };
    Some(error)
}

/// Status, exception and words of a failure that shares its exception with no other.
const fn plain_answer(failure: Failure) -> Option<(u16, &'static str, &'static str)> {
    Some(match failure {
        Failure::ModelNotReady => (
            429,
            "ModelNotReadyException",
            "The model specified in the request is not ready to serve inference requests.",
        ),
        Failure::Unavailable => (
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        Failure::InternalServer => (
            500,
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        Failure::ModelTimeout => (
            408,
            "ModelTimeoutException",
            "Processing time exceeded the model timeout length.",
        ),
        Failure::ModelError => (
            424,
            "ModelErrorException",
            "The request failed due to an error while processing the model.",
        ),
        Failure::ModelStreamError => (
            424,
            "ModelStreamErrorException",
            "An error occurred while streaming the response. Retry your request.",
        ),
        Failure::AccessDenied => (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        Failure::NotFound => (
            404,
            "ResourceNotFoundException",
            "The specified resource ARN was not found. Check the ARN and try your request again.",
        ),
        Failure::QuotaExceeded => (
            400,
            "ServiceQuotaExceededException",
            "Your request exceeds the service quota for your account.",
        ),
        Failure::OtherService => (
            400,
            "ConflictException",
            "Error occurred because of a conflict while performing an operation.",
        ),
        _ => return None,
    })
}

/// The value of the `x-amzn-errortype` header, as captured from the service.
#[must_use]
pub fn error_type_header(exception: &str) -> String {
    format!("{exception}:http://internal.amazon.com/coral/com.amazon.bedrock/")
}

/// The body of an error.
#[must_use]
pub fn error_body(message: &str) -> Vec<u8> {
    to_bytes(&json!({ "message": message }))
}

/// The class of an error that the service answered.
///
/// `exception` is taken as it comes: an error code of the SDK, the `x-amzn-errortype` header, a
/// body's `__type`, or the `:exception-type` of a stream's frame. Where it is missing or unknown,
/// the status decides.
#[must_use]
pub fn classify(exception: Option<&str>, status: u16, message: &str) -> Failure {
    let class = exception
        .and_then(by_name)
        .unwrap_or_else(|| by_status(status));
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    match class {
        Failure::ThrottledOther if says("too many tokens per day") => {
            Failure::ThrottledTokensPerDay
        }
        Failure::ThrottledOther if says("too many tokens") => Failure::ThrottledTokens,
        Failure::ThrottledOther if says("too many requests") => Failure::ThrottledRequests,
        Failure::Validation if TOO_LONG.iter().any(|words| says(words)) => Failure::InputTooLong,
        Failure::Validation if TOO_MANY.iter().any(|words| says(words)) => {
            Failure::MaxTokensTooLarge
        }
        class => class,
    }
}

/// Bedrock's own words, Claude's, and the schema's of older models.
const TOO_LONG: [&str; 3] = [
    "input is too long",
    "prompt is too long",
    "expected maxlength:",
];

/// Bedrock's own words and Claude's.
const TOO_MANY: [&str; 2] = [
    "maximum tokens you requested exceeds",
    "which is the maximum allowed number of output tokens",
];

/// Exceptions by name, before their words are looked at. Those after `ConflictException` come from
/// AWS's front door, before Bedrock sees the request.
const EXCEPTIONS: [(&str, Failure); 20] = [
    ("ThrottlingException", Failure::ThrottledOther),
    ("ModelNotReadyException", Failure::ModelNotReady),
    ("ServiceUnavailableException", Failure::Unavailable),
    ("InternalServerException", Failure::InternalServer),
    ("ModelTimeoutException", Failure::ModelTimeout),
    ("ModelErrorException", Failure::ModelError),
    ("ModelStreamErrorException", Failure::ModelStreamError),
    ("ValidationException", Failure::Validation),
    ("AccessDeniedException", Failure::AccessDenied),
    ("ResourceNotFoundException", Failure::NotFound),
    ("ServiceQuotaExceededException", Failure::QuotaExceeded),
    ("ConflictException", Failure::OtherService),
    ("UnrecognizedClientException", Failure::AccessDenied),
    ("ExpiredTokenException", Failure::AccessDenied),
    ("ExpiredToken", Failure::AccessDenied),
    ("InvalidClientTokenId", Failure::AccessDenied),
    ("InvalidSignatureException", Failure::AccessDenied),
    ("SignatureDoesNotMatch", Failure::AccessDenied),
    ("IncompleteSignatureException", Failure::AccessDenied),
    ("MissingAuthenticationTokenException", Failure::AccessDenied),
];

/// Case is ignored, since streams spell the names with a small first letter.
fn by_name(exception: &str) -> Option<Failure> {
    let name = exception
        .split_once(':')
        .map_or(exception, |(name, _)| name);
    let name = name.rsplit_once('#').map_or(name, |(_, name)| name).trim();
    let known = EXCEPTIONS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|&(_, class)| class)
}

const fn by_status(status: u16) -> Failure {
    match status {
        400 => Failure::Validation,
        401 | 403 => Failure::AccessDenied,
        404 => Failure::NotFound,
        408 => Failure::ModelTimeout,
        424 => Failure::ModelError,
        429 => Failure::ThrottledOther,
        500 => Failure::InternalServer,
        503 => Failure::Unavailable,
        _ => Failure::OtherService,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classify_undoes_for_failure() {
        for &failure in Failure::ALL {
            if let Some(error) = for_failure(failure) {
                assert_eq!(
                    classify(Some(error.exception), error.status, &error.message),
                    failure
                );
                let header = error_type_header(error.exception);
                assert_eq!(
                    classify(Some(&header), error.status, &error.message),
                    failure
                );
            }
        }
    }

    #[test]
    fn what_is_ours_is_never_the_services_answer() {
        let ours: Vec<Failure> = Failure::ALL
            .iter()
            .copied()
            .filter(|&failure| for_failure(failure).is_none())
            .collect();
        let expected = [
            Failure::Timeout,
            Failure::Transport,
            Failure::Interrupted,
            Failure::UsageMissing,
            Failure::Unreadable,
            Failure::Client,
        ];
        assert_eq!(ours, expected);
    }

    #[test]
    fn the_wire_is_as_captured() {
        assert_eq!(
            error_type_header("ThrottlingException"),
            "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/"
        );
        let throttle = for_failure(Failure::ThrottledRequests).expect("a service answer");
        let body = error_body(&throttle.message);
        assert_eq!(
            body,
            br#"{"message":"Too many requests, please wait before trying again."}"#
        );
        // The content-length that was captured with it.
        assert_eq!((throttle.status, body.len()), (429, 65));
    }

    #[test]
    fn the_two_meanings_of_429_are_told_apart_by_the_code() {
        assert_eq!(
            classify(Some("ModelNotReadyException"), 429, ""),
            Failure::ModelNotReady
        );
        assert_eq!(
            classify(Some("ThrottlingException"), 429, ""),
            Failure::ThrottledOther
        );
        assert_eq!(
            classify(None, 429, "Too many tokens, please wait"),
            Failure::ThrottledTokens
        );
    }

    #[test]
    fn words_seen_in_the_wild() {
        let seen = [
            (
                "ThrottlingException",
                429,
                "Too many requests, please wait before trying again. \
                 You have sent too many requests.  Wait before trying again.",
                Failure::ThrottledRequests,
            ),
            (
                "ServiceUnavailableException",
                503,
                "Too many connections, please wait before trying again.",
                Failure::Unavailable,
            ),
            (
                "ValidationException",
                400,
                "The model returned the following errors: Input is too long for requested model.",
                Failure::InputTooLong,
            ),
            (
                "ValidationException",
                400,
                "The model returned the following errors: \
                 prompt is too long: 200049 tokens > 200000 maximum",
                Failure::InputTooLong,
            ),
            (
                "ValidationException",
                400,
                "Malformed input request: expected maxLength: 42000, actual: 46735, \
                 please reformat your input and try again.",
                Failure::InputTooLong,
            ),
            (
                "ValidationException",
                400,
                "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens \
                 for claude-3-5-sonnet-20241022",
                Failure::MaxTokensTooLarge,
            ),
            (
                "ValidationException",
                400,
                "The provided model identifier is invalid.",
                Failure::Validation,
            ),
            (
                "UnrecognizedClientException",
                403,
                "The security token included in the request is invalid.",
                Failure::AccessDenied,
            ),
        ];
        for (exception, status, message, class) in seen {
            assert_eq!(
                classify(Some(exception), status, message),
                class,
                "{message}"
            );
        }
    }

    #[test]
    fn limits_are_named() {
        let error = ServiceError::max_tokens_too_large(Tokens(10_000));
        assert_eq!(
            error.message,
            "The maximum tokens you requested exceeds the model limit of 10000. \
             Try again with a maximum tokens value that is lower than 10000."
        );
        let class = classify(Some(error.exception), error.status, &error.message);
        assert_eq!(class, Failure::MaxTokensTooLarge);
    }

    #[test]
    fn names_are_read_in_every_spelling() {
        let spellings = [
            "serviceUnavailableException",
            "com.amazon.coral.service#ServiceUnavailableException",
            "ServiceUnavailableException:http://internal.amazon.com/",
        ];
        for spelling in spellings {
            assert_eq!(
                classify(Some(spelling), 200, ""),
                Failure::Unavailable,
                "{spelling}"
            );
        }
    }

    #[test]
    fn strangers_are_classed_by_status() {
        assert_eq!(
            classify(Some("TeapotException"), 500, ""),
            Failure::InternalServer
        );
        assert_eq!(
            classify(Some("TeapotException"), 418, ""),
            Failure::OtherService
        );
        assert_eq!(classify(None, 0, ""), Failure::OtherService);
    }
}
