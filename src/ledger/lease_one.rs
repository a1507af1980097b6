//! One operation whose turn it is: leased, or ended because there is nothing to send any more.

use super::by_hand_update::mapped;
use super::decisions::{Cause, insert_operation, next_generation};
use super::drip::Today;
use super::hand_acts::delete_over;
use super::lease::{Going, LeaseBatch, LeaseOrder, Plan, begin};
use super::leased::{Leased, read};
use super::overtaken::{self, Standing};
use super::sql::{json, time};
use super::{gate, sent_numbers};
use crate::domain::{
    ContactId, Intent, LinkId, OperationId, OperationKind, Reason, ReasonCode, Timestamp, Values,
};
use rusqlite::Transaction;

/// Leases it, or ends it where there is nothing to send any more; a full day leaves it waiting.
pub(super) fn lease_one(
    tx: &Transaction<'_>,
    id: OperationId,
    now: Timestamp,
    sent: i64,
    order: &LeaseOrder,
    today: &mut Today,
    batch: &mut LeaseBatch,
) -> rusqlite::Result<()> {
    let mut operation = read(tx, id, now)?;
    if !today.has_room(&operation) {
        return Ok(());
    }
    operation.clearing = operation.own_clearing.unwrap_or(order.clearing);
    let given = operation.given.as_ref().map(|given| &given.values);
    if let Some(reason) = now_mapped(tx, operation.link, given)? {
        batch.refused += 1;
        return finish_unsent(tx, id, "refused", &reason, now);
    }
    match overtaken::judge(tx, &operation, now)? {
        Standing::Stands => {}
        Standing::Overtaken => {
            batch.superseded += 1;
            return Ok(());
        }
    }
    match (order.plan)(operation.kind, given, &operation.view, operation.clearing) {
        Plan::Send(values) => {
            match overtaken::judge_numbers(tx, &operation, &values, now)? {
                Standing::Stands => {}
                Standing::Overtaken => {
                    batch.superseded += 1;
                    return Ok(());
                }
            }
            operation.values = values;
            let body = json(&operation.values)?;
            begin(tx, &operation, sent, Some(&body))?;
            sent_numbers::leaving(tx, operation.link, &operation.values)?;
            today.take(&operation);
            if operation.kind == OperationKind::Import {
                operation.newest = newest(tx)?;
            }
            let gate = (order.question)(&operation);
            let gate = gate.map(|opens| gate::ask(tx, operation.link, opens, now)).transpose()?;
            batch.going.push(Going { leased: operation, gate });
        }
        Plan::NothingLeft => {
            nothing_left(tx, &operation, now)?;
            batch.refused += 1;
        }
        Plan::Instead(kind) => {
            replace(tx, &operation, kind, now)?;
            batch.superseded += 1;
        }
        // Nothing took the place of what a person gave: there is nobody to send it to.
        Plan::Unwished if given.is_some() => {
            finish_unsent(tx, id, "refused", &ReasonCode::Vanished.into(), now)?;
            batch.refused += 1;
        }
        Plan::Unwished => {
            finish_unsent(tx, id, "superseded", &ReasonCode::Newer.into(), now)?;
            if operation.kind == OperationKind::Delete {
                delete_over(tx, operation.link, "it went another way", now)?;
            }
            batch.superseded += 1;
        }
    }
    Ok(())
}

/// The last one of each by an index: a plain `max` would walk all links, once for each import.
const NEWEST: &str = "SELECT max(id) FROM (
    SELECT * FROM (SELECT contact_id AS id FROM links WHERE contact_id IS NOT NULL ORDER BY contact_id DESC LIMIT 1)
    UNION ALL SELECT * FROM (SELECT contact_id FROM contacts WHERE gone_at IS NULL ORDER BY contact_id DESC LIMIT 1))";

/// The greatest number of a contact that is known, by its list or by our own imports.
fn newest(tx: &Transaction<'_>) -> rusqlite::Result<Option<ContactId>> {
    let number: Option<i64> = tx.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
    Ok(number.map(ContactId))
}

/// Why what a person gave is not sent: a record has taken the contact over since, or its mapping has grown, and it would
/// write its own again.
fn now_mapped(
    tx: &Transaction<'_>,
    link: LinkId,
    given: Option<&Values>,
) -> rusqlite::Result<Option<Reason>> {
    let Some(values) = given else { return Ok(None) };
    Ok(mapped(tx, link, values)?.map(|mapped| {
        Reason::new(ReasonCode::FieldsMapped).with("record", mapped.record).with("route", mapped.route)
    }))
}

/// The link changed under it: an operation of another kind takes its place.
fn replace(
    tx: &Transaction<'_>,
    operation: &Leased,
    kind: OperationKind,
    now: Timestamp,
) -> rusqlite::Result<()> {
    finish_unsent(tx, operation.id, "superseded", &ReasonCode::Newer.into(), now)?;
    let text = cause_of(tx, operation.id)?;
    let cause = Cause { at: now, decided_at: operation.decided_at, text, run: None };
    let generation = next_generation(tx, operation.link)?;
    let intent = Intent { kind, reason: operation.reason.clone() };
    insert_operation(tx, &cause, operation.link, generation, &intent, None)?;
    Ok(())
}

fn finish_unsent(
    tx: &Transaction<'_>,
    id: OperationId,
    state: &str,
    reason: &Reason,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE operations SET state = ?2, outcome = ?3, outcome_params = ?4, finished_at = ?5 WHERE id = ?1",
    )?
    .execute((id.0, state, reason.code.as_str(), reason.params_json(), time(now)))?;
    Ok(())
}

/// Nothing is left to send: both sides agree, a person gave nothing but fields that cannot be emptied, or what was given
/// was erased while it was parked.
fn nothing_left(tx: &Transaction<'_>, operation: &Leased, now: Timestamp) -> rusqlite::Result<()> {
    let reason = match operation.given.as_ref().map(|given| given.values.keys().next()) {
        None => ReasonCode::NothingLeft.into(),
        Some(Some(field)) => Reason::new(ReasonCode::CannotClear).with("field", field),
        Some(None) => Reason::new(ReasonCode::InDoubt)
            .with("problem", "what was given is erased after its time; say it once more"),
    };
    finish_unsent(tx, operation.id, "refused", &reason, now)?;
    if operation.kind == OperationKind::Update && operation.given.is_none() {
        tx.prepare_cached("UPDATE links SET complete = 1 WHERE id = ?1 AND contact_id IS NOT NULL")?
            .execute([operation.link.0])?;
    }
    Ok(())
}

fn cause_of(tx: &Transaction<'_>, id: OperationId) -> rusqlite::Result<String> {
    tx.prepare_cached("SELECT cause FROM operations WHERE id = ?1")?.query_row([id.0], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::scene;

    /// A filled ledger asks it for each import.
    #[tokio::test(start_paused = true)]
    async fn the_newest_contact_is_known_without_a_look_at_all() {
        let scene = scene().await;
        let steps = scene.plan_of(NEWEST).await;
        assert!(
            steps.iter().any(|step| step.contains("links USING COVERING INDEX links_by_contact")),
            "{steps:#?}"
        );
        assert!(steps.iter().all(|step| !step.contains("TEMP B-TREE") && step != "SCAN links"), "{steps:#?}");
    }
}
