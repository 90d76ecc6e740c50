//! Helpers paired with households.

pub mod api;
