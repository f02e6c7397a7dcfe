-- Work for generator and deployer.

CREATE TABLE tasks (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind         TEXT COLLATE "C" NOT NULL,
    project_id   TEXT COLLATE "C" NOT NULL,
    bot_id       TEXT COLLATE "C" NOT NULL,
    payload      TEXT COLLATE "C" NOT NULL,
    status       TEXT COLLATE "C" NOT NULL,
    progress     BIGINT           NOT NULL,
    rev_hash     TEXT COLLATE "C",
    error_code   TEXT COLLATE "C",
    error_detail TEXT COLLATE "C",
    author       TEXT COLLATE "C",
    attempts     BIGINT           NOT NULL,
    fence        BIGINT           NOT NULL, -- grows with every lease
    due          BIGINT           NOT NULL, -- queued: not to be taken before; running: end of the lease
    exclusive    TEXT COLLATE "C",
    created_at   BIGINT           NOT NULL,
    updated_at   BIGINT           NOT NULL
);
-- While one has not ended, another one with the same text is refused.
CREATE UNIQUE INDEX tasks_exclusive ON tasks (exclusive) WHERE status IN ('queued', 'running');
CREATE INDEX tasks_open ON tasks (kind, created_at, id) WHERE status IN ('queued', 'running');
