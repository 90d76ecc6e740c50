//! Entities that bundle member households.

pub mod api;
