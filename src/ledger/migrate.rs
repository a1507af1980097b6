//! Brings a ledger to this program's schema: append-only SQL files, one transaction each. A new ledger is made of what all of
//! them leave, at once: seventy changes of a schema take a sixth of a second, and each test makes a ledger.
//!
//! Own code: the known helpers cannot be linked beside this rusqlite (both claim `links = "sqlite3"`).

use super::chain;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// "dlbr": tells a ledger from any other SQLite file.
pub(super) const APPLICATION_ID: i64 = 0x646c_6272;

/// The files under `migrations/`, in the order in which they came, which is not that of their numbers: a ledger counts how many
/// it has, so that this list is only ever added to at its end.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_runs_and_routes.sql"),
    include_str!("../../migrations/0002_records_and_links.sql"),
    include_str!("../../migrations/0003_operations.sql"),
    include_str!("../../migrations/0004_contacts_and_calls.sql"),
    include_str!("../../migrations/0005_views.sql"),
    include_str!("../../migrations/0006_absent.sql"),
    include_str!("../../migrations/0007_sending.sql"),
    include_str!("../../migrations/0008_blocks_by_contact.sql"),
    include_str!("../../migrations/0009_pull_memory.sql"),
    include_str!("../../migrations/0012_route_states.sql"),
    include_str!("../../migrations/0013_heard.sql"),
    include_str!("../../migrations/0014_by_hand_body.sql"),
    include_str!("../../migrations/0015_identity.sql"),
    include_str!("../../migrations/0017_links_by_contact.sql"),
    include_str!("../../migrations/0016_sweep_budget.sql"),
    include_str!("../../migrations/0020_views.sql"),
    include_str!("../../migrations/0019_answer_notes.sql"),
    include_str!("../../migrations/0018_harvest_shown.sql"),
    include_str!("../../migrations/0022_looks.sql"),
    include_str!("../../migrations/0028_sent_today.sql"),
    include_str!("../../migrations/0023_words.sql"),
    include_str!("../../migrations/0024_said_numbers.sql"),
    include_str!("../../migrations/0031_write_back.sql"),
    include_str!("../../migrations/0032_opt_outs.sql"),
    include_str!("../../migrations/0041_open_operations.sql"),
    TRAIL_CHAIN,
    include_str!("../../migrations/0037_leaving.sql"),
    include_str!("../../migrations/0038_standing_locks.sql"),
    include_str!("../../migrations/0033_held_out.sql"),
    include_str!("../../migrations/0048_pass_seen.sql"),
    include_str!("../../migrations/0034_closings_notes.sql"),
    include_str!("../../migrations/0035_two_way.sql"),
    include_str!("../../migrations/0036_owners.sql"),
    include_str!("../../migrations/0040_reconciles.sql"),
    include_str!("../../migrations/0049_carrying.sql"),
    include_str!("../../migrations/0050_retention.sql"),
    include_str!("../../migrations/0051_blocks_told.sql"),
    include_str!("../../migrations/0053_calls_erased.sql"),
    include_str!("../../migrations/0054_conflicts_view.sql"),
    include_str!("../../migrations/0057_doubts.sql"),
    include_str!("../../migrations/0058_activities_fixed.sql"),
    include_str!("../../migrations/0061_finals.sql"),
    include_str!("../../migrations/0062_removal_brake.sql"),
    include_str!("../../migrations/0063_overseen.sql"),
    include_str!("../../migrations/0065_samples.sql"),
    include_str!("../../migrations/0066_objections_told.sql"),
    include_str!("../../migrations/0067_held_absences.sql"),
    include_str!("../../migrations/0068_locked_by_scope.sql"),
    include_str!("../../migrations/0069_fewer_indexes.sql"),
    include_str!("../../migrations/0070_block_files.sql"),
    include_str!("../../migrations/0071_status_told.sql"),
    include_str!("../../migrations/0072_calls_to_erase.sql"),
    include_str!("../../migrations/0073_told_once.sql"),
    include_str!("../../migrations/0074_rules_before.sql"),
    include_str!("../../migrations/0075_objection_waves.sql"),
    include_str!("../../migrations/0076_hints_of_record.sql"),
    include_str!("../../migrations/0077_edits_outlive.sql"),
    include_str!("../../migrations/0078_left_by_a_person.sql"),
    include_str!("../../migrations/0079_old_waves.sql"),
    include_str!("../../migrations/0080_walks_and_words.sql"),
    include_str!("../../migrations/0081_tries.sql"),
    include_str!("../../migrations/0082_words_told.sql"),
    include_str!("../../migrations/0083_lifted_lists.sql"),
    include_str!("../../migrations/0084_blocked_unlinked.sql"),
    include_str!("../../migrations/0085_final_links.sql"),
    include_str!("../../migrations/0086_shown_nos.sql"),
    include_str!("../../migrations/0087_contact_marks.sql"),
    include_str!("../../migrations/0088_comments_go.sql"),
    include_str!("../../migrations/0089_called_numbers.sql"),
    include_str!("../../migrations/0090_earlier_campaigns.sql"),
    include_str!("../../migrations/0091_calls_rest.sql"),
    include_str!("../../migrations/0092_begins_anew.sql"),
    include_str!("../../migrations/0093_ended_numbers.sql"),
    include_str!("../../migrations/0095_gone.sql"),
    include_str!("../../migrations/0100_calls_in_fields.sql"),
    include_str!("../../migrations/0101_still_locked.sql"),
    include_str!("../../migrations/0102_list_taken.sql"),
    include_str!("../../migrations/0103_synced.sql"),
    include_str!("../../migrations/0104_no_told.sql"),
    include_str!("../../migrations/0105_no_rests_on.sql"),
    include_str!("../../migrations/0106_refused_lists.sql"),
    include_str!("../../migrations/0107_client_campaigns.sql"),
    include_str!("../../migrations/0108_overseen_rest.sql"),
    include_str!("../../migrations/0109_read_before.sql"),
    include_str!("../../migrations/0110_no_statistics.sql"),
    include_str!("../../migrations/0111_rule_and_person.sql"),
    include_str!("../../migrations/0112_told_lately.sql"),
    include_str!("../../migrations/0113_brakes_by_share.sql"),
    include_str!("../../migrations/0114_contacts_missing.sql"),
    include_str!("../../migrations/0115_fields_of_calls.sql"),
    include_str!("../../migrations/0116_calls_lost.sql"),
];

/// Behind this one the rows of the trail that are there already get their places in the chain.
const TRAIL_CHAIN: &str = include_str!("../../migrations/0039_trail_chain.sql");

/// What all of these leave in a new ledger.
const SCHEMA: &str = include_str!("../../migrations/schema.sql");

/// The schema this program knows.
pub(super) fn known() -> i64 {
    MIGRATIONS.len() as i64
}

/// The schema of an open file.
pub(super) fn found(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Applies what is missing. A ledger that is there goes on with the next file where it was interrupted; a new one comes into
/// being as a whole.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let from = usize::try_from(found(connection)?).unwrap_or(0);
    if from == 0 {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        is_at(&transaction, known())?;
        return transaction.commit();
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        if *sql == TRAIL_CHAIN {
            chain::enter_old(&transaction)?;
        }
        is_at(&transaction, index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

fn is_at(transaction: &Transaction<'_>, version: i64) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::trail_proof;

    #[test]
    fn what_was_blocked_and_locked_by_hand_stays_so() {
        let mut connection = before("CREATE TABLE blocks_with_contacts");
        connection
            .execute_batch(
                "INSERT INTO links (client, contact_id, wish, wish_code, wish_params, created_at) VALUES
                    ('house', 11, 'locked', 'locked_by_hand', '{\"text\":\"asked us\"}', '2030-01-07T08:00:00.000000Z'),
                    ('house', 12, 'locked', 'several_contacts', '{}', '2030-01-07T08:00:00.000000Z');
                 UPDATE links SET base = '{\"PhoneNumber1\":{\"crm\":\"+4930123\",\"dialler\":\"4930123\"},
                    \"PhoneNumber2\":{\"crm\":\"x\",\"dialler\":\"030123\"},\"City\":{\"crm\":\"1\",\"dialler\":\"1\"}}'
                    WHERE contact_id = 12;
                 INSERT INTO blocks (id, client, kind, number, code, source, since, lifted_at) VALUES
                    (7, 'house', 'number', '+4930123', 'blocked_by_hand', 'operator', '2030-01-07T08:00:00.000000Z', NULL),
                    (9, 'house', 'number', '+4930123', 'blocked_by_hand', 'file:x', '2030-01-07T08:00:00.000000Z',
                     '2030-01-07T09:00:00.000000Z');",
            )
            .expect("rows of then");
        migrate(&mut connection).expect("migrated");
        let texts = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).expect("a statement");
            statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
        };
        assert_eq!(
            texts(
                "SELECT block || ' ' || kind || ' ' || coalesce(number, contact) || ' ' || state FROM v_blocks"
            ),
            ["7 number +4930123 in force", "9 number +4930123 lifted", "10 contact 11 in force"]
        );
        assert_eq!(
            texts("SELECT why_details FROM v_blocks WHERE kind = 'contact'"),
            [r#"{"text":"asked us"}"#]
        );
        assert_eq!(texts("SELECT number FROM sent_numbers"), ["+4930123"]);
    }

    #[test]
    fn calls_of_before_are_known_by_their_numbers_and_routes_by_the_campaigns_they_left() {
        let mut connection = before("CREATE TABLE called_numbers");
        let numbers = ["4930111", "+4930112", "004930113", "030114", "+49 (0)30 115", "internal", "+", "00"];
        let calls = |number: &str| format!("(7, x'', '{{}}', '{number}', '', '', 1)");
        connection
            .execute_batch(&format!(
                "INSERT INTO calls (contact_id, hash, row, number, first_seen_at, changed_at, run_id) VALUES {};
                 INSERT INTO routes (route, client, crm, object, campaign_id, state, state_since, state_who, state_text)
                    VALUES ('leads', 'house', 'sales', 'person', 8, 'on', '', '', '');
                 INSERT INTO links (client, route, record_id, campaign_id, contact_id, wish, wish_code, created_at) VALUES
                    ('house', 'leads', '1', 7, 1, 'callable', 'new_record', ''),
                    ('house', 'leads', '2', 8, 2, 'callable', 'new_record', ''),
                    ('house', 'leads', '3', NULL, 3, 'callable', 'new_record', '');",
                numbers.map(calls).join(", ")
            ))
            .expect("rows of then");
        migrate(&mut connection).expect("migrated");
        let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).expect("a text");
        assert_eq!(one("SELECT group_concat(number) FROM called_numbers"), "+4930111,+4930112,+4930113");
        assert_eq!(one("SELECT group_concat(route || campaign_id) FROM earlier_campaigns"), "leads7");
    }

    const HEAD: &str = "\
-- The ledger's schema as all files before this one leave it: a new ledger is made of this at once. Written by the test
-- ledger::migrate::tests::a_new_ledger_is_what_all_the_files_make with DIALBRIDGE_BLESS=1; never by hand.
";

    /// Everything that a ledger without runs has, as SQL that makes it.
    fn whole(connection: &Connection) -> String {
        let texts = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).expect("a statement");
            statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
        };
        let made = |kind: &str| {
            texts(&format!(
                "SELECT sql || ';' FROM sqlite_master
                 WHERE type = '{kind}' AND sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            ))
        };
        let rows = texts(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
        );
        let rows = rows.iter().flat_map(|table| {
            let columns = texts(&format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"));
            let values: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
            let into = format!("INSERT INTO {table} ({}) VALUES (", columns.join(", "));
            texts(&format!("SELECT '{into}' || {} || ');' FROM {table}", values.join(" || ', ' || ")))
        });
        let parts = made("table").into_iter().chain(rows);
        let parts = parts.chain(["index", "view", "trigger"].iter().flat_map(|kind| made(kind)));
        HEAD.to_owned() + &parts.map(|part| format!("\n{part}\n")).collect::<String>()
    }

    #[test]
    fn a_new_ledger_is_what_all_the_files_make() {
        let stepwise = Connection::open_in_memory().expect("opened");
        MIGRATIONS.iter().try_for_each(|sql| stepwise.execute_batch(sql)).expect("all of them");
        let stepwise = whole(&stepwise);
        if std::env::var_os("DIALBRIDGE_BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/schema.sql"), &stepwise)
                .expect("written");
            return;
        }
        let mut new = Connection::open_in_memory().expect("opened");
        migrate(&mut new).expect("made");
        for made in [whole(&new), SCHEMA.to_owned()] {
            let differs = made.lines().zip(stepwise.lines()).find(|(one, other)| one != other);
            assert_eq!(differs, None, "migrations/schema.sql is out of date: DIALBRIDGE_BLESS=1 writes it");
            assert_eq!(made.len(), stepwise.len(), "migrations/schema.sql is out of date");
        }
        assert_eq!(found(&new).expect("a number"), known());
    }

    /// A ledger of the schema that was there before the file which says this.
    fn before(says: &str) -> Connection {
        let connection = Connection::open_in_memory().expect("opened");
        let there = MIGRATIONS.iter().position(|sql| sql.contains(says)).expect("one of them");
        for (index, sql) in MIGRATIONS[..there].iter().enumerate() {
            connection.execute_batch(sql).expect("an older schema");
            connection.pragma_update(None, "user_version", index as i64 + 1).expect("set");
        }
        connection
    }

    #[test]
    fn a_reset_that_waited_for_its_record_waits_for_the_return() {
        let mut connection = before("COLUMN calls_rest");
        connection
            .execute_batch(
                "INSERT INTO links (id, client, contact_id, wish, wish_code, created_at) VALUES
                    (1, 'house', 11, 'locked', 'not_eligible', '2030-01-07T08:00:00.000000Z'),
                    (2, 'house', 12, 'locked', 'not_eligible', '2030-01-07T08:00:00.000000Z');
                 INSERT INTO operations (link_id, generation, kind, state, code, cause, decided_at, created_at, not_before, before)
                    SELECT link, 1, kind, 'waiting', code, 'run:1', at, at, at, before
                    FROM (SELECT 1 AS link, 'reset' AS kind, 'not_eligible' AS code, NULL AS before
                          UNION ALL SELECT 2, 'reset', 'by_hand', NULL
                          UNION ALL SELECT 2, 'delete', 'not_eligible', '{\"picture\":\"a\",\"since\":\"b\"}'),
                         (SELECT '2030-01-07T08:00:00.000000Z' AS at);",
            )
            .expect("rows of then");
        migrate(&mut connection).expect("migrated");
        let left: String = connection
            .query_row(
                "SELECT (SELECT group_concat(begins_anew) FROM links) || ' '
                        || (SELECT group_concat(kind || ' ' || state || coalesce(' ' || (calls_rest ->> '$.since'), ''), ', ')
                            FROM operations)",
                [],
                |row| row.get(0),
            )
            .expect("read");
        assert_eq!(left, "1,0 reset superseded, reset waiting, delete waiting b");
    }

    #[test]
    fn statistics_of_an_earlier_program_are_dropped() {
        let mut connection = before("DROP TABLE IF EXISTS sqlite_stat1");
        connection.execute_batch("ANALYZE").expect("an older program's");
        let statistics = |connection: &Connection| {
            let count = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'";
            connection.query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count")
        };
        assert!(statistics(&connection) > 0);
        migrate(&mut connection).expect("migrated");
        assert_eq!(statistics(&connection), 0);
    }

    #[test]
    fn changes_of_before_get_their_place_in_the_chain() {
        let mut connection = before(TRAIL_CHAIN);
        let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
                    INSERT INTO changes (id, at, link_id, operation_id, side, field, before, before_from, after, cause)
                    SELECT 2 * i, '2030-01-07T09:00:00.000000Z', 1, i, 'dialler', 'City', iif(i % 3, '\"Ulm\"', NULL), 'base',
                           '\"Bonn\"', 'run:1' FROM n";
        connection.execute_batch(many).expect("rows of then");
        migrate(&mut connection).expect("migrated");
        assert_eq!(trail_proof::broken(&connection).expect("looked over"), Vec::<String>::new());
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
        assert_eq!(
            count("SELECT count(DISTINCT after_salt) FROM changes"),
            2500,
            "each value has a salt of its own"
        );
        assert_eq!(count("SELECT count(*) FROM changes WHERE (before IS NULL) <> (before_salt IS NULL)"), 0);
        connection.execute_batch("DROP TRIGGER changes_are_not_edited").expect("dropped");
        connection.execute_batch("UPDATE changes SET after = '\"Hof\"' WHERE id = 4000").expect("changed");
        assert_eq!(trail_proof::broken(&connection).expect("looked over").len(), 1);
    }
}
