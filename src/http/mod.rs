//! What all endpoints share: the shape of refusals, scalars, bodies and pages. Imports no slice.

pub mod answers;
pub mod body;
pub mod edge;
pub mod imports;
pub mod listener;
pub mod outbound;
pub mod page;
pub mod problem;
pub mod scalars;
