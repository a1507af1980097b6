//! What an agent wrote beside a call. The dialler has no note per call, so it is what changed in the contact's Comment, and
//! belongs to the newest call of that day (users 28).

use super::sql::{call_at, get_time_opt, time};
use super::write_back;
use crate::domain::{ContactId, HistoryId, Seq, Timestamp};
use chrono::TimeDelta;
use rusqlite::{OptionalExtension as _, Transaction};

/// So long after a call, and so long before its row is there, a changed Comment is about it.
const ABOUT: TimeDelta = TimeDelta::hours(24);

/// So long after a call's end an agent is busy with it: a Comment that changes then is about it, where nothing newer is known
/// to be under way.
const AFTER_IT: TimeDelta = TimeDelta::hours(1);

/// The dialler's clock may differ from ours by so much: what was seen before a call began is not about it.
const CLOCKS: TimeDelta = TimeDelta::minutes(5);

/// A Comment was seen by a read with this number. What is seen for the first time, or was sent by us, is no note. While a
/// write of ours is under way, in doubt or younger than the read, nobody can tell whose it is: the next look does.
pub(super) fn comment_seen(
    tx: &Transaction<'_>,
    contact: ContactId,
    comment: &str,
    seq: Seq,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let old: Option<String> = tx
        .prepare_cached("SELECT comment FROM contacts WHERE contact_id = ?1")?
        .query_row([contact.0], |row| row.get(0))
        .optional()?
        .flatten();
    if old.as_deref() == Some(comment) {
        return Ok(());
    }
    if old.is_some() && we_write(tx, contact, seq)? {
        return Ok(());
    }
    let note = match old {
        Some(old) if !sent_by_us(tx, contact, comment)? => new_in(&old, comment).to_owned(),
        Some(_) | None => String::new(),
    };
    tx.prepare_cached(
        "UPDATE contacts SET comment = ?2,
                note = CASE WHEN ?3 = '' THEN note WHEN note IS NULL THEN ?3 ELSE note || char(10) || ?3 END,
                noted_at = CASE ?3 WHEN '' THEN noted_at ELSE ?4 END WHERE contact_id = ?1",
    )?
    .execute((contact.0, comment, note, time(now)))?;
    Ok(())
}

/// A note that waits goes to the contact's newest call, once it is known that this is the one: its row came after the note, or
/// its end was a short time before it, and the dialler counts no try whose row is not there yet. After a day it goes to the
/// newest call there is; one that has none is dropped.
pub(super) fn attach(tx: &Transaction<'_>, contact: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    give(tx, contact, Patience::ADay, now)
}

/// The contact is gone: its note goes to the newest call there is, because no other will come.
pub(super) fn attach_last(tx: &Transaction<'_>, contact: ContactId, now: Timestamp) -> rusqlite::Result<()> {
    give(tx, contact, Patience::None, now)
}

/// How long a note waits for the call that it is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    ADay,
    None,
}

fn give(
    tx: &Transaction<'_>,
    contact: ContactId,
    patience: Patience,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let waiting: Option<(String, Option<Timestamp>)> = tx
        .prepare_cached("SELECT note, noted_at FROM contacts WHERE contact_id = ?1 AND note IS NOT NULL")?
        .query_row([contact.0], |row| Ok((row.get("note")?, get_time_opt(row, "noted_at")?)))
        .optional()?;
    let Some((note, noted_at)) = waiting else { return Ok(()) };
    let noted_at = noted_at.unwrap_or(now);
    let newest: Option<(i64, bool)> = tx
        .prepare_cached(concat!(
            "SELECT k.history_id, k.first_seen_at >= ?3 OR coalesce(k.ended_at, ",
            call_at!("k"),
            ") >= ?4 FROM calls k WHERE k.contact_id = ?1 AND k.test IS NOT 1
               AND (k.started_at IS NULL OR k.started_at <= ?5) AND ",
            call_at!("k"),
            " >= ?2 ORDER BY k.history_id DESC LIMIT 1"
        ))?
        .query_row(
            (
                contact.0,
                time(noted_at - ABOUT),
                time(noted_at),
                time(noted_at - AFTER_IT),
                time(noted_at + CLOCKS),
            ),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let sure = newest.is_some_and(|(_, near)| near) && !one_more_is_due(tx, contact)?;
    if !sure && patience == Patience::ADay && now - noted_at < ABOUT {
        return Ok(());
    }
    let call = newest.map(|(call, _)| call);
    tx.prepare_cached("UPDATE contacts SET note = NULL, noted_at = NULL WHERE contact_id = ?1")?
        .execute([contact.0])?;
    let Some(call) = call else { return Ok(()) };
    tx.prepare_cached(
        "UPDATE calls SET note = CASE WHEN note IS NULL THEN ?2 ELSE note || char(10) || ?2 END WHERE history_id = ?1",
    )?
    .execute((call, note))?;
    write_back::want(tx, HistoryId(call), now)
}

/// Whether the dialler counts more tries, since our last reset, than there are rows.
pub(super) fn one_more_is_due(tx: &Transaction<'_>, contact: ContactId) -> rusqlite::Result<bool> {
    let more: Option<bool> = tx
        .prepare_cached(concat!(
            "SELECT c.tries > (SELECT count(*) FROM calls k
                    WHERE k.contact_id = c.contact_id AND k.outbound = 1 AND k.test IS NOT 1
                      AND k.started_text IS NOT NULL AND ",
            call_at!("k"),
            " > coalesce(c.reset_at, ''))
             FROM contacts c WHERE c.contact_id = ?1"
        ))?
        .query_row([contact.0], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(more.unwrap_or(false))
}

/// Whether a write of ours may have put there what a read with this number saw.
fn we_write(tx: &Transaction<'_>, contact: ContactId, seq: Seq) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM links w WHERE w.contact_id = ?1 AND (w.sent_seq > ?2 OR w.answered_seq > ?2
            OR EXISTS (SELECT 1 FROM operations o WHERE o.link_id = w.id AND o.state IN ('sending', 'uncertain'))))",
    )?
    .query_row((contact.0, seq.0), |row| row.get(0))
}

/// Whether it is what a record's mapping, or a person through us, put there.
fn sent_by_us(tx: &Transaction<'_>, contact: ContactId, comment: &str) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM links WHERE contact_id = ?1
                        AND coalesce(json_extract(base, '$.Comment.dialler'), '') = ?2)",
    )?
    .query_row((contact.0, comment), |row| row.get(0))
}

/// What was added; the whole where it was written anew.
fn new_in<'a>(old: &str, new: &'a str) -> &'a str {
    let (old, new) = (old.trim(), new.trim());
    new.strip_prefix(old).or_else(|| new.strip_suffix(old)).unwrap_or(new).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::missing::calls_end;
    use crate::ledger::testing::{Scene, scene};

    async fn sees(scene: &Scene, comment: &'static str, seq: u64) {
        let now = scene.ledger.env.now();
        let contact = ContactId(11);
        let seen = scene.ledger.write("test_seen", move |tx| {
            comment_seen(tx, contact, comment, Seq(seq.try_into().unwrap_or_default()), now)
        });
        seen.await.expect("stored");
    }

    async fn attached(scene: &Scene) -> Vec<String> {
        let now = scene.ledger.env.now();
        scene.ledger.write("test_attach", move |tx| attach(tx, ContactId(11), now)).await.expect("stored");
        scene.says("SELECT history_id || ' ' || note FROM calls WHERE note IS NOT NULL ORDER BY 1").await
    }

    #[tokio::test(start_paused = true)]
    async fn a_note_waits_for_the_call_that_is_under_way() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.contact_number(11, "+4930111").await;
        const CALL: &str =
            "outbound = 1, started_text = 'x', started_at = first_seen_at, ended_at = first_seen_at";
        scene.call(link, 51, CALL).await;
        sees(&scene, "", 1).await;
        tokio::time::advance(std::time::Duration::from_secs(600)).await;
        scene.put("UPDATE contacts SET tries = 2").await;
        sees(&scene, "moved to Bonn", 2).await;
        assert_eq!(attached(&scene).await, Vec::<String>::new(), "the second try has no row yet");
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        scene.call(link, 52, CALL).await;
        assert_eq!(attached(&scene).await, ["52 moved to Bonn"]);
        // Right after a call whose row is there it is about that one; long after it, nobody knows for a day.
        sees(&scene, "moved to Bonn, call after six", 3).await;
        assert_eq!(attached(&scene).await, ["52 moved to Bonn\n, call after six"]);
        scene.wait(3).await;
        sees(&scene, "rang back", 4).await;
        scene.wait(1).await;
        scene.call(link, 53, CALL).await;
        let before = ["52 moved to Bonn\n, call after six"];
        assert_eq!(attached(&scene).await, before, "a call that began later is another matter");
        scene.wait(24).await;
        assert_eq!(attached(&scene).await, [format!("{}\nrang back", before[0])], "the newest there was");
    }

    #[tokio::test(start_paused = true)]
    async fn what_agents_wrote_goes_with_the_contact_and_the_last_note_stands_beside_its_call() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.contact_number(11, "+4930111").await;
        scene.call(link, 51, "started_at = first_seen_at").await;
        sees(&scene, "from the list", 1).await;
        sees(&scene, "from the list\nmoved to Bonn", 2).await;
        let now = scene.ledger.env.now();
        let gone = scene.ledger.write("test_gone", move |tx| calls_end(tx, ContactId(11), now));
        gone.await.expect("stored");
        assert_eq!(attached(&scene).await, ["51 moved to Bonn"]);
        assert_eq!(scene.says("SELECT comment FROM contacts").await, ["NULL"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_we_wrote_ourselves_is_no_note_also_while_nobody_knows_whether_it_arrived() {
        let scene = scene().await;
        let link = scene.link("1", Some(11), &[]).await;
        scene.contact_number(11, "+4930111").await;
        sees(&scene, "from the list", 1).await;
        scene.operation(link, "update", "uncertain").await;
        sees(&scene, "what we sent", 2).await;
        assert_eq!(scene.says("SELECT note FROM contacts").await, ["NULL"]);
        // It is settled: the base has it.
        scene.put("UPDATE operations SET state = 'done', finished_at = '2030-01-07T09:00:00.000000Z';
                   UPDATE links SET base = '{\"Comment\":{\"crm\":\"x\",\"dialler\":\"what we sent\"}}', answered_seq = 4").await;
        sees(&scene, "read before our answer", 3).await;
        sees(&scene, "what we sent", 5).await;
        assert_eq!(scene.says("SELECT note FROM contacts").await, ["NULL"]);
        sees(&scene, "what we sent\nby an agent", 6).await;
        assert_eq!(scene.says("SELECT note FROM contacts").await, ["by an agent"]);
    }

    #[test]
    fn only_what_is_new_in_a_comment_is_the_note() {
        for (old, new, note) in [
            ("", "call after six", "call after six"),
            ("call after six", "call after six\nhas moved", "has moved"),
            ("call after six", "has moved\ncall after six ", "has moved"),
            ("call after six", "has moved", "has moved"),
            ("call after six", "", ""),
        ] {
            assert_eq!(new_in(old, new), note);
        }
    }
}
