//! The specification of /v1/cooperatives, as tests over HTTP.
