//! Who wrote what, and whether every account matches every other.

pub mod api;
