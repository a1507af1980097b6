//! What several tests need.

pub mod fault_server;
