//! What a CRM would be told because of a list in a file, or of what records say in a CRM. The dialler's locks wait for nothing; the
//! telling does, where that names many at once: a wrong file, or a wrong `block_if`, must not mark half the CRM. Until then it stands beside the rows of what is told, so that
//! calls and edits of the same records go on.

use super::block_reach::links_of;
use super::held_waves::{Brake, LISTED, Measured, stand, standing};
use super::source_blocks::OF_CRM;
use super::sql::time;
use super::write_back::{self, want_objection};
use super::{Ledger, LedgerError, blocks_told};
use crate::domain::{Block, BlockSubject, LinkId, RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _, Transaction};

/// What went by itself counts for so long: a long list comes in pieces.
const COUNTED_FOR: TimeDelta = TimeDelta::days(1);
/// So many are let go in one transaction.
const CHUNK: i64 = 200;

/// Whether a list in a file says so, or another record by a condition over the whole CRM, and no operator or call.
pub(super) fn is_listed(block: &Block) -> bool {
    block.source.starts_with("file:") || block.source.starts_with(OF_CRM)
}

/// A list has come to name whom the link's record is.
pub(super) fn want(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO listed_objections (link_id, state, at) VALUES (?1, 'waits', ?2)
         ON CONFLICT DO UPDATE SET state = 'waits', at = excluded.at WHERE state <> 'waits'",
    )?
    .execute((link.0, time(now)))?;
    Ok(())
}

/// The record was decided anew, and lists still name it: no news where that waits, went, or was left. What was told of another no,
/// long ago, does not let this one pass.
pub(super) fn want_again(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let known: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM write_backs WHERE link_id = ?1 AND kind = 'fields'
                    AND (objection IS NOT NULL OR objection_told IS NOT NULL))
                AND NOT EXISTS (SELECT 1 FROM listed_objections WHERE link_id = ?1 AND state IN ('waits', 'left'))",
        )?
        .query_row([link.0], |row| row.get(0))?;
    if known {
        return want_objection(tx, link, now);
    }
    tx.prepare_cached(
        "INSERT INTO listed_objections (link_id, state, at) VALUES (?1, 'waits', ?2) ON CONFLICT DO NOTHING",
    )?
    .execute((link.0, time(now)))?;
    Ok(())
}

/// It is told for another reason, or not at all.
pub(super) fn forget(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM listed_objections WHERE link_id = ?1")?.execute([link.0])?;
    Ok(())
}

/// A block was lifted: whom no other stands against is not told of, and what is about to be told is looked at once more, because
/// its page was read before.
pub(super) fn taken_back(tx: &Transaction<'_>, client: &str, subject: &BlockSubject) -> rusqlite::Result<()> {
    let any: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM listed_objections)")?
        .query_row([], |row| row.get(0))?;
    for link in links_of(tx, client, subject)? {
        write_back::objection_moved(tx, link)?;
        if any && blocks_told::facts(tx, link)?.is_none() {
            forget(tx, link)?;
        }
    }
    Ok(())
}

impl Ledger {
    /// Lets go what the CRM is to be told because of lists, unless that is more than may go in a day without a person's word.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn listed_take(&self, route: RouteName, most: i64) -> Result<Brake, LedgerError> {
        let at = self.env.now();
        self.listed_approved(route.clone()).await?;
        let known = route.clone();
        let as_before = self.read("listed_asked", move |connection| {
            let measured = measured(connection, &known, most, at)?;
            Ok(match (held_as(connection, &known)?, measured.many) {
                (None, false) if measured.count == 0 => Some(Brake::Off),
                (Some((wave, held, bound)), true) if (held, bound) == (measured.count, measured.bound) => {
                    Some(Brake::Holds { wave, count: held, new: false })
                }
                (None, _) | (Some(_), _) => None,
            })
        });
        if let Some(brake) = as_before.await? {
            return Ok(brake);
        }
        self.write("listed_take", move |tx| {
            let before = time(at - COUNTED_FOR);
            tx.prepare_cached("DELETE FROM listed_objections WHERE state = 'let_go' AND at <= ?1")?
                .execute([before])?;
            let brake = stand(tx, &route, LISTED, measured(tx, &route, most, at)?, at)?;
            if brake == Brake::Off {
                let_go(tx, &route, at)?;
            }
            Ok(brake)
        })
        .await
    }

    /// What a person let go waits for nothing any more, and counts against nothing. A few at a time, because locks want to be stored
    /// between them; where the program ends meanwhile the next run goes on.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn listed_approved(&self, route: RouteName) -> Result<(), LedgerError> {
        loop {
            let known = route.clone();
            let some = self.read("listed_approved_asked", move |connection| {
                Ok(!approved(connection, &known, 1)?.is_empty())
            });
            if !some.await? {
                return Ok(());
            }
            let (route, at) = (route.clone(), self.env.now());
            self.write("listed_approved", move |tx| {
                for link in approved(tx, &route, CHUNK)? {
                    want_objection(tx, link, at)?;
                    forget(tx, link)?;
                }
                Ok(())
            })
            .await?;
        }
    }
}

/// How many wait, and went by themselves within a day.
fn measured(
    connection: &Connection,
    route: &RouteName,
    most: i64,
    at: Timestamp,
) -> rusqlite::Result<Measured> {
    let waiting = count(connection, route, "waits", "")?;
    let all = waiting + count(connection, route, "let_go", &time(at - COUNTED_FOR))?;
    Ok(Measured { count: waiting, bound: most, many: waiting > 0 && all > most })
}

/// The wave that stands, and what it was last measured to hold, by which bound.
fn held_as(connection: &Connection, route: &RouteName) -> rusqlite::Result<Option<(i64, i64, i64)>> {
    let Some(wave) = standing(connection, route, LISTED)? else { return Ok(None) };
    connection
        .prepare_cached("SELECT id, operations, bound FROM waves WHERE id = ?1")?
        .query_row([wave], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

/// What waits since before a person last approved a wave of lists: it was that wave's.
fn approved(connection: &Connection, route: &RouteName, limit: i64) -> rusqlite::Result<Vec<LinkId>> {
    connection
        .prepare_cached(
            "SELECT o.link_id FROM (SELECT max(decided_at) AS until FROM waves
                                    WHERE route = ?1 AND state = 'approved' AND (source = ?2 OR source BETWEEN ?2 || '#' AND ?2 || '#~')) w
                 CROSS JOIN listed_objections o CROSS JOIN links l ON l.id = o.link_id
             WHERE o.state = 'waits' AND o.at <= w.until AND +l.route = ?1 LIMIT ?3",
        )?
        .query_map((&route.0, LISTED, limit), |row| row.get(0).map(LinkId))?
        .collect()
}

/// What waits is told.
pub(super) fn let_go(tx: &Transaction<'_>, route: &RouteName, now: Timestamp) -> rusqlite::Result<()> {
    for link in links(tx, route)? {
        want_objection(tx, link, now)?;
        tx.prepare_cached("UPDATE listed_objections SET state = 'let_go', at = ?2 WHERE link_id = ?1")?
            .execute((link.0, time(now)))?;
    }
    Ok(())
}

/// A person does not want it told: it rests until a list names them anew, or somebody else says no for them.
pub(super) fn rejected(tx: &Transaction<'_>, route: &RouteName, now: &str) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE listed_objections SET state = 'left', at = ?2
         WHERE state = 'waits' AND EXISTS (SELECT 1 FROM links l WHERE l.id = link_id AND l.route = ?1)",
    )?
    .execute((&route.0, now))?;
    Ok(())
}

fn links(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<LinkId>> {
    connection
        .prepare_cached(
            "SELECT o.link_id FROM listed_objections o CROSS JOIN links l ON l.id = o.link_id
             WHERE o.state = 'waits' AND +l.route = ?1 ORDER BY o.link_id",
        )?
        .query_map([&route.0], |row| row.get(0).map(LinkId))?
        .collect()
}

fn count(connection: &Connection, route: &RouteName, state: &str, since: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM listed_objections o CROSS JOIN links l ON l.id = o.link_id
             WHERE o.state = ?2 AND o.at > ?3 AND +l.route = ?1",
        )?
        .query_row((&route.0, state, since), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use crate::domain::{Activities, BlockSpan, BlocksTold, LinkId, Reason, ReasonCode, Shapes, Timestamp};
    use crate::domain::{Block, BlockSubject};
    use crate::ledger::testing::{Scene, leaving, scene};
    use crate::ledger::{Brake, Said, Tells, ToTell, WaveWord};

    /// Five records with a number each; three are told of at most.
    async fn told() -> Scene {
        let scene = scene().await;
        let route = || scene.route.clone();
        scene.ledger.write_back_set(route(), Shapes::Fields, Activities::Change).await.expect("a beginning");
        scene.ledger.blocks_told_set(route(), BlocksTold::Told).await.expect("told");
        for n in 0..5_i64 {
            scene.link(&n.to_string(), Some(10 + n), &[&number(n)]).await;
        }
        scene
    }

    fn number(n: i64) -> String {
        format!("+4930{n}")
    }

    async fn block(scene: &Scene, source: &str, whom: impl IntoIterator<Item = i64>) {
        let since = scene.ledger.env.now();
        let blocks = whom.into_iter().map(|n| Block {
            subject: BlockSubject::Number(number(n)),
            reason: Reason::new(ReasonCode::BlockedByHand).with("text", "said no"),
            source: source.to_owned(),
            since,
            said_last: since,
            until: None,
            who: None,
        });
        scene.ledger.blocks_import("house", blocks.collect()).await.expect("blocked");
    }

    async fn objections(scene: &Scene) -> Vec<String> {
        scene.says("SELECT l.record_id FROM write_backs w JOIN links l ON l.id = w.link_id WHERE w.objection = 'waits' ORDER BY 1").await
    }

    const FILE: &str = "file:no.csv";

    #[tokio::test(start_paused = true)]
    async fn a_long_list_locks_at_once_and_is_told_once_a_person_says_so() {
        for word in [WaveWord::Approve, WaveWord::Reject] {
            let scene = told().await;
            let take = || scene.ledger.listed_take(scene.route.clone(), 3);
            // In pieces, as a file is read; what somebody said to an agent is told past every brake.
            block(&scene, FILE, [0, 1]).await;
            assert_eq!(take().await.expect("a brake"), Brake::Off);
            block(&scene, FILE, [2, 3]).await;
            block(&scene, "result:leads", [4]).await;
            let Brake::Holds { wave, count: 2, new: true } = take().await.expect("a brake") else { panic!() };
            assert_eq!(objections(&scene).await, ["0", "1", "4"]);
            let locks =
                scene.says("SELECT count(*) FROM operations WHERE kind = 'lock' AND state = 'waiting'");
            assert_eq!(locks.await, ["5"]);
            let decided = scene.ledger.wave_decide(wave, word, "ada".to_owned(), "seen".to_owned());
            assert_eq!(decided.await.expect("decided").map(|decided| decided.waiting), Some(2));
            assert_eq!(take().await.expect("a brake"), Brake::Off);
            let expected: &[&str] = match word {
                WaveWord::Approve => &["0", "1", "2", "3", "4"],
                WaveWord::Reject => &["0", "1", "4"],
            };
            assert_eq!(objections(&scene).await, expected, "{word:?}");
            // What was left is told once somebody says no by another door.
            block(&scene, "operator", [2]).await;
            assert!(objections(&scene).await.contains(&"2".to_owned()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_person_let_go_goes_on_in_the_next_run_where_the_program_ended() {
        let scene = told().await;
        block(&scene, FILE, [0, 1, 2, 3]).await;
        let take = || scene.ledger.listed_take(scene.route.clone(), 3);
        assert!(matches!(take().await.expect("a brake"), Brake::Holds { count: 4, new: true, .. }));
        scene.put("CREATE TRIGGER nothing_moves BEFORE UPDATE ON waves BEGIN SELECT RAISE(ABORT, 'measured anew'); END").await;
        assert!(matches!(
            take().await.expect("nothing is written"),
            Brake::Holds { count: 4, new: false, .. }
        ));
        scene.put("DROP TRIGGER nothing_moves").await;
        scene.wait(1).await;
        let now = crate::ledger::sql::time(scene.ledger.env.now());
        scene.put(format!("UPDATE waves SET state = 'approved', decided_at = '{now}'").leak()).await;
        scene.wait(1).await;
        block(&scene, FILE, [4]).await;
        assert_eq!(take().await.expect("a brake"), Brake::Off, "the last one is one of three");
        assert_eq!(objections(&scene).await, ["0", "1", "2", "3", "4"]);
        assert_eq!(
            scene.says("SELECT count(*) || state FROM listed_objections GROUP BY state").await,
            ["1let_go"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_of_an_earlier_no_does_not_let_a_list_pass() {
        let scene = told().await;
        block(&scene, FILE, [0]).await;
        scene.put("INSERT INTO write_backs (kind, link_id, wanted, state, due_at, waits_since, changed_at, created_at, objection_told)
                   SELECT 'fields', id, 1, 'done', '', '', '', '', x'01' FROM links WHERE record_id = '0'").await;
        let again = scene.ledger.write("test_again", |tx| {
            let link = tx.query_row("SELECT id FROM links WHERE record_id = '0'", [], |row| row.get(0))?;
            super::want_again(tx, LinkId(link), Timestamp::default())
        });
        again.await.expect("stored");
        assert_eq!(objections(&scene).await, [""; 0], "it waits for the brake");
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_that_is_lifted_while_its_page_is_told_does_not_leave_any_more() {
        let scene = told().await;
        let since = scene.ledger.env.now();
        block(&scene, FILE, [0, 1]).await;
        block(&scene, "operator", [1]).await;
        let route = || scene.route.clone();
        assert_eq!(scene.ledger.listed_take(route(), 5).await.expect("a brake"), Brake::Off);
        let page = async || scene.ledger.write_back_objections(route(), 10).await.expect("a page");
        let begins = async |page: &[ToTell], record: &str| {
            let row = page.iter().find(|row| row.record.as_str() == record).expect("on it");
            let leaving = leaving(Tells::Objection, 1, "{}");
            scene.ledger.write_back_begin(row.id, row.wanted, leaving).await.expect("asked")
        };
        scene.wait(1).await;
        let first = page().await;
        let span = BlockSpan { source: FILE.to_owned(), since, until: scene.ledger.env.now() };
        let said = Said { who: "ada".to_owned(), text: "the wrong file".to_owned() };
        assert_eq!(scene.ledger.blocks_lift("house", span, said.clone()).await.expect("lifted").blocks, 2);
        assert!(!begins(&first, "0").await, "nothing stands against that one any more");
        let second = page().await;
        assert_eq!(second.len(), 2, "both are looked at once more");
        let one = BlockSubject::Number(number(1));
        scene.ledger.block_remove("house", one, None, said).await.expect("lifted");
        assert!(!begins(&second, "1").await, "a single one is lifted in the same way");
        assert!(begins(&page().await, "1").await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_list_is_taken_back_but_for_whom_another_source_blocks() {
        let scene = told().await;
        block(&scene, FILE, [0]).await;
        scene.wait(1).await;
        let since = scene.ledger.env.now();
        block(&scene, FILE, [1, 2, 3]).await;
        block(&scene, "operator", [2]).await;
        scene.wait(1).await;
        let until = scene.ledger.env.now();
        let span = || BlockSpan { source: FILE.to_owned(), since, until };
        let plan = scene.ledger.blocks_lift_plan("house", span(), 10).await.expect("a plan");
        assert_eq!((plan.lifted.blocks, plan.blocked_by_others, plan.freed, plan.told), (3, 1, 2, 0));
        let whom: Vec<Option<String>> =
            plan.whom.into_iter().map(|freed| freed.record.map(|id| id.0)).collect();
        assert_eq!(whom, [Some("1".to_owned()), Some("3".to_owned())]);
        let standing = "SELECT number || ' ' || source FROM blocks WHERE lifted_at IS NULL ORDER BY id";
        assert_eq!(scene.says(standing).await.len(), 5, "a plan lifts nothing");
        let said = Said { who: "ada".to_owned(), text: "the wrong file".to_owned() };
        let lift =
            async |client| scene.ledger.blocks_lift(client, span(), said.clone()).await.expect("lifted");
        assert_eq!((lift("other").await.blocks, lift("house").await.blocks), (0, 3));
        assert_eq!(scene.says(standing).await, ["+49300 file:no.csv", "+49302 operator"]);
        assert_eq!(
            scene
                .says("SELECT DISTINCT lifted_by || ': ' || lifted_why FROM blocks WHERE lifted_at > ''")
                .await,
            ["ada: the wrong file"]
        );
        // Decided anew; and the CRM is not told of a no that nobody said.
        assert_eq!(scene.says("SELECT DISTINCT record_id FROM hints ORDER BY 1").await, ["1", "2", "3"]);
        let brake = scene.ledger.listed_take(scene.route.clone(), 1).await.expect("a brake");
        assert_eq!((brake, objections(&scene).await), (Brake::Off, vec!["0".to_owned(), "2".to_owned()]));
    }
}
