//! Families that offer produce, their statuses and survey visits.

pub mod api;
