//! The specification of /v1/reports, as tests over HTTP.
