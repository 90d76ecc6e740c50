//! The specification of /v1/deliveries, as tests over HTTP.
