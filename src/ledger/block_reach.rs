//! Whom a block reaches: links by record and by number, records, and who is decided anew when it ends.

use super::sql;
use crate::domain::{BlockSubject, LinkId, Reason, RecordId, RecordKey};
use rusqlite::Transaction;

/// Every link of the client that the subject names, by what its record maps to and by what a sweep saw.
pub(super) fn links_under(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
) -> rusqlite::Result<Vec<LinkId>> {
    let id = |row: &rusqlite::Row<'_>| row.get(0).map(LinkId);
    match subject {
        BlockSubject::Record(key) => tx
            .prepare_cached(
                "SELECT l.id FROM links l JOIN routes r ON r.route = l.route
                 WHERE l.client = ?1 AND l.record_id = ?2 AND r.crm = ?3 AND r.object = ?4",
            )?
            .query_map((client, key.id.as_str(), &key.crm, &key.object), id)?
            .collect(),
        BlockSubject::Number(number) => tx
            .prepare_cached(
                "SELECT l.id FROM link_numbers n JOIN links l ON l.id = n.link_id
                 WHERE n.number = ?2 AND l.client = ?1
                 UNION
                 SELECT l.id FROM contact_numbers n JOIN links l ON l.contact_id = n.contact_id
                 WHERE n.number = ?2 AND l.client = ?1",
            )?
            .query_map((client, number), id)?
            .collect(),
    }
}

/// The record's own state follows; one without a contact is asked about in the dialler, because somebody
/// else may have made a contact with its key, and that one must be locked (semantics 5). So is one that is
/// parked for what was found: all that was found must be locked then. What a person put aside stays aside.
pub(super) fn mark_records(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
    reason: &Reason,
    now: &str,
) -> rusqlite::Result<()> {
    const SET: &str = "UPDATE records SET
            state = CASE WHEN records.state = 'discarded' THEN records.state ELSE 'blocked' END,
            code = CASE WHEN records.state = 'discarded' THEN records.code ELSE ?3 END,
            params = CASE WHEN records.state = 'discarded' THEN records.params ELSE ?4 END,
            since = CASE WHEN records.state IN ('blocked', 'discarded') THEN records.since ELSE ?5 END,
            meet = CASE WHEN records.user_data IS NOT NULL AND records.state <> 'blocked'
                             AND (records.link_id IS NULL OR EXISTS (SELECT 1 FROM links l
                                  WHERE l.id = records.link_id AND l.contact_id IS NULL))
                        THEN 'due' ELSE records.meet END
         WHERE true";
    let (code, params) = (sql::code(reason), reason.params_json());
    match subject {
        BlockSubject::Record(key) => tx
            .prepare_cached(&format!(
                "{SET} AND records.record_id = ?2 AND records.route IN
                    (SELECT route FROM routes WHERE client = ?1 AND crm = ?6 AND object = ?7)"
            ))?
            .execute((client, key.id.as_str(), code, params, now, &key.crm, &key.object))?,
        BlockSubject::Number(number) => tx
            .prepare_cached(&format!(
                "{SET} AND records.link_id IN
                    (SELECT n.link_id FROM link_numbers n JOIN links l ON l.id = n.link_id
                     WHERE n.number = ?2 AND l.client = ?1)"
            ))?
            .execute((client, number, code, params, now))?,
    };
    Ok(())
}

/// Whoever a lifted block held is read and decided again: a hint, and a hash that agrees with nothing.
pub(super) fn decide_anew(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
    now: &str,
) -> rusqlite::Result<()> {
    let records: Vec<(String, String)> = match subject {
        BlockSubject::Record(RecordKey { crm, object, id: RecordId(id) }) => tx
            .prepare_cached(
                "SELECT d.route, d.record_id FROM records d JOIN routes r ON r.route = d.route
                 WHERE r.client = ?1 AND d.record_id = ?2 AND r.crm = ?3 AND r.object = ?4",
            )?
            .query_map((client, id, crm, object), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?,
        BlockSubject::Number(number) => tx
            .prepare_cached(
                "SELECT l.route, l.record_id FROM link_numbers n JOIN links l ON l.id = n.link_id
                 WHERE n.number = ?2 AND l.client = ?1 AND l.route IS NOT NULL
                 UNION
                 SELECT l.route, l.record_id FROM contact_numbers n JOIN links l ON l.contact_id = n.contact_id
                 WHERE n.number = ?2 AND l.client = ?1 AND l.route IS NOT NULL
                 UNION
                 -- Whoever was never there has no link, and so no numbers: what it is blocked by tells.
                 SELECT d.route, d.record_id FROM records d JOIN routes r ON r.route = d.route
                 WHERE d.state = 'blocked' AND d.link_id IS NULL AND r.client = ?1
                   AND json_extract(d.params, '$.subject') = ?3",
            )?
            .query_map((client, number, subject.spoken()), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?,
    };
    for (route, record) in records {
        tx.prepare_cached("UPDATE records SET hash = x'' WHERE route = ?1 AND record_id = ?2")?
            .execute((&route, &record))?;
        tx.prepare_cached(
            "INSERT INTO hints (route, record_id, source, at) VALUES (?1, ?2, 'block lifted', ?3)",
        )?
        .execute((&route, &record, now))?;
    }
    Ok(())
}
