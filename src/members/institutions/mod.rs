//! Buyers.

pub mod api;
