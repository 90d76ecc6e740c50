//! Statements of a county's bank accounts: what came in and went out, as files of banks tell it. A line is stored once,
//! in however many overlapping files it stands, and is never changed.

pub mod rules;
