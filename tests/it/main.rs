//! The integration tests.

mod crm;
mod jtel;
mod phones;
mod support;
mod wire;
