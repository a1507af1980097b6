//! Who bears a key: when a contact comes, changes or goes, the records that wait for it are asked for again.

use super::contacts::ContactSeen;
use crate::domain::{CampaignId, ContactId, FoldedUserData, RecordId, RouteName};
use rusqlite::{OptionalExtension as _, Transaction};

/// The dialler is asked who bears a record's key.
pub(super) fn ask(tx: &Transaction<'_>, route: &RouteName, record: &RecordId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE records SET meet = 'due' WHERE route = ?1 AND record_id = ?2 AND user_data IS NOT NULL",
    )?
    .execute((&route.0, &record.0))?;
    Ok(())
}

/// What became of a contact that bears, or bore, a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearer {
    /// It was not known before.
    Appeared(ContactId),
    /// It has another key or campaign, or is gone, or is there again.
    Changed,
}

/// A record without a contact of its own, or one parked for what was found, is asked for again when a contact with
/// its key comes or changes: an import given up long ago may have taken effect, somebody may have made a contact for
/// a person who said no, and what stood in the way may be gone (users 26).
pub(super) fn key_moved(tx: &Transaction<'_>, key: &FoldedUserData, bearer: Bearer) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE links SET absent_at = NULL WHERE folded = ?1 AND absent_at IS NOT NULL")?
        .execute([key.as_str()])?;
    // A sweep sees for the first time what the look-up found before it: that is no news.
    let known = match bearer {
        Bearer::Appeared(contact) => Some(contact.0),
        Bearer::Changed => None,
    };
    tx.prepare_cached(
        "UPDATE records SET meet = 'due'
         WHERE folded = ?1 AND meet <> 'due' AND state <> 'linked'
           AND (code IN ('several_contacts', 'found_elsewhere', 'folded_match')
                OR NOT EXISTS (SELECT 1 FROM links l WHERE l.id = records.link_id AND l.contact_id IS NOT NULL
                               AND l.vanished_at IS NULL))
           AND (?2 IS NULL OR instr(', ' || coalesce(json_extract(params, '$.contacts'),
                json_extract(params, '$.contact'), '') || ',', ', ' || ?2 || ',') = 0)",
    )?
    .execute((key.as_str(), known))?;
    Ok(())
}

/// A contact's row before it is written anew, as far as its key is concerned.
pub(super) struct Known {
    pub(super) face: Option<Vec<u8>>,
    campaign: Option<CampaignId>,
    folded: Option<FoldedUserData>,
    gone: bool,
}

pub(super) fn known(tx: &Transaction<'_>, id: ContactId) -> rusqlite::Result<Option<Known>> {
    tx.prepare_cached(
        "SELECT face, campaign_id, folded, gone_at IS NOT NULL FROM contacts WHERE contact_id = ?1",
    )?
    .query_row([id.0], |row| {
        Ok(Known {
            face: row.get(0)?,
            campaign: row.get::<_, Option<i64>>(1)?.map(CampaignId),
            folded: row.get::<_, Option<String>>(2)?.map(FoldedUserData),
            gone: row.get(3)?,
        })
    })
    .optional()
}

/// Whoever waits for news of a contact's key hears of it.
pub(super) fn tell(
    tx: &Transaction<'_>,
    old: Option<&Known>,
    seen: &ContactSeen,
    key: Option<&FoldedUserData>,
) -> rusqlite::Result<()> {
    let Some(old) = old.filter(|old| old.face.is_some()) else {
        // Without a face it is known from a list of keys only: nobody was told of it yet.
        return key.map_or(Ok(()), |key| key_moved(tx, key, Bearer::Appeared(seen.id)));
    };
    let renamed = old.folded.as_ref() != key;
    let moved = seen.campaign.is_some() && seen.campaign != old.campaign;
    if !(renamed || moved || old.gone) {
        return Ok(());
    }
    for key in old.folded.iter().filter(|_| renamed).chain(key) {
        key_moved(tx, key, Bearer::Changed)?;
    }
    Ok(())
}
