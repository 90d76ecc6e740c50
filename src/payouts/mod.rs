//! Money out to households.

pub mod api;
