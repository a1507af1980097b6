//! Fields of a contact that a person changes. An update by hand has a body of its own, kept with its operation: it
//! sends exactly what the person gave, takes along nothing that is held, and no decision about the record replaces it.
//! Nor does it change what the record wishes, so no later update sends the person's value once more.

use super::decisions::{Cause, insert_operation, lane_of_contact, next_generation};
use super::glimpse::{self, Glimpse};
use super::hand_acts::CLIENT;
use super::sql::{get_json, json, time};
use super::{Ledger, LedgerError, Said, gate};
use crate::domain::{
    Block, DesiredValue, FieldName, Intent, LinkId, LinkView, OperationId, OperationKind, Pair, Reason,
    ReasonCode, Values,
};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

/// What became of the wish.
#[derive(Debug, Clone, PartialEq)]
pub enum HandUpdate {
    /// It waits to be sent.
    Queued(OperationId),
    /// These fields are the CRM's: it would write its own values again.
    Mapped(Mapped),
    /// It must not be called, by the numbers it has or by those it shall get; nothing was changed.
    Shut(Box<Block>),
}

/// The fields that a person changes.
#[derive(Debug, Clone, PartialEq)]
pub struct HandFields {
    /// With what the dialler is sent; null empties.
    pub values: Values,
    /// The numbers among them, in E.164; where there are none nobody can be made callable, and the gate is not asked.
    pub numbers: Vec<String>,
}

/// Fields of a contact that come from its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The route that maps them.
    pub route: String,
    /// The record they come from.
    pub record: String,
    /// Which.
    pub fields: Vec<FieldName>,
}

/// What a person gave for an update by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The fields with what the dialler is sent; null empties.
    pub values: Values,
    /// What the contact held right before it was sent; `None`: it never left.
    pub before: Option<Values>,
}

impl Given {
    /// From a row of `operations` that has one.
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let before: Option<String> = row.get("before")?;
        let before = before.is_some().then(|| get_json(row, "before")).transpose()?;
        Ok(Self { values: get_json(row, "given")?, before })
    }

    /// Of such an update only what was given counts as desired, and what the contact held before as agreed upon.
    pub(super) fn stands_in(&self, view: &mut LinkView) {
        let wished = |(field, value): (&FieldName, &_)| (*field, DesiredValue::same(Clone::clone(value)));
        view.desired = self.values.iter().map(wished).collect();
        view.edits.clear();
        for (field, value) in self.before.iter().flatten() {
            view.base.insert(*field, Pair { crm: value.clone(), dialler: value.clone() });
        }
    }
}

impl Ledger {
    /// An update that is about to leave carries less than was worked out when it was leased.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn update_narrow(&self, id: OperationId, values: Values) -> Result<(), LedgerError> {
        self.write("update_narrow", move |tx| {
            tx.prepare_cached("UPDATE operations SET body = ?2 WHERE id = ?1 AND state = 'sending'")?
                .execute((id.0, json(&values)?))?;
            Ok(())
        })
        .await
    }

    /// Queues a change of fields by hand.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn contact_update_by_hand(
        &self,
        seen: Glimpse,
        fields: HandFields,
        said: Said,
    ) -> Result<HandUpdate, LedgerError> {
        let now = self.env.now();
        let (HandFields { values, numbers }, Said { who, text }) = (fields, said);
        self.write("contact_update_by_hand", move |tx| {
            glimpse::keep(tx, &seen, now)?;
            if !numbers.is_empty()
                && let Some(block) = gate::shut_for_contact(tx, &seen, &numbers, &time(now))?
            {
                return Ok(HandUpdate::Shut(Box::new(block)));
            }
            let link = lane_of_contact(tx, now, CLIENT, seen.contact)?;
            if let Some(mapped) = mapped(tx, link, &values)? {
                return Ok(HandUpdate::Mapped(mapped));
            }
            let cause = Cause { at: now, decided_at: now, text: format!("person:{who}"), run: None };
            let reason = Reason::new(ReasonCode::ByHand).with("text", &text);
            let intent = Intent { kind: OperationKind::Update, reason };
            let generation = next_generation(tx, link)?;
            let operation = OperationId(insert_operation(tx, &cause, link, generation, &intent, None)?);
            tx.prepare_cached("UPDATE operations SET given = ?2 WHERE id = ?1")?
                .execute((operation.0, json(&values)?))?;
            Ok(HandUpdate::Queued(operation))
        })
        .await
    }

    /// Notes what the contact holds right before an update by hand leaves: whoever asks later what became of it
    /// compares with that, because no base need have these fields.
    ///
    /// # Errors
    /// The ledger cannot be written; then it may not leave.
    pub async fn update_note_before(&self, id: OperationId, before: Values) -> Result<(), LedgerError> {
        self.write("update_note_before", move |tx| {
            tx.prepare_cached("UPDATE operations SET before = ?2 WHERE id = ?1 AND state = 'sending'")?
                .execute((id.0, json(&before)?))?;
            Ok(())
        })
        .await
    }
}

/// What an update by hand sends; `None`: the operation is none.
pub(super) fn given(connection: &Connection, id: OperationId) -> rusqlite::Result<Option<Given>> {
    connection
        .prepare_cached("SELECT given, before FROM operations WHERE id = ?1 AND given IS NOT NULL")?
        .query_row([id.0], Given::of)
        .optional()
}

/// Those of the fields that the link's record maps, if any.
pub(super) fn mapped(
    connection: &Connection,
    link: LinkId,
    values: &Values,
) -> rusqlite::Result<Option<Mapped>> {
    let (route, record, desired): (Option<String>, Option<String>, crate::domain::Desired) = connection
        .prepare_cached("SELECT route, record_id, desired FROM links WHERE id = ?1")?
        .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?, get_json(row, "desired")?)))?;
    let (Some(route), Some(record)) = (route, record) else { return Ok(None) };
    let fields: Vec<FieldName> =
        values.keys().filter(|field| desired.contains_key(*field)).copied().collect();
    Ok((!fields.is_empty()).then_some(Mapped { route, record, fields }))
}

/// The operation that takes the place of an update by hand sends what that one was given.
pub(super) fn carry(tx: &Transaction<'_>, from: OperationId, to: OperationId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE operations SET given = (SELECT given FROM operations WHERE id = ?1) WHERE id = ?2",
    )?
    .execute((from.0, to.0))?;
    Ok(())
}

/// The same for what was to be emptied and kept its value, unless a younger update by hand gives it another one.
pub(super) fn carry_emptied(
    tx: &Transaction<'_>,
    from: OperationId,
    to: OperationId,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE operations SET given = (SELECT json_group_object(g.key, NULL) FROM operations o, json_each(o.given) g
                                        WHERE o.id = ?1 AND g.type = 'null' AND NOT EXISTS
                                            (SELECT 1 FROM operations y, json_each(y.given) x
                                             WHERE y.link_id = o.link_id AND y.state = 'waiting'
                                               AND y.given IS NOT NULL AND y.id <> ?2 AND x.key = g.key))
         WHERE id = ?2 AND EXISTS (SELECT 1 FROM operations o WHERE o.id = ?1 AND o.given IS NOT NULL)",
    )?
    .execute((from.0, to.0))?;
    Ok(())
}
