//! The Rust client that progenitor makes from the committed contract. It exists to be compiled: when it does not, users
//! of the contract cannot make theirs either. It must never be edited to work round the document.

progenitor::generate_api!(spec = "../../../openapi/v1.json", interface = Builder);
