//! Composition: one file per program, and what they share.

pub mod in_process;
