-- Which chats were active on which day. All columns are minima and maxima, so an event that comes twice changes nothing.

CREATE TABLE IF NOT EXISTS analytics_chat_days (
    bot_id     LowCardinality(String),
    day        Date,
    chat       String,
    first_at   SimpleAggregateFunction(min, Int64),
    last_at    SimpleAggregateFunction(max, Int64),
    expires_at SimpleAggregateFunction(max, Int64)
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (bot_id, day, chat)
TTL toDateTime(greatest(0, least(intDiv(expires_at, 1000), 4294967295)), 'UTC');

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics_chat_days_view TO analytics_chat_days AS
SELECT
    bot_id,
    toDate(fromUnixTimestamp64Milli(at, 'UTC')) AS day,
    chat,
    min(at) AS first_at,
    max(at) AS last_at,
    max(expires_at) AS expires_at
FROM analytics_events
WHERE event = 'update_handled'
GROUP BY bot_id, day, chat;
