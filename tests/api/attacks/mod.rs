//! The attacks that the service must withstand, one test or more for each; a test's name begins with the attack's id.

mod edges;
mod edges_load;
mod edges_process;
mod edges_wire;
