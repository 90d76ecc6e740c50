//! The test suite: one binary, one module per noun. Set `ZHUXIAO_TEST_DATABASE_URL` and `ZHUXIAO_TEST_REDIS_URL` to run
//! it on PostgreSQL and Redis instead of SQLite and the in-process cache.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and its ids are nobody's but its own"
)]

mod support;

#[path = "../contract/mod.rs"]
mod contract;
#[path = "../tidy/mod.rs"]
mod tidy;

mod access;
mod api_keys;
mod attacks;
mod audit_events;
mod bank_statements;
mod cooperatives;
mod deliveries;
mod demo;
mod edge;
mod fees;
mod households;
mod imports;
mod institutions;
mod keys;
mod late;
mod ledger;
mod lots;
mod matching;
mod orders;
mod pairings;
mod papers;
mod payment_terms;
mod payments;
mod payouts;
mod people;
mod personal_data;
mod prepaid;
mod problems;
mod products;
mod regions;
mod reports;
mod scan;
mod second_factors;
mod sequences;
mod sessions;
mod settlements;
mod tampering;
mod traps;
mod webhooks;
