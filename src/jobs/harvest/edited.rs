//! What agents changed in two-way fields, read off every contact that a sweep or a read shows.

use super::HarvestContext;
use crate::domain::{Contact, Edit, FieldName, SeenOn, Seq, TwoWay};
use crate::jobs::JobError;
use crate::ledger::{EditSeen, EditWord, TwoWayLink};
use crate::sync::says_the_same;
use serde_json::Value;

/// Compares contacts with what both sides last agreed on, and stores what differs. `began`: the read order of the answer.
pub(super) async fn look(ctx: &HarvestContext, contacts: &[&Contact], began: Seq) -> Result<(), JobError> {
    let two_way = &ctx.settings.two_way;
    if two_way.is_empty() || contacts.is_empty() {
        return Ok(());
    }
    let ids = contacts.iter().map(|contact| contact.id).collect();
    let links = ctx.ledger.two_way_links(two_way.keys().cloned().collect(), ids).await?;
    let mut seen = Vec::new();
    for contact in contacts {
        let Some(link) = links.get(&contact.id) else { continue };
        let Some(fields) = two_way.get(&link.route) else { continue };
        seen.extend(compare(contact, link, fields));
    }
    if !seen.is_empty() {
        ctx.ledger.edits_store(seen, began).await?;
    }
    Ok(())
}

/// What of a contact's two-way fields is news. A field that the answer does not carry says nothing.
pub(in crate::jobs) fn compare(contact: &Contact, link: &TwoWayLink, fields: &TwoWay) -> Vec<EditSeen> {
    let news = fields.iter().filter_map(|(field, rule)| {
        let value = contact.fields.get(field.as_str())?;
        let agreed = link.base.get(field).map(|pair| &pair.dialler);
        let known = link.edits.get(field);
        let what = if says_the_same(*field, value, agreed.unwrap_or(&Value::Null)) {
            known.filter(|edit| is_undone(*field, edit, value)).map(|_| EditWord::Undone)?
        } else if known
            .is_some_and(|edit| edit.dialler == *value && edit.rule == *rule && edit.on == SeenOn::Contact)
        {
            return None;
        } else {
            EditWord::Edited(value.clone(), *rule)
        };
        Some(seen(contact, link, *field, agreed, what))
    });
    news.collect()
}

/// Whether a contact that holds what was agreed on says that nobody edited it: one that came after the contact on which
/// the edit was seen never had it.
fn is_undone(field: FieldName, edit: &Edit, value: &Value) -> bool {
    match edit.on {
        SeenOn::Contact => true,
        SeenOn::ContactBefore => says_the_same(field, &edit.dialler, value),
    }
}

fn seen(
    contact: &Contact,
    link: &TwoWayLink,
    field: FieldName,
    agreed: Option<&Value>,
    what: EditWord,
) -> EditSeen {
    EditSeen { link: link.link, contact: contact.id, field, agreed: agreed.cloned(), what }
}
