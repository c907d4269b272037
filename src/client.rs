//! Bedrock for applications: invoke a model, within a quota.
//!
//! [`BedrockClient`] makes calls: every family of `InvokeModel`, and `Converse`; errors that can be
//! matched; retries with full jitter and a budget; answers whole or as an [`AnswerStream`]. [`QuotaAwareClient`] is the same behind the very
//! limiter that scenarios tune: a call waits its turn, or is told which quota is short, by how much
//! and until when. [`queue()`] submits many, [`CachedClient`] remembers answers.
//!
//! ```no_run
//! use bedload::client::{BedrockClient, Prompt, QuotaAwareClient};
//! use bedload::exchange::account_config;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = account_config(None, None, None).await;
//! let bedrock = BedrockClient::builder("us.anthropic.claude-haiku-4-5-20251001-v1:0")
//!     .build(&config)?;
//! let client = QuotaAwareClient::builder(bedrock)
//!     .max_rpm(60)
//!     .max_tpm(100_000)
//!     .build()?;
//! let answer = client
//!     .invoke(&Prompt::new("Why do rivers meander?").max_tokens(300))
//!     .await?;
//! assert!(answer.usage.output.0 <= 300);
//! # Ok(())
//! # }
//! ```
//!
//! Promises: clients are cheap to clone and safe to share between tasks; a future that is dropped
//! gives its place in the queue back; a call that is given up keeps its reservation as spent, since
//! the service may be at work on it still; nothing is retried that cannot be mended.

mod answer;
mod bedrock;
mod cached;
mod error;
mod limiter;
mod prompt;
mod queue;
mod quota_aware;
mod retry;
mod stream;

use std::future::Future;

pub use self::answer::Answer;
pub use self::bedrock::{BedrockClient, BedrockClientBuilder};
pub use self::cached::{CacheMetrics, CachedClient, CachedClientBuilder};
pub use self::error::{BuildError, Details, InvokeError, QuotaExceeded, Throttle};
pub use self::limiter::{Denied, SharedLimiter, SharedPermit};
pub use self::prompt::Prompt;
pub use self::queue::{Order, Results, Submitter, queue};
pub use self::quota_aware::{Metrics, QuotaAwareClient, QuotaAwareClientBuilder};
pub use self::retry::RetryBudget;
pub use self::stream::AnswerStream;

/// Whatever answers prompts: a client, or one with something before it.
pub trait Invoke: Clone + Send + Sync + 'static {
    /// Answers `prompt`.
    ///
    /// # Errors
    /// See [`InvokeError`].
    fn invoke(&self, prompt: &Prompt) -> impl Future<Output = Result<Answer, InvokeError>> + Send;

    /// What tells its answers from those of another model or operation, for caches.
    fn identity(&self) -> String;
}
