//! What acceptances make owed.

pub mod api;
