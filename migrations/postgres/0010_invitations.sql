-- Links with which people join a project; a row is an open one.

CREATE TABLE invitations (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash       TEXT COLLATE "C" NOT NULL UNIQUE, -- SHA-256 of the secret in the link
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    role       TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    created_at BIGINT           NOT NULL,
    expires_at BIGINT           NOT NULL
);
CREATE INDEX invitations_by_project ON invitations (project_id, created_at, id);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);
