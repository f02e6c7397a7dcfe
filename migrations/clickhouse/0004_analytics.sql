-- Telemetry of bots. The id makes a repeated event harmless: rows of one bot and id are one row, the one written first
-- (`written` is greater the earlier it was). Readers say FINAL, because merging comes later. Empty text stands for NULL.

CREATE TABLE IF NOT EXISTS analytics_events (
    id         String,
    bot_id     LowCardinality(String),
    chat       String,
    rev        LowCardinality(String),
    at         Int64,
    expires_at Int64,
    event      LowCardinality(String),
    flow       LowCardinality(String),
    step       LowCardinality(String),
    fields     String,
    written    UInt64,
    latency_ms Nullable(UInt32) MATERIALIZED JSONExtract(fields, 'latencyMs', 'Nullable(UInt32)'),
    reason     LowCardinality(String) MATERIALIZED JSONExtractString(fields, 'reason'),
    INDEX analytics_events_by_time at TYPE minmax
) ENGINE = ReplacingMergeTree(written)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(at, 'UTC'))
ORDER BY (bot_id, id)
TTL toDateTime(greatest(0, least(intDiv(expires_at, 1000), 4294967295)), 'UTC')
SETTINGS non_replicated_deduplication_window = 10000;
