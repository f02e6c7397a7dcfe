-- Flips that are watched, and why the platform took one back by itself.

ALTER TABLE deployments ADD COLUMN watch_until BIGINT;
ALTER TABLE deployments ADD COLUMN reason TEXT;
CREATE INDEX deployments_watched ON deployments (watch_until) WHERE watch_until IS NOT NULL;
