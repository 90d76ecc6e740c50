//! People and bodies: who signs in, households, institutions, cooperatives, helpers' pairings.

pub mod access;
pub mod api_keys;
pub mod cooperatives;
pub mod households;
pub mod institutions;
pub mod limits;
pub mod one_time_codes;
pub mod pairings;
pub mod password_policy;
pub mod passwords;
pub mod principals;
pub mod reveals;
pub mod sealed;
pub mod second_factors;
pub mod sessions;
