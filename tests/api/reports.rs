//! The specification of /v1/reports and /v1/public/progress, as tests over HTTP.

pub mod arranged;
mod figures;
mod files;
mod overdue;
mod places;
