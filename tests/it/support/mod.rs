//! What several tests need.

pub mod fault_server;
pub mod world;
