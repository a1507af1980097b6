//! What several tests need.

pub mod bridge;
pub mod fault_server;
pub mod odoo;
pub mod tls;
pub mod world;
