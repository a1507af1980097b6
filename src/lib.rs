//! dialbridge keeps a CRM and an outbound dialler (jtel ACD) in step, in both directions.
//!
//! `ARCHITECTURE.md` is the map; who may import whom is law and tested (`tests/it/layering.rs`).

pub mod app;
pub mod check;
pub mod cli;
pub mod config;
pub mod control;
pub mod crm;
pub mod dialler;
pub mod domain;
pub mod env;
pub mod jobs;
pub mod ledger;
pub mod mapping;
pub mod remote;
pub mod runtime;
pub mod sim;
pub mod sync;
