//! The integration tests.

mod jtel;
mod phones;
mod support;
mod wire;
