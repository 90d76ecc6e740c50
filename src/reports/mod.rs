//! Figures for the bureau.

pub mod api;
