//! The integration tests.

mod connectors;
mod crm;
mod crm_writes;
mod documents;
mod harvest;
mod jtel;
mod layering;
mod package;
mod phones;
mod process;
mod push;
mod real_odoo;
mod real_odoo_life;
mod real_odoo_no;
mod real_odoo_writes;
mod requirements;
mod scenarios;
mod simulation;
mod support;
mod tls;
mod wire;
