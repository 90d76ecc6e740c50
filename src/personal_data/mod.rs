//! What people may ask about themselves (PIPL articles 45 and 47): everything that is stored about them, and to be erased
//! as far as the books may do without them. Reads all slices; no other slice imports this one.

pub mod erasure;
pub mod export;
