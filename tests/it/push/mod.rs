//! Push against the simulated dialler, in process and under virtual time. What happened is read from the
//! simulator's own journal, never from our ledger.

mod blocked;
mod deletes;
mod doubt;
mod edits;
mod first_sight;
mod house;
mod refused;
mod updates;
