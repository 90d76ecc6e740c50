//! The specification of /v1/regions, as tests over HTTP.
