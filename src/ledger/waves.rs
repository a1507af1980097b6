//! Waves: what one run, or one full pass, wants to add or to change on a route (what no operation makes: `held_waves`). Past the
//! route's limit a wave is held: nothing more of it is sent until a person approves it. A lock belongs to one only where it rests
//! on nothing but a changed condition or mapping; what is taken from contacts (deletions, and resets of who is back) is held sooner: by the
//! run, by the day, and by the route's size.

use super::decisions::Cause;
use super::sql::{get_named, get_time, get_time_opt, time};
use super::{Ledger, LedgerError, held_waves};
use crate::domain::policy::{WaveKind, WaveState, WaveWhat};
use crate::domain::scope::Doing;
use crate::domain::{Intent, LinkId, OperationKind, RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use serde::Serialize;

/// The source of a wave of removals (deletions, and resets of who is back) begins with it.
const REMOVALS: &str = "delete ";
/// That of removals which rest on a changed condition: they wait for a person from the first on.
const BY_SCOPE: &str = "delete scope ";
/// The source of a wave of locks which rest on a changed condition or mapping.
const LOCKS_BY_SCOPE: &str = "lock scope ";
/// And then the run that first pulled by the changed rules.
pub(super) const LOCKS_BY_CHANGE: &str = "lock scope change:";
/// So few are no wave by their share, in however small a route they are.
const FEW: i64 = 20;
/// The source (`?2`) of a new wave, over those of the same source: the second one bears a number. By the last one's, and not by how
/// many there are: old ones are deleted.
macro_rules! next_source {
    () => {
        "CASE count(*) WHEN 0 THEN ?2
              ELSE ?2 || '#' || (max(CASE source WHEN ?2 THEN 1 ELSE CAST(substr(source, length(?2) + 2) AS INTEGER) END) + 1) END"
    };
}
pub(super) use next_source;

/// Removals of so long count against the limit of a day.
const DAY: TimeDelta = TimeDelta::hours(24);

/// A wave for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaveRow {
    /// Its number.
    pub id: i64,
    /// The route.
    pub route: RouteName,
    /// `run:ID`, `pass:ID`, or what no run brought.
    pub source: String,
    /// What it is made of.
    pub what: WaveWhat,
    /// Additions or changes.
    pub kind: WaveKind,
    /// How many operations it brought, or rows and records when it was last measured.
    pub operations: i64,
    /// How many of them wait now.
    pub waiting: i64,
    /// The limit it was measured by.
    pub bound: i64,
    /// Since when.
    pub since: Timestamp,
    /// Where it stands.
    pub state: WaveState,
    /// When a person decided.
    pub decided_at: Option<Timestamp>,
    /// Who.
    pub who: Option<String>,
    /// Why.
    pub text: Option<String>,
}

impl WaveRow {
    /// Whether it wants to delete or to reset contacts of records that left.
    pub fn removes(&self) -> bool {
        matches!(self.what, WaveWhat::Removed | WaveWhat::RemovedByScope)
    }

    /// Whether it wants to because the route's condition changed, and not the records.
    pub fn removes_by_scope(&self) -> bool {
        self.what == WaveWhat::RemovedByScope
    }
}

fn what_of(source: &str, kind: WaveKind) -> WaveWhat {
    // A second one of the same source bears a number.
    match source.split('#').next().unwrap_or_default() {
        held_waves::TOLD => return WaveWhat::Told,
        held_waves::LISTED => return WaveWhat::Listed,
        held_waves::MISSING => return WaveWhat::Missing,
        held_waves::VANISHED => return WaveWhat::Vanished,
        _ => {}
    }
    match kind {
        _ if source.starts_with(LOCKS_BY_SCOPE) => WaveWhat::LockedByScope,
        _ if source.starts_with(BY_SCOPE) => WaveWhat::RemovedByScope,
        _ if source.starts_with(REMOVALS) => WaveWhat::Removed,
        WaveKind::New => WaveWhat::New,
        WaveKind::Changed => WaveWhat::Changed,
    }
}

impl Ledger {
    /// Waves that wait for a person, oldest first; with `all`, every one that was ever held.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn waves_list(&self, route: Option<RouteName>, all: bool) -> Result<Vec<WaveRow>, LedgerError> {
        self.read("waves_list", move |connection| rows(connection, route.as_ref(), all)).await
    }
}

/// Which limit an operation counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    New,
    Changed,
    /// What a deletion or a reset takes does not come back: it has a limit, and a wave, of its own.
    Removed,
}

impl What {
    fn of(kind: OperationKind) -> Option<Self> {
        match kind {
            OperationKind::Import => Some(Self::New),
            OperationKind::Update | OperationKind::Unlock => Some(Self::Changed),
            OperationKind::Delete | OperationKind::Reset => Some(Self::Removed),
            OperationKind::Lock => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }

    const fn kind(self) -> WaveKind {
        match self {
            Self::New => WaveKind::New,
            Self::Changed | Self::Removed => WaveKind::Changed,
        }
    }
}

/// The wave of an operation about to be queued, counted; `None`: the route has no such limit, a person or
/// a single answer wished it, or it is none that a limit holds.
pub(super) fn join(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: LinkId,
    intent: &Intent,
    doing: Doing,
) -> rusqlite::Result<Option<i64>> {
    if intent.kind == OperationKind::Lock {
        return join_lock(tx, cause, link, doing);
    }
    let (Some(run), Some(what)) = (cause.run, What::of(intent.kind)) else { return Ok(None) };
    // What waits for a person does not slip out by being decided once more.
    if let Some(wave) = inherited(tx, cause, link, what)? {
        return Ok(Some(wave));
    }
    // Whom a full pass did not find is asked for singly, in many small runs: all of them are that pass's wave.
    let found: Option<(String, i64, Limit, Option<i64>)> = tx
        .prepare_cached(
            "SELECT r.route, coalesce(r.pulling_run, 0),
                    CASE ?2 WHEN 'new' THEN r.max_new_per_run WHEN 'removed' THEN r.max_deleted_per_run ELSE r.max_changed_per_run END,
                    CASE ?2 WHEN 'new' THEN r.max_new_percent WHEN 'removed' THEN r.max_deleted_percent ELSE r.max_changed_percent END,
                    CASE ?2 WHEN 'removed' THEN r.max_deleted_per_day END,
                    coalesce((SELECT pass_id FROM runs WHERE id = ?3),
                        CASE WHEN ?2 = 'removed' AND EXISTS (SELECT 1 FROM record_absences a WHERE a.route = l.route
                                AND a.record_id = l.record_id AND a.by_pass = 1)
                             THEN (SELECT max(f.id) FROM full_passes f WHERE f.route = l.route AND f.state = 'done') END)
             FROM links l JOIN routes r ON r.route = l.route WHERE l.id = ?1",
        )?
        .query_row((link.0, what.as_str(), run.0), |row| {
            Ok((row.get(0)?, row.get(1)?, (row.get(2)?, row.get(3)?, row.get(4)?), row.get(5)?))
        })
        .optional()?;
    let Some((route, change, (Some(most), percent, per_day), pass)) = found else { return Ok(None) };
    let source = pass.map_or_else(|| format!("run:{run}"), |pass| format!("pass:{pass}"));
    let (source, bound) = match what {
        What::New | What::Changed => (source, Bound::Shared(most, percent)),
        What::Removed if doing == Doing::Rules => (format!("{BY_SCOPE}change:{change}"), Bound::Fixed(0)),
        What::Removed => {
            (format!("{REMOVALS}{source}"), Bound::OfDay { most, percent, per_day, kind: REMOVALS })
        }
    };
    counted(tx, cause, &Wave { route, source, kind: what.kind(), bound }).map(Some)
}

/// The wave of a lock: only one that rests on nothing but changed rules has any, that of this change, whichever run reads the
/// record. Whoever said no, left by a change of his own, is gone, or of whom nobody can tell whether he may be called, is locked
/// at once (promise 9); so is whose lock was on its way already.
fn join_lock(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: LinkId,
    doing: Doing,
) -> rusqlite::Result<Option<i64>> {
    match doing {
        Doing::Record => return Ok(None),
        // Those are not even queued.
        Doing::Rules | Doing::LeftCallable if cause.run.is_none() => return Ok(None),
        Doing::Rules | Doing::LeftCallable => {}
    }
    let found: Option<(String, Option<i64>, Option<i64>, i64)> = tx
        .prepare_cached(
            "SELECT r.route, r.max_locked_by_scope, r.max_locked_by_scope_percent, coalesce(r.pulling_run, 0)
             FROM links l JOIN routes r ON r.route = l.route WHERE l.id = ?1",
        )?
        .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((route, Some(most), percent, change)) = found else { return Ok(None) };
    let before: Option<(Option<i64>, bool)> = tx
        .prepare_cached(
            "SELECT o.wave_id, w.state IS 'held' FROM operations o LEFT JOIN waves w ON w.id = o.wave_id
             WHERE o.link_id = ?1 AND o.kind = 'lock' AND o.state = 'superseded' AND o.finished_at = ?2
             ORDER BY o.generation DESC, o.id DESC LIMIT 1",
        )?
        .query_row((link.0, time(cause.at)), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match before {
        Some((wave, held)) => Ok(wave.filter(|_| held)),
        None => {
            let source = format!("{LOCKS_BY_CHANGE}{change}");
            // Many small changes of a condition are one day's.
            let bound = Bound::OfDay { most, percent, per_day: Some(most), kind: LOCKS_BY_SCOPE };
            counted(tx, cause, &Wave { route, source, kind: WaveKind::Changed, bound }).map(Some)
        }
    }
}

/// What an operation is counted under.
struct Wave {
    route: String,
    source: String,
    kind: WaveKind,
    bound: Bound,
}

/// A limit of the config: in one run, in a hundred of the route's contacts, within a day.
type Limit = (Option<i64>, Option<i64>, Option<i64>);

/// By how many a wave is held.
#[derive(Clone, Copy)]
enum Bound {
    /// As the config says.
    Fixed(i64),
    /// At most so many in one run, and in a hundred of the route's contacts.
    Shared(i64, Option<i64>),
    /// The same, and no more than so many within a day in all waves of this kind.
    OfDay { most: i64, percent: Option<i64>, per_day: Option<i64>, kind: &'static str },
}

impl Bound {
    fn at_its_beginning(self, tx: &Transaction<'_>, route: &str, now: Timestamp) -> rusqlite::Result<i64> {
        match self {
            Self::Fixed(most) => Ok(most),
            Self::Shared(most, percent) => share(tx, route, most, percent),
            Self::OfDay { most, percent, per_day, kind } => {
                let most = share(tx, route, most, percent)?;
                let Some(per_day) = per_day else { return Ok(most) };
                // What a person let go, or put aside, was judged by itself.
                let of_day: i64 = tx
                    .prepare_cached(
                        "SELECT coalesce(sum(operations), 0) FROM waves
                         WHERE route = ?1 AND substr(source, 1, length(?2)) = ?2 AND state IN ('open', 'held') AND since > ?3",
                    )?
                    .query_row((route, kind, time(now - DAY)), |row| row.get(0))?;
                Ok(most.min((per_day - of_day).max(0)))
            }
        }
    }
}

/// How many contacts a route has, as far as is known.
pub(super) fn contacts_of(connection: &Connection, route: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM links WHERE route = ?1 AND contact_id IS NOT NULL AND vanished_at IS NULL",
        )?
        .query_row([route], |row| row.get(0))
}

/// No more than so many in a hundred of the route's contacts; a few are never too many, and of none there is no share.
pub(super) fn share(
    connection: &Connection,
    route: &str,
    most: i64,
    percent: Option<i64>,
) -> rusqlite::Result<i64> {
    let Some(percent) = percent.filter(|_| most > FEW) else { return Ok(most) };
    let contacts = contacts_of(connection, route)?;
    Ok(if contacts == 0 { most } else { most.min((contacts * percent / 100).max(FEW)) })
}

/// The number of the wave that is still open or held; where the last one of this source was decided about, a new
/// one: a person's word holds for what was there when it was given.
///
/// The number behind a source is asked for as a span: `LIKE` would walk all waves of the route for each operation.
fn counted(tx: &Transaction<'_>, cause: &Cause, wave: &Wave) -> rusqlite::Result<i64> {
    let grown: Option<i64> = tx
        .prepare_cached(
            "UPDATE waves SET operations = operations + 1,
                    state = CASE WHEN operations + 1 > bound THEN 'held' ELSE state END
             WHERE route = ?1 AND kind = ?3 AND state IN ('open', 'held') AND (source = ?2 OR source BETWEEN ?2 || '#' AND ?2 || '#~')
             RETURNING id",
        )?
        .query_row((&wave.route, &wave.source, wave.kind.as_str()), |row| row.get(0))
        .optional()?;
    if let Some(id) = grown {
        return Ok(id);
    }
    let bound = wave.bound.at_its_beginning(tx, &wave.route, cause.at)?;
    tx.prepare_cached(concat!(
        "INSERT INTO waves (route, source, kind, operations, bound, since, state)
         SELECT ?1, ", next_source!(), ", ?3, 1, ?4, ?5,
                CASE WHEN 1 > ?4 THEN 'held' ELSE 'open' END
         FROM waves WHERE route = ?1 AND kind = ?3 AND (source = ?2 OR source BETWEEN ?2 || '#' AND ?2 || '#~')
         RETURNING id"
    ))?
    .query_row((&wave.route, &wave.source, wave.kind.as_str(), bound, time(cause.at)), |row| row.get(0))
}

/// The wave of the operation whose place the new one takes, unsent. A held one is never left; an approved one
/// only by this very decision, because a word does not hold for what comes back months later; an open one where
/// the decision is only made anew before sending, so that many small runs are not taken for a flood.
fn inherited(tx: &Transaction<'_>, cause: &Cause, link: LinkId, what: What) -> rusqlite::Result<Option<i64>> {
    let before: Option<(Option<i64>, bool)> = tx
        .prepare_cached(
            "SELECT o.wave_id, o.state = 'superseded'
                    AND CASE w.state WHEN 'held' THEN 1
                                     WHEN 'approved' THEN o.finished_at = ?3
                                     WHEN 'open' THEN o.finished_at = ?3
                                          AND (SELECT cause FROM runs WHERE id = ?4) = 'refresh'
                                     ELSE 0 END
             FROM operations o LEFT JOIN waves w ON w.id = o.wave_id
             WHERE o.link_id = ?1 AND CASE ?2 WHEN 'new' THEN o.kind = 'import' WHEN 'removed' THEN o.kind IN ('delete', 'reset')
                       ELSE o.kind IN ('update', 'unlock') END
             ORDER BY o.generation DESC, o.id DESC LIMIT 1",
        )?
        .query_row((link.0, what.as_str(), time(cause.at), cause.run.map(|run| run.0)), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(before.and_then(|(wave, takes_over)| wave.filter(|_| takes_over)))
}

/// The waves of a route that need approval, oldest first.
pub(super) fn held(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<WaveRow>> {
    rows(connection, Some(route), false)
}

pub(super) fn rows(
    connection: &Connection,
    route: Option<&RouteName>,
    all: bool,
) -> rusqlite::Result<Vec<WaveRow>> {
    connection
        .prepare_cached(
            "SELECT w.*, (SELECT count(*) FROM operations o WHERE o.wave_id = w.id AND o.state = 'waiting')
                    + (SELECT count(*) FROM record_absences a WHERE a.wave_id = w.id AND a.gone_at IS NULL)
                    + (SELECT count(*) FROM contact_absences a WHERE a.wave_id = w.id AND a.gone_at IS NULL AND a.left_at IS NULL)
                    + CASE WHEN w.state = 'held' AND w.source LIKE 'write_back%' THEN
                          (SELECT count(*) FROM write_backs t CROSS JOIN links l ON l.id = t.link_id
                               CROSS JOIN routes r ON r.route = l.route
                           WHERE t.state = 'waiting' AND t.objection IS NULL AND l.route = w.route
                             AND t.waits_since > r.write_back_approved)
                      ELSE 0 END
                    + CASE WHEN w.state = 'held' AND w.source LIKE 'listed%' THEN
                          (SELECT count(*) FROM listed_objections o CROSS JOIN links l ON l.id = o.link_id
                           WHERE o.state = 'waits' AND +l.route = w.route)
                      ELSE 0 END AS waiting
             FROM waves w
             WHERE (w.state = 'held' OR ?2 AND w.state <> 'open') AND (?1 IS NULL OR w.route = ?1)
             ORDER BY w.id",
        )?
        .query_map((route.map(|route| &route.0), all), wave_row)?
        .collect()
}

fn wave_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<WaveRow> {
    let (source, kind): (String, _) = (row.get("source")?, get_named(row, "kind", WaveKind::parse)?);
    Ok(WaveRow {
        id: row.get("id")?,
        route: RouteName(row.get("route")?),
        what: what_of(&source, kind),
        source,
        kind,
        operations: row.get("operations")?,
        waiting: row.get("waiting")?,
        bound: row.get("bound")?,
        since: get_time(row, "since")?,
        state: get_named(row, "state", WaveState::parse)?,
        decided_at: get_time_opt(row, "decided_at")?,
        who: row.get("who")?,
        text: row.get("text")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{RemovalLimits, WaveLimit, WaveLimits};
    use crate::domain::policy::{Job, PassReason, RouteState};
    use crate::domain::{Reason, ReasonCode, RunId};
    use crate::ledger::testing::{Scene, scene};
    use crate::ledger::{ByBlock, RouteFacts, RunStart, WaveWord};

    async fn limited(per_day: u32) -> (Scene, LinkId) {
        let scene = scene().await;
        let most = RemovalLimits {
            per_run: 100,
            per_day,
            percent: 10,
            locked_by_scope: 2,
            locked_by_scope_percent: 100,
        };
        scene.ledger.route_leaving_set(scene.route.clone(), most, ByBlock::Locks).await.expect("limits");
        let link = scene.link("1", Some(90), &[]).await;
        (scene, link)
    }

    async fn run(scene: &Scene, pass: Option<i64>) -> RunId {
        let start =
            RunStart { job: Job::Pull, route: Some(scene.route.clone()), campaign: None, cause: "hand" };
        let run = scene.ledger.run_start(start).await.expect("a run");
        if let Some(pass) = pass {
            scene.ledger.run_joins_pass(run, pass).await.expect("its pass");
        }
        run
    }

    /// So many operations of a run join their wave, which is answered.
    async fn join_times(
        scene: &Scene,
        times: usize,
        (run, link): (RunId, LinkId),
        (kind, code): (OperationKind, ReasonCode),
        doing: Doing,
    ) -> WaveRow {
        let now = scene.ledger.env.now();
        let joined = scene.ledger.write("test_join", move |tx| {
            let cause = Cause { at: now, decided_at: now, text: String::new(), run: Some(run) };
            let intent = Intent { kind, reason: Reason::new(code) };
            let mut wave = None;
            for _ in 0..times {
                wave = join(tx, &cause, link, &intent, doing)?;
            }
            tx.query_row("SELECT *, 0 AS waiting FROM waves WHERE id = ?1", [wave], wave_row)
        });
        joined.await.expect("a wave")
    }

    #[tokio::test(start_paused = true)]
    async fn removals_that_rest_on_a_changed_condition_wait_from_the_first_on() {
        let (scene, link) = limited(500).await;
        let pass = scene.ledger.pass_begin(scene.route.clone(), "2".to_owned(), PassReason::Revision).await;
        let of_pass = run(&scene, Some(pass.expect("a pass").id)).await;
        let alone = run(&scene, None).await;
        for (run, kind, code, doing, state, by_scope) in [
            (of_pass, OperationKind::Reset, ReasonCode::NotEligible, Doing::Rules, WaveState::Held, true),
            (alone, OperationKind::Delete, ReasonCode::NotEligible, Doing::Rules, WaveState::Held, true),
            (
                of_pass,
                OperationKind::Delete,
                ReasonCode::RecordDeleted,
                Doing::Record,
                WaveState::Open,
                false,
            ),
            (of_pass, OperationKind::Delete, ReasonCode::NotEligible, Doing::Record, WaveState::Open, false),
        ] {
            let wave = join_times(&scene, 1, (run, link), (kind, code), doing).await;
            assert!(wave.removes(), "{wave:?}");
            assert_eq!((wave.state, wave.removes_by_scope()), (state, by_scope), "{kind:?} {code:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_changed_condition_locks_waits_also_when_everything_is_asked_for_once_more() {
        let (scene, link) = limited(500).await;
        let begin =
            |revision: &str, why| scene.ledger.pass_begin(scene.route.clone(), revision.to_owned(), why);
        begin("2", PassReason::Revision).await.expect("a pass");
        let by_hand = begin("2", PassReason::ByHand).await.expect("a pass in its place");
        let of_pass = run(&scene, Some(by_hand.id)).await;
        let lock = (OperationKind::Lock, ReasonCode::NotEligible);
        let alone = run(&scene, None).await;
        for (run, times, state) in [(of_pass, 2, WaveState::Open), (alone, 1, WaveState::Held)] {
            // Whichever run reads them.
            assert_eq!(join_times(&scene, times, (run, link), lock, Doing::Rules).await.state, state);
        }
        // Its change is over with its end.
        scene.ledger.pass_move(by_hand.id, None, Vec::new()).await.expect("its end");
        assert_eq!(begin("2", PassReason::ByHand).await.expect("a pass").why, PassReason::ByHand);
    }

    #[tokio::test(start_paused = true)]
    async fn removals_are_held_by_the_run_by_the_routes_size_and_by_the_day() {
        let (scene, link) = limited(30).await;
        let reset = (OperationKind::Reset, ReasonCode::NotEligible);
        let delete = (OperationKind::Delete, ReasonCode::RecordDeleted);
        let first = run(&scene, None).await;
        let wave = join_times(&scene, 20, (first, link), reset, Doing::Record).await;
        assert_eq!((wave.state, wave.bound), (WaveState::Open, 20), "a tenth of few is no wave");
        assert_eq!(join_times(&scene, 1, (first, link), delete, Doing::Record).await.state, WaveState::Held);
        let said =
            scene.ledger.wave_decide(wave.id, WaveWord::Approve, "anna".to_owned(), "meant".to_owned());
        assert!(said.await.expect("decided").is_some());
        let second = run(&scene, None).await;
        assert_eq!(
            join_times(&scene, 20, (second, link), delete, Doing::Record).await.state,
            WaveState::Open
        );
        let third = run(&scene, None).await;
        let wave = join_times(&scene, 11, (third, link), delete, Doing::Record).await;
        assert_eq!((wave.state, wave.bound), (WaveState::Held, 10), "many small runs are one day");
        scene.wait(25).await;
        let next_day = run(&scene, None).await;
        assert_eq!(
            join_times(&scene, 20, (next_day, link), delete, Doing::Record).await.state,
            WaveState::Open
        );
    }

    #[tokio::test(start_paused = true)]
    async fn additions_and_changes_have_a_share_where_the_config_gives_one_and_a_few_are_never_too_many() {
        let (scene, link) = limited(500).await;
        let unlock = (OperationKind::Unlock, ReasonCode::NotEligible);
        let import = (OperationKind::Import, ReasonCode::NotEligible);
        for id in 2..=60 {
            scene.link(&id.to_string(), Some(100 + id), &[]).await;
        }
        for (new, changed, bounds) in
            [(None, None, [500, 400]), (Some(50), Some(40), [30, 24]), (Some(10), Some(1), [20, 20])]
        {
            let waves = WaveLimits {
                new: WaveLimit { per_run: Some(500), percent: new },
                changed: WaveLimit { per_run: Some(400), percent: changed },
            };
            let facts = RouteFacts { waves, ..facts(&scene) };
            scene.ledger.route_register(facts, RouteState::On).await.expect("registered");
            for (doing, bound) in [import, unlock].into_iter().zip(bounds) {
                let run = run(&scene, None).await;
                let joined = |times| join_times(&scene, times, (run, link), doing, Doing::Record);
                let wave = joined(20).await;
                assert_eq!((wave.state, wave.bound), (WaveState::Open, bound), "{new:?} {changed:?}");
                let most = usize::try_from(bound).expect("a figure") - 20;
                assert_eq!(joined(most + 1).await.state, WaveState::Held, "{bound}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_changed_conditions_lock_is_held_by_the_day_and_by_the_routes_size() {
        let (scene, link) = limited(500).await;
        for id in 2..=60 {
            scene.link(&id.to_string(), Some(100 + id), &[]).await;
        }
        let limits = |locked_by_scope, locked_by_scope_percent| RemovalLimits {
            per_run: 100,
            per_day: 500,
            percent: 10,
            locked_by_scope,
            locked_by_scope_percent,
        };
        let begin = async |revision: &str, most| {
            scene.ledger.route_leaving_set(scene.route.clone(), most, ByBlock::Locks).await.expect("limits");
            let begun =
                scene.ledger.pass_begin(scene.route.clone(), revision.to_owned(), PassReason::Revision);
            let pass = begun.await.expect("a pass");
            let run = run(&scene, Some(pass.id)).await;
            scene.put(&format!("UPDATE routes SET pulling_run = {}", run.0)).await;
            run
        };
        let lock = (OperationKind::Lock, ReasonCode::NotEligible);
        let first = begin("2", limits(40, 50)).await;
        let wave = join_times(&scene, 30, (first, link), lock, Doing::Rules).await;
        assert_eq!((wave.state, wave.bound), (WaveState::Open, 30), "half of sixty");
        scene.wait(1).await;
        let second = begin("3", limits(40, 100)).await;
        let wave = join_times(&scene, 11, (second, link), lock, Doing::Rules).await;
        assert_eq!((wave.state, wave.bound), (WaveState::Held, 10), "what the change of the morning left");
        scene.wait(25).await;
        let third = begin("4", limits(40, 100)).await;
        let wave = join_times(&scene, 40, (third, link), lock, Doing::Rules).await;
        assert_eq!((wave.state, wave.bound), (WaveState::Open, 40));
    }

    fn facts(scene: &Scene) -> RouteFacts {
        RouteFacts {
            route: scene.route.clone(),
            client: "house".to_owned(),
            crm: "sales".to_owned(),
            object: "person".to_owned(),
            waves: WaveLimits::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whom_a_full_pass_did_not_find_is_its_wave_however_many_runs_ask() {
        let (scene, link) = limited(500).await;
        let pass = scene.ledger.pass_begin(scene.route.clone(), "1".to_owned(), PassReason::Weekly).await;
        let pass = pass.expect("a pass").id;
        scene.ledger.pass_move(pass, None, Vec::new()).await.expect("its end");
        let missed = scene.ledger.write("test_missed", |tx| {
            tx.execute(
                "INSERT INTO record_absences (route, record_id, asked_at, by_pass)
                 VALUES ('leads', '1', '2030-01-07T09:00:00.000000Z', 1)",
                [],
            )
        });
        missed.await.expect("missed");
        let gone = (OperationKind::Delete, ReasonCode::RecordGone);
        let mut waves = Vec::new();
        for _ in 0..2 {
            let run = run(&scene, None).await;
            waves.push(join_times(&scene, 1, (run, link), gone, Doing::Record).await);
        }
        assert_eq!((waves[0].id, waves[1].operations), (waves[1].id, 2), "{waves:?}");
        assert_eq!(waves[0].source, format!("delete pass:{pass}"));
    }
}
