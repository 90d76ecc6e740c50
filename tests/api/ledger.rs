//! The specification of /v1/ledger, as tests over HTTP.
