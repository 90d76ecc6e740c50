//! Attacks that must fail, each by the id of the list of attacks in the name of its test.

mod webhooks;
