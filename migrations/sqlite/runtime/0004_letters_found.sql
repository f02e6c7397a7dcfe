-- Counting what a filter means reads this and no letter.
CREATE INDEX dlq_found ON dlq (bot, dir, reason, chat);
