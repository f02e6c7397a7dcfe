-- Rows of the control plane. Types are those that SQLite and PostgreSQL share through one driver: TEXT, BIGINT, BYTEA;
-- times are BIGINT milliseconds, flags BIGINT 0/1, ids, digests and JSON are TEXT. Texts compare byte by byte, as in
-- SQLite and in the program, whatever the database's own order is; all of them, since a join of two orders is an error.

-- One row: whoever inserts it is the first owner.
CREATE TABLE installation (
    id          BIGINT           NOT NULL PRIMARY KEY CHECK (id = 1),
    first_owner TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT           NOT NULL
);

CREATE TABLE users (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    email         TEXT COLLATE "C" NOT NULL,
    email_key     TEXT COLLATE "C" NOT NULL UNIQUE, -- the e-mail in lower case
    password_hash TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT           NOT NULL
);

CREATE TABLE projects (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT           NOT NULL
);

CREATE TABLE members (
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    role       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE sessions (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    csrf       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    seen_at    BIGINT           NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE bots (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id        TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    name              TEXT COLLATE "C" NOT NULL,
    active_rev        TEXT COLLATE "C",
    epoch             BIGINT           NOT NULL,
    token             BYTEA,
    telegram_id       BIGINT,
    telegram_username TEXT COLLATE "C",
    ingress           TEXT COLLATE "C",
    webhook_secret    BYTEA,
    suspended         TEXT COLLATE "C",
    deleted_at        BIGINT,
    created_at        BIGINT           NOT NULL,
    version           BIGINT           NOT NULL
);
CREATE INDEX bots_by_project ON bots (project_id, id);
CREATE INDEX bots_by_telegram_id ON bots (telegram_id);

CREATE TABLE spec_versions (
    bot_id     TEXT COLLATE "C" NOT NULL REFERENCES bots (id),
    version    BIGINT           NOT NULL,
    spec_hash  TEXT COLLATE "C" NOT NULL,
    canonical  TEXT COLLATE "C" NOT NULL,
    warnings   TEXT COLLATE "C" NOT NULL,
    author     TEXT COLLATE "C",
    created_at BIGINT           NOT NULL,
    PRIMARY KEY (bot_id, version),
    UNIQUE (bot_id, spec_hash)
);

CREATE TABLE revisions (
    rev_hash         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bot_id           TEXT COLLATE "C" NOT NULL REFERENCES bots (id),
    spec_version     BIGINT           NOT NULL,
    bot_js_sha256    TEXT COLLATE "C" NOT NULL,
    spec_json_sha256 TEXT COLLATE "C" NOT NULL,
    rev_json_sha256  TEXT COLLATE "C" NOT NULL,
    rev_json         TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT           NOT NULL
);
CREATE INDEX revisions_by_bot ON revisions (bot_id, created_at, rev_hash);

CREATE TABLE deployments (
    task_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bot_id        TEXT COLLATE "C" NOT NULL REFERENCES bots (id),
    status        TEXT COLLATE "C" NOT NULL,
    stage         TEXT COLLATE "C" NOT NULL,
    stages        TEXT COLLATE "C" NOT NULL,
    from_rev      TEXT COLLATE "C",
    to_rev        TEXT COLLATE "C" NOT NULL,
    seen_epoch    BIGINT           NOT NULL,
    epoch         BIGINT,
    is_rollback   BIGINT           NOT NULL,
    min_sandboxes BIGINT           NOT NULL,
    error_code    TEXT COLLATE "C",
    error_detail  TEXT COLLATE "C",
    author        TEXT COLLATE "C",
    created_at    BIGINT           NOT NULL,
    updated_at    BIGINT           NOT NULL,
    version       BIGINT           NOT NULL
);
-- At most one deployment of a bot is under way: the database's own promise.
CREATE UNIQUE INDEX deployments_under_way ON deployments (bot_id) WHERE status IN ('queued', 'running');
CREATE INDEX deployments_by_bot ON deployments (bot_id, created_at, task_id);
CREATE INDEX deployments_by_flip ON deployments (bot_id, epoch);

CREATE TABLE idempotency_keys (
    user_id          TEXT COLLATE "C" NOT NULL,
    route            TEXT COLLATE "C" NOT NULL,
    idempotency_key  TEXT COLLATE "C" NOT NULL,
    fingerprint      TEXT COLLATE "C" NOT NULL,
    claimed_at       BIGINT           NOT NULL,
    lease_until      BIGINT           NOT NULL,
    response_status  BIGINT,
    response_headers TEXT COLLATE "C",
    response_body    BYTEA,
    PRIMARY KEY (user_id, route, idempotency_key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (claimed_at);
