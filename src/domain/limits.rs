//! How much may be taken from a route's contacts, or be missing from a CRM's answers, before a person is asked.

/// How many contacts may be deleted or locked because their records left, or reset because they are back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovalLimits {
    /// In one run, or one full pass.
    pub per_run: u32,
    /// Within a day.
    pub per_day: u32,
    /// In a hundred of the route's contacts, in one run.
    pub percent: u32,
    /// Locked by one change of the route's condition alone, and by all such changes of a day.
    pub locked_by_scope: u32,
    /// The same by one change, in a hundred of the route's contacts.
    pub locked_by_scope_percent: u32,
}

/// How many of one kind may be sent, of what one run or one full pass wants, before a person is asked. Without a figure
/// that one has no say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaveLimit {
    /// So many.
    pub per_run: Option<u32>,
    /// So many in a hundred of the route's contacts.
    pub percent: Option<u32>,
}

/// The limits of what a route adds and changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaveLimits {
    /// New contacts.
    pub new: WaveLimit,
    /// Changes and unlocks.
    pub changed: WaveLimit,
}

/// How many known records a complete walk may fail to name: it names everybody, so that more are no deletions but a right
/// that was taken away, or a filter that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingLimits {
    /// At most so many ...
    pub most: u32,
    /// ... and fewer than so many in a hundred of all who are known.
    pub percent: u32,
}

impl MissingLimits {
    /// Fewer are never many.
    pub const FEW: usize = 20;

    /// So many of the known ones are not too many yet.
    pub fn most_of(self, known: usize) -> i64 {
        let fewer = (known * self.percent as usize).div_ceil(100).saturating_sub(1);
        let most = fewer.min(self.most as usize).max(Self::FEW - 1);
        i64::try_from(most).unwrap_or(i64::MAX)
    }

    /// Whether so many of the known ones are too many.
    pub fn are_many(self, missing: usize, known: usize) -> bool {
        let share = missing * 100 >= known * self.percent as usize;
        missing >= Self::FEW && (missing > self.most as usize || share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_records_are_many_by_their_number_or_by_their_share() {
        let limits = MissingLimits { most: 500, percent: 10 };
        for (missing, known, many) in
            [(19, 20, false), (20, 200, true), (20, 201, false), (500, 100_000, false), (501, 100_000, true)]
        {
            assert_eq!(limits.are_many(missing, known), many, "{missing} of {known}");
            assert_eq!(missing as i64 > limits.most_of(known), many, "{missing} of {known}");
        }
    }
}
