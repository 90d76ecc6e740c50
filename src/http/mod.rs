//! What all endpoints share: the shape of refusals, scalars, bodies and pages. Imports no slice.

pub mod answers;
pub mod body;
pub mod edge;
pub mod gate;
pub mod headers;
pub mod imports;
pub mod intake;
pub mod outbound;
pub mod pace;
pub mod page;
pub mod peer;
pub mod problem;
pub mod published;
pub mod scalars;
pub mod server;
