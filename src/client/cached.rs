//! Answers remembered, so that the same question is not paid for twice.
//!
//! Promises: a hit takes no quota and makes no call; questions that are alike in every respect and
//! asked at the same time are asked once; memory is bounded in bytes, and no answer is older than its
//! time to live. The key is the whole request: operation, model, texts and every parameter.
//!
//! Deliberately not: a default. Whether an old answer will do, only the application knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::Invoke;
use super::answer::Answer;
use super::error::InvokeError;
use super::prompt::Prompt;

/// What an entry takes besides its text: key, counts and the cache's own books.
const BYTES_PER_ENTRY: usize = 400;

/// A client that remembers answers. Cheap to clone; clones share the memory.
#[derive(Clone, Debug)]
pub struct CachedClient<C> {
    client: C,
    identity: Arc<str>,
    answers: Cache<Key, Arc<Answer>>,
    hits: Arc<AtomicU64>,
    misses: Arc<AtomicU64>,
}

type Key = [u8; 32];

/// What a [`CachedClient`] is told before it begins.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct CachedClientBuilder<C> {
    client: C,
    max_bytes: u64,
    time_to_live: Duration,
}

/// How well a cache does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheMetrics {
    /// Prompts answered from memory, those included that shared a call under way.
    pub hits: u64,
    /// Prompts that were sent on.
    pub misses: u64,
    /// Bytes in memory, about.
    pub bytes: u64,
}

impl<C: Invoke> CachedClient<C> {
    /// Puts a memory before `client`: 64 MiB, for an hour, unless told otherwise.
    pub const fn builder(client: C) -> CachedClientBuilder<C> {
        CachedClientBuilder {
            client,
            max_bytes: 64 << 20,
            time_to_live: Duration::from_secs(3600),
        }
    }

    /// The remembered answer, or a new one. Failures are not remembered.
    ///
    /// # Errors
    /// See [`InvokeError`].
    pub async fn invoke(&self, prompt: &Prompt) -> Result<Answer, InvokeError> {
        let mut asked = false;
        let answer = self.answers.try_get_with(self.key(prompt), async {
            asked = true;
            self.misses.fetch_add(1, Ordering::Relaxed);
            self.client.invoke(prompt).await.map(Arc::new)
        });
        let answer = answer.await.map_err(Arc::unwrap_or_clone)?;
        if !asked {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Arc::unwrap_or_clone(answer))
    }

    /// How well it does.
    pub async fn metrics(&self) -> CacheMetrics {
        self.answers.run_pending_tasks().await;
        CacheMetrics {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            bytes: self.answers.weighted_size(),
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.answers.invalidate_all();
    }

    fn key(&self, prompt: &Prompt) -> Key {
        let request = serde_json::to_vec(&(&*self.identity, prompt))
            .expect("a prompt is made of texts and numbers");
        Sha256::digest(&request).into()
    }
}

impl<C: Invoke> Invoke for CachedClient<C> {
    async fn invoke(&self, prompt: &Prompt) -> Result<Answer, InvokeError> {
        Self::invoke(self, prompt).await
    }

    fn identity(&self) -> String {
        self.identity.to_string()
    }
}

impl<C: Invoke> CachedClientBuilder<C> {
    /// The most bytes of answers, about.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long an answer is good.
    pub const fn time_to_live(mut self, age: Duration) -> Self {
        self.time_to_live = age;
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> CachedClient<C> {
        let answers = Cache::builder()
            .max_capacity(self.max_bytes)
            .weigher(|_key: &Key, answer: &Arc<Answer>| {
                u32::try_from(answer.text.len() + BYTES_PER_ENTRY).unwrap_or(u32::MAX)
            })
            .time_to_live(self.time_to_live)
            .build();
        CachedClient {
            identity: self.client.identity().into(),
            client: self.client,
            answers,
            hits: Arc::default(),
            misses: Arc::default(),
        }
    }
}
