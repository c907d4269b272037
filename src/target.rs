//! Where requests go on the real clock.

pub mod bedrock;
#[cfg(feature = "stub")]
pub mod stub;

use std::future::Future;

use crate::outcome::{AttemptOutcome, Dispatch};

/// Something that calls can be sent to.
pub trait Target {
    /// Sends one attempt and waits for its end, for no longer than the scenario's request timeout.
    ///
    /// The future owns what it needs. It notes `sent` when it is first polled, not when it is made.
    fn send(&self, dispatch: Dispatch) -> impl Future<Output = AttemptOutcome> + Send + 'static;
}
