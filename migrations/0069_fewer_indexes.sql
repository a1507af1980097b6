-- Each is written with every operation, and another one answers its question: the UNIQUE (link_id, generation, kind) of the
-- table, and operations_leased (kind, leased_at).
DROP INDEX operations_lane;
DROP INDEX operations_imports;
