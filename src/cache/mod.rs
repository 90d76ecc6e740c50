//! A cache that is never the only copy of anything: in-process by default, Redis when it is configured. Losing it makes
//! the service slower, never wrong; no call here fails.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refusal::Outcome;

mod memory;
mod redis;

/// Longer answers are not kept: the cache is bounded in answers, not in bytes.
const KEPT_BYTES_MAX: usize = 1_000_000;

/// The two engines behind one contract; `tests/api` runs the same behaviour suite on both.
#[derive(Clone, Debug)]
pub enum Cache {
    Memory(memory::Memory),
    Redis(redis::Redis),
}

/// What a cached answer shows. Writes drop the whole topic by moving its generation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Public lot pages.
    PublicLots,
    /// Report answers.
    Reports,
}

impl Topic {
    const ALL: [Self; 2] = [Self::PublicLots, Self::Reports];

    const fn as_str(self) -> &'static str {
        match self {
            Self::PublicLots => "public_lots",
            Self::Reports => "reports",
        }
    }
}

impl Cache {
    /// A cache in this process.
    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(memory::Memory::new())
    }

    /// A cache in Redis. Does not connect yet: the service starts without Redis and uses it once it is there.
    /// Services with different databases may share one Redis; `namespace` keeps them apart.
    pub fn redis(url: &str, namespace: &str) -> Result<Self, ::redis::RedisError> {
        Ok(Self::Redis(redis::Redis::new(url, namespace)?))
    }

    /// The text stored for `key` under the topic's present generation.
    pub async fn get(&self, topic: Topic, key: &str) -> Option<String> {
        match self {
            Self::Memory(memory) => memory.get(topic, key),
            Self::Redis(redis) => redis.get(topic, key).await,
        }
    }

    /// Stores a text for at most `kept`. `generation` is what [`Cache::generation`] said before the text was read from
    /// the database: a write in between makes the text unreachable instead of stale.
    pub async fn put(&self, topic: Topic, generation: u64, key: &str, text: String, kept: Duration) {
        match self {
            Self::Memory(memory) => memory.put(topic, generation, key, text, kept),
            Self::Redis(redis) => redis.put(topic, generation, key, text, kept).await,
        }
    }

    /// The answer kept under `key`, or what `read` finds, kept from then on for at most `kept`. The generation is read first,
    /// so that a write in between makes the answer unreachable instead of stale.
    pub async fn answer<T, W>(
        &self,
        topic: Topic,
        key: &str,
        kept: Duration,
        read: impl FnOnce() -> W + Send,
    ) -> Outcome<T>
    where
        T: Serialize + DeserializeOwned,
        W: Future<Output = Outcome<T>> + Send,
    {
        if let Some(text) = self.get(topic, key).await
            && let Ok(answer) = serde_json::from_str(&text)
        {
            return Ok(answer);
        }
        let generation = self.generation(topic).await;
        let answer = read().await?;
        if let (Some(generation), Ok(text)) = (generation, serde_json::to_string(&answer))
            && text.len() <= KEPT_BYTES_MAX
        {
            self.put(topic, generation, key, text, kept).await;
        }
        Ok(answer)
    }

    /// The topic's present generation; `None` when the cache is away, and then nothing should be stored.
    pub async fn generation(&self, topic: Topic) -> Option<u64> {
        match self {
            Self::Memory(memory) => Some(memory.generation(topic)),
            Self::Redis(redis) => redis.generation(topic).await,
        }
    }

    /// Drops everything stored under the topic. Called after the transaction that changed what it shows has committed.
    pub async fn drop_topic(&self, topic: Topic) {
        match self {
            Self::Memory(memory) => memory.drop_topic(topic),
            Self::Redis(redis) => redis.drop_topic(topic).await,
        }
    }

    /// Drops everything of every topic: stock shows in lot pages and in reports alike.
    pub async fn drop_all(&self) {
        match self {
            Self::Memory(memory) => Topic::ALL.into_iter().for_each(|topic| memory.drop_topic(topic)),
            Self::Redis(redis) => redis.drop_all().await,
        }
    }

    /// Counts one more `name` within a window that begins with the first; answers the count so far. When Redis is away
    /// the count is kept in this process, so that a limiter keeps limiting.
    pub async fn count(&self, name: &str, window: Duration) -> u64 {
        match self {
            Self::Memory(memory) => memory.count(name, window),
            Self::Redis(redis) => redis.count(name, window).await,
        }
    }

    /// The count so far, without adding to it.
    pub async fn counted(&self, name: &str) -> u64 {
        match self {
            Self::Memory(memory) => memory.counted(name),
            Self::Redis(redis) => redis.counted(name).await,
        }
    }

    /// Forgets a count, after a success.
    pub async fn forget_count(&self, name: &str) {
        match self {
            Self::Memory(memory) => memory.forget_count(name),
            Self::Redis(redis) => redis.forget_count(name).await,
        }
    }
}
