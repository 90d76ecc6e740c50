//! The specification of /v1/households, as tests over HTTP.
