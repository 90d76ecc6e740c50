//! Attacks with the answer that is expected of us, each under its number. What is asked and answered differently here than
//! an attack says, says why.

mod sign_in;
