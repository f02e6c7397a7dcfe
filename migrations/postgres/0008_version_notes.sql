-- Versions of a spec get notes, and a restored version has the content of an older one: the same content may be there
-- more than once.

ALTER TABLE spec_versions ADD COLUMN note TEXT COLLATE "C";
ALTER TABLE spec_versions ADD COLUMN restored_from BIGINT;
ALTER TABLE spec_versions DROP CONSTRAINT spec_versions_bot_id_spec_hash_key;
CREATE INDEX spec_versions_by_hash ON spec_versions (bot_id, spec_hash, version);
