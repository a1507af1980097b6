//! Named points at which a test may end the process, as a power failure would.
//!
//! Only in builds with debug assertions; a release build has nothing here to switch on.

/// Ends the process at once if `DIALBRIDGE_CRASH_AT` names this point (`NAME` or `NAME:NTH`, from 1).
///
/// `abort` and not `exit`: no destructor runs, no transaction is ended, no buffer is flushed.
#[cfg(any(test, debug_assertions))]
pub fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("DIALBRIDGE_CRASH_AT") else { return };
    let (point, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point == name && SEEN.fetch_add(1, Ordering::Relaxed) + 1 == nth.parse().unwrap_or(1) {
        std::process::abort();
    }
}

/// Nothing, in a release build.
#[cfg(not(any(test, debug_assertions)))]
#[inline]
pub fn point(_name: &str) {}

/// The point inside a commit of the ledger: `inside_commit_NAME`, NAME being what is stored. Its statements have run,
/// nothing of it is on the disk.
#[cfg(any(test, debug_assertions))]
pub fn inside_commit(what: &str) {
    let name = format!("inside_commit_{what}");
    if is_armed(&name) {
        point(&name);
    }
}

/// Nothing, in a release build.
#[cfg(not(any(test, debug_assertions)))]
#[inline]
pub fn inside_commit(_what: &str) {}

/// Whether a test wants the process to end at this point, for points that cost something to watch.
#[cfg(any(test, debug_assertions))]
pub fn is_armed(name: &str) -> bool {
    std::env::var("DIALBRIDGE_CRASH_AT").is_ok_and(|wanted| wanted.split(':').next() == Some(name))
}

/// Never, in a release build.
#[cfg(not(any(test, debug_assertions)))]
#[inline]
pub fn is_armed(_name: &str) -> bool {
    false
}
