//! The region tree: statistical codes valid from and to a day.

pub mod api;
