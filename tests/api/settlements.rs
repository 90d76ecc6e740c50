//! The specification of /v1/settlements, as tests over HTTP.
