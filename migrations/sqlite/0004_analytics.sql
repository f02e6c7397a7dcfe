-- Telemetry of bots; the id makes a repeated batch harmless.

CREATE TABLE analytics_events (
    id     TEXT   NOT NULL PRIMARY KEY,
    bot_id TEXT   NOT NULL,
    chat   TEXT   NOT NULL,
    rev    TEXT,
    at     BIGINT NOT NULL,
    event  TEXT   NOT NULL,
    flow   TEXT,
    step   TEXT,
    fields TEXT   NOT NULL
);
CREATE INDEX analytics_events_by_time ON analytics_events (bot_id, at);
