//! The specification of /v1/imports, as tests over HTTP.
