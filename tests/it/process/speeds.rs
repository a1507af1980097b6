//! How slow both sides are where the program is killed: before the work is done, after it, or both.

use super::house::House;
use dialbridge::sim::faults::{Action, Rule};
use std::time::Duration;

/// Milliseconds until the work begins, and from it to the answer.
pub type Speed = (u64, u64);

/// The work is done before the answer; it begins late; everything is slow.
pub const SPEEDS: [Speed; 3] = [(0, 60), (60, 0), (150, 150)];

impl House {
    /// From now on both sides are as slow as that. One contact, or one activity, takes the whole time; lists, batch reads
    /// and the pages of the CRM, which every run asks for, a fifth of it.
    pub fn slow(&self, (before, after): Speed) {
        let latency = |before, after| Action::Latency {
            before: Duration::from_millis(before),
            after: Duration::from_millis(after),
        };
        let one = || latency(before, after);
        let many = || latency(before / 5, after / 5);
        self.dialler.faults().clear();
        self.dialler.faults().add(Rule::new(one()).path("/dialler/contacts/"));
        self.dialler.faults().add(Rule::new(many()).path("/dialler/contacts?"));
        self.dialler.faults().add(Rule::new(many()).path_end("/dialler/contacts"));
        self.crm.faults.clear();
        self.crm.faults.add(Rule::new(many()));
        self.crm.faults.add(Rule::new(one()).path("/activities"));
    }
}
