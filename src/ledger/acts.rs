//! As SQL: whether an operation may leave now, as far as its route, a pilot, a wave, the day's limit, a freeze and the
//! ledger's identity are concerned. One text for the lease and for the keys that are asked for: what may not leave is not asked
//! about every quarter of an hour either.

/// Over `o` (operations), `l` (links) and `r` (routes, may be missing), with `:now` and `:full` (JSON: the routes
/// that have no import left today) bound. A person's own operation passes the route's state and every limit;
/// nothing passes a freeze, or a ledger that is not at home.
macro_rules! acts {
    () => {
        "NOT EXISTS (SELECT 1 FROM freezes f WHERE f.ended_at IS NULL AND (f.until IS NULL OR f.until > :now))
         AND NOT EXISTS (SELECT 1 FROM differences x WHERE x.ended_at IS NULL)
         AND (o.cause LIKE 'person:%' OR l.route IS NULL
              OR (r.stopped IS NULL
                  AND (r.state = 'on' OR r.state = 'pilot' AND EXISTS (
                          SELECT 1 FROM pilots p WHERE p.route = l.route AND p.record_id = l.record_id))
                  AND NOT EXISTS (SELECT 1 FROM waves w WHERE w.id = o.wave_id AND w.state IN ('held', 'rejected'))
                  AND (o.kind <> 'import' OR l.route NOT IN (SELECT value FROM json_each(:full)))))"
    };
}
pub(super) use acts;
