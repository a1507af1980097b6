//! What the gate would say of a trial's operations: it knows more numbers than a decision does, those that the contact
//! was sent or was seen to have.

use super::Speech;
use crate::domain::{Block, Decision, Intent};

/// The gate, as far as it is asked: before anybody is made callable.
pub(super) struct Gate<'a> {
    /// What it is shut by, where an operation would have to pass it.
    pub(super) shut: Option<&'a Block>,
    /// Whether that holds the first operation: then nothing is sent.
    pub(super) holds_first: bool,
}

impl<'a> Gate<'a> {
    /// `block` stands against a number of the contact that is none of its record's.
    pub(super) fn of(decision: &Decision, block: Option<&'a Block>) -> Self {
        let asks = |intent: &Intent| intent.kind.makes_callable();
        let shut = block.filter(|_| decision.intents.iter().any(asks));
        Self { shut, holds_first: shut.is_some() && decision.intents.first().is_some_and(asks) }
    }

    /// One operation, and whether it would be held.
    pub(super) fn said(&self, intent: &Intent, speech: Speech) -> String {
        let said = format!("{}: {}", intent.kind, speech.say(&intent.reason));
        match self.shut.filter(|_| intent.kind.makes_callable()) {
            Some(block) => format!("{said} (not while the gate is shut: {})", speech.say(&block.reason)),
            None => said,
        }
    }
}
