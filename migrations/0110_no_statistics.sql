-- Statistics of the moment at which an earlier program closed the ledger: plans are made without any (ledger/writer.rs).
DROP TABLE IF EXISTS sqlite_stat1;
DROP TABLE IF EXISTS sqlite_stat4;
