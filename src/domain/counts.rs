//! What a run counted.

use serde::Serialize;

/// What a run counted; which of them must add up is said by the CHECKs of the `runs` table. Log lines have them under
/// the same names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is a column of `runs`, explained in its migration")]
pub struct Counts {
    pub requests: i64,
    pub bytes: i64,
    pub records_read: i64,
    pub repeats: i64,
    pub stale: i64,
    pub unchanged: i64,
    pub queued: i64,
    pub adopted: i64,
    pub skipped: i64,
    pub blocked: i64,
    pub parked: i64,
    pub parked_new: i64,
    pub taken: i64,
    pub done: i64,
    pub refused: i64,
    pub uncertain: i64,
    pub superseded: i64,
    pub put_back: i64,
    pub listed: i64,
    pub due: i64,
    pub foreign_contacts: i64,
    pub calls_new: i64,
    pub calls_changed: i64,
    pub noted: i64,
    pub held: i64,
    pub gone: i64,
}
