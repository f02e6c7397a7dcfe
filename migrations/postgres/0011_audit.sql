-- Who did what. Rows refer to nothing, so that nothing that is deleted can pull at them, and they are never changed.

CREATE TABLE audit_log (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at          BIGINT           NOT NULL,
    actor       TEXT COLLATE "C" NOT NULL, -- user, token or system
    user_id     TEXT COLLATE "C",
    token_id    TEXT COLLATE "C",
    verb        TEXT COLLATE "C" NOT NULL,
    object_kind TEXT COLLATE "C" NOT NULL,
    object_id   TEXT COLLATE "C" NOT NULL,
    project_id  TEXT COLLATE "C",
    address     TEXT COLLATE "C",
    request_id  TEXT COLLATE "C",
    was         TEXT COLLATE "C",          -- before it was done: a hash, or a word such as a role
    became      TEXT COLLATE "C"           -- and since
);
CREATE INDEX audit_log_by_project ON audit_log (project_id, at, id);
CREATE INDEX audit_log_by_user ON audit_log (user_id, at, id);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END;
$$;

CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
