//! The queries of the plan: what waits on a route, or in one wave of it, grouped, counted and shown.

use super::by_hand_update;
use super::edits;
use super::inputs::link_view;
use super::lease::{Plan, Planner};
use super::plan_view::{AsideGroup, PlanExample, PlanField, PlanFieldCount, PlanGroup, PlanPart};
use super::sql::{get_json, get_named, get_reason};
use crate::domain::policy::Clearing;
use crate::domain::{
    Anew, ContactId, Deletion, Edits, Lane, LinkId, LinkView, LockState, OperationId, OperationKind,
    RouteName, Stands, Values, Wish,
};
use rusqlite::{Connection, named_params};
use std::collections::BTreeMap;

/// So many examples of each kind.
const EXAMPLES: u32 = 10;

/// Of what the plan tells.
pub(super) struct Scope<'a> {
    /// The route.
    pub route: &'a RouteName,
    /// Only what belongs to this wave.
    pub wave: Option<i64>,
}

/// What waits, from three sides.
pub(super) fn part(
    connection: &Connection,
    scope: &Scope<'_>,
    planner: Planner,
    clearing: Clearing,
) -> rusqlite::Result<PlanPart> {
    Ok(PlanPart {
        groups: groups(connection, scope)?,
        fields: fields(connection, scope, planner, clearing)?,
        examples: examples(connection, scope, planner, clearing)?,
    })
}

fn groups(connection: &Connection, scope: &Scope<'_>) -> rusqlite::Result<Vec<PlanGroup>> {
    connection
        .prepare_cached(
            "SELECT o.kind, o.code, count(*) AS n, sum(coalesce(w.state = 'held', 0)) AS held
             FROM operations o JOIN links l ON l.id = o.link_id LEFT JOIN waves w ON w.id = o.wave_id
             WHERE l.route = :route AND o.state = 'waiting' AND (:wave IS NULL OR o.wave_id = :wave)
             GROUP BY o.kind, o.code ORDER BY n DESC",
        )?
        .query_map(named_params! { ":route": scope.route.0, ":wave": scope.wave }, |row| {
            Ok(PlanGroup {
                kind: get_named(row, "kind", OperationKind::parse)?,
                code: row.get("code")?,
                count: row.get("n")?,
                held: row.get("held")?,
            })
        })?
        .collect()
}

/// One statement over all that waits: a walk link by link would take too long where a hundred thousand wait.
fn fields(
    connection: &Connection,
    scope: &Scope<'_>,
    planner: Planner,
    clearing: Clearing,
) -> rusqlite::Result<Vec<PlanFieldCount>> {
    let mut statement = connection.prepare_cached(
        "SELECT o.kind, o.given, l.contact_id, l.base, l.desired, l.wish, l.lock_state, l.vanished_at IS NOT NULL
                AS vanished, (SELECT e.link_id FROM edits e WHERE e.link_id = l.id LIMIT 1) AS edited,
                (SELECT r.kept FROM routes r WHERE r.route = l.route) AS kept
         FROM operations o JOIN links l ON l.id = o.link_id
         WHERE l.route = :route AND o.state = 'waiting' AND o.kind IN ('import', 'update')
           AND (:wave IS NULL OR o.wave_id = :wave)",
    )?;
    let mut rows = statement.query(named_params! { ":route": scope.route.0, ":wave": scope.wave })?;
    let mut counts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let kind = get_named(row, "kind", OperationKind::parse)?;
        let given: Option<String> = row.get("given")?;
        let given: Option<Values> = given.map(|_| get_json(row, "given")).transpose()?;
        match planner(kind, given.as_ref(), &waiting_link(connection, row)?, clearing) {
            Plan::Send(values) => {
                for field in values.into_keys() {
                    *counts.entry((kind, field)).or_insert(0) += 1;
                }
            }
            Plan::NothingLeft | Plan::Instead(_) | Plan::Unwished => {}
        }
    }
    let mut counted: Vec<PlanFieldCount> =
        counts.into_iter().map(|((kind, field), count)| PlanFieldCount { kind, field, count }).collect();
    counted.sort_by_key(|field| (field.kind, -field.count));
    Ok(counted)
}

fn waiting_link(connection: &Connection, row: &rusqlite::Row<'_>) -> rusqlite::Result<LinkView> {
    Ok(LinkView {
        contact: row.get::<_, Option<i64>>("contact_id")?.map(ContactId),
        base: get_json(row, "base")?,
        desired: get_json(row, "desired")?,
        wish: get_named(row, "wish", Wish::parse)?,
        lock: get_named(row, "lock_state", LockState::parse)?,
        vanished: row.get("vanished")?,
        lane: Lane::Waiting,
        // Few have any: they are asked for only there.
        edits: match row.get::<_, Option<i64>>("edited")? {
            Some(link) => edits::of_link(connection, LinkId(link))?,
            None => Edits::new(),
        },
        kept: get_json(row, "kept")?,
        deletion: Deletion::No,
        anew: Anew::No,
        stands: Stands::Here,
        calls_lost: None,
    })
}

fn examples(
    connection: &Connection,
    scope: &Scope<'_>,
    planner: Planner,
    clearing: Clearing,
) -> rusqlite::Result<Vec<PlanExample>> {
    let mut examples = Vec::new();
    for kind in OperationKind::ALL {
        let found: Vec<(i64, i64, PlanExample)> = connection
            .prepare_cached(
                "SELECT o.id, o.link_id, o.code, o.params, l.record_id, l.user_data
                 FROM operations o JOIN links l ON l.id = o.link_id
                 WHERE l.route = :route AND o.state = 'waiting' AND o.kind = :kind
                   AND (:wave IS NULL OR o.wave_id = :wave)
                 ORDER BY o.id LIMIT :limit",
            )?
            .query_map(
                named_params! {
                    ":route": scope.route.0, ":kind": kind.as_str(), ":wave": scope.wave, ":limit": EXAMPLES,
                },
                |row| {
                    let example = PlanExample {
                        kind: *kind,
                        record: row.get("record_id")?,
                        user_data: row.get("user_data")?,
                        text: get_reason(row, "code", "params")?.to_string(),
                        fields: Vec::new(),
                    };
                    Ok((row.get("id")?, row.get("link_id")?, example))
                },
            )?
            .collect::<rusqlite::Result<_>>()?;
        for (id, link, mut example) in found {
            let view = link_view(connection, LinkId(link))?;
            let given = by_hand_update::given(connection, OperationId(id))?;
            if let Plan::Send(values) =
                planner(*kind, given.as_ref().map(|given| &given.values), &view, clearing)
            {
                example.fields = values
                    .into_iter()
                    .map(|(field, after)| PlanField {
                        before: view.base.get(&field).map(|pair| pair.dialler.clone()),
                        field,
                        after,
                    })
                    .collect();
            }
            examples.push(example);
        }
    }
    Ok(examples)
}

/// Records that are not sent.
pub(super) fn aside(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<AsideGroup>> {
    connection
        .prepare_cached(
            "SELECT state, code, count(*) AS n FROM records
             WHERE route = ?1 AND state <> 'linked' GROUP BY state, code ORDER BY state, n DESC",
        )?
        .query_map([&route.0], |row| {
            Ok(AsideGroup {
                state: row.get("state")?,
                code: row.get::<_, Option<String>>("code")?.unwrap_or_default(),
                count: row.get("n")?,
            })
        })?
        .collect()
}
