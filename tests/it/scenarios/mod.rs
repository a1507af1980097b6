//! The whole program between the two simulators, under virtual time: what happens when ... ?
//!
//! Every test is a question that a user would ask; the answer is read from what the simulated dialler
//! and CRM noted themselves.

mod bad_days;
mod beside;
mod blocks;
mod by_hand;
mod doubt;
mod edits;
mod eligibility;
mod empty_list;
mod first_sight;
mod found;
mod harvests;
mod lanes;
mod lock_probe;
mod numbers;
mod objections;
mod outage;
mod resets;
mod switches;
mod taken_over;
