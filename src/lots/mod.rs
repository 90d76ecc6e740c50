//! What households offer.

pub mod api;
pub mod stock;
