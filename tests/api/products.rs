//! The specification of /v1/products, as tests over HTTP.
