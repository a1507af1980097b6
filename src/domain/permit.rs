//! The proof that the gate was asked.

/// Handed out by the gate only; `import`, `unlock`, `reset` and an `update` of a number take one, so
/// that nothing can make a contact callable without having asked (semantics 34).
///
/// Not `Clone`: a permit is for one operation, and it knows under which epoch of the block list it
/// was given, because a send under an older epoch must ask again (semantics 8).
#[derive(Debug)]
pub struct Permit {
    epoch: i64,
}

impl Permit {
    /// Only `ledger::gate` may call this; clippy's disallowed-methods refuse every other caller.
    pub fn granted_by_gate(epoch: i64) -> Self {
        Self { epoch }
    }

    /// The epoch of the block list under which it was given.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }
}
