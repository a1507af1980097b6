//! What the dialler's side changed in two-way fields, merged with the record as it is right now, before the CRM is told.

use super::ends::{Waits, after_look_up};
use super::tell::Told;
use super::{JobError, Pass};
use crate::crm::CrmRead;
use crate::domain::{LinkView, Reason, Record, RecordId};
use crate::ledger::{CarriedEdit, EditEnd, EditFate, RecordKnown, ToTell};
use crate::mapping::Mapping;
use crate::remote::{CallError, CallErrorKind};
use crate::sync::{Merged, Sides, merge};
use chrono::TimeDelta;
use serde_json::Value;
use std::sync::Arc;

/// What a route's two-way fields take.
#[derive(Clone)]
pub struct TwoWayContext {
    /// Reads the record right before it is written to.
    pub crm: Arc<dyn CrmRead>,
    /// What a field is called and how it is written in the CRM.
    pub mapping: Arc<Mapping>,
}

/// What goes with a row's request.
pub(super) enum Carry {
    /// These, which may be none, and what becomes of those that cannot be merged now.
    Edits(Vec<CarriedEdit>, Left),
    /// Nothing at all goes now.
    Ended(Told),
}

/// What of the dialler's changes the record could not be asked about. Whatever else of its row is told, they are not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// They wait for that long.
    Waits(TimeDelta),
    /// The pull knows that the record is gone: they wait for its return.
    ForItsReturn,
}

/// A record that is not named is asked for once more after ten minutes (promise 4): then it is known whether it is there.
const NOT_NAMED: TimeDelta = TimeDelta::minutes(15);
/// A record that cannot be mapped is parked: a person, or the CRM, mends it in hours rather than in minutes.
const NOT_MAPPED: TimeDelta = TimeDelta::hours(1);

/// What the merge of a row's changes comes to.
pub(super) struct MergedEdits {
    /// What the CRM is told.
    pub carried: Vec<CarriedEdit>,
    /// What ends otherwise.
    pub ends: Vec<EditEnd>,
    /// What could not be merged.
    pub left: Left,
}

impl TwoWayContext {
    pub(super) async fn read(&self, record: &RecordId) -> Result<Option<Record>, CallError> {
        match self.crm.fetch(std::slice::from_ref(record)).await {
            Ok(page) => Ok(page.records.into_iter().flatten().find(|found| found.id == *record)),
            // Where ids are read one by one a CRM may say so in this way.
            Err(error) if error.kind == CallErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Field by field: told to the CRM, or ended otherwise.
    pub(super) fn merge(&self, link: &LinkView, record: &Record) -> MergedEdits {
        let (mut carried, mut ends, mut left) = (Vec::new(), Vec::new(), Left::Nothing);
        for (field, edit) in &link.edits {
            // Of what is no two-way field any more the ledger forgets what was seen, at the start that reads so.
            let Some(name) = self.mapping.plain_name(*field) else { continue };
            let Some(Ok(crm)) = self.mapping.value_of(*field, record) else {
                left = Left::Waits(NOT_MAPPED);
                continue;
            };
            let mut end = |what| ends.push(EditEnd { field: *field, dialler: edit.dialler.clone(), what });
            match merge(Sides { field: *field, base: link.base.get(field), crm: &crm, edit }) {
                Merged::Alike => end(EditFate::Alike(crm)),
                // Undone on both sides; the next sweep says so.
                Merged::Agreed => {}
                Merged::ToDialler => end(EditFate::Overwritten),
                Merged::Conflict => {
                    let agreed = link.base.get(field).map_or(Value::Null, |pair| pair.crm.clone());
                    end(EditFate::Conflict { agreed, crm: crm.crm });
                }
                Merged::ToCrm => match self.mapping.value_back(*field, &edit.dialler) {
                    Ok(value) => carried.push(CarriedEdit {
                        field: *field,
                        dialler: edit.dialler.clone(),
                        name: name.to_owned(),
                        before: crm.crm,
                        value,
                    }),
                    Err(reason) => end(EditFate::Refused { crm: crm.crm, reason }),
                },
            }
        }
        MergedEdits { carried, ends, left }
    }
}

impl Pass<'_> {
    /// Looks at the record, and says what of the dialler's changes it is told. What is in the CRM already, because the
    /// last request had arrived after all, is no longer told.
    pub(super) async fn carry(&self, row: &ToTell) -> Result<Carry, JobError> {
        let (Some(link), Some(two_way)) = (&row.edited, &self.context.two_way) else {
            return Ok(Carry::Edits(Vec::new(), Left::Nothing));
        };
        let record = match two_way.read(&row.record).await {
            Ok(Some(record)) => record,
            Ok(None) => {
                // Whether the whole record is gone is pull's to find out (semantics 27).
                let route = self.context.route.clone();
                let left = match self.context.ledger.edits_without_record(route, row.record.clone()).await? {
                    RecordKnown::Gone => Left::ForItsReturn,
                    RecordKnown::AskedFor => Left::Waits(NOT_NAMED),
                };
                return Ok(Carry::Edits(Vec::new(), left));
            }
            Err(error) => {
                let waits = Waits { again: self.next_wait(row.tries), quiet: self.context.quiet() };
                let (fate, end, ends_run) = after_look_up(&error.kind, waits, self.context.env.now());
                let told = self.end_unsent(row, fate, end).await?;
                return Ok(Carry::Ended(Told {
                    ends_run: ends_run.then_some(JobError::Call(error)),
                    ..told
                }));
            }
        };
        let MergedEdits { carried, ends, left } = two_way.merge(link, &record);
        if !ends.is_empty() {
            self.context.ledger.edits_merged(row.link, ends).await?;
        }
        Ok(Carry::Edits(carried, left))
    }

    /// The CRM does not take what was carried: that waits for a person, and the rest of the row goes without it.
    pub(super) async fn refuse(
        &self,
        row: &ToTell,
        carried: Vec<CarriedEdit>,
        reason: Reason,
    ) -> Result<(), JobError> {
        let ends = carried
            .into_iter()
            .map(|edit| EditEnd {
                field: edit.field,
                dialler: edit.dialler,
                what: EditFate::Refused { crm: edit.before, reason: reason.clone() },
            })
            .collect();
        Ok(self.context.ledger.edits_merged(row.link, ends).await?)
    }
}
