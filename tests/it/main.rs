//! The integration tests.

mod crm;
mod harvest;
mod jtel;
mod phones;
mod support;
mod wire;
