-- The ledger's schema as all files before this one leave it: a new ledger is made of this at once. Written by the test
-- ledger::migrate::tests::a_new_ledger_is_what_all_the_files_make with DIALBRIDGE_BLESS=1; never by hand.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE routes (
    route         TEXT PRIMARY KEY,
    client        TEXT NOT NULL,
    crm           TEXT NOT NULL,
    object        TEXT NOT NULL,
    campaign_id   INTEGER,                  -- pinned once resolved
    campaign_name TEXT,
    state_since   TEXT NOT NULL,
    state_who     TEXT NOT NULL,
    state_text    TEXT NOT NULL,            -- the reason a person gave
    stopped       TEXT,                     -- a systemic failure stopped it: the reason's code
    stopped_params TEXT NOT NULL DEFAULT '{}',
    stopped_since TEXT,
    revision      TEXT,                     -- of mapping, conditions, connector
    decided_on    TEXT                      -- the local day of the last daily decision ('today')
, pulling_revision TEXT, pulling_run INTEGER, state TEXT NOT NULL DEFAULT 'dry'
    CHECK (state IN ('dry', 'pilot', 'on', 'paused')), state_until TEXT, state_after TEXT         -- what a pause goes back to
    CHECK (state_after IN ('dry', 'pilot', 'on')), harvest_paused INTEGER NOT NULL DEFAULT 0 CHECK (harvest_paused IN (0, 1)), pilot_first INTEGER, max_new_per_run INTEGER, max_changed_per_run INTEGER, pilot_until TEXT, pilot_after TEXT         -- what it goes back to
    CHECK (pilot_after IN ('dry', 'on')), write_back_since TEXT, write_back_approved TEXT NOT NULL DEFAULT '', opt_out_results TEXT, max_deleted_per_run INTEGER, leaves_by_block INTEGER NOT NULL DEFAULT 0 CHECK (leaves_by_block IN (0, 1)), hold_rules TEXT, kept TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(kept)), blocks_told TEXT NOT NULL DEFAULT 'kept' CHECK (blocks_told IN ('told', 'kept')), activities TEXT NOT NULL DEFAULT 'change' CHECK (activities IN ('change', 'fixed')), max_deleted_per_day INTEGER, max_deleted_percent INTEGER, max_locked_by_scope INTEGER, status_told TEXT NOT NULL DEFAULT 'kept' CHECK (status_told IN ('told', 'kept')), rules TEXT, rules_before TEXT, cursor_before TEXT, write_back_shapes TEXT CHECK (write_back_shapes IN ('activities', 'fields', 'both', 'nothing')), max_locked_by_scope_percent INTEGER, max_new_percent INTEGER, max_changed_percent INTEGER) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    route    TEXT PRIMARY KEY REFERENCES routes (route),
    position TEXT NOT NULL,                 -- everything modified before it was stored
    moved_at TEXT NOT NULL,
    run_id   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hints (
    id        INTEGER PRIMARY KEY,
    route     TEXT NOT NULL,
    record_id TEXT NOT NULL,
    source    TEXT NOT NULL,
    at        TEXT NOT NULL,
    taken_at  TEXT
, not_before TEXT, tries INTEGER NOT NULL DEFAULT 0, failure TEXT) STRICT;

CREATE TABLE links (
    id          INTEGER PRIMARY KEY,
    client      TEXT NOT NULL,
    route       TEXT,                       -- NULL: a contact without a record of ours, a lane for locks
    record_id   TEXT,
    user_data   TEXT,
    folded      TEXT,                       -- trimmed, lower case
    campaign_id INTEGER,
    contact_id  INTEGER,                    -- the present contact
    generation  INTEGER NOT NULL DEFAULT 0, -- raised by the transaction that decides
    desired     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(desired)), -- field -> {crm, send}
    base        TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(base)),    -- field -> {crm, dialler}
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),  -- import and its update answered
    wish        TEXT NOT NULL CHECK (wish IN ('none', 'callable') OR wish = 'locked'),
    wish_code   TEXT NOT NULL,              -- why: a reason code with parameters
    wish_params TEXT NOT NULL DEFAULT '{}',
    lock_state  TEXT NOT NULL DEFAULT 'open' CHECK (lock_state IN ('open', 'locked')), -- by us; locked from the lock's first byte on
    locked_at   TEXT,                       -- when a lock was accepted
    met_at      TEXT,                       -- when the dialler was last asked for the UserData
    sent_seq    INTEGER NOT NULL DEFAULT 0, -- read order of the last write: sent ...
    answered_seq INTEGER NOT NULL DEFAULT 0,-- ... and answered
    vanished_at TEXT,
    overwritten INTEGER NOT NULL DEFAULT 0 CHECK (overwritten IN (0, 1)),
    created_at  TEXT NOT NULL, absent_at TEXT, crm_told TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(crm_told)), overseen BLOB, begins_anew INTEGER NOT NULL DEFAULT 0, synced_at TEXT, overseen_rest BLOB,
    CHECK ((route IS NULL) = (record_id IS NULL)),
    CHECK (route IS NOT NULL OR contact_id IS NOT NULL)
) STRICT;

CREATE TABLE link_contacts (
    link_id    INTEGER NOT NULL REFERENCES links (id),
    contact_id INTEGER NOT NULL,
    since      TEXT NOT NULL,
    until      TEXT,
    how        TEXT NOT NULL CHECK (how IN ('imported', 'adopted') OR how IN ('relinked', 'by_hand')),
    PRIMARY KEY (contact_id, link_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE link_numbers (
    number  TEXT NOT NULL,
    link_id INTEGER NOT NULL REFERENCES links (id),
    PRIMARY KEY (number, link_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    route      TEXT NOT NULL REFERENCES routes (route),
    record_id  TEXT NOT NULL,
    hash       BLOB NOT NULL,               -- of the used fields and the route's revision
    modified   TEXT,                        -- the CRM's modification time
    user_data  TEXT,
    folded     TEXT,
    state      TEXT NOT NULL CHECK (state IN ('linked', 'skipped') OR state IN ('blocked', 'parked')
                                              OR state = 'discarded'),
    code       TEXT,                        -- why, unless linked
    params     TEXT NOT NULL DEFAULT '{}',
    since      TEXT NOT NULL,               -- in this state since
    meet       TEXT NOT NULL DEFAULT 'done' CHECK (meet IN ('due', 'done')), -- ask the dialler for the key
    kept       TEXT,                        -- JSON: the values its dated conditions use
    link_id    INTEGER REFERENCES links (id),
    decided_at TEXT NOT NULL,               -- the CRM's answer it rests on
    run_id     INTEGER NOT NULL, again_on TEXT,            -- that saw it last with a change
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE unidentified (
    route      TEXT NOT NULL,
    digest     BLOB NOT NULL,
    code       TEXT NOT NULL,
    params     TEXT NOT NULL DEFAULT '{}',
    first_seen TEXT NOT NULL,
    last_seen  TEXT NOT NULL,
    times      INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (route, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE companions (
    route     TEXT NOT NULL,
    companion TEXT NOT NULL,
    read_at   TEXT,                         -- the last complete answer that was taken
    size      INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,   -- answers in a row that were not taken
    failure   TEXT,                         -- why the last one was not taken
    suspect   BLOB,                         -- digest of a shrunken answer, waiting to be read twice equal
    PRIMARY KEY (route, companion)
) STRICT, WITHOUT ROWID;

CREATE TABLE companion_members (
    route     TEXT NOT NULL,
    companion TEXT NOT NULL,
    record_id TEXT NOT NULL,
    PRIMARY KEY (route, companion, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
    id          INTEGER PRIMARY KEY,
    link_id     INTEGER NOT NULL REFERENCES links (id),
    generation  INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('import', 'update') OR kind IN ('lock', 'unlock')
                                              OR kind IN ('reset', 'delete')),
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'sending') OR state IN ('uncertain', 'done')
                                               OR state IN ('refused', 'parked')
                                               OR state IN ('superseded', 'cancelled')),
    code        TEXT NOT NULL,              -- why it is wished: a reason code with parameters
    params      TEXT NOT NULL DEFAULT '{}',
    cause       TEXT NOT NULL,              -- run:ID | person:NAME | gate | settle:ID
    run_id      INTEGER,
    decided_at  TEXT NOT NULL,              -- the CRM's answer the decision rests on
    created_at  TEXT NOT NULL,
    not_before  TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    contact_id  INTEGER,                    -- the contact it was sent to
    body        TEXT CHECK (body IS NULL OR json_valid(body)), -- as sent; kept 14 days
    sent_seq    INTEGER,
    answered_seq INTEGER,
    leased_at   TEXT,
    settle_at   TEXT,                       -- uncertain: not asked about before
    finished_at TEXT,
    outcome     TEXT,                       -- a reason code: how it ended
    outcome_params TEXT NOT NULL DEFAULT '{}', before TEXT CHECK (before IS NULL OR json_valid(before)), clearing TEXT, wave_id INTEGER REFERENCES waves (id), given TEXT CHECK (given IS NULL OR json_valid(given)), calls_rest TEXT,
    UNIQUE (link_id, generation, kind),
    CHECK (state <> 'uncertain' OR settle_at IS NOT NULL),
    CHECK (state <> 'sending' OR leased_at IS NOT NULL)
) STRICT;

CREATE TABLE attempts (
    id           INTEGER PRIMARY KEY,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    sent_at      TEXT NOT NULL,
    answered_at  TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    status       INTEGER,
    detail       TEXT NOT NULL DEFAULT ''   -- the server's own words: may hold personal data
) STRICT;

CREATE TABLE changes (
    id           INTEGER PRIMARY KEY,
    at           TEXT NOT NULL,
    link_id      INTEGER NOT NULL,
    operation_id INTEGER,
    side         TEXT NOT NULL CHECK (side IN ('dialler', 'crm') OR side = 'ledger'),
    field        TEXT NOT NULL,
    before       TEXT,                      -- JSON
    before_from  TEXT NOT NULL,             -- base | answer | none
    after        TEXT,                      -- JSON, as answered
    cause        TEXT NOT NULL
, write_back_id INTEGER, before_salt BLOB, after_salt BLOB, before_digest BLOB, after_digest BLOB, chain BLOB, rule TEXT, person TEXT) STRICT;

CREATE TABLE contacts (
    contact_id   INTEGER PRIMARY KEY,
    campaign_id  INTEGER,
    user_data    TEXT,
    folded       TEXT,
    face         BLOB,                      -- of UserData, campaign and numbers: what this row and its numbers hold
    fingerprint  BLOB,                      -- of the dialler-owned fields; stored with what its read brought
    tries        INTEGER NOT NULL DEFAULT 0,
    result_code  INTEGER,
    seen_seq     INTEGER NOT NULL,          -- read order of the read this content comes from
    seen_at      TEXT NOT NULL,
    reset_at     TEXT,                      -- our last reset of it
    read_at      TEXT,                      -- when its history was last read
    active_at    TEXT,                      -- its newest call or result
    audit_at     TEXT,                      -- when the rolling audit reads it at the latest
    asked_at     TEXT,                      -- first single read that did not find it
    gone_at      TEXT                       -- confirmed gone by a second one
, likely_at TEXT, comment TEXT, note TEXT, noted_at TEXT, next_try TEXT, invalid TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(invalid))) STRICT;

CREATE TABLE contact_numbers (
    number     TEXT NOT NULL,               -- E.164
    contact_id INTEGER NOT NULL REFERENCES contacts (contact_id),
    PRIMARY KEY (number, contact_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sweeps (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER,                    -- the harvest it belongs to
    campaign_id INTEGER,                    -- NULL: the whole account
    began_seq   INTEGER NOT NULL,
    began_at    TEXT NOT NULL,
    ended_at    TEXT,
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    contacts    INTEGER NOT NULL DEFAULT 0,
    repeats     INTEGER NOT NULL DEFAULT 0, -- ids that the list named more than once
    bad         INTEGER NOT NULL DEFAULT 0, -- elements of the list that could not be read
    carries_result INTEGER,                 -- whether the list carries the current result code; NULL: empty list
    missing     INTEGER NOT NULL DEFAULT 0, -- known contacts that the complete list did not name
    requests_changed INTEGER NOT NULL DEFAULT 0, -- history requests for contacts that changed,
    requests_due   INTEGER NOT NULL DEFAULT 0,   -- for the rest of the due list,
    requests_audit INTEGER NOT NULL DEFAULT 0,   -- for the rolling audit,
    requests_single INTEGER NOT NULL DEFAULT 0,  -- and single reads of contacts that were missing
    read_changed INTEGER NOT NULL DEFAULT 0, -- contacts read by these requests
    read_due    INTEGER NOT NULL DEFAULT 0,
    read_audit  INTEGER NOT NULL DEFAULT 0,
    found_by_audit INTEGER NOT NULL DEFAULT 0, -- calls that the ladder had missed: zero in a healthy house
    not_adding_up INTEGER NOT NULL DEFAULT 0,  -- contacts read whose rows and tries disagree
    remark      TEXT                        -- what a person should know: the brake
, kind TEXT NOT NULL DEFAULT 'list' CHECK (kind IN ('list', 'likely')), bytes INTEGER NOT NULL DEFAULT 0, list_ms INTEGER NOT NULL DEFAULT 0, rests_until TEXT, requests_likely INTEGER NOT NULL DEFAULT 0, read_likely INTEGER NOT NULL DEFAULT 0, requests_elsewhere INTEGER NOT NULL DEFAULT 0, read_elsewhere INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, in_gap INTEGER NOT NULL DEFAULT 0, refused_until TEXT) STRICT;

CREATE TABLE calls (
    history_id    INTEGER PRIMARY KEY,      -- DiallerContactsHistoryID
    revision      INTEGER NOT NULL DEFAULT 1, -- raised each time the content changes
    contact_id    INTEGER NOT NULL,
    link_id       INTEGER REFERENCES links (id),
    campaign_id   INTEGER,
    hash          BLOB NOT NULL,            -- of the text as received
    row           TEXT NOT NULL CHECK (json_valid(row)),
    started_text  TEXT,                     -- dtCallStart as received
    started_at    TEXT,                     -- resolved, UTC
    ended_at      TEXT,
    created_at    TEXT,                     -- dtCreatedDiallerContactsHistory, resolved, UTC
    resolved      TEXT CHECK (resolved IN ('plain', 'offset') OR resolved IN ('by_row', 'by_order')
                                  OR resolved IN ('first', 'gap')),
                                            -- how: the most doubtful of the row's times
    outbound      INTEGER,
    test          INTEGER,
    number        TEXT,                     -- PhoneNumber as received
    result_code   INTEGER,                  -- DiallerCampaignsResultCodesID
    result_type   INTEGER,                  -- DiallerResultCodesTypesID
    open          INTEGER NOT NULL DEFAULT 0 CHECK (open IN (0, 1)), -- no result or no end yet: read again
    no_result_given INTEGER NOT NULL DEFAULT 0 CHECK (no_result_given IN (0, 1)),
    first_seen_at TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    run_id        INTEGER NOT NULL
, note TEXT, erased_at TEXT) STRICT;

CREATE TABLE call_revisions (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    revision   INTEGER NOT NULL,
    row        TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    run_id     INTEGER NOT NULL,
    PRIMARY KEY (history_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE result_codes (
    campaign_id INTEGER NOT NULL,
    code        INTEGER NOT NULL,
    name        TEXT,
    export_key  TEXT,
    done        INTEGER,
    aborted     INTEGER,
    delay       INTEGER,
    appointment INTEGER,
    first_seen  TEXT NOT NULL,
    last_seen   TEXT NOT NULL,
    PRIMARY KEY (campaign_id, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE harvest_due (
    contact_id INTEGER NOT NULL,
    reason     TEXT NOT NULL CHECK (reason IN ('changed', 'ladder') OR reason IN ('waiting', 'ours')
                                              OR reason IN ('hint', 'sum') OR reason = 'missing'),
    at         TEXT NOT NULL,
    since      TEXT NOT NULL,               -- what the ladder counts from
    fingerprint BLOB,                       -- 'changed': to be stored with what the read brings
    failed     INTEGER NOT NULL DEFAULT 0, believed INTEGER NOT NULL DEFAULT 0 CHECK (believed IN (0, 1)),  -- reads in a row that failed for this contact alone
    PRIMARY KEY (contact_id, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE "blocks" (
    id         INTEGER PRIMARY KEY,
    client     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('record', 'number', 'contact')),
    crm        TEXT,
    object     TEXT,
    record_id  TEXT,
    number     TEXT,                        -- E.164
    contact_id INTEGER,
    code       TEXT NOT NULL,
    params     TEXT NOT NULL DEFAULT '{}',
    source     TEXT NOT NULL,               -- crm:ROUTE | companion:ROUTE/NAME | operator | file:NAME
    since      TEXT NOT NULL,
    until      TEXT,
    who        TEXT,
    lifted_at  TEXT,
    lifted_by  TEXT,
    lifted_why TEXT,
    withdrawn_seen INTEGER NOT NULL DEFAULT 0, said_last TEXT, -- complete answers in which its source had withdrawn it
    CHECK ((kind = 'number') = (number IS NOT NULL)),
    CHECK ((kind = 'contact') = (contact_id IS NOT NULL)),
    CHECK ((kind = 'record') = (record_id IS NOT NULL AND crm IS NOT NULL AND object IS NOT NULL))
) STRICT;

CREATE TABLE sent_numbers (
    number  TEXT NOT NULL,
    link_id INTEGER NOT NULL REFERENCES links (id),
    PRIMARY KEY (number, link_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE record_absences (
    route     TEXT NOT NULL,
    record_id TEXT NOT NULL,
    asked_at  TEXT NOT NULL,                -- first not found
    gone_at   TEXT, by_pass INTEGER NOT NULL DEFAULT 0 CHECK (by_pass IN (0, 1)), wave_id INTEGER REFERENCES waves (id),                         -- found gone by the second look
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE record_notes (
    id        INTEGER PRIMARY KEY,
    route     TEXT NOT NULL,
    record_id TEXT NOT NULL,
    code      TEXT NOT NULL,
    params    TEXT NOT NULL DEFAULT '{}',
    since     TEXT NOT NULL,
    ended_at  TEXT,                         -- a later version of the record gave no reason for it
    run_id    INTEGER NOT NULL
) STRICT;

CREATE TABLE pilots (
    route     TEXT NOT NULL REFERENCES routes (route),
    record_id TEXT NOT NULL,
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE full_passes (
    id          INTEGER PRIMARY KEY,
    route       TEXT NOT NULL REFERENCES routes (route),
    revision    TEXT NOT NULL,
    why         TEXT NOT NULL CHECK (why IN ('first', 'revision', 'left_dry', 'by_hand', 'weekly')),
    began_at    TEXT NOT NULL,
    token       TEXT,                                  -- where the next page begins; NULL: at the beginning
    pages       INTEGER NOT NULL DEFAULT 0,
    finished_at TEXT,
    state       TEXT NOT NULL CHECK (state IN ('open', 'done', 'replaced')), heard TEXT,
    CHECK ((finished_at IS NULL) = (state = 'open'))
) STRICT;

CREATE TABLE waves (
    id         INTEGER PRIMARY KEY,
    route      TEXT NOT NULL REFERENCES routes (route),
    source     TEXT NOT NULL,                          -- run:ID | pass:ID
    kind       TEXT NOT NULL CHECK (kind IN ('new', 'changed')),
    operations INTEGER NOT NULL DEFAULT 0,
    bound      INTEGER NOT NULL,                       -- the limit when it was measured
    since      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'held', 'approved', 'rejected')),
    decided_at TEXT,
    who        TEXT,
    text       TEXT,
    UNIQUE (route, source, kind),
    CHECK ((decided_at IS NULL) = (state IN ('open', 'held')))
) STRICT;

CREATE TABLE freezes (
    id         INTEGER PRIMARY KEY,
    since      TEXT NOT NULL,
    until      TEXT,
    even_locks INTEGER NOT NULL CHECK (even_locks IN (0, 1)),
    who        TEXT NOT NULL,
    text       TEXT NOT NULL,
    ended_at   TEXT,
    ended_who  TEXT,
    ended_text TEXT
) STRICT;

CREATE TABLE identity (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    instance   TEXT NOT NULL,               -- the same in every copy
    generation INTEGER NOT NULL,            -- raised by each backup (in the copy) and by each takeover
    host       TEXT,                        -- keyed hash of the machine's id; NULL: it has none
    path       TEXT NOT NULL,               -- of this file, without links
    backup_at  TEXT,                        -- this file is a backup, made then
    since      TEXT NOT NULL                -- at home here since
) STRICT;

CREATE TABLE commits (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;

CREATE TABLE side_addresses (
    side     TEXT NOT NULL,                 -- dialler | crm:ROUTE
    base_url TEXT NOT NULL,                 -- the dialler's ends in the ClientsID
    since    TEXT NOT NULL,
    until    TEXT,
    accepted_at TEXT,                       -- a person took it over, and its sample did not agree yet
    PRIMARY KEY (side, since)
) STRICT, WITHOUT ROWID;

CREATE TABLE differences (
    id       INTEGER PRIMARY KEY,
    subject  TEXT NOT NULL,                 -- ledger | dialler | crm:ROUTE
    code     TEXT NOT NULL,
    params   TEXT NOT NULL DEFAULT '{}',
    since    TEXT NOT NULL,
    ended_at TEXT,
    ended_by TEXT                           -- who took over; dialbridge: it was mended
) STRICT;

CREATE TABLE answer_notes (
    id           INTEGER PRIMARY KEY,
    link_id      INTEGER NOT NULL REFERENCES links (id),
    field        TEXT NOT NULL,
    code         TEXT NOT NULL,
    params       TEXT NOT NULL DEFAULT '{}',  -- lengths, never the values
    since        TEXT NOT NULL,
    ended_at     TEXT,                         -- a later value was answered as sent, or otherwise
    operation_id INTEGER NOT NULL
) STRICT;

CREATE TABLE looks (
    at     TEXT PRIMARY KEY,
    result TEXT NOT NULL CHECK (result IN ('sound', 'wrong', 'not_looked')),
    text   TEXT NOT NULL                 -- what is wrong, or why nobody looked
) STRICT, WITHOUT ROWID;

CREATE TABLE words (
    id           INTEGER PRIMARY KEY,
    at           TEXT NOT NULL,
    verb         TEXT NOT NULL CHECK (verb IN ('dry', 'pilot', 'on', 'paused', 'send', 'retry', 'discard')),
    route        TEXT,
    record_id    TEXT,
    operation_id INTEGER,
    until        TEXT,                                 -- a state's end, as it was said
    who          TEXT NOT NULL,
    text         TEXT NOT NULL                         -- the reason given; empty where none was
) STRICT;

CREATE TABLE said_numbers (
    block_id INTEGER NOT NULL REFERENCES blocks (id),
    number   TEXT NOT NULL,             -- E.164
    PRIMARY KEY (block_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE write_backs (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('activity', 'fields')),
    link_id    INTEGER NOT NULL REFERENCES links (id),
    history_id INTEGER REFERENCES calls (history_id),     -- the call that the activity tells of
    wanted     INTEGER NOT NULL,                          -- the call's revision; of fields, a number that goes up
    sent       INTEGER,                                   -- what the request under way, or in doubt, tells
    written    INTEGER,                                   -- what the CRM was last told
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'sending') OR state IN ('uncertain', 'done')
                                              OR state IN ('held', 'never') OR state IN ('parked', 'gone')),
    code       TEXT,                                      -- why it is held, parked, gone or never told
    params     TEXT NOT NULL DEFAULT '{}',
    activity   TEXT,                                      -- the CRM's id of it, once known
    sending    BLOB,                                      -- digest of the values under way
    sending_values TEXT,                                  -- JSON of them, for the trail
    digest     BLOB,                                      -- digest of the values last told
    rules      TEXT,                                      -- revision of the mapping that held it
    tries      INTEGER NOT NULL DEFAULT 0,                -- since something last went well
    due_at     TEXT NOT NULL,                             -- waiting: from when; uncertain: when to ask
    waits_since TEXT NOT NULL,                            -- when there last came to be something to tell
    sent_at    TEXT,
    changed_at TEXT NOT NULL,
    created_at TEXT NOT NULL, carrying TEXT CHECK (carrying IS NULL OR json_valid(carrying)), doubts INTEGER NOT NULL DEFAULT 0, objection TEXT -- `again`: under way, and another has come
    CHECK (objection IN ('waits', 'under_way', 'again')), objection_told BLOB, then_again INTEGER NOT NULL DEFAULT 0 CHECK (then_again IN (0, 1)), no_there TEXT CHECK (no_there IN ('told', 'taken_back')), no_told_at TEXT, no_rests_on BLOB, because TEXT CHECK (because IS NULL OR json_valid (because)), let_go_by TEXT, of_calls INTEGER NOT NULL DEFAULT 0 CHECK (of_calls IN (0, 1)),
    CHECK ((kind = 'activity') = (history_id IS NOT NULL)),
    CHECK (state NOT IN ('sending', 'uncertain') OR sent IS NOT NULL),
    CHECK (state NOT IN ('held', 'never') OR code IS NOT NULL),
    CHECK (state NOT IN ('parked', 'gone') OR code IS NOT NULL)
) STRICT;

CREATE TABLE write_back_attempts (
    id            INTEGER PRIMARY KEY,
    write_back_id INTEGER NOT NULL REFERENCES write_backs (id),
    route         TEXT NOT NULL,
    run_id        INTEGER NOT NULL,
    at            TEXT NOT NULL,
    tells         INTEGER NOT NULL,                       -- the revision told
    outcome       TEXT NOT NULL,
    detail        TEXT NOT NULL DEFAULT ''
, of_objection INTEGER NOT NULL DEFAULT 0 CHECK (of_objection IN (0, 1))) STRICT;

CREATE TABLE "runs" (
    id          INTEGER PRIMARY KEY,
    job         TEXT NOT NULL CHECK (job IN ('pull', 'push', 'harvest', 'settle', 'write_back')),
    route       TEXT,                       -- NULL for a harvest, whose unit is the campaign
    campaign_id INTEGER,
    cause       TEXT NOT NULL,              -- schedule | hand | start | hint
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    state       TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
    error       TEXT,                       -- what failed and what to do; no personal data
    requests    INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL DEFAULT 0,
    -- pull
    records_read INTEGER NOT NULL DEFAULT 0,
    repeats     INTEGER NOT NULL DEFAULT 0, -- the same record twice in this run
    stale       INTEGER NOT NULL DEFAULT 0, -- older than the version last seen
    unchanged   INTEGER NOT NULL DEFAULT 0,
    queued      INTEGER NOT NULL DEFAULT 0,
    adopted     INTEGER NOT NULL DEFAULT 0,
    skipped     INTEGER NOT NULL DEFAULT 0,
    blocked     INTEGER NOT NULL DEFAULT 0,
    parked      INTEGER NOT NULL DEFAULT 0,
    parked_new  INTEGER NOT NULL DEFAULT 0, -- of these, not parked before (exit status 3)
    -- push, and write-back
    taken       INTEGER NOT NULL DEFAULT 0,
    done        INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    uncertain   INTEGER NOT NULL DEFAULT 0,
    superseded  INTEGER NOT NULL DEFAULT 0,
    put_back    INTEGER NOT NULL DEFAULT 0, -- leased, not sent, waiting again
    -- harvest
    listed      INTEGER NOT NULL DEFAULT 0,
    due         INTEGER NOT NULL DEFAULT 0,
    foreign_contacts INTEGER NOT NULL DEFAULT 0,
    calls_new   INTEGER NOT NULL DEFAULT 0,
    calls_changed INTEGER NOT NULL DEFAULT 0,
    noted       INTEGER NOT NULL DEFAULT 0, -- new notes; beside the balance
    remark      TEXT,                       -- what went on beside it (a companion that was not taken)
    pass_id     INTEGER REFERENCES full_passes (id),
    -- write-back
    held        INTEGER NOT NULL DEFAULT 0, -- cannot be told yet: no mapping of its result, no end
    gone        INTEGER NOT NULL DEFAULT 0, -- the record no longer exists in the CRM
    -- One equation per job; a finished run that does not add up cannot be stored.
    CHECK (state <> 'done' OR job <> 'pull' OR
           records_read = repeats + stale + unchanged + queued + adopted + skipped + blocked + parked),
    CHECK (state <> 'done' OR job <> 'push' OR
           taken = done + refused + uncertain + superseded + parked + put_back),
    CHECK (state <> 'done' OR job <> 'harvest' OR
           listed = unchanged + due + foreign_contacts),
    CHECK (state <> 'done' OR job <> 'write_back' OR
           taken = done + unchanged + held + refused + uncertain + parked + gone + put_back),
    CHECK ((finished_at IS NULL) = (state = 'running'))
) STRICT;

CREATE TABLE results_due (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,                          -- as it was then: a correction does not take a no back
    PRIMARY KEY (history_id, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE opt_outs (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,
    route      TEXT NOT NULL REFERENCES routes (route),   -- by whose list
    record_id  TEXT,                                      -- NULL: the contact was nobody's then
    block_id   INTEGER,                                   -- the first of its blocks; NULL: no number could be read
    at         TEXT NOT NULL,
    PRIMARY KEY (history_id, code, route)
) STRICT, WITHOUT ROWID;

CREATE TABLE lock_rounds (
    id          INTEGER PRIMARY KEY,
    began_at    TEXT NOT NULL,
    wished      INTEGER NOT NULL,              -- contacts to be out of reach when it began
    after_link  INTEGER NOT NULL DEFAULT 0,    -- how far it has come
    sent        INTEGER NOT NULL DEFAULT 0,    -- locks queued by it; whoever was locked since it began needs none
    finished_at TEXT
) STRICT;

CREATE TABLE holds_released (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,                          -- as it was then: a corrected result is another one
    at         TEXT NOT NULL,
    who        TEXT NOT NULL,
    text       TEXT NOT NULL,
    PRIMARY KEY (history_id, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE "write_back_words" (
    id            INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    verb          TEXT NOT NULL CHECK (verb IN ('approve', 'retry', 'discard', 'remap', 'backfill')),
    route         TEXT NOT NULL,
    write_back_id INTEGER,
    who           TEXT NOT NULL,
    text          TEXT NOT NULL
) STRICT;

CREATE TABLE pass_seen (
    pass_id   INTEGER NOT NULL REFERENCES full_passes (id),
    record_id TEXT NOT NULL,
    PRIMARY KEY (pass_id, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE closings (
    campaign_id INTEGER NOT NULL,
    day         TEXT NOT NULL,                            -- in the dialler's zone
    began_at    TEXT NOT NULL,                            -- when the pass last began that is to close it
    closed_at   TEXT,
    contacts    INTEGER NOT NULL DEFAULT 0,               -- whose history was read again
    found       INTEGER NOT NULL DEFAULT 0,               -- calls that only this pass found
    short_contacts INTEGER NOT NULL DEFAULT 0,            -- for whom the dialler counts more tries than it has calls
    short_calls INTEGER NOT NULL DEFAULT 0,               -- and how many more
    PRIMARY KEY (campaign_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE edits (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: a person names a conflict by it
    link_id  INTEGER NOT NULL REFERENCES links (id),
    field    TEXT NOT NULL,
    dialler  TEXT NOT NULL CHECK (json_valid(dialler)), -- what was seen there
    rule     TEXT NOT NULL CHECK (rule IN ('crm', 'dialler', 'ask')),
    seen_at  TEXT NOT NULL,
    state    TEXT NOT NULL DEFAULT 'seen' CHECK (state IN ('seen', 'conflict', 'refused')),
    since    TEXT,                              -- since when it needs a person
    agreed   TEXT,                              -- of a conflict, JSON: what both sides last agreed on ...
    crm      TEXT,                              -- ... and what the CRM has
    code     TEXT,                              -- why the CRM does not take it
    params   TEXT NOT NULL DEFAULT '{}',
    take     TEXT CHECK (take IN ('crm', 'dialler')), -- a person's word,
    against  TEXT, before INTEGER NOT NULL DEFAULT 0 CHECK (before IN (0, 1)),                              -- said of this value of the CRM's
    CHECK ((state = 'seen') = (since IS NULL)),
    CHECK ((take IS NULL) = (against IS NULL)),
    CHECK ((state = 'refused') = (code IS NOT NULL))
) STRICT;

CREATE TABLE conflict_words (
    id      INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    link_id INTEGER NOT NULL REFERENCES links (id),
    field   TEXT NOT NULL,
    take    TEXT NOT NULL CHECK (take IN ('crm', 'dialler')),
    who     TEXT NOT NULL,
    text    TEXT NOT NULL
) STRICT;

CREATE TABLE reconciles (
    route TEXT PRIMARY KEY,
    at    TEXT NOT NULL,
    drift INTEGER NOT NULL,                 -- things that do not agree
    found TEXT NOT NULL CHECK (json_valid(found)) -- by kind
) STRICT;

CREATE TABLE changes_kept (
    id INTEGER PRIMARY KEY                  -- of `changes`
) STRICT;

CREATE TABLE finals_released (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,                          -- as it was then: a corrected result is another one
    at         TEXT NOT NULL,
    who        TEXT NOT NULL,
    text       TEXT NOT NULL,
    PRIMARY KEY (history_id, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (
    route  TEXT NOT NULL,
    at     TEXT NOT NULL,
    looked INTEGER NOT NULL,                 -- records looked at on both sides
    drift  INTEGER NOT NULL,                 -- things that do not agree
    found  TEXT NOT NULL CHECK (json_valid(found)), -- by kind
    PRIMARY KEY (route, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE block_files (
    client        TEXT NOT NULL,
    path          TEXT NOT NULL,
    digest        BLOB,                        -- of the text that was taken last; NULL: none yet
    read_at       TEXT,
    numbers       INTEGER NOT NULL DEFAULT 0,  -- lines taken
    bad           INTEGER NOT NULL DEFAULT 0,  -- lines that name nobody
    bad_lines     TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(bad_lines)), -- the first of them by their number
    failing_since TEXT,
    error         TEXT, lifts INTEGER NOT NULL DEFAULT 0, taking_since TEXT,
    PRIMARY KEY (client, path),
    CHECK ((digest IS NULL) = (read_at IS NULL)),
    CHECK ((failing_since IS NULL) = (error IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE status_due (
    link_id INTEGER PRIMARY KEY REFERENCES links (id) ON DELETE CASCADE
) STRICT;

CREATE TABLE invalid_numbers (
    link_id INTEGER NOT NULL REFERENCES links (id) ON DELETE CASCADE,
    number  TEXT NOT NULL,                   -- E.164, or as the dialler writes it
    at      TEXT NOT NULL,                   -- when the mark was first seen
    cause   INTEGER,                         -- the slot's last cause code
    PRIMARY KEY (link_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE block_wave_words (
    id     INTEGER PRIMARY KEY,
    at     TEXT NOT NULL, -- blocks of the source until then were seen
    source TEXT NOT NULL,
    who    TEXT NOT NULL,
    text   TEXT NOT NULL
) STRICT;

CREATE TABLE listed_objections (
    link_id INTEGER PRIMARY KEY REFERENCES links (id),
    state   TEXT NOT NULL CHECK (state IN ('waits', 'let_go', 'left')), -- `left`: a person does not want it told
    at      TEXT NOT NULL
) STRICT;

CREATE TABLE absences_left (
    route     TEXT NOT NULL REFERENCES routes (route),
    record_id TEXT NOT NULL,
    at        TEXT NOT NULL,
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE shown_nos (
    contact_id INTEGER NOT NULL,
    code       INTEGER NOT NULL,                          -- the result that was shown
    route      TEXT NOT NULL REFERENCES routes (route),   -- by whose list of words it is a no
    block_id   INTEGER,                                   -- the first of its blocks; NULL: no number is known
    at         TEXT NOT NULL,                             -- when it was shown
    history_id INTEGER,                                   -- the call that says the same; NULL: none was read yet
    PRIMARY KEY (contact_id, code, route)
) STRICT, WITHOUT ROWID;

CREATE TABLE shown_codes_due (
    campaign_id INTEGER NOT NULL,
    code        INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact_marks (
    contact_id INTEGER NOT NULL REFERENCES contacts (contact_id) ON DELETE CASCADE,
    number     TEXT NOT NULL,                -- E.164, or as the dialler writes it
    at         TEXT NOT NULL,                -- when the mark was first seen
    cause      INTEGER,                      -- the slot's last cause code
    PRIMARY KEY (contact_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE called_numbers (
    number     TEXT NOT NULL,               -- E.164
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    PRIMARY KEY (number, history_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE earlier_campaigns (
    route       TEXT NOT NULL REFERENCES routes (route),
    campaign_id INTEGER NOT NULL,
    until       TEXT,                       -- NULL: it was so before this was noted
    PRIMARY KEY (route, campaign_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaigns_elsewhere (
    route       TEXT NOT NULL REFERENCES routes (route),
    campaign_id INTEGER NOT NULL,
    PRIMARY KEY (route, campaign_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact_absences (
    contact_id  INTEGER PRIMARY KEY,
    route       TEXT NOT NULL,
    campaign_id INTEGER,                        -- where it was last
    asked_at    TEXT NOT NULL,                  -- missed for the first time
    wave_id     INTEGER REFERENCES waves (id),
    left_at     TEXT,                           -- a person does not believe that it is gone
    gone_at     TEXT                            -- and it was
) STRICT;

CREATE TABLE calls_lost (
    link_id     INTEGER NOT NULL REFERENCES links (id),
    contact_id  INTEGER NOT NULL,
    at          TEXT NOT NULL,
    released_at TEXT,           -- a person says that it keeps nobody from being called again
    who         TEXT,
    text        TEXT,
    PRIMARY KEY (link_id, contact_id),
    CHECK ((released_at IS NULL) = (who IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('blocks_epoch', '1');

INSERT INTO meta (key, value) VALUES ('sequence', '1');

INSERT INTO commits (id, number) VALUES (1, 0);

CREATE INDEX hints_waiting ON hints (route) WHERE taken_at IS NULL;

CREATE UNIQUE INDEX links_record  ON links (route, record_id) WHERE route IS NOT NULL;

CREATE UNIQUE INDEX links_contact ON links (contact_id) WHERE contact_id IS NOT NULL AND route IS NOT NULL;

CREATE UNIQUE INDEX links_foreign ON links (contact_id) WHERE route IS NULL;

CREATE INDEX links_folded ON links (folded) WHERE folded IS NOT NULL;

CREATE INDEX link_contacts_by_link ON link_contacts (link_id);

CREATE INDEX link_numbers_by_link ON link_numbers (link_id);

CREATE UNIQUE INDEX records_folded ON records (folded) WHERE folded IS NOT NULL;

CREATE INDEX records_state ON records (state, route) WHERE state <> 'linked';

CREATE INDEX records_meet ON records (route) WHERE meet = 'due';

CREATE INDEX operations_open ON operations (state, kind) WHERE finished_at IS NULL;

CREATE INDEX operations_queue ON operations (not_before, id) WHERE state = 'waiting' AND kind <> 'lock';

CREATE INDEX operations_locks ON operations (state, not_before) WHERE kind = 'lock' AND state IN ('waiting', 'uncertain');

CREATE INDEX operations_parked ON operations (link_id) WHERE state = 'parked';

CREATE INDEX attempts_by_operation ON attempts (operation_id);

CREATE INDEX changes_by_link ON changes (link_id, at);

CREATE INDEX contacts_campaign ON contacts (campaign_id, contact_id) WHERE gone_at IS NULL;

CREATE INDEX contacts_folded ON contacts (folded) WHERE folded IS NOT NULL;

CREATE INDEX contacts_audit ON contacts (campaign_id, audit_at) WHERE gone_at IS NULL;

CREATE INDEX contact_numbers_by_contact ON contact_numbers (contact_id);

CREATE INDEX sweeps_campaign ON sweeps (campaign_id, id);

CREATE INDEX sweeps_run ON sweeps (run_id);

CREATE INDEX calls_contact ON calls (contact_id, started_at);

CREATE INDEX calls_link ON calls (link_id, started_at);

CREATE INDEX calls_open ON calls (contact_id) WHERE open = 1;

CREATE INDEX calls_campaign ON calls (campaign_id, history_id);

CREATE INDEX calls_started ON calls (started_at);

CREATE INDEX harvest_due_at ON harvest_due (reason, at);

CREATE INDEX operations_finished ON operations (finished_at) WHERE state IN ('done', 'parked');

CREATE UNIQUE INDEX blocks_number ON blocks (number, client, source) WHERE lifted_at IS NULL AND kind = 'number';

CREATE UNIQUE INDEX blocks_record ON blocks (record_id, crm, object, client, source)
    WHERE lifted_at IS NULL AND kind = 'record';

CREATE UNIQUE INDEX blocks_contact ON blocks (contact_id, client, source) WHERE lifted_at IS NULL AND kind = 'contact';

CREATE INDEX sent_numbers_by_link ON sent_numbers (link_id);

CREATE INDEX operations_bodies ON operations (finished_at) WHERE body IS NOT NULL AND finished_at IS NOT NULL;

CREATE INDEX attempts_details ON attempts (answered_at) WHERE detail <> '';

CREATE UNIQUE INDEX record_notes_standing ON record_notes (route, record_id, code, params) WHERE ended_at IS NULL;

CREATE INDEX record_notes_by_record ON record_notes (route, record_id);

CREATE UNIQUE INDEX full_passes_open ON full_passes (route) WHERE state = 'open';

CREATE INDEX waves_held ON waves (route) WHERE state = 'held';

CREATE INDEX operations_of_wave ON operations (wave_id) WHERE wave_id IS NOT NULL AND state = 'waiting';

CREATE UNIQUE INDEX freezes_open ON freezes ((1)) WHERE ended_at IS NULL;

CREATE UNIQUE INDEX side_addresses_now ON side_addresses (side) WHERE until IS NULL;

CREATE UNIQUE INDEX differences_standing ON differences (subject, code) WHERE ended_at IS NULL;

CREATE INDEX links_by_contact ON links (contact_id) WHERE contact_id IS NOT NULL;

CREATE INDEX contacts_likely ON contacts (campaign_id, likely_at) WHERE likely_at IS NOT NULL AND gone_at IS NULL;

CREATE INDEX contacts_active ON contacts (campaign_id, active_at) WHERE active_at IS NOT NULL AND gone_at IS NULL;

CREATE UNIQUE INDEX answer_notes_standing ON answer_notes (link_id, field) WHERE ended_at IS NULL;

CREATE INDEX answer_notes_by_link ON answer_notes (link_id);

CREATE INDEX links_overwritten ON links (id) WHERE overwritten = 1;

CREATE INDEX sweeps_began ON sweeps (began_at);

CREATE INDEX operations_leased ON operations (kind, leased_at) WHERE leased_at IS NOT NULL;

CREATE INDEX words_by_record ON words (route, record_id, at);

CREATE INDEX words_by_operation ON words (operation_id) WHERE operation_id IS NOT NULL;

CREATE INDEX operations_changes ON operations (leased_at)
    WHERE kind IN ('update', 'unlock') AND wave_id IS NOT NULL AND leased_at IS NOT NULL;

CREATE INDEX said_numbers_by_number ON said_numbers (number);

CREATE UNIQUE INDEX write_backs_call ON write_backs (history_id) WHERE history_id IS NOT NULL;

CREATE UNIQUE INDEX write_backs_fields ON write_backs (link_id) WHERE kind = 'fields';

CREATE INDEX write_backs_link ON write_backs (link_id);

CREATE INDEX write_backs_state ON write_backs (state, due_at);

CREATE INDEX write_back_attempts_of ON write_back_attempts (write_back_id, at);

CREATE INDEX write_back_attempts_route ON write_back_attempts (route, id);

CREATE INDEX runs_by_job ON runs (job, route, started_at);

CREATE INDEX calls_result ON calls (campaign_id, result_code) WHERE result_code IS NOT NULL;

CREATE INDEX records_link ON records (link_id) WHERE link_id IS NOT NULL;

CREATE INDEX operations_run ON operations (run_id) WHERE run_id IS NOT NULL;

CREATE INDEX links_unmet ON links (id) WHERE contact_id IS NULL AND met_at IS NULL AND wish <> 'callable';

CREATE INDEX links_locked ON links (id) WHERE wish = 'locked';

CREATE INDEX records_held ON records (json_extract(params, '$.call')) WHERE code IN ('held_out', 'cooling_off');

CREATE INDEX records_cooling ON records (json_extract(params, '$.until')) WHERE code = 'cooling_off';

CREATE UNIQUE INDEX edits_field ON edits (link_id, field);

CREATE INDEX edits_open ON edits (state) WHERE state <> 'seen';

CREATE INDEX conflict_words_link ON conflict_words (link_id);

CREATE INDEX operations_given ON operations (finished_at) WHERE given <> '{}';

CREATE INDEX record_absences_wave ON record_absences (wave_id) WHERE wave_id IS NOT NULL;

CREATE INDEX calls_to_erase ON calls (changed_at) WHERE erased_at IS NULL AND open = 0;

CREATE INDEX block_wave_words_by_source ON block_wave_words (source, at);

CREATE INDEX listed_objections_state ON listed_objections (state, at);

CREATE INDEX hints_of_record ON hints (route, record_id, source) WHERE taken_at IS NULL;

CREATE INDEX operations_by_wave ON operations (wave_id) WHERE wave_id IS NOT NULL;

CREATE INDEX write_backs_objections ON write_backs (id) WHERE objection IS NOT NULL;

CREATE INDEX write_backs_calls_waiting ON write_backs (history_id) WHERE state = 'waiting' AND kind = 'activity';

CREATE INDEX write_backs_records_waiting ON write_backs (link_id) WHERE state = 'waiting' AND kind = 'fields';

CREATE INDEX operations_words ON operations (finished_at)
    WHERE outcome = 'rejected' AND json_extract(outcome_params, '$.text') <> '(erased)';

CREATE INDEX write_backs_words ON write_backs (changed_at)
    WHERE code = 'rejected' AND json_extract(params, '$.text') <> '(erased)';

CREATE INDEX edits_words ON edits (since) WHERE code = 'rejected' AND json_extract(params, '$.text') <> '(erased)';

CREATE INDEX records_blocked_unlinked ON records (json_extract(params, '$.subject')) WHERE state = 'blocked' AND link_id IS NULL;

CREATE INDEX shown_nos_open ON shown_nos (at) WHERE history_id IS NULL;

CREATE INDEX called_numbers_by_call ON called_numbers (history_id);

CREATE INDEX records_final ON records (json_extract(params, '$.call')) WHERE code IN ('final_result', 'number_ended');

CREATE INDEX links_final ON links (json_extract(wish_params, '$.call')) WHERE wish_code IN ('final_result', 'number_ended');

CREATE INDEX contacts_gone ON contacts (gone_at) WHERE gone_at IS NOT NULL;

CREATE INDEX records_gone ON records (since) WHERE code IN ('record_deleted', 'record_gone');

CREATE INDEX write_back_attempts_done ON write_back_attempts (route, at) WHERE outcome = 'done' AND of_objection = 0;

CREATE INDEX contact_absences_route ON contact_absences (route);

CREATE INDEX contact_absences_wave ON contact_absences (wave_id) WHERE wave_id IS NOT NULL;

CREATE INDEX calls_lost_contact ON calls_lost (contact_id);

CREATE VIEW v_calls AS
SELECT k.history_id AS call,
       k.revision,
       k.contact_id AS contact,
       l.route,
       l.record_id AS record,
       coalesce(l.user_data, json_extract(k.row, '$.UserData')) AS user_data,
       k.campaign_id AS campaign,
       CASE k.outbound WHEN 1 THEN 'out' WHEN 0 THEN 'in' END AS direction,
       CASE k.test WHEN 1 THEN 'yes' ELSE 'no' END AS test_call,
       k.number,
       k.started_at AS started,
       k.ended_at AS ended,
       json_extract(k.row, '$.dtCallConnect') IS NOT NULL AS answered,
       json_extract(k.row, '$.CauseCodesID') AS cause_code,
       json_extract(k.row, '$.UsersID') AS agent,
       k.result_code,
       r.name AS result,
       r.export_key AS result_key,
       CASE WHEN k.result_code IS NOT NULL THEN 'given'
            WHEN k.no_result_given = 1 THEN 'no result given'
            WHEN k.open = 1 THEN 'waiting'
            ELSE 'none' END AS result_state,
       k.started_text AS started_as_received,
       k.resolved AS time_read,
       k.first_seen_at AS first_seen,
       k.changed_at AS changed,
       k.run_id AS run
FROM calls k
LEFT JOIN links l ON l.id = k.link_id
LEFT JOIN result_codes r ON r.campaign_id = k.campaign_id AND r.code = k.result_code;

CREATE VIEW v_contacts AS
SELECT c.contact_id AS contact,
       c.campaign_id AS campaign,
       c.user_data,
       l.route,
       l.record_id AS record,
       CASE WHEN l.id IS NULL THEN 'foreign' ELSE 'ours' END AS whose,
       CASE WHEN c.gone_at IS NOT NULL THEN 'gone' WHEN c.asked_at IS NOT NULL THEN 'missing' ELSE 'there' END AS state,
       l.lock_state,
       c.tries,
       c.result_code,
       r.name AS result,
       (SELECT count(*) FROM calls k WHERE k.contact_id = c.contact_id) AS calls,
       c.active_at AS last_active,
       c.read_at AS history_read,
       (SELECT min(d.at) FROM harvest_due d WHERE d.contact_id = c.contact_id) AS next_read,
       (SELECT group_concat(d.reason, ' ') FROM harvest_due d WHERE d.contact_id = c.contact_id) AS next_read_why,
       c.audit_at AS next_audit,
       c.gone_at AS gone_since
FROM contacts c
LEFT JOIN links l ON l.contact_id = c.contact_id AND l.route IS NOT NULL
LEFT JOIN result_codes r ON r.campaign_id = c.campaign_id AND r.code = c.result_code;

CREATE VIEW v_parked AS
SELECT 'record' AS kind, NULL AS operation, route, record_id AS record, user_data, code AS why,
       params AS why_details, since
FROM records WHERE state = 'parked'
UNION ALL
SELECT 'operation', o.id, l.route, l.record_id, l.user_data, coalesce(o.outcome, o.code),
       CASE WHEN o.outcome IS NULL THEN o.params ELSE o.outcome_params END, coalesce(o.finished_at, o.created_at)
FROM operations o JOIN links l ON l.id = o.link_id WHERE o.state = 'parked'
UNION ALL
SELECT 'record without id', NULL, route, NULL, NULL, code, params, first_seen
FROM unidentified;

CREATE VIEW v_blocks AS
SELECT id AS block,
       kind,
       client,
       crm,
       object,
       record_id AS record,
       number,
       contact_id AS contact,
       code AS why,
       params AS why_details,
       source,
       since,
       until,
       who,
       CASE WHEN lifted_at IS NOT NULL THEN 'lifted' ELSE 'in force' END AS state,
       lifted_at AS lifted,
       lifted_by,
       lifted_why
FROM blocks;

CREATE VIEW v_hints AS
SELECT h.route,
       h.record_id AS record,
       h.source,
       h.at AS since,
       h.tries,
       h.not_before AS next_try,
       h.failure
FROM hints h
WHERE h.taken_at IS NULL;

CREATE VIEW v_identity AS
SELECT i.instance, i.generation, i.path, i.since, i.backup_at AS backup_made,
       (SELECT count(*) FROM differences d WHERE d.ended_at IS NULL) AS differences
FROM identity i;

CREATE VIEW v_differences AS
SELECT subject, code AS difference, params AS details, since, ended_at AS ended, ended_by FROM differences;

CREATE VIEW v_skipped AS
SELECT route,
       record_id AS record,
       user_data,
       CASE state WHEN 'skipped' THEN 'not eligible' WHEN 'blocked' THEN 'blocked' ELSE 'put aside' END AS state,
       coalesce(code, 'discarded') AS why,
       params AS why_details,
       since
FROM records WHERE state IN ('skipped', 'blocked', 'discarded');

CREATE VIEW v_notes AS
SELECT n.route,
       n.record_id AS record,
       n.code AS note,
       n.params AS details,
       n.since,
       n.ended_at AS ended,
       n.run_id AS run
FROM record_notes n
UNION ALL
SELECT l.route,
       l.record_id,
       a.code,
       a.params,
       a.since,
       a.ended_at,
       o.run_id
FROM answer_notes a
JOIN links l ON l.id = a.link_id
LEFT JOIN operations o ON o.id = a.operation_id;

CREATE VIEW v_due AS
SELECT d.contact_id AS contact,
       c.campaign_id AS campaign,
       c.user_data,
       l.route,
       l.record_id AS record,
       d.at AS due,
       CASE d.reason
            WHEN 'changed' THEN 'it changed'
            WHEN 'ladder'  THEN 'it changed a while ago'
            WHEN 'waiting' THEN 'a call waits for its result or its end'
            WHEN 'ours'    THEN 'we reset or imported it'
            WHEN 'hint'    THEN 'it was moved to another campaign'
            WHEN 'sum'     THEN 'its tries and its calls do not add up'
            WHEN 'missing' THEN 'a complete list did not name it' END AS why,
       d.since,
       d.failed AS failed_reads
FROM harvest_due d
LEFT JOIN contacts c ON c.contact_id = d.contact_id
LEFT JOIN links l ON l.contact_id = d.contact_id AND l.route IS NOT NULL;

CREATE VIEW v_words AS
SELECT at, verb AS said, route, record_id AS record, operation_id AS operation, until, who, text AS why FROM words
UNION ALL
SELECT since, CASE even_locks WHEN 1 THEN 'freeze, locks too' ELSE 'freeze' END, NULL, NULL, NULL, until, who, text
FROM freezes
UNION ALL
SELECT ended_at, 'thaw', NULL, NULL, NULL, NULL, ended_who, ended_text FROM freezes WHERE ended_at IS NOT NULL
UNION ALL
SELECT decided_at, state || ' wave ' || id, route, NULL, NULL, NULL, who, text FROM waves WHERE decided_at IS NOT NULL;

CREATE VIEW v_runs AS
SELECT r.id AS run,
       r.job,
       r.route,
       r.campaign_id AS campaign,
       r.cause,
       r.state,
       r.started_at AS started,
       r.finished_at AS finished,
       round((julianday(r.finished_at) - julianday(r.started_at)) * 86400, 1) AS seconds,
       CASE r.job WHEN 'pull' THEN r.records_read WHEN 'harvest' THEN r.listed
                  WHEN 'push' THEN r.taken WHEN 'write_back' THEN r.taken END AS read,
       r.unchanged,
       r.queued,
       r.adopted,
       r.skipped,
       r.blocked,
       r.parked,
       r.parked_new,
       r.noted,
       r.due,
       r.foreign_contacts,
       r.calls_new,
       r.calls_changed,
       r.held,
       r.gone,
       r.requests,
       s.requests_changed,
       s.requests_due,
       s.requests_audit,
       s.requests_likely,
       s.requests_elsewhere,
       s.requests_single,
       s.found_by_audit,
       s.not_adding_up,
       s.missing,
       s.held AS missing_held,
       r.error,
       coalesce(r.remark, s.remark) AS remark
FROM runs r
LEFT JOIN sweeps s ON s.run_id = r.id;

CREATE VIEW v_write_backs AS
SELECT w.id AS write_back,
       w.kind AS what,
       l.route,
       l.record_id AS record,
       l.user_data,
       w.history_id AS call,
       k.started_at AS started,
       w.state,
       w.code AS why,
       w.params AS why_details,
       w.activity,
       w.wanted,
       w.written,
       w.tries,
       w.due_at AS due,
       w.sent_at AS sent,
       w.changed_at AS changed
FROM write_backs w
JOIN links l ON l.id = w.link_id
LEFT JOIN calls k ON k.history_id = w.history_id;

CREATE VIEW v_conflicts AS
SELECT e.id AS conflict,
       l.route,
       l.record_id AS record,
       l.user_data,
       l.contact_id AS contact,
       e.field,
       CASE WHEN e.code = 'discarded'   THEN 'a person did not want it told'
            WHEN e.state = 'conflict'   THEN 'both sides changed it'
            WHEN e.state = 'refused'    THEN 'the CRM does not take the dialler''s value' END AS what,
       e.agreed AS agreed_on,
       e.crm AS crm_has,
       e.dialler AS dialler_has,
       e.rule,
       e.since,
       e.code AS why,
       e.params AS why_details
FROM edits e
JOIN links l ON l.id = e.link_id
WHERE e.state <> 'seen' AND l.route IS NOT NULL;

CREATE VIEW v_operations AS
SELECT o.id AS operation,
       o.kind,
       o.state,
       o.code AS why,
       o.params AS why_details,
       o.cause,
       l.route,
       l.record_id AS record,
       l.user_data,
       coalesce(o.contact_id, l.contact_id) AS contact,
       o.generation,
       max(o.attempts, (SELECT count(*) FROM attempts a WHERE a.operation_id = o.id)) AS attempts,
       o.created_at AS created,
       o.not_before AS next_attempt,
       o.settle_at AS asked_about_from,
       o.finished_at AS finished,
       o.outcome,
       o.outcome_params AS outcome_details,
       o.run_id AS run
FROM operations o
JOIN links l ON l.id = o.link_id;

CREATE VIEW client_campaigns AS
SELECT r.client, r.campaign_id FROM routes r WHERE r.campaign_id IS NOT NULL
UNION ALL
SELECT r.client, e.campaign_id FROM earlier_campaigns e JOIN routes r ON r.route = e.route
WHERE NOT EXISTS (SELECT 1 FROM routes own WHERE own.campaign_id = e.campaign_id AND own.client <> r.client)
UNION ALL
SELECT r.client, s.campaign_id FROM campaigns_elsewhere s JOIN routes r ON r.route = s.route;

CREATE VIEW v_blocked_foreign AS
SELECT c.contact_id AS contact, c.campaign_id AS campaign, b.id AS block, b.client,
       coalesce((SELECT l.lock_state FROM links l WHERE l.contact_id = c.contact_id), 'open') AS lock_state
FROM blocks b
JOIN contact_numbers n ON n.number = b.number
JOIN contacts c ON c.contact_id = n.contact_id
WHERE b.kind = 'number' AND b.lifted_at IS NULL AND c.gone_at IS NULL
  AND +c.campaign_id IN (SELECT m.campaign_id FROM client_campaigns m WHERE m.client = b.client)
  AND NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.contact_id AND l.route IS NOT NULL);

CREATE VIEW v_changes AS
SELECT c.id AS change,
       c.at,
       c.side AS changed_in,
       l.route,
       l.record_id AS record,
       l.user_data,
       coalesce(o.contact_id, l.contact_id) AS contact,
       c.operation_id AS operation,
       o.kind AS operation_kind,
       c.write_back_id AS write_back,
       c.field,
       CASE WHEN c.before_digest IS NULL THEN c.before ELSE 'erased' END AS before,
       CASE c.before_from WHEN 'base' THEN 'what both sides last agreed on' WHEN 'answer' THEN 'a read of that side'
            ELSE 'nothing is known' END AS before_from,
       CASE WHEN c.after_digest IS NULL THEN c.after ELSE 'erased' END AS after,
       c.cause,
       coalesce(c.rule, o.code) AS rule,
       c.person,
       lower(hex(c.chain)) AS chain
FROM changes c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN operations o ON o.id = c.operation_id;

CREATE TRIGGER changes_are_not_deleted BEFORE DELETE ON changes
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;

CREATE TRIGGER words_are_not_edited BEFORE UPDATE ON words
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;

CREATE TRIGGER words_are_not_deleted BEFORE DELETE ON words
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;

CREATE TRIGGER contacts_next_try_moved AFTER UPDATE OF next_try ON contacts
WHEN OLD.next_try IS NOT NEW.next_try
BEGIN
    INSERT INTO status_due (link_id)
    SELECT l.id FROM links l JOIN routes r ON r.route = l.route
    WHERE l.contact_id = NEW.contact_id AND r.status_told = 'told'
      AND NOT EXISTS (SELECT 1 FROM status_due d WHERE d.link_id = l.id);
END;

CREATE TRIGGER block_wave_words_stay BEFORE DELETE ON block_wave_words
BEGIN SELECT RAISE(ABORT, 'a word stays'); END;

CREATE TRIGGER block_wave_words_are_not_edited BEFORE UPDATE ON block_wave_words
BEGIN SELECT RAISE(ABORT, 'a word stays'); END;

CREATE TRIGGER links_take_marks AFTER UPDATE OF contact_id ON links
WHEN NEW.contact_id IS NOT NULL AND NEW.contact_id IS NOT OLD.contact_id AND NEW.route IS NOT NULL
BEGIN
    INSERT OR IGNORE INTO invalid_numbers (link_id, number, at, cause)
    SELECT NEW.id, m.number, m.at, m.cause FROM contact_marks m WHERE m.contact_id = NEW.contact_id;
END;

CREATE TRIGGER links_status_moved AFTER UPDATE OF contact_id, wish, wish_code, wish_params, vanished_at, base, lock_state, synced_at ON links
WHEN (OLD.contact_id IS NOT NEW.contact_id OR OLD.wish IS NOT NEW.wish OR OLD.wish_code IS NOT NEW.wish_code
      OR OLD.wish_params IS NOT NEW.wish_params OR OLD.vanished_at IS NOT NEW.vanished_at
      OR NEW.wish = 'callable' AND OLD.lock_state IS NOT NEW.lock_state OR OLD.synced_at IS NOT NEW.synced_at
      -- Another number may stand where the marked one stood.
      OR OLD.base IS NOT NEW.base AND EXISTS (SELECT 1 FROM invalid_numbers i WHERE i.link_id = NEW.id))
     AND EXISTS (SELECT 1 FROM routes r WHERE r.route = NEW.route AND r.status_told = 'told')
     AND NOT EXISTS (SELECT 1 FROM status_due d WHERE d.link_id = NEW.id)
BEGIN
    INSERT INTO status_due (link_id) VALUES (NEW.id);
END;

CREATE TRIGGER changes_are_not_edited BEFORE UPDATE ON changes
WHEN NOT (
    new.id = old.id AND new.at = old.at AND new.link_id = old.link_id AND new.operation_id IS old.operation_id
    AND new.write_back_id IS old.write_back_id AND new.side = old.side AND new.field = old.field
    AND new.before_from = old.before_from AND new.cause = old.cause AND new.rule IS old.rule AND new.person IS old.person
    AND ((old.chain IS NULL AND new.before IS old.before AND new.after IS old.after)
         OR (new.chain IS old.chain
             AND ((new.before IS old.before AND new.before_salt IS old.before_salt AND new.before_digest IS old.before_digest)
                  OR (new.before IS NULL AND new.before_salt IS NULL AND old.before IS NOT NULL
                      AND old.before_digest IS NULL AND length(new.before_digest) = 32))
             AND ((new.after IS old.after AND new.after_salt IS old.after_salt AND new.after_digest IS old.after_digest)
                  OR (new.after IS NULL AND new.after_salt IS NULL AND old.after IS NOT NULL
                      AND old.after_digest IS NULL AND length(new.after_digest) = 32)))))
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;
