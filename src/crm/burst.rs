//! Reading in the order of modification times, for a CRM that cannot page by id (semantics 6).
//!
//! Each page begins anew at the greatest time of the page before, so that no offset can shift under
//! the reader: a row that changes meanwhile only moves to the end. What is left for offsets is a burst,
//! more rows in one instant than fit a page; it is read again and again, in opposite orders where the
//! CRM can, until two readings agree.

use super::call::{Called, Endpoint};
use super::errors::bad_answer;
use super::extract::read_record;
use super::format::Listing;
use super::pages::{Position, Rows};
use super::template::{Bindings, Slot};
use super::times::{cut, delta};
use crate::domain::{BadRecord, Record, RecordId, Timestamp};
use crate::remote::{CallError, CallErrorKind};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// So many records of one instant are held in memory to be compared; more is a failure.
const MAX_BURST: usize = 50_000;

/// How often a burst is read until two readings agree.
const MAX_READINGS: u32 = 5;

/// A record as it was read, or why it is unusable.
pub(super) type ReadRecord = Result<Record, BadRecord>;

/// One page in the order of time.
pub(super) struct TimePage {
    pub records: Vec<ReadRecord>,
    pub next: Option<Position>,
    pub called: Called,
}

struct Reading {
    good: BTreeMap<RecordId, Record>,
    bad: Vec<BadRecord>,
    requests: u32,
    called: Called,
}

impl Endpoint {
    /// Reads a record for paging and for the caller.
    pub(super) fn read_row(&self, raw: &RawValue) -> (Option<RecordId>, ReadRecord) {
        let record = read_record(raw, &self.file.record, &self.file.time);
        let id = match &record {
            Ok(record) => Some(record.id.clone()),
            Err(bad) => bad.id.clone(),
        };
        (id, record)
    }

    /// What was modified at or after `from` (`None`: everything), as far as one page goes.
    pub(super) async fn time_page(
        &self,
        what: &str,
        listing: &Listing,
        from: Option<Timestamp>,
    ) -> Result<TimePage, CallError> {
        let resolution = self.file.time.resolution;
        let bindings = self.window(from);
        let read = |raw: &RawValue| self.read_row(raw);
        let Rows { rows, next, called, .. } =
            self.page(what, listing, bindings, &Position::Start, &read).await?;
        if next.is_none() {
            return Ok(TimePage { records: rows, next: None, called });
        }
        let times: Vec<Timestamp> = rows.iter().filter_map(modified).map(|at| cut(at, resolution)).collect();
        if !times.is_sorted() {
            return Err(bad_answer(
                what,
                "the page is not ordered by modification time: the CRM ignores the order",
            ));
        }
        let last = *times.last().ok_or_else(|| {
            bad_answer(
                what,
                "no record of a full page has a modification time, so the next page has no beginning",
            )
        })?;
        if from.is_none_or(|from| last > cut(from, resolution)) {
            return Ok(TimePage { records: rows, next: Some(Position::From(last)), called });
        }
        self.burst(what, listing, last).await
    }

    /// Everything modified in one instant, read until two readings agree.
    async fn burst(&self, what: &str, listing: &Listing, instant: Timestamp) -> Result<TimePage, CallError> {
        let opposite = listing.request.uses(Slot::Until) && listing.request.uses(Slot::Direction);
        let mut before = self.read_burst(what, listing, instant, "asc").await?;
        let mut agreed = before.requests == 1;
        for reading in 1..MAX_READINGS {
            if agreed {
                break;
            }
            let direction = if opposite && reading % 2 == 1 { "desc" } else { "asc" };
            let again = self.read_burst(what, listing, instant, direction).await?;
            agreed = before.good.keys().eq(again.good.keys());
            before = again;
        }
        if !agreed {
            return Err(bad_answer(
                what,
                format!(
                    "{} records share the modification time {instant} and {MAX_READINGS} readings of them never agreed: \
                     raise `limit` in the connector above that number, or wait until nobody edits them",
                    before.good.len()
                ),
            ));
        }
        let records = before.good.into_values().map(Ok).chain(before.bad.into_iter().map(Err)).collect();
        let next = instant + delta(self.file.time.resolution);
        Ok(TimePage { records, next: Some(Position::From(next)), called: before.called })
    }

    async fn read_burst(
        &self,
        what: &str,
        listing: &Listing,
        instant: Timestamp,
        direction: &str,
    ) -> Result<Reading, CallError> {
        let resolution = self.file.time.resolution;
        let mut bindings = self.window(Some(instant));
        let end = instant + delta(resolution);
        bindings.insert(Slot::Until, self.file.time.form.write(end, resolution));
        bindings.insert(Slot::Direction, Value::from(direction));
        let read = |raw: &RawValue| self.read_row(raw);
        let (mut good, mut bad, mut requests, mut position) =
            (BTreeMap::new(), Vec::new(), 0, Position::Start);
        loop {
            let page = self.page(what, listing, bindings.clone(), &position, &read).await;
            let page = page.map_err(|error| in_burst(error, instant))?;
            requests += 1;
            if page.restarted {
                good.clear();
                bad.clear();
            }
            let mut passed = false;
            for row in page.rows {
                match row {
                    // Beyond the instant: later pages will bring it. An earlier one is a filter's
                    // rounding, and already read.
                    Ok(record) if record.modified.is_some_and(|at| at >= end) => passed = true,
                    Ok(record) => {
                        good.insert(record.id.clone(), record);
                    }
                    Err(row) => bad.push(row),
                }
            }
            if good.len() + bad.len() > MAX_BURST {
                return Err(bad_answer(
                    what,
                    format!(
                        "more than {MAX_BURST} records share the modification time {instant}: such a CRM \
                             must be read by id"
                    ),
                ));
            }
            match page.next {
                // Ascending without an upper bound: what is beyond the instant ends the reading.
                Some(next) if !(passed && direction == "asc") => position = next,
                Some(_) | None => return Ok(Reading { good, bad, requests, called: page.called }),
            }
        }
    }

    /// The values of a request for everything modified since `from`.
    pub(super) fn window(&self, from: Option<Timestamp>) -> Bindings {
        let time = &self.file.time;
        let mut bindings = self.bindings();
        bindings.insert(Slot::Direction, Value::from("asc"));
        if let Some(from) = from {
            let from = super::times::filter_from(from, time.resolution, time.exclusive);
            bindings.insert(Slot::Since, time.form.write(from, time.resolution));
        }
        bindings
    }
}

/// An unusable answer within a burst names the instant: it is what a person has to look at.
fn in_burst(mut error: CallError, instant: Timestamp) -> CallError {
    if error.kind == CallErrorKind::BadAnswer {
        error.detail = format!("more records than a page share the time {instant}; {}", error.detail);
    }
    error
}

fn modified(row: &ReadRecord) -> Option<Timestamp> {
    row.as_ref().ok().and_then(|record| record.modified)
}
