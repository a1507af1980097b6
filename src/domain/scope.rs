//! Whose doing it is that a record is out of its route: its own, or that of rules (conditions, mapping) that became others.
//! Whom only the rules would lock waits for a person past `max_locked_by_scope`; whoever left by himself does not.

/// What the rules that held before the present ones make of a record as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It would be in the dialler by them.
    In,
    /// It would be out by them, too.
    Out,
    /// Nobody can tell: they are not known, or name what is not read any more.
    Untold,
}

/// How the record stood when it was last decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastJudged {
    /// Under the present rules; whatever its lock was, it waited for nobody.
    ByThese,
    /// Under earlier rules.
    ByOthers,
    /// It was out, and its lock waits for a person's word, or was put aside by one on an earlier change of the rules.
    Waiting,
    /// It was out, and a person left its contact callable; it has the numbers it had.
    LeftCallable,
}

/// Whether the record changed since then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It is as it was.
    No,
    /// It changed, or nobody can tell.
    Since,
}

/// Whose doing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// The record's: it is locked at once.
    Record,
    /// The rules': it belongs to their wave.
    Rules,
    /// The rules', and a person said of just that: it stays callable.
    LeftCallable,
}

impl Doing {
    /// By which of the two a record is out that is out by the present rules.
    pub fn of(last: LastJudged, before: Before, edited: Edited) -> Self {
        match (last, before, edited) {
            (LastJudged::ByThese, _, _) => Self::Record,
            (LastJudged::ByOthers | LastJudged::Waiting, Before::In, _) => Self::Rules,
            (LastJudged::ByOthers, Before::Out, _) => Self::Record,
            // The rules before may be those that put it out already: they say nothing against who waits since then.
            (LastJudged::Waiting, Before::Out, Edited::No) => Self::Rules,
            (LastJudged::ByOthers | LastJudged::Waiting, Before::Untold, Edited::No) => Self::Rules,
            (LastJudged::LeftCallable, Before::In, _)
            | (LastJudged::LeftCallable, Before::Out | Before::Untold, Edited::No) => Self::LeftCallable,
            (
                LastJudged::ByOthers | LastJudged::Waiting | LastJudged::LeftCallable,
                Before::Untold,
                Edited::Since,
            )
            | (LastJudged::Waiting | LastJudged::LeftCallable, Before::Out, Edited::Since) => Self::Record,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whom_the_rules_put_out_waits_and_whoever_left_by_himself_does_not() {
        use {Before::*, Edited::*, LastJudged::*};
        for (last, before, edited, doing) in [
            // Long in by the present rules, and now out: an edit.
            (ByThese, In, Since, Doing::Record),
            (ByThese, Untold, No, Doing::Record),
            // The first look under other rules.
            (ByOthers, In, No, Doing::Rules),
            (ByOthers, In, Since, Doing::Rules),
            (ByOthers, Out, Since, Doing::Record),
            (ByOthers, Out, No, Doing::Record),
            (ByOthers, Untold, No, Doing::Rules),
            (ByOthers, Untold, Since, Doing::Record),
            // Held, and looked at once more, perhaps under a third condition.
            (Waiting, In, Since, Doing::Rules),
            (Waiting, Out, No, Doing::Rules),
            (Waiting, Out, Since, Doing::Record),
            (Waiting, Untold, No, Doing::Rules),
            (Waiting, Untold, Since, Doing::Record),
            // A person said that they stay.
            (LeftCallable, In, Since, Doing::LeftCallable),
            (LeftCallable, Out, No, Doing::LeftCallable),
            (LeftCallable, Untold, No, Doing::LeftCallable),
            (LeftCallable, Out, Since, Doing::Record),
            (LeftCallable, Untold, Since, Doing::Record),
        ] {
            assert_eq!(Doing::of(last, before, edited), doing, "{last:?} {before:?} {edited:?}");
        }
    }
}
