-- Projects that come and go, and bots that try versions out for others.

-- When a project was deleted. The row stays, because deleted bots keep their ids and refer to it; its name is its id from
-- then on.
ALTER TABLE projects ADD COLUMN deleted_at BIGINT;

-- The bot whose staging bot this one is.
ALTER TABLE bots ADD COLUMN staging_of TEXT COLLATE "C";
CREATE INDEX bots_by_production ON bots (staging_of);
