-- Work for generator and deployer.

CREATE TABLE tasks (
    id           TEXT   NOT NULL PRIMARY KEY,
    kind         TEXT   NOT NULL,
    project_id   TEXT   NOT NULL,
    bot_id       TEXT   NOT NULL,
    payload      TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    progress     BIGINT NOT NULL,
    rev_hash     TEXT,
    error_code   TEXT,
    error_detail TEXT,
    author       TEXT,
    attempts     BIGINT NOT NULL,
    fence        BIGINT NOT NULL, -- grows with every lease
    due          BIGINT NOT NULL, -- queued: not to be taken before; running: end of the lease
    exclusive    TEXT,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);
-- While one has not ended, another one with the same text is refused.
CREATE UNIQUE INDEX tasks_exclusive ON tasks (exclusive) WHERE status IN ('queued', 'running');
CREATE INDEX tasks_open ON tasks (kind, created_at, id) WHERE status IN ('queued', 'running');
