-- Credentials of programs; a row is one that was not revoked.

CREATE TABLE api_tokens (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash         TEXT COLLATE "C" NOT NULL UNIQUE, -- SHA-256 of the token
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    name         TEXT COLLATE "C" NOT NULL,
    role         TEXT COLLATE "C" NOT NULL,        -- at most this, and at most the user's own
    project_id   TEXT COLLATE "C" NOT NULL REFERENCES projects (id), -- only there
    created_at   BIGINT           NOT NULL,
    expires_at   BIGINT           NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX api_tokens_by_project ON api_tokens (project_id, created_at, id);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);
CREATE INDEX api_tokens_by_expiry ON api_tokens (expires_at);
