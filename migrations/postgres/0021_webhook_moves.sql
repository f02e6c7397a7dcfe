-- Moves to another public URL that hold themselves, and what is read often in an order that an index has.

ALTER TABLE webhook_checks ADD COLUMN moved_at BIGINT;
ALTER TABLE webhook_checks ADD COLUMN moved_error_at BIGINT;
ALTER TABLE webhook_checks ADD COLUMN moved_well BIGINT;
DROP INDEX webhook_checks_by_status;
ALTER TABLE webhook_changes ADD COLUMN moves_held_since BIGINT;

CREATE INDEX bots_by_mark ON bots (version, epoch);
