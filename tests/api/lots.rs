//! The specification of /v1/lots, as tests over HTTP.
