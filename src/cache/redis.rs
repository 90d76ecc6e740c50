//! The Redis cache. Every failure is a miss, logged once per outage; counts fall back to this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, RedisError, Script};
use tokio::sync::Mutex;

use super::Topic;
use super::memory::Memory;

#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    namespace: String,
    fallback: Memory,
    is_away: Arc<AtomicBool>,
    /// How often all answers were asked to be dropped, and how many of these requests have been served.
    asked: Arc<AtomicU64>,
    dropped: Arc<Mutex<u64>>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// Half a second for a connection or an answer: beyond that the database is quicker.
    pub fn new(url: &str, namespace: &str) -> Result<Self, RedisError> {
        let limit = Some(Duration::from_millis(500));
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_connection_timeout(limit)
            .set_response_timeout(limit);
        let connection = ConnectionManager::new_lazy_with_config(Client::open(url)?, config)?;
        let namespace = format!("zhuxiao:{namespace}");
        Ok(Self {
            connection,
            namespace,
            fallback: Memory::new(),
            is_away: Arc::default(),
            asked: Arc::default(),
            dropped: Arc::default(),
        })
    }

    pub async fn get(&self, topic: Topic, key: &str) -> Option<String> {
        let generation = self.generation(topic).await?;
        let stored = self.connection.clone().get(self.name(topic, generation, key)).await;
        self.noted(stored).flatten()
    }

    pub async fn put(&self, topic: Topic, generation: u64, key: &str, text: String, kept: Duration) {
        let seconds = kept.as_secs().max(1);
        let stored: Result<(), _> =
            self.connection.clone().set_ex(self.name(topic, generation, key), text, seconds).await;
        self.noted(stored);
    }

    pub async fn generation(&self, topic: Topic) -> Option<u64> {
        let stored: Result<Option<u64>, _> = self.connection.clone().get(self.generation_name(topic)).await;
        self.noted(stored).map(|generation| generation.unwrap_or(0))
    }

    pub async fn drop_topic(&self, topic: Topic) {
        let moved: Result<u64, _> = self.connection.clone().incr(self.generation_name(topic), 1).await;
        self.noted(moved);
    }

    /// Callers that come while answers are being dropped wait and share the next drop, which begins after all of them
    /// have asked.
    pub async fn drop_all(&self) {
        let ticket = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut dropped = self.dropped.lock().await;
        if *dropped >= ticket {
            return;
        }
        let covered = self.asked.load(Ordering::SeqCst);
        self.move_all_on().await;
        *dropped = covered;
    }

    async fn move_all_on(&self) {
        let mut pipeline = redis::pipe();
        for topic in Topic::ALL {
            pipeline.incr(self.generation_name(topic), 1).ignore();
        }
        let moved: Result<(), _> = pipeline.query_async(&mut self.connection.clone()).await;
        self.noted(moved);
    }

    pub async fn count(&self, name: &str, window: Duration) -> u64 {
        let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let script = Script::new(
            "local n = redis.call('incr', KEYS[1]) if n == 1 then redis.call('pexpire', KEYS[1], ARGV[1]) end return n",
        );
        let counted =
            script.key(self.count_name(name)).arg(millis).invoke_async(&mut self.connection.clone()).await;
        match self.noted(counted) {
            Some(count) => count,
            None => self.fallback.count(name, window),
        }
    }

    pub async fn counted(&self, name: &str) -> u64 {
        let stored: Result<Option<u64>, _> = self.connection.clone().get(self.count_name(name)).await;
        match self.noted(stored) {
            Some(count) => count.unwrap_or(0),
            None => self.fallback.counted(name),
        }
    }

    pub async fn forget_count(&self, name: &str) {
        self.fallback.forget_count(name);
        let forgotten: Result<(), _> = self.connection.clone().del(self.count_name(name)).await;
        self.noted(forgotten);
    }

    fn noted<T>(&self, result: Result<T, RedisError>) -> Option<T> {
        let was_away = self.is_away.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Ok(value) => {
                if was_away {
                    tracing::info!("the Redis cache is back");
                }
                Some(value)
            }
            Err(error) => {
                if !was_away {
                    tracing::warn!(%error, "the Redis cache is away; going on without it");
                }
                None
            }
        }
    }

    fn name(&self, topic: Topic, generation: u64, key: &str) -> String {
        format!("{}:{}:{generation}:{key}", self.namespace, topic.as_str())
    }

    fn generation_name(&self, topic: Topic) -> String {
        format!("{}:generation:{}", self.namespace, topic.as_str())
    }

    fn count_name(&self, name: &str) -> String {
        format!("{}:count:{name}", self.namespace)
    }
}
