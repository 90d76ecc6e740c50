//! People and bodies: who signs in, households, institutions, cooperatives, helpers' pairings.

pub mod access;
pub mod cooperatives;
pub mod households;
pub mod institutions;
pub mod pairings;
pub mod passwords;
pub mod principals;
pub mod reveals;
pub mod sealed;
pub mod sessions;
