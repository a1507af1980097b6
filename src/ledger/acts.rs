//! As SQL: whether an operation may leave now, as far as its route, a pilot, a wave, the day's limits, a freeze and the
//! ledger's identity are concerned. One text for the lease and for the keys that are asked for: what may not leave is not asked
//! about every quarter of an hour either.

/// Over `o` (operations) and `l` (links): for which of its route's daily limits an operation counts, as `new ROUTE` or
/// `changed ROUTE`. What a person or a single answer wished belongs to no wave, and to no day's changes.
macro_rules! day {
    () => {
        "(CASE WHEN o.kind = 'import' THEN 'new '
               WHEN o.kind IN ('update', 'unlock') AND o.wave_id IS NOT NULL THEN 'changed ' END || l.route)"
    };
}
pub(super) use day;

/// With `:now` bound: whether anything but a lock may leave at all. Nothing passes a freeze, or a ledger that is not at
/// home.
macro_rules! anything {
    () => {
        "NOT EXISTS (SELECT 1 FROM freezes f WHERE f.ended_at IS NULL AND (f.until IS NULL OR f.until > :now))
         AND NOT EXISTS (SELECT 1 FROM differences x WHERE x.ended_at IS NULL)"
    };
}
pub(super) use anything;

/// Over `l` (links) and `r` (routes), with `:now` bound: whether the route acts for this record.
macro_rules! route_acts {
    () => {
        "(r.state = 'on' OR r.state = 'pilot' AND (r.pilot_until IS NULL OR r.pilot_until > :now) AND EXISTS (
              SELECT 1 FROM pilots p WHERE p.route = l.route AND p.record_id = l.record_id))"
    };
}
pub(super) use route_acts;

/// Over `o` (operations), `l` (links) and `r` (routes, may be missing), with `:now` and `:full` (JSON: the daily limits
/// that are reached) bound. Pilots pass a wave that is held, because a person chose them or their number: the first pull of
/// a filled CRM is one wave, and whoever wants to see one contact first must not have to approve all. A person's own operation passes the route's state and every limit, and not what holds [`anything`], nor
/// a block list of the client that is being taken: it may say no to this very contact.
macro_rules! acts {
    () => {
        concat!(
            $crate::ledger::acts::anything!(),
            " AND (o.kind = 'delete' OR NOT EXISTS (SELECT 1 FROM block_files t WHERE t.taking_since IS NOT NULL AND (t.client = l.client OR l.route IS NULL)))
              AND (o.cause LIKE 'person:%' OR l.route IS NULL
              OR (r.stopped IS NULL
                  AND ",
            $crate::ledger::acts::route_acts!(),
            "
                  AND NOT EXISTS (SELECT 1 FROM waves w WHERE w.id = o.wave_id
                                  AND (w.state = 'rejected' OR w.state = 'held' AND r.state <> 'pilot'))
                  AND coalesce(",
            $crate::ledger::acts::day!(),
            " NOT IN (SELECT value FROM json_each(:full)), 1)))"
        )
    };
}
pub(super) use acts;
