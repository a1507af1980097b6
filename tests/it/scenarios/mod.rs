//! The whole program between the two simulators, under virtual time: what happens when ... ?
//!
//! Every test is a question that a user would ask; the answer is read from what the simulated dialler
//! and CRM noted themselves.

mod answers;
mod bad_days;
mod believed;
mod beside;
mod blocks;
mod brake;
mod by_hand;
mod chosen;
mod clocks;
mod companions;
mod cursor;
mod dated;
mod deletes;
mod doubt;
mod edits;
mod eligibility;
mod elsewhere;
mod empty_list;
mod first_sight;
mod found;
mod full_pass;
mod harvests;
mod hints;
mod identity;
mod lanes;
mod limits;
mod lock_lane;
mod lock_probe;
mod looks;
mod missing;
mod narrowed;
mod notes;
mod numbers;
mod objections;
mod opt_outs;
mod outage;
mod overtaken;
mod paging;
mod refresh;
mod refusals;
mod resets;
mod revision;
mod sides;
mod stops;
mod sweep_budget;
mod switches;
mod taken_over;
mod tokens;
mod told;
mod unreadable;
mod unseen;
mod updated_by_hand;
mod write_back;
