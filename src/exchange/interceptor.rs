//! Hooks into the SDK: what its typed input and output leave out.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::outcome::{AttemptId, Dispatch};
use crate::units::{TokenUsage, Tokens};
use crate::wire::headers;

/// Tells the stub which attempt of which request this is, and how long its answer should be, so that
/// the stub and the simulator draw the same numbers for it. Never sent to Bedrock.
pub const CALL_HEADER: &str = "x-bedload-call";

/// Adds [`CALL_HEADER`].
#[derive(Debug)]
pub struct CallHeader(String);

impl CallHeader {
    /// The header of this attempt.
    #[must_use]
    pub fn new(dispatch: &Dispatch) -> Self {
        Self(format!(
            "{}.{}.{}",
            dispatch.id.request, dispatch.id.attempt, dispatch.output.0
        ))
    }

    /// The attempt and the output tokens that a header's value names.
    #[must_use]
    pub fn read(value: &str) -> Option<(AttemptId, Tokens)> {
        let mut parts = value.split('.');
        let request = parts.next()?.parse().ok()?;
        let attempt = parts.next()?.parse().ok()?;
        let output = parts.next()?.parse().ok()?;
        Some((
            AttemptId {
                request,
                attempt,
                slot: 0,
            },
            Tokens(output),
        ))
    }

    fn add(&self, context: &mut BeforeTransmitInterceptorContextMut<'_>) {
        context
            .request_mut()
            .headers_mut()
            .insert(CALL_HEADER, self.0.clone());
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for CallHeader {
    fn name(&self) -> &'static str {
        "CallHeader"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.add(context);
        Ok(())
    }
}

/// What the headers of an `InvokeModel` answer say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub usage: Option<TokenUsage>,
    pub latency: Option<Duration>,
}

/// Reads the token counts that `InvokeModelOutput` does not model.
#[derive(Debug)]
pub struct UsageHeaders {
    seen: Arc<OnceLock<Seen>>,
    call: Option<CallHeader>,
}

impl UsageHeaders {
    pub const fn new(seen: Arc<OnceLock<Seen>>, call: Option<CallHeader>) -> Self {
        Self { seen, call }
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for UsageHeaders {
    fn name(&self) -> &'static str {
        "UsageHeaders"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = &self.call {
            call.add(context);
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let sent = context.response().headers();
        let usage = headers::usage_from_headers(|name| sent.get(name));
        let latency = headers::latency_from_headers(|name| sent.get(name));
        // Only the first answer counts; with retries off there is no other.
        let _already_set = self.seen.set(Seen { usage, latency });
        Ok(())
    }
}
