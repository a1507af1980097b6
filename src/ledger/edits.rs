//! What the dialler's side changed in two-way fields: seen by a sweep or a read, kept until both sides agree again.

use super::contacts::WRITTEN_SINCE;
use super::sql::{get_json, get_named, json, time};
use super::{Ledger, LedgerError, hints, write_back};
use crate::domain::{
    Base, ConflictRule, ConflictWord, ContactId, Desired, Edit, Edits, FieldName, Kept, LinkId, RouteName,
    SeenOn, Seq, Take, Timestamp, TwoWay,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use serde_json::Value;
use std::collections::HashMap;

/// A link of a route with two-way fields, as far as a contact that was read is compared with it.
#[derive(Debug, Clone)]
pub struct TwoWayLink {
    /// The link.
    pub link: LinkId,
    /// Its route.
    pub route: RouteName,
    /// What both sides last agreed on.
    pub base: Base,
    /// What was seen before.
    pub edits: Edits,
}

/// What a read of a contact says of a two-way field.
#[derive(Debug, Clone, PartialEq)]
pub struct EditSeen {
    /// The link.
    pub link: LinkId,
    /// The contact that was read.
    pub contact: ContactId,
    /// The field.
    pub field: FieldName,
    /// What the dialler's half of the base was when the two were compared: if it has moved since, this says nothing.
    pub agreed: Option<Value>,
    /// What was seen.
    pub what: EditWord,
}

/// What was seen of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum EditWord {
    /// Another value than was agreed on.
    Edited(Value, ConflictRule),
    /// What was agreed on, though it was another before.
    Undone,
}

impl Ledger {
    /// Of these contacts, the links of routes with two-way fields.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn two_way_links(
        &self,
        routes: Vec<RouteName>,
        ids: Vec<ContactId>,
    ) -> Result<HashMap<ContactId, TwoWayLink>, LedgerError> {
        let routes = Value::from_iter(routes.into_iter().map(|route| route.0)).to_string();
        let ids = Value::from_iter(ids.iter().map(|id| id.0)).to_string();
        self.read("two_way_links", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, contact_id, route, base FROM links
                 WHERE contact_id IN (SELECT value FROM json_each(:ids)) AND vanished_at IS NULL
                   AND route IN (SELECT value FROM json_each(:routes))",
            )?;
            let mut rows = statement.query(named_params! { ":ids": ids, ":routes": routes })?;
            let mut links = HashMap::new();
            while let Some(row) = rows.next()? {
                let link = LinkId(row.get("id")?);
                let view = TwoWayLink {
                    link,
                    route: RouteName(row.get("route")?),
                    base: get_json(row, "base")?,
                    edits: of_link(connection, link)?,
                };
                links.insert(ContactId(row.get("contact_id")?), view);
            }
            Ok(links)
        })
        .await
    }

    /// Stores what a read that was numbered `began` says of two-way fields, and has it told to the CRM. Answers how many
    /// were changed.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn edits_store(&self, seen: Vec<EditSeen>, began: Seq) -> Result<usize, LedgerError> {
        let now = self.env.now();
        self.write("edits_store", move |tx| {
            let mut changed = 0;
            for seen in &seen {
                changed += usize::from(store(tx, seen, began, now)?);
            }
            Ok(changed)
        })
        .await
    }

    /// Notes what stands in two-way fields where an update is in doubt and did not arrive: nothing else of ours is under way
    /// there, and what both sides last agreed on still holds.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn edits_in_doubt(
        &self,
        link: LinkId,
        edited: Vec<(FieldName, Value, ConflictRule)>,
    ) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("edits_in_doubt", move |tx| {
            edited.into_iter().try_for_each(|(field, value, rule)| {
                enter(tx, link, field, &EditWord::Edited(value, rule), now)
            })
        })
        .await
    }

    /// Whose the fields of a route are, by its config. What was seen of a field that is no two-way one any more is
    /// forgotten.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn owners_set(&self, route: RouteName, fields: TwoWay, kept: Kept) -> Result<(), LedgerError> {
        let names = Value::from_iter(fields.keys().map(|field| field.as_str())).to_string();
        let now = time(self.env.now());
        self.write("owners_set", move |tx| {
            // What the CRM changed meanwhile was held back for them.
            tx.prepare_cached(
                "INSERT INTO hints (route, record_id, source, at)
                 SELECT DISTINCT l.route, l.record_id, 'owners changed', ?3 FROM edits e JOIN links l ON l.id = e.link_id
                 WHERE l.route = ?1 AND e.field NOT IN (SELECT value FROM json_each(?2))",
            )?
            .execute((&route.0, &names, now))?;
            tx.prepare_cached(
                "DELETE FROM edits WHERE link_id IN (SELECT id FROM links WHERE route = ?1)
                    AND field NOT IN (SELECT value FROM json_each(?2))",
            )?
            .execute((&route.0, &names))?;
            tx.prepare_cached("UPDATE routes SET kept = ?2 WHERE route = ?1 AND kept <> ?2")?
                .execute((&route.0, json(&kept)?))?;
            Ok(())
        })
        .await
    }
}

/// The edits of a link that both sides have not come to agree on.
pub(super) fn of_link(connection: &Connection, link: LinkId) -> rusqlite::Result<Edits> {
    read(connection, "SELECT field, dialler, rule, take, against, before FROM edits WHERE link_id = ?1", link)
}

/// Those of them that the CRM can be told of.
pub(super) fn to_tell(connection: &Connection, link: LinkId) -> rusqlite::Result<Edits> {
    let sql = "SELECT field, dialler, rule, take, against, before FROM edits WHERE link_id = ?1 AND state <> 'refused'";
    read(connection, sql, link)
}

fn read(connection: &Connection, sql: &str, link: LinkId) -> rusqlite::Result<Edits> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([link.0])?;
    let mut edits = Edits::new();
    while let Some(row) = rows.next()? {
        let Some(field) = FieldName::parse(&row.get::<_, String>("field")?) else { continue };
        let take: Option<String> = row.get("take")?;
        let word = match take.as_deref().and_then(Take::parse) {
            Some(take) => Some(ConflictWord { take, against: get_json(row, "against")? }),
            None => None,
        };
        let rule = get_named(row, "rule", ConflictRule::parse)?;
        let on = if row.get("before")? { SeenOn::ContactBefore } else { SeenOn::Contact };
        edits.insert(field, Edit { dialler: get_json(row, "dialler")?, rule, word, on });
    }
    Ok(edits)
}

fn store(tx: &Transaction<'_>, seen: &EditSeen, began: Seq, now: Timestamp) -> rusqlite::Result<bool> {
    if !may_be_judged(tx, seen, began)? {
        return Ok(false);
    }
    enter(tx, seen.link, seen.field, &seen.what, now)?;
    Ok(true)
}

fn enter(
    tx: &Transaction<'_>,
    link: LinkId,
    field: FieldName,
    what: &EditWord,
    now: Timestamp,
) -> rusqlite::Result<()> {
    match what {
        EditWord::Undone => {
            let gone = tx
                .prepare_cached("DELETE FROM edits WHERE link_id = ?1 AND field = ?2")?
                .execute((link.0, field.as_str()))?;
            if gone > 0 {
                // What the CRM changed meanwhile was held back for it.
                hints::link_in(tx, now, link, "undone in the dialler")?;
            }
            gone
        }
        EditWord::Edited(value, rule) => {
            // Another value is another conflict, with a number of its own.
            tx.prepare_cached("DELETE FROM edits WHERE link_id = ?1 AND field = ?2 AND dialler <> ?3")?
                .execute((link.0, field.as_str(), value.to_string()))?;
            tx.prepare_cached(
                "INSERT INTO edits (link_id, field, dialler, rule, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (link_id, field) DO UPDATE SET rule = excluded.rule,
                    seen_at = CASE WHEN dialler = excluded.dialler THEN seen_at ELSE excluded.seen_at END,
                    take = CASE WHEN dialler = excluded.dialler THEN take END,
                    against = CASE WHEN dialler = excluded.dialler THEN against END,
                    state = CASE WHEN dialler = excluded.dialler THEN state ELSE 'seen' END,
                    since = CASE WHEN dialler = excluded.dialler THEN since END,
                    code = CASE WHEN dialler = excluded.dialler THEN code END,
                    dialler = excluded.dialler, before = 0",
            )?
            .execute((link.0, field.as_str(), value.to_string(), rule.as_str(), time(now)))?
        }
    };
    write_back::want_fields(tx, link, now)
}

/// Whether the read is younger than everything of ours, and both sides still agree on what it was compared with
/// (semantics 2).
fn may_be_judged(tx: &Transaction<'_>, seen: &EditSeen, began: Seq) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT l.base FROM links l, (SELECT :contact AS id) AS c
         WHERE l.id = :link AND l.contact_id = c.id AND NOT {WRITTEN_SINCE}"
    );
    let values = named_params! { ":contact": seen.contact.0, ":link": seen.link.0, ":began": began.0 };
    let base: Option<Base> =
        tx.prepare_cached(&sql)?.query_row(values, |row| get_json(row, "base")).optional()?;
    Ok(base.is_some_and(|base| base.get(&seen.field).map(|pair| &pair.dialler) == seen.agreed.as_ref()))
}

/// The link has a contact that holds these values in place of the one it had. What an agent changed in that one and the CRM
/// was not told of is still to be told, and a conflict stays one: for these fields the sides last agreed on what they agreed
/// on before. Answers the base with that.
pub(super) fn outlive_contact(tx: &Transaction<'_>, link: LinkId, fresh: &Base) -> rusqlite::Result<Base> {
    let mut base = fresh.clone();
    let edits = of_link(tx, link)?;
    if edits.is_empty() {
        return Ok(base);
    }
    let agreed: Base = tx
        .prepare_cached("SELECT base FROM links WHERE id = ?1")?
        .query_row([link.0], |row| get_json(row, "base"))?;
    let mut keep = tx.prepare_cached("UPDATE edits SET before = 1 WHERE link_id = ?1 AND field = ?2")?;
    for (field, edit) in &edits {
        match base.get_mut(field) {
            Some(pair) if pair.dialler == edit.dialler => self::agreed(tx, link, std::iter::once(*field))?,
            Some(pair) => {
                pair.crm = agreed.get(field).map_or(Value::Null, |pair| pair.crm.clone());
                keep.execute((link.0, field.as_str()))?;
            }
            None => {
                keep.execute((link.0, field.as_str()))?;
            }
        }
    }
    Ok(base)
}

/// Both sides agree on these fields now.
pub(super) fn agreed(
    tx: &Transaction<'_>,
    link: LinkId,
    fields: impl Iterator<Item = FieldName>,
) -> rusqlite::Result<()> {
    let mut delete = tx.prepare_cached("DELETE FROM edits WHERE link_id = ?1 AND field = ?2")?;
    for field in fields {
        delete.execute((link.0, field.as_str()))?;
    }
    Ok(())
}

/// A decision rests on newer values of the CRM: what is to become of the fields that the dialler's side changed as well
/// is looked at again.
pub(super) fn crm_moved(
    tx: &Transaction<'_>,
    link: LinkId,
    before: &Desired,
    after: &Desired,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let moved = |field: &FieldName| {
        before.get(field).map(|value| &value.crm) != after.get(field).map(|value| &value.crm)
    };
    let edits = of_link(tx, link)?;
    let again: Vec<&FieldName> = edits.keys().filter(|field| moved(field)).collect();
    if again.is_empty() {
        return Ok(());
    }
    let mut update = tx.prepare_cached(
        "UPDATE edits SET state = 'seen', since = NULL, code = NULL WHERE link_id = ?1 AND field = ?2",
    )?;
    for field in again {
        update.execute((link.0, field.as_str()))?;
    }
    write_back::want_fields(tx, link, now)
}

/// What was read in the CRM before it was last told of the dialler's value says nothing of a field: there the link keeps
/// what it has. Answers whether anything was put back, so that the record is to be read once more.
pub(super) fn put_back_older(
    tx: &Transaction<'_>,
    link: LinkId,
    has: &Desired,
    read: &mut Desired,
    read_at: Timestamp,
) -> rusqlite::Result<bool> {
    let told: HashMap<String, String> = tx
        .prepare_cached("SELECT crm_told FROM links WHERE id = ?1")?
        .query_row([link.0], |row| get_json(row, "crm_told"))?;
    let read_at = time(read_at);
    let mut back = false;
    for (name, at) in told {
        let Some(field) = FieldName::parse(&name).filter(|_| at > read_at) else { continue };
        if let (Some(kept), Some(value)) = (has.get(&field), read.get_mut(&field))
            && kept != value
        {
            *value = kept.clone();
            back = true;
        }
    }
    Ok(back)
}

/// Notes that the CRM was told of the dialler's value.
pub(super) fn told(
    tx: &Transaction<'_>,
    link: LinkId,
    fields: impl Iterator<Item = FieldName>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut told: HashMap<String, String> = tx
        .prepare_cached("SELECT crm_told FROM links WHERE id = ?1")?
        .query_row([link.0], |row| get_json(row, "crm_told"))?;
    told.extend(fields.map(|field| (field.as_str().to_owned(), time(now))));
    tx.prepare_cached("UPDATE links SET crm_told = ?2 WHERE id = ?1")?.execute((link.0, json(&told)?))?;
    Ok(())
}

#[cfg(test)]
mod tests;
