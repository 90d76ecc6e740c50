//! The catalogue and its reference prices.

pub mod api;
