//! What the rules before the present ones make of whoever is out by these.

use super::Work;
use crate::domain::scope::Before;
use crate::domain::{CrmSide, Record, RouteName};
use crate::ledger::PulledRecord;
use crate::mapping::{RulesBefore, Untellable};
use std::sync::OnceLock;

/// The rules before the present ones: read from their text when the first record is out.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    text: Option<String>,
    rules: OnceLock<Option<RulesBefore>>,
}

impl Earlier {
    pub(super) fn new(text: Option<String>) -> Self {
        Self { text, rules: OnceLock::new() }
    }

    fn rules(&self, present: &str) -> Option<&RulesBefore> {
        let parse = || RulesBefore::parse(self.text.as_deref()?, present).ok();
        self.rules.get_or_init(parse).as_ref()
    }

    /// Said when other rules begin to hold: the brake goes by times then.
    pub(super) fn warn_if_unreadable(&self, route: &RouteName, present: &str) {
        let unreadable =
            |text: &String| RulesBefore::parse(text, present).err() == Some(Untellable::Unreadable);
        if self.text.as_ref().is_some_and(unreadable) {
            tracing::warn!(
                %route,
                "the rules by which the route read its records before cannot be read any more: whom the present ones put out waits for a \
                 person past max_locked_by_scope only where its record did not change since it was last read, and else is locked at once"
            );
        }
    }
}

impl Work<'_> {
    /// A record of which more than the present rules is asked, if these put it out.
    pub(super) fn judged(&self, record: &Record, mut pulled: PulledRecord) -> PulledRecord {
        let out = match &pulled.crm {
            CrmSide::Ineligible(reason) | CrmSide::Uncallable(reason) => reason.rests_on_rules(),
            CrmSide::Gone(_) | CrmSide::Unusable(_) | CrmSide::Eligible(_) => false,
        };
        if out && let Some(rules) = self.before.rules(&self.context.route.rules) {
            let today = self.context.env.now().with_timezone(&self.context.route.zone).date_naive();
            pulled.before = rules.judge(record, today);
        }
        pulled
    }

    /// The same from what the ledger keeps of a record, for its condition alone.
    pub(super) fn before_on(&self, record: &Record, today: chrono::NaiveDate) -> Before {
        let rules = self.before.rules(&self.context.route.rules);
        rules
            .map_or(Before::Untold, |rules| rules.judge_condition(record, &self.context.route.mapping, today))
    }
}
