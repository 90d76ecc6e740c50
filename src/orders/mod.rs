//! Bulk orders and how they are shared.

pub mod api;
