//! How an instant was read out of a dialler time, which carries no zone (semantics 23).

use super::Timestamp;
use super::operation::named_enum;
use serde::{Deserialize, Serialize};
use std::fmt;

named_enum! {
    /// How sure a resolved instant is, from sure to doubtful.
    TimeReading {
        /// The text carried `Z` or an offset.
        Offset = "offset",
        /// A local time that exists once in the zone.
        Plain = "plain",
        /// A local time of the doubled hour, settled by the row's own order of times.
        ByRow = "by_row",
        /// A local time of the doubled hour, settled by the rows before and after it in the campaign.
        ByOrder = "by_order",
        /// A local time of the doubled hour that nothing settled: the first occurrence is taken.
        First = "first",
        /// A local time that does not exist in the zone (spring): the configured zone is wrong.
        Gap = "gap",
    }
}

/// An instant, and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTime {
    /// The instant.
    pub at: Timestamp,
    /// How it was read.
    pub how: TimeReading,
}

/// The five times of a history row as instants; `None` where the row has none or it is unreadable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallTimes {
    /// `dtCallStart`.
    pub start: Option<ReadTime>,
    /// `dtCallAlert`.
    pub alert: Option<ReadTime>,
    /// `dtCallConnect`.
    pub connect: Option<ReadTime>,
    /// `dtCallEnd`.
    pub end: Option<ReadTime>,
    /// `dtCreatedDiallerContactsHistory`.
    pub created: Option<ReadTime>,
}

impl CallTimes {
    /// The most doubtful reading among the five; `None` for a row without any time.
    pub fn how(&self) -> Option<TimeReading> {
        [self.start, self.alert, self.connect, self.end, self.created]
            .into_iter()
            .flatten()
            .map(|t| t.how)
            .max()
    }
}
