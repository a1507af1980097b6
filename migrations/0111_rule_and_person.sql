-- By which rule a change came about, and whose word brought it about: of what the CRM was told the run alone was named.
ALTER TABLE changes ADD COLUMN rule TEXT;   -- the operation's reason; of what the CRM is told, the config's table that says so
ALTER TABLE changes ADD COLUMN person TEXT; -- who said so by hand
-- Of the request under way, or in doubt: field -> {"rule", "person"}.
ALTER TABLE write_backs ADD COLUMN because TEXT CHECK (because IS NULL OR json_valid (because));
-- Who had it told again, or let it go, since it was last told.
ALTER TABLE write_backs ADD COLUMN let_go_by TEXT;

DROP VIEW v_changes;
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

DROP TRIGGER changes_are_not_edited;
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
