//! The specification of /v1/pairings, as tests over HTTP.
