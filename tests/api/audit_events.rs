//! The specification of /v1/audit_events, as tests over HTTP.
