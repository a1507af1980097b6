//! What became of edits in two-way fields once both sides were looked at, right before the CRM is told.

use super::sql::{code, get_json, json, time};
use super::told_trail::Because;
use super::trail::{self, Added, BeforeFrom, By};
use super::{Ledger, LedgerError, edits, hints, sent_numbers};
use crate::domain::{
    Base, Desired, DesiredValue, FieldName, LinkId, Pair, Reason, ReasonCode, RecordId, RouteName, Timestamp,
    WriteBackId,
};
use rusqlite::{OptionalExtension as _, Transaction};
use serde_json::Value;

/// What the merge made of one edit that is not the CRM's to get.
#[derive(Debug, Clone, PartialEq)]
pub struct EditEnd {
    /// The field.
    pub field: FieldName,
    /// What the dialler's value was when it was merged: of a newer one this says nothing.
    pub dialler: Value,
    /// What became of it.
    pub what: EditFate,
}

/// What becomes of an edit.
#[derive(Debug, Clone, PartialEq)]
pub enum EditFate {
    /// The CRM has it already: both sides agree.
    Alike(DesiredValue),
    /// The dialler gets the CRM's value: decided by the next pull, unless an update waits already.
    Overwritten,
    /// A person must say which value stands.
    Conflict {
        /// What both sides last agreed on, as the CRM writes it.
        agreed: Value,
        /// What the CRM has.
        crm: Value,
    },
    /// The CRM does not take it.
    Refused {
        /// What the CRM has.
        crm: Value,
        /// Why.
        reason: Reason,
    },
}

/// An edit that the CRM is told of.
#[derive(Debug, Clone, PartialEq)]
pub struct CarriedEdit {
    /// The field.
    pub field: FieldName,
    /// What the dialler has.
    pub dialler: Value,
    /// The CRM's name of the field.
    pub name: String,
    /// What the CRM had.
    pub before: Value,
    /// What it is told, as the record will map from then on.
    pub value: DesiredValue,
}

impl Ledger {
    /// Stores what the merge made of a link's edits.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn edits_merged(&self, link: LinkId, ends: Vec<EditEnd>) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("edits_merged", move |tx| ends.iter().try_for_each(|end| store(tx, link, end, now))).await
    }
}

/// What the ledger knows of a record that the CRM does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKnown {
    /// It is gone.
    Gone,
    /// Nothing is known yet: it is asked for.
    AskedFor,
}

impl Ledger {
    /// The CRM did not name a record right before it would have been told of edits: it is asked for by the next pull, once,
    /// unless that found out already that it is gone.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn edits_without_record(
        &self,
        route: RouteName,
        record: RecordId,
    ) -> Result<RecordKnown, LedgerError> {
        let now = self.env.now();
        self.write("edits_without_record", move |tx| {
            let (gone, asked): (bool, bool) = tx
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM records WHERE route = ?1 AND record_id = ?2
                                        AND code IN ('record_deleted', 'record_gone')),
                            EXISTS (SELECT 1 FROM hints WHERE route = ?1 AND record_id = ?2 AND taken_at IS NULL)",
                )?
                .query_row((&route.0, &record.0), |row| Ok((row.get(0)?, row.get(1)?)))?;
            if gone {
                return Ok(RecordKnown::Gone);
            }
            if !asked {
                hints::add_in(tx, now, &route, &record, "write_back")?;
            }
            Ok(RecordKnown::AskedFor)
        })
        .await
    }
}

fn store(tx: &Transaction<'_>, link: LinkId, end: &EditEnd, now: Timestamp) -> rusqlite::Result<()> {
    if !stands(tx, link, end.field, &end.dialler)? {
        return Ok(());
    }
    match &end.what {
        EditFate::Alike(value) => {
            arrived(tx, link, end.field, &value.crm, now)?;
            agree(tx, link, &[(end.field, &end.dialler, value)])?;
            // A page that was read before and comes to be stored later says nothing of it.
            edits::told(tx, link, std::iter::once(end.field), now)?;
            hints::link_in(tx, now, link, "both sides alike")
        }
        EditFate::Overwritten => {
            open(tx, link, end, "seen", None, None, now)?;
            // Only what waits is worked out anew at its lease.
            let waits: bool = tx
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM operations WHERE link_id = ?1 AND kind = 'update' AND given IS NULL
                        AND state = 'waiting')",
                )?
                .query_row([link.0], |row| row.get(0))?;
            if waits { Ok(()) } else { hints::link_in(tx, now, link, "edited in the dialler") }
        }
        EditFate::Conflict { agreed, crm } => open(tx, link, end, "conflict", Some((agreed, crm)), None, now),
        EditFate::Refused { crm, reason } => {
            open(tx, link, end, "refused", Some((&Value::Null, crm)), Some(reason), now)
        }
    }
}

/// A person does not want the CRM told of a record: of what agents changed by then neither. It stays known, with the value that the
/// CRM last had, so that a word on it is said of that; another edit, or another value in the CRM, is looked at as usual.
pub(super) fn put_aside(tx: &Transaction<'_>, link: LinkId, now: &str) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE edits SET state = 'refused', since = ?2, code = ?3, params = '{}', agreed = b.crm, crm = b.crm
         FROM (SELECT f.field, coalesce(l.base -> ('$.' || f.field || '.crm'), 'null') AS crm
               FROM links l JOIN edits f ON f.link_id = l.id WHERE l.id = ?1) b
         WHERE link_id = ?1 AND edits.field = b.field AND state = 'seen'",
    )?
    .execute((link.0, now, ReasonCode::Discarded.as_str()))?;
    Ok(())
}

fn stands(tx: &Transaction<'_>, link: LinkId, field: FieldName, dialler: &Value) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM edits WHERE link_id = ?1 AND field = ?2 AND dialler = ?3)",
    )?
    .query_row((link.0, field.as_str(), dialler.to_string()), |row| row.get(0))
}

fn open(
    tx: &Transaction<'_>,
    link: LinkId,
    end: &EditEnd,
    state: &str,
    values: Option<(&Value, &Value)>,
    reason: Option<&Reason>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (agreed, crm) = values.unzip();
    // Other values are another conflict, with a number of its own: a person's word is said of what was shown.
    tx.prepare_cached(
        "REPLACE INTO edits (link_id, field, dialler, rule, seen_at, take, against, before)
         SELECT link_id, field, dialler, rule, seen_at, take, against, before FROM edits
         WHERE link_id = ?1 AND field = ?2 AND crm IS NOT NULL AND crm IS NOT ?3",
    )?
    .execute((link.0, end.field.as_str(), crm.map(Value::to_string)))?;
    tx.prepare_cached(
        "UPDATE edits SET since = CASE WHEN ?3 = 'seen' THEN NULL WHEN state = ?3 THEN since ELSE ?8 END,
                state = ?3, agreed = ?4, crm = ?5, code = ?6, params = ?7
         WHERE link_id = ?1 AND field = ?2",
    )?
    .execute((
        link.0,
        end.field.as_str(),
        state,
        agreed.map(Value::to_string),
        crm.map(Value::to_string),
        reason.map(code),
        reason.map_or_else(|| "{}".to_owned(), Reason::params_json),
        time(now),
    ))?;
    Ok(())
}

/// The CRM was told of these. What was seen in the dialler meanwhile stays an edit, of what both sides agree on now.
pub(super) fn carried(
    tx: &Transaction<'_>,
    link: LinkId,
    carried: &[CarriedEdit],
    now: Timestamp,
) -> rusqlite::Result<()> {
    if carried.is_empty() {
        return Ok(());
    }
    let pairs: Vec<_> = carried.iter().map(|edit| (edit.field, &edit.dialler, &edit.value)).collect();
    agree(tx, link, &pairs)?;
    edits::told(tx, link, carried.iter().map(|edit| edit.field), now)?;
    // The record's version is another now: without a look of its own a value that comes back would pass for unchanged.
    hints::link_in(tx, now, link, "told the CRM")
}

/// The CRM has what a request in doubt told it: the trail names it like anything else that was told.
pub(super) fn arrived(
    tx: &Transaction<'_>,
    link: LinkId,
    field: FieldName,
    value: &Value,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let told: Option<(i64, String, Base, Because)> = tx
        .prepare_cached(
            "SELECT w.id, n.value AS name, l.base, coalesce(w.because, '{}') AS because FROM write_backs w CROSS JOIN json_each(w.carrying) n JOIN links l ON l.id = w.link_id
             WHERE w.link_id = ?1 AND w.kind = 'fields' AND w.state IN ('waiting', 'uncertain') AND n.key = ?2",
        )?
        .query_row((link.0, field.as_str()), |row| {
            Ok((row.get("id")?, row.get("name")?, get_json(row, "base")?, get_json(row, "because")?))
        })
        .optional()?;
    let Some((row, name, base, mut because)) = told else { return Ok(()) };
    let why = because.remove(&name);
    let before = base.get(&field).map(|pair| pair.crm.to_string());
    let before_from = if before.is_some() { BeforeFrom::Base } else { BeforeFrom::None };
    let change = Added {
        side: "crm",
        field: &name,
        rule: why.as_ref().map(|why| why.rule.as_str()),
        person: why.as_ref().and_then(|why| why.person.clone()),
        before,
        before_from,
        after: Some(value.to_string()),
    };
    trail::append(tx, now, link, By::WriteBack(WriteBackId(row)), "in doubt, and found there", vec![change])?;
    // Once.
    tx.prepare_cached("UPDATE write_backs SET carrying = json_remove(carrying, '$.' || ?2) WHERE id = ?1")?
        .execute((row, field.as_str()))?;
    Ok(())
}

/// What both sides have is agreed on, and wished: no later update sends what the CRM had before.
fn agree(
    tx: &Transaction<'_>,
    link: LinkId,
    fields: &[(FieldName, &Value, &DesiredValue)],
) -> rusqlite::Result<()> {
    let (mut base, mut desired): (Base, Desired) = tx
        .prepare_cached("SELECT base, desired FROM links WHERE id = ?1")?
        .query_row([link.0], |row| Ok((get_json(row, "base")?, get_json(row, "desired")?)))?;
    let mut delete = tx.prepare_cached(
        "DELETE FROM edits WHERE link_id = ?1 AND field = ?2 AND dialler = ?3 RETURNING before",
    )?;
    for (field, dialler, value) in fields {
        let was_before: Option<bool> =
            delete.query_row((link.0, field.as_str(), dialler.to_string()), |row| row.get(0)).optional()?;
        // A contact that came after the edited one does not hold it: the record is decided anew, and an update brings it.
        if was_before != Some(true) {
            base.insert(*field, Pair { crm: value.crm.clone(), dialler: (*dialler).clone() });
        }
        desired.insert(*field, (*value).clone());
    }
    tx.prepare_cached("UPDATE links SET base = ?2, desired = ?3 WHERE id = ?1")?.execute((
        link.0,
        json(&base)?,
        json(&desired)?,
    ))?;
    sent_numbers::refresh(tx, link)
}
