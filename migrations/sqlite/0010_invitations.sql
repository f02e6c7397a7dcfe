-- Links with which people join a project; a row is an open one.

CREATE TABLE invitations (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL UNIQUE, -- SHA-256 of the secret in the link
    project_id TEXT   NOT NULL REFERENCES projects (id),
    role       TEXT   NOT NULL,
    created_by TEXT   NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invitations_by_project ON invitations (project_id, created_at, id);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);
