//! Whom a block reaches: links by record, by number and by contact, contacts that are nobody's, records, and who is
//! decided anew when it ends.

use super::{foreign, sql};
use crate::domain::{BlockSubject, LinkId, Reason, RecordId, RecordKey, Timestamp};
use rusqlite::{Connection, ToSql, Transaction};

/// Links by a number: what their record maps to, what we sent, and what a sweep saw their contact to have. A lane
/// without a record belongs to whoever has a route into its campaign. From the number to its few links, whatever the planner
/// believes of either table.
const LINKS_BY_NUMBER: &str = "SELECT l.id FROM link_numbers n CROSS JOIN links l ON l.id = n.link_id
         WHERE n.number = ?2 AND l.client = ?1
     UNION
     SELECT l.id FROM sent_numbers n CROSS JOIN links l ON l.id = n.link_id
         WHERE n.number = ?2 AND l.client = ?1
     UNION
     SELECT l.id FROM contact_numbers n CROSS JOIN links l ON l.contact_id = n.contact_id
         WHERE n.number = ?2 AND (l.client = ?1 OR l.route IS NULL AND EXISTS
            (SELECT 1 FROM contacts c WHERE c.contact_id = l.contact_id
             AND +c.campaign_id IN (SELECT campaign_id FROM client_campaigns WHERE client = ?1)))";

/// Links by a contact that they have or ever had: who was locked by hand stays so under another number too.
const LINKS_BY_CONTACT: &str = "SELECT id FROM links WHERE contact_id = ?1
     UNION
     SELECT link_id FROM link_contacts WHERE contact_id = ?1";

/// The few routes first: the other way round every link is walked past.
const LINKS_BY_RECORD: &str = "SELECT l.id FROM routes r CROSS JOIN links l ON l.route = r.route
     WHERE l.client = ?1 AND l.record_id = ?2 AND r.crm = ?3 AND r.object = ?4";

/// Every link that the subject names; contacts of others that bear a blocked number get a lane for their lock.
pub(super) fn links_under(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
    at: Timestamp,
) -> rusqlite::Result<Vec<LinkId>> {
    let mut links = links_of(tx, client, subject)?;
    if let BlockSubject::Number(number) = subject {
        links.extend(foreign::lanes_by_number(tx, client, number, at)?);
    }
    Ok(links)
}

pub(super) fn links_of(
    connection: &Connection,
    client: &str,
    subject: &BlockSubject,
) -> rusqlite::Result<Vec<LinkId>> {
    let found = |sql: &str, params: &[&dyn ToSql]| {
        connection.prepare_cached(sql)?.query_map(params, |row| row.get(0).map(LinkId))?.collect()
    };
    match subject {
        BlockSubject::Record(key) => {
            found(LINKS_BY_RECORD, &[&client, &key.id.as_str(), &key.crm, &key.object])
        }
        BlockSubject::Number(number) => found(LINKS_BY_NUMBER, &[&client, number]),
        BlockSubject::Contact(contact) => found(LINKS_BY_CONTACT, &[&contact.0]),
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
        BlockSubject::Contact(contact) => tx
            .prepare_cached(&format!(
                "{SET} AND ?1 IS NOT NULL AND records.link_id IN
                    (SELECT id FROM links WHERE contact_id = ?2
                     UNION SELECT link_id FROM link_contacts WHERE contact_id = ?2)"
            ))?
            .execute((client, contact.0, code, params, now))?,
    };
    Ok(())
}

/// A few routes first, then their record.
pub(super) const RECORDS_OF_KEY: &str =
    "SELECT d.route, d.record_id FROM routes r CROSS JOIN records d ON d.route = r.route
     WHERE r.client = ?1 AND d.record_id = ?2 AND r.crm = ?3 AND r.object = ?4";

/// In the words of its index, and the few records first: many are blocked, and each number of a list asks.
pub(super) const BLOCKED_WITHOUT_LINK: &str =
    "SELECT d.route, d.record_id FROM records d CROSS JOIN routes r ON r.route = d.route
     WHERE d.state = 'blocked' AND d.link_id IS NULL AND json_extract(d.params, '$.subject') = ?2 AND r.client = ?1";

/// Why, of those whom a lifted block held.
const LIFTED: &str = "block lifted";

/// Whoever a lifted block held is read and decided again: a hint, and a hash that agrees with nothing. A contact of
/// others has no record to be decided by: it is unlocked, unless something else stands against it.
pub(super) fn decide_anew(
    tx: &Transaction<'_>,
    client: &str,
    subject: &BlockSubject,
    now: Timestamp,
) -> rusqlite::Result<()> {
    // A record may have no link yet; everything else is reached through its links.
    if let BlockSubject::Record(RecordKey { crm, object, id: RecordId(id) }) = subject {
        let records: Vec<(String, String)> = tx
            .prepare_cached(RECORDS_OF_KEY)?
            .query_map((client, id, crm, object), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        return records.iter().try_for_each(|(route, record)| hint(tx, route, record, LIFTED, now));
    }
    for link in links_of(tx, client, subject)? {
        let (route, record): (Option<String>, Option<String>) = tx
            .prepare_cached("SELECT route, record_id FROM links WHERE id = ?1")?
            .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        match (route, record, subject) {
            (Some(route), Some(record), _) => hint(tx, &route, &record, LIFTED, now)?,
            (_, _, BlockSubject::Number(_)) => foreign::release(tx, link, now)?,
            // By hand as it was locked.
            (_, _, BlockSubject::Contact(_) | BlockSubject::Record(_)) => {}
        }
    }
    if let BlockSubject::Number(_) = subject {
        // Whoever was never there has no link, and so no numbers: what it is blocked by tells.
        let records: Vec<(String, String)> = tx
            .prepare_cached(BLOCKED_WITHOUT_LINK)?
            .query_map((client, subject.spoken()), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        records.iter().try_for_each(|(route, record)| hint(tx, route, record, LIFTED, now))?;
    }
    Ok(())
}

/// The record is read and decided anew, whether or not it changed.
pub(super) fn hint(
    tx: &Transaction<'_>,
    route: &str,
    record: &str,
    why: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE records SET hash = x'' WHERE route = ?1 AND record_id = ?2")?
        .execute((route, record))?;
    tx.prepare_cached("INSERT INTO hints (route, record_id, source, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((route, record, why, sql::time(now)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::hearing::NUMBERS_OF;
    use super::super::testing::scene;
    use super::*;

    /// A wave of blocks among 100,000 contacts must be stored within seconds.
    #[tokio::test(start_paused = true)]
    async fn nobody_is_found_by_walking_past_everybody() {
        const RECORDS_BY_LINK: &str = "SELECT state FROM records WHERE link_id IN
            (SELECT n.link_id FROM link_numbers n JOIN links l ON l.id = n.link_id WHERE n.number = ?2 AND l.client = ?1)";
        let scene = scene().await;
        for sql in [
            LINKS_BY_NUMBER,
            LINKS_BY_CONTACT,
            LINKS_BY_RECORD,
            RECORDS_BY_LINK,
            NUMBERS_OF,
            RECORDS_OF_KEY,
            BLOCKED_WITHOUT_LINK,
        ] {
            let steps = scene.plan_of(sql).await;
            let walks =
                |step: &&String| step.starts_with("SCAN") && !["SCAN r", "SCAN own"].contains(&step.as_str());
            assert_eq!(steps.iter().find(walks), None, "{sql}\n{steps:#?}");
        }
        let steps = scene.plan_of(BLOCKED_WITHOUT_LINK).await;
        let by_what = "SEARCH d USING INDEX records_blocked_unlinked (<expr>=?)";
        assert_eq!(steps[0], by_what, "not past all who are blocked: {steps:#?}");
    }
}
