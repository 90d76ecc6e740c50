//! The specification of /v1/institutions, as tests over HTTP.
