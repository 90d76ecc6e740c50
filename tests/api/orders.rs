//! The specification of /v1/orders, as tests over HTTP.
