//! Goods handed over and accepted.

pub mod api;
