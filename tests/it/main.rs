//! The integration tests.

mod crm;
mod harvest;
mod jtel;
mod phones;
mod process;
mod scenarios;
mod support;
mod wire;
