//! What households offer.

pub mod api;
