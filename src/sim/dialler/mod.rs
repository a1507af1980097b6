//! The simulated jtel dialler.
