-- Whether Telegram asked for the wait: then nobody can end it early.
ALTER TABLE out_delays ADD COLUMN flood_wait INTEGER NOT NULL DEFAULT 0;
