//! The integration tests.

mod phones;
