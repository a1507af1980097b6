//! The simulated CRM and the simulated dialler: stateful routers, served over real HTTP or called in
//! process, with faults on demand and a history of their own that tests judge by.
//!
//! Shared by both: [`faults`] (what goes wrong, when), [`wire`] (applies faults and keeps the log of
//! requests), [`journal`] (that log, and every effect), [`serve`](mod@serve) (a router on loopback).

pub mod crm;
pub mod dialler;
pub mod faults;
pub mod journal;
pub mod serve;
mod spoil;
pub mod wire;
