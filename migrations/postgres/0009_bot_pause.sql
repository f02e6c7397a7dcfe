-- Since when a bot is paused: its updates wait. NULL: it is not.

ALTER TABLE bots ADD COLUMN paused_at BIGINT;
