//! What a dry run found under the keys of new records: the contacts that would be taken over, and what would stay there
//! although the record says something else (semantics 5).

use super::inputs::link_view;
use super::plan_view::PlanField;
use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::policy::Clearing;
use crate::domain::{ContactId, FieldName, LinkId, LinkView, RouteName, Timestamp, Wish};
use rusqlite::{Connection, named_params};
use serde::Serialize;
use std::collections::BTreeMap;

/// Says which of a link's fields the dialler keeps although the record wants something else there.
pub type KeptOf = fn(&LinkView, Clearing) -> Vec<FieldName>;

/// So many contacts are named.
const EXAMPLES: usize = 10;

/// Contacts that were taken over on a route since a moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TakenOver {
    /// How many.
    pub count: i64,
    /// Those of them that are to be locked, because their record must not be called.
    pub locked: i64,
    /// Of how many a field stays as it is there, by field.
    pub kept: Vec<KeptCount>,
    /// A few: those of which something stays first.
    pub examples: Vec<TakenExample>,
}

/// A field that stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptCount {
    /// The dialler's field.
    pub field: FieldName,
    /// In how many contacts.
    pub count: i64,
}

/// One contact that was taken over.
#[derive(Debug, Clone, Serialize)]
pub struct TakenExample {
    /// Its key.
    pub user_data: Option<String>,
    /// The contact.
    pub contact: ContactId,
    /// What stays (`before`), and what the record would have there (`after`).
    pub kept: Vec<PlanField>,
}

impl Ledger {
    /// Whom the route took over since then.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn taken_over(
        &self,
        route: RouteName,
        since: Timestamp,
        kept: KeptOf,
    ) -> Result<TakenOver, LedgerError> {
        let clearing = self.clearing().await?;
        self.read("taken_over", move |connection| all(connection, &route, since, |view| kept(view, clearing)))
            .await
    }
}

fn all(
    connection: &Connection,
    route: &RouteName,
    since: Timestamp,
    kept: impl Fn(&LinkView) -> Vec<FieldName>,
) -> rusqlite::Result<TakenOver> {
    let mut statement = connection.prepare_cached(
        "SELECT l.id, l.user_data, c.contact_id FROM link_contacts c JOIN links l ON l.id = c.link_id
         WHERE l.route = :route AND c.how = 'adopted' AND c.until IS NULL AND c.since >= :since ORDER BY c.contact_id",
    )?;
    let mut rows = statement.query(named_params! { ":route": route.0, ":since": time(since) })?;
    let (mut counts, mut plain) = (BTreeMap::new(), Vec::new());
    let mut taken = TakenOver::default();
    while let Some(row) = rows.next()? {
        taken.count += 1;
        let view = link_view(connection, LinkId(row.get("id")?))?;
        taken.locked += i64::from(view.wish == Wish::Locked);
        let fields = kept(&view);
        fields.iter().for_each(|field| *counts.entry(*field).or_insert(0) += 1);
        let among = if fields.is_empty() { &mut plain } else { &mut taken.examples };
        if among.len() < EXAMPLES {
            among.push(TakenExample {
                user_data: row.get("user_data")?,
                contact: ContactId(row.get("contact_id")?),
                kept: fields.into_iter().filter_map(|field| stays(&view, field)).collect(),
            });
        }
    }
    plain.truncate(EXAMPLES - taken.examples.len());
    taken.examples.extend(plain);
    taken.kept = counts.into_iter().map(|(field, count)| KeptCount { field, count }).collect();
    taken.kept.sort_by_key(|kept| -kept.count);
    Ok(taken)
}

fn stays(view: &LinkView, field: FieldName) -> Option<PlanField> {
    let after = view.desired.get(&field)?.send.clone();
    Some(PlanField { field, before: view.base.get(&field).map(|pair| pair.dialler.clone()), after })
}
