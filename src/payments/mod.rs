//! Money in.

pub mod api;
