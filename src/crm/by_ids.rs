//! Records asked for by their ids, and what is made of an answer that holds others.

use super::burst::ReadRecord;
use super::call::{Called, Endpoint, root};
use super::errors::bad_answer;
use super::extract::id_value;
use super::template::Slot;
use crate::domain::RecordId;
use crate::remote::{CallError, CallErrorKind};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// A record with its id, where it has one.
pub(super) type Identified = (Option<RecordId>, ReadRecord);

impl Endpoint {
    /// One request for these ids; `None` where a CRM that is asked for one by one says that it is not there.
    pub(super) async fn by_ids(
        &self,
        what: &str,
        ids: &[Value],
    ) -> Result<Option<(Vec<Identified>, Called)>, CallError> {
        let fetch = &self.file.fetch;
        let mut bindings = self.bindings();
        bindings.insert(Slot::Ids, Value::from(ids));
        bindings.insert(Slot::Limit, Value::from(ids.len()));
        let called = match self.call(what, &fetch.request, &bindings).await {
            Err(error) if error.kind == CallErrorKind::NotFound && fetch.batch == 1 => return Ok(None),
            called => called?,
        };
        let rows = match root(what, &called.body)? {
            None => Vec::new(),
            Some(body) => {
                let one =
                    || fetch.records.raw(body).filter(|raw| fetch.batch == 1 && raw.get().starts_with('{'));
                let rows = fetch.records.list(body).or_else(|| one().map(|raw| vec![raw]));
                let rows = rows.ok_or_else(|| {
                    bad_answer(what, format!("the answer has no list at {}", fetch.records))
                })?;
                rows.into_iter().map(|row| self.read_row(row)).collect()
            }
        };
        Ok(Some((rows, called)))
    }

    /// Records that were not asked for may stand for some that were and are not named: a CRM that merged two answers
    /// with the one that is left. Asked for both, it names that one and no other; a CRM that ignores the ids answers
    /// with whatever there is. Those merged away are then simply not in the answer, which is a question like any other.
    ///
    /// # Errors
    /// The CRM ignores the ids, or does not answer.
    pub(super) async fn stand_for_missing(
        &self,
        what: &str,
        asked: &[Value],
        named: &[Identified],
        strangers: Vec<Option<RecordId>>,
    ) -> Result<(), CallError> {
        let ignored =
            || bad_answer(what, "the answer holds a record that was not asked for: the CRM ignores the ids");
        let kind = self.file.record.id_type;
        let strangers: BTreeSet<RecordId> =
            strangers.into_iter().collect::<Option<_>>().ok_or_else(ignored)?;
        let named: HashSet<Value> =
            named.iter().flat_map(|(id, _)| id.as_ref()).filter_map(|id| id_value(id, kind)).collect();
        let missing: Vec<&Value> = asked.iter().filter(|id| !named.contains(id)).collect();
        let both =
            strangers.iter().filter_map(|id| id_value(id, kind)).chain(missing.iter().copied().cloned());
        let both: Vec<Value> = both.collect();
        if strangers.len() > missing.len()
            || (both.len() > self.file.fetch.batch && self.file.fetch.batch > 1)
        {
            return Err(ignored());
        }
        // One id has a request of its own: nothing can be ignored in it.
        if self.file.fetch.batch == 1 {
            return Ok(());
        }
        let Some((again, _)) = self.by_ids(what, &both).await? else { return Err(ignored()) };
        let again: Option<BTreeSet<RecordId>> = again.into_iter().map(|(id, _)| id).collect();
        if again.is_some_and(|again| again == strangers) { Ok(()) } else { Err(ignored()) }
    }
}
