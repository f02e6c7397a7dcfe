-- Who did what. Rows refer to nothing, so that nothing that is deleted can pull at them, and they are never changed.

CREATE TABLE audit_log (
    id          TEXT   NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor       TEXT   NOT NULL, -- user, token or system
    user_id     TEXT,
    token_id    TEXT,
    verb        TEXT   NOT NULL,
    object_kind TEXT   NOT NULL,
    object_id   TEXT   NOT NULL,
    project_id  TEXT,
    address     TEXT,
    request_id  TEXT,
    was         TEXT,            -- before it was done: a hash, or a word such as a role
    became      TEXT             -- and since
);
CREATE INDEX audit_log_by_project ON audit_log (project_id, at, id);
CREATE INDEX audit_log_by_user ON audit_log (user_id, at, id);

CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_log_is_not_deleted BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
