//! The specification of /v1/payouts, as tests over HTTP.
