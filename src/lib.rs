//! Zhuxiao: lists unsold produce household by household, shares bulk orders fairly over many small lots, follows
//! delivery and acceptance by weight, settles to the fen and pays every household.

pub mod app;
pub mod audit;
pub mod bank_statements;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod db;
pub mod deliveries;
pub mod http;
pub mod id;
pub mod idempotency;
pub mod ledger;
pub mod lots;
pub mod members;
pub mod money;
pub mod numbers;
pub mod orders;
pub mod papers;
pub mod payments;
pub mod payouts;
pub mod personal_data;
pub mod problems;
pub mod products;
pub mod quantity;
pub mod refusal;
pub mod regions;
pub mod reports;
pub mod routes;
pub mod scan;
pub mod settings;
pub mod settlement;
pub mod sheet;
pub mod trail;
pub mod webhooks;
