-- Versions of a spec get notes, and a restored version has the content of an older one: the same content may be there
-- more than once. SQLite cannot drop the promise of the contrary, so the rows move into a table without it.

CREATE TABLE spec_versions_with_notes (
    bot_id        TEXT   NOT NULL REFERENCES bots (id),
    version       BIGINT NOT NULL,
    spec_hash     TEXT   NOT NULL,
    canonical     TEXT   NOT NULL,
    warnings      TEXT   NOT NULL,
    author        TEXT,
    created_at    BIGINT NOT NULL,
    note          TEXT,
    restored_from BIGINT,
    PRIMARY KEY (bot_id, version)
);
INSERT INTO spec_versions_with_notes (bot_id, version, spec_hash, canonical, warnings, author, created_at)
SELECT bot_id, version, spec_hash, canonical, warnings, author, created_at FROM spec_versions;
DROP TABLE spec_versions;
ALTER TABLE spec_versions_with_notes RENAME TO spec_versions;
CREATE INDEX spec_versions_by_hash ON spec_versions (bot_id, spec_hash, version);
