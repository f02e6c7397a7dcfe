-- When an event may be deleted. What was recorded before is kept for 400 days, as if its bot had said nothing.

ALTER TABLE analytics_events ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
UPDATE analytics_events SET expires_at = at + 34560000000;
CREATE INDEX analytics_events_by_expiry ON analytics_events (expires_at);
