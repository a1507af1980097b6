//! What a reconcile found, in words.

use super::{Drift, Reconciled};
use std::fmt::Write as _;

impl Reconciled {
    /// For people.
    pub fn in_words(&self) -> String {
        let mut text = format!(
            "{}: {} records, {} contacts and the histories of {} who were called compared with the ledger; ",
            self.route, self.records, self.contacts, self.histories
        );
        if self.activities > 0 {
            let _infallible = write!(text, "{} activities looked for; ", self.activities);
        }
        if self.is_clean() {
            text.push_str("everything agrees.\n");
        } else {
            let _infallible = writeln!(text, "{} things do not agree:", self.total());
        }
        for drift in &self.drift {
            text.push_str(&drift.in_words());
        }
        if self.others > 0 {
            let _infallible =
                writeln!(text, "  {} contacts in the campaign are nobody's of ours.", self.others);
        }
        if self.locks_unverifiable > 0 {
            let _infallible = writeln!(
                text,
                "  {} locks of ours cannot be looked at: this dialler shows none.",
                self.locks_unverifiable
            );
        }
        for what in &self.not_compared {
            let _infallible = writeln!(text, "  NOT compared: {what}.");
        }
        text
    }
}

impl Drift {
    fn in_words(&self) -> String {
        let mut text = format!("  {} {}", self.count, self.kind.what());
        if self.unconfirmed > 0 {
            let _infallible = write!(
                text,
                ", and {} more that were not looked at again (500 are, and mended, in one run: run it again)",
                self.unconfirmed
            );
        }
        let _infallible = writeln!(text, "\n    -> {}", self.remedy);
        for example in &self.examples {
            let record = example.record.as_ref().map(|record| format!("record {record}"));
            let contact = example.contact.map(|contact| format!("contact {contact}"));
            let whom: Vec<String> = record.into_iter().chain(contact).collect();
            let _infallible = writeln!(text, "    {} {}", whom.join(", "), example.details);
        }
        text
    }
}
