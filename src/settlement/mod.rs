//! What acceptances make owed.

pub mod api;
mod facts;

pub use facts::{income_since, orders_of};
