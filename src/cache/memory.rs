//! The in-process cache, bounded in entries; never shared between processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::Expiry;
use moka::sync::Cache as Moka;

use super::Topic;

/// Answers kept at most; the least used go first.
const ANSWERS_MAX: u64 = 2_000;

/// Counters kept at most.
const COUNTS_MAX: u64 = 100_000;

#[derive(Clone, Debug)]
pub struct Memory {
    answers: Moka<String, Answer>,
    counts: Moka<String, Count>,
    generations: Arc<[AtomicU64; 2]>,
}

#[derive(Clone, Debug)]
struct Answer {
    text: String,
    kept: Duration,
}

#[derive(Clone, Debug)]
struct Count {
    value: Arc<AtomicU64>,
    window: Duration,
}

struct KeptFor;

impl Expiry<String, Answer> for KeptFor {
    fn expire_after_create(&self, _: &String, answer: &Answer, _: std::time::Instant) -> Option<Duration> {
        Some(answer.kept)
    }
}

impl Expiry<String, Count> for KeptFor {
    fn expire_after_create(&self, _: &String, count: &Count, _: std::time::Instant) -> Option<Duration> {
        Some(count.window)
    }
}

impl Memory {
    pub fn new() -> Self {
        Self {
            answers: Moka::builder().max_capacity(ANSWERS_MAX).expire_after(KeptFor).build(),
            counts: Moka::builder().max_capacity(COUNTS_MAX).expire_after(KeptFor).build(),
            generations: Arc::default(),
        }
    }

    pub fn get(&self, topic: Topic, key: &str) -> Option<String> {
        self.answers.get(&name(topic, self.generation(topic), key)).map(|answer| answer.text)
    }

    pub fn put(&self, topic: Topic, generation: u64, key: &str, text: String, kept: Duration) {
        self.answers.insert(name(topic, generation, key), Answer { text, kept });
    }

    pub fn generation(&self, topic: Topic) -> u64 {
        self.cell(topic).load(Ordering::SeqCst)
    }

    pub fn drop_topic(&self, topic: Topic) {
        self.cell(topic).fetch_add(1, Ordering::SeqCst);
    }

    pub fn count(&self, name: &str, window: Duration) -> u64 {
        let count =
            self.counts.get_with(name.to_owned(), || Count { value: Arc::new(AtomicU64::new(0)), window });
        count.value.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn counted(&self, name: &str) -> u64 {
        self.counts.get(name).map_or(0, |count| count.value.load(Ordering::SeqCst))
    }

    pub fn forget_count(&self, name: &str) {
        self.counts.invalidate(name);
    }

    fn cell(&self, topic: Topic) -> &AtomicU64 {
        let [lots, reports] = &*self.generations;
        match topic {
            Topic::PublicLots => lots,
            Topic::Reports => reports,
        }
    }
}

fn name(topic: Topic, generation: u64, key: &str) -> String {
    format!("{}:{generation}:{key}", topic.as_str())
}
