//! The specification of /v1/payments, as tests over HTTP.
