//! Double-entry accounts.

pub mod api;
