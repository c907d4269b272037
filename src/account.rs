//! What an AWS account says of itself: its quotas, its metrics, and whether a call would be let in.
//!
//! Promises: nothing here changes the account; what fails says why and what to do next; requests are those
//! of the AWS SDK, with its own retries.
//!
//! Deliberately not: a place that stores or prints credentials. They stay in the SDK.

pub mod metrics;
pub mod preflight;
pub mod quotas;

use std::error::Error;

use aws_sdk_servicequotas::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::exchange::credentials_error;

/// Why the account did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The SDK found no credentials, or AWS does not accept them.
    #[error(
        "no valid AWS credentials ({0}): log in (`aws sso login`, `aws configure`), or name a profile with \
         `--profile`"
    )]
    Credentials(String),
    /// It is not known which Region to ask.
    #[error("no AWS Region: give `--region`, or set AWS_REGION")]
    Region,
    /// The credentials may not do this.
    #[error("these credentials may not do this ({message}): allow the action `{action}` in IAM")]
    Denied {
        /// The IAM action.
        action: &'static str,
        /// The service's words.
        message: String,
    },
    /// Nothing answered.
    #[error("{service} could not be reached ({message}): check the Region's name and the network")]
    Unreachable {
        /// The service.
        service: &'static str,
        /// What happened.
        message: String,
    },
    /// It answered with an error.
    #[error("{service} answered {code}: {message}")]
    Refused {
        /// The service.
        service: &'static str,
        /// The error's name.
        code: String,
        /// The service's words.
        message: String,
    },
}

/// Names of errors that mean that credentials are not accepted. Source: AWS General Reference, "Common
/// errors".
const NOT_ACCEPTED: [&str; 6] = [
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredTokenException",
    "ExpiredToken",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
];

impl AccountError {
    fn of<E, R>(service: &'static str, action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(answer) = error {
            let code = answer.err().code().unwrap_or("an error without a name");
            let message = answer.err().message().unwrap_or("no words").to_owned();
            return match code {
                code if NOT_ACCEPTED.contains(&code) => Self::Credentials(message),
                "AccessDeniedException" | "AccessDenied" => Self::Denied { action, message },
                code => Self::Refused {
                    service,
                    code: code.to_owned(),
                    message,
                },
            };
        }
        match credentials_error(error) {
            Some(error) => Self::Credentials(error.to_string()),
            None => Self::Unreachable {
                service,
                message: last_cause(error),
            },
        }
    }
}

/// The bottom of a chain of errors says most in the fewest words.
fn last_cause(error: &(dyn Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    let words = at.to_string();
    if words.is_empty() {
        DisplayErrorContext(error).to_string()
    } else {
        words
    }
}
